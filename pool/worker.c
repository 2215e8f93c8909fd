/* SPDX-License-Identifier: MIT
 *
 * A worker: its thread, and the loop that takes tasks and runs them.
 *
 * The loop runs on fibers. One of them runs it at a time; the others hold a parked task or wait in
 * the loop, in weft__park_switch(), to be of use. A task that is resumed brings its own fiber, and
 * when it ends that fiber goes on with the loop. So no task ever runs above another one's stack.
 *
 * Order: fibers that are ready and tasks take turns, so that neither starves the other. Of the
 * tasks the newest of the own deque comes first (its data is in the cache, and a tree of tasks
 * stays small), but every FAIR-th time the oldest of the injector's or the own deque does, so that
 * no task waits for ever.
 */
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <weft/suspend.h>

#include "cpu.h"
#include "deadline.h"
#include "futex.h"
#include "overflow.h"
#include "probe.h"

enum {
        FAIR = 61, /* a prime, so that it falls in with no pattern of the tasks */
        /* How long to search before going to sleep, in ns. Sleeping costs whoever wakes us some
         * microseconds, and us some more. So it is doubled after a sleep that so much more
         * searching would have saved, and halved after a longer one. */
        SPIN_LEAST = 1000,
        SPIN_MOST = 20000,
};

static _Thread_local weft__worker *self;
static bool child_handled; /* by init(): else a child's thread would be taken for a worker */

static _Thread_local weft_task *task_outside;

/* In the child of a fork no thread is a worker, the one of the task that forked no more than any
 * other: its waits block, and must not run what is queued on a stack of its own. What it does is
 * shielded as before. */
static void after_fork(void)
{
        bool shielded = weft__shielded();
        self = NULL;
        task_outside = NULL;
        weft__shield_exchange(shielded);
}

/* For a hook of a var there is no task on this thread: what waits in it blocks. */
static void *hide_task(void)
{
        weft__fiber *fiber = self ? self->fiber : NULL;
        if (self)
                self->fiber = NULL;
        return fiber;
}

static void show_task(void *fiber)
{
        if (self) /* which is not so in a child that was forked meanwhile */
                self->fiber = fiber;
}

__attribute__((constructor(103))) static void init(void)
{
        weft__hook_guard = (struct weft__hook_guard){hide_task, show_task};
        child_handled = pthread_atfork(NULL, NULL, after_fork) == 0;
}

bool weft__worker_usable(void)
{
        return child_handled;
}

__attribute__((noinline)) weft__worker *weft__worker_self(void)
{
        return self;
}

/* Where the task that runs on this thread is kept: in its fiber, or outside pools here, for one
 * that its submitter runs. */
static __attribute__((noinline)) weft_task **task_place(void)
{
        return self && self->fiber ? &self->fiber->task : &task_outside;
}

weft_task *weft__task_self(void)
{
        return *task_place();
}

weft_task *weft__task_exchange(weft_task *task)
{
        weft_task **place = task_place(), *before = *place;
        *place = task;
        return before;
}

weft__fiber *weft__fiber_self(void)
{
        weft__worker *w = weft__worker_self();
        return w && w->fiber && w->fiber->task ? w->fiber : NULL;
}

/* ---- where work comes from ---- */

/* Line up the fibers that other threads have woken, in the order in which they were. */
static void empty_inbox(weft__worker *w)
{
        /* relaxed: looked at again; P2 when it matters */
        if (!atomic_load_explicit(&w->inbox, memory_order_relaxed))
                return;
        weft__fiber *newest =
            atomic_exchange_explicit(&w->inbox, NULL, memory_order_acquire); /* -> P1 */
        weft__fiber *oldest = NULL;
        while (newest) {
                weft__fiber *next = newest->next;
                newest->next = oldest;
                oldest = newest;
                newest = next;
        }
        while (oldest) {
                weft__fiber *next = oldest->next;
                weft__worker_line_up(w, oldest);
                oldest = next;
        }
}

/* With an empty tray: the first of some is to be run now, the others go there. */
static bool from_injector(weft__worker *w, weft__item *ret_item)
{
        weft__item batch[WEFT__BATCH];
        unsigned n = weft__injector_take(&w->pool->injector, &w->lane, batch, WEFT__BATCH);
        if (!n)
                return false;
        /* relaxed: the owner is the only writer */
        uint64_t injected = atomic_load_explicit(&w->injected, memory_order_relaxed);
        atomic_store_explicit(&w->injected, injected + n, memory_order_relaxed); /* relaxed: same */
        /* There may be more, so its task is to look when it joins; relaxed: our own byte, which
         * others only set. */
        __atomic_store_n(weft__calls_asked(), 1, __ATOMIC_RELAXED);
        if (n > 1) {
                WEFT__UNTOLD(w->pool);
                weft__tray_fill(&w->tray, batch + 1, n - 1);
                weft__idle_notify(w->pool);
        }
        *ret_item = batch[0];
        return true;
}

/* The oldest that was handed in from outside. */
static bool next_injected(weft__worker *w, weft__item *ret_item)
{
        return weft__tray_take(&w->tray, ret_item) || from_injector(w, ret_item);
}

static bool steal(weft__worker *victim, weft__item *ret_item)
{
        weft_task *task =
            weft__deque_has_some(&victim->deque) ? weft__deque_steal(&victim->deque) : NULL;
        if (task)
                *ret_item = weft__item_of(task);
        return task ||
               (weft__tray_has_some(&victim->tray) && weft__tray_steal(&victim->tray, ret_item));
}

static bool from_others(weft__worker *w, weft__item *ret_item)
{
        weft_pool *pool = w->pool;
        w->random = w->random * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        unsigned first = (unsigned)((uint64_t)w->random * pool->workers >> 32);
        for (unsigned i = 0; i < pool->workers; i++) {
                weft__worker *victim = &pool->worker[(first + i) % pool->workers];
                if (victim == w)
                        continue;
                if (steal(victim, ret_item)) {
                        weft__count(&w->stolen, false);
                        return true;
                }
                weft__idle_ask(victim);
        }
        return false;
}

static bool next_task(weft__worker *w, weft__item *ret_item)
{
        weft_task *task = NULL;
        w->tick++;
        if (w->owes) {
                w->owes = false;
                if (next_injected(w, ret_item))
                        return true;
        }
        /* A count of its own: of the ticks it may be that only even ones come here. */
        if (++w->takes % FAIR == 0) {
                if (w->takes % 2 && next_injected(w, ret_item))
                        return true;
                task = w->takes % 2 ? NULL : weft__deque_steal(&w->deque);
        }
        if (!task)
                task = weft__deque_pop(&w->deque);
        if (task)
                *ret_item = weft__item_of(task);
        return task || next_injected(w, ret_item);
}

static weft__fiber *next_fiber(weft__worker *w)
{
        weft__fiber *fiber = w->first_ready;
        if (fiber)
                w->first_ready = fiber->next;
        return fiber;
}

/* ---- the loop ---- */

static void resume(weft__worker *w, weft__fiber *fiber)
{
        weft__idle_found(w);
        weft__park_resume(w, fiber);
}

/* Whether a task that was taken from a queue is one that was parked. */
static bool was_parked(weft_task *task)
{
        /* relaxed: the queue published it, and its other flags do not matter */
        if (!(atomic_load_explicit(&task->state, memory_order_relaxed) & WEFT__READY))
                return false;
        atomic_fetch_and_explicit(&task->state, ~(unsigned)WEFT__READY,
                                  memory_order_relaxed); /* relaxed: as above */
        return true;
}

/* In test builds a task that has waited may be one that others are to go on with. */
static bool is_for_others(weft__worker *w, const weft_task *task)
{
        enum { TIMES = 4 };
        if (!WEFT__KNOB(migrate) || task->parked->home != w || w->pool->workers == 1)
                return false;
        w->random = w->random * 1664525u + 1013904223u;
        return (w->random >> 16) % TIMES != 0;
}

/* The same as how_to_run() in a pool that has one of these modes. */
static __attribute__((noinline)) int how_to_run_in(unsigned modes, const weft_task *task)
{
        if (modes & WEFT__CANCELLING && !weft__task_is(task, WEFT__JOB))
                return -ECANCELED;
        if (weft__deadline_missed(task))
                return -ETIMEDOUT;
        return modes & WEFT__RECORDING ? WEFT__RECORDED : 0;
}

/* How a task that is about to start is to be run: weft__task_run(). */
static inline int how_to_run(const weft_pool *pool, const weft_task *task)
{
        /* relaxed: a task that is started just before the cancellation is one that runs */
        unsigned modes = atomic_load_explicit(&pool->modes, memory_order_relaxed);
        if (__builtin_expect(modes & (WEFT__CANCELLING | WEFT__RECORDING), 0))
                return how_to_run_in(modes, task);
        return weft__deadline_missed(task) ? -ETIMEDOUT : 0;
}

/* Run it on the worker's fiber, which may be another worker's afterwards; its result. */
static inline __attribute__((always_inline)) int call(weft__fiber *fiber, weft_task *task, int how)
{
        fiber->task = task;
        fiber->shielded = false;
        fiber->id += WEFT__ID_STEP;
        unsigned generation = weft__fork_generation();
        WEFT__PROBE_START(task->pool, fiber, task->fn, task->arg);
        int result = weft__task_run(task, how);
        weft__end_if_forked(generation, result);
        WEFT__PROBE_END(fiber, result);
        return result;
}

/* The end of a task may cancel others, whose destructors may wait: the fiber has its task so long.
 */
static inline void called(weft__fiber *fiber, int how)
{
        fiber->task = NULL;
        weft__worker *w = fiber->home;
        weft__count(how < 0 ? &w->counts.cancelled : &w->counts.run, false);
}

static __attribute__((noinline)) void run_periodic(weft__fiber *fiber, weft_task *task)
{
        const weft_pool *pool = task->pool;
        /* relaxed: as in how_to_run() */
        bool closed = atomic_load_explicit(&pool->closed, memory_order_relaxed);
        int how = closed ? -ECANCELED : how_to_run(pool, task);
        weft_context *again = weft_context_ref(task->context);
        int result = call(fiber, task, how);
        if (!weft__delay_again(fiber->home, task, again, &result))
                weft__task_end(task, result);
        called(fiber, how);
}

static inline __attribute__((always_inline)) void run_so(weft__fiber *fiber, weft_task *task,
                                                         int how)
{
        int result = call(fiber, task, how);
        weft__task_end(fiber->task, result);
        called(fiber, how);
}

static __attribute__((noinline)) void run_otherwise(weft__fiber *fiber, weft_task *task, int how)
{
        run_so(fiber, task, how);
}

/* Run a task that has been claimed, and counted as started. */
static void run_claimed(weft__fiber *fiber, weft_task *task)
{
        int how = how_to_run(task->pool, task);
        if (__builtin_expect(how != 0, 0))
                run_otherwise(fiber, task, how);
        else
                run_so(fiber, task, 0);
}

/* Run a task that has memory of its own, or go on with it. */
static void run_task(weft__worker *w, weft_task *task)
{
        weft_pool *pool = w->pool;
        weft__fiber *fiber = w->fiber;
        if (pool->migrate && was_parked(task)) {
                if (is_for_others(w, task))
                        weft__enqueue_last(pool, task);
                else
                        resume(w, task->parked);
                return;
        }
        if (!weft__task_claim(task)) {
                weft_task_unref(task); /* it was cancelled while it was queued */
                return;
        }
        weft__idle_found(w);
        weft__count(&w->counts.started, false);
        weft__room_freed(pool);
        weft_task *then = weft__task_then(task);
        if (then)
                weft__enqueue(pool, then);
        if (weft__task_is(task, WEFT__PERIODIC)) {
                run_periodic(fiber, task);
                return;
        }
        weft_task copy;
        run_claimed(fiber, weft__task_unload(task, &copy));
}

/* Run a task that somebody waits for on another stack, and go back to that. */
static void run_handed_over(weft__worker *w)
{
        struct weft__handover *handover = w->handover;
        weft__fiber *fiber = w->fiber;
        w->handover = NULL;
        fiber->handover = handover;
        weft__count(&w->counts.started, false);
        weft__room_freed(w->pool);
        run_claimed(fiber, handover->to);
        if (!fiber->handover)
                return; /* it has let others go on, and its end has woken all that waited */
        fiber->handover = NULL;
        weft__park_hand_back(w, handover->from);
}

/* Afterwards the fiber may be another worker's. (The arguments in `task` are not used: they want no
 * canary.) */
static __attribute__((no_stack_protector)) void run(weft__worker *w, const weft__item *item)
{
        if (!item->fn) {
                run_task(w, item->arg);
                return;
        }
        weft_task task;
        weft__idle_found(w);
        weft__count(&w->counts.started, false);
        weft__task_begin(&task, w->pool, item->fn, item->arg, item->context);
        run_claimed(w->fiber, &task);
}

/* Fire what is due with one worker. Tasks that are parked go on only there, unless they migrate. */
static void fire(const weft__worker *w, weft__worker *owner)
{
        weft__delay_fire(owner);
        if (owner == w || w->pool->migrate)
                weft__park_timers(owner);
}

/* Now and then: also with one of the others, in turn, which may be busy. */
static void look_at_timers(weft__worker *w)
{
        w->clock = weft_now();
        fire(w, w);
        fire(w, &w->pool->worker[w->tick / FAIR % w->pool->workers]);
}

static void look_at_all_timers(weft__worker *w)
{
        for (unsigned i = 0; i < w->pool->workers; i++)
                fire(w, &w->pool->worker[i]);
}

/* Do one thing that is ready: resume a fiber, or run a task; false if there is neither here. */
static bool one_turn(weft__worker *w)
{
        weft__fiber *fiber;
        weft__item item;
        empty_inbox(w);
        if (w->tick % FAIR == 0)
                look_at_timers(w);
        if (!w->fiber_was_last && (fiber = next_fiber(w))) {
                w->fiber_was_last = true;
                resume(w, fiber);
                return true;
        }
        w->fiber_was_last = false;
        if (next_task(w, &item)) {
                run(w, &item);
                return true;
        }
        if ((fiber = next_fiber(w))) {
                resume(w, fiber);
                return true;
        }
        return false;
}

static bool has_ready(weft__worker *w)
{
        look_at_all_timers(w);
        empty_inbox(w);
        return w->first_ready != NULL || weft__deque_has_some(&w->deque);
}

/* Look at the other workers' queues, and if there are processors to spare for a while. */
static bool search(weft__worker *w, weft__item *ret_item)
{
        bool found = false;
        int64_t until = 0;
        if (!weft__idle_search(w))
                return false;
        do {
                found = from_others(w, ret_item) || from_injector(w, ret_item);
                /* relaxed: only why to search no more; the loop looks again */
                if (found || has_ready(w) || !w->pool->spins ||
                    atomic_load_explicit(&w->pool->stop, memory_order_relaxed))
                        break;
                for (int i = 0; i < 16; i++)
                        weft__cpu_pause();
                if (!until)
                        until = weft_now() + w->spin;
        } while (weft_now() < until);
        return found;
}

static void sleep_a_while(weft__worker *w)
{
        int64_t begin = weft_now();
        weft__idle_sleep(w, weft__park_due_at(w));
        w->clock = weft_now();
        int64_t spin = w->clock - begin < SPIN_MOST ? 2 * w->spin : w->spin / 2;
        w->spin = spin < SPIN_LEAST ? SPIN_LEAST : spin > SPIN_MOST ? SPIN_MOST : spin;
}

void weft__worker_loop(weft__fiber *fiber)
{
        weft__fiber_begins(fiber);
        weft__worker *w = fiber->home;
        const weft_pool *pool = w->pool;
        weft__park_commit(w);
        while (!atomic_load_explicit(&pool->stop, memory_order_acquire)) { /* -> R2 */
                w = fiber->home;
                if (w->handover) {
                        run_handed_over(w);
                        continue;
                }
                if (one_turn(w))
                        continue;
                weft__item item;
                if (search(w, &item))
                        run(w, &item);
                else if (!has_ready(w))
                        sleep_a_while(w);
        }
        w = fiber->home;
        weft__park_switch(w, &w->base);
        __builtin_unreachable();
}

/* "name-7", with the name cut so that the whole fits what the kernel takes. */
static void set_name(const weft__worker *w)
{
        char number[12], name[sizeof(w->pool->name) + sizeof(number)];
        int digits = snprintf(number, sizeof(number), "-%u", w->index);
        snprintf(name, sizeof(name), "%.*s%s", 15 - digits, w->pool->name, number);
        pthread_setname_np(pthread_self(), name);
}

/* A hook sees the empty context, and what it binds goes with it. */
static void run_hook(weft__worker *w, void (*hook)(unsigned worker, void *hook_arg))
{
        if (!hook)
                return;
        unsigned generation = weft__fork_generation();
        weft__frame earlier = weft__frame_enter(NULL);
        WEFT__MUST_RETURN(returned);
        hook(w->index, w->pool->hook_arg);
        returned = true;
        weft__frame_leave(earlier);
        weft__end_if_forked(generation, 0);
}

bool weft__worker_threads_hold(weft_pool *pool)
{
        /* relaxed, all: they stay until the hold is let go (R3 ->); what is asked is found by Q2 */
        unsigned n = atomic_load_explicit(&pool->running, memory_order_relaxed);
        while (n && !atomic_compare_exchange_weak_explicit(
                        &pool->running, &n, n + WEFT__HOLD, memory_order_relaxed,
                        memory_order_relaxed)) /* relaxed: as above */
                ;
        return n;
}

/* A worker, or one who holds, asks no more; how many are left. */
static unsigned leave(weft_pool *pool, unsigned one)
{
        /* R3, both sides */
        unsigned left = atomic_fetch_sub_explicit(&pool->running, one, memory_order_acq_rel) - one;
        if (!left)
                weft__futex_wake(&pool->running, INT_MAX);
        return left;
}

void weft__worker_threads_let_go(weft_pool *pool)
{
        leave(pool, WEFT__HOLD);
}

/* Others ask a worker for work in its thread-locals; so they go only when nobody can ask any more.
 * (None stops before all have begun.) */
static void leave_last(weft_pool *pool)
{
        unsigned left = leave(pool, 1);
        while (left) {
                weft__futex_wait(&pool->running, left, WEFT_FOREVER);
                left = atomic_load_explicit(&pool->running, memory_order_acquire); /* -> R3 */
        }
}

struct weft__exceptions *__cxa_get_globals(void) __attribute__((weak));

void *weft__worker_main(void *arg)
{
        weft__worker *w = arg;
        weft_pool *pool = w->pool;
        weft__memory_begin();
        self = w;
        w->thread_errno = &errno;
        w->thread_exceptions = __cxa_get_globals ? __cxa_get_globals() : NULL;
        set_name(w);
        void *handler_stack = weft__overflow_begin();
        weft__fiber_init_thread(&w->base);
        w->base.home = w;
        w->clock = weft_now();
        w->here = weft__block(weft__here_at());
        *weft__calls_asked() = 1; /* those who were idle before could not ask */
        atomic_store_explicit(&w->asked, weft__calls_asked(), memory_order_release); /* Q2 -> ask */
        run_hook(w, pool->on_start);
        /* R1 -> create */
        atomic_fetch_add_explicit(&pool->running, 1, memory_order_release);
        weft__futex_wake(&pool->running, 1);

        w->fiber = &w->base;
        weft__park_switch(w, weft__park_loop_fiber(w));

        w->fiber = NULL;
        leave_last(pool);
        run_hook(w, pool->on_stop);
        weft__overflow_end(handler_stack);
        self = NULL;
        return NULL;
}
