/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context(7).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int who_is(const char *name)
{
        return strcmp(weft_get(&user), name) == 0;
}

static int task(void *unused)
{
        (void)unused;
        int inherited = who_is("ada");                       /* C1: from its submit, */
        int r = weft_set(&user, "eve", NULL);                /* C2: for itself alone, */
        return inherited && r == 0 && who_is("eve") ? 1 : 0; /* C6: gone with it */
}

int main(void)
{
        weft_task *t = NULL;
        WEFT_WITH (&user, "ada") {
                int r = weft_spawn(NULL, &t, task, NULL);
                assert(r == 0);
        }
        assert(who_is("nobody")); /* C2: this does not reach the task, */
        int r = weft_set(&user, "grace", NULL);
        assert(r == 0); /* nor does this */

        r = weft_await(t, WEFT_FOREVER);
        assert(r == 1 && who_is("grace"));
        weft_task_unref(t);
        return 0;
}
