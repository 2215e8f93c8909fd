/* SPDX-License-Identifier: MIT
 *
 * The example of weft_spawn_at(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int on_time(void *due)
{
        return weft_now() >= *(int64_t *)due && strcmp(weft_get(&user), "nobody") == 0;
}

static int three_times(void *runs)
{
        if (strcmp(weft_get(&user), "ada") != 0)
                return -EINVAL;
        return ++*(int *)runs < 3 ? 0 : -EPIPE; /* an error ends it */
}

int main(void)
{
        int64_t due = weft_now() + 2000000; /* in 2 ms */
        int runs = 0;
        weft_task *once = NULL, *often = NULL, *never = NULL;
        WEFT_WITH (&user, "ada") {
                int r = weft_spawn_at(NULL, &once, due, 0, on_time, &due);
                assert(r == 0);
                r = weft_spawn_every(NULL, &often, due, 1000000, WEFT_INHERIT, three_times, &runs);
                assert(r == 0);
                r = weft_spawn_at(NULL, &never, WEFT_FOREVER, 0, on_time, &due);
                assert(r == 0);
        }
        int r = weft_await(once, WEFT_FOREVER);
        assert(r == 1); /* in the empty context, and not before its time */
        r = weft_await(often, WEFT_FOREVER);
        assert(r == -EPIPE && runs == 3);
        r = weft_task_cancel(never);
        assert(r == 0);
        r = weft_await(never, 0); /* nothing is left of it */
        assert(r == -ECANCELED);
        weft_task_unref(once);
        weft_task_unref(often);
        weft_task_unref(never);
        return 0;
}
