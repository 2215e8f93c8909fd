/* SPDX-License-Identifier: MIT
 *
 * Waiting for tasks: results, deadlines, many waiters, from threads and from tasks, on a pool of
 * one worker, in long chains, across pools; and the handle itself.
 */
#include "pool_help.h"

#include <limits.h>

/* ---- results --------------------------------------------------------------------------------- */

static int await_once(weft_pool *pool, weft_fn *fn, void *arg)
{
        weft_task *t = NULL;
        int r = weft_spawn(pool, &t, fn, arg);
        if (r < 0)
                return r;
        r = weft_await(t, WEFT_FOREVER);
        weft_task_unref(t);
        return r;
}

Test(task_await, gives_what_the_function_returned_untouched, .timeout = 30)
{
        static const int results[] = {0, 1, 42, INT_MAX, -1, -EIO, -ETIMEDOUT, -4096, INT_MIN};
        weft_pool *pool = begin(1);

        for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
                cr_assert_eq(await_once(pool, give, V(results[i])), results[i]);
        finish(pool);
}

static int plain_number;

static int write_plain_number(void *arg)
{
        plain_number = N(arg);
        return 0;
}

/* Nothing but the await orders the two accesses: for ThreadSanitizer to judge. */
Test(task_await, what_the_task_did_happens_before_the_return, .timeout = 60)
{
        weft_pool *pool = begin(2);

        for (int i = 0; i < 1000; i++) {
                plain_number = -1;
                cr_assert_eq(await_once(pool, write_plain_number, V(i)), 0);
                cr_assert_eq(plain_number, i);
        }
        finish(pool);
}

Test(task_await, may_be_repeated, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, give, V(3)), 0);
        for (int i = 0; i < 1000; i++)
                cr_assert_eq(weft_await(t, i ? 0 : WEFT_FOREVER), 3);
        weft_task_unref(t);
        finish(pool);
}

Test(task_await, result_is_there_only_after_the_end, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_task *t;
        int result = 99;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &t, give, V(3)), 0);
        cr_assert_eq(weft_task_result(t, &result), -EINPROGRESS);
        cr_assert_eq(result, 99);
        plug_out(&plug);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 3);
        cr_assert_eq(weft_task_result(t, &result), 0);
        cr_assert_eq(result, 3);
        cr_assert_eq(weft_task_result(t, NULL), -EINVAL);
        cr_assert_eq(weft_task_result(NULL, &result), -EINVAL);
        weft_task_unref(t);
        finish(pool);
}

Test(task_await, no_task_is_an_error, .timeout = 30)
{
        cr_assert_eq(weft_await(NULL, WEFT_FOREVER), -EINVAL);
        cr_assert_eq(weft_await(NULL, 0), -EINVAL);
}

/* ---- handles --------------------------------------------------------------------------------- */

Test(task_await, task_runs_though_nobody_holds_its_handle, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        struct plug plug;

        plug_in(&plug, pool, 1);
        for (int i = 0; i < 100; i++) {
                weft_task *t;
                cr_assert_eq(weft_spawn(pool, &t, count_up, &count), 0);
                cr_assert_eq(weft_task_ref(t), t);
                cr_assert_null(weft_task_unref(t));
                cr_assert_null(weft_task_unref(t));
        }
        plug_out(&plug);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 100);
        cr_assert_null(weft_task_unref(NULL));
        cr_assert_null(weft_task_ref(NULL));
}

static int own_handle(void *arg)
{
        *(weft_task **)arg = weft_task_current();
        weft_yield();
        CHECK(weft_task_current() == *(weft_task **)arg);
        return 0;
}

Test(task_await, current_task_is_the_one_that_was_spawned, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *seen = NULL, *t;

        cr_assert_null(weft_task_current());
        cr_assert_eq(weft_spawn(pool, &t, own_handle, &seen), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        cr_assert_eq(seen, t);
        weft_task_unref(t);
        finish(pool);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

struct deadlines {
        weft_task *queued, *ended;
};

static int check_deadlines(void *arg)
{
        struct deadlines *d = arg;
        int64_t begun = weft_now();

        CHECK(weft_await(d->queued, 0) == -ETIMEDOUT);
        CHECK(weft_await(d->queued, -1) == -ETIMEDOUT);
        CHECK(weft_await(d->queued, INT64_MIN) == -ETIMEDOUT);
        CHECK(weft_await(d->queued, begun) == -ETIMEDOUT);
        CHECK(weft_now() - begun < 5000 * MS);
        for (int ms = 1; ms <= 32; ms *= 2) {
                int64_t deadline = in_ms(ms);
                CHECK(weft_await(d->queued, deadline) == -ETIMEDOUT);
                CHECK(weft_now() >= deadline);
        }
        CHECK(weft_await(d->ended, 0) == 42);
        CHECK(weft_await(d->ended, INT64_MIN) == 42);
        return 0;
}

Test(task_await, deadlines_pass_on_a_thread_and_in_a_task, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        struct deadlines d;
        struct plug plug;

        cr_assert_eq(weft_spawn(pool, &d.ended, give, V(42)), 0);
        cr_assert_eq(weft_await(d.ended, in_ms(20000)), 42);
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &d.queued, give, V(43)), 0);
        check_deadlines(&d);
        cr_assert_eq(await_once(other, check_deadlines, &d), 0);
        plug_out(&plug);
        cr_assert_eq(weft_await(d.queued, in_ms(20000)), 43);
        weft_task_unref(d.queued);
        weft_task_unref(d.ended);
        finish(other);
        finish(pool);
}

static int await_with_short_deadline(void *arg)
{
        return weft_await(arg, in_ms(20));
}

/* The worker is free while its task waits for the deadline. */
Test(task_await, worker_goes_on_while_a_task_waits_for_its_deadline, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        atomic_int count = 0;
        struct plug plug;
        weft_task *queued, *waiter;

        plug_in(&plug, other, 1);
        cr_assert_eq(weft_spawn(other, &queued, nothing, NULL), 0);
        cr_assert_eq(weft_spawn(pool, &waiter, await_with_short_deadline, queued), 0);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert(reaches(&count, 10));
        cr_assert_eq(weft_await(waiter, WEFT_FOREVER), -ETIMEDOUT);
        plug_out(&plug);
        cr_assert_eq(weft_await(queued, WEFT_FOREVER), 0);
        weft_task_unref(queued);
        weft_task_unref(waiter);
        finish(other);
        finish(pool);
}

static int sleep_us(void *arg)
{
        CHECK(weft_sleep_until(weft_now() + N(arg) * INT64_C(1000)) == 0);
        return 0;
}

/* The end of the task and the deadline of the wait meet: either answer is right, once. */
Test(task_await, deadline_against_the_end_of_the_task, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 300 : 2000 };
        weft_pool *pool = begin(2);

        for (int i = 0; i < ROUNDS; i++) {
                weft_task *t;
                int us = 50 + i % 150;
                cr_assert_eq(weft_spawn(pool, &t, sleep_us, V(us)), 0);
                int r = weft_await(t, weft_now() + us * INT64_C(1000));
                cr_assert(r == 0 || r == -ETIMEDOUT);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
        }
        finish(pool);
}

static int race_in_task(void *arg)
{
        (void)arg;
        for (int i = 0; i < (SLOW_BUILD ? 100 : 500); i++) {
                weft_task *t;
                int us = 50 + i % 150;
                CHECK(weft_spawn(NULL, &t, sleep_us, V(us)) == 0);
                int r = weft_await(t, weft_now() + us * INT64_C(1000));
                CHECK(r == 0 || r == -ETIMEDOUT);
                CHECK(weft_await(t, WEFT_FOREVER) == 0);
                weft_task_unref(t);
        }
        return 0;
}

Test(task_await, deadline_against_the_end_of_the_task_in_tasks, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                weft_task *t[4];
                for (int i = 0; i < 4; i++)
                        cr_assert_eq(weft_spawn(pool, &t[i], race_in_task, NULL), 0);
                for (int i = 0; i < 4; i++) {
                        cr_assert_eq(weft_await(t[i], WEFT_FOREVER), 0);
                        weft_task_unref(t[i]);
                }
                finish(pool);
        }
}

/* ---- many waiters ---------------------------------------------------------------------------- */

static void *await_on_thread(void *task)
{
        return V(weft_await(task, WEFT_FOREVER));
}

Test(task_await, many_threads_await_one_task, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        pthread_t thread[16];
        weft_task *t;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &t, give, V(42)), 0);
        for (int i = 0; i < 16; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, await_on_thread, t), 0);
        usleep(20000);
        plug_out(&plug);
        for (int i = 0; i < 16; i++) {
                void *result = NULL;
                cr_assert_eq(pthread_join(thread[i], &result), 0);
                cr_assert_eq(N(result), 42);
        }
        weft_task_unref(t);
        finish(pool);
}

static int await_it(void *task)
{
        return weft_await(task, WEFT_FOREVER);
}

static int sleep_and_give(void *arg)
{
        CHECK(weft_sleep_until(in_ms(50)) == 0);
        return N(arg);
}

Test(task_await, a_thousand_tasks_await_one_task, .timeout = 60)
{
        enum { WAITERS = SLOW_BUILD ? 200 : 1000 };
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                weft_task *t, *waiter[WAITERS];

                cr_assert_eq(weft_spawn(pool, &t, sleep_and_give, V(42)), 0);
                for (int i = 0; i < WAITERS; i++)
                        cr_assert_eq(weft_spawn(pool, &waiter[i], await_it, t), 0);
                for (int i = 0; i < WAITERS; i++) {
                        cr_assert_eq(weft_await(waiter[i], WEFT_FOREVER), 42);
                        weft_task_unref(waiter[i]);
                }
                weft_task_unref(t);
                finish(pool);
        }
}

/* ---- tasks that await tasks ------------------------------------------------------------------ */

struct link {
        int depth;
        pthread_t thread;
};

/* Task i spawns task i + 1 and awaits it. */
static int chain(void *arg)
{
        struct link l = *(struct link *)arg;
        weft_task *t = NULL;

        CHECK(pthread_equal(l.thread, pthread_self()));
        if (l.depth == 0)
                return 0;
        l.depth--;
        int r = weft_spawn_closure(NULL, &t, chain, &l, sizeof(l), NULL);
        if (r < 0)
                return r;
        r = weft_await(t, WEFT_FOREVER);
        weft_task_unref(t);
        return r < 0 ? r : r + 1;
}

static int begin_chain(void *arg)
{
        struct link l = {.depth = N(arg), .thread = pthread_self()};
        return chain(&l);
}

Test(task_await, chain_of_ten_thousand_on_one_worker, .timeout = 60)
{
        skip_unless_workers(1);
        enum { DEPTH = SLOW_BUILD ? 1000 : 10000 };
        weft_pool *pool = begin(1);

        cr_assert_eq(await_once(pool, begin_chain, V(DEPTH)), DEPTH);
        cr_assert_eq(await_once(pool, begin_chain, V(DEPTH)), DEPTH, "and again");
        finish(pool);
}

static int fib(void *arg)
{
        int n = N(arg);
        weft_task *t;
        if (n < 2)
                return n;
        CHECK(weft_spawn(NULL, &t, fib, V(n - 1)) == 0);
        int second = await_once(NULL, fib, V(n - 2));
        int first = weft_await(t, WEFT_FOREVER);
        weft_task_unref(t);
        return first + second;
}

Test(task_await, tree_of_awaits_on_one_to_four_workers, .timeout = 60)
{
        enum { SIZE = SLOW_BUILD ? 12 : 18, RESULT = SLOW_BUILD ? 144 : 2584 };
        for (unsigned workers = 1; workers <= 4; workers++) {
                weft_pool *pool = begin(workers);
                cr_assert_eq(await_once(pool, fib, V(SIZE)), RESULT);
                finish(pool);
        }
}

static int await_itself(void *arg)
{
        (void)arg;
        CHECK(weft_await(weft_task_current(), WEFT_FOREVER) == -EDEADLK);
        CHECK(weft_await(weft_task_current(), 0) == -EDEADLK);
        return 6;
}

Test(task_await, awaiting_oneself_is_an_error, .timeout = 30)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(await_once(pool, await_itself, NULL), 6);
        finish(pool);
}

struct pair {
        weft_task *task[2];
        atomic_int ready;
};

static int await_each_other(void *arg)
{
        struct pair *p = arg;
        while (!atomic_load(&p->ready))
                weft_yield();
        int other = weft_task_current() == p->task[0];
        int r = weft_await(p->task[other], in_ms(50));
        CHECK(r == -ETIMEDOUT || r == 17);
        return 17;
}

/* A circle of waits is the callers' mistake, but their deadlines get them out of it. */
Test(task_await, two_tasks_that_await_each_other_time_out, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct pair p = {0};

        for (int i = 0; i < 2; i++)
                cr_assert_eq(weft_spawn(pool, &p.task[i], await_each_other, &p), 0);
        atomic_store(&p.ready, 1);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(weft_await(p.task[i], WEFT_FOREVER), 17);
        weft_task_unref(p.task[0]);
        weft_task_unref(p.task[1]);
        finish(pool);
}

/* ---- across pools ---------------------------------------------------------------------------- */

struct bounce {
        weft_pool *pool[2];
        int left;
};

static int bounce(void *arg)
{
        struct bounce b = *(struct bounce *)arg;
        weft_task *t = NULL;
        weft_pool *here = b.pool[b.left % 2];

        CHECK(weft_pool_current() == here);
        if (b.left == 0)
                return 0;
        b.left--;
        CHECK(weft_spawn_closure(b.pool[b.left % 2], &t, bounce, &b, sizeof(b), NULL) == 0);
        int r = weft_await(t, WEFT_FOREVER);
        CHECK(weft_pool_current() == here);
        weft_task_unref(t);
        return r + 1;
}

Test(task_await, tasks_of_two_pools_await_each_other_in_turn, .timeout = 60)
{
        enum { DEPTH = SLOW_BUILD ? 200 : 1000 };
        struct bounce b = {.pool = {begin(1), begin(1)}, .left = DEPTH};
        weft_task *t;

        cr_assert_eq(weft_spawn_closure(b.pool[0], &t, bounce, &b, sizeof(b), NULL), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), DEPTH);
        weft_task_unref(t);
        finish(b.pool[0]);
        finish(b.pool[1]);
}

struct crossing {
        weft_pool *other;
        int rounds;
};

static int cross(void *arg)
{
        struct crossing *c = arg;
        for (int i = 0; i < c->rounds; i++)
                CHECK(await_once(c->other, give, V(i)) == i);
        return 0;
}

/* Many tasks of each pool await small tasks of the other, in both directions at once. */
Test(task_await, two_pools_await_each_other_all_the_time, .timeout = 60)
{
        enum { TASKS = 8 };
        weft_pool *pool[2] = {begin(1), begin(2)};
        struct crossing c[2] = {{pool[1], SLOW_BUILD ? 50 : 500}, {pool[0], SLOW_BUILD ? 50 : 500}};
        weft_task *t[2][TASKS];

        for (int i = 0; i < TASKS; i++)
                for (int k = 0; k < 2; k++)
                        cr_assert_eq(weft_spawn(pool[k], &t[k][i], cross, &c[k]), 0);
        for (int i = 0; i < TASKS; i++) {
                for (int k = 0; k < 2; k++) {
                        cr_assert_eq(weft_await(t[k][i], WEFT_FOREVER), 0);
                        weft_task_unref(t[k][i]);
                }
        }
        finish(pool[0]);
        finish(pool[1]);
}
