/* SPDX-License-Identifier: MIT
 *
 * What waits longest of a worker's own tasks, and what could not be queued where it belongs, has
 * its turn as well (pool.h, "Order"). Those from outside: fairness.c.
 */
#include "pool_help.h"

#include "context/memory.h"

enum { OWN = 122, GROUPS = 9, BATCH = 32, BACKLOG = 20000 };

static atomic_int started, marked;
static int before_it; /* how many had started */

static int one_of_many(void *unused)
{
        (void)unused;
        atomic_fetch_add(&started, 1);
        return 0;
}

static int mark(void *unused)
{
        (void)unused;
        before_it = atomic_load(&started);
        atomic_fetch_add(&marked, 1);
        return 0;
}

/* Submits itself, and so is always the newest, until the other one has been started. */
static int again_and_again(void *unused)
{
        (void)unused;
        atomic_fetch_add(&started, 1);
        if (!atomic_load(&marked))
                CHECK(weft_submit(NULL, again_and_again, NULL) == 0);
        return 0;
}

static int leaves_one_behind(void *unused)
{
        (void)unused;
        CHECK(weft_submit(NULL, mark, NULL) == 0);
        CHECK(weft_submit(NULL, again_and_again, NULL) == 0);
        return 0;
}

Test(fairness_own, the_oldest_is_started_beside_newer_ones_without_end, .timeout = 60)
{
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        cr_assert_eq(weft_submit(pool, leaves_one_behind, NULL), 0);
        cr_assert(reaches(&marked, 1));
        finish(pool);
        cr_assert_leq(before_it, OWN);
}

static int refuse_blocks(size_t size)
{
        return size >= 2000;
}

static void *spawns_one(void *pool)
{
        weft_task *task = NULL;
        CHECK(weft_spawn(pool, &task, mark, NULL) == 0);
        weft_task_unref(task);
        return NULL;
}

Test(fairness_own, so_is_one_that_there_was_no_memory_to_queue, .timeout = 60)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        pthread_t thread;
        plug_in(&plug, pool, 1);
        for (int i = 0; i < BACKLOG; i++)
                cr_assert_eq(weft_submit(pool, one_of_many, NULL), 0);
        weft__alloc_fails = refuse_blocks;
        cr_assert_eq(pthread_create(&thread, NULL, spawns_one, pool), 0);
        pthread_join(thread, NULL);
        weft__alloc_fails = NULL;
        plug_out(&plug);
        cr_assert(reaches(&marked, 1));
        finish(pool);
        cr_assert_leq(before_it, GROUPS * BATCH);
}
