/* SPDX-License-Identifier: MIT
 *
 * Waiters and their lists, and the wait of threads outside pools (see wait.h; fibers park in
 * park.c).
 *
 * Pairings
 *  W1  wake: state (release) -> wait: state (acquire): what the waker did before
 *  W2  park: PARKED (release) -> wake: state (acquire): the fiber's saved registers
 */
#include "wait.h"

#include "futex.h"
#include "worker.h"

#include <weft/suspend.h>

#if defined(WEFT_TEST_HOOKS)
void (*weft__wait_hook)(enum weft__wait_point point, const weft__waiter *w);
#endif

void weft__waitlist_add(weft__waitlist *list, weft__waiter *w)
{
        w->linked = true;
        w->next = NULL;
        w->before = list->last;
        if (list->last)
                list->last->next = w;
        else
                list->first = w;
        list->last = w;
}

void weft__waitlist_remove(weft__waitlist *list, weft__waiter *w)
{
        if (!w->linked)
                return;
        w->linked = false;
        if (w->before)
                w->before->next = w->next;
        else
                list->first = w->next;
        if (w->next)
                w->next->before = w->before;
        else
                list->last = w->before;
}

bool weft__waitlist_wake_one(weft__waitlist *list)
{
        while (list->first) {
                weft__waiter *w = list->first;
                weft__waitlist_remove(list, w);
                if (weft__wake(w, WEFT__DONE))
                        return true; /* else it is about to leave for another reason */
        }
        return false;
}

void weft__waitlist_wake_all(weft__waitlist *list)
{
        while (weft__waitlist_wake_one(list))
                ;
}

bool weft__wake(weft__waiter *w, enum weft__wake reason)
{
        weft__fiber *fiber = w->fiber; /* now: afterwards the waiter may be gone */
        unsigned state = atomic_load_explicit(&w->state, memory_order_seq_cst); /* X1 <-> begin */
        do {
                unsigned phase = state & ~WEFT__SHIELD;
                if ((phase != WEFT__ARMED && phase != WEFT__PARKED) ||
                    (reason == WEFT__CANCELLED && phase != state))
                        return false;
                /* W1 ->, -> W2, also on failure; not seq_cst: X1 is decided by the load. No model
                 * misses one of the two acquires alone: the load and the other acquire too. */
        } while (!atomic_compare_exchange_weak_explicit(
            &w->state, &state, reason, memory_order_acq_rel, memory_order_acquire));
        if ((state & ~WEFT__SHIELD) == WEFT__PARKED)
                weft__unpark(fiber);
        else if (!fiber)
                weft__futex_wake(&w->state, 1);
        return true;
}

enum weft__wake weft__wait_thread(weft__waiter *w, int64_t deadline)
{
        for (;;) {
                unsigned state = atomic_load_explicit(&w->state, memory_order_acquire); /* -> W1 */
                if (weft__wait_over(state))
                        return state;
                if (deadline != WEFT_FOREVER && weft_now() >= deadline &&
                    weft__wake(w, WEFT__TIMEDOUT))
                        return WEFT__TIMEDOUT;
                WEFT__WAIT_AT(WEFT__AT_BLOCK, w);
                weft__futex_wait(&w->state, state, deadline);
        }
}

int weft__wait_error(enum weft__wake reason)
{
        switch (reason) {
        case WEFT__TIMEDOUT:
                return -ETIMEDOUT;
        case WEFT__CANCELLED:
                return -ECANCELED;
        case WEFT__NO_STACK:
                return -ENOMEM;
        default:
                return 0;
        }
}

int weft__wait_in(weft__waitlist *list, weft__lock *lock, weft__waiter *w, int64_t deadline)
{
        weft__waitlist_add(list, w);
        weft__lock_give(lock);
        int r = weft__wait_error(weft__wait(w, deadline));
        weft__lock_take(lock);
        weft__waitlist_remove(list, w);
        return r;
}
