/* SPDX-License-Identifier: MIT
 *
 * The handshake of parking: a task waits, its fiber is left and marked as parked, and others wake
 * it. It goes on once, with what the one who woke it had written, and its worker does not sleep
 * over it. Stacks are not switched: the fiber is a block of memory that its worker writes last
 * before the commit.
 *
 *   CASE 1  one wakes it
 *   CASE 2  two wake it, for different reasons
 */
#include "client.h"

/* What has a client of its own, or is not what this one is about, comes first. */
#define hand_over hand_over_keeping
#define state_of  state_of_pool
#include "pool/idle.c"
#include "pool/lock.c"
#undef state_of
#undef hand_over

#include "orders.h"
#include "pool/park.c"
#include "pool/wait.c"
enum { ORDERS = __COUNTER__, CASES = 2 };
#include "futex.h"
#include "rest.h"

static weft__fiber fiber;
static int message[2], resumed, woken[2];

/* As empty_inbox() in worker.c does, for one fiber. */
static void empty_inbox(weft__worker *w)
{
        if (!atomic_load_explicit(&w->inbox, __ATOMIC_RELAXED))
                return;
        weft__fiber *only = atomic_exchange_explicit(&w->inbox, NULL, __ATOMIC_ACQUIRE);
        assert(only == &fiber && !only->next);
        weft__worker_line_up(w, only);
}

static void *waker(void *i)
{
        intptr_t me = (intptr_t)i;
        message[me] = 1;
        woken[me] = weft__wake(&fiber.wait, me ? WEFT__TIMEDOUT : WEFT__DONE);
        return NULL;
}

static void *worker(void *unused)
{
        weft__worker *w = &pool->worker[0];
        (void)unused;
        self = w;
        fiber.sp = &fiber; /* on the stack that is left */
        w->left = &fiber;
        weft__park_commit(w);
        for (;;) {
                empty_inbox(w);
                if (w->first_ready)
                        break;
                weft__idle_sleep(w, WEFT_FOREVER);
        }
        assert(w->first_ready == &fiber && fiber.sp == &fiber);
        resumed++;
        unsigned reason = state_of(&fiber.wait);
        assert(reason == WEFT__DONE || reason == WEFT__TIMEDOUT);
        assert(message[reason == WEFT__TIMEDOUT] == 1);
        return NULL;
}

int main(void)
{
        make_pool();
        fiber.home = &pool->worker[0];
        fiber.task = &task[0];
        fiber.wait.fiber = &fiber;
        atomic_init(&fiber.wait.state, WEFT__ARMED);
        pthread_t works = start(worker, 0), wakes = start(waker, 0);
        if (CASE == 2)
                waker((void *)1);
        join(works);
        join(wakes);
        assert(resumed == 1 && woken[0] + woken[1] == 1);
        return 0;
}
