/* SPDX-License-Identifier: MIT
 *
 * Groups: waiting for all tasks, deadlines, spawning from within, nesting, use in a task on a pool
 * of one worker, and reuse. How errors and cancellation end a group is in group_cancel.c.
 */
#include "pool_help.h"

/* ---- waiting --------------------------------------------------------------------------------- */

Test(group, wait_of_an_empty_group_returns_at_once, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_wait(&g, 0), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        weft_group_fini(&g);
        finish(pool);
}

Test(group, wait_returns_when_all_tasks_have_ended, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 4; workers++) {
                weft_pool *pool = begin(workers);
                weft_group g;
                atomic_int count = 0;

                cr_assert_eq(weft_group_init(&g, pool), 0);
                for (int i = 0; i < 1000; i++)
                        cr_assert_eq(weft_group_spawn(&g, count_up, &count), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&count), 1000);
                weft_group_fini(&g);
                finish(pool);
        }
}

Test(group, hundred_thousand_tasks, .timeout = 60)
{
        enum { COUNT = SLOW_BUILD ? 5000 : 100000 };
        weft_pool *pool = begin(2);
        weft_group g;
        atomic_int count = 0;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < COUNT; i++)
                cr_assert_eq(weft_group_spawn(&g, count_up, &count), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        cr_assert_eq(atomic_load(&count), COUNT);
        weft_group_fini(&g);
        finish(pool);
}

Test(group, may_be_used_again_and_again, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 300 : 3000 };
        weft_pool *pool = begin(2);
        weft_group g;
        atomic_int count = 0;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int round = 1; round <= ROUNDS; round++) {
                for (int i = 0; i < 3; i++)
                        cr_assert_eq(weft_group_spawn(&g, count_up, &count), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&count), round * 3);
        }
        weft_group_fini(&g);
        finish(pool);
}

/* The storage is the caller's again at once: what the workers still touch would be found here. */
Test(group, storage_may_go_as_soon_as_fini_returns, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 500 : 5000 };
        weft_pool *pool = begin(2);
        atomic_int count = 0;

        for (int round = 0; round < ROUNDS; round++) {
                weft_group *g = malloc(sizeof(*g));
                cr_assert_eq(weft_group_init(g, pool), 0);
                for (int i = 0; i < 1 + round % 3; i++)
                        cr_assert_eq(weft_group_spawn(g, count_up, &count), 0);
                if (round % 2)
                        cr_assert_eq(weft_group_wait(g, WEFT_FOREVER), 0);
                weft_group_fini(g);
                memset(g, 0xa5, sizeof(*g));
                free(g);
        }
        finish(pool);
}

Test(group, deadline_passes_and_the_tasks_go_on, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_group g;
        atomic_int count = 0;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, count_up, &count), 0);
        cr_assert_eq(weft_group_wait(&g, 0), -ETIMEDOUT);
        int64_t deadline = in_ms(20);
        cr_assert_eq(weft_group_wait(&g, deadline), -ETIMEDOUT);
        cr_assert_geq(weft_now(), deadline);
        cr_assert_eq(weft_group_spawn(&g, count_up, &count), 0, "it stays as it is");
        plug_out(&plug);
        cr_assert_eq(weft_group_wait(&g, in_ms(20000)), 0);
        cr_assert_eq(atomic_load(&count), 2);
        weft_group_fini(&g);
        finish(pool);
}

static int sleep_then_count(void *arg)
{
        CHECK(weft_sleep_until(in_ms(30)) == 0);
        return count_up(arg);
}

Test(group, fini_waits_for_what_is_left, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;
        atomic_int count = 0;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_group_spawn(&g, sleep_then_count, &count), 0);
        weft_group_fini(&g);
        cr_assert_eq(atomic_load(&count), 10);
        weft_group_fini(NULL);
        finish(pool);
}

static void *wait_on_thread(void *g)
{
        return V(weft_group_wait(g, WEFT_FOREVER));
}

Test(group, many_threads_may_wait, .timeout = 30)
{
        weft_pool *pool = begin(2);
        pthread_t thread[8];
        weft_group g;
        atomic_int count = 0;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < 4; i++)
                cr_assert_eq(weft_group_spawn(&g, sleep_then_count, &count), 0);
        for (int i = 0; i < 8; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, wait_on_thread, &g), 0);
        for (int i = 0; i < 8; i++) {
                void *result = V(1);
                cr_assert_eq(pthread_join(thread[i], &result), 0);
                cr_assert_eq(N(result), 0);
        }
        cr_assert_eq(atomic_load(&count), 4);
        weft_group_fini(&g);
        finish(pool);
}

Test(group, arguments_are_checked, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;

        cr_assert_eq(weft_group_init(NULL, pool), -EINVAL);
        cr_assert_eq(weft_group_spawn(NULL, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_group_spawn_closure(NULL, nothing, NULL, 0, NULL), -EINVAL);
        cr_assert_eq(weft_group_wait(NULL, 0), -EINVAL);
        cr_assert_eq(weft_group_cancel(NULL), -EINVAL);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_group_spawn_closure(&g, NULL, "", 1, NULL), -EINVAL);
        cr_assert_eq(weft_group_spawn_closure(&g, nothing, NULL, 1, NULL), -EINVAL);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        weft_group_fini(&g);
        finish(pool);
}

static int current_pool(void *arg)
{
        *(weft_pool **)arg = weft_pool_current();
        return 0;
}

Test(group, no_pool_means_the_default_pool, .timeout = 30)
{
        weft_pool *seen = NULL;
        weft_group g;

        cr_assert_eq(weft_group_init(&g, NULL), 0);
        cr_assert_eq(weft_group_spawn(&g, current_pool, &seen), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        weft_group_fini(&g);
        cr_assert_eq(seen, weft_pool_default());
}

/* ---- in tasks -------------------------------------------------------------------------------- */

static int fan_out(void *arg)
{
        int depth = N(arg);
        weft_group g;

        if (depth == 0)
                return 0;
        CHECK(weft_group_init(&g, NULL) == 0);
        for (int i = 0; i < 3; i++)
                CHECK(weft_group_spawn(&g, fan_out, V(depth - 1)) == 0);
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0);
        weft_group_fini(&g);
        return 0;
}

Test(group, groups_within_groups_on_one_worker_and_more, .timeout = 60)
{
        enum { DEPTH = SLOW_BUILD ? 5 : 7 };
        for (unsigned workers = 1; workers <= 3; workers++) {
                weft_pool *pool = begin(workers);
                weft_group g;

                cr_assert_eq(weft_group_init(&g, pool), 0);
                cr_assert_eq(weft_group_spawn(&g, fan_out, V(DEPTH)), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
                weft_group_fini(&g);
                finish(pool);
        }
}

struct growing {
        weft_group group;
        atomic_int count;
};

struct growth {
        struct growing *growing;
        int depth;
};

static int grow(void *arg)
{
        struct growth b = *(struct growth *)arg;
        atomic_fetch_add(&b.growing->count, 1);
        if (b.depth == 0)
                return 0;
        b.depth--;
        for (int i = 0; i < 2; i++)
                CHECK(weft_group_spawn_closure(&b.growing->group, grow, &b, sizeof(b), NULL) == 0);
        return 0;
}

Test(group, own_tasks_may_spawn_into_it, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 3; workers++) {
                weft_pool *pool = begin(workers);
                struct growing growing = {.count = 0};
                struct growth root = {&growing, 11};

                cr_assert_eq(weft_group_init(&growing.group, pool), 0);
                cr_assert_eq(
                    weft_group_spawn_closure(&growing.group, grow, &root, sizeof(root), NULL), 0);
                cr_assert_eq(weft_group_wait(&growing.group, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&growing.count), (1 << 12) - 1);
                weft_group_fini(&growing.group);
                finish(pool);
        }
}

static int wait_for_own_group(void *g)
{
        CHECK(weft_group_wait(g, WEFT_FOREVER) == -EDEADLK);
        CHECK(weft_group_wait(g, 0) == -EDEADLK);
        return 0;
}

Test(group, own_task_must_not_wait_for_it, .timeout = 30)
{
        weft_pool *pool = begin(2);
        weft_group g;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, wait_for_own_group, &g), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        weft_group_fini(&g);
        finish(pool);
}

static int finish_group_in_task(void *arg)
{
        atomic_int *count = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        for (int i = 0; i < 5; i++)
                CHECK(weft_group_spawn(&g, sleep_then_count, count) == 0);
        weft_group_fini(&g); /* parks: one worker runs its tasks */
        CHECK(atomic_load(count) == 5);
        return 0;
}

Test(group, fini_in_a_task_of_one_worker, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, finish_group_in_task, &count), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(pool);
}

static int wait_for_group(void *g)
{
        return weft_group_wait(g, WEFT_FOREVER);
}

Test(group, tasks_of_another_pool_may_wait_for_it, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        weft_task *waiter[10];
        weft_group g;
        atomic_int count = 0;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < 5; i++)
                cr_assert_eq(weft_group_spawn(&g, sleep_then_count, &count), 0);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_spawn(other, &waiter[i], wait_for_group, &g), 0);
        for (int i = 0; i < 10; i++) {
                cr_assert_eq(weft_await(waiter[i], WEFT_FOREVER), 0);
                weft_task_unref(waiter[i]);
        }
        cr_assert_eq(atomic_load(&count), 5);
        weft_group_fini(&g);
        finish(other);
        finish(pool);
}

struct feeder {
        weft_group *group;
        atomic_int *count;
        int tasks;
};

static void *feed(void *arg)
{
        struct feeder *f = arg;
        for (int i = 0; i < f->tasks; i++)
                CHECK(weft_group_spawn(f->group, count_up, f->count) == 0);
        return NULL;
}

Test(group, many_threads_may_spawn_into_it, .timeout = 60)
{
        enum { FEEDERS = 4, EACH = SLOW_BUILD ? 500 : 5000 };
        weft_pool *pool = begin(2);
        pthread_t thread[FEEDERS];
        weft_group g;
        atomic_int count = 0;
        struct feeder f = {&g, &count, EACH};

        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < FEEDERS; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, feed, &f), 0);
        for (int i = 0; i < FEEDERS; i++)
                cr_assert_eq(pthread_join(thread[i], NULL), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        cr_assert_eq(atomic_load(&count), FEEDERS * EACH);
        weft_group_fini(&g);
        finish(pool);
}

Test(group, of_a_pool_that_shuts_down_refuses_and_can_be_waited_for, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;
        atomic_int count = 0;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, count_up, &count), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(weft_group_spawn(&g, count_up, &count), -ESHUTDOWN);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        weft_group_fini(&g);
        cr_assert_eq(atomic_load(&count), 1);
        finish(pool);
}
