/* SPDX-License-Identifier: MIT
 *
 * Pools side by side: which pool a thread belongs to, the default pool, an idle pool's use of the
 * processor, and work that moves between pools.
 */
#include "pool_help.h"

#include <time.h>

static int current_pool(void *arg)
{
        *(weft_pool **)arg = weft_pool_current();
        return 0;
}

static weft_pool *seen_from(weft_pool *pool)
{
        weft_pool *seen = NULL;
        weft_task *t;
        cr_assert_eq(weft_spawn(pool, &t, current_pool, &seen), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        return seen;
}

Test(pool_several, a_worker_belongs_to_its_pool_and_other_threads_to_none, .timeout = 30)
{
        weft_pool *pool[3] = {begin(1), begin(2), begin(1)};

        for (int i = 0; i < 3; i++)
                cr_assert_eq(seen_from(pool[i]), pool[i]);
        cr_assert_null(weft_pool_current());
        for (int i = 0; i < 3; i++)
                finish(pool[i]);
}

/* ---- the default pool ------------------------------------------------------------------------ */

static void *default_pool(void *arg)
{
        pthread_barrier_wait(arg);
        return weft_pool_default();
}

Test(pool_several, default_pool_is_one_for_all_threads, .timeout = 30)
{
        enum { THREADS = 8 };
        pthread_t thread[THREADS];
        pthread_barrier_t barrier;
        void *pool[THREADS];
        int before = threads_before();

        pthread_barrier_init(&barrier, NULL, THREADS);
        for (int i = 0; i < THREADS; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, default_pool, &barrier), 0);
        for (int i = 0; i < THREADS; i++)
                cr_assert_eq(pthread_join(thread[i], &pool[i]), 0);
        for (int i = 0; i < THREADS; i++)
                cr_assert_eq(pool[i], weft_pool_default());
        cr_assert_not_null(weft_pool_default());
        cr_assert_eq(seen_from(NULL), weft_pool_default());
        cr_assert(threads_become(before + (int)weft_pool_workers(NULL)), "it was made once");
}

static int use_default_and_leave(void *arg)
{
        weft_task *t;
        CHILD_CHECK(weft_submit(NULL, nothing, NULL) == 0);
        CHILD_CHECK(weft_spawn(NULL, &t, give, V(42)) == 0);
        CHILD_CHECK(weft_await(t, WEFT_FOREVER) == 42);
        weft_task_unref(t);
        (void)arg;
        return 0;
}

static int leave_while_it_works(void *arg)
{
        static atomic_int count;
        for (int i = 0; i < 10000; i++)
                CHILD_CHECK(weft_submit(NULL, count_up, &count) == 0);
        (void)arg;
        return 0;
}

Test(pool_several, process_exits_cleanly_with_a_default_pool, .timeout = 60)
{
        cr_assert_eq(in_child(use_default_and_leave, NULL), 0);
        for (int i = 0; i < 5; i++)
                cr_assert_eq(in_child(leave_while_it_works, NULL), 0);
}

/* ---- idle ------------------------------------------------------------------------------------ */

static int64_t cpu_time(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int sleep_in_vain(void *arg)
{
        (void)arg;
        CHECK(weft_sleep_until(in_ms(60000)) == -ECANCELED);
        return 0;
}

static int await_in_vain(void *task)
{
        CHECK(weft_await(task, in_ms(60000)) == -ECANCELED);
        return 0;
}

static void idle_for_a_second(void)
{
        usleep(100000); /* let them go to sleep */
        int64_t before = cpu_time();
        usleep(1000000);
        int64_t used = cpu_time() - before;
        cr_assert_lt(used, (SLOW_BUILD ? 100 : 5) * MS, "%lld us of processor time in a second",
                     (long long)used / 1000);
}

Test(pool_several, idle_pools_use_no_processor_time, .timeout = 30)
{
        weft_pool *pool[2] = {begin(2), begin(4)};
        atomic_int count = 0;

        idle_for_a_second();
        for (int i = 0; i < 1000; i++)
                cr_assert_eq(weft_submit(pool[i % 2], count_up, &count), 0);
        cr_assert(reaches(&count, 1000));
        idle_for_a_second();
        finish(pool[0]);
        finish(pool[1]);
}

Test(pool_several, pool_whose_tasks_all_wait_uses_no_processor_time, .timeout = 30)
{
        weft_pool *pool = begin(2);
        weft_task *sleeper[10], *waiter[10];

        for (int i = 0; i < 10; i++) {
                cr_assert_eq(weft_spawn(pool, &sleeper[i], sleep_in_vain, NULL), 0);
                cr_assert_eq(weft_spawn(pool, &waiter[i], await_in_vain, sleeper[i]), 0);
        }
        idle_for_a_second();
        for (int i = 0; i < 10; i++) {
                cr_assert_eq(weft_task_cancel(waiter[i]), 0);
                cr_assert_eq(weft_await(waiter[i], WEFT_FOREVER), 0);
                cr_assert_eq(weft_task_cancel(sleeper[i]), 0);
                cr_assert_eq(weft_await(sleeper[i], WEFT_FOREVER), 0);
                weft_task_unref(waiter[i]);
                weft_task_unref(sleeper[i]);
        }
        finish(pool);
}

/* ---- one behind the other -------------------------------------------------------------------- */

static weft_var hop = WEFT_VAR_INIT("hop");

struct relay {
        weft_pool *pool[3];
        atomic_int finished;
        int hops;
};

static int pass_on(void *arg)
{
        struct relay *r = arg;
        int n = N(weft_get(&hop));
        CHECK(weft_pool_current() == r->pool[n % 3]);
        if (n == r->hops) {
                atomic_fetch_add(&r->finished, 1);
                return 0;
        }
        WEFT_WITH (&hop, V(n + 1)) {
                CHECK(weft_submit(r->pool[(n + 1) % 3], pass_on, r) == 0);
        }
        return 0;
}

Test(pool_several, C1_context_goes_from_pool_to_pool, .timeout = 30)
{
        enum { RELAYS = 20 };
        struct relay r = {.pool = {begin(1), begin(2), begin(1)}, .hops = 300};

        WEFT_WITH (&hop, V(0)) {
                for (int i = 0; i < RELAYS; i++)
                        cr_assert_eq(weft_submit(r.pool[0], pass_on, &r), 0);
        }
        cr_assert(reaches(&r.finished, RELAYS));
        for (int i = 0; i < 3; i++)
                finish(r.pool[i]);
}

static int make_use_and_destroy(void *arg)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {.size = sizeof(o), .workers = 1};
        atomic_int count = 0;
        weft_task *t;

        CHECK(weft_pool_create(&pool, &o) == 0);
        for (int i = 0; i < 20; i++)
                CHECK(weft_submit(pool, count_up, &count) == 0);
        CHECK(weft_spawn(pool, &t, give, V(6)) == 0);
        CHECK(weft_await(t, WEFT_FOREVER) == 6);
        weft_task_unref(t);
        CHECK(weft_pool_destroy(pool) == NULL);
        CHECK(atomic_load(&count) == 20);
        return count_up(arg);
}

Test(pool_several, tasks_may_make_pools_of_their_own, .timeout = 60)
{
        weft_pool *pool = begin(2);
        atomic_int count = 0;

        for (int i = 0; i < 50; i++)
                cr_assert_eq(weft_submit(pool, make_use_and_destroy, &count), 0);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 50);
}
