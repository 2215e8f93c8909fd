/* SPDX-License-Identifier: MIT
 *
 * The example of weft_set(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user");

static int elsewhere(void *token) /* runs in a frame of its own */
{
        return weft_reset(&user, token);
}

int main(void)
{
        weft_token first, second;
        void *old = NULL;
        int r = weft_set(&user, "ada", &first);
        assert(r == 0);
        r = weft_token_old(&first, &old);
        assert(r == -ENOENT); /* it was not set before */

        r = weft_set(&user, "grace", &second);
        assert(r == 0);
        r = weft_token_old(&second, &old);
        assert(r == 0 && strcmp(old, "ada") == 0);

        r = weft_context_run(NULL, elsewhere, &second, NULL);
        assert(r == -EPERM); /* not in another frame; and nothing is lost */
        r = weft_reset(&user, &second);
        assert(r == 0 && strcmp(weft_get(&user), "ada") == 0);
        r = weft_reset(&user, &second);
        assert(r == -EALREADY);

        weft_token_drop(&first); /* it stays as it is */
        r = weft_reset(&user, &first);
        assert(r == -EALREADY && strcmp(weft_get(&user), "ada") == 0);
        return 0;
}
