/* SPDX-License-Identifier: MIT
 *
 * The example of weft_strerror(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

#define COUNT(code, message) +1

int main(void)
{
        const char *name = weft_err_name(-ECANCELED);
        assert(strcmp(name, "ECANCELED") == 0);
        name = weft_err_name(ETIMEDOUT); /* either sign */
        assert(strcmp(name, "ETIMEDOUT") == 0);
        name = weft_err_name(-EXDEV);
        assert(name == NULL); /* weft never says that */

        assert(strcmp(weft_strerror(0), "success") == 0);
        assert(strcmp(weft_strerror(-EPIPE), "the channel has been closed") == 0);

        int errors = 0 WEFT_ERRORS(COUNT);
        assert(errors >= 20);
        return 0;
}
