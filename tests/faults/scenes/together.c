/* SPDX-License-Identifier: MIT
 *
 * Tasks that belong together: groups, jobs that are forked and joined, loops in parallel. A job
 * that cannot become a task runs at its join; a loop that cannot be split runs as it is.
 */
#include "tests/faults/scene.h"

static int rests(void *ended)
{
        TRY(weft_sleep_until(scene_ms(1)), -ENOMEM, -ECANCELED);
        atomic_fetch_add((atomic_int *)ended, 1);
        return 0;
}

static void drop(void *ended)
{
        (void)ended;
}

static int opens_a_group(void *pool)
{
        weft_group group;
        atomic_int ended = 0;
        int spawned = 0, result = -1;
        if (TRY(weft_group_init(&group, pool), -ENOMEM) < 0)
                return 0;
        spawned += TRY(weft_group_spawn(&group, rests, &ended), -ENOMEM) == 0;
        spawned += TRY(weft_group_spawn_into(&group, &result, rests, &ended), -ENOMEM) == 0;
        int r = TRY(weft_group_wait(&group, WEFT_FOREVER), -ENOMEM);
        weft_group_fini(&group); /* without a stack it cancels those that are left */
        cr_assert(r < 0 ? atomic_load(&ended) <= spawned : atomic_load(&ended) == spawned);
        return 0;
}

static int runs(void *args)
{
        return weft_cancelled() < 0 ? 0 : *(char *)args == 'x' ? 0 : -EINVAL;
}

static int opens_and_cancels(void *pool)
{
        static const char args[200] = "x";
        weft_group group;
        if (TRY(weft_group_init_until(&group, pool, WEFT_FIRST_DONE), -ENOMEM) < 0)
                return 0;
        for (int i = 0; i < 4; i++) {
                int r = weft_group_spawn_closure(&group, runs, args, sizeof(args), drop);
                if (r != -ECANCELED)
                        TRY(r, -ENOMEM);
        }
        MUST(weft_group_cancel(&group));
        weft_group_fini(&group);
        return 0;
}

static void in_a_task_too(unsigned workers, unsigned flags, weft_fn *fn)
{
        weft_task *task;
        weft_pool *pool = scene_pool(workers, flags);
        if (!pool)
                return;
        fn(pool);
        if (TRY(weft_spawn(pool, &task, fn, pool), -ENOMEM) == 0) {
                MUST(weft_await(task, WEFT_FOREVER));
                weft_task_unref(task);
        }
        scene_usable(pool);
        weft_pool_destroy(pool);
}

SCENE(together, groups)
{
        in_a_task_too(2, 0, opens_a_group);
}

SCENE(together, groups_where_tasks_migrate)
{
        in_a_task_too(2, WEFT_MIGRATE, opens_a_group);
}

SCENE(together, groups_that_are_cancelled)
{
        in_a_task_too(2, 0, opens_and_cancels);
}

/* ---- fork and join ---- */

static int fib(void *n)
{
        int k = *(int *)n;
        if (k < 2)
                return k;
        int one = k - 1, two = k - 2;
        weft_job job;
        weft_fork(&job, fib, &one);
        int second = fib(&two);
        return MUST(weft_join(&job)) + second;
}

static int forks(void *pool)
{
        int n = 12;
        (void)pool;
        cr_assert_eq(fib(&n), 144);
        return 0;
}

/* While it waits, all its jobs become tasks. */
static int forks_and_waits(void *pool)
{
        int n = 5;
        weft_job job[3];
        (void)pool;
        for (int i = 0; i < 3; i++)
                weft_fork(&job[i], fib, &n);
        TRY(weft_sleep_until(scene_ms(1)), -ENOMEM);
        for (int i = 2; i >= 0; i--)
                cr_assert_eq(MUST(weft_join(&job[i])), 5);
        return 0;
}

SCENE(together, forks)
{
        in_a_task_too(2, 0, forks);
        in_a_task_too(2, 0, forks_and_waits);
}

SCENE(together, forks_where_tasks_migrate)
{
        in_a_task_too(2, WEFT_MIGRATE, forks_and_waits);
}

/* ---- loops ---- */

static int add_range(size_t from, size_t to, void *sum)
{
        usleep(50);
        for (size_t i = from; i < to; i++)
                atomic_fetch_add((atomic_int *)sum, (int)i);
        return 0;
}

static int add_part(size_t from, size_t to, void *partial, void *unused)
{
        (void)unused;
        usleep(50);
        for (size_t i = from; i < to; i++)
                *(int *)partial += (int)i;
        return 0;
}

static void add_up(void *left, const void *right, void *unused)
{
        (void)unused;
        *(int *)left += *(const int *)right;
}

static int loops(void *pool)
{
        atomic_int sum = 0;
        int total = 0;
        if (TRY(weft_parallel_for(pool, 0, 100, 3, add_range, &sum), -ENOMEM) == 0)
                cr_assert_eq(atomic_load(&sum), 4950);
        if (TRY(weft_parallel_reduce(pool, 0, 100, 3, add_part, add_up, &total, sizeof(total),
                                     NULL),
                -ENOMEM) == 0)
                cr_assert_eq(total, 4950);
        return 0;
}

SCENE(together, loops)
{
        in_a_task_too(2, 0, loops);
}
