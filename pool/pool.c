/* SPDX-License-Identifier: MIT
 *
 * Pools: making them, shutting them down, their figures.
 *
 * A pool's stage only goes forward: OPEN, CLOSED (no submits), DRAINED (no task is left, which by
 * then cannot change), STOPPING (one of those who wait joins the workers), STOPPED.
 *
 * No task is left when as many have ended as were submitted. The ends are read first, the submits
 * afterwards: if the sums are equal, then at the moment between the two nothing was left, since
 * neither sum ever goes down.
 *
 * Pairings
 *  E1  a count (release) -> sum_up (acquire): if the end of a task is seen, so is its submit
 *  R1  a worker has started: running (release, worker.c) -> create (acquire): its on_start
 *  R3  a worker has left its loop, or a thread outside lets go: running (release, worker.c) -> the
 *      others that leave (acquire, worker.c): it asks nobody for work any more
 *  R2  stop (release) -> the loop (acquire, worker.c): all that came before
 *  R4  the default pool is stored (release) -> found (acquire): all of it
 *  S1  shutdown: closed, full fence, the counts <-> submit: count (seq_cst), then closed (seq_cst,
 *      submit.c)
 *  S2  end: count, full fence, closed <-> shutdown: closed, full fence, the counts: the later of
 *      the two sees that no task is left
 *  E2  leave (release) -> free (acquire): all use by visitors
 */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/suspend.h>

#include "cpu.h"
#include "futex.h"
#include "overflow.h"
#include "pools.h"
#include "record.h"
#include "worker.h"

enum {
        MAX_WORKERS = 1024,
        MIN_STACK = 64 * 1024,
        MAX_STACK = 8 * 1024 * 1024,
        DEFAULT_STACK = 256 * 1024,
};

/* ---- options ---- */

/* Copy what the caller gave, whichever version it was compiled against, over zeroes. */
static int read_options(weft_pool_options *o, const weft_pool_options *given)
{
        if (!given)
                return 0;
        size_t size = given->size ? given->size : sizeof(*o);
        if (size < offsetof(weft_pool_options, workers) + sizeof(given->workers))
                return -EINVAL;
        const char *bytes = (const char *)given;
        for (size_t i = sizeof(*o); i < size; i++)
                if (bytes[i])
                        return -E2BIG;
        memcpy(o, given, size < sizeof(*o) ? size : sizeof(*o));
        if (o->workers > MAX_WORKERS || o->when_full > WEFT_CALLER ||
            o->flags & ~(unsigned)WEFT_MIGRATE ||
            (o->stack_size && (o->stack_size < MIN_STACK || o->stack_size > MAX_STACK)))
                return -EINVAL;
        return 0;
}

/* ---- starting and stopping workers ---- */

static int start_workers(weft_pool *pool, const weft_pool_options *o, unsigned *ret_started)
{
        pthread_attr_t attr;
        *ret_started = 0;
        int r = pthread_attr_init(&attr);
        if (r != 0)
                return -r;
        if (o->affinity)
                r = pthread_attr_setaffinity_np(
                    &attr, o->affinity_size ? o->affinity_size : sizeof(cpu_set_t), o->affinity);
        unsigned n = 0;
        while (r == 0 && n < pool->workers) {
                r = pthread_create(&pool->worker[n].thread, &attr, weft__worker_main,
                                   &pool->worker[n]);
                if (r == 0)
                        n++;
        }
        pthread_attr_destroy(&attr);
        *ret_started = n;
        for (unsigned seen; (seen = atomic_load_explicit(&pool->running, /* -> R1 */
                                                         memory_order_acquire)) %
                                WEFT__HOLD <
                            n;)
                weft__futex_wait(&pool->running, seen, WEFT_FOREVER);
        return -r;
}

static void tell_to_stop(weft_pool *pool)
{
        WEFT__UNTOLD(pool);
        /* R2 ->. No model misses it, since the fence of check_drained() comes before it; it is kept
         * so that R2 does not hang on that. */
        atomic_store_explicit(&pool->stop, true, memory_order_release);
        weft__idle_wake_all(pool);
}

static void stop_workers(weft_pool *pool, unsigned started)
{
        tell_to_stop(pool);
        /* A thread that is cancelled in the join would leave others waiting for it. */
        struct weft__kept kept = weft__keep();
        for (unsigned i = 0; i < started; i++)
                pthread_join(pool->worker[i].thread, NULL);
        weft__give_back(kept);
}

/* ---- memory ---- */

static size_t pool_size(unsigned workers)
{
        return sizeof(weft_pool) + workers * sizeof(weft__worker);
}

/* What is left in a queue was cancelled there, and only the queue's reference is left of it. Not so
 * in the child of a fork: there it may also be a task that was parked (WEFT_MIGRATE), whose
 * reference is the run's, and which may lie on its fiber's stack. */
static void drop_queued(weft_task *task)
{
        if (!weft__task_is(task, WEFT__READY))
                weft_task_unref(task);
}

/* By value there are some only in the child of a fork, where nobody drops their context either. */
static void drop_item(const weft__item *item)
{
        if (!item->fn)
                drop_queued(item->arg);
}

/* All threads are gone, or in the child of a fork never were. */
static weft_pool *pool_free(weft_pool *pool)
{
        weft_task *task;
        weft__item item;
        unsigned lane = 0;
        weft__pools_remove(pool);
        while (weft__injector_take(&pool->injector, &lane, &item, 1))
                drop_item(&item);
        weft__injector_fini(&pool->injector);
        for (unsigned i = 0; i < pool->workers; i++) {
                weft__worker *w = &pool->worker[i];
                if (!w->pool)
                        break; /* the pool was not completed */
                while ((task = weft__deque_pop(&w->deque)))
                        drop_queued(task);
                while (weft__tray_take(&w->tray, &item))
                        drop_item(&item);
                weft__deque_fini(&w->deque);
        }
        if (pool->generation == weft__fork_generation())
                weft__fibers_forget(&pool->stacks);
        weft__stacks_fini(&pool->stacks);
        weft__free(pool, pool_size(pool->workers));
        return NULL;
}

static int init_worker(weft_pool *pool, unsigned index)
{
        weft__worker *w = &pool->worker[index];
        int r = weft__deque_init(&w->deque);
        if (r < 0)
                return r;
        w->pool = pool;
        w->index = index;
        w->random = index * 2654435761u + 1;
        w->lane = index;
        w->tick = w->takes = WEFT__FIRST(UINT_MAX - 100);
        atomic_init(&w->tray.next, WEFT__FIRST(UINT64_MAX - 10));
        atomic_init(&w->tray.end, WEFT__FIRST(UINT64_MAX - 10));
        weft__lock_init(&w->timers.lock, WEFT__RANK_TIMERS);
        weft__lock_init(&w->delays.lock, WEFT__RANK_TIMERS);
        weft__lock_init(&w->record.lock, WEFT__RANK_RECORD);
        atomic_init(&w->timers.due_at, WEFT_FOREVER);
        atomic_init(&w->delays.due_at, WEFT_FOREVER);
        w->spare = weft__park_loop_fiber(w); /* the one it begins on */
        if (!w->spare)
                return -ENOMEM;
        w->spares = 1;
        return 0;
}

static int create(weft_pool **ret, const weft_pool_options *options)
{
        weft_pool_options o = {0};
        int r = ret ? weft__context_usable() : -EINVAL;
        if (r == 0 && !weft__worker_usable())
                r = -ENOMEM;
        if (r == 0)
                r = read_options(&o, options);
        if (r < 0)
                return r;

        unsigned workers = o.workers ? o.workers : weft__cpu_count();
        if (WEFT__KNOB(workers))
                workers = WEFT__KNOB(workers);
        if (workers > MAX_WORKERS)
                workers = MAX_WORKERS;
        weft_pool *pool = weft__alloc_lines(pool_size(workers));
        if (!pool)
                return -ENOMEM;
        memset(pool, 0, pool_size(workers));
        pool->workers = workers;
        pool->generation = weft__fork_generation();
        pool->migrate = o.flags & WEFT_MIGRATE || WEFT__KNOB(migrate);
        atomic_init(&pool->modes, pool->migrate ? WEFT__MIGRATES : 0);
        pool->spins = weft__cpu_spares(workers) && !WEFT__KNOB(no_spin);
        weft__stacks_init(&pool->stacks, o.stack_size ? o.stack_size : DEFAULT_STACK);
        pool->max_queued = o.max_queued;
        pool->when_full = o.when_full;
        pool->on_start = o.on_start;
        pool->on_stop = o.on_stop;
        pool->hook_arg = o.hook_arg;
        snprintf(pool->name, sizeof(pool->name), "%s", o.name ? o.name : "weft");
        weft__injector_init(&pool->injector);
        weft__lock_init(&pool->idle.lock, WEFT__RANK_IDLE);
        weft__lock_init(&pool->room.lock, WEFT__RANK_ROOM);
        atomic_init(&pool->idle.kept_until, WEFT_FOREVER);
        atomic_init(&pool->delayed, WEFT__FIRST(UINT_MAX - 10));
        weft__overflow_watch();

        for (unsigned i = 0; r == 0 && i < workers; i++)
                r = init_worker(pool, i);
        if (r == 0) {
                unsigned started;
                r = start_workers(pool, &o, &started);
                if (r < 0)
                        stop_workers(pool, started);
        }
        if (r < 0) {
                pool_free(pool);
                return r;
        }
        weft__pools_add(pool);
        weft__record_pool_made(pool);
        *ret = pool;
        return 0;
}

int weft_pool_create(weft_pool **ret, const weft_pool_options *options)
{
        struct weft__kept kept = weft__keep(); /* files are read on the way */
        int r = create(ret, options);
        weft__give_back(kept);
        return r;
}

/* ---- which pool ---- */

weft_pool *weft_pool_default(void)
{
        static _Atomic(weft_pool *) the_default;
        weft_pool *pool = atomic_load_explicit(&the_default, memory_order_acquire); /* -> R4 */
        if (pool && pool->generation == weft__fork_generation())
                return pool;
        /* None yet, or that of the process we were forked from. */
        weft_pool *mine;
        if (weft_pool_create(&mine, NULL) < 0)
                return NULL;
        /* R4 ->; -> R4 if another thread was quicker: no model misses that, since to destroy ours
         * has full fences; it is kept so that R4 does not hang on them. */
        if (atomic_compare_exchange_strong_explicit(&the_default, &pool, mine, memory_order_release,
                                                    memory_order_acquire))
                return mine;
        weft_pool_destroy(mine); /* another thread was quicker */
        return pool;
}

weft_pool *weft_pool_current(void)
{
        weft__worker *self = weft__worker_self();
        return self ? self->pool : NULL;
}

weft_pool *weft__pool_or_default(weft_pool *pool)
{
        if (!pool)
                pool = weft_pool_current();
        return pool ? pool : weft_pool_default();
}

unsigned weft_pool_workers(weft_pool *pool)
{
        pool = weft__pool_or_default(pool);
        return pool ? pool->workers : 0;
}

void weft__pool_enter(weft_pool *pool)
{
        /* relaxed: whatever lets the pool end comes after it and is itself synchronised */
        atomic_fetch_add_explicit(&pool->visitors, 1, memory_order_relaxed);
}

void weft__pool_leave(weft_pool *pool)
{
        atomic_fetch_sub_explicit(&pool->visitors, 1, memory_order_release); /* E2 -> */
}

/* ---- shutting down ---- */

struct sums {
        uint64_t submitted, started, run, cancelled, refused;
};

static uint64_t value_of(const atomic_uint_least64_t *count)
{
        /* -> E1; for S1 and S2 after the fence of check_drained() */
        return atomic_load_explicit(count, memory_order_acquire);
}

static const struct weft__counts *counts_of(const weft_pool *pool, unsigned i)
{
        return i < pool->workers ? &pool->worker[i].counts
                                 : &pool->stripe[i - pool->workers].counts;
}

static struct sums sum_up(const weft_pool *pool)
{
        struct sums s = {0};
        unsigned n = pool->workers + WEFT__STRIPES;
        for (unsigned i = 0; i < n; i++) {
                const struct weft__counts *c = counts_of(pool, i);
                s.refused += value_of(&c->refused);
                s.cancelled += value_of(&c->cancelled);
                s.run += value_of(&c->run);
        }
        for (unsigned i = 0; i < n; i++)
                s.started += value_of(&counts_of(pool, i)->started);
        for (unsigned i = 0; i < n; i++)
                s.submitted += value_of(&counts_of(pool, i)->submitted);
        return s;
}

void weft__pool_check_drained(weft_pool *pool)
{
        weft__fence(); /* S2 <-> shutdown, end; S1 <-> submit */
        if (!atomic_load_explicit(&pool->closed,
                                  memory_order_relaxed)) /* relaxed: after the fence */
                return;
        weft__lock_take(&pool->ending.lock);
        struct sums s = sum_up(pool);
        if (pool->ending.stage == WEFT__CLOSED && s.run + s.cancelled + s.refused == s.submitted) {
                pool->ending.stage = WEFT__DRAINED;
                weft__waitlist_wake_all(&pool->ending.waiters);
        }
        weft__lock_give(&pool->ending.lock);
}

static void close_pool(weft_pool *pool, weft_shutdown how)
{
        weft__lock_take(&pool->ending.lock);
        if (pool->ending.stage == WEFT__OPEN)
                pool->ending.stage = WEFT__CLOSED;
        /* relaxed: S1 <-> submit and S2 <-> end by the fence of check_drained() below */
        atomic_store_explicit(&pool->closed, true, memory_order_relaxed);
        if (how == WEFT_CANCEL)
                atomic_fetch_or_explicit(&pool->modes, WEFT__CANCELLING,
                                         memory_order_seq_cst); /* X1 <-> begin to wait */
        weft__lock_give(&pool->ending.lock);

        weft__lock_take(&pool->room.lock);
        weft__waitlist_wake_all(&pool->room.waiters); /* they find the pool closed */
        weft__lock_give(&pool->room.lock);
        weft__delay_expel(pool, how == WEFT_CANCEL);
        if (how == WEFT_CANCEL)
                weft__park_cancel(pool);
        weft__pool_check_drained(pool);
}

/* Wait until no task is left, and see to it that the workers are joined by one of those who wait.
 * */
static int wait_stopped(weft_pool *pool, int64_t deadline, bool shielded)
{
        for (;;) {
                weft__waiter own, *w = weft__wait_begin(&own, shielded);
                weft__lock_take(&pool->ending.lock);
                enum weft__stage stage = pool->ending.stage;
                if (stage == WEFT__DRAINED)
                        pool->ending.stage = WEFT__STOPPING;
                else if (stage < WEFT__STOPPED)
                        weft__waitlist_add(&pool->ending.waiters, w);
                weft__lock_give(&pool->ending.lock);

                if (stage == WEFT__STOPPED)
                        return 0;
                if (stage == WEFT__DRAINED) {
                        stop_workers(pool, pool->workers);
                        weft__lock_take(&pool->ending.lock);
                        pool->ending.stage = WEFT__STOPPED;
                        weft__waitlist_wake_all(&pool->ending.waiters);
                        weft__lock_give(&pool->ending.lock);
                        return 0;
                }
                weft__wait_is_on(w, WEFT__ON_SHUTDOWN, pool);
                int r = weft__wait_error(weft__wait(w, deadline));
                weft__lock_take(&pool->ending.lock);
                weft__waitlist_remove(&pool->ending.waiters, w);
                bool go_on = pool->ending.stage == WEFT__DRAINED ||
                             pool->ending.stage == WEFT__STOPPED || r == 0;
                weft__lock_give(&pool->ending.lock);
                if (!go_on)
                        return r;
        }
}

int weft_pool_shutdown(weft_pool *pool, weft_shutdown how, int64_t deadline)
{
        if (!pool || (how != WEFT_DRAIN && how != WEFT_CANCEL))
                return -EINVAL;
        if (pool->generation != weft__fork_generation())
                return -EOWNERDEAD;
        if (weft_pool_current() == pool)
                return -EDEADLK;
        close_pool(pool, how);
        return wait_stopped(pool, deadline, false);
}

weft_pool *weft_pool_destroy(weft_pool *pool)
{
        if (!pool)
                return NULL;
        if (weft_pool_current() == pool)
                return pool;
        if (pool->generation == weft__fork_generation()) {
                close_pool(pool, WEFT_DRAIN);
                while (wait_stopped(pool, WEFT_FOREVER, true) < 0)
                        sched_yield(); /* a task of another pool for which there is no stack */
                /* -> E2: a visitor's last step may still be under way */
                while (atomic_load_explicit(&pool->visitors, memory_order_acquire))
                        sched_yield();
                weft__record_pool_ends(pool);
        }
        return pool_free(pool);
}

/* ---- figures ---- */

int weft_pool_stats(weft_pool *pool, struct weft_pool_stats *stats)
{
        if (!stats || stats->size < offsetof(struct weft_pool_stats, run))
                return -EINVAL;
        pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        struct sums s = sum_up(pool);
        struct weft_pool_stats out = {
            .size = stats->size,
            .submitted = s.submitted - s.refused,
            .run = s.run,
            .cancelled = s.cancelled,
            .queued = s.submitted - s.refused - s.started,
        };
        for (unsigned i = 0; i < pool->workers; i++) {
                const weft__worker *w = &pool->worker[i];
                out.stolen += value_of(&w->stolen);
                out.injected += value_of(&w->injected);
                out.woken += value_of(&w->woken);
                out.parked += value_of(&w->parked);
                out.missed += value_of(&w->missed);
        }
        size_t size = stats->size;
        memset(stats, 0, size);
        memcpy(stats, &out, size < sizeof(out) ? size : sizeof(out));
        return 0;
}
