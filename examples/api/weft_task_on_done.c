/* SPDX-License-Identifier: MIT
 *
 * The example of weft_task_on_done(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static weft_event told;
static int result;
static const char *teller;

static int compute(void *unused)
{
        (void)unused;
        return 42;
}

static int tell(void *task)
{
        int r = weft_task_result(task, &result);
        teller = weft_get(&user);
        weft_event_set(&told);
        return r;
}

int main(void)
{
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, compute, NULL);
        assert(r == 0);
        WEFT_WITH (&user, "ada") {
                r = weft_task_on_done(t, tell, t);
                assert(r == 0);
        }
        r = weft_event_wait(&told, WEFT_FOREVER);
        assert(r == 0 && result == 42);
        assert(strcmp(teller, "ada") == 0); /* the context of the registration */
        weft_task_unref(t);
        return 0;
}
