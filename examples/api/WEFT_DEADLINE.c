/* SPDX-License-Identifier: MIT
 *
 * The example of WEFT_DEADLINE(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int answer(void *unused) /* says nothing of deadlines */
{
        (void)unused;
        weft_event never;
        weft_event_init(&never);
        return weft_event_wait(&never, WEFT_FOREVER);
}

int main(void)
{
        int64_t end = weft_now() + 5000000; /* in 5 ms */
        assert(weft_deadline() == WEFT_FOREVER);
        WEFT_DEADLINE (end) {
                assert(weft_deadline() == end);
                WEFT_DEADLINE (end + 1)
                        assert(weft_deadline() == end); /* it can only be earlier */

                weft_task *t = NULL;
                int r = weft_spawn(NULL, &t, answer, NULL);
                assert(r == 0);
                r = answer(NULL);
                assert(r == -ETIMEDOUT);
                r = weft_cancelled();
                assert(r == -ETIMEDOUT);
                WEFT_SHIELD {
                        r = weft_await(t, WEFT_FOREVER);
                        assert(r == -ETIMEDOUT); /* the task's own end */
                }
                weft_task_unref(t);
        }
        assert(weft_deadline() == WEFT_FOREVER && weft_cancelled() == 0);
        return 0;
}
