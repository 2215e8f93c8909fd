/* SPDX-License-Identifier: MIT
 *
 * Fork and join: each job is run once, by its owner or by a thief, and the join sees what it did.
 */
#include <stdatomic.h>

#include "pool_help.h"

static weft_pool *pool;
static int ran[2]; /* plain */
static int last;

static int job(void *n)
{
        ran[(intptr_t)n]++;
        return (int)(intptr_t)n + 1;
}

static int forks_two(void *unused)
{
        weft_job a, b;
        (void)unused;
        weft_fork(&a, job, (void *)0);
        weft_fork(&b, job, (void *)1);
        model_check(weft_join(&b) == 2);
        model_check(weft_join(&a) == 1);
        model_check(ran[0] == 1 && ran[1] == 1);
        return 0;
}

static void run(unsigned workers, unsigned flags, weft_fn *fn)
{
        weft_task *t;
        pool = pool_of(workers, flags);
        model_check(weft_spawn(pool, &t, fn, NULL) == 0);
        model_check(weft_await(t, WEFT_FOREVER) == 0);
        weft_task_unref(t);
        weft_pool_destroy(pool);
}

MODEL(fork_two, .preemptions = 1, .stale = 1)
{
        run(2, 0, forks_two);
}

MODEL(fork_two_alone, .stale = 1)
{
        run(1, 0, forks_two);
}

/* The job waits for something else than its join: its owner waits for it. */
static weft_event event;

static int waits(void *unused)
{
        (void)unused;
        model_check(weft_event_wait(&event, WEFT_FOREVER) == 0);
        last++;
        return 0;
}

static int forks_one_that_waits(void *unused)
{
        weft_job a;
        (void)unused;
        weft_fork(&a, waits, NULL);
        weft_event_set(&event);
        model_check(weft_join(&a) == 0);
        model_check(last == 1);
        return 0;
}

MODEL(fork_one_that_waits, .preemptions = 1, .stale = 1)
{
        weft_event_init(&event);
        run(2, 0, forks_one_that_waits);
}

/* Somebody hands a task in while the only worker's task forks and joins. In model builds each join
 * of a worker that was asked looks for such a one, and steps aside for it. */
static atomic_int handed_in;
static bool came;

static int comes(void *unused)
{
        (void)unused;
        came = true;
        return 0;
}

static int adds(void *unused)
{
        (void)unused;
        last++;
        return 0;
}

static void fork_and_join(void)
{
        weft_job a;
        weft_fork(&a, adds, NULL);
        model_check(weft_join(&a) == 0);
}

static int forks_meanwhile_and_afterwards(void *unused)
{
        (void)unused;
        fork_and_join();
        while (!atomic_load(&handed_in))
                model_pause();
        fork_and_join();
        model_check(came && last == 2);
        return 0;
}

MODEL(fork_beside_one_from_outside, .preemptions = 2, .stale = 1)
{
        weft_task *t;
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &t, forks_meanwhile_and_afterwards, NULL) == 0);
        model_check(weft_submit(pool, comes, NULL) == 0);
        atomic_store(&handed_in, 1);
        model_check(weft_await(t, WEFT_FOREVER) == 0);
        weft_task_unref(t);
        weft_pool_destroy(pool);
}

/* ---- who has nothing to do asks for jobs ---- */

static atomic_uint started, joins;

/* It goes on until its join has begun. */
static int starts(void *unused)
{
        (void)unused;
        atomic_store_explicit(&started, 1, memory_order_relaxed);
        while (!atomic_load_explicit(&joins, memory_order_relaxed))
                model_pause();
        last++;
        return 0;
}

static int nothing(void *unused)
{
        (void)unused;
        return 0;
}

/* It forks and joins until the other worker has begun its first job: a request is never lost. */
static int forks_until_one_is_taken(void *unused)
{
        weft_job a, b;
        (void)unused;
        weft_fork(&a, starts, NULL);
        while (!atomic_load_explicit(&started, memory_order_relaxed)) {
                weft_fork(&b, nothing, NULL);
                model_check(weft_join(&b) == 0);
                model_pause();
        }
        atomic_store_explicit(&joins, 1, memory_order_relaxed);
        model_check(weft_join(&a) == 0);
        model_check(last == 1);
        return 0;
}

MODEL(fork_until_one_is_taken, .preemptions = 1, .stale = 1)
{
        run(2, 0, forks_until_one_is_taken);
}

/* The same while the other worker falls idle. */
static atomic_uint is_busy, has_time;

static int keeps_busy(void *unused)
{
        (void)unused;
        atomic_store_explicit(&is_busy, 1, memory_order_relaxed);
        while (!atomic_load_explicit(&has_time, memory_order_relaxed))
                model_pause();
        return 0;
}

static int forks_while_another_ends(void *unused)
{
        while (!atomic_load_explicit(&is_busy, memory_order_relaxed))
                model_pause();
        atomic_store_explicit(&has_time, 1, memory_order_relaxed);
        return forks_until_one_is_taken(unused);
}

MODEL(fork_while_another_falls_idle, .preemptions = 1, .stale = NONE)
{
        pool = pool_of(2, 0);
        model_check(weft_submit(pool, keeps_busy, NULL) == 0);
        model_check(weft_submit(pool, forks_while_another_ends, NULL) == 0);
        weft_pool_destroy(pool);
}

/* A job has the context of its fork, whoever runs it, and whatever is set before its join. */
static weft_var var = WEFT_VAR_INIT("var");

static int looks(void *unused)
{
        int value = (int)(intptr_t)weft_get(&var);
        (void)unused;
        ran[value - 1]++;
        return value;
}

static int forks_and_sets(void *unused)
{
        weft_job a, b;
        (void)unused;
        weft_set(&var, (void *)1, NULL);
        weft_fork(&a, looks, NULL);
        weft_set(&var, (void *)2, NULL);
        weft_fork(&b, looks, NULL);
        weft_set(&var, (void *)3, NULL);
        model_check(weft_join(&b) == 2);
        model_check(weft_join(&a) == 1);
        model_check(ran[0] == 1 && ran[1] == 1 && weft_get(&var) == (void *)3);
        return 0;
}

MODEL(fork_and_set, .preemptions = 1, .stale = 1, .keeps = 1)
{
        run(2, 0, forks_and_sets);
}
