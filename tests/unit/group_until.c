/* SPDX-License-Identifier: MIT
 *
 * What a group waits for (weft_group_init_until): all, the first to finish, the first to succeed;
 * and where each task's result goes (weft_group_spawn_into).
 */
#include "pool_help.h"

#include "context/memory.h"

static int sleep_long(void *arg)
{
        atomic_int *cancelled = arg;
        int r = weft_sleep_until(WEFT_FOREVER);
        atomic_fetch_add(cancelled, r == -ECANCELED);
        return r;
}

/* Gives its number when the event comes, and if it does not matter any more, too. */
struct late {
        weft_event event;
        int result;
};

static int give_late(void *arg)
{
        struct late *late = arg;
        WEFT_SHIELD {
                weft_event_wait(&late->event, WEFT_FOREVER);
        }
        return late->result;
}

/* The same at once, and counts itself. */
struct counted {
        atomic_int count;
        int result;
};

static int give_counted(void *arg)
{
        struct counted *counted = arg;
        atomic_fetch_add(&counted->count, 1);
        return counted->result;
}

/* ---- the first to finish --------------------------------------------------------------------- */

Test(group_until, first_done_is_whoever_ends_first_with_whatever_result, .timeout = 30)
{
        const int result[] = {0, 7, -EIO};
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                for (int i = 0; i < 3; i++) {
                        weft_pool *pool = begin(workers);
                        weft_group g;
                        atomic_int cancelled = 0;

                        cr_assert_eq(weft_group_init_until(&g, pool, WEFT_FIRST_DONE), 0);
                        cr_assert_eq(weft_group_spawn(&g, sleep_long, &cancelled), 0);
                        cr_assert_eq(weft_group_spawn(&g, sleep_long, &cancelled), 0);
                        cr_assert_eq(weft_group_spawn(&g, give, V(result[i])), 0);
                        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), result[i]);
                        cr_assert_leq(atomic_load(&cancelled), 2); /* some may not have started */
                        cr_assert_eq(weft_group_spawn(&g, give, V(1)), -ECANCELED);
                        cr_assert_eq(weft_group_wait(&g, 0), result[i], "and again");
                        cr_assert_eq(weft_group_cancel(&g), 0);
                        cr_assert_eq(weft_group_wait(&g, 0), result[i], "it had been decided");
                        weft_group_fini(&g);
                        finish(pool);
                }
        }
}

Test(group_until, what_comes_after_the_first_does_not_count, .timeout = 30)
{
        const int after[] = {0, 9, -EBADF};
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(1);
                struct late late = {.result = after[i]};
                struct counted first = {.result = 3};
                weft_group g;

                weft_event_init(&late.event);
                cr_assert_eq(weft_group_init_until(&g, pool, WEFT_FIRST_DONE), 0);
                cr_assert_eq(weft_group_spawn(&g, give_late, &late), 0);
                cr_assert_eq(weft_group_spawn(&g, give_counted, &first), 0);
                cr_assert(reaches(&first.count, 1));
                cr_assert_eq(weft_group_wait(&g, in_ms(20)), -ETIMEDOUT, "it joins the other");
                weft_event_set(&late.event);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 3);
                weft_group_fini(&g);
                finish(pool);
        }
}

/* ---- the first to succeed -------------------------------------------------------------------- */

Test(group_until, first_success_is_the_first_that_is_no_error, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = begin(workers);
                struct late late = {.result = 5};
                struct counted fails = {.result = -EIO};
                weft_group g;
                atomic_int cancelled = 0;
                int error[2] = {1, 1};

                weft_event_init(&late.event);
                cr_assert_eq(weft_group_init_until(&g, pool, WEFT_FIRST_SUCCESS), 0);
                cr_assert_eq(weft_group_spawn(&g, sleep_long, &cancelled), 0);
                cr_assert_eq(weft_group_spawn(&g, give_late, &late), 0);
                for (int i = 0; i < 2; i++)
                        cr_assert_eq(weft_group_spawn_into(&g, &error[i], give_counted, &fails), 0);
                cr_assert(reaches(&fails.count, 2));
                cr_assert_eq(weft_group_wait(&g, in_ms(20)), -ETIMEDOUT);
                cr_assert_eq(atomic_load(&cancelled), 0, "an error cancels nobody");
                weft_event_set(&late.event);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 5);
                cr_assert(error[0] == -EIO && error[1] == -EIO);
                cr_assert_eq(weft_group_spawn(&g, give, V(1)), -ECANCELED);
                weft_group_fini(&g);
                finish(pool);
        }
}

Test(group_until, without_a_success_the_first_error_is_reported_and_one_may_try_again,
     .timeout = 30)
{
        weft_pool *pool = begin(2);
        weft_group g;

        cr_assert_eq(weft_group_init_until(&g, pool, WEFT_FIRST_SUCCESS), 0);
        cr_assert_eq(weft_group_spawn(&g, give, V(-EIO)), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -EIO);
        cr_assert_eq(weft_group_spawn(&g, give, V(-EBADF)), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -EIO, "the first");
        cr_assert_eq(weft_group_spawn(&g, give, V(0)), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        cr_assert_eq(weft_group_spawn(&g, give, V(0)), -ECANCELED);
        weft_group_fini(&g);
        finish(pool);
}

/* ---- nobody ---------------------------------------------------------------------------------- */

Test(group_until, without_tasks_there_is_nothing_but_all, .timeout = 30)
{
        const weft_group_until until[] = {WEFT_ALL_DONE, WEFT_FIRST_DONE, WEFT_FIRST_SUCCESS};
        const int result[] = {0, -ENOENT, -ENOENT};
        weft_pool *pool = begin(1);
        for (int i = 0; i < 3; i++) {
                weft_group g;
                cr_assert_eq(weft_group_init_until(&g, pool, until[i]), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), result[i]);
                cr_assert_eq(weft_group_cancel(&g), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
                weft_group_fini(&g);
        }
        finish(pool);
}

Test(group_until, cancelled_before_anybody_has_decided, .timeout = 30)
{
        const weft_group_until until[] = {WEFT_ALL_DONE, WEFT_FIRST_DONE, WEFT_FIRST_SUCCESS};
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(1);
                weft_group g;
                struct counted fails = {.result = -EIO};
                atomic_int cancelled = 0;
                int error = 1;

                cr_assert_eq(weft_group_init_until(&g, pool, until[i]), 0);
                cr_assert_eq(weft_group_spawn(&g, sleep_long, &cancelled), 0);
                if (until[i] == WEFT_FIRST_SUCCESS) {
                        cr_assert_eq(weft_group_spawn_into(&g, &error, give_counted, &fails), 0);
                        cr_assert(reaches(&fails.count, 1));
                }
                cr_assert_eq(weft_group_cancel(&g), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
                weft_group_fini(&g);
                finish(pool);
        }
}

Test(group_until, there_are_three_ways, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_group g;
        cr_assert_eq(weft_group_init_until(NULL, pool, WEFT_FIRST_DONE), -EINVAL);
        cr_assert_eq(weft_group_init_until(&g, pool, (weft_group_until)3), -EINVAL);
        cr_assert_eq(weft_group_init_until(&g, pool, (weft_group_until)-1), -EINVAL);
        finish(pool);
}

/* ---- a race ---------------------------------------------------------------------------------- */

/* Of many that win at the same time one does, and each one's result is where it belongs. */
Test(group_until, of_many_at_once_one_wins, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 100 : 2000, TASKS = 10 };
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = begin(workers);
                for (int round = 0; round < ROUNDS; round++) {
                        weft_group_until until = round % 2 ? WEFT_FIRST_DONE : WEFT_FIRST_SUCCESS;
                        weft_group *g = malloc(sizeof(*g));
                        int result[TASKS], spawned = 0, r = 0;

                        cr_assert_eq(weft_group_init_until(g, pool, until), 0);
                        while (spawned < TASKS && r == 0) {
                                result[spawned] = 77;
                                r = weft_group_spawn_into(g, &result[spawned], give, V(spawned));
                                spawned += r == 0;
                        }
                        cr_assert(r == 0 || r == -ECANCELED);
                        int winner = weft_group_wait(g, WEFT_FOREVER);
                        cr_assert(winner >= 0 && winner < spawned, "%d of %d", winner, spawned);
                        for (int i = 0; i < spawned; i++)
                                cr_assert(result[i] == i || result[i] == -ECANCELED);
                        cr_assert_eq(result[winner], winner);
                        weft_group_fini(g);
                        memset(g, 0xa5, sizeof(*g));
                        free(g);
                }
                finish(pool);
        }
}

/* ---- results in order ------------------------------------------------------------------------ */

Test(group_until, results_are_in_the_order_of_the_array, .timeout = 30)
{
        enum { TASKS = 100 };
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = begin(workers);
                int result[TASKS];
                weft_group g;

                cr_assert_eq(weft_group_init(&g, pool), 0);
                for (int i = 0; i < TASKS; i++) {
                        result[i] = -1;
                        cr_assert_eq(weft_group_spawn_into(&g, &result[i], give, V(3 * i)), 0);
                }
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
                for (int i = 0; i < TASKS; i++)
                        cr_assert_eq(result[i], 3 * i);
                weft_group_fini(&g);
                finish(pool);
        }
}

Test(group_until, results_of_tasks_that_never_ran, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        int result[3] = {1, 1, 1}, refused = 1;
        weft_group g;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_group_spawn_into(&g, &result[i], give, V(0)), 0);
        cr_assert_eq(weft_group_cancel(&g), 0);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(result[i], -ECANCELED);
        cr_assert_eq(weft_group_spawn_into(&g, &refused, give, V(0)), -ECANCELED);
        cr_assert_eq(weft_group_spawn_into(&g, NULL, give, V(0)), -EINVAL);
        cr_assert_eq(weft_group_spawn_into(NULL, &refused, give, V(0)), -EINVAL);
        cr_assert_eq(weft_group_spawn_into(&g, &refused, NULL, V(0)), -EINVAL);
        cr_assert_eq(refused, 1, "nothing is stored");
        plug_out(&plug);
        weft_group_fini(&g);
        finish(pool);
}

Test(group_until, results_of_a_pool_that_is_cancelled, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        int result[3] = {1, 1, 1};
        weft_group g;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init_until(&g, pool, WEFT_FIRST_DONE), 0);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_group_spawn_into(&g, &result[i], give, V(0)), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, 0), -ETIMEDOUT);
        plug_out(&plug);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(result[i], -ECANCELED);
        weft_group_fini(&g);
        finish(pool);
}

/* A task that came too late for its deadline has ended all the same: with an error. */
Test(group_until, results_of_tasks_whose_deadline_has_passed, .timeout = 30)
{
        const weft_group_until until[] = {WEFT_ALL_DONE, WEFT_FIRST_DONE, WEFT_FIRST_SUCCESS};
        weft_pool *pool = begin(1);
        for (int i = 0; i < 3; i++) {
                int late = 1, result = 1;
                weft_group g;

                cr_assert_eq(weft_group_init_until(&g, pool, until[i]), 0);
                WEFT_DEADLINE (weft_now()) {
                        cr_assert_eq(weft_group_spawn_into(&g, &late, give, V(1)), 0);
                }
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ETIMEDOUT);
                cr_assert_eq(late, -ETIMEDOUT);
                int r = weft_group_spawn_into(&g, &result, give, V(2));
                cr_assert_eq(r, until[i] == WEFT_FIRST_SUCCESS ? 0 : -ECANCELED);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), r == 0 ? 2 : -ETIMEDOUT);
                weft_group_fini(&g);
        }
        finish(pool);
}

/* ---- no memory ------------------------------------------------------------------------------- */

static int fails(size_t size)
{
        (void)size;
        return 1;
}

Test(group_until, a_spawn_without_memory_changes_nothing, .timeout = 30)
{
        weft_pool *pool = begin(1);
        int result = 1;
        weft_group g;

        cr_assert_eq(weft_group_init_until(&g, pool, WEFT_FIRST_SUCCESS), 0);
        weft__alloc_fails = fails;
        int r = weft_group_spawn_into(&g, &result, give, V(4));
        weft__alloc_fails = NULL;
        cr_assert_eq(r, -ENOMEM);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ENOENT, "no task was there");
        cr_assert_eq(weft_group_spawn_into(&g, &result, give, V(4)), 0);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 4);
        cr_assert_eq(result, 4);
        weft_group_fini(&g);
        finish(pool);
}
