/* SPDX-License-Identifier: MIT
 *
 * The backstop of sleep and wake: work that is published as a bug would publish it, without a word
 * to those who sleep, is found, counted, and done; in test builds, unless a hook is set, it ends
 * the process. So no other test of the suite passes if a wake-up is missed in it.
 */
#include "pool_help.h"

#include "pool/worker.h"

/* Checkers have none of this to show, and it would take them longer. */
#define skip_what_takes_seconds()                                                                  \
        do {                                                                                       \
                if (SLOW_BUILD && !FOR_COVERAGE)                                                   \
                        cr_skip_test("it takes seconds, and has no memory or orders to show");     \
        } while (0)

static atomic_int told;
static const char *told_what;

static void note(const char *what)
{
        told_what = what;
        atomic_fetch_add(&told, 1);
}

static uint64_t missed(weft_pool *pool)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        cr_assert_eq(weft_pool_stats(pool, &s), 0);
        return s.missed;
}

/* A pool all of whose workers sleep. */
static weft_pool *asleep(unsigned workers)
{
        weft_pool *pool = begin(workers);
        for (int64_t end = in_ms(20000);
             atomic_load(&pool->idle.state) != workers << 16 && weft_now() < end;)
                usleep(1000);
        cr_assert_eq(atomic_load(&pool->idle.state), workers << 16);
        return pool;
}

static void submit_silently(weft_pool *pool, atomic_int *count)
{
        const weft__item item = {count_up, count, NULL};
        weft__count(&pool->stripe[0].counts.submitted, true);
        cr_assert(weft__injector_put(&pool->injector, 0, &item));
}

Test(missed, work_that_nobody_was_woken_for_is_found_and_counted, .timeout = 60)
{
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);
        atomic_int count = 0;

        submit_silently(pool, &count);
        cr_assert(reaches(&count, 1));
        cr_assert_eq(missed(pool), 1);
        cr_assert_eq(atomic_load(&told), 1);
        cr_assert_str_eq(told_what, "a task in a queue");
        finish(pool);
}

Test(missed, a_stop_that_nobody_was_woken_for_is_found, .timeout = 60)
{
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);

        atomic_store(&pool->stop, true);
        cr_assert(reaches(&told, 1));
        cr_assert_str_eq(told_what, "an order to stop");
        cr_assert_eq(missed(pool), 1);
        finish(pool);
}

Test(missed, ends_the_process_in_test_builds, .timeout = 60, .signal = SIGABRT)
{
        weft_pool *pool = asleep(2);
        atomic_int count = 0;

        submit_silently(pool, &count);
        reaches(&count, 1);
}

/* What others are about to do is not missed: as long as tasks are started, whoever sleeps waits. */
Test(missed, nothing_is_missed_while_tasks_are_started, .timeout = 60)
{
        skip_what_takes_seconds();
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);
        atomic_int count = 0;

        submit_silently(pool, &count);
        for (int64_t end = in_ms(3500); weft_now() < end; usleep(20000))
                atomic_fetch_add(&pool->worker[0].counts.started, 1);
        cr_assert_eq(missed(pool), 0);
        cr_assert(reaches(&count, 1));
        cr_assert_eq(missed(pool), 1);
        finish(pool);
}

/* Nor is what somebody searches for, who may have no processor for long. */
Test(missed, nothing_is_missed_while_somebody_searches, .timeout = 60)
{
        skip_what_takes_seconds();
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);
        atomic_int count = 0;

        atomic_fetch_add(&pool->idle.state, 1);
        submit_silently(pool, &count);
        usleep(2500000);
        cr_assert_eq(missed(pool), 0);
        atomic_fetch_sub(&pool->idle.state, 1);
        cr_assert(reaches(&count, 1));
        cr_assert_eq(missed(pool), 1);
        finish(pool);
}

static _Atomic(weft__fiber *) fiber_that_waits;

static int wait_for_event(void *event)
{
        atomic_store(&fiber_that_waits, weft__fiber_self());
        return weft_event_wait(event, WEFT_FOREVER);
}

Test(missed, a_task_that_nobody_was_woken_to_resume_is_found, .timeout = 60)
{
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);
        weft_event event;

        weft_event_init(&event);
        weft_task *task = spawn(pool, wait_for_event, &event);
        while (!atomic_load(&fiber_that_waits) || atomic_load(&pool->idle.state) != 1 << 16)
                usleep(1000);
        /* As whoever wakes it does, but for a word to its worker. */
        weft__fiber *fiber = atomic_load(&fiber_that_waits);
        atomic_store(&fiber->wait.state, WEFT__DONE);
        fiber->next = NULL;
        atomic_store(&pool->worker[0].inbox, fiber);
        cr_assert_eq(join(task), 0);
        cr_assert_eq(missed(pool), 1);
        cr_assert_str_eq(told_what, "a task to be resumed");
        finish(pool);
}

static int sleep_for_long(void *arg)
{
        (void)arg;
        return weft_sleep_until(in_ms(3500));
}

/* A task that waits for long, and one that was given a time, are no work yet; nor is a pool that
 * has had none for long. */
Test(missed, nothing_is_missed_while_there_is_nothing_to_do, .timeout = 60)
{
        skip_what_takes_seconds();
        weft_pool *pool = asleep(2);
        weft_task *task = spawn(pool, sleep_for_long, NULL);

        cr_assert_eq(join(task), 0);
        cr_assert_eq(missed(pool), 0);
        finish(pool);
}
