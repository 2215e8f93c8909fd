/* SPDX-License-Identifier: MIT
 *
 * The clock, yield and sleep.
 */
#include <weft/suspend.h>

#include <sched.h>
#include <time.h>

#include "wait.h"
#include "worker.h"

int64_t weft_now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int weft_yield(void)
{
        weft__waiter own;
        if (!weft__fiber_self()) {
                sched_yield();
                return weft_cancelled();
        }
        /* Woken before it waits, the task is lined up at once. */
        return weft__wait_error(weft__wait_turn(weft__wait_begin(&own, false)));
}

int weft_sleep_until(int64_t deadline)
{
        weft__waiter own;
        enum weft__wake reason = weft__wait(weft__wait_begin(&own, false), deadline);
        return reason == WEFT__TIMEDOUT ? 0 : weft__wait_error(reason);
}
