/* SPDX-License-Identifier: MIT
 *
 * X1: a task that begins to wait while it is cancelled sees that, or is seen to wait, and is woken.
 *
 *   CASE 1  it begins to wait
 *   CASE 2  it waits by a hand-over already, and becomes a waiter
 *   CASE 3  it begins to wait, and its pool is cancelled
 */
#include "client.h"

/* What has a client of its own comes first. */
#define hand_over hand_over_keeping
#define state_of  state_of_pool
#define wake      wake_worker
#include "pool/idle.c"
#include "pool/lock.c"
#undef wake
#undef state_of
#undef hand_over

#include "orders.h"
#include "pool/park.c"
#include "pool/wait.c"

#define run run_task
#include "pool/task.c"
#undef run

#include "pool/cancel.c"
enum { ORDERS = __COUNTER__, CASES = 3 };
#include "futex.h"
#include "rest.h"

static weft__fiber fiber, callee;
static struct weft__handover handover;

weft_task *weft__task_self(void)
{
        return &task[0];
}

weft__fiber *weft__fiber_self(void)
{
        return &fiber;
}

weft__fiber *weft__fiber_at(char *high)
{
        return (weft__fiber *)high;
}

static void *canceller(void *unused)
{
        struct weft__group *groups = NULL;
        (void)unused;
        if (CASE == 3) {
                atomic_fetch_or_explicit(&pool->modes, WEFT__CANCELLING, memory_order_seq_cst);
                cancel_fiber((char *)&fiber, NULL);
        } else {
                tell_task(&task[0], &groups);
        }
        return NULL;
}

static void *waits(void *unused)
{
        (void)unused;
        self = &pool->worker[0];
        if (CASE == 2)
                attend(self, &callee);
        else
                weft__wait_begin(NULL, false);
        return NULL;
}

int main(void)
{
        make_pool();
        fiber.home = &pool->worker[0];
        fiber.task = &task[0];
        fiber.wait.fiber = &fiber;
        handover.from = &fiber;
        handover.to = &task[1];
        callee.handover = &handover;
        pthread_t cancels = start(canceller, 0), begins = start(waits, 0);
        join(cancels);
        join(begins);
        assert(fiber.wait.state == WEFT__CANCELLED);
        if (CASE == 2)
                assert(pool->worker[0].inbox == &fiber || pool->worker[0].first_ready == &fiber);
        return 0;
}
