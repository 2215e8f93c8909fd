/* SPDX-License-Identifier: MIT
 *
 * Tasks that wait for their time (see delay.h).
 *
 * A pool that is shut down: whoever puts a task into a heap looks at `closed` or CANCELLING under
 * the heap's lock, and whoever shuts down sets them and then goes through the heaps, under their
 * locks. So no task is left behind.
 *
 * Pairings
 *  H1  add: due_at, full fence, the keeper's time (hurry, idle.c) <-> sleep: the keeper's time,
 *      full fence, due_at (idle.c): the later of the two sees the other
 */
#include "delay.h"

#include <weft/suspend.h>
#include <weft/timer.h>

#include "probe.h"
#include "submit.h"
#include "worker.h"

enum { BATCH = 32 }; /* tasks that are fired at a time: so many are started before the next */

/* ---- heaps ---- */

static weft_task *task_of(weft__timer *timer)
{
        return (weft_task *)((char *)timer - offsetof(weft_task, delay.timer));
}

static bool is_periodic(const weft_task *task)
{
        return weft__task_is(task, WEFT__PERIODIC);
}

static weft__timers *heap_of(weft__delays *d, const weft_task *task)
{
        return is_periodic(task) ? &d->again : &d->once;
}

/* The first of both heaps, under the lock. */
static weft__timer *first_of(const weft__delays *d)
{
        weft__timer *a = d->once.root, *b = d->again.root;
        return !a || (b && b->deadline < a->deadline) ? b : a;
}

static void note_due(weft__delays *d)
{
        const weft__timer *first = first_of(d);
        /* relaxed: H1's fence is the caller's; it is read again under the lock */
        atomic_store_explicit(&d->due_at, first ? first->deadline : WEFT_FOREVER,
                              memory_order_relaxed);
}

int64_t weft__delay_due_at(const weft__worker *w)
{
        /* relaxed: a hint, or after H1's fence */
        return atomic_load_explicit(&w->delays.due_at, memory_order_relaxed);
}

/* Under the lock of w's heaps. */
static void put(weft__worker *w, weft_task *task, int64_t when)
{
        task->delay.home = w;
        task->delay.timer.deadline = when;
        weft__timers_add(heap_of(&w->delays, task), &task->delay.timer);
        note_due(&w->delays);
}

/* Under the lock. From here on the task is on its way into a queue. */
static weft_task *take(weft_pool *pool, weft__delays *d, weft__timer *timer)
{
        weft_task *task = task_of(timer);
        weft__timers_remove(heap_of(d, task), timer);
        weft__room_exceed(pool);
        return task;
}

bool weft__delay_remove(weft_task *task)
{
        weft__delays *d = &task->delay.home->delays;
        weft__lock_take(&d->lock);
        bool waited = task->delay.timer.set;
        weft__timers_remove(heap_of(d, task), &task->delay.timer);
        note_due(d);
        weft__lock_give(&d->lock);
        return waited;
}

/* ---- firing ---- */

/* A worker's deque gives the newest first. */
static void enqueue_all(weft_pool *pool, weft_task **task, unsigned n)
{
        while (n > 0)
                weft__enqueue(pool, task[--n]);
}

void weft__delay_fire(weft__worker *owner)
{
        weft__delays *d = &owner->delays;
        weft_task *due[BATCH];
        unsigned n = 0;
        if (weft__delay_due_at(owner) == WEFT_FOREVER)
                return;
        int64_t now = weft_now();
        if (weft__delay_due_at(owner) > now)
                return;
        weft__lock_take(&d->lock);
        for (weft__timer *t; n < BATCH && (t = first_of(d)) && t->deadline <= now;)
                due[n++] = take(owner->pool, d, t);
        note_due(d);
        weft__lock_give(&d->lock);
        enqueue_all(owner->pool, due, n);
}

void weft__delay_expel(weft_pool *pool, bool all)
{
        for (unsigned i = 0; i < pool->workers; i++) {
                weft__delays *d = &pool->worker[i].delays;
                weft_task *some[BATCH];
                unsigned n;
                do {
                        weft__timer *t;
                        n = 0;
                        weft__lock_take(&d->lock);
                        while (n < BATCH && ((t = d->again.root) || (all && (t = d->once.root))))
                                some[n++] = take(pool, d, t);
                        note_due(d);
                        weft__lock_give(&d->lock);
                        enqueue_all(pool, some, n);
                } while (n == BATCH);
        }
}

/* ---- spawning ---- */

/* Whether a task must not wait any more: under the lock of the heap that it is for. */
static bool too_late(const weft_pool *pool, const weft_task *task)
{
        /* relaxed: the lock orders it, see above */
        if (is_periodic(task))
                return atomic_load_explicit(&pool->closed, memory_order_relaxed);
        /* relaxed: as above */
        return atomic_load_explicit(&pool->modes, memory_order_relaxed) & WEFT__CANCELLING;
}

/* Whose heap a task goes into that was spawned by this thread. */
static weft__worker *chosen(weft_pool *pool)
{
        weft__worker *self = weft__worker_self();
        if (self && self->pool == pool)
                return self;
        /* relaxed: any number does */
        return &pool->worker[atomic_fetch_add_explicit(&pool->delayed, 1, memory_order_relaxed) %
                             pool->workers];
}

/* The task waits in a heap, or is queued at once; it may be gone afterwards. */
static void begin_to_wait(weft_pool *pool, weft_task *task, int64_t when)
{
        weft__worker *w = chosen(pool);
        WEFT__UNTOLD(pool);
        task->delay.home = w;
        task->delay.timer.set = false;
        weft__lock_take(&w->delays.lock);
        bool late = too_late(pool, task);
        if (!late)
                put(w, task, when);
        bool first = !late && weft__delay_due_at(w) == when;
        weft__lock_give(&w->delays.lock);
        if (late) {
                weft__room_exceed(pool);
                weft__enqueue(pool, task);
        } else if (first) {
                weft__idle_hurry(pool, when);
        }
}

static int spawn(weft_pool *pool, weft_task **ret, int64_t when, int64_t period, unsigned flags,
                 weft_fn *fn, void *arg, const void *site)
{
        const struct weft__closure closure = {
            .fn = fn, .arg = arg, .flags = WEFT__DELAYED | (period ? (unsigned)WEFT__PERIODIC : 0)};
        if (!fn || flags & ~(unsigned)WEFT_INHERIT)
                return -EINVAL;
        pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        weft_task *task = weft__task_new(&closure, ret ? 2 : 1, true);
        if (!task)
                return -ENOMEM;
        task->context = NULL;
        int r = flags & WEFT_INHERIT ? weft__cross(WEFT_BORDER_TIMER, site, &task->context) : 0;
        if (r == 0) {
                r = weft__admit_delayed(pool);
                if (r < 0)
                        weft_context_unref(task->context);
        }
        if (r < 0) {
                weft__task_free(task);
                return r;
        }
        task->pool = pool;
        task->submitter = weft__task_submitter(pool);
        task->period = period;
        if (ret)
                *ret = task;
        WEFT__PROBE_SUBMIT(pool, fn, arg);
        begin_to_wait(pool, task, when);
        return 0;
}

WEFT__TELLS_PLACE int weft_spawn_at(weft_pool *pool, weft_task **ret, int64_t when, unsigned flags,
                                    weft_fn *fn, void *arg)
{
        return spawn(pool, ret, when, 0, flags, fn, arg, WEFT__CALLED_FROM);
}

WEFT__TELLS_PLACE int weft_spawn_every(weft_pool *pool, weft_task **ret, int64_t first,
                                       int64_t period, unsigned flags, weft_fn *fn, void *arg)
{
        return period > 0 ? spawn(pool, ret, first, period, flags, fn, arg, WEFT__CALLED_FROM)
                          : -EINVAL;
}

/* ---- again ---- */

/* The first of the times last + k * period that is yet to come; `last` is past. In unsigned
 * numbers, since it may be as long past as an int64_t can tell. */
static int64_t next_time(int64_t last, int64_t period, int64_t now)
{
        if (period > WEFT_FOREVER - now)
                return WEFT_FOREVER;
        uint64_t passed = ((uint64_t)now - (uint64_t)last) / (uint64_t)period;
        return (int64_t)((uint64_t)last + (passed + 1) * (uint64_t)period);
}

/* Have it wait for its next time, unless it is over. */
static bool wait_again(weft__worker *w, weft_task *task, weft_context *again, int result)
{
        weft_pool *pool = w->pool;
        int64_t next = next_time(task->delay.timer.deadline, task->period, weft_now());
        WEFT__UNTOLD(pool);
        weft__lock_take(&task->lock);
        weft__task_disowns(task);
        weft__lock_take(&w->delays.lock);
        /* relaxed: cancellers have the lock */
        bool asked = atomic_load_explicit(&task->state, memory_order_relaxed) & WEFT__CANCEL;
        bool goes_on = result >= 0 && !asked && !too_late(pool, task);
        if (goes_on) {
                /* Before the end of the run is counted: the pool must not seem drained. */
                weft__count(&w->counts.submitted, false);
                task->context = again;
                /* relaxed: cancellers look under the lock */
                atomic_store_explicit(&task->fiber, NULL, memory_order_relaxed);
                /* relaxed: whoever claims it has it by the heap's lock, or by the task's */
                atomic_fetch_sub_explicit(&task->state, WEFT__RUNNING, memory_order_relaxed);
                put(w, task, next);
        }
        bool first = goes_on && weft__delay_due_at(w) == next;
        weft__lock_give(&w->delays.lock);
        weft__lock_give(&task->lock); /* the task may be gone from here on */
        if (first)
                weft__idle_hurry(pool, next);
        return goes_on;
}

bool weft__delay_again(weft__worker *w, weft_task *task, weft_context *again, int *result)
{
        if (wait_again(w, task, again, *result))
                return true;
        if (*result >= 0)
                *result = -ECANCELED;
        unsigned generation = weft__fork_generation();
        weft_context_unref(again); /* which may run release functions */
        weft__end_if_forked(generation, 0);
        return false;
}
