/* SPDX-License-Identifier: MIT
 *
 * How a group ends early: the first error wins and cancels the rest, cancellation from outside and
 * from within, what may still be done with a cancelled group, and that it joins all the same.
 */
#include "pool_help.h"

static int never(void *arg)
{
        (void)arg;
        CHECK(!"a cancelled task ran");
        return 0;
}

static void count_drop(void *args)
{
        atomic_fetch_add(*(atomic_int **)args, 1);
}

Test(group_cancel, first_error_wins_and_cancels_what_has_not_started, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_group g;
        atomic_int dropped = 0, *args = &dropped;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, give, V(-EIO)), 0);
        plug_out(&plug);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -EIO);
        cr_assert_eq(weft_group_spawn(&g, never, NULL), -ECANCELED);
        cr_assert_eq(weft_group_spawn_closure(&g, never, &args, sizeof(args), count_drop),
                     -ECANCELED);
        cr_assert_eq(atomic_load(&dropped), 0, "a failed spawn drops nothing");
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -EIO, "and again");
        weft_group_fini(&g);
        finish(pool);
}

struct rest {
        weft_group group;
        atomic_int ran, cancelled, dropped;
};

static int fail_after(void *arg)
{
        struct rest *rest = *(struct rest **)arg;
        while (atomic_load(&rest->ran) < 3)
                CHECK(weft_yield() == 0);
        return -EIO;
}

static int run_until_cancelled(void *arg)
{
        struct rest *rest = *(struct rest **)arg;
        atomic_fetch_add(&rest->ran, 1);
        while (weft_cancelled() == 0)
                weft_yield();
        atomic_fetch_add(&rest->cancelled, 1);
        return -ENOENT; /* it ends because of the cancellation: not an error of its own */
}

static int sleep_until_cancelled(void *arg)
{
        struct rest *rest = *(struct rest **)arg;
        atomic_fetch_add(&rest->ran, 1);
        int r = weft_sleep_until(WEFT_FOREVER);
        CHECK(r == -ECANCELED);
        atomic_fetch_add(&rest->cancelled, 1);
        return r;
}

static void drop_rest(void *args)
{
        atomic_fetch_add(&(*(struct rest **)args)->dropped, 1);
}

Test(group_cancel, an_error_tells_those_that_run_or_wait, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 3; workers++) {
                weft_pool *pool = begin(workers);
                struct rest rest = {.ran = 0}, *args = &rest;
                weft_fn *fn[] = {run_until_cancelled, sleep_until_cancelled, sleep_until_cancelled,
                                 fail_after};

                cr_assert_eq(weft_group_init(&rest.group, pool), 0);
                for (int i = 0; i < 4; i++)
                        cr_assert_eq(weft_group_spawn_closure(&rest.group, fn[i], &args,
                                                              sizeof(args), drop_rest),
                                     0);
                cr_assert_eq(weft_group_wait(&rest.group, WEFT_FOREVER), -EIO);
                cr_assert_eq(atomic_load(&rest.cancelled), 3);
                cr_assert_eq(atomic_load(&rest.dropped), 4);
                weft_group_fini(&rest.group);
                finish(pool);
        }
}

static int fail_at_once(void *arg)
{
        struct rest *rest = *(struct rest **)arg;
        atomic_fetch_add(&rest->ran, 1);
        return -EBADF;
}

/* Whichever fails first; the others either had failed as well or were never started. */
Test(group_cancel, of_many_errors_one_is_reported_and_every_task_accounted_for, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 50 : 500, TASKS = 20 };
        weft_pool *pool = begin(2);

        for (int round = 0; round < ROUNDS; round++) {
                struct rest rest = {.ran = 0}, *args = &rest;
                int accepted = 0;
                cr_assert_eq(weft_group_init(&rest.group, pool), 0);
                for (int i = 0; i < TASKS; i++) {
                        int r = weft_group_spawn_closure(&rest.group, fail_at_once, &args,
                                                         sizeof(args), drop_rest);
                        cr_assert(r == 0 || r == -ECANCELED);
                        accepted += r == 0;
                }
                cr_assert_eq(weft_group_wait(&rest.group, WEFT_FOREVER), -EBADF);
                cr_assert_eq(atomic_load(&rest.dropped), accepted);
                cr_assert_geq(atomic_load(&rest.ran), 1);
                weft_group_fini(&rest.group);
        }
        finish(pool);
}

Test(group_cancel, positive_results_are_no_errors, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_group_spawn(&g, give, V(i)), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        weft_group_fini(&g);
        finish(pool);
}

static weft_var counted =
    WEFT_VAR_INIT("counted", .retain = value_retain, .release = value_release);

Test(group_cancel, a_spawn_that_is_refused_keeps_nothing_of_the_context, .timeout = 30)
{
        static struct value value;
        weft_pool *pool = begin(1);
        weft_group g;
        atomic_int dropped = 0, *args = &dropped;
        int result = 7;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_cancel(&g), 0);
        cr_assert_eq(weft_set(&counted, &value, NULL), 0);
        cr_assert_eq(weft_group_spawn(&g, never, NULL), -ECANCELED);
        cr_assert_eq(weft_group_spawn_into(&g, &result, never, NULL), -ECANCELED);
        cr_assert_eq(weft_group_spawn_closure(&g, never, &args, sizeof(args), count_drop),
                     -ECANCELED);
        cr_assert_eq(weft_set(&counted, NULL, NULL), 0);
        cr_assert_eq(atomic_load(&value.retained), 1);
        cr_assert_eq(atomic_load(&value.released), 1);
        cr_assert_eq(atomic_load(&dropped), 0);
        cr_assert_eq(result, 7);
        weft_group_fini(&g);
        finish(pool);
}

Test(group_cancel, from_outside_ends_what_has_not_started_and_refuses_more, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_group g;
        atomic_int dropped = 0, *args = &dropped;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < 100; i++)
                cr_assert_eq(weft_group_spawn_closure(&g, never, &args, sizeof(args), count_drop),
                             0);
        cr_assert_eq(weft_group_cancel(&g), 0);
        cr_assert_eq(atomic_load(&dropped), 100, "by the call itself");
        cr_assert_eq(weft_group_wait(&g, in_ms(20000)), -ECANCELED, "though the worker is busy");
        cr_assert_eq(weft_group_cancel(&g), 0, "again");
        cr_assert_eq(weft_group_spawn(&g, never, NULL), -ECANCELED);
        weft_group_fini(&g);
        plug_out(&plug);
        finish(pool);
}

Test(group_cancel, an_error_before_the_cancellation_is_what_wait_reports, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, give, V(-EIO)), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -EIO);
        cr_assert_eq(weft_group_cancel(&g), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -EIO);
        weft_group_fini(&g);
        finish(pool);
}

Test(group_cancel, of_an_empty_group_is_remembered, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;

        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_cancel(&g), 0);
        cr_assert_eq(weft_group_wait(&g, 0), -ECANCELED);
        cr_assert_eq(weft_group_spawn(&g, never, NULL), -ECANCELED);
        weft_group_fini(&g);
        finish(pool);
}

static int cancel_own_group(void *arg)
{
        struct rest *rest = *(struct rest **)arg;
        CHECK(weft_group_cancel(&rest->group) == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_group_spawn(&rest->group, never, NULL) == -ECANCELED);
        return 0;
}

Test(group_cancel, by_one_of_its_tasks, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        struct rest rest = {.ran = 0}, *args = &rest;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init(&rest.group, pool), 0);
        cr_assert_eq(
            weft_group_spawn_closure(&rest.group, cancel_own_group, &args, sizeof(args), drop_rest),
            0);
        plug_out(&plug);
        cr_assert_eq(weft_group_wait(&rest.group, WEFT_FOREVER), -ECANCELED);
        weft_group_fini(&rest.group);
        finish(pool);
        cr_assert_eq(atomic_load(&rest.dropped), 1);
}

static int wait_then_clean_up(void *arg)
{
        struct rest *rest = arg;
        atomic_fetch_add(&rest->ran, 1);
        CHECK(weft_group_wait(&rest->group, WEFT_FOREVER) == -ECANCELED);
        CHECK(weft_cancelled() == -ECANCELED);
        atomic_fetch_add(&rest->cancelled, 1);
        weft_group_fini(&rest->group); /* cancelled or not, this one waits */
        CHECK(atomic_load(&rest->dropped) == 1);
        return 0;
}

static int clean_up(void *arg)
{
        struct rest *rest = arg;
        atomic_fetch_add(&rest->ran, 1);
        weft_group_fini(&rest->group);
        CHECK(atomic_load(&rest->dropped) == 1);
        return 0;
}

/* The task that waits is cancelled: its wait ends, its fini does not. */
Test(group_cancel, of_the_waiting_task_ends_its_wait_but_not_its_fini, .timeout = 30)
{
        for (int how = 0; how < 2; how++) {
                weft_pool *pool = begin(1), *other = begin(1);
                struct plug plug;
                struct rest rest = {.ran = 0}, *args = &rest;
                weft_task *t;

                plug_in(&plug, other, 1);
                cr_assert_eq(weft_group_init(&rest.group, other), 0);
                cr_assert_eq(
                    weft_group_spawn_closure(&rest.group, nothing, &args, sizeof(args), drop_rest),
                    0);
                cr_assert_eq(weft_spawn(pool, &t, how ? clean_up : wait_then_clean_up, &rest), 0);
                cr_assert(reaches(&rest.ran, 1));
                usleep(5000);
                cr_assert_eq(weft_task_cancel(t), 0);
                cr_assert(how == 1 || reaches(&rest.cancelled, 1));
                cr_assert_eq(weft_await(t, in_ms(30)), -ETIMEDOUT, "it is still in fini");
                plug_out(&plug);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
                finish(other);
                finish(pool);
        }
}

struct nested {
        sem_t inner_runs;
};

static int inner(void *arg)
{
        struct nested *n = arg;
        sem_post(&n->inner_runs);
        return weft_sleep_until(WEFT_FOREVER);
}

static int outer(void *arg)
{
        struct nested *n = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        CHECK(weft_group_spawn(&g, inner, n) == 0);
        int r = weft_group_wait(&g, WEFT_FOREVER);
        CHECK(r == -ECANCELED);
        weft_group_fini(&g);
        return r;
}

Test(group_cancel, of_an_outer_group_comes_down_to_an_inner_one, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct nested n = {0};
        weft_group g;

        sem_init(&n.inner_runs, 0, 0);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, outer, &n), 0);
        plug__wait(&n.inner_runs);
        cr_assert_eq(weft_group_cancel(&g), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
        weft_group_fini(&g);
        finish(pool);
}

/* ---- races ----------------------------------------------------------------------------------- */

static void *cancel_group(void *arg)
{
        struct rest *rest = arg;
        for (volatile int spin = rand() % 2000; spin > 0; spin--)
                ;
        CHECK(weft_group_cancel(&rest->group) == 0);
        return NULL;
}

static int count_rest(void *arg)
{
        atomic_fetch_add(&(*(struct rest **)arg)->ran, 1);
        return 0;
}

Test(group_cancel, against_spawn_and_end_loses_nothing, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 100 : 1000 };
        weft_pool *pool = begin(2);

        for (int round = 0; round < ROUNDS; round++) {
                struct rest rest = {.ran = 0}, *args = &rest;
                pthread_t thread;
                int accepted = 0, r = 0;

                cr_assert_eq(weft_group_init(&rest.group, pool), 0);
                cr_assert_eq(pthread_create(&thread, NULL, cancel_group, &rest), 0);
                for (int i = 0; i < 100; i++) {
                        r = weft_group_spawn_closure(&rest.group, count_rest, &args, sizeof(args),
                                                     drop_rest);
                        cr_assert(r == 0 || r == -ECANCELED);
                        accepted += r == 0;
                }
                int waited = weft_group_wait(&rest.group, WEFT_FOREVER);
                cr_assert(waited == -ECANCELED || (waited == 0 && accepted == 100));
                pthread_join(thread, NULL);
                cr_assert_eq(weft_group_wait(&rest.group, WEFT_FOREVER), -ECANCELED);
                weft_group_fini(&rest.group);
                cr_assert_eq(atomic_load(&rest.dropped), accepted);
                cr_assert_leq(atomic_load(&rest.ran), accepted);
        }
        finish(pool);
}
