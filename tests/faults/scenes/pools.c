/* SPDX-License-Identifier: MIT
 *
 * Pools that come and go, with every option that asks something of the system, the default pool,
 * and stacks whose guards the kernel does not mark.
 */
#include "tests/faults/scene.h"

#include <sched.h>

#include "pool/stacks.h"

static atomic_int started, stopped;

static void starts(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        atomic_fetch_add(&started, 1);
}

static void stops(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        atomic_fetch_add(&stopped, 1);
}

SCENE(pools, all_options)
{
        cpu_set_t cpus;
        weft_pool *pool = NULL;
        weft_pool_options o = {.size = sizeof(o),
                               .workers = 3,
                               .name = "scene",
                               .affinity = &cpus,
                               .on_start = starts,
                               .on_stop = stops,
                               .stack_size = 64 * 1024};
        cr_assert_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
        if (TRY(weft_pool_create(&pool, &o), -ENOMEM, -EAGAIN) == 0) {
                scene_usable(pool);
                weft_pool_destroy(pool);
        }
        cr_assert_eq(atomic_load(&started), atomic_load(&stopped));
}

SCENE(pools, as_many_workers_as_processors)
{
        weft_pool *pool = NULL;
        if (TRY(weft_pool_create(&pool, NULL), -ENOMEM, -EAGAIN) < 0)
                return;
        cr_assert_geq(weft_pool_workers(pool), 1);
        scene_usable(pool);
        weft_pool_destroy(pool);
}

static int nothing(void *unused)
{
        (void)unused;
        return 0;
}

static int no_range(size_t from, size_t to, void *unused)
{
        (void)from;
        (void)to;
        return nothing(unused);
}

static int calls_itself_a_task(void *unused)
{
        (void)unused;
        return weft_pool_current() == NULL;
}

/* It is there for good once it is; until then the next call tries again. (No task waits in it: how
 * many stacks it keeps then depends on how many wait at once.) */
SCENE(pools, default_pool)
{
        weft_task *task;
        weft_group group;
        weft_pool *pool = weft_pool_default();
        cr_assert(pool || scene_disturbed());
        TRY(weft_submit(NULL, nothing, NULL), -ENOMEM);
        if (TRY(weft_group_init(&group, NULL), -ENOMEM) == 0)
                weft_group_fini(&group);
        if (TRY(weft_spawn(NULL, &task, calls_itself_a_task, NULL), -ENOMEM) == 0) {
                cr_assert_eq(weft_await(task, WEFT_FOREVER), 0);
                TRY(weft_task_on_done(task, nothing, NULL), -ENOMEM); /* it has ended */
                weft_task_unref(task);
        }
        TRY(weft_parallel_for(NULL, 0, 10, 0, no_range, NULL), -ENOMEM);
        cr_assert(weft_pool_default() || scene_disturbed());
}

static int waits(void *event)
{
        return TRY(weft_event_wait(event, WEFT_FOREVER), -ENOMEM);
}

enum { TASKS = 30 };

static void many_wait(void)
{
        weft_pool *pool = scene_pool(2, 0);
        weft_task *task[TASKS];
        weft_event event;
        int n = 0;
        if (!pool)
                return;
        weft_event_init(&event);
        for (int i = 0; i < TASKS; i++)
                n += TRY(weft_spawn(pool, &task[n], waits, &event), -ENOMEM) == 0;
        usleep(2000);
        MUST(weft_event_set(&event));
        for (int i = 0; i < n; i++) {
                TRY(weft_await(task[i], WEFT_FOREVER), -ENOMEM);
                weft_task_unref(task[i]);
        }
        scene_usable(pool);
        weft_pool_destroy(pool);
}

SCENE(pools, many_stacks)
{
        many_wait();
}

SCENE(pools, many_stacks_with_guards_of_their_own)
{
        atomic_store(&weft__guards_by_mprotect, true);
        many_wait();
}
