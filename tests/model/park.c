/* SPDX-License-Identifier: MIT
 *
 * Parking: a task that waits goes on once, whenever it is woken, on one thread at a time, with what
 * its waker did before.
 */
#include "pool_help.h"

static weft_pool *pool;
static weft_event event, second;
static int data, went_on; /* plain */

static int waits(void *unused)
{
        (void)unused;
        int r = weft_event_wait(&event, WEFT_FOREVER);
        model_check(r == 0 && data == 1);
        went_on++;
        return 0;
}

static void begin(unsigned workers, unsigned flags, weft_fn *fn)
{
        weft_event_init(&event);
        weft_event_init(&second);
        pool = pool_of(workers, flags);
        model_check(weft_submit(pool, fn, NULL) == 0);
}

MODEL(park_woken_from_outside, .stale = 1)
{
        begin(1, 0, waits);
        data = 1;
        weft_event_set(&event);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}

MODEL(park_woken_from_outside_migrates, .preemptions = 1, .stale = 1)
{
        begin(2, WEFT_MIGRATE, waits);
        data = 1;
        weft_event_set(&event);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}

static int sets(void *unused)
{
        (void)unused;
        data = 1;
        return weft_event_set(&event);
}

MODEL(park_woken_by_a_task, .preemptions = 1, .stale = 1)
{
        begin(2, 0, waits);
        model_check(weft_submit(pool, sets, NULL) == 0);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}

/* ---- again and again ---- */

static int waits_twice(void *unused)
{
        (void)unused;
        model_check(weft_event_wait(&event, WEFT_FOREVER) == 0);
        went_on++;
        model_check(weft_event_wait(&second, WEFT_FOREVER) == 0);
        went_on++;
        return 0;
}

static void sets_second(void *unused)
{
        (void)unused;
        weft_event_set(&second);
}

MODEL(park_twice, .stale = 1)
{
        begin(1, 0, waits_twice);
        model_start("sets second", sets_second, NULL);
        weft_event_set(&event);
        model_join_all_but_workers();
        weft_pool_destroy(pool);
        model_check(went_on == 2);
}

/* ---- the time, or the event ---- */

static int waits_for_a_while(void *unused)
{
        (void)unused;
        int r = weft_event_wait(&event, weft_now() + 1000);
        model_check(r == 0 || r == -ETIMEDOUT);
        model_seen(r == 0);
        went_on++;
        return 0;
}

MODEL(park_for_a_while, .stale = 1, .sees = 3)
{
        begin(1, 0, waits_for_a_while);
        weft_event_set(&event);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}

MODEL(park_for_a_while_migrates, .preemptions = 1, .stale = 1, .sees_some = 2)
{
        begin(2, WEFT_MIGRATE, waits_for_a_while);
        weft_event_set(&event);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}

/* The timer of a wait that is over does not end the next one. */
static int waits_for_a_while_and_sleeps(void *unused)
{
        (void)unused;
        int r = weft_event_wait(&event, weft_now() + 1000000);
        model_check(r == 0 || r == -ETIMEDOUT);
        model_seen(r == 0);
        int64_t until = weft_now() + 5000000;
        model_check(weft_sleep_until(until) == 0 && weft_now() >= until);
        went_on++;
        return 0;
}

MODEL(park_for_a_while_and_sleep, .stale = 1, .sees = 3)
{
        begin(1, 0, waits_for_a_while_and_sleeps);
        weft_event_set(&event);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}

/* ---- yield ---- */

static int yields(void *unused)
{
        (void)unused;
        model_check(weft_yield() == 0);
        model_check(weft_yield() == 0);
        went_on++;
        return 0;
}

MODEL(park_yield, .stale = 1)
{
        begin(1, 0, yields);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}

MODEL(park_yield_migrates, .preemptions = 1, .stale = 1)
{
        begin(2, WEFT_MIGRATE, yields);
        weft_pool_destroy(pool);
        model_check(went_on == 1);
}
