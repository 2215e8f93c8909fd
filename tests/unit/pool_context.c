/* SPDX-License-Identifier: MIT
 *
 * What a task sees of contexts: rules C1, C2, C4, C5, C6 and C7 through the pool. Contexts on their
 * own have their tests elsewhere, and C10, the destructor's context, is in submit.c.
 */
#include "pool_help.h"

static weft_var a = WEFT_VAR_INIT("a", .fallback = V(-1));
static weft_var b = WEFT_VAR_INIT("b", .fallback = V(-1));
static weft_var counted =
    WEFT_VAR_INIT("counted", .retain = value_retain, .release = value_release);

/* Whether nothing at all is bound here. */
static bool bound_to_nothing(void)
{
        weft_context *c = weft_context_capture();
        size_t size = weft_context_size(c);
        weft_context_unref(c);
        return size == 0;
}

/* ---- C1, C2: inheritance and isolation ------------------------------------------------------- */

/* Its argument is an atomic_int, which receives a, and the test is told of b. */
static int read_a(void *arg)
{
        CHECK(weft_get(&b) == V(-1));
        atomic_store((atomic_int *)arg, N(weft_get(&a)));
        return 0;
}

static int read_a_copy(void *args)
{
        return read_a(*(void **)args);
}

enum { SUBMIT, SUBMIT_COPY, SUBMIT_CLOSURE, SPAWN, SPAWN_CLOSURE, GROUP, GROUP_CLOSURE, WAYS };

static void submit_in_way(int way, weft_pool *pool, weft_group *group, atomic_int *result)
{
        weft_task *t = NULL;
        int r = -1;

        switch (way) {
        case SUBMIT:
                r = weft_submit(pool, read_a, result);
                break;
        case SUBMIT_COPY:
                r = weft_submit_copy(pool, read_a_copy, &result, sizeof(result));
                break;
        case SUBMIT_CLOSURE:
                r = weft_submit_closure(pool, read_a_copy, &result, sizeof(result), NULL);
                break;
        case SPAWN:
                r = weft_spawn(pool, &t, read_a, result);
                break;
        case SPAWN_CLOSURE:
                r = weft_spawn_closure(pool, &t, read_a_copy, &result, sizeof(result), NULL);
                break;
        case GROUP:
                r = weft_group_spawn(group, read_a, result);
                break;
        case GROUP_CLOSURE:
                r = weft_group_spawn_closure(group, read_a_copy, &result, sizeof(result), NULL);
                break;
        }
        CHECK(r == 0);
        weft_task_unref(t);
}

struct submitter {
        weft_pool *pool;
        weft_group group;
        atomic_int seen[WAYS];
};

/* Every way to submit, with a = 1 to 7 at the submit, another before and another after. */
static int submit_in_every_way(void *arg)
{
        struct submitter *s = arg;
        weft_token token;

        for (int way = 0; way < WAYS; way++) {
                CHECK(weft_set(&a, V(50), NULL) == 0);
                WEFT_WITH (&a, V(way + 1)) {
                        submit_in_way(way, s->pool, &s->group, &s->seen[way]);
                        CHECK(weft_set(&a, V(51), &token) == 0);
                        CHECK(weft_set(&b, V(52), NULL) == 0);
                        CHECK(weft_reset(&a, &token) == 0);
                        CHECK(weft_set(&a, V(53), NULL) == 0);
                }
                weft_context_unref(weft_context_swap(NULL));
        }
        return 0;
}

static void check_every_way(struct submitter *s)
{
        for (int way = 0; way < WAYS; way++)
                cr_assert_eq(atomic_load(&s->seen[way]), way + 1, "way %d", way);
}

Test(pool_context, C1_C2_task_has_the_context_of_its_submit_from_outside, .timeout = 30)
{
        struct submitter s = {.pool = begin(1)};
        struct plug plug;

        cr_assert_eq(weft_group_init(&s.group, s.pool), 0);
        plug_in(&plug, s.pool, 1);
        submit_in_every_way(&s);
        plug_out(&plug);
        weft_group_fini(&s.group);
        finish(s.pool);
        check_every_way(&s);
}

Test(pool_context, C1_C2_task_has_the_context_of_its_submit_from_a_task, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 3; workers++) {
                struct submitter s = {.pool = begin(workers)};
                weft_task *t;

                cr_assert_eq(weft_group_init(&s.group, s.pool), 0);
                cr_assert_eq(weft_spawn(s.pool, &t, submit_in_every_way, &s), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
                weft_group_fini(&s.group);
                finish(s.pool);
                check_every_way(&s);
        }
}

static int inherits_many(void *arg)
{
        weft_var *var = arg;
        for (int i = 0; i < 300; i++)
                CHECK(weft_get(&var[i]) == V(i + 1));
        return 0;
}

Test(pool_context, C1_hundreds_of_bindings_are_inherited, .timeout = 30)
{
        static weft_var var[300];
        weft_pool *pool = begin(2);
        struct plug plug;

        plug_in(&plug, pool, 2);
        for (int i = 0; i < 300; i++) {
                var[i] = (weft_var)WEFT_VAR_INIT("one of many");
                cr_assert_eq(weft_set(&var[i], V(i + 1), NULL), 0);
        }
        for (int k = 0; k < 4; k++)
                cr_assert_eq(weft_submit(pool, inherits_many, var), 0);
        for (int i = 0; i < 300; i++)
                cr_assert_eq(weft_set(&var[i], V(-9), NULL), 0);
        plug_out(&plug);
        finish(pool);
}

static int set_a(void *arg)
{
        CHECK(weft_get(&a) == V(1));
        CHECK(weft_set(&a, arg, NULL) == 0);
        CHECK(weft_set(&b, arg, NULL) == 0);
        CHECK(weft_get(&a) == arg);
        return 0;
}

Test(pool_context, C2_sets_of_a_task_reach_neither_submitter_nor_siblings, .timeout = 30)
{
        weft_pool *pool = begin(2);
        weft_task *task[100];

        cr_assert_eq(weft_set(&a, V(1), NULL), 0);
        for (int i = 0; i < 100; i++)
                cr_assert_eq(weft_spawn(pool, &task[i], set_a, V(100 + i)), 0);
        for (int i = 0; i < 100; i++) {
                cr_assert_eq(weft_await(task[i], WEFT_FOREVER), 0);
                weft_task_unref(task[i]);
        }
        cr_assert_eq(weft_get(&a), V(1));
        cr_assert_eq(weft_get(&b), V(-1));
        finish(pool);
}

static int count_bound(void *arg)
{
        (void)arg;
        atomic_fetch_add(&((struct value *)weft_get(&a))->retained, 1);
        return 0;
}

Test(pool_context, C2_an_object_that_a_binding_points_at_is_shared, .timeout = 30)
{
        weft_pool *pool = begin(2);
        struct value shared = {0};

        cr_assert_eq(weft_set(&a, &shared, NULL), 0);
        for (int i = 0; i < 100; i++)
                cr_assert_eq(weft_submit(pool, count_bound, NULL), 0);
        finish(pool);
        cr_assert_eq(atomic_load(&shared.retained), 100);
}

/* ---- C4: tokens ------------------------------------------------------------------------------ */

struct token_report {
        weft_token *token;
        atomic_int result;
};

static int reset_foreign_token(void *arg)
{
        struct token_report *report = arg;
        atomic_store(&report->result, weft_reset(&a, report->token));
        CHECK(weft_get(&a) == V(1));
        return 0;
}

static int C4_in_task(void *arg)
{
        weft_token token;
        weft_task *t;
        struct token_report report = {.token = &token};

        CHECK(weft_set(&a, V(1), &token) == 0);
        CHECK(weft_spawn(NULL, &t, reset_foreign_token, &report) == 0);
        CHECK(weft_await(t, WEFT_FOREVER) == 0);
        weft_task_unref(t);
        CHECK(atomic_load(&report.result) == -EPERM);
        CHECK(weft_get(&a) == V(1));
        CHECK(weft_reset(&a, &token) == 0); /* the same frame as before the wait */
        CHECK(weft_get(&a) == V(-1));
        CHECK(weft_reset(&a, &token) == -EALREADY);
        (void)arg;
        return 0;
}

Test(pool_context, C4_token_of_another_task_is_refused_and_stays_good, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                weft_token token;
                weft_task *t;
                struct token_report report = {.token = &token};

                cr_assert_eq(weft_set(&a, V(1), &token), 0);
                cr_assert_eq(weft_spawn(pool, &t, reset_foreign_token, &report), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
                cr_assert_eq(atomic_load(&report.result), -EPERM);
                cr_assert_eq(weft_reset(&a, &token), 0);
                weft_task *second;
                cr_assert_eq(weft_spawn(pool, &t, C4_in_task, NULL), 0);
                cr_assert_eq(weft_spawn(pool, &second, C4_in_task, NULL), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                cr_assert_eq(weft_await(second, WEFT_FOREVER), 0);
                weft_task_unref(t);
                weft_task_unref(second);
                finish(pool);
        }
}

/* ---- C5: one context, many tasks ------------------------------------------------------------- */

static int add_to_a(void *arg)
{
        CHECK(weft_get(&a) == V(1));
        CHECK(weft_set(&a, arg, NULL) == 0);
        weft_yield();
        CHECK(weft_get(&a) == arg);
        return 0;
}

static int run_twice(void *context)
{
        CHECK(weft_set(&a, V(77), NULL) == 0);
        for (int i = 0; i < 2; i++)
                CHECK(weft_context_run(context, add_to_a, V(2 + i), NULL) == 0);
        CHECK(weft_get(&a) == V(77));
        return 0;
}

Test(pool_context, C5_one_context_runs_in_many_tasks_at_once, .timeout = 30)
{
        weft_pool *pool = begin(3);
        weft_context *context = NULL;
        weft_group group;

        cr_assert_eq(weft_context_with(NULL, &a, V(1), &context), 0);
        cr_assert_eq(weft_group_init(&group, pool), 0);
        for (int i = 0; i < 300; i++)
                cr_assert_eq(weft_group_spawn(&group, run_twice, context), 0);
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
        weft_group_fini(&group);
        void *still = NULL;
        cr_assert_eq(weft_context_lookup(context, &a, &still), 0);
        cr_assert_eq(still, V(1));
        weft_context_unref(context);
        finish(pool);
}

/* ---- C6: workers are clean, waiters are apart ------------------------------------------------ */

static int leave_bindings(void *arg)
{
        weft_token token;
        CHECK(bound_to_nothing());
        CHECK(weft_get(&a) == V(-1) && weft_get(&b) == V(-1) && weft_get(&counted) == NULL);
        CHECK(weft_set(&a, V(1), NULL) == 0);
        CHECK(weft_set(&b, V(2), &token) == 0);
        CHECK(weft_set(&counted, arg, NULL) == 0);
        return 0;
}

Test(pool_context, C6_next_task_is_clean_whatever_the_last_one_left_bound, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 4; workers += 3) {
                weft_pool *pool = begin(workers);
                struct value value = {0};

                for (int i = 0; i < 200; i++)
                        cr_assert_eq(weft_submit(pool, leave_bindings, &value), 0);
                finish(pool);
                cr_assert_eq(atomic_load(&value.retained), 200);
                cr_assert_eq(atomic_load(&value.released), 200);
        }
}

/* Whoever releases it binds it again, in whatever frame that is. */
static atomic_int again_released;
static void bind_again(void *value);
static weft_var again = WEFT_VAR_INIT("again", .release = bind_again);

static void bind_again(void *value)
{
        atomic_fetch_add(&again_released, 1);
        weft_set(&again, value, NULL);
}

static int bind_for_ever(void *arg)
{
        return weft_set(&again, arg, NULL);
}

/* The worker tries to be clean, but not for ever; and it is not kept from its next task. */
Test(pool_context, C6_a_release_that_binds_anew_each_time_does_not_hold_the_worker_up,
     .timeout = 30)
{
        weft_pool *pool = begin(1);

        cr_assert_eq(join(spawn(pool, bind_for_ever, V(1))), 0);
        cr_assert_eq(join(spawn(pool, nothing, NULL)), 0);
        cr_assert_geq(atomic_load(&again_released), 2);
        cr_assert_lt(atomic_load(&again_released), 100);
        finish(pool);
}

Test(pool_context, C6_next_task_is_clean_after_a_cancelled_one, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        struct value value = {0};
        weft_task *t = NULL;

        plug_in(&plug, pool, 1);
        WEFT_WITH (&a, V(1)) {
                cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
        }
        cr_assert_eq(weft_submit(pool, leave_bindings, &value), 0);
        cr_assert_eq(weft_task_cancel(t), 0);
        plug_out(&plug);
        weft_task_unref(t);
        finish(pool);
}

/* Runs while another task waits: sees nothing of it, and leaves bindings of its own. */
static int interloper(void *arg)
{
        CHECK(bound_to_nothing());
        CHECK(weft_get(&a) == V(-1));
        CHECK(weft_set(&a, V(666), NULL) == 0);
        CHECK(weft_set(&b, V(666), NULL) == 0);
        atomic_fetch_add((atomic_int *)arg, 1);
        return 0;
}

struct waiter {
        weft_pool *pool;
        int how;
        atomic_int interlopers;
};

enum { AWAITS, YIELDS, SLEEPS, WAITS_FOR_GROUP, HOWS };

static int set_in_empty_context(void *arg)
{
        struct waiter *w = arg;
        return weft_submit(w->pool, interloper, &w->interlopers);
}

/* Where the thread had no processor for so long, the time has passed before it waits. */
static int sleep_a_little(void *arg)
{
        const struct waiter *w = arg;
        int r;
        do
                r = weft_sleep_until(in_ms(5));
        while (r == 0 && !atomic_load(&w->interlopers));
        return r;
}

static int sees_binding_and_sleeps(void *arg)
{
        CHECK(weft_get(&a) == V(1));
        return sleep_a_little(arg);
}

static void wait_somehow(struct waiter *w)
{
        weft_task *t;
        weft_group group;

        switch (w->how) {
        case AWAITS:
                CHECK(weft_spawn(w->pool, &t, sees_binding_and_sleeps, w) == 0);
                CHECK(weft_await(t, WEFT_FOREVER) == 0);
                weft_task_unref(t);
                break;
        case YIELDS:
                while (atomic_load(&w->interlopers) == 0)
                        CHECK(weft_yield() == 0);
                break;
        case SLEEPS:
                CHECK(sleep_a_little(w) == 0);
                break;
        case WAITS_FOR_GROUP:
                CHECK(weft_group_init(&group, w->pool) == 0);
                CHECK(weft_group_spawn(&group, sees_binding_and_sleeps, w) == 0);
                CHECK(weft_group_wait(&group, WEFT_FOREVER) == 0);
                weft_group_fini(&group);
                break;
        }
}

static int wait_inside_run(void *arg)
{
        weft_token token;
        CHECK(weft_get(&b) == V(3));
        CHECK(weft_set(&b, V(4), &token) == 0);
        CHECK(weft_set(&a, V(1), NULL) == 0);
        wait_somehow(arg);
        CHECK(weft_get(&a) == V(1));
        CHECK(weft_get(&b) == V(4));
        CHECK(weft_reset(&b, &token) == 0);
        CHECK(weft_get(&b) == V(3));
        return 0;
}

/* Waits within a bound block, with an unrelated task due on the same worker. */
static int waits_while_others_run(void *arg)
{
        struct waiter *w = arg;
        weft_token token;

        CHECK(weft_context_run(NULL, set_in_empty_context, w, NULL) == 0);
        CHECK(weft_set(&a, V(1), &token) == 0);
        WEFT_WITH (&b, V(2)) {
                wait_somehow(w);
                CHECK(weft_get(&a) == V(1));
                CHECK(weft_get(&b) == V(2));
        }
        CHECK(weft_get(&b) == V(-1));
        CHECK(atomic_load(&w->interlopers) == 1);
        CHECK(weft_reset(&a, &token) == 0);
        CHECK(bound_to_nothing());
        return 0;
}

static int waits_inside_a_run(void *arg)
{
        struct waiter *w = arg;
        weft_context *context = NULL, *after = NULL;
        void *value;

        CHECK(weft_context_with(NULL, &b, V(3), &context) == 0);
        CHECK(weft_context_run(NULL, set_in_empty_context, w, NULL) == 0);
        CHECK(weft_set(&a, V(7), NULL) == 0);
        CHECK(weft_context_run(context, wait_inside_run, w, &after) == 0);
        CHECK(weft_get(&a) == V(7) && weft_get(&b) == V(-1));
        CHECK(weft_context_lookup(after, &a, &value) == 0 && value == V(1));
        CHECK(weft_context_lookup(context, &a, &value) == -ENOENT);
        weft_context_unref(after);
        weft_context_unref(context);
        return 0;
}

static void waits_on_one_worker(weft_fn *fn)
{
        weft_pool *pool = begin(1);

        for (int how = 0; how < HOWS; how++) {
                struct waiter w = {.pool = pool, .how = how};
                weft_task *t;
                cr_assert_eq(weft_spawn(pool, &t, fn, &w), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
                cr_assert_eq(atomic_load(&w.interlopers), 1, "way to wait %d", how);
        }
        finish(pool);
}

Test(pool_context, C6_what_runs_while_a_task_waits_sees_nothing_of_it, .timeout = 30)
{
        waits_on_one_worker(waits_while_others_run);
}

Test(pool_context, C6_a_task_may_wait_inside_a_context_run, .timeout = 30)
{
        waits_on_one_worker(waits_inside_a_run);
}

static int stays_itself(void *arg)
{
        for (int i = 0; i < 50; i++) {
                CHECK(weft_get(&a) == arg);
                CHECK(weft_yield() == 0);
                WEFT_WITH (&a, V(N(arg) + 1000 + i)) {
                        CHECK(weft_yield() == 0);
                        CHECK(weft_get(&a) == V(N(arg) + 1000 + i));
                }
        }
        return 0;
}

Test(pool_context, C6_a_hundred_tasks_take_turns_and_stay_themselves, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                weft_group group;

                cr_assert_eq(weft_group_init(&group, pool), 0);
                for (int i = 1; i <= 100; i++)
                        WEFT_WITH (&a, V(i)) {
                                cr_assert_eq(weft_group_spawn(&group, stays_itself, V(i)), 0);
                        }
                cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
                weft_group_fini(&group);
                finish(pool);
        }
}

static int set_errno(void *arg)
{
        errno = N(arg);
        return 0;
}

static int keeps_errno(void *arg)
{
        weft_task *t;
        (void)arg;

        errno = 77;
        CHECK(weft_submit(NULL, set_errno, V(5)) == 0);
        CHECK(weft_yield() == 0);
        CHECK(errno == 77);
        CHECK(weft_submit(NULL, set_errno, V(5)) == 0);
        CHECK(weft_sleep_until(in_ms(3)) == 0);
        CHECK(errno == 77);
        CHECK(weft_spawn(NULL, &t, set_errno, V(5)) == 0);
        CHECK(weft_await(t, WEFT_FOREVER) == 0);
        CHECK(errno == 77);
        weft_task_unref(t);
        return 0;
}

Test(pool_context, errno_belongs_to_the_task_across_its_waits, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, keeps_errno, NULL), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(pool);
}

/* ---- C7: values ------------------------------------------------------------------------------ */

static int bind_one_more(void *arg)
{
        if (arg)
                CHECK(weft_set(&counted, arg, NULL) == 0);
        return 0;
}

Test(pool_context, C7_values_of_a_task_are_released_before_await_returns, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 200 : 2000 };
        weft_pool *pool = begin(2);

        for (int i = 0; i < ROUNDS; i++) {
                struct value inherited = {0}, own = {0};
                weft_task *t = NULL;

                WEFT_WITH (&counted, &inherited) {
                        cr_assert_eq(weft_spawn(pool, &t, bind_one_more, i % 2 ? &own : NULL), 0);
                }
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&inherited.retained), 1);
                cr_assert_eq(atomic_load(&inherited.released), 1);
                cr_assert(value_gone(&own));
                weft_task_unref(t);
        }
        finish(pool);
}

Test(pool_context, C7_values_of_a_group_are_released_before_wait_returns, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 100 : 1000 };
        weft_pool *pool = begin(2);
        weft_group group;

        cr_assert_eq(weft_group_init(&group, pool), 0);
        for (int i = 0; i < ROUNDS; i++) {
                struct value value = {0}, own = {0};

                WEFT_WITH (&counted, &value) {
                        for (int k = 0; k < 3; k++)
                                cr_assert_eq(weft_group_spawn(&group, bind_one_more, &own), 0);
                }
                cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&value.released), 1);
                cr_assert_eq(atomic_load(&own.retained), 3);
                cr_assert_eq(atomic_load(&own.released), 3);
        }
        weft_group_fini(&group);
        finish(pool);
}

Test(pool_context, C7_values_of_a_cancelled_task_are_released_before_await_returns, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        struct value value = {0};
        weft_task *t = NULL;

        plug_in(&plug, pool, 1);
        WEFT_WITH (&counted, &value) {
                cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
        }
        cr_assert_eq(atomic_load(&value.released), 0, "the queued task keeps it alive");
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), -ECANCELED);
        cr_assert_eq(atomic_load(&value.retained), 1);
        cr_assert_eq(atomic_load(&value.released), 1);
        plug_out(&plug);
        weft_task_unref(t);
        finish(pool);
}

static int derive_and_spawn(void *arg)
{
        struct value *value = arg;
        weft_token token;

        for (int i = 0; i < 10; i++) {
                CHECK(weft_set(&counted, &value[i], i % 3 == 0 ? &token : NULL) == 0);
                CHECK(weft_submit(NULL, bind_one_more, &value[(i * 7) % 10]) == 0);
                if (i % 3 == 0)
                        CHECK(weft_reset(&counted, &token) == 0);
        }
        return 0;
}

/* Nothing that a pool ran, queued or cancelled keeps a context when it is gone. */
Test(pool_context, C7_every_value_is_released_once_the_pool_is_destroyed, .timeout = 60)
{
        for (int round = 0; round < 20; round++) {
                weft_pool *pool = begin(1 + (unsigned)round % 3);
                struct value value[10] = {0};
                atomic_int done = 0;

                for (int i = 0; i < 50; i++) {
                        WEFT_WITH (&counted, &value[i % 10]) {
                                cr_assert_eq(weft_submit(pool, derive_and_spawn, value), 0);
                        }
                }
                cr_assert_eq(weft_submit(pool, count_up, &done), 0);
                struct weft_pool_stats stats = {.size = sizeof(stats)};
                for (int64_t end = in_ms(20000); weft_now() < end; usleep(200)) {
                        cr_assert_eq(weft_pool_stats(pool, &stats), 0);
                        if (stats.run == 50 * 11 + 1)
                                break;
                }
                finish(pool);
                for (int i = 0; i < 10; i++) {
                        cr_assert_geq(atomic_load(&value[i].retained), 50);
                        cr_assert(value_gone(&value[i]), "value %d: %d retained, %d released", i,
                                  atomic_load(&value[i].retained), atomic_load(&value[i].released));
                }
        }
}

static weft_pool *release_submits_to;
static atomic_int submitted_by_release, released_and_submitted;

static void release_that_submits(void *value)
{
        (void)value;
        atomic_fetch_add(&released_and_submitted, 1);
        CHECK(weft_set(&b, V(1), NULL) == 0);
        CHECK(weft_submit(release_submits_to, count_up, &submitted_by_release) == 0);
}

static int sees_only_the_fallback_of_b(void *arg)
{
        CHECK(weft_get(&b) == V(-1));
        return count_up(arg);
}

Test(pool_context, C7_release_may_set_and_submit, .timeout = 30)
{
        static weft_var var = WEFT_VAR_INIT("var", .release = release_that_submits);
        weft_pool *pool = release_submits_to = begin(1);
        atomic_int clean = 0;
        struct plug plug;

        plug_in(&plug, pool, 1);
        for (int i = 0; i < 10; i++) {
                cr_assert_eq(weft_set(&var, V(i + 1), NULL), 0);
                cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
                weft_context_unref(weft_context_swap(NULL));
                cr_assert_eq(weft_submit(pool, sees_only_the_fallback_of_b, &clean), 0);
        }
        cr_assert_eq(atomic_load(&released_and_submitted), 0);
        plug_out(&plug);
        cr_assert(reaches(&submitted_by_release, 10));
        cr_assert(reaches(&clean, 10));
        finish(pool);
        cr_assert_eq(atomic_load(&released_and_submitted), 10);
}
