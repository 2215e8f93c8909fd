/* SPDX-License-Identifier: MIT
 *
 * Parking: how a task waits without its worker.
 *
 * The fiber with the task on it is left, and the worker goes on with a fiber that is ready, or one
 * that waits in the loop, or a new one. The step from ARMED to PARKED is made after the switch, on
 * the stack that goes on: until then the one that is left still runs, and must not be resumed. If
 * the step fails the fiber has been woken in the meantime and is lined up at once.
 *
 * What travels with a task: its frame, whether a release function is what waits, errno, and by the
 * switch itself registers and control words.
 *
 * Pairings
 *  P1  unpark: inbox (release) -> the owner takes the inbox (acquire): the fiber
 *  P2  unpark: inbox, full fence, parker <-> sleep: parker, full fence, inbox (idle.c)
 * W1 and W2 are those of wait.c, X1 that of task.c.
 */
#include <errno.h>

#include <weft/suspend.h>

#include "fork.h"
#include "worker.h"

enum { SPARES = 64 }; /* fibers that a worker keeps in the loop; their stacks stay touched */

static unsigned state_of(weft__waiter *w)
{
        return atomic_load_explicit(&w->state, memory_order_acquire); /* -> W1 */
}

void weft__park_commit(weft__worker *w)
{
        weft__fiber *left = w->left;
        w->left = NULL;
        if (!left || left == &w->base)
                return;
        if (left->task) {
                unsigned armed = state_of(&left->wait), parked = armed - WEFT__ARMED + WEFT__PARKED;
                /* W2 ->; -> W1 if it fails */
                if (weft__wait_over(armed) || !atomic_compare_exchange_strong_explicit(
                                                  &left->wait.state, &armed, parked,
                                                  memory_order_acq_rel, memory_order_acquire))
                        weft__worker_line_up(w, left);
                return;
        }
        if (w->spares < SPARES) {
                left->next = w->spare;
                w->spare = left;
                w->spares++;
                return;
        }
        if (left->older)
                left->older->newer = left->newer;
        if (left->newer)
                left->newer->older = left->older;
        else
                w->fibers = left->older;
        weft__fiber_free(left);
}

void weft__park_switch(weft__worker *w, weft__fiber *to)
{
        weft__fiber *from = w->fiber;
        w->left = from;
        w->fiber = to;
        weft__fiber_switch(from, to, to == &w->base);
        weft__park_commit(weft__worker_self());
}

weft__fiber *weft__park_loop_fiber(weft__worker *w)
{
        weft__fiber *fiber = w->spare;
        if (fiber) {
                w->spare = fiber->next;
                w->spares--;
                return fiber;
        }
        fiber = weft__fiber_new(w->pool->stack_size, weft__worker_loop);
        if (!fiber)
                return NULL;
        fiber->home = w;
        fiber->older = w->fibers;
        if (w->fibers)
                w->fibers->newer = fiber;
        w->fibers = fiber;
        return fiber;
}

void weft__park_fini(weft__worker *w)
{
        while (w->fibers) {
                weft__fiber *older = w->fibers->older;
                if (!w->fibers->task) /* else, in the child of a fork, we may be on it */
                        weft__fiber_free(w->fibers);
                w->fibers = older;
        }
}

/* The fiber to go on with while the one that runs waits; NULL if there is neither one nor memory.
 * */
static weft__fiber *another(weft__worker *w)
{
        weft__fiber *fiber = weft__park_loop_fiber(w);
        if (!fiber && w->first_ready) {
                fiber = w->first_ready;
                w->first_ready = fiber->next;
        }
        return fiber;
}

weft__waiter *weft__wait_begin(weft__waiter *own, bool shielded)
{
        weft_task *task = weft__task_self();
        weft__fiber *fiber = weft__fiber_self();
        weft__waiter *w = own;
        shielded = shielded || (fiber ? fiber->shielded : weft__shielded());
        if (fiber) {
                w = &fiber->wait;
                weft__task_waits_on(task, fiber);
        } else {
                *own = (weft__waiter){.fiber = NULL};
        }
        w->linked = false;
        unsigned armed = WEFT__ARMED | (shielded ? WEFT__SHIELD : 0);
        atomic_store_explicit(&w->state, armed, memory_order_seq_cst); /* X1 <-> cancel */
        if (task && !shielded && weft__task_cancelled(task))
                weft__wake(w, WEFT__CANCELLED);
        return w;
}

int weft__wait_ready(void)
{
        weft__worker *w = weft__worker_self();
        weft__fiber *fiber = weft__park_loop_fiber(w);
        if (!fiber)
                return w->first_ready ? 0 : -ENOMEM;
        fiber->next = w->spare;
        w->spare = fiber;
        w->spares++;
        return 0;
}

/* Leave the fiber that runs, and come back when it is resumed. */
static void leave_for(weft__worker *w, weft__fiber *to)
{
        int saved_errno = errno;
        weft__fork_publish_all(w);
        weft__frame frame = weft__frame_exchange((weft__frame){NULL, 0});
        bool releases = weft__release_exchange(false);
        weft__count(&w->parked, false);
        weft__park_switch(w, to);
        weft__release_exchange(releases);
        weft__frame_leave(frame); /* the worker's own, between tasks, ends here */
        errno = saved_errno;
}

enum weft__wake weft__wait(weft__waiter *waiter, int64_t deadline)
{
        if (!waiter->fiber)
                return weft__wait_thread(waiter, deadline);

        weft__worker *w = weft__worker_self();
        bool timed = deadline != WEFT_FOREVER;
        if (timed && deadline <= weft_now())
                weft__wake(waiter, WEFT__TIMEDOUT);
        if (weft__wait_over(state_of(waiter)))
                return state_of(waiter);
        weft__fiber *to = another(w);
        if (!to) {
                weft__wake(waiter, WEFT__NO_STACK);
                return state_of(waiter);
        }
        if (timed) {
                waiter->timer.deadline = deadline;
                weft__timers_add(&w->timers, &waiter->timer);
        }
        leave_for(w, to);
        weft__timers_remove(&w->timers, &waiter->timer);
        return state_of(waiter);
}

enum weft__wake weft__wait_turn(weft__waiter *waiter)
{
        weft__worker *w = weft__worker_self();
        if (weft__wait_over(state_of(waiter)))
                return state_of(waiter);
        weft__fiber *to = another(w);
        weft__wake(waiter, to ? WEFT__DONE : WEFT__NO_STACK);
        if (to)
                leave_for(w, to); /* woken already: the commit lines it up */
        return state_of(waiter);
}

void weft__park_timers(weft__worker *w, int64_t now)
{
        for (weft__timer *t; (t = w->timers.root) && t->deadline <= now;) {
                weft__timers_remove(&w->timers, t);
                weft__wake((weft__waiter *)((char *)t - offsetof(weft__waiter, timer)),
                           WEFT__TIMEDOUT);
        }
}

void weft__park_cancel(weft__worker *w)
{
        for (weft__fiber *f = w->fibers; f; f = f->older)
                if (f->task)
                        weft__wake(&f->wait, WEFT__CANCELLED);
}

void weft__unpark(weft__fiber *fiber)
{
        weft__worker *home = fiber->home, *self = weft__worker_self();
        if (home == self) {
                weft__worker_line_up(home, fiber);
                return;
        }
        weft_pool *pool = home->pool;
        bool visits = !self || self->pool != pool;
        if (visits)
                weft__pool_enter(pool); /* from the push on, the pool may end without us */
        /* relaxed: only pushed under; the exchange of the owner takes all */
        weft__fiber *first = atomic_load_explicit(&home->inbox, memory_order_relaxed);
        do
                fiber->next = first;
        while (!atomic_compare_exchange_weak_explicit(&home->inbox, &first, fiber,
                                                      memory_order_release,   /* P1 -> take */
                                                      memory_order_relaxed)); /* relaxed: retry */
        weft__fence();                                                        /* P2 <-> sleep */
        weft__idle_wake(home);
        if (visits)
                weft__pool_leave(pool);
}
