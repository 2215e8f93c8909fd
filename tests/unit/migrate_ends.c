/* SPDX-License-Identifier: MIT
 *
 * Pools with WEFT_MIGRATE: what waits at the end of a task, a release function or a destructor, and
 * then goes on on another worker; and what a forked child finds in the queues.
 */
#include "pool_help.h"

/* ---- a release function that waits ----------------------------------------------------------- */

static struct {
        weft_event go;
        pthread_t before, after;
        sem_t parks, decided, released;
        atomic_int releases;
        bool holds;
} mover;

static void releases_elsewhere(void *value)
{
        if (value == V(1)) {
                mover.before = thread_now();
                sem_post(&mover.parks);
                CHECK(weft_event_wait(&mover.go, WEFT_FOREVER) == 0);
                mover.after = thread_now();
        }
        atomic_fetch_add(&mover.releases, 1);
}

static weft_var first = WEFT_VAR_INIT("first", .release = releases_elsewhere);
static weft_var second = WEFT_VAR_INIT("second", .release = releases_elsewhere);
static weft_var third = WEFT_VAR_INIT("third", .release = releases_elsewhere);
static weft_var plain = WEFT_VAR_INIT("plain");

static int leaves_bound(void *unused)
{
        (void)unused;
        CHECK(weft_set(&first, V(2), NULL) == 0);
        CHECK(weft_set(&second, V(1), NULL) == 0);
        CHECK(weft_set(&third, V(2), NULL) == 0);
        return 0;
}

/* Keeps the worker that it runs on busy until the other task is through. */
static int holds(void *unused)
{
        (void)unused;
        CHECK(weft_set(&plain, V(7), NULL) == 0);
        mover.holds = pthread_equal(thread_now(), mover.before);
        sem_post(&mover.decided);
        if (!mover.holds)
                return 1; /* on the wrong worker: the test tries again */
        CHECK(weft_event_set(&mover.go) == 0);
        plug__wait(&mover.released);
        CHECK(weft_get(&plain) == V(7));
        return 0;
}

Test(migrate_ends, a_release_function_that_goes_on_elsewhere_leaves_others_alone, .timeout = 60)
{
        skip_with_fewer_workers(2);
        weft_pool *pool = migrating_pool(2);
        sem_init(&mover.parks, 0, 0);
        sem_init(&mover.decided, 0, 0);
        sem_init(&mover.released, 0, 0);
        weft_event_init(&mover.go);
        weft_task *task = spawn(pool, leaves_bound, NULL);
        plug__wait(&mover.parks);
        for (int held = 1; held;) {
                weft_task *holder = spawn(pool, holds, NULL);
                plug__wait(&mover.decided);
                if (mover.holds) {
                        cr_assert_eq(weft_await(task, WEFT_FOREVER), 0);
                        cr_assert_eq(atomic_load(&mover.releases), 3);
                        sem_post(&mover.released);
                }
                held = join(holder);
        }
        cr_assert_not(pthread_equal(mover.before, mover.after));
        weft_task_unref(task);
        finish(pool);
}

/* ---- destructors that wait ------------------------------------------------------------------- */

static void drop_slowly(void *args)
{
        (void)args;
        weft_sleep_until(weft_now() + 10000);
        weft_yield();
}

static int cancels_many(void *unused)
{
        enum { TASKS = SLOW_BUILD ? 50 : 500 };
        int args = 0;
        (void)unused;
        for (int i = 0; i < TASKS; i++) {
                weft_task *task;
                CHECK(weft_spawn_closure(NULL, &task, nothing, &args, sizeof(args), drop_slowly) ==
                      0);
                weft_task_cancel(task); /* unless another worker was quicker */
                weft_task_unref(task);
        }
        return 0;
}

/* The figures are each worker's own, and tell a shutdown when to end. */
Test(migrate_ends, all_are_counted_though_their_destructors_go_on_elsewhere, .timeout = 120)
{
        enum { CANCELLERS = 24 };
        weft_pool *pool = migrating_pool(4);
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        weft_task *task[CANCELLERS];
        for (int i = 0; i < CANCELLERS; i++)
                task[i] = spawn(pool, cancels_many, NULL);
        for (int i = 0; i < CANCELLERS; i++)
                cr_assert_eq(join(task[i]), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, in_ms(SLOW_BUILD ? 60000 : 20000)), 0);
        cr_assert_eq(weft_pool_stats(pool, &stats), 0);
        cr_assert_eq(stats.run + stats.cancelled, stats.submitted);
        finish(pool);
}

/* ---- fork ------------------------------------------------------------------------------------ */

enum { WAITERS = 20 };

static struct {
        weft_pool *pool;
        weft_event go;
} forks;

static int waits(void *unused)
{
        (void)unused;
        return weft_event_wait(&forks.go, WEFT_FOREVER);
}

static int destroys(void *unused)
{
        atomic_int count = 0;
        weft_pool *pool;
        (void)unused;
        CHILD_CHECK(weft_pool_destroy(forks.pool) == NULL);
        CHILD_CHECK(weft_pool_create(&pool, NULL) == 0);
        for (int i = 0; i < 10 * WAITERS; i++)
                CHILD_CHECK(weft_submit(pool, count_up, &count) == 0);
        CHILD_CHECK(weft_pool_destroy(pool) == NULL);
        CHILD_CHECK(atomic_load(&count) == 10 * WAITERS);
        return 0;
}

/* What is queued then lies on stacks, which go with the pool. */
Test(migrate_ends, C9_a_child_gives_up_a_pool_in_which_parked_tasks_are_queued, .timeout = 60)
{
        skip_threads_after_fork_in_emulator();
        struct plug plug;
        forks.pool = migrating_pool(1);
        weft_event_init(&forks.go);
        for (int i = 0; i < WAITERS; i++)
                cr_assert_eq(weft_submit(forks.pool, waits, NULL), 0);
        until_parked(forks.pool, WAITERS);
        plug_in(&plug, forks.pool, 1);
        weft_event_set(&forks.go);
        cr_assert_eq(in_child(destroys, NULL), 0);
        plug_out(&plug);
        finish(forks.pool);
}
