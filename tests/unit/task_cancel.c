/* SPDX-License-Identifier: MIT
 *
 * Cancelling a task: before it starts, while it runs or waits, after it has ended, by itself, and
 * in a race with its start and its end. The destructor's context (C10) is in submit.c.
 */
#include "pool_help.h"

static int never(void *arg)
{
        (void)arg;
        CHECK(!"a cancelled task ran");
        return 0;
}

static void note_thread(void *args)
{
        pthread_t *dropped_on = *(pthread_t **)args;
        *dropped_on = pthread_self();
}

Test(task_cancel, one_that_has_not_started_has_ended_on_return, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_task *t;
        pthread_t dropped_on = {0}, *args = &dropped_on;
        int result = 0;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn_closure(pool, &t, never, &args, sizeof(args), note_thread), 0);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(weft_task_result(t, &result), 0);
        cr_assert_eq(result, -ECANCELED);
        cr_assert_eq(weft_await(t, 0), -ECANCELED);
        cr_assert(pthread_equal(dropped_on, pthread_self()), "the destructor ran in the call");
        cr_assert_eq(weft_task_cancel(t), -EALREADY);
        plug_out(&plug);
        weft_task_unref(t);
        finish(pool);
}

Test(task_cancel, one_that_has_ended_is_left_alone, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, give, V(42)), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 42);
        cr_assert_eq(weft_task_cancel(t), -EALREADY);
        cr_assert_eq(weft_await(t, 0), 42);
        weft_task_unref(t);
        finish(pool);
        cr_assert_eq(weft_task_cancel(NULL), -EINVAL);
}

struct running {
        sem_t started, go;
        weft_task *ended, *endless;
        atomic_int submitted;
};

static int told_while_it_runs(void *arg)
{
        struct running *r = arg;
        CHECK(weft_cancelled() == 0);
        sem_post(&r->started);
        plug__wait(&r->go);
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_yield() == -ECANCELED);
        CHECK(weft_sleep_until(in_ms(10000)) == -ECANCELED);
        CHECK(weft_await(r->endless, WEFT_FOREVER) == -ECANCELED);
        CHECK(weft_await(r->ended, WEFT_FOREVER) == 42); /* that one has ended */
        CHECK(weft_submit(NULL, count_up, &r->submitted) == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        return 7;
}

Test(task_cancel, one_that_runs_is_told_and_its_waits_end, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        struct running r = {0};
        struct plug plug;
        weft_task *t;

        sem_init(&r.started, 0, 0);
        sem_init(&r.go, 0, 0);
        plug_in(&plug, other, 1);
        cr_assert_eq(weft_spawn(other, &r.endless, nothing, NULL), 0);
        cr_assert_eq(weft_spawn(pool, &r.ended, give, V(42)), 0);
        cr_assert_eq(weft_await(r.ended, WEFT_FOREVER), 42);
        cr_assert_eq(weft_spawn(pool, &t, told_while_it_runs, &r), 0);
        plug__wait(&r.started);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(weft_task_cancel(t), 0, "told before");
        cr_assert_eq(weft_await(t, 0), -ETIMEDOUT, "told, and not ended by it");
        sem_post(&r.go);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 7, "its own result");
        cr_assert_eq(weft_task_cancel(t), -EALREADY);
        cr_assert(reaches(&r.submitted, 1));
        plug_out(&plug);
        weft_task_unref(t);
        weft_task_unref(r.ended);
        weft_task_unref(r.endless);
        finish(other);
        finish(pool);
}

static int await_it(void *task)
{
        int r = weft_await(task, WEFT_FOREVER);
        CHECK(weft_cancelled() == (r == -ECANCELED ? -ECANCELED : 0));
        return r == -ECANCELED ? 1 : r;
}

static int sleep_long(void *arg)
{
        (void)arg;
        return weft_sleep_until(WEFT_FOREVER) == -ECANCELED ? 1 : 0;
}

static int wait_for_group(void *arg)
{
        return weft_group_wait(arg, WEFT_FOREVER) == -ECANCELED ? 1 : 0;
}

static int await_with_deadline(void *task)
{
        return weft_await(task, in_ms(60000)) == -ECANCELED ? 1 : 0;
}

struct wait {
        weft_fn *fn;
        void *arg;
        atomic_int begun;
};

static int wait_that_way(void *arg)
{
        struct wait *wait = arg;
        atomic_store(&wait->begun, 1);
        return wait->fn(wait->arg);
}

Test(task_cancel, one_that_waits_is_woken, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        struct plug plug;
        weft_group group;
        weft_task *endless;

        plug_in(&plug, other, 1);
        cr_assert_eq(weft_spawn(other, &endless, give, V(42)), 0);
        cr_assert_eq(weft_group_init(&group, other), 0);
        cr_assert_eq(weft_group_spawn(&group, nothing, NULL), 0);
        struct wait wait[] = {{await_it, endless, 0},
                              {sleep_long, NULL, 0},
                              {wait_for_group, &group, 0},
                              {await_with_deadline, endless, 0}};
        for (int i = 0; i < 4; i++) {
                weft_task *t;
                cr_assert_eq(weft_spawn(pool, &t, wait_that_way, &wait[i]), 0);
                cr_assert(reaches(&wait[i].begun, 1));
                cr_assert_eq(weft_await(t, in_ms(20)), -ETIMEDOUT);
                cr_assert_eq(weft_task_cancel(t), 0);
                cr_assert_eq(weft_await(t, in_ms(20000)), 1, "way to wait %d", i);
                weft_task_unref(t);
        }
        cr_assert_eq(weft_await(endless, 0), -ETIMEDOUT, "the awaited task is left alone");
        plug_out(&plug);
        cr_assert_eq(weft_await(endless, WEFT_FOREVER), 42);
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
        weft_group_fini(&group);
        weft_task_unref(endless);
        finish(other);
        finish(pool);
}

Test(task_cancel, waiters_of_a_task_that_never_started_are_woken, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        struct plug plug;
        weft_task *t, *waiter[20];

        plug_in(&plug, other, 1);
        cr_assert_eq(weft_spawn(other, &t, never, NULL), 0);
        for (int i = 0; i < 20; i++)
                cr_assert_eq(weft_spawn(pool, &waiter[i], await_with_deadline, t), 0);
        usleep(10000);
        cr_assert_eq(weft_task_cancel(t), 0);
        for (int i = 0; i < 20; i++) {
                cr_assert_eq(weft_await(waiter[i], in_ms(20000)), 1);
                weft_task_unref(waiter[i]);
        }
        plug_out(&plug);
        weft_task_unref(t);
        finish(other);
        finish(pool);
}

static int cancel_itself(void *arg)
{
        (void)arg;
        CHECK(weft_cancelled() == 0);
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_context_run(NULL, give, V(3), NULL) == 3);
        return 4;
}

static int is_cancelled(void *arg)
{
        (void)arg;
        return weft_cancelled();
}

static int cancel_and_spawn(void *arg)
{
        weft_task *t;
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        CHECK(weft_spawn(NULL, &t, is_cancelled, NULL) == 0);
        *(weft_task **)arg = t;
        CHECK(weft_context_run(NULL, is_cancelled, NULL, NULL) == -ECANCELED);
        return 0;
}

Test(task_cancel, by_itself_and_not_its_children, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t, *child = NULL;

        cr_assert_eq(weft_spawn(pool, &t, cancel_itself, NULL), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 4);
        weft_task_unref(t);
        cr_assert_eq(weft_spawn(pool, &t, cancel_and_spawn, &child), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        cr_assert_eq(weft_await(child, WEFT_FOREVER), 0);
        weft_task_unref(child);
        cr_assert_eq(weft_cancelled(), 0, "outside tasks");
        finish(pool);
}

static int cancel_arg(void *task)
{
        return weft_task_cancel(task);
}

Test(task_cancel, by_a_task_of_another_pool, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        weft_task *sleeper, *t;

        cr_assert_eq(weft_spawn(pool, &sleeper, sleep_long, NULL), 0);
        usleep(10000);
        cr_assert_eq(weft_spawn(other, &t, cancel_arg, sleeper), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        int r = weft_await(sleeper, in_ms(20000));
        cr_assert(r == 1 || r == -ECANCELED, "in its sleep, or before it began");
        weft_task_unref(t);
        weft_task_unref(sleeper);
        finish(other);
        finish(pool);
}

/* ---- races ----------------------------------------------------------------------------------- */

struct fate {
        atomic_int ran, dropped, done;
};

static int fate_run(void *args)
{
        struct fate *f = *(struct fate **)args;
        atomic_fetch_add(&f->ran, 1);
        weft_yield();
        return 1;
}

static void fate_drop(void *args)
{
        atomic_fetch_add(&(*(struct fate **)args)->dropped, 1);
}

struct canceller {
        sem_t given, answered;
        weft_task *task; /* NULL: there will be no more */
        int answer;
};

static void *cancel_what_comes(void *arg)
{
        struct canceller *c = arg;
        for (wait_awake(&c->given); c->task; wait_awake(&c->given)) {
                c->answer = weft_task_cancel(c->task);
                sem_post(&c->answered);
        }
        return NULL;
}

/* Whoever wins, the function runs at most once, the destructor and the callback exactly once, and
 * the result tells which it was. */
Test(task_cancel, against_start_and_end_has_one_outcome, .timeout = 120)
{
        enum { ROUNDS = SLOW_BUILD ? 1000 : 10000 };
        weft_pool *pool = begin(2);
        struct canceller c = {.task = NULL};
        pthread_t thread;
        int ran = 0, cancelled = 0;

        sem_init(&c.given, 0, 0);
        sem_init(&c.answered, 0, 0);
        cr_assert_eq(pthread_create(&thread, NULL, cancel_what_comes, &c), 0);
        for (int i = 0; i < ROUNDS; i++) {
                struct fate fate = {0}, *args = &fate;
                weft_task *t;
                cr_assert_eq(weft_spawn_closure(pool, &t, fate_run, &args, sizeof(args), fate_drop),
                             0);
                cr_assert_eq(weft_task_on_done(t, count_up, &fate.done), 0);
                for (volatile int spin = i % 64 * 20; spin > 0; spin--)
                        ;
                c.task = t;
                sem_post(&c.given);
                int r = weft_await(t, WEFT_FOREVER);
                cr_assert_eq(atomic_load(&fate.dropped), 1);
                cr_assert(r == 1 || r == -ECANCELED);
                cr_assert_eq(atomic_load(&fate.ran), r == 1);
                ran += r == 1;
                cancelled += r != 1;
                wait_awake(&c.answered);
                cr_assert(c.answer == 0 || (r == 1 && c.answer == -EALREADY));
                cr_assert(reaches(&fate.done, 1));
                weft_task_unref(t);
        }
        c.task = NULL;
        sem_post(&c.given);
        pthread_join(thread, NULL);
        cr_log_info("%d ran, %d were cancelled before", ran, cancelled);
        finish(pool);
}

struct two {
        weft_task *task;
        atomic_int won;
};

static void *cancel_too(void *arg)
{
        struct two *two = arg;
        int r = weft_task_cancel(two->task);
        CHECK(r == 0 || r == -EALREADY);
        atomic_fetch_add(&two->won, r == 0);
        return NULL;
}

Test(task_cancel, by_several_at_once_drops_once, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 50 : 300 };
        weft_pool *pool = begin(1);
        struct plug plug;

        plug_in(&plug, pool, 1);
        for (int i = 0; i < ROUNDS; i++) {
                struct fate fate = {0}, *args = &fate;
                struct two two = {0};
                pthread_t thread[3];
                cr_assert_eq(
                    weft_spawn_closure(pool, &two.task, never, &args, sizeof(args), fate_drop), 0);
                for (int k = 0; k < 3; k++)
                        cr_assert_eq(pthread_create(&thread[k], NULL, cancel_too, &two), 0);
                cr_assert_eq(weft_await(two.task, WEFT_FOREVER), -ECANCELED);
                cr_assert_eq(atomic_load(&fate.dropped), 1);
                for (int k = 0; k < 3; k++)
                        pthread_join(thread[k], NULL);
                cr_assert_geq(atomic_load(&two.won), 1);
                weft_task_unref(two.task);
        }
        plug_out(&plug);
        finish(pool);
}

static int wait_until_cancelled(void *started)
{
        sem_post(started);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        return 0;
}

/* The wake-up must not be lost, wherever the task is on its way to sleep. If it is, this hangs. */
Test(task_cancel, against_a_task_that_is_about_to_wait, .timeout = 120)
{
        enum { ROUNDS = SLOW_BUILD ? 300 : 5000 };
        weft_pool *pool = begin(1);

        for (int i = 0; i < ROUNDS; i++) {
                sem_t started;
                weft_task *t;
                sem_init(&started, 0, 0);
                cr_assert_eq(weft_spawn(pool, &t, wait_until_cancelled, &started), 0);
                wait_awake(&started);
                for (volatile int spin = i % 50 * 10; spin > 0; spin--)
                        ;
                cr_assert_eq(weft_task_cancel(t), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
        }
        finish(pool);
}
