/* SPDX-License-Identifier: MIT
 *
 * Parking: how a task waits without its worker.
 *
 * The fiber with the task on it is left, and the worker goes on with a fiber that is ready, or one
 * that waits in the loop, or a new one. The step from ARMED to PARKED is made after the switch, on
 * the stack that goes on: until then the one that is left still runs, and must not be resumed. If
 * the step fails the fiber has been woken in the meantime and is lined up at once.
 *
 * A hand-over is a wait that need not be one. A task that awaits the newest of its worker's deque
 * would give way to it at the next turn of the loop; so it is begun in the same step, on another
 * stack, with no link between the two, and when it ends the worker goes back. If it waits itself,
 * or lets others have a turn, whoever waits for it so becomes a waiter first (attend()): until then
 * its worker was taken, and nobody could have resumed it. It is not done with WEFT_MIGRATE, where
 * somebody could. It saved a quarter of the instructions of spawn + await (1,395, then 1,059).
 *
 * What travels with a task: its frame, what it has forked, whether a release function is what
 * waits, errno, the exceptions that C++ is handling, and by the switch itself registers and control
 * words.
 *
 * Pairings
 *  P1  unpark: inbox (release) -> the owner takes the inbox (acquire): the fiber
 *  P2  unpark: inbox, full fence, parker <-> sleep: parker, full fence, inbox (idle.c)
 * W1 and W2 are those of wait.c, X1 that of task.c.
 */
#include <weft/suspend.h>

#include "deadline.h"
#include "fork.h"
#include "probe.h"
#include "record.h"
#include "worker.h"

enum {
        SPARES = 64, /* fibers that a worker keeps in the loop; their stacks stay touched */
        FAIR = 61,   /* of so many waits, one at least goes through the loop */
};

static unsigned state_of(weft__waiter *w)
{
        return atomic_load_explicit(&w->state, memory_order_acquire); /* -> W1 */
}

/* A fiber with a task is ready, and nothing runs on it any more. By a worker of its pool. */
static void make_ready(weft__worker *w, weft__fiber *fiber)
{
        if (w->pool->migrate)
                weft__enqueue_parked(w->pool, fiber->task);
        else
                weft__worker_line_up(w, fiber);
}

/* The same for one that was just left, for a yield above all: all others come first. */
static void line_up_last(weft__worker *w, weft__fiber *fiber)
{
        if (w->pool->migrate)
                weft__enqueue_last(w->pool, fiber->task);
        else
                weft__worker_line_up(w, fiber);
}

/* ---- fibers in the loop ---- */

static void keep_spare(weft__worker *w, weft__fiber *fiber)
{
        fiber->next = w->spare;
        w->spare = fiber;
        w->spares++;
}

static weft__fiber *take_spare(weft__worker *w)
{
        weft__fiber *fiber = w->spare;
        if (fiber) {
                w->spare = fiber->next;
                w->spares--;
        }
        return fiber;
}

/* As many spare ones as there are tasks away may be wanted soon, each for one that parks. */
static void trim_spares(weft__worker *w)
{
        /* relaxed: an estimate */
        unsigned away = atomic_load_explicit(&w->away, memory_order_relaxed);
        for (int i = 0; i < 2 && w->spares > SPARES + away; i++)
                weft__fiber_free(&w->pool->stacks, take_spare(w));
}

weft__fiber *weft__park_loop_fiber(weft__worker *w)
{
        weft__fiber *fiber = take_spare(w);
        if (!fiber)
                fiber = weft__fiber_new(&w->pool->stacks, weft__worker_loop);
        if (fiber)
                fiber->home = w;
        return fiber;
}

/* ---- switching ---- */

void weft__park_commit(weft__worker *w)
{
        weft__fiber *left = w->left;
        w->left = NULL;
        if (!left || left == &w->base)
                return;
        if (!left->task) {
                keep_spare(w, left);
                trim_spares(w);
                return;
        }
        WEFT__WAIT_AT(WEFT__AT_SWITCH, &left->wait);
        unsigned armed = state_of(&left->wait), parked = armed - WEFT__ARMED + WEFT__PARKED;
        /* W2 ->; relaxed if it fails: whoever goes on looks at it again */
        if (weft__wait_over(armed) ||
            !atomic_compare_exchange_strong_explicit(&left->wait.state, &armed, parked,
                                                     memory_order_release, memory_order_relaxed))
                line_up_last(w, left);
        else
                WEFT__WAIT_AT(WEFT__AT_PARKED, &left->wait);
}

/* With left NULL there is nothing to be done for the fiber that is left. */
static inline void switch_to(weft__worker *w, weft__fiber *from, weft__fiber *to, weft__fiber *left)
{
        w->left = left;
        w->fiber = to;
        weft__fiber_switch(from, to, to == &w->base);
        if (from->home->left)
                weft__park_commit(from->home);
}

void weft__park_switch(weft__worker *w, weft__fiber *to)
{
        switch_to(w, w->fiber, to, w->fiber);
}

/* The one that will be resumed after the next: of many that wait little is in the cache. One that
 * is parked in a shallow place has all of what is touched then around its fiber. */
static inline void prefetch(const weft__fiber *fiber)
{
        enum { BELOW = 10 * WEFT__CACHE_LINE };
        for (int at = -BELOW; at < (int)sizeof(*fiber); at += WEFT__CACHE_LINE)
                __builtin_prefetch((const char *)fiber + at);
}

/* A fiber that is ready to be resumed, if it is its turn: tasks that have not begun have theirs,
 * and what only the loop looks at is looked at now and then. */
static weft__fiber *ready_in_turn(weft__worker *w)
{
        weft__fiber *fiber = w->first_ready;
        if (++w->tick % FAIR == 0 || !fiber || weft__deque_has_some(&w->deque))
                return NULL;
        w->first_ready = fiber->next;
        if (fiber->next)
                prefetch(fiber->next);
        return fiber;
}

/* A fiber that looks for work; if there is no memory for one, one that is ready; NULL if there is
 * neither. */
static weft__fiber *loop_or_ready(weft__worker *w)
{
        weft__fiber *fiber = weft__park_loop_fiber(w);
        if (!fiber && (fiber = w->first_ready))
                w->first_ready = fiber->next;
        return fiber;
}

/* ---- waiting ---- */

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
        if (task && !shielded && weft__task_cancelled_here(task))
                weft__wake(w, WEFT__CANCELLED);
        WEFT__WAIT_AT(WEFT__AT_BEGIN, w);
        return w;
}

int weft__wait_ready(void)
{
        weft__worker *w = weft__worker_self();
        weft__fiber *fiber = weft__park_loop_fiber(w);
        if (!fiber)
                return w->first_ready ? 0 : -ENOMEM;
        keep_spare(w, fiber);
        return 0;
}

/* ---- timers: a task that waits has its timer with the worker that it parks on ---- */

/* The heap has changed; under its lock. */
static void note_due(weft__worker *w)
{
        const weft__timer *first = w->timers.heap.root;
        /* relaxed: see weft__park_due_at() */
        atomic_store_explicit(&w->timers.due_at, first ? first->deadline : WEFT_FOREVER,
                              memory_order_relaxed);
}

static void set_timer(weft__worker *w, weft__timer *timer, int64_t deadline)
{
        WEFT__UNTOLD(w->pool);
        timer->deadline = deadline;
        weft__lock_take(&w->timers.lock);
        weft__timers_add(&w->timers.heap, timer);
        note_due(w);
        weft__lock_give(&w->timers.lock);
        if (w->pool->migrate && weft__park_due_at(w) == deadline)
                weft__idle_hurry(w->pool, deadline); /* this worker may be busy then */
}

/* After it nobody fires the timer. */
static void stop_timer(weft__worker *w, weft__timer *timer)
{
        weft__lock_take(&w->timers.lock);
        weft__timers_remove(&w->timers.heap, timer);
        note_due(w);
        weft__lock_give(&w->timers.lock);
}

void weft__park_timers(weft__worker *w)
{
        if (weft__park_due_at(w) == WEFT_FOREVER)
                return;
        int64_t now = weft_now();
        if (weft__park_due_at(w) > now)
                return;
        /* Under the lock: a task that goes on elsewhere must not begin its next wait meanwhile. */
        weft__lock_take(&w->timers.lock);
        for (weft__timer *t; (t = w->timers.heap.root) && t->deadline <= now;) {
                weft__timers_remove(&w->timers.heap, t);
                weft__wake((weft__waiter *)((char *)t - offsetof(weft__waiter, timer)),
                           WEFT__TIMEDOUT);
        }
        note_due(w);
        weft__lock_give(&w->timers.lock);
}

/* relaxed: an estimate, and without WEFT_MIGRATE the owner's own. */
static void count_away(weft__worker *w, unsigned by)
{
        if (w->pool->migrate)
                atomic_fetch_add_explicit(&w->away, by, memory_order_relaxed); /* relaxed: above */
        else
                atomic_store_explicit(&w->away,
                                      atomic_load_explicit(&w->away, memory_order_relaxed) +
                                          by,                /* relaxed: above */
                                      memory_order_relaxed); /* relaxed: above */
}

/* Set aside what the task of the fiber that runs has in its thread. */
static inline void put_aside(weft__worker *w, weft__fiber *from)
{
        from->kept_errno = *w->thread_errno;
        if (w->thread_exceptions) {
                from->exceptions = *w->thread_exceptions;
                *w->thread_exceptions = (struct weft__exceptions){NULL, 0};
        }
}

/* ... and put it into the thread that will go on with it. */
static inline void take_up(weft__worker *w, const weft__fiber *to)
{
        *w->thread_errno = to->kept_errno;
        if (w->thread_exceptions)
                *w->thread_exceptions = to->exceptions;
}

/* Those that wait for the task of this fiber by a hand-over, or for one that waits so itself,
 * become waiters as others are: they are parked already. */
static __attribute__((noinline)) void attend(weft__worker *w, weft__fiber *fiber)
{
        struct weft__handover *h;
        while ((h = fiber->handover)) {
                fiber->handover = NULL;
                fiber = h->from;
                weft__waiter *waiter = &fiber->wait;
                unsigned parked = WEFT__PARKED | (h->shielded ? WEFT__SHIELD : 0);
                h->waits = true;
                weft__wait_is_on(waiter, WEFT__ON_TASK, h->to);
                fiber->since = w->clock;
                count_away(w, 1);
                weft__task_waits_on(fiber->task, fiber);
                waiter->linked = false;
                atomic_store_explicit(&waiter->state, parked, memory_order_seq_cst); /* X1, W2 */
                weft__task_attend(h->to, waiter); /* it has not ended, since it has not returned */
                if (!h->shielded && weft__task_cancelled_here(fiber->task)) /* X1 <-> cancel */
                        weft__wake(waiter, WEFT__CANCELLED);
        }
}

/* The task that runs is about to be left for another fiber. */
static inline void set_aside(weft__worker *w, weft__fiber *from, weft__fiber *to)
{
        if (weft__calls_newest() != WEFT__LINK_BOTTOM)
                weft__fork_publish_all(w);
        weft__count(&w->parked, false);
        put_aside(w, from);
        if (to->task) {
                weft__frame_trade(&from->aside, &to->aside);
                take_up(w, to);
        } else {
                weft__frame_set_aside(&from->aside);
        }
}

/* (This and leave_for() are inlined by force, as they are what each wait spends its time with.) */
static inline __attribute__((always_inline)) void switch_tasks(weft__worker *w, weft__fiber *from,
                                                               weft__fiber *to, weft__fiber *left)
{
        WEFT__PROBE_PARK(from, from->task);
        set_aside(w, from, to);
        switch_to(w, from, to, left);
        WEFT__PROBE_RESUME(from, from->task);
}

static bool records(const weft_pool *pool)
{
        /* relaxed: the tape is looked for under a lock */
        return atomic_load_explicit(&pool->modes, memory_order_relaxed) & WEFT__RECORDING;
}

/* leave_for() where others may go on with the task, or somebody wants to know. */
static __attribute__((noinline)) void leave_noted(weft__worker *w, weft__fiber *from,
                                                  weft__fiber *to, weft__fiber *left)
{
        if (w->pool->migrate)
                from->task->parked = from;
        if (records(w->pool))
                weft__record_ends(false);
        switch_tasks(w, from, to, left);
        if (records(from->home->pool)) /* perhaps of another worker than before */
                weft__record_begins(true);
}

/* Leave the task that runs, on `from`, for another fiber; returns when somebody goes on with it.
 * With left NULL there is nothing to be done for it on the other side. */
static inline __attribute__((always_inline)) void leave_for(weft__worker *w, weft__fiber *from,
                                                            weft__fiber *to, weft__fiber *left)
{
        /* relaxed: MIGRATES does not change */
        unsigned modes = atomic_load_explicit(&w->pool->modes, memory_order_relaxed);
        if (__builtin_expect(modes & (WEFT__MIGRATES | WEFT__RECORDING), 0))
                leave_noted(w, from, to, left);
        else
                switch_tasks(w, from, to, left);
}

/* Others are about to go on: whoever counts on this task's coming back at once does so no more. */
static inline void let_others_go_on(weft__worker *w, weft__fiber *from)
{
        if (__builtin_expect(from->handover != NULL, 0))
                attend(w, from);
}

void weft__park_resume(weft__worker *w, weft__fiber *fiber)
{
        fiber->home = w;
        weft__frame_take_up(&fiber->aside);
        take_up(w, fiber);
        switch_to(w, w->fiber, fiber, w->fiber);
}

enum weft__wake weft__wait(weft__waiter *waiter, int64_t deadline)
{
        weft__lock_none();
        deadline = weft__deadline_for(state_of(waiter) & WEFT__SHIELD, deadline);
        WEFT__WAIT_AT(WEFT__AT_WAIT, waiter);
        if (!waiter->fiber)
                return weft__wait_thread(waiter, deadline);

        weft__worker *w = weft__worker_self();
        bool timed = deadline != WEFT_FOREVER;
        if (timed && deadline <= weft_now())
                weft__wake(waiter, WEFT__TIMEDOUT);
        if (weft__wait_over(state_of(waiter)))
                return state_of(waiter);
        weft__fiber *to = ready_in_turn(w);
        if (!to)
                to = loop_or_ready(w);
        if (!to) {
                weft__wake(waiter, WEFT__NO_STACK);
                return state_of(waiter);
        }
        if (timed)
                set_timer(w, &waiter->timer, deadline);
        w->fiber->since = w->clock;
        count_away(w, 1);
        let_others_go_on(w, waiter->fiber);
        leave_for(w, waiter->fiber, to, waiter->fiber);
        count_away(w, -1u);
        if (timed)
                stop_timer(w, &waiter->timer); /* of the worker that it parked on */
        return state_of(waiter);
}

/* Whether a task may be begun now, before all else that there is to do: what is lined up has its
 * turn first, and the loop looks now and then at what only it looks at. */
static bool has_turn(const weft__worker *w)
{
        return !w->owes && !w->first_ready && (w->tick + 1) % FAIR && (w->takes + 1) % FAIR &&
               /* relaxed: as above */
               !atomic_load_explicit(&w->inbox, memory_order_relaxed);
}

/* Whether one that is awaited may be begun by a hand-over. */
static inline bool may_hand_over(const weft__worker *w, const weft_task *to)
{
        return w->pool == to->pool && !w->pool->migrate && has_turn(w) &&
               !weft__task_is(to, WEFT__DELAYED | WEFT__PERIODIC);
}

/* The newest of the deque is to be begun: false if it is another one, or a thief or a canceller was
 * quicker. */
static inline bool take_newest(weft__worker *w, weft_task *task)
{
        if (!weft__deque_pop_if(&w->deque, task))
                return false;
        if (weft__task_claim(task))
                return true;
        weft_task_unref(task);
        return false;
}

static inline enum weft__wake hand_over(weft__worker *w, weft__fiber *loop, weft_task *to,
                                        bool shielded)
{
        weft__fiber *from = w->fiber;
        struct weft__handover handover = {.from = from, .to = to, .shielded = shielded};
        w->tick++;
        w->takes++;
        /* cppcheck-suppress autoVariables ; it is taken before this is over */
        w->handover = &handover;
        /* relaxed: nobody looks for a waiter in it */
        atomic_store_explicit(&from->wait.state, WEFT__DONE, memory_order_relaxed);
        leave_for(w, from, loop, NULL);
        if (!handover.waits)
                return WEFT__DONE;
        count_away(w, -1u);
        enum weft__wake reason = state_of(&from->wait);
        if (reason != WEFT__DONE)
                weft__task_unattend(to, &from->wait);
        return reason;
}

enum weft__wake weft__park_hand_over(weft_task *to, int64_t deadline, bool shielded)
{
        weft__fiber *from = weft__fiber_self();
        if (!from || !may_hand_over(from->home, to))
                return WEFT__IDLE;
        weft__worker *w = from->home;
        shielded = shielded || from->shielded;
        if (weft__deadline_for(shielded, deadline) != WEFT_FOREVER ||
            (!shielded && weft__task_cancelled_on(w, from->task)))
                return WEFT__IDLE;
        weft__fiber *loop = weft__park_loop_fiber(w);
        if (!loop)
                return WEFT__IDLE;
        if (take_newest(w, to))
                return hand_over(w, loop, to, shielded);
        keep_spare(w, loop);
        return WEFT__IDLE;
}

void weft__park_hand_back(weft__worker *w, weft__fiber *to)
{
        weft__frame_take_up(&to->aside);
        take_up(w, to);
        keep_spare(w, w->fiber); /* nobody takes it before it is left */
        switch_to(w, w->fiber, to, NULL);
}

/* Whether this worker has nothing to do but what runs. A hint: what it does not see is found at the
 * next turn of the loop. */
static bool alone(weft__worker *w)
{
        /* relaxed: as above */
        return w->tick % FAIR && !w->first_ready && !weft__deque_has_some(&w->deque) &&
               !weft__tray_has_some(&w->tray) &&
               !atomic_load_explicit(&w->inbox, memory_order_relaxed) &&
               !weft__injector_has_some(&w->pool->injector);
}

/* Leave the fiber that runs, for one of the loop; it is lined up behind all others. */
static void step_aside(weft__worker *w, weft__fiber *to)
{
        weft__fiber *from = w->fiber;
        /* relaxed: nobody looks for a waiter in it; the commit sees that it is over */
        atomic_store_explicit(&from->wait.state, WEFT__DONE, memory_order_relaxed);
        let_others_go_on(w, from);
        leave_for(w, from, to, from);
}

static int called_off(const weft__fiber *fiber)
{
        return weft__called_off(fiber->home, fiber->task, fiber->shielded);
}

int weft__park_yield(weft__fiber *from)
{
        weft__worker *w = from->home;
        weft__fiber *to = ready_in_turn(w);
        WEFT__WAIT_AT(WEFT__AT_WAIT, &from->wait);
        if (to) {
                /* Lined up before it is left: only this worker takes fibers from its line. */
                let_others_go_on(w, from);
                weft__worker_line_up(w, from);
                leave_for(w, from, to, NULL);
                return called_off(from);
        }
        if (alone(w))
                return called_off(from);
        to = loop_or_ready(w);
        if (!to)
                return -ENOMEM;
        w->fiber_was_last = true; /* so a task that is queued begins before this one goes on */
        step_aside(w, to);
        return called_off(from);
}

void weft__park_aside(weft__worker *w)
{
        weft__fiber *to = weft__park_loop_fiber(w);
        if (!to)
                return;
        w->owes = true;
        w->fiber_was_last = true; /* so a task is next */
        step_aside(w, to);
}

/* Called with all that is parked. */
static void cancel_fiber(char *high, void *unused)
{
        weft__fiber *fiber = weft__fiber_at(high);
        (void)unused;
        /* X1 <-> begin to wait */
        unsigned state = atomic_load_explicit(&fiber->wait.state, memory_order_seq_cst);
        if (state != WEFT__IDLE && !weft__wait_over(state))
                weft__wake(&fiber->wait, WEFT__CANCELLED);
}

void weft__park_cancel(weft_pool *pool)
{
        weft__stacks_visit(&pool->stacks, cancel_fiber, NULL);
}

static void send_home(weft__worker *home, weft__fiber *fiber)
{
        WEFT__UNTOLD(home->pool);
        /* relaxed: only pushed under; the exchange of the owner takes all */
        weft__fiber *first = atomic_load_explicit(&home->inbox, memory_order_relaxed);
        do
                fiber->next = first;
        while (!atomic_compare_exchange_weak_explicit(&home->inbox, &first, fiber,
                                                      memory_order_release,   /* P1 -> take */
                                                      memory_order_relaxed)); /* relaxed: retry */
        weft__fence();                                                        /* P2 <-> sleep */
        weft__idle_wake(home);
}

void weft__unpark(weft__fiber *fiber)
{
        weft__worker *home = fiber->home, *self = weft__worker_self();
        weft_pool *pool = home->pool;
        if (home == self) {
                make_ready(home, fiber);
                return;
        }
        bool visits = !self || self->pool != pool;
        if (visits)
                weft__pool_enter(pool); /* from the push on, the pool may end without us */
        if (pool->migrate)
                weft__enqueue_parked(pool, fiber->task);
        else
                send_home(home, fiber);
        if (visits)
                weft__pool_leave(pool);
}
