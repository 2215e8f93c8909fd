/* SPDX-License-Identifier: MIT
 *
 * The clock, yield and sleep.
 */
#include <weft/suspend.h>

#include <sched.h>
#include <time.h>

#include "deadline.h"
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
        weft__fiber *fiber = weft__fiber_self();
        if (fiber)
                return weft__park_yield(fiber);
        sched_yield();
        return weft_cancelled();
}

int weft_sleep_until(int64_t deadline)
{
        weft__waiter own;
        /* If the context's comes first, it is that one which ends the wait. */
        bool own_time = weft__deadline_for(weft__shielded(), deadline) == deadline;
        weft__waiter *w = weft__wait_is_on(weft__wait_begin(&own, false), WEFT__ON_TIME, NULL);
        enum weft__wake reason = weft__wait(w, deadline);
        return reason == WEFT__TIMEDOUT && own_time ? 0 : weft__wait_error(reason);
}
