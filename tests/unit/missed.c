/* SPDX-License-Identifier: MIT
 *
 * The backstop of sleep and wake: work that is published as a bug would publish it, without a word
 * to those who sleep, is found, counted, and done; in test builds, unless a hook is set, it ends
 * the process. So no other test of the suite passes if a wake-up is missed in it.
 */
#include "pool_help.h"

#include "pool/missed.h"

/* Checkers have none of this to show, and it would take them longer. */
#define skip_what_takes_seconds()                                                                  \
        do {                                                                                       \
                if (SLOW_BUILD && !FOR_COVERAGE)                                                   \
                        cr_skip_test("it takes seconds, and has no memory or orders to show");     \
        } while (0)

enum { LOOKS_MS = 2500 }; /* in which a sleeper looks up twice */

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

/* A pool all of whose workers sleep; each test knows what each of them does. */
static weft_pool *asleep(unsigned workers)
{
        skip_unless_workers(workers);
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
        for (int64_t end = in_ms(LOOKS_MS); weft_now() < end; usleep(20000))
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
        usleep(LOOKS_MS * 1000);
        cr_assert_eq(missed(pool), 0);
        atomic_fetch_sub(&pool->idle.state, 1);
        cr_assert(reaches(&count, 1));
        cr_assert_eq(missed(pool), 1);
        finish(pool);
}

/* Nor is what somebody is about to wake one for, who may have none either. */
Test(missed, nothing_is_missed_while_somebody_is_about_to_tell, .timeout = 60)
{
        skip_what_takes_seconds();
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);
        atomic_int count = 0;
        {
                WEFT__UNTOLD(pool);
                submit_silently(pool, &count);
                usleep(LOOKS_MS * 1000);
        }
        cr_assert_eq(missed(pool), 0);
        cr_assert_eq(atomic_load(&count), 0);
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

/* ---- a worker that has a task to resume, and is busy ---- */

struct stay {
        sem_t go;
        weft__worker *worker;
};

static int stay_here(void *arg)
{
        struct stay *s = arg;
        s->worker = weft__worker_self();
        atomic_fetch_add(&told, 1);
        plug__wait(&s->go);
        return 0;
}

Test(missed, a_task_that_its_busy_worker_has_not_resumed_yet_is_not_missed, .timeout = 60)
{
        skip_what_takes_seconds();
        weft_pool *pool = asleep(2);
        struct stay stay[2];
        weft_event event;

        weft_event_init(&event);
        weft_task *task = spawn(pool, wait_for_event, &event);
        while (!atomic_load(&fiber_that_waits) || atomic_load(&pool->idle.state) != 2 << 16)
                usleep(1000);
        for (int i = 0; i < 2; i++) {
                sem_init(&stay[i].go, 0, 0);
                cr_assert_eq(weft_submit(pool, stay_here, &stay[i]), 0);
        }
        cr_assert(reaches(&told, 2));
        weft__fiber *fiber = atomic_load(&fiber_that_waits);
        int home = stay[1].worker == fiber->home;
        sem_post(&stay[1 - home].go);
        while (atomic_load(&pool->idle.state) != 1 << 16)
                usleep(1000);

        atomic_store(&fiber->wait.state, WEFT__DONE);
        fiber->next = NULL;
        atomic_store(&stay[home].worker->inbox, fiber);
        usleep(LOOKS_MS * 1000);
        sem_post(&stay[home].go);
        cr_assert_eq(join(task), 0);
        cr_assert_eq(missed(pool), 0);
        finish(pool);
}

/* ---- a task that is resumed again and again, by one who is slow to tell ---- */

enum { WAITS = 100 };

static int wait_again_and_again(void *unused)
{
        (void)unused;
        atomic_store(&fiber_that_waits, weft__fiber_self());
        for (int i = 0; i < WAITS; i++) {
                weft__wait(weft__wait_begin(NULL, true), WEFT_FOREVER);
                atomic_fetch_add(&told, 1);
        }
        return 0;
}

/* Each look of the other worker sees it untold, but each time it is another wake-up. */
Test(missed, what_is_resumed_between_two_looks_is_not_missed, .timeout = 60)
{
        skip_what_takes_seconds();
        weft_pool *pool = asleep(2);
        weft_task *task = spawn(pool, wait_again_and_again, NULL);

        for (int i = 0; i < WAITS; i++) {
                cr_assert(reaches(&told, i));
                weft__fiber *fiber;
                while (!(fiber = atomic_load(&fiber_that_waits)) ||
                       atomic_load(&fiber->home->parker) != WEFT__ASLEEP ||
                       (atomic_load(&fiber->wait.state) & ~(unsigned)WEFT__SHIELD) != WEFT__PARKED)
                        usleep(100);
                atomic_store(&fiber->wait.state, WEFT__DONE);
                fiber->next = NULL;
                atomic_store(&fiber->home->inbox, fiber);
                usleep(45000);
                weft__idle_wake(fiber->home);
        }
        cr_assert_eq(join(task), 0);
        cr_assert_eq(missed(pool), 0);
        finish(pool);
}

/* ---- timers ---- */

Test(missed, a_timer_that_nobody_was_woken_for_is_found, .timeout = 60)
{
        skip_what_takes_seconds();
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);
        atomic_int count = 0;
        weft_task *task;

        int64_t when = in_ms(60000);
        cr_assert_eq(weft_spawn_at(pool, &task, when, 0, count_up, &count), 0);
        while (atomic_load(&pool->idle.kept_until) != when)
                usleep(1000);
        /* It is due, as far as others see. */
        weft__delays *delays = &pool->worker[0].delays;
        weft__lock_take(&delays->lock);
        atomic_store(&delays->due_at, weft_now());
        weft__lock_give(&delays->lock);
        cr_assert(reaches(&told, 1));
        cr_assert_str_eq(told_what, "a timer that was due");
        cr_assert_eq(missed(pool), 1);
        cr_assert_eq(weft_task_cancel(task), 0);
        weft_task_unref(task);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 0);
}

/* Nor is one that somebody is about to look at, awake already or not yet; but one that nobody is to
 * look at. */
Test(missed, a_timer_is_missed_only_if_nobody_is_about_to_look, .timeout = 60)
{
        skip_what_takes_seconds();
        weft__missed_hook = note;
        weft_pool *pool = asleep(1);
        weft__worker *keeper = pool->idle.keeper, awake = {.pool = pool};
        weft__delays *delays = &pool->worker[0].delays;

        cr_assert_eq(keeper, &pool->worker[0]);
        weft__lock_take(&pool->idle.lock);
        atomic_store(&delays->due_at, weft_now());
        atomic_store(&pool->idle.kept_until, INT64_MIN);
        weft__lock_give(&pool->idle.lock);
        usleep(LOOKS_MS * 1000);
        cr_assert_eq(missed(pool), 0);

        weft__lock_take(&pool->idle.lock);
        pool->idle.keeper = &awake;
        atomic_store(&pool->idle.kept_until, WEFT_FOREVER);
        weft__lock_give(&pool->idle.lock);
        usleep(LOOKS_MS * 1000);
        cr_assert_eq(missed(pool), 0);

        weft__lock_take(&pool->idle.lock);
        pool->idle.keeper = NULL;
        weft__lock_give(&pool->idle.lock);
        cr_assert(reaches(&told, 1));
        cr_assert_str_eq(told_what, "a timer that was due");
        finish(pool);
}

static int stay_busy(void *go)
{
        atomic_fetch_add(&told, 1);
        plug__wait(go);
        return 0;
}

static weft_pool *pool_with_two_busy(sem_t *go)
{
        weft_pool *pool = asleep(3);

        sem_init(go, 0, 0);
        atomic_fetch_add(&pool->idle.state,
                         1); /* somebody searches, so nobody is woken for these */
        for (int i = 0; i < 2; i++)
                cr_assert_eq(weft_submit(pool, stay_busy, go), 0);
        return pool;
}

/* Who is woken to watch the time may find a task first; then the next that sleeps watches it. */
Test(missed, time_is_watched_also_while_who_was_asked_is_busy, .timeout = 60)
{
        sem_t go;
        weft_pool *pool = pool_with_two_busy(&go);
        atomic_int count = 0;

        /* Told of the first timer, its keeper comes to the tasks. */
        cr_assert_eq(weft_spawn_at(pool, NULL, in_ms(300), 0, count_up, &count), 0);
        cr_assert(reaches(&told, 2));
        cr_assert(reaches(&count, 1));
        atomic_fetch_sub(&pool->idle.state, 1);
        for (int i = 0; i < 2; i++)
                sem_post(&go);
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
