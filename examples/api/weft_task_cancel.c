/* SPDX-License-Identifier: MIT
 *
 * The example of weft_task_cancel(3).
 */
#include <assert.h>
#include <stdatomic.h>
#include <weft/weft.h>

static atomic_int begun;

static int compute(void *unused)
{
        (void)unused;
        begun = 1;
        long steps = 0;
        while (weft_cancelled() == 0) /* no wait here would tell */
                steps++;
        return steps >= 0 ? 7 : 0;
}

static int sleep_long(void *unused)
{
        (void)unused;
        return weft_sleep_until(WEFT_FOREVER);
}

int main(void)
{
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, compute, NULL);
        assert(r == 0);
        while (!begun)
                weft_yield();
        r = weft_task_cancel(t);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 7); /* it had begun, so the result is its own */
        r = weft_task_cancel(t);
        assert(r == -EALREADY);
        weft_task_unref(t);

        r = weft_spawn(NULL, &t, sleep_long, NULL);
        assert(r == 0);
        r = weft_task_cancel(t); /* before it began, or in its wait */
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == -ECANCELED);
        weft_task_unref(t);
        assert(weft_cancelled() == 0); /* all that is nothing to this thread */
        return 0;
}
