/* SPDX-License-Identifier: MIT
 *
 * Submitting in every way: what is refused has left nothing behind and is not run, what is accepted
 * is run, or its destructor is, exactly once.
 */
#include "tests/faults/scene.h"

#include <string.h>

struct args {
        atomic_int *ran, *dropped;
        char rest[100];
};

static int run(void *args)
{
        atomic_fetch_add(((struct args *)args)->ran, 1);
        return 0;
}

static void drop(void *args)
{
        atomic_fetch_add(((struct args *)args)->dropped, 1);
}

static void reaches(atomic_int *count, int wanted)
{
        for (int i = 0; i < 5000 && atomic_load(count) < wanted; i++)
                usleep(1000);
        cr_assert_eq(atomic_load(count), wanted);
}

struct told {
        atomic_bool now;
        atomic_int *ran;
};

/* Not before its callback is registered. */
static int runs_when_told(void *arg)
{
        struct told *told = arg;
        while (!atomic_load(&told->now))
                TRY(weft_yield(), -ENOMEM);
        atomic_fetch_add(told->ran, 1);
        return 0;
}

static weft_var who = WEFT_VAR_INIT("who");

/* From a thread outside and from a task, with a context and without. */
static int submits(void *arg)
{
        weft_pool *pool = arg;
        atomic_int ran = 0, dropped = 0, periods = 0;
        struct args a = {.ran = &ran, .dropped = &dropped}, periodic = {.ran = &periods};
        weft_task *task[4] = {NULL};
        int accepted = 0, closures = 0;
        struct told told = {.ran = &ran};

        TRY(weft_set(&who, &a, NULL), -ENOMEM);
        accepted += TRY(weft_submit(pool, run, &a), -ENOMEM) == 0;
        accepted += TRY(weft_submit_copy(pool, run, &a, 2 * sizeof(void *)), -ENOMEM) == 0;
        accepted += TRY(weft_submit_copy(pool, run, &a, sizeof(a)), -ENOMEM) == 0;
        closures += TRY(weft_submit_closure(pool, run, &a, sizeof(a), drop), -ENOMEM) == 0;
        accepted += TRY(weft_spawn(pool, &task[0], runs_when_told, &told), -ENOMEM) == 0;
        closures += TRY(weft_spawn_closure(pool, &task[1], run, &a, sizeof(a), drop), -ENOMEM) == 0;
        if (task[0])
                accepted += TRY(weft_task_on_done(task[0], run, &a), -ENOMEM) == 0;
        atomic_store(&told.now, true);
        accepted +=
            TRY(weft_spawn_at(pool, &task[2], weft_now(), WEFT_INHERIT, run, &a), -ENOMEM) == 0;
        TRY(weft_spawn_every(pool, &task[3], scene_ms(1), 1000000, WEFT_INHERIT, run, &periodic),
            -ENOMEM);
        for (int i = 0; i < 3; i++)
                if (task[i])
                        TRY(weft_await(task[i], WEFT_FOREVER), -ENOMEM);
        if (task[3]) {
                MUST(weft_task_cancel(task[3]));
                while (weft_await(task[3], WEFT_FOREVER) == -ENOMEM)
                        cr_assert(scene_disturbed());
        }
        for (int i = 0; i < 4; i++)
                weft_task_unref(task[i]);
        accepted += closures;
        reaches(&ran, accepted);
        reaches(&dropped, closures);
        return 0;
}

static void all_ways(unsigned workers, unsigned flags)
{
        weft_task *task;
        weft_pool *pool = scene_pool(workers, flags);
        if (!pool)
                return;
        submits(pool);
        weft_context_unref(weft_context_swap(NULL));
        if (TRY(weft_spawn(pool, &task, submits, pool), -ENOMEM) == 0) {
                MUST(weft_await(task, WEFT_FOREVER));
                weft_task_unref(task);
        }
        scene_usable(pool);
        weft_pool_destroy(pool);
}

SCENE(tasks, all_ways)
{
        all_ways(2, 0);
}

SCENE(tasks, all_ways_where_tasks_migrate)
{
        all_ways(2, WEFT_MIGRATE);
}

/* Which would otherwise run for the waits of others. */
SCENE(tasks, cancelled_with_the_pool)
{
        atomic_int ran = 0, dropped = 0;
        struct args a = {.ran = &ran, .dropped = &dropped};
        weft_pool *pool = scene_pool(1, 0);
        int accepted = 0;
        if (!pool)
                return;
        for (int i = 0; i < 20; i++)
                accepted += TRY(weft_submit_closure(pool, run, &a, sizeof(a), drop), -ENOMEM) == 0;
        MUST(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER));
        cr_assert_eq(atomic_load(&dropped), accepted);
        weft_pool_destroy(pool);
}

/* ---- many ---- */

static atomic_int count;

static int count_one(void *unused)
{
        (void)unused;
        atomic_fetch_add(&count, 1);
        return 0;
}

enum { MANY = 2000 }; /* the queues grow */

static int submits_many(void *accepted)
{
        for (int i = 0; i < MANY; i++)
                *(int *)accepted += TRY(weft_submit(NULL, count_one, NULL), -ENOMEM) == 0;
        return 0;
}

SCENE(tasks, many)
{
        int accepted = 0;
        weft_task *task;
        weft_pool *pool = scene_pool(1, 0);
        if (!pool)
                return;
        atomic_store(&count, 0);
        if (TRY(weft_spawn(pool, &task, submits_many, &accepted), -ENOMEM) == 0) {
                MUST(weft_await(task, WEFT_FOREVER));
                weft_task_unref(task);
        }
        for (int i = 0; i < MANY; i++)
                accepted += TRY(weft_submit(pool, count_one, NULL), -ENOMEM) == 0;
        MUST(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER));
        cr_assert_eq(atomic_load(&count), accepted);
        weft_pool_destroy(pool);
}

/* ---- a task's own handle ---- */

static int asks_for_itself(void *unused)
{
        (void)unused;
        cr_assert(weft_task_current() || scene_disturbed());
        return 0;
}

SCENE(tasks, own_handle)
{
        weft_pool *pool = scene_pool(1, 0);
        if (!pool)
                return;
        for (int i = 0; i < 4; i++)
                TRY(weft_submit(pool, asks_for_itself, NULL), -ENOMEM);
        scene_usable(pool);
        weft_pool_destroy(pool);
}

/* ---- a full pool ---- */

SCENE(tasks, a_pool_that_is_full)
{
        for (int when = WEFT_REFUSE; when <= WEFT_CALLER; when++) {
                weft_pool *pool = NULL;
                weft_pool_options o = {.size = sizeof(o),
                                       .workers = 1,
                                       .max_queued = 2,
                                       .when_full = (weft_when_full)when};
                int accepted = 0;
                if (TRY(weft_pool_create(&pool, &o), -ENOMEM, -EAGAIN) < 0)
                        continue;
                atomic_store(&count, 0);
                for (int i = 0; i < 20; i++) {
                        int r = weft_submit(pool, count_one, NULL);
                        if (r != -EAGAIN || when != WEFT_REFUSE)
                                accepted += TRY(r, -ENOMEM) == 0;
                }
                MUST(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER));
                cr_assert_eq(atomic_load(&count), accepted);
                weft_pool_destroy(pool);
        }
}
