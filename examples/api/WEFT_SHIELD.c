/* SPDX-License-Identifier: MIT
 *
 * The example of WEFT_SHIELD(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int undone;

static int roll_back(void)
{
        int r = weft_sleep_until(weft_now() + 1000000); /* it takes its time */
        undone = r == 0 && weft_cancelled() == 0;
        return r;
}

static int transaction(void *begun)
{
        weft_event_set(begun);
        int r = weft_sleep_until(WEFT_FOREVER);
        if (r < 0) {
                WEFT_SHIELD {
                        roll_back();
                }
        }
        return r;
}

int main(void)
{
        weft_event begun;
        weft_task *t = NULL;
        weft_event_init(&begun);
        int r = weft_spawn(NULL, &t, transaction, &begun);
        assert(r == 0);
        r = weft_event_wait(&begun, WEFT_FOREVER);
        assert(r == 0);
        r = weft_task_cancel(t);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == -ECANCELED && undone);
        weft_task_unref(t);
        return 0;
}
