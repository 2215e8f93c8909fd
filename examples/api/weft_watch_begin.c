/* SPDX-License-Identifier: MIT
 *
 * The example of weft_watch_begin(3).
 */
#include <assert.h>
#include <stdatomic.h>
#include <weft/weft.h>

static atomic_int seen;

static void report(const char *text, void *unused) /* to the log, say */
{
        (void)unused;
        if (text[0])
                seen = 1;
}

static int hold_worker(void *unused)
{
        (void)unused;
        int64_t end = weft_now() + INT64_C(20000000000);
        while (!seen && weft_now() < end) /* computes, and never waits */
                ;
        return 0;
}

int main(void)
{
        int r = weft_watch_begin(2000000, report, NULL); /* 2 ms */
        assert(r == 0);
        r = weft_watch_begin(2000000, report, NULL);
        assert(r == -EALREADY);

        weft_task *t = NULL;
        r = weft_spawn(NULL, &t, hold_worker, NULL);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 0 && seen);
        weft_task_unref(t);
        r = weft_watch_end();
        assert(r == 0);
        return 0;
}
