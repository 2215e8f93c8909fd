/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_run(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int rename_to(void *name)
{
        int r = weft_set(&user, name, NULL);
        return r < 0 ? r : 7;
}

static int is(void *name)
{
        return strcmp(weft_get(&user), name) == 0;
}

int main(void)
{
        weft_context *after = NULL;
        WEFT_WITH (&user, "ada") {
                int r = weft_context_run(weft_context_empty(), is, "nobody", NULL);
                assert(r == 1); /* it sees that context only */

                r = weft_context_run(NULL, rename_to, "grace", &after);
                assert(r == 7);    /* what the function returned; */
                assert(is("ada")); /* here nothing has changed */
        }
        int r = weft_context_run(after, is, "grace", NULL);
        assert(r == 1);
        weft_context_unref(after);
        return 0;
}
