/* SPDX-License-Identifier: MIT
 *
 * The end of a pool: drain and cancel, deadlines, submits that come too late, callers that must not
 * wait for themselves, several callers at once, and what is left for those who still hold handles.
 */
#include "pool_help.h"

static struct weft_pool_stats stats_of(weft_pool *pool)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        cr_assert_eq(weft_pool_stats(pool, &s), 0);
        return s;
}

/* ---- drain ----------------------------------------------------------------------------------- */

Test(pool_shutdown, drain_runs_what_was_accepted_and_stops_the_workers, .timeout = 30)
{
        int before = threads_before();
        weft_pool *pool = begin(2);
        atomic_int count = 0;
        struct plug plug;

        plug_in(&plug, pool, 2);
        for (int i = 0; i < 500; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        plug_out(&plug);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(atomic_load(&count), 500);
        cr_assert(threads_become(before));
        cr_assert_eq(weft_submit(pool, count_up, &count), -ESHUTDOWN);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 500);
}

static int sleep_then_count(void *arg)
{
        CHECK(weft_sleep_until(in_ms(30)) == 0);
        return count_up(arg);
}

static int await_then_count(void *arg)
{
        void **args = arg;
        CHECK(weft_await(args[0], WEFT_FOREVER) == 0);
        return count_up(args[1]);
}

Test(pool_shutdown, drain_waits_for_tasks_that_wait, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        atomic_int count = 0;
        weft_task *far;

        cr_assert_eq(weft_submit(pool, sleep_then_count, &count), 0);
        cr_assert_eq(weft_spawn(other, &far, sleep_then_count, &count), 0);
        void *args[2] = {far, &count};
        cr_assert_eq(weft_submit(pool, await_then_count, args), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(atomic_load(&count), 3);
        weft_task_unref(far);
        finish(other);
        finish(pool);
}

struct late {
        weft_pool *pool;
        sem_t started, go;
        atomic_int result, count;
};

static int submit_late(void *arg)
{
        struct late *late = arg;
        weft_task *t;
        sem_post(&late->started);
        plug__wait(&late->go);
        atomic_store(&late->result, weft_submit(late->pool, count_up, &late->count));
        CHECK(weft_submit(NULL, count_up, &late->count) == -ESHUTDOWN);
        CHECK(weft_submit_copy(NULL, count_up, late, sizeof(*late)) == -ESHUTDOWN);
        CHECK(weft_spawn(NULL, &t, count_up, &late->count) == -ESHUTDOWN);
        weft_group group;
        CHECK(weft_group_init(&group, NULL) == 0);
        CHECK(weft_group_spawn(&group, count_up, &late->count) == -ESHUTDOWN);
        CHECK(weft_group_wait(&group, WEFT_FOREVER) == 0);
        weft_group_fini(&group);
        return 0;
}

Test(pool_shutdown, tasks_cannot_submit_once_it_began, .timeout = 30)
{
        for (int how = WEFT_DRAIN; how <= WEFT_CANCEL; how++) {
                struct late late = {.pool = begin(1)};
                sem_init(&late.started, 0, 0);
                sem_init(&late.go, 0, 0);
                cr_assert_eq(weft_submit(late.pool, submit_late, &late), 0);
                plug__wait(&late.started);
                cr_assert_eq(weft_pool_shutdown(late.pool, (weft_shutdown)how, in_ms(20)),
                             -ETIMEDOUT);
                sem_post(&late.go);
                cr_assert_eq(weft_pool_shutdown(late.pool, WEFT_DRAIN, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&late.result), -ESHUTDOWN);
                cr_assert_eq(atomic_load(&late.count), 0);
                finish(late.pool);
        }
}

Test(pool_shutdown, destroy_drains, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 3; workers++) {
                weft_pool *pool = begin(workers);
                atomic_int count = 0;
                for (int i = 0; i < 200; i++)
                        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
                cr_assert_eq(weft_submit(pool, sleep_then_count, &count), 0);
                finish(pool);
                cr_assert_eq(atomic_load(&count), 201);
        }
        cr_assert_null(weft_pool_destroy(NULL));
}

/* ---- cancel ---------------------------------------------------------------------------------- */

static int wait_for_cancellation(void *arg)
{
        atomic_fetch_add((atomic_int *)arg, 1);
        while (weft_cancelled() == 0)
                usleep(100);
        CHECK(weft_cancelled() == -ECANCELED);
        return 7;
}

static int sleep_for_ever(void *arg)
{
        atomic_fetch_add((atomic_int *)arg, 1);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        CHECK(weft_yield() == -ECANCELED);
        return 8;
}

struct awaiting {
        weft_task *task;
        atomic_int *started;
};

static int await_for_ever(void *arg)
{
        struct awaiting *a = arg;
        atomic_fetch_add(a->started, 1);
        CHECK(weft_await(a->task, WEFT_FOREVER) == -ECANCELED);
        return 9;
}

Test(pool_shutdown, cancel_ends_what_is_queued_and_tells_what_runs_or_waits, .timeout = 30)
{
        skip_when_forced(workers); /* one of two is to be left free */
        weft_pool *pool = begin(2), *other = begin(1);
        atomic_int started = 0, count = 0;
        struct plug plug;
        weft_task *far, *running, *asleep, *waiting, *queued[10];

        plug_in(&plug, other, 1);
        cr_assert_eq(weft_spawn(other, &far, nothing, NULL), 0);
        struct awaiting a = {far, &started};
        cr_assert_eq(weft_spawn(pool, &asleep, sleep_for_ever, &started), 0);
        cr_assert_eq(weft_spawn(pool, &waiting, await_for_ever, &a), 0);
        cr_assert(reaches(&started, 2));
        cr_assert_eq(weft_spawn(pool, &running, wait_for_cancellation, &started), 0);
        cr_assert(reaches(&started, 3));
        struct plug own;
        plug_in(&own, pool, 1);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_spawn(pool, &queued[i], count_up, &count), 0);
        int r = weft_pool_shutdown(pool, WEFT_CANCEL, 0);
        cr_assert_eq(r, -ETIMEDOUT);
        plug_out(&own);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
        cr_assert_eq(weft_await(running, 0), 7, "told, and then it returned as it liked");
        cr_assert_eq(weft_await(asleep, 0), 8);
        cr_assert_eq(weft_await(waiting, 0), 9);
        for (int i = 0; i < 10; i++) {
                cr_assert_eq(weft_await(queued[i], 0), -ECANCELED);
                weft_task_unref(queued[i]);
        }
        cr_assert_eq(atomic_load(&count), 0);
        struct weft_pool_stats s = stats_of(pool);
        cr_assert_eq(s.submitted, 14);
        cr_assert_eq(s.run, 4);
        cr_assert_eq(s.cancelled, 10);
        cr_assert_eq(s.queued, 0);
        int result = 1;
        cr_assert_eq(weft_task_result(far, &result), -EINPROGRESS, "of another pool: left alone");
        plug_out(&plug);
        cr_assert_eq(weft_await(far, WEFT_FOREVER), 0);
        weft_task_unref(far);
        weft_task_unref(running);
        weft_task_unref(asleep);
        weft_task_unref(waiting);
        finish(other);
        finish(pool);
}

static void *await_on_thread(void *task)
{
        return V(weft_await(task, WEFT_FOREVER));
}

Test(pool_shutdown, cancel_wakes_outsiders_that_await_a_task_that_never_ran, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        pthread_t thread[4];
        weft_task *t;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
        for (int i = 0; i < 4; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, await_on_thread, t), 0);
        usleep(10000);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, 0), -ETIMEDOUT);
        plug_out(&plug);
        for (int i = 0; i < 4; i++) {
                void *result = NULL;
                cr_assert_eq(pthread_join(thread[i], &result), 0);
                cr_assert_eq(N(result), -ECANCELED);
        }
        weft_task_unref(t);
        finish(pool);
}

Test(pool_shutdown, cancel_hastens_a_drain_that_is_under_way, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int started = 0;

        cr_assert_eq(weft_submit(pool, sleep_for_ever, &started), 0);
        cr_assert(reaches(&started, 1));
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, in_ms(20)), -ETIMEDOUT);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
        finish(pool);
}

/* ---- deadline -------------------------------------------------------------------------------- */

Test(pool_shutdown, deadline_passes_and_the_pool_goes_on_with_its_tasks, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        struct plug plug;

        plug_in(&plug, pool, 1);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, 0), -ETIMEDOUT);
        int64_t begun = weft_now();
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, in_ms(30)), -ETIMEDOUT);
        cr_assert_geq(weft_now() - begun, 30 * MS);
        cr_assert_eq(weft_submit(pool, count_up, &count), -ESHUTDOWN);
        cr_assert_eq(atomic_load(&count), 0);
        plug_out(&plug);
        cr_assert(reaches(&count, 10), "without a further call");
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, in_ms(20000)), 0);
        finish(pool);
}

Test(pool_shutdown, destroy_after_a_deadline_that_passed, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        struct plug plug;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, 0), -ETIMEDOUT);
        plug_out(&plug);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 1);
}

/* ---- callers --------------------------------------------------------------------------------- */

static int shut_own_pool_down(void *arg)
{
        weft_pool *pool = weft_pool_current();
        CHECK(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == -EDEADLK);
        CHECK(weft_pool_shutdown(pool, WEFT_CANCEL, 0) == -EDEADLK);
        CHECK(weft_pool_destroy(pool) == pool);
        CHECK(weft_cancelled() == 0);
        return weft_submit(pool, count_up, arg); /* nothing was done: it accepts tasks */
}

Test(pool_shutdown, own_worker_gets_edeadlk_and_nothing_is_done, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                atomic_int count = 0;
                weft_task *t;

                cr_assert_eq(weft_spawn(pool, &t, shut_own_pool_down, &count), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
                cr_assert(reaches(&count, 1));
                finish(pool);
        }
}

Test(pool_shutdown, again_returns_at_once, .timeout = 30)
{
        weft_pool *pool = begin(2);

        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, 0), 0);
        finish(pool);
}

Test(pool_shutdown, arguments_are_checked_and_nothing_is_done, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;

        cr_assert_eq(weft_pool_shutdown(NULL, WEFT_DRAIN, WEFT_FOREVER), -EINVAL);
        cr_assert_eq(weft_pool_shutdown(pool, (weft_shutdown)2, WEFT_FOREVER), -EINVAL);
        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 1);
}

struct closer {
        weft_pool *pool;
        weft_shutdown how;
};

static void *shut_down(void *arg)
{
        struct closer *c = arg;
        return V(weft_pool_shutdown(c->pool, c->how, WEFT_FOREVER));
}

Test(pool_shutdown, many_threads_may_call_it_at_once, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 30 : 200, CLOSERS = 4 };
        for (int round = 0; round < ROUNDS; round++) {
                weft_pool *pool = begin(2);
                struct closer closer[CLOSERS];
                pthread_t thread[CLOSERS];
                atomic_int count = 0;

                for (int i = 0; i < 50; i++)
                        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
                for (int i = 0; i < CLOSERS; i++) {
                        int how = round % 2 ? WEFT_DRAIN : i % 2;
                        closer[i] = (struct closer){pool, (weft_shutdown)how};
                        cr_assert_eq(pthread_create(&thread[i], NULL, shut_down, &closer[i]), 0);
                }
                for (int i = 0; i < CLOSERS; i++) {
                        void *result = V(1);
                        cr_assert_eq(pthread_join(thread[i], &result), 0);
                        cr_assert_eq(N(result), 0);
                }
                struct weft_pool_stats s = stats_of(pool);
                cr_assert_eq(s.run, (uint64_t)atomic_load(&count));
                cr_assert_eq(s.run + s.cancelled, 50);
                if (round % 2)
                        cr_assert_eq(s.run, 50);
                finish(pool);
        }
}

static int close_other(void *arg)
{
        struct closer *c = arg;
        CHECK(weft_pool_shutdown(c->pool, c->how, in_ms(10)) == -ETIMEDOUT);
        CHECK(weft_pool_shutdown(c->pool, c->how, WEFT_FOREVER) == 0);
        CHECK(weft_pool_destroy(c->pool) == NULL);
        return 0;
}

/* It parks: the only worker of its own pool goes on meanwhile. */
Test(pool_shutdown, a_task_of_another_pool_may_call_it, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        struct closer closer = {pool, WEFT_DRAIN};
        atomic_int count = 0, here = 0;
        struct plug plug;
        weft_task *t;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_spawn(other, &t, close_other, &closer), 0);
        for (int i = 1; i <= 5; i++) {
                usleep(5000);
                cr_assert_eq(weft_submit(other, count_up, &here), 0);
                cr_assert(reaches(&here, i));
        }
        plug_out(&plug);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        cr_assert_eq(atomic_load(&count), 1);
        weft_task_unref(t);
        finish(other);
}

/* ---- races with submit ----------------------------------------------------------------------- */

/* A producer submits until it is refused. It does not count on the shutdown to come soon: after
 * AT_MOST it waits until the pool is closed. */
enum { AT_MOST = SLOW_BUILD ? 500 : 20000, PRODUCERS = 3 };

struct race {
        weft_pool *pool;
        int begin_at; /* the shutdown begins when a producer has submitted so many */
        sem_t begin, closed;
        atomic_int dropped;
};

struct producer {
        struct race *race;
        atomic_int ran;
        int accepted, last; /* for whoever joins the thread */
};

static int count_closure(void *args)
{
        atomic_fetch_add(&(*(struct producer **)args)->ran, 1);
        return 0;
}

static void drop_closure(void *args)
{
        atomic_fetch_add(&(*(struct producer **)args)->race->dropped, 1);
}

static bool produce(struct producer *p)
{
        p->last = weft_submit_closure(p->race->pool, count_closure, &p, sizeof(struct producer *),
                                      drop_closure);
        p->accepted += p->last == 0;
        return p->last == 0;
}

static void *produce_until_refused(void *arg)
{
        struct producer *p = arg;
        while (p->accepted < AT_MOST) {
                if (p->accepted == p->race->begin_at)
                        sem_post(&p->race->begin);
                if (!produce(p))
                        return NULL;
        }
        plug__wait(&p->race->closed);
        produce(p);
        return NULL;
}

static void race_once(weft_shutdown how, unsigned workers, int begin_at)
{
        struct race race = {.pool = begin(workers), .begin_at = begin_at};
        struct producer producer[PRODUCERS] = {0};
        pthread_t thread[PRODUCERS];
        int accepted = 0, ran = 0;

        sem_init(&race.begin, 0, 0);
        sem_init(&race.closed, 0, 0);
        for (int i = 0; i < PRODUCERS; i++) {
                producer[i].race = &race;
                cr_assert_eq(pthread_create(&thread[i], NULL, produce_until_refused, &producer[i]),
                             0);
        }
        wait_awake(&race.begin);
        cr_assert_eq(weft_pool_shutdown(race.pool, how, WEFT_FOREVER), 0);
        for (int i = 0; i < PRODUCERS; i++)
                sem_post(&race.closed);
        for (int i = 0; i < PRODUCERS; i++) {
                cr_assert_eq(pthread_join(thread[i], NULL), 0);
                cr_assert_eq(producer[i].last, -ESHUTDOWN);
                accepted += producer[i].accepted;
                ran += atomic_load(&producer[i].ran);
        }
        struct weft_pool_stats s = stats_of(race.pool);
        cr_assert_eq(s.submitted, (uint64_t)accepted);
        cr_assert_eq(s.run, (uint64_t)ran);
        cr_assert_eq(s.run + s.cancelled, s.submitted);
        cr_assert_eq(atomic_load(&race.dropped), accepted, "each accepted closure, once");
        if (how == WEFT_DRAIN)
                cr_assert_eq(ran, accepted);
        finish(race.pool);
}

static void race_with(weft_shutdown how)
{
        enum { ROUNDS = SLOW_BUILD ? 20 : 100 };
        for (int round = 0; round < ROUNDS; round++)
                race_once(how, 1 + (unsigned)round % 2, round * 37 % (AT_MOST / 2));
}

Test(pool_shutdown, drain_against_submit_runs_exactly_what_was_accepted, .timeout = 60)
{
        race_with(WEFT_DRAIN);
}

Test(pool_shutdown, cancel_against_submit_loses_nothing, .timeout = 60)
{
        race_with(WEFT_CANCEL);
}

/* ---- handles afterwards ---------------------------------------------------------------------- */

static weft_var a = WEFT_VAR_INIT("a");

static int callback_elsewhere(void *arg)
{
        CHECK(weft_get(&a) == V(4));
        CHECK(weft_pool_current() == weft_pool_default());
        return count_up(arg);
}

Test(pool_shutdown, handles_outlive_the_pool, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_task *ran, *cancelled;
        atomic_int callbacks = 0;
        int result = 0;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &ran, give, V(42)), 0);
        cr_assert_eq(weft_spawn(pool, &cancelled, give, V(43)), 0);
        cr_assert_eq(weft_task_cancel(cancelled), 0);
        plug_out(&plug);
        finish(pool);
        cr_assert_eq(weft_await(ran, WEFT_FOREVER), 42);
        cr_assert_eq(weft_await(cancelled, WEFT_FOREVER), -ECANCELED);
        cr_assert_eq(weft_task_result(ran, &result), 0);
        cr_assert_eq(result, 42);
        cr_assert_eq(weft_task_result(cancelled, &result), 0);
        cr_assert_eq(result, -ECANCELED);
        cr_assert_eq(weft_task_cancel(ran), -EALREADY);
        cr_assert_eq(weft_task_cancel(cancelled), -EALREADY);
        WEFT_WITH (&a, V(4)) {
                cr_assert_eq(weft_task_on_done(ran, callback_elsewhere, &callbacks), 0);
        }
        cr_assert(reaches(&callbacks, 1));
        cr_assert_eq(weft_task_ref(ran), ran);
        cr_assert_null(weft_task_unref(ran));
        cr_assert_null(weft_task_unref(ran));
        cr_assert_null(weft_task_unref(cancelled));
        assert_checks();
}

/* A fire-and-forget task has a handle all the same. */
static int keep_own_handle(void *arg)
{
        *(weft_task **)arg = weft_task_ref(weft_task_current());
        return 5;
}

Test(pool_shutdown, a_task_may_hand_out_its_own_handle, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t = NULL;

        cr_assert_eq(weft_submit(pool, keep_own_handle, &t), 0);
        finish(pool);
        cr_assert_not_null(t);
        cr_assert_eq(weft_await(t, 0), 5);
        weft_task_unref(t);
}
