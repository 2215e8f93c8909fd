/* SPDX-License-Identifier: MIT
 *
 * The example of WEFT_VAR_INIT(3).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static int released;

static void let_go(void *value)
{
        released++;
        free(value);
}

static weft_var name = WEFT_VAR_INIT("name", .fallback = "anonymous", .release = let_go);

int main(void)
{
        const char *now = weft_get(&name);
        assert(strcmp(now, "anonymous") == 0);

        int r = weft_set(&name, strdup("ada"), NULL);
        assert(r == 0 && released == 0);
        r = weft_set(&name, strdup("grace"), NULL);
        assert(r == 0 && released == 1); /* nobody binds the first one any more */

        weft_var_fini(&name);
        now = weft_get(&name);
        assert(strcmp(now, "anonymous") == 0); /* no look-up finds it, */
        assert(released == 1);                 /* but the context has it still, */
        weft_context *mine = weft_context_swap(weft_context_empty());
        weft_context_unref(mine);
        assert(released == 2); /* until it goes */
        return 0;
}
