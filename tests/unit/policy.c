/* SPDX-License-Identifier: MIT
 *
 * C12: policies for borders. A var that is dropped at one, one that is handed on there, and one
 * without a policy beside them, taken across each border by each of its functions.
 */
#include "memory_help.h"

#include <weft/carry.h>
#include <weft/fork.h>
#include <weft/timer.h>

/* ---- vars ---- */

static weft_var plain = WEFT_VAR_INIT("plain");
static weft_var transaction = WEFT_VAR_INIT("transaction", .drop_at = WEFT_BORDER_ALL);

/* Counts the generations, and how often it was asked. */
static atomic_int handed_on;
static unsigned refuses_at; /* borders at which it fails */

static int next_generation(unsigned border, void *value, void **ret_value)
{
        atomic_fetch_add(&handed_on, 1);
        if (border & refuses_at)
                return -EPERM;
        *ret_value = V(N(value) + 1);
        return 0;
}

static weft_var generation = WEFT_VAR_INIT("generation", .hand_on = next_generation);

/* What crosses as it is, is left, or becomes a new value with a reference of its own. */
static struct value kept_value[3];

static int by_border(unsigned border, void *value, void **ret_value)
{
        if (border == WEFT_BORDER_TASK)
                return 1;
        if (border == WEFT_BORDER_THREAD)
                return -ENOENT;
        CHECK(value == &kept_value[0]);
        value_retain(&kept_value[1]);
        *ret_value = &kept_value[1];
        return 0;
}

static weft_var kept =
    WEFT_VAR_INIT("kept", .retain = value_retain, .release = value_release, .hand_on = by_border);

static bool is_unset(const weft_var *var)
{
        return weft_lookup(var, &(void *){0}) == -ENOENT;
}

/* On the other side of a border, or of as many as the number says. */
static int crossed(void *arg)
{
        CHECK(is_unset(&transaction));
        CHECK(weft_get(&plain) == V(1));
        CHECK(weft_get(&generation) == arg);
        return 7;
}

static int not_crossed(void *arg)
{
        CHECK(weft_get(&transaction) == V(3));
        CHECK(weft_get(&plain) == V(1));
        CHECK(weft_get(&generation) == arg);
        return 7;
}

static void bind_all(void)
{
        CHECK(weft_set(&plain, V(1), NULL) == 0);
        CHECK(weft_set(&transaction, V(3), NULL) == 0);
        CHECK(weft_set(&generation, V(5), NULL) == 0);
}

/* ---- every way to a task ---- */

static int crossed_by_copy(void *args)
{
        return crossed(*(void **)args);
}

static void every_way_to_a_task(weft_pool *pool)
{
        void *arg = V(6);
        weft_group group;
        weft_task *task;
        CHECK(weft_submit(pool, crossed, arg) == 0);
        CHECK(weft_submit_copy(pool, crossed_by_copy, &arg, sizeof(arg)) == 0);
        CHECK(weft_spawn(pool, &task, crossed, arg) == 0);
        CHECK(weft_task_on_done(task, crossed, arg) == 0);
        CHECK(weft_await(task, WEFT_FOREVER) == 7);
        CHECK(weft_task_on_done(task, crossed, arg) == 0);
        weft_task_unref(task);
        CHECK(weft_group_init(&group, pool) == 0);
        CHECK(weft_group_spawn(&group, crossed, arg) == 0);
        weft_group_fini(&group);
        CHECK(not_crossed(V(5)) == 7); /* nothing of it is seen here */
}

static int from_a_task(void *pool)
{
        bind_all();
        every_way_to_a_task(pool);
        return 0;
}

Test(policy, C12_to_a_task_however_it_is_submitted)
{
        weft_pool *pool = begin(2);
        cr_assert_eq(join(spawn(pool, from_a_task, pool)), 0);
        bind_all();
        every_way_to_a_task(pool);
        finish(pool);
}

static int grandchild(void *arg)
{
        weft_task *child;
        int n = N(arg);
        CHECK(crossed(arg) == 7);
        if (n > 40)
                return n;
        return weft_spawn(NULL, &child, grandchild, V(n + 1)) == 0 ? join(child) : -1;
}

Test(policy, C12_a_policy_holds_for_each_generation)
{
        weft_pool *pool = begin(1);
        bind_all();
        cr_assert_eq(join(spawn(pool, grandchild, V(6))), 41);
        finish(pool);
}

/* ---- the other borders ---- */

static void *crossed_thread(void *arg)
{
        crossed(arg);
        return NULL;
}

Test(policy, C12_to_threads_timers_and_other_executors)
{
        weft_pool *pool = begin(1);
        weft_task *task;
        weft_bound *bound;
        pthread_t thread;
        bind_all();
        cr_assert_eq(weft_thread_create(&thread, NULL, crossed_thread, V(6)), 0);
        pthread_join(thread, NULL);
        cr_assert_eq(weft_bind(&bound, crossed, V(6)), 0);
        cr_assert_eq(weft_bound_call(bound), 7);
        weft_bound_free(bound);
        cr_assert_eq(weft_spawn_at(pool, &task, 0, WEFT_INHERIT, crossed, V(6)), 0);
        cr_assert_eq(join(task), 7);
        finish(pool);
}

static int encode(const void *value, char *text, size_t size)
{
        return snprintf(text, size, "%d", (int)(intptr_t)value) < (int)size ? 0 : -EBADMSG;
}

static int decode(const char *text, size_t length, void *before, void **ret_value)
{
        (void)length;
        (void)before;
        *ret_value = V(atoi(text));
        return 0;
}

static int sent[3];

static int put(void *arg, const char *name, const char *value)
{
        (void)arg;
        sent[strcmp(name, "x-plain") == 0         ? 0
             : strcmp(name, "x-transaction") == 0 ? 1
                                                  : 2] = atoi(value);
        return 0;
}

Test(policy, C12_out_of_the_process)
{
        static weft_codec codec[] = {
            {.var = &plain, .name = "x-plain", .encode = encode, .decode = decode},
            {.var = &transaction, .name = "x-transaction", .encode = encode, .decode = decode},
            {.var = &generation, .name = "x-generation", .encode = encode, .decode = decode}};
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_codec_register(&codec[i]), 0);
        bind_all();
        weft_context *here = weft_context_capture();
        cr_assert_eq(weft_context_inject(here, put, NULL), 2);
        cr_assert_eq(sent[0], 1);
        cr_assert_eq(sent[1], 0);
        cr_assert_eq(sent[2], 6);
        weft_context_unref(here);
}

/* Each var is seen beyond the borders that it is not dropped at, and nowhere else. */
Test(policy, C12_each_border_is_for_itself)
{
        static weft_var var[32];
        for (int set = 0; set < 32; set++) {
                var[set] = (weft_var)WEFT_VAR_INIT("one of many", .drop_at = (unsigned)set);
                cr_assert_eq(weft_set(&var[set], V(1), NULL), 0);
        }
        for (unsigned border = 1; border < 32; border *= 2) {
                weft_context *across;
                cr_assert_eq(weft_context_cross(border, &across), 0);
                for (unsigned set = 0; set < 32; set++) {
                        void *value;
                        cr_assert_eq(weft_context_lookup(across, &var[set], &value),
                                     set & border ? -ENOENT : 0);
                }
                cr_assert_eq(weft_context_size(across), 16);
                weft_context_unref(across);
        }
}

/* ---- what is no border ---- */

static int one_range(size_t from, size_t to, void *arg)
{
        (void)from;
        (void)to;
        return not_crossed(arg) == 7 ? 0 : -1;
}

static int jobs(void *arg)
{
        weft_job job[2];
        bind_all();
        for (int i = 0; i < 2; i++)
                weft_fork(&job[i], not_crossed, arg);
        CHECK(weft_yield() == 0); /* they are tasks now, for whoever has nothing to do */
        for (int i = 2; i--;)
                CHECK(weft_join(&job[i]) == 7);
        CHECK(weft_blocking(not_crossed, arg) == 7);
        return weft_parallel_for(NULL, 0, 100, 1, one_range, arg);
}

Test(policy, C12_jobs_loops_and_blocking_calls_are_parts_of_their_task)
{
        weft_pool *pool = begin(2);
        cr_assert_eq(join(spawn(pool, jobs, V(5))), 0);
        bind_all();
        cr_assert_eq(weft_parallel_for(pool, 0, 100, 1, one_range, V(5)), 0);
        weft_context *here = weft_context_capture();
        cr_assert_eq(weft_context_run(here, not_crossed, V(5), NULL), 7);
        weft_context_unref(here);
        finish(pool);
}

/* ---- once for all ---- */

Test(policy, C12_what_is_made_for_the_other_side_is_made_once_until_something_is_set)
{
        weft_context *first, *second;
        weft_token token;
        bind_all();
        cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &first), 0);
        for (int i = 0; i < 100; i++) {
                cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &second), 0);
                cr_assert_eq(first, second);
                weft_context_unref(second);
        }
        cr_assert_eq(atomic_load(&handed_on), 1);
        /* It is not stale after a set, though nobody else has the context. */
        cr_assert_eq(weft_set(&plain, V(2), &token), 0);
        cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &second), 0);
        void *value;
        cr_assert_eq(weft_context_lookup(second, &plain, &value), 0);
        cr_assert_eq(value, V(2));
        cr_assert_eq(weft_context_lookup(first, &plain, &value), 0);
        cr_assert_eq(value, V(1));
        weft_context_unref(second);
        cr_assert_eq(weft_reset(&plain, &token), 0);
        cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &second), 0);
        cr_assert(weft_context_equal(first, second));
        weft_context_unref(second);
        weft_context_unref(first);
}

Test(policy, C12_without_one_that_is_bound_a_capture_is_what_it_was)
{
        weft_context *across = (weft_context *)-1;
        cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &across), 0);
        cr_assert_null(across);
        bind_all();
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(weft_set(&plain, V(1), NULL), 0);
        weft_context *here = weft_context_capture();
        cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &across), 0);
        cr_assert_eq(across, here);
        weft_context_unref(across);
        weft_context_unref(here);
}

Test(policy, C12_where_all_is_dropped_the_other_side_is_empty)
{
        weft_context *across = (weft_context *)-1;
        cr_assert_eq(weft_set(&transaction, V(3), NULL), 0);
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &across), 0);
                cr_assert_null(across);
        }
}

/* ---- values with references ---- */

static int sees_kept(void *arg)
{
        CHECK(arg ? weft_get(&kept) == arg : is_unset(&kept));
        return 0;
}

static void *thread_sees_kept(void *arg)
{
        sees_kept(arg);
        return NULL;
}

Test(policy, C7_C12_values_on_both_sides_are_released_once)
{
        weft_pool *pool = begin(1);
        pthread_t thread;
        weft_bound *bound;
        cr_assert_eq(weft_set(&kept, &kept_value[0], NULL), 0);
        cr_assert_eq(join(spawn(pool, sees_kept, &kept_value[0])), 0);
        cr_assert_eq(weft_thread_create(&thread, NULL, thread_sees_kept, NULL), 0);
        pthread_join(thread, NULL);
        cr_assert_eq(weft_bind(&bound, sees_kept, &kept_value[1]), 0);
        cr_assert_eq(atomic_load(&kept_value[0].retained), 1);
        cr_assert_eq(atomic_load(&kept_value[1].retained), 1);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(atomic_load(&kept_value[0].released), 1);
        cr_assert_eq(atomic_load(&kept_value[1].released), 0); /* it is bound yet */
        cr_assert_eq(weft_bound_call(bound), 0);
        weft_bound_free(bound);
        cr_assert_eq(atomic_load(&kept_value[1].released), 1);
        finish(pool);
}

/* A chain of tasks, each submitted by the one before, while the first context lives. */
static atomic_int links, alive;
static char one_alive;

static int makes_another(unsigned border, void *value, void **ret_value)
{
        (void)border;
        CHECK(value == &one_alive);
        atomic_fetch_add(&alive, 1);
        *ret_value = value;
        return 0;
}

static void goes(void *value)
{
        CHECK(value == &one_alive);
        atomic_fetch_sub(&alive, 1);
}

static weft_var chained = WEFT_VAR_INIT("chained", .release = goes, .hand_on = makes_another);

static int one_link(void *arg)
{
        CHECK(atomic_load(&alive) < 30);
        if (N(arg) > 0)
                CHECK(weft_submit(NULL, one_link, V(N(arg) - 1)) == 0);
        atomic_fetch_add(&links, 1);
        return 0;
}

Test(policy, C12_a_chain_of_tasks_keeps_little_of_those_that_have_ended, .timeout = 60)
{
        enum { LINKS = SLOW_BUILD ? 2000 : 20000 };
        weft_pool *pool = begin(1);
        atomic_store(&alive, 1);
        cr_assert_eq(weft_set(&chained, &one_alive, NULL), 0);
        cr_assert_eq(weft_submit(pool, one_link, V(LINKS)), 0);
        cr_assert(reaches(&links, LINKS + 1));
        weft_context_unref(weft_context_swap(NULL));
        finish(pool);
        cr_assert_eq(atomic_load(&alive), 0);
}

/* ---- errors ---- */

Test(policy, C12_what_hand_on_refuses_is_not_handed_over)
{
        weft_pool *pool = begin(1);
        weft_task *task = NULL, *done = spawn(pool, nothing, NULL);
        weft_bound *bound = NULL;
        pthread_t thread;
        weft_context *across = NULL;
        bind_all();
        refuses_at = WEFT_BORDER_ALL;
        cr_assert_eq(weft_submit(pool, crossed, NULL), -EPERM);
        cr_assert_eq(weft_spawn(pool, &task, crossed, NULL), -EPERM);
        cr_assert_eq(weft_task_on_done(done, crossed, NULL), -EPERM);
        cr_assert_eq(weft_spawn_at(pool, &task, 0, WEFT_INHERIT, crossed, NULL), -EPERM);
        cr_assert_eq(weft_bind(&bound, crossed, NULL), -EPERM);
        cr_assert_eq(weft_thread_create(&thread, NULL, crossed_thread, NULL), -EPERM);
        cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &across), -EPERM);
        cr_assert_eq(weft_context_cross(0, &across), -EINVAL);
        cr_assert_eq(weft_context_cross(3, &across), -EINVAL);
        cr_assert_eq(weft_context_cross(32, &across), -EINVAL);
        cr_assert_eq(weft_context_cross(1, NULL), -EINVAL);
        cr_assert_null(task);
        cr_assert_null(bound);
        cr_assert_null(across);
        refuses_at = 0;
        cr_assert_eq(weft_submit(pool, crossed, V(6)), 0);
        join(done);
        finish(pool);
}

/* As with all that needs memory: an error, and nothing changed; above all, nothing of what was to
 * be dropped crosses. */
enum { ENOUGH = 1000 }; /* allocations of one crossing */

Test(policy, C8_C12_without_memory_nothing_crosses)
{
        static weft_var far[40];
        weft_context *across = NULL;
        int refused = 0, r;
        for (int i = 0; i < 40; i++) {
                far[i] = (weft_var)WEFT_VAR_INIT("far", .drop_at = WEFT_BORDER_TASK);
                cr_assert_eq(weft_set(&far[i], V(i), NULL), 0);
        }
        bind_all();
        cr_assert_eq(weft_set(&kept, &kept_value[0], NULL), 0);
        for (int n = 0;; n++, refused++) {
                r = cross_with(n, WEFT_BORDER_FOREIGN, &across);
                if (r == 0)
                        break;
                cr_assert_lt(n, ENOUGH);
                cr_assert_eq(r, -ENOMEM);
                cr_assert_null(across);
                cr_assert_eq(not_crossed(V(5)), 7);
                cr_assert_eq(atomic_load(&kept_value[1].retained),
                             atomic_load(&kept_value[1].released));
        }
        cr_assert_gt(refused, 3);
        weft_context_unref(weft_context_swap(across));
        cr_assert_eq(crossed(V(6)), 7);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert(value_gone(&kept_value[0]) && value_gone(&kept_value[1]));
        assert_checks();
}

Test(policy, C8_C12_what_was_handed_on_already_is_given_back_without_memory)
{
        for (int i = 0; i < 2; i++) {
                weft_context *across = NULL;
                int refused = 0, r;
                cr_assert_eq(i ? weft_set(&generation, V(5), NULL)
                               : weft_set(&kept, &kept_value[0], NULL),
                             0);
                for (int n = 0;; n++, refused++) {
                        r = cross_with(n, WEFT_BORDER_FOREIGN, &across);
                        if (r == 0)
                                break;
                        cr_assert_lt(n, ENOUGH);
                        cr_assert_eq(r, -ENOMEM);
                        cr_assert(value_gone(&kept_value[1]));
                }
                cr_assert_eq(refused, i ? 1 : 2);
                weft_context_unref(across);
                weft_context_unref(weft_context_swap(NULL));
                cr_assert(value_gone(&kept_value[0]) && value_gone(&kept_value[1]));
        }
        assert_checks();
}

Test(policy, C12_a_var_that_was_retired_while_it_was_bound_has_none_any_more)
{
        static weft_var retired = WEFT_VAR_INIT("retired", .drop_at = WEFT_BORDER_ALL);
        weft_context *across;
        void *value;
        cr_assert_eq(weft_set(&retired, V(1), NULL), 0);
        cr_assert_eq(weft_set(&transaction, V(3), NULL), 0);
        cr_assert_eq(weft_set(&plain, V(2), NULL), 0);
        weft_var_fini(&retired);
        cr_assert_eq(weft_context_cross(WEFT_BORDER_TASK, &across), 0);
        cr_assert_eq(weft_context_size(across), 1);
        cr_assert_eq(weft_context_lookup(across, &plain, &value), 0);
        cr_assert_eq(value, V(2));
        weft_context_unref(across);
}

/* ---- many at once ---- */

static weft_pool *many;
static weft_context *of_many;

static int submits_many(void *arg)
{
        (void)arg;
        for (int i = 0; i < (SLOW_BUILD ? 200 : 3000); i++) {
                if (i % 64 == 63)
                        CHECK(weft_set(&kept, &kept_value[0], NULL) == 0);
                CHECK(weft_submit(many, crossed, V(6)) == 0);
        }
        return 0;
}

static void *submits_many_in_one_context(void *arg)
{
        for (int i = 0; i < 4; i++)
                CHECK(weft_context_run(of_many, submits_many, NULL, NULL) == 0);
        return arg;
}

Test(policy, C12_by_many_threads_from_one_context, .timeout = 60)
{
        pthread_t thread[3];
        many = begin(2);
        bind_all();
        of_many = weft_context_swap(NULL);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, submits_many_in_one_context, NULL),
                             0);
        for (int i = 0; i < 3; i++)
                pthread_join(thread[i], NULL);
        weft_context_unref(of_many);
        finish(many);
        cr_assert(value_gone(&kept_value[0]) && value_gone(&kept_value[1]));
        cr_assert_lt(atomic_load(&handed_on), 3 * 4 * 3000 / 2); /* not for each that crosses */
}
