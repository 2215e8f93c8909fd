/* SPDX-License-Identifier: MIT
 *
 * The example of weft_get(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

int main(void)
{
        void *value = NULL;
        const char *who = weft_get(&user);
        assert(strcmp(who, "nobody") == 0); /* the fallback */
        int r = weft_lookup(&user, &value);
        assert(r == -ENOENT); /* which is not a binding */

        r = weft_set(&user, "ada", NULL);
        assert(r == 0);
        who = weft_get(&user);
        assert(strcmp(who, "ada") == 0);
        r = weft_lookup(&user, &value);
        assert(r == 0 && value == who);

        r = weft_set(&user, NULL, NULL);
        assert(r == 0 && weft_get(&user) == NULL);
        r = weft_lookup(&user, &value);
        assert(r == 0 && value == NULL); /* bound, to NULL */
        return 0;
}
