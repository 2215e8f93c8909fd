/* SPDX-License-Identifier: MIT
 *
 * The clock, yield, sleep and the question whether one is cancelled, in tasks and on threads.
 */
#include "pool_help.h"

#include <time.h>

Test(suspend, now_is_the_monotonic_clock_in_nanoseconds, .timeout = 30)
{
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        int64_t now = weft_now();
        clock_gettime(CLOCK_MONOTONIC, &after);
        cr_assert_geq(now, before.tv_sec * INT64_C(1000000000) + before.tv_nsec);
        cr_assert_leq(now, after.tv_sec * INT64_C(1000000000) + after.tv_nsec);
}

/* ---- yield ----------------------------------------------------------------------------------- */

enum { TURNS = 200 };

struct turns {
        atomic_int taken, ready;
        int order[2 * TURNS];
};

struct player {
        struct turns *turns;
        int who;
};

static int take_turns(void *arg)
{
        struct player *p = arg;
        atomic_fetch_add(&p->turns->ready, 1);
        while (atomic_load(&p->turns->ready) < 2)
                CHECK(weft_yield() == 0);
        for (int i = 0; i < TURNS; i++) {
                p->turns->order[atomic_fetch_add(&p->turns->taken, 1)] = p->who;
                CHECK(weft_yield() == 0);
        }
        return 0;
}

Test(suspend, two_tasks_that_yield_alternate_on_one_worker, .timeout = 30)
{
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        struct turns turns = {0};
        struct player player[2] = {{&turns, 0}, {&turns, 1}};
        struct plug plug;

        plug_in(&plug, pool, 1);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(weft_submit(pool, take_turns, &player[i]), 0);
        plug_out(&plug);
        finish(pool);
        cr_assert_eq(atomic_load(&turns.taken), 2 * TURNS);
        int repeats = 0;
        for (int i = 1; i < 2 * TURNS; i++)
                repeats += turns.order[i] == turns.order[i - 1];
        cr_assert_eq(repeats, 0);
}

struct begun {
        atomic_int *count;
        int seen;
};

/* Its first wait is the yield: it has not had a turn for having waited. */
static int spawn_and_yield(void *arg)
{
        struct begun *b = arg;
        CHECK(weft_submit(NULL, count_up, b->count) == 0);
        CHECK(weft_yield() == 0);
        b->seen = atomic_load(b->count);
        return 0;
}

Test(suspend, yield_lets_a_task_of_its_own_begin, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        struct begun b = {&count, 0};
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, spawn_and_yield, &b), 0);
        cr_assert_eq(weft_await(t, in_ms(20000)), 0);
        weft_task_unref(t);
        cr_assert_eq(b.seen, 1);
        finish(pool);
}

static int yield_until(void *arg)
{
        while (atomic_load((atomic_int *)arg) == 0)
                CHECK(weft_yield() == 0);
        return 0;
}

/* Neither what is queued on the worker nor what comes from outside starves. */
Test(suspend, yield_lets_others_run_wherever_they_come_from, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, yield_until, &count), 0);
        usleep(5000);
        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_await(t, in_ms(20000)), 0);
        weft_task_unref(t);
        finish(pool);
}

static int yield_until_slept(void *arg)
{
        atomic_int *slept = arg;
        while (atomic_load(slept) == 0)
                CHECK(weft_yield() == 0);
        return 0;
}

static int sleep_then_count(void *arg)
{
        CHECK(weft_sleep_until(in_ms(10)) == 0);
        return count_up(arg);
}

Test(suspend, timers_fire_while_others_keep_yielding, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int slept = 0;
        weft_task *t;

        cr_assert_eq(weft_submit(pool, sleep_then_count, &slept), 0);
        cr_assert_eq(weft_spawn(pool, &t, yield_until_slept, &slept), 0);
        cr_assert_eq(weft_await(t, in_ms(20000)), 0);
        weft_task_unref(t);
        finish(pool);
}

struct endless {
        atomic_int stop, ended;
};

static int submit_itself_until(void *arg)
{
        struct endless *e = arg;
        if (atomic_load(&e->stop) == 0)
                CHECK(weft_submit(NULL, submit_itself_until, arg) == 0);
        else
                atomic_fetch_add(&e->ended, 1);
        return 0;
}

/* Own work without end: a task that resubmits itself holds up neither a timer nor an outsider. */
Test(suspend, timers_and_outsiders_get_their_turn_beside_endless_work, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int slept = 0, count = 0;
        struct endless endless = {.stop = 0};

        cr_assert_eq(weft_submit(pool, sleep_then_count, &slept), 0);
        cr_assert_eq(weft_submit(pool, submit_itself_until, &endless), 0);
        cr_assert_eq(weft_submit(pool, submit_itself_until, &endless), 0);
        usleep(2000);
        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert(reaches(&count, 1));
        cr_assert(reaches(&slept, 1));
        atomic_store(&endless.stop, 1);
        cr_assert(reaches(&endless.ended, 2)); /* submits during a shutdown are refused */
        finish(pool);
}

Test(suspend, outside_tasks_it_is_the_thread_that_waits, .timeout = 30)
{
        int64_t deadline = in_ms(20);
        cr_assert_eq(weft_yield(), 0);
        cr_assert_eq(weft_cancelled(), 0);
        cr_assert_eq(weft_sleep_until(deadline), 0);
        cr_assert_geq(weft_now(), deadline);
        cr_assert_eq(weft_sleep_until(0), 0);
        cr_assert_eq(weft_sleep_until(-5), 0);
        cr_assert_eq(weft_sleep_until(INT64_MIN), 0);
}

static void on_alarm(int signal)
{
        (void)signal;
}

Test(suspend, sleep_on_a_thread_goes_on_after_a_signal, .timeout = 30)
{
        struct sigaction sa = {.sa_handler = on_alarm};
        sigaction(SIGALRM, &sa, NULL);
        ualarm(3000, 3000);
        int64_t deadline = in_ms(40);
        errno = 77;
        cr_assert_eq(weft_sleep_until(deadline), 0);
        cr_assert_eq(errno, 77);
        cr_assert_geq(weft_now(), deadline);
        ualarm(0, 0);
}

/* ---- sleep ----------------------------------------------------------------------------------- */

struct sleeper {
        int64_t deadline, woken;
};

static int sleep_and_note(void *arg)
{
        struct sleeper *s = arg;
        CHECK(weft_sleep_until(s->deadline) == 0);
        s->woken = weft_now();
        return 0;
}

static int by_deadline(const void *a, const void *b)
{
        const struct sleeper *x = a, *y = b;
        return (x->deadline > y->deadline) - (x->deadline < y->deadline);
}

Test(suspend, sleepers_wake_in_the_order_of_their_deadlines, .timeout = 30)
{
        enum { SLEEPERS = 200 };
        skip_when_forced(migrate);
        skip_unless_workers(1); /* two that are woken take the time in any order */
        weft_pool *pool = begin(1);
        static struct sleeper s[SLEEPERS];
        /* All of them must be asleep by then. */
        int64_t base = in_ms(SLOW_BUILD ? 3000 : 1000), late = 0;

        for (int i = 0; i < SLEEPERS; i++) {
                s[i].deadline = base + i * 7 % SLEEPERS * MS / 4;
                cr_assert_eq(weft_submit(pool, sleep_and_note, &s[i]), 0);
        }
        finish(pool);
        qsort(s, SLEEPERS, sizeof(s[0]), by_deadline);
        for (int i = 0; i < SLEEPERS; i++) {
                cr_assert_geq(s[i].woken, s[i].deadline, "never early");
                if (i)
                        cr_assert_geq(s[i].woken, s[i - 1].woken);
                late += s[i].woken - s[i].deadline;
        }
        cr_assert_lt(late / SLEEPERS, 100 * MS, "late by %lld us on average",
                     (long long)(late / SLEEPERS / 1000));
}

Test(suspend, thousands_sleep_on_one_worker, .timeout = 60)
{
        enum { SLEEPERS = SLOW_BUILD ? 500 : 5000 };
        weft_pool *pool = begin(1);
        struct sleeper *s = calloc(SLEEPERS, sizeof(*s));

        for (int i = 0; i < SLEEPERS; i++) {
                s[i].deadline = in_ms(i * 31 % 300);
                cr_assert_eq(weft_submit(pool, sleep_and_note, &s[i]), 0);
        }
        finish(pool);
        for (int i = 0; i < SLEEPERS; i++)
                cr_assert_geq(s[i].woken, s[i].deadline);
        free(s);
}

static int sleep_to_the_past(void *arg)
{
        (void)arg;
        CHECK(weft_sleep_until(0) == 0);
        CHECK(weft_sleep_until(INT64_MIN) == 0);
        CHECK(weft_sleep_until(weft_now()) == 0);
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        return weft_sleep_until(in_ms(60000));
}

Test(suspend, sleep_until_a_time_that_has_passed_returns, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, sleep_to_the_past, NULL), 0);
        cr_assert_eq(weft_await(t, in_ms(20000)), -ECANCELED);
        weft_task_unref(t);
        finish(pool);
}

static int sleep_in_vain(void *arg)
{
        return weft_sleep_until(((struct sleeper *)arg)->deadline);
}

/* A later, nearer deadline must not wait for the one that the worker is asleep for. */
Test(suspend, nearer_deadline_is_kept_while_the_worker_sleeps_for_a_later_one, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct sleeper far = {.deadline = in_ms(3000)}, near;
        weft_task *t, *u;

        cr_assert_eq(weft_spawn(pool, &t, sleep_in_vain, &far), 0);
        usleep(20000);
        near.deadline = in_ms(20);
        cr_assert_eq(weft_spawn(pool, &u, sleep_and_note, &near), 0);
        cr_assert_eq(weft_await(u, WEFT_FOREVER), 0);
        cr_assert_lt(weft_now(), far.deadline);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), -ECANCELED);
        cr_assert_lt(weft_now(), far.deadline);
        weft_task_unref(t);
        weft_task_unref(u);
        finish(pool);
}
