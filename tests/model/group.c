/* SPDX-License-Identifier: MIT
 *
 * Groups: a wait returns when the last task has left, and not before; what was cancelled ends; the
 * group's storage is its user's again from then on.
 */
#include "pool_help.h"

static weft_pool *pool;
static int runs; /* plain, with one worker */
static weft_event never;

static int task(void *arg)
{
        runs++;
        return (int)(intptr_t)arg;
}

static int waits(void *unused)
{
        (void)unused;
        runs++;
        return weft_event_wait(&never, WEFT_FOREVER);
}

/* The group lies on the stack, which is used for something else as soon as the wait is over. */
__attribute__((noinline)) static int waited(weft_fn *a, weft_fn *b, void *arg)
{
        weft_group group;
        model_check(weft_group_init(&group, pool) == 0);
        model_check(weft_group_spawn(&group, a, arg) == 0);
        int r = b ? weft_group_spawn(&group, b, NULL) : 0;
        model_check(r == 0 || r == -ECANCELED);
        r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        return r;
}

MODEL(group_wait, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(waited(task, NULL, NULL) == 0);
        other_use_of_the_stack();
        model_check(runs == 1);
        weft_pool_destroy(pool);
}

MODEL(group_wait_for_two, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(waited(task, task, NULL) == 0);
        other_use_of_the_stack();
        model_check(runs == 2);
        weft_pool_destroy(pool);
}

/* The first error cancels the others. */
MODEL(group_error_cancels, .stale = 1, .sees_some = 2)
{
        weft_event_init(&never);
        pool = pool_of(1, 0);
        model_check(waited(task, waits, (void *)-EIO) == -EIO);
        other_use_of_the_stack();
        model_seen((unsigned)runs);
        weft_pool_destroy(pool);
}

static weft_group shared;

static void cancels(void *unused)
{
        (void)unused;
        model_check(weft_group_cancel(&shared) == 0);
}

MODEL(group_cancel, .stale = 1, .sees = 3)
{
        weft_event_init(&never);
        pool = pool_of(1, 0);
        model_check(weft_group_init(&shared, pool) == 0);
        model_check(weft_group_spawn(&shared, waits, NULL) == 0);
        model_start("cancels", cancels, NULL);
        model_check(weft_group_wait(&shared, WEFT_FOREVER) == -ECANCELED);
        model_join_all_but_workers();
        weft_group_fini(&shared);
        weft_pool_destroy(pool);
        model_seen((unsigned)runs);
}

/* A task opens a group; that is cancelled with it, or the opening sees the mark. */
static int opens(void *unused)
{
        (void)unused;
        weft_group group;
        model_check(weft_group_init(&group, NULL) == 0);
        int r = weft_group_spawn(&group, waits, NULL);
        model_check(r == 0 || r == -ECANCELED);
        r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        return r;
}

MODEL(group_cancelled_with_its_owner, .stale = 1, .sees_some = 1)
{
        weft_task *t;
        weft_event_init(&never);
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &t, opens, NULL) == 0);
        weft_task_cancel(t);
        model_check(weft_await(t, WEFT_FOREVER) == -ECANCELED);
        weft_task_unref(t);
        model_seen((unsigned)runs);
        weft_pool_destroy(pool);
}
