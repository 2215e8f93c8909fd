/* SPDX-License-Identifier: MIT
 *
 * The end of pools: a submit gets in, and its task is waited for, or is refused; whoever waits for
 * the end is told of it; nothing is used after the pool is gone.
 */
#include "pool_help.h"

#include "pool/futex.h"

static weft_pool *pool;
static int runs, ended; /* by the one worker */
static int accepted;
static weft_event event, told_of;

static int task(void *unused)
{
        (void)unused;
        runs++;
        return 0;
}

static void submits(void *unused)
{
        (void)unused;
        int r = weft_submit(pool, task, NULL);
        model_check(r == 0 || r == -ESHUTDOWN);
        accepted = r == 0;
}

MODEL(shutdown_against_submit, .stale = 1, .sees = 3)
{
        pool = pool_of(1, 0);
        model_start("submits", submits, NULL);
        model_check(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == 0);
        int run_by_now = runs;
        model_join_all_but_workers();
        model_check(run_by_now == accepted);
        model_seen((unsigned)accepted);
        weft_pool_destroy(pool);
}

static void shuts_down(void *how)
{
        model_check(weft_pool_shutdown(pool, (weft_shutdown)(intptr_t)how, WEFT_FOREVER) == 0);
}

MODEL(shutdown_twice, .preemptions = 1, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, task, NULL) == 0);
        model_start("shuts down", shuts_down, (void *)WEFT_DRAIN);
        shuts_down((void *)WEFT_DRAIN);
        model_check(runs == 1);
        model_join_all_but_workers();
        weft_pool_destroy(pool);
}

static int waits(void *unused)
{
        (void)unused;
        runs++;
        int r = weft_event_wait(&event, WEFT_FOREVER);
        ended++;
        return r;
}

/* A task that waits for ever is woken by a shutdown that cancels. */
MODEL(shutdown_cancels_one_that_waits, .stale = 1, .sees = 3)
{
        weft_event_init(&event);
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, waits, NULL) == 0);
        model_check(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER) == 0);
        model_check(ended == runs);
        model_seen((unsigned)runs);
        weft_pool_destroy(pool);
}

/* One that is about to: it has looked already whether the pool is cancelled, before it was. */
static int tells_and_waits(void *unused)
{
        weft_event_set(&told_of);
        return waits(unused);
}

MODEL(shutdown_cancels_one_that_begins_to_wait, .stale = 1)
{
        weft_event_init(&event);
        weft_event_init(&told_of);
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, tells_and_waits, NULL) == 0);
        model_check(weft_event_wait(&told_of, WEFT_FOREVER) == 0);
        model_check(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER) == 0);
        model_check(ended == 1);
        weft_pool_destroy(pool);
}

/* A pool that is full with one task, and has the submitter run the next. */
static weft_pool *full_at_one(void)
{
        weft_pool *made;
        const weft_pool_options options = {
            .size = sizeof(options), .workers = 1, .max_queued = 1, .when_full = WEFT_CALLER};
        model_check(weft_pool_create(&made, &options) == 0);
        return made;
}

static int nothing(void *unused)
{
        (void)unused;
        return 0;
}

/* One of another pool, which is full and has its submitter run it: here a task of this pool. */
static weft_pool *full;

static int runs_another_itself(void *unused)
{
        (void)unused;
        model_check(weft_submit(full, nothing, NULL) == 0);
        return weft_submit(full, tells_and_waits, NULL);
}

MODEL(shutdown_cancels_one_of_another_pool, .preemptions = 1, .stale = 1, .sees = 3)
{
        weft_event_init(&event);
        weft_event_init(&told_of);
        full = full_at_one();
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, runs_another_itself, NULL) == 0);
        model_check(weft_event_wait(&told_of, WEFT_FOREVER) == 0);
        model_check(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER) == 0);
        model_seen((unsigned)ended);
        weft_event_set(&event);
        weft_pool_destroy(full);
        weft_pool_destroy(pool);
}

/* The waker may still be in the pool when the task that it woke ends, and the pool with it. */
static void sets(void *unused)
{
        (void)unused;
        weft_event_set(&event);
}

MODEL(shutdown_while_a_task_is_woken, .stale = 1)
{
        weft_event_init(&event);
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, waits, NULL) == 0);
        model_start("sets", sets, NULL);
        weft_pool_destroy(pool);
        model_check(ended == 1);
        model_join_all_but_workers();
}

/* The same with a waker that holds nothing which the task needs to end. */
static weft_task *elsewhere;

static int awaits_elsewhere(void *unused)
{
        (void)unused;
        return weft_await(elsewhere, WEFT_FOREVER);
}

MODEL(shutdown_while_another_pool_wakes, .preemptions = 1, .stale = 1)
{
        weft_pool *other = pool_of(1, 0);
        pool = pool_of(1, 0);
        model_check(weft_spawn(other, &elsewhere, task, NULL) == 0);
        model_check(weft_submit(pool, awaits_elsewhere, NULL) == 0);
        weft_pool_destroy(pool);
        weft_task_unref(elsewhere);
        weft_pool_destroy(other);
}

/* A task submits another while its pool drains: that one is waited for. */
static int submits_task(void *unused)
{
        (void)unused;
        int r = weft_submit(NULL, task, NULL);
        accepted = r == 0;
        return r;
}

MODEL(shutdown_while_a_task_submits, .stale = 1, .sees_some = 2)
{
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, submits_task, NULL) == 0);
        model_check(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == 0);
        model_check(runs == accepted);
        model_seen((unsigned)accepted);
        weft_pool_destroy(pool);
}

/* Whoever adds up the counts while that goes on sees the second task, if it sees that the first has
 * ended. */
static int submits_one_that_waits(void *unused)
{
        (void)unused;
        weft_event_set(&told_of);
        int r = weft_submit(NULL, waits, NULL);
        accepted = r == 0;
        return r;
}

MODEL(shutdown_while_a_task_submits_one_that_waits, .preemptions = 2, .stale = 1, .sees = 3)
{
        weft_event_init(&event);
        weft_event_init(&told_of);
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, submits_one_that_waits, NULL) == 0);
        model_check(weft_event_wait(&told_of, WEFT_FOREVER) == 0);
        int r = weft_pool_shutdown(pool, WEFT_DRAIN, weft_now() + 1000);
        model_check(r == -ETIMEDOUT || (r == 0 && !accepted));
        model_seen((unsigned)(r == 0));
        weft_event_set(&event);
        weft_pool_destroy(pool);
}

/* The same with one that it runs itself, since the pool is full: then the counts of both are the
 * same worker's, with nothing in between that orders them but they themselves. */
static atomic_uint goes_on;

static int runs_one_itself(void *unused)
{
        weft_event_set(&told_of);
        while (!atomic_load_explicit(&goes_on, memory_order_relaxed))
                weft__futex_wait(&goes_on, 0, WEFT_FOREVER);
        int r = weft_submit(NULL, nothing, NULL);
        model_check(r == 0 || r == -ESHUTDOWN);
        return waits(unused);
}

MODEL(shutdown_while_a_task_runs_one_itself, .preemptions = 2, .stale = 1)
{
        weft_task *queued;
        weft_event_init(&event);
        weft_event_init(&told_of);
        pool = full_at_one();
        model_check(weft_submit(pool, runs_one_itself, NULL) == 0);
        model_check(weft_event_wait(&told_of, WEFT_FOREVER) == 0);
        model_check(weft_spawn(pool, &queued, nothing, NULL) == 0);
        atomic_store_explicit(&goes_on, 1, memory_order_relaxed);
        weft__futex_wake(&goes_on, 1);
        weft_task_cancel(queued);
        weft_task_unref(queued);
        int r = weft_pool_shutdown(pool, WEFT_DRAIN, weft_now() + 1000);
        model_check(r == -ETIMEDOUT);
        weft_event_set(&event);
        weft_pool_destroy(pool);
}

MODEL(shutdown_while_a_task_submits_to_two, .preemptions = 1, .stale = 1)
{
        pool = pool_of(2, 0);
        model_check(weft_submit(pool, submits_task, NULL) == 0);
        model_check(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == 0);
        model_check(runs == accepted);
        weft_pool_destroy(pool);
}

/* The callback of a task that ends meanwhile is waited for too. */
static int called;

static int callback(void *unused)
{
        (void)unused;
        called++;
        return 0;
}

static int registers(void *unused)
{
        weft_task *child;
        (void)unused;
        model_check(weft_spawn(NULL, &child, waits, NULL) == 0);
        model_check(weft_task_on_done(child, callback, NULL) == 0);
        weft_task_unref(child);
        return 0;
}

MODEL(shutdown_while_a_callback_is_due, .stale = 1)
{
        weft_task *t;
        weft_event_init(&event);
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &t, registers, NULL) == 0);
        weft_await(t, WEFT_FOREVER);
        weft_task_unref(t);
        weft_event_set(&event);
        model_check(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == 0);
        model_check(called == 1);
        weft_pool_destroy(pool);
}

/* Workers come and go, and ask each other for work meanwhile. */
MODEL(shutdown_of_two_workers, .stale = 1)
{
        pool = pool_of(2, 0);
        weft_pool_destroy(pool);
}

MODEL(shutdown_of_three_workers, .preemptions = NONE, .stale = 1)
{
        pool = pool_of(3, 0);
        weft_pool_destroy(pool);
}

static int began, told; /* before the create was done; before the destroy */

static void begins(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        began = 1;
}

static void looks(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        model_check(told == 1);
}

/* What a worker does first comes before its pool is there; and the last that it does comes after
 * what was done before its pool was destroyed. */
MODEL(shutdown_comes_before_on_stop, .stale = 1)
{
        const weft_pool_options options = {
            .size = sizeof(options), .workers = 1, .on_start = begins, .on_stop = looks};
        model_check(weft_pool_create(&pool, &options) == 0);
        model_check(began == 1);
        told = 1;
        weft_pool_destroy(pool);
}

/* Two threads ask for the default pool first: there is one, and it is there. */
static weft_pool *the_default[2];

static void asks(void *i)
{
        weft_pool *got = weft_pool_default();
        model_check(weft_pool_workers(got) == 1);
        the_default[(intptr_t)i] = got;
}

MODEL(shutdown_of_the_default_pool, .preemptions = 1, .stale = 1)
{
        model_start("asks", asks, (void *)1);
        asks(0);
        model_join_all_but_workers();
        model_check(the_default[0] == the_default[1]);
        weft_pool_destroy(the_default[0]);
}
