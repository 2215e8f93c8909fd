/* SPDX-License-Identifier: MIT
 *
 * The example of weft_thrd_create(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/threads.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int is_user(void *name)
{
        return strcmp(weft_get(&user), name) == 0;
}

int main(void)
{
        thrd_t thread = 0;
        int result = 0;
        WEFT_WITH (&user, "ada") {
                int r = weft_thrd_create(&thread, is_user, "ada");
                assert(r == thrd_success);
                thrd_join(thread, &result);
                assert(result == 1);

                r = thrd_create(&thread, is_user, "nobody");
                assert(r == thrd_success);
        }
        thrd_join(thread, &result);
        assert(result == 1); /* a plain thread inherits nothing */
        return 0;
}
