/* SPDX-License-Identifier: MIT
 *
 * Timers: a task that is spawned for a time starts then, or is cancelled and does not; one that is
 * due earlier than what the pool sleeps for is not missed.
 */
#include "pool_help.h"

#include <weft/timer.h>

enum { SOON = 1000000, LATER = 2000000 }; /* ns: longer than anybody spins */

static weft_pool *pool;
static weft_task *handle;
static int runs;
static int64_t at[2];

static int notes_time(void *n)
{
        runs++;
        at[(intptr_t)n] = weft_now();
        return 0;
}

static void spawn_at(weft_task **ret, int64_t when, intptr_t n)
{
        model_check(weft_spawn_at(pool, ret, when, 0, notes_time, (void *)n) == 0);
}

MODEL(timer_in_time, .prompt = true, .stale = 1)
{
        pool = pool_of(1, 0);
        int64_t when = weft_now() + SOON;
        spawn_at(&handle, when, 0);
        weft_await(handle, WEFT_FOREVER);
        weft_task_unref(handle);
        model_check(at[0] >= when && at[0] < when + LATER);
        weft_pool_destroy(pool);
}

MODEL(timer_due_before_the_other, .prompt = true, .stale = 1)
{
        pool = pool_of(1, 0);
        int64_t when = weft_now();
        spawn_at(NULL, when + 10 * LATER, 1);
        spawn_at(&handle, when + SOON, 0);
        weft_await(handle, WEFT_FOREVER);
        weft_task_unref(handle);
        model_check(at[0] >= when + SOON && at[0] < when + LATER);
        weft_pool_destroy(pool);
        model_check(runs == 2);
}

MODEL(timer_two_workers, .prompt = true, .preemptions = 1, .stale = 1)
{
        pool = pool_of(2, 0);
        int64_t when = weft_now() + SOON;
        spawn_at(&handle, when, 0);
        weft_await(handle, WEFT_FOREVER);
        weft_task_unref(handle);
        model_check(at[0] >= when && at[0] < when + LATER);
        weft_pool_destroy(pool);
}

MODEL(timer_cancel, .stale = 1, .sees = 3)
{
        pool = pool_of(1, 0);
        spawn_at(&handle, weft_now() + SOON, 0);
        weft_task_cancel(handle);
        int r = weft_await(handle, WEFT_FOREVER);
        model_check(r == (runs ? 0 : -ECANCELED));
        model_seen((unsigned)runs);
        weft_task_unref(handle);
        weft_pool_destroy(pool);
}

static int again(void *unused)
{
        (void)unused;
        return ++runs < 2 ? 0 : -EIO;
}

/* It ends by itself at its second run, or is cancelled before, and is run no more. */
MODEL(timer_periodic_cancel, .stale = 1, .sees_some = 3)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn_every(pool, &handle, weft_now() + SOON, SOON, 0, again, NULL) == 0);
        weft_task_cancel(handle);
        int r = weft_await(handle, WEFT_FOREVER);
        model_check(r == (runs == 2 ? -EIO : -ECANCELED));
        model_seen((unsigned)runs);
        weft_task_unref(handle);
        weft_pool_destroy(pool);
}

MODEL(timer_shutdown, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn_every(pool, &handle, weft_now() + SOON, SOON, 0, again, NULL) == 0);
        weft_pool_destroy(pool);
        model_check(runs <= 2);
        int r;
        model_check(weft_task_result(handle, &r) == 0);
        weft_task_unref(handle);
}

static int sleeps(void *unused)
{
        (void)unused;
        int64_t until = weft_now() + SOON;
        model_check(weft_sleep_until(until) == 0);
        at[0] = weft_now() - until;
        runs++;
        return 0;
}

MODEL(timer_sleep_migrates, .prompt = true, .preemptions = 1, .stale = 1)
{
        pool = pool_of(2, WEFT_MIGRATE);
        model_check(weft_submit(pool, sleeps, NULL) == 0);
        weft_pool_destroy(pool);
        model_check(runs == 1 && at[0] >= 0 && at[0] < LATER);
}
