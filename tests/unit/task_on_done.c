/* SPDX-License-Identifier: MIT
 *
 * Callbacks for the end of a task: once, after it, in the context of their registration, in their
 * order, during a drain, and where they run if the task has ended already.
 */
#include "pool_help.h"

static weft_var a = WEFT_VAR_INIT("a", .fallback = V(-1));
static weft_var counted =
    WEFT_VAR_INIT("counted", .retain = value_retain, .release = value_release);

struct seen {
        weft_task *task;
        weft_pool *pool;
        atomic_int a, result, calls;
};

static int look(void *arg)
{
        struct seen *s = arg;
        int result = 1234;
        CHECK(weft_task_result(s->task, &result) == 0);
        CHECK(weft_task_current() != NULL && weft_task_current() != s->task);
        s->pool = weft_pool_current();
        atomic_store(&s->a, N(weft_get(&a)));
        atomic_store(&s->result, result);
        CHECK(weft_set(&a, V(55), NULL) == 0);
        atomic_fetch_add(&s->calls, 1);
        return -EIO; /* nobody asks */
}

static int set_and_give(void *arg)
{
        CHECK(weft_get(&a) == V(1));
        CHECK(weft_set(&a, V(2), NULL) == 0);
        return N(arg);
}

Test(task_on_done, C1_runs_after_the_end_in_the_context_of_its_registration, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        struct seen seen[3] = {0};
        weft_task *t = NULL;

        plug_in(&plug, pool, 1);
        WEFT_WITH (&a, V(1)) {
                cr_assert_eq(weft_spawn(pool, &t, set_and_give, V(42)), 0);
        }
        for (int i = 0; i < 3; i++) {
                seen[i].task = t;
                WEFT_WITH (&a, V(10 + i)) {
                        cr_assert_eq(weft_task_on_done(t, look, &seen[i]), 0);
                }
        }
        plug_out(&plug);
        for (int i = 0; i < 3; i++) {
                cr_assert(reaches(&seen[i].calls, 1));
                cr_assert_eq(atomic_load(&seen[i].a), 10 + i);
                cr_assert_eq(atomic_load(&seen[i].result), 42);
                cr_assert_eq(seen[i].pool, pool);
        }
        cr_assert_eq(weft_get(&a), V(-1));
        weft_task_unref(t);
        finish(pool);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(atomic_load(&seen[i].calls), 1);
}

struct order {
        atomic_int next;
        int seen[500];
};

static struct order *order;

static int note_order(void *arg)
{
        order->seen[atomic_fetch_add(&order->next, 1)] = N(arg);
        return 0;
}

Test(task_on_done, callbacks_are_started_in_order_on_one_worker, .timeout = 30)
{
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        struct plug plug;
        struct order o = {0};
        weft_task *t;

        order = &o;
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
        for (int i = 0; i < 500; i++)
                cr_assert_eq(weft_task_on_done(t, note_order, V(i)), 0);
        cr_assert_eq(atomic_load(&o.next), 0);
        plug_out(&plug);
        cr_assert(reaches(&o.next, 500));
        for (int i = 0; i < 500; i++)
                cr_assert_eq(o.seen[i], i);
        weft_task_unref(t);
        finish(pool);
}

Test(task_on_done, runs_for_a_task_that_was_cancelled, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        struct seen seen = {0};

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &seen.task, nothing, NULL), 0);
        cr_assert_eq(weft_task_on_done(seen.task, look, &seen), 0);
        cr_assert_eq(weft_task_cancel(seen.task), 0);
        cr_assert_eq(atomic_load(&seen.calls), 0, "it is a task of the pool, not of the canceller");
        plug_out(&plug);
        cr_assert(reaches(&seen.calls, 1));
        cr_assert_eq(atomic_load(&seen.result), -ECANCELED);
        weft_task_unref(seen.task);
        finish(pool);
}

Test(task_on_done, runs_while_the_pool_drains, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        struct seen seen = {0};

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &seen.task, give, V(5)), 0);
        cr_assert_eq(weft_task_on_done(seen.task, look, &seen), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, 0), -ETIMEDOUT);
        plug_out(&plug);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(atomic_load(&seen.calls), 1);
        cr_assert_eq(atomic_load(&seen.result), 5);
        weft_task_unref(seen.task);
        finish(pool);
}

Test(task_on_done, registered_during_a_drain, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        struct seen seen = {0};

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &seen.task, give, V(5)), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, 0), -ETIMEDOUT);
        int r = weft_task_on_done(seen.task, look, &seen);
        cr_assert(r == 0 || r == -ESHUTDOWN);
        plug_out(&plug);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(atomic_load(&seen.calls), r == 0);
        weft_task_unref(seen.task);
        finish(pool);
}

static int register_after_the_end(void *arg)
{
        struct seen *s = arg;
        CHECK(weft_await(s->task, WEFT_FOREVER) == 5);
        CHECK(weft_task_on_done(s->task, look, s) == 0);
        return 0;
}

Test(task_on_done, C1_registered_after_the_end_runs_where_a_submit_to_no_pool_would, .timeout = 30)
{
        weft_pool *pool = begin(1), *other = begin(1);
        struct seen outside = {0}, inside = {0};

        cr_assert_eq(weft_spawn(pool, &outside.task, give, V(5)), 0);
        cr_assert_eq(weft_await(outside.task, WEFT_FOREVER), 5);
        inside.task = outside.task;
        WEFT_WITH (&a, V(3)) {
                cr_assert_eq(weft_task_on_done(outside.task, look, &outside), 0);
                cr_assert_eq(weft_submit(other, register_after_the_end, &inside), 0);
        }
        cr_assert(reaches(&outside.calls, 1));
        cr_assert(reaches(&inside.calls, 1));
        cr_assert_eq(outside.pool, weft_pool_default());
        cr_assert_eq(inside.pool, other);
        cr_assert_eq(atomic_load(&outside.a), 3);
        cr_assert_eq(atomic_load(&inside.a), 3);
        weft_task_unref(outside.task);
        finish(other);
        finish(pool);
}

static int see_value(void *arg)
{
        CHECK(weft_get(&counted) == arg);
        CHECK(atomic_load(&((struct value *)arg)->released) == 0);
        return 0;
}

Test(task_on_done, C7_values_that_it_keeps_alive_are_released_once, .timeout = 30)
{
        weft_pool *pool = begin(2);
        struct value value[50] = {0};

        for (int i = 0; i < 50; i++) {
                weft_task *t;
                cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
                WEFT_WITH (&counted, &value[i]) {
                        cr_assert_eq(weft_task_on_done(t, see_value, &value[i]), 0);
                }
                if (i % 2)
                        weft_task_cancel(t);
                cr_assert_null(weft_task_unref(t));
        }
        usleep(1000);
        cr_assert_null(weft_pool_destroy(pool));
        cr_assert_null(weft_pool_current());
        weft_pool *own = weft_pool_default(); /* where those of an ended task went */
        struct weft_pool_stats s = {.size = sizeof(s)};
        for (int64_t end = in_ms(20000); weft_now() < end; usleep(200)) {
                cr_assert_eq(weft_pool_stats(own, &s), 0);
                if (s.run == s.submitted)
                        break;
        }
        usleep(20000);
        for (int i = 0; i < 50; i++) {
                cr_assert_eq(atomic_load(&value[i].retained), 1);
                cr_assert_eq(atomic_load(&value[i].released), 1);
        }
        assert_checks();
}

struct generations {
        atomic_int left, done;
};

static int next_generation(void *arg)
{
        struct generations *g = arg;
        if (atomic_fetch_sub(&g->left, 1) > 1)
                CHECK(weft_task_on_done(weft_task_current(), next_generation, g) == 0);
        atomic_fetch_add(&g->done, 1);
        return 0;
}

Test(task_on_done, a_callback_may_register_for_its_own_end, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct generations g = {.left = 1000};

        cr_assert_eq(weft_submit(pool, next_generation, &g), 0);
        cr_assert(reaches(&g.done, 1000));
        finish(pool);
        cr_assert_eq(atomic_load(&g.done), 1000);
}

Test(task_on_done, against_the_end_of_the_task_runs_once, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 1000 : 20000 };
        weft_pool *pool = begin(1);
        atomic_int calls = 0;

        for (int i = 0; i < ROUNDS; i++) {
                weft_task *t;
                cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
                for (volatile int spin = i % 50 * 20; spin > 0; spin--)
                        ;
                cr_assert_eq(weft_task_on_done(t, count_up, &calls), 0);
                weft_task_unref(t);
        }
        cr_assert(reaches(&calls, ROUNDS));
        usleep(1000);
        finish(pool);
        cr_assert_eq(atomic_load(&calls), ROUNDS);
}

Test(task_on_done, arguments_are_checked, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
        cr_assert_eq(weft_task_on_done(t, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_task_on_done(NULL, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        cr_assert_eq(weft_task_on_done(t, NULL, NULL), -EINVAL);
        weft_task_unref(t);
        finish(pool);
}
