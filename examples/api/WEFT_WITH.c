/* SPDX-License-Identifier: MIT
 *
 * The example of WEFT_WITH(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int is(const char *name)
{
        return strcmp(weft_get(&user), name) == 0;
}

static int serve(int early)
{
        int r = -ENOMEM; /* if it cannot be bound, nothing of this is run */
        WEFT_WITH (&user, "ada") {
                WEFT_WITH (&user, "grace") {
                        if (!is("grace"))
                                return -EINVAL;
                        if (early)
                                return 1; /* undone on this way out, too */
                }
                r = is("ada") ? 2 : -EINVAL;
        }
        return r;
}

int main(void)
{
        int r = serve(1);
        assert(r == 1 && is("nobody"));
        r = serve(0);
        assert(r == 2 && is("nobody"));
        return 0;
}
