/* SPDX-License-Identifier: MIT
 *
 * Submitting: admission (is the pool open, is there room), the capture of the context, the queue.
 *
 * Pairings
 *  S1  submit: count (seq_cst), then look at closed <-> shutdown: closed (seq_cst), then look at
 *      the counts (pool.c): a submit that got in is waited for. A worker's own submits need no such
 *      order: the task that makes them is itself counted and has not ended.
 */
#include "submit.h"

#include "deadline.h"
#include "group.h"
#include "probe.h"
#include "worker.h"

/* ---- counting ---- */

/* A number for each thread, so that different ones use different lines. */
static unsigned thread_number(void)
{
        static atomic_uint threads;
        static _Thread_local unsigned own;
        if (!own) { /* relaxed: any number does, but 0 */
                unsigned before = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
                own = 1 + (WEFT__FIRST(UINT_MAX - 2) + before) % (UINT_MAX / 2 + 1);
        }
        return own;
}

/* The worker of the pool that this thread is, or NULL. Of a submit that is looked up once: it waits
 * only where it is NULL, for room, and that it still is afterwards. */
static weft__worker *inside(const weft_pool *pool)
{
        weft__worker *self = weft__worker_self();
        return self && self->pool == pool ? self : NULL;
}

static struct weft__counts *counts_of(weft_pool *pool, weft__worker *self)
{
        return self ? &self->counts : &pool->stripe[thread_number() % WEFT__STRIPES].counts;
}

struct weft__counts *weft__counts_self(weft_pool *pool, bool *ret_shared)
{
        weft__worker *self = inside(pool);
        *ret_shared = !self;
        return counts_of(pool, self);
}

uint32_t weft__task_submitter(const weft_pool *pool)
{
        return weft__task_number(inside(pool));
}

/* ---- room in a bounded pool ---- */

enum { RUN_HERE = 1 };

/* Every task that is counted as submitted takes room, beyond the bound if need be, and gives it
 * back when it starts, is cancelled or is refused. */
void weft__room_exceed(weft_pool *pool)
{
        if (!pool->max_queued)
                return;
        weft__lock_take(&pool->room.lock);
        pool->room.queued++;
        weft__lock_give(&pool->room.lock);
}

/* One of: 0, there is room and it is taken; RUN_HERE, there is none, and it is taken for a moment
 * beyond the bound; -EAGAIN, there is none; an error of the wait for it. */
static __attribute__((noinline)) int room_take(weft_pool *pool, bool inside)
{
        for (;;) {
                bool blocks = pool->when_full == WEFT_BLOCK && !inside;
                weft__waiter own, *w = blocks ? weft__wait_begin(&own, false) : NULL;
                weft__lock_take(&pool->room.lock);
                bool room = pool->room.queued < pool->max_queued ||
                            (pool->when_full == WEFT_BLOCK && inside);
                bool run_here = !room && pool->when_full == WEFT_CALLER;
                /* relaxed: the shutdown takes the lock after it has closed the pool */
                bool closed = atomic_load_explicit(&pool->closed, memory_order_relaxed);
                int r = 0;
                if (room || run_here)
                        pool->room.queued++;
                else if (blocks && !closed)
                        r = weft__wait_in(&pool->room.waiters, &pool->room.lock,
                                          weft__wait_is_on(w, WEFT__ON_ROOM, pool), WEFT_FOREVER);
                weft__lock_give(&pool->room.lock);
                if (room || run_here)
                        return room ? 0 : RUN_HERE;
                if (closed)
                        return -ESHUTDOWN;
                if (!blocks)
                        return -EAGAIN;
                if (r < 0)
                        return r;
        }
}

void weft__room_freed(weft_pool *pool)
{
        if (!pool->max_queued)
                return;
        weft__lock_take(&pool->room.lock);
        pool->room.queued--;
        weft__waitlist_wake_one(&pool->room.waiters);
        weft__lock_give(&pool->room.lock);
}

/* ---- admission ---- */

/* Take back a task that was counted in. */
static __attribute__((noinline)) void refuse(weft_pool *pool, weft__worker *self, bool room)
{
        weft__count(&counts_of(pool, self)->refused, !self);
        if (room)
                weft__room_freed(pool);
        weft__pool_check_drained(pool);
}

/* Count one task in, which has taken room or not: 0, or -ESHUTDOWN with nothing counted. */
static inline int count_in(weft_pool *pool, weft__worker *self, bool room)
{
        weft__count(&counts_of(pool, self)->submitted, !self);
        if (!atomic_load_explicit(&pool->closed, memory_order_seq_cst)) /* S1 <-> shutdown */
                return 0;
        refuse(pool, self, room);
        return -ESHUTDOWN;
}

/* Admit one task: 0, RUN_HERE, or an error with nothing counted. */
static inline int admit(weft_pool *pool, weft__worker *self)
{
        if (pool->generation != weft__fork_generation())
                return -EOWNERDEAD;
        int r = pool->max_queued ? room_take(pool, self) : 0;
        if (r < 0)
                return r;
        int counted = count_in(pool, self, true);
        return counted < 0 ? counted : r;
}

int weft__admit_delayed(weft_pool *pool)
{
        return pool->generation != weft__fork_generation() ? -EOWNERDEAD
                                                           : count_in(pool, inside(pool), false);
}

static void put(weft_pool *pool, weft__worker *self, weft_task *task)
{
        WEFT__UNTOLD(pool);
        if (self && weft__deque_push(&self->deque, task)) {
                weft__idle_notify(pool);
                return;
        }
        weft__injector_put_task(&pool->injector, thread_number(), task);
        weft__idle_injected(pool);
}

void weft__enqueue(weft_pool *pool, weft_task *task)
{
        put(pool, inside(pool), task);
}

static void mark_ready(weft_task *task)
{
        /* relaxed: the queue publishes it */
        atomic_fetch_or_explicit(&task->state, WEFT__READY, memory_order_relaxed);
}

void weft__enqueue_parked(weft_pool *pool, weft_task *task)
{
        mark_ready(task);
        weft__enqueue(pool, task);
}

void weft__enqueue_last(weft_pool *pool, weft_task *task)
{
        WEFT__UNTOLD(pool);
        mark_ready(task);
        weft__injector_put_task(&pool->injector, thread_number(), task);
        weft__idle_injected(pool);
}

/* The pool is full and its policy is that the submitter does the work. (Not inlined: the copy would
 * be in the frame of every submit.) */
static __attribute__((noinline)) void run_here(weft_pool *pool, weft_task *task)
{
        bool shared;
        struct weft__counts *counts = weft__counts_self(pool, &shared);
        if (weft__task_claim(task)) {
                weft__count(&counts->started, shared);
                weft__room_freed(pool);
                weft_task copy;
                task = weft__task_unload(task, &copy);
                weft_task *caller = weft__task_exchange(task);
                weft__task_lent(caller);
                bool shielded = weft__shield_exchange(false);
                int unrun = weft__deadline_missed(task) ? -ETIMEDOUT : 0;
                unsigned generation = weft__fork_generation();
                void *run = task; /* which may be another one when it ends */
                WEFT__PROBE_START(pool, run, task->fn, task->arg);
                int result = weft__task_run(task, unrun);
                weft__end_if_forked(generation, result);
                WEFT__PROBE_END(run, result);
                weft__shield_exchange(shielded);
                task = weft__task_exchange(caller);
                weft__task_end(task, result);
                counts = weft__counts_self(pool, &shared); /* a task may have migrated meanwhile */
                weft__count(unrun ? &counts->cancelled : &counts->run, shared);
        } else {
                weft_task_unref(task); /* cancelled by its group just now */
        }
        weft__pool_check_drained(pool);
}

/* Hand in by value what a fire-and-forget task is made of, from a thread outside. */
static int submit_item(weft_pool *pool, const struct weft__closure *c)
{
        weft__item item = {c->fn, c->arg, NULL};
        int r = weft__cross(WEFT_BORDER_TASK, c->site, &item.context);
        if (r < 0)
                return r;
        r = admit(pool, NULL);
        if (r < 0) {
                weft_context_unref(item.context);
                return r;
        }
        WEFT__PROBE_SUBMIT(pool, c->fn, c->arg);
        WEFT__UNTOLD(pool);
        if (!weft__injector_put(&pool->injector, thread_number(), &item)) {
                weft_context_unref(item.context);
                refuse(pool, NULL, true);
                return -ENOMEM;
        }
        weft__idle_injected(pool);
        return 0;
}

/* Whether a task from outside may be handed in by value: nobody will know of it, and nobody waits
 * for room. */
static bool is_item(const weft_pool *pool, const struct weft__closure *closure)
{
        return !closure->copies && !closure->flags && !pool->max_queued;
}

/* Give a task its context; if there is none it is freed. */
static inline int cross(const struct weft__closure *closure, weft_task *task)
{
        if (!weft__has_policies() || closure->whole) {
                task->context = weft_context_capture();
                return 0;
        }
        int r = weft__cross_from(WEFT_BORDER_TASK, closure->site, &task->context);
        if (r < 0)
                weft__task_free(task);
        return r;
}

int weft__submit(weft_pool *pool, const struct weft__closure *closure, struct weft__group *group,
                 weft_task **ret)
{
        if (!closure->fn || (closure->size && !closure->args))
                return -EINVAL;
        if (!pool)
                pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        weft__worker *self = inside(pool);
        if (!ret && !group && !self && is_item(pool, closure))
                return submit_item(pool, closure);
        weft_task *task = weft__task_new(closure, ret ? 2 : 1, ret || group);
        if (!task)
                return -ENOMEM;
        int r = cross(closure, task);
        if (r < 0)
                return r;
        r = admit(pool, self);
        if (r < 0) {
                weft_context_unref(task->context);
                weft__task_free(task);
                return r;
        }
        task->pool = pool;
        task->submitter = weft__task_number(self);
        if (group && !weft__group_join(group, task, closure->ret_result)) {
                refuse(pool, self, true);
                weft_context_unref(task->context);
                weft__task_free(task);
                return -ECANCELED;
        }
        if (ret)
                *ret = task;
        WEFT__PROBE_SUBMIT(pool, task->fn, task->arg);
        if (r == RUN_HERE)
                run_here(pool, task);
        else
                put(pool, self, task);
        return 0;
}

/* ---- the public calls ---- */

WEFT__TELLS_PLACE int weft_submit(weft_pool *pool, weft_fn *fn, void *arg)
{
        const struct weft__closure closure = {.fn = fn, .arg = arg, .site = WEFT__CALLED_FROM};
        return weft__submit(pool, &closure, NULL, NULL);
}

WEFT__TELLS_PLACE int weft_submit_copy(weft_pool *pool, weft_fn *fn, const void *args, size_t size)
{
        const struct weft__closure closure =
            weft__closure_of_copy(fn, args, size, NULL, WEFT__CALLED_FROM);
        return weft__submit(pool, &closure, NULL, NULL);
}

WEFT__TELLS_PLACE int weft_submit_closure(weft_pool *pool, weft_fn *fn, const void *args,
                                          size_t size, weft_drop_fn *drop)
{
        const struct weft__closure closure =
            weft__closure_of_copy(fn, args, size, drop, WEFT__CALLED_FROM);
        return weft__submit(pool, &closure, NULL, NULL);
}

WEFT__TELLS_PLACE int weft_spawn(weft_pool *pool, weft_task **ret, weft_fn *fn, void *arg)
{
        const struct weft__closure closure = {.fn = fn, .arg = arg, .site = WEFT__CALLED_FROM};
        return ret ? weft__submit(pool, &closure, NULL, ret) : -EINVAL;
}

WEFT__TELLS_PLACE int weft_spawn_closure(weft_pool *pool, weft_task **ret, weft_fn *fn,
                                         const void *args, size_t size, weft_drop_fn *drop)
{
        const struct weft__closure closure =
            weft__closure_of_copy(fn, args, size, drop, WEFT__CALLED_FROM);
        return ret ? weft__submit(pool, &closure, NULL, ret) : -EINVAL;
}
