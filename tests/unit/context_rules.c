/* SPDX-License-Identifier: MIT
 *
 * The rules C1 to C6 of include/weft/context.h, as far as they need no pool: each test is named for
 * the rule that it holds. C7 is in context_release.c, C8 in context_memory.c, C9 in
 * context_borders.c.
 */
#include "context_help.h"

static weft_var user = WEFT_VAR_INIT("user");
static weft_var locale = WEFT_VAR_INIT("locale", .fallback = V(7));
static weft_var other = WEFT_VAR_INIT("other");

/* ---- C1: a frame starts from the context at registration ---- */

static void *user_of_this_thread(void *arg)
{
        (void)arg;
        return weft_get(&user);
}

Test(context, c1_a_thread_starts_from_its_creators_context)
{
        pthread_t thread;
        void *seen;

        cr_assert_eq(weft_set(&user, V(1), NULL), 0);
        cr_assert_eq(weft_thread_create(&thread, NULL, user_of_this_thread, NULL), 0);
        pthread_join(thread, &seen);
        cr_assert_eq(seen, V(1));
}

static void *user_after_the_creator_went_on(void *arg)
{
        pthread_barrier_wait(arg);
        return weft_get(&user);
}

Test(context, c1_a_thread_starts_from_the_context_at_its_creation_not_at_its_start)
{
        pthread_barrier_t went_on;
        pthread_t thread;
        void *seen;

        pthread_barrier_init(&went_on, NULL, 2);
        weft_set(&user, V(1), NULL);
        cr_assert_eq(weft_thread_create(&thread, NULL, user_after_the_creator_went_on, &went_on),
                     0);
        weft_set(&user, V(2), NULL);
        pthread_barrier_wait(&went_on);
        pthread_join(thread, &seen);
        cr_assert_eq(seen, V(1));
        cr_assert_eq(weft_get(&user), V(2));
}

Test(context, c1_a_plain_thread_starts_empty)
{
        weft_set(&user, V(1), NULL);
        cr_assert_null(on_thread(user_of_this_thread, NULL));
}

static int user_now(void *arg)
{
        (void)arg;
        return (int)(intptr_t)weft_get(&user);
}

Test(context, c1_a_bound_function_starts_from_the_context_at_its_binding)
{
        weft_bound *bound;

        weft_set(&user, V(1), NULL);
        cr_assert_eq(weft_bind(&bound, user_now, NULL), 0);
        weft_set(&user, V(2), NULL);
        cr_assert_eq(weft_bound_call(bound), 1);
        cr_assert_eq(weft_get(&user), V(2));
        weft_bound_free(bound);
}

/* ---- C2: sets are isolated, objects are shared ---- */

static void *set_elsewhere(void *arg)
{
        (void)arg;
        THREAD_CHECK(weft_get(&user) == V(1));
        THREAD_CHECK(weft_set(&user, V(3), NULL) == 0);
        THREAD_CHECK(weft_get(&user) == V(3));
        return NULL;
}

Test(context, c2_what_a_thread_sets_is_invisible_to_its_creator_and_its_siblings)
{
        pthread_t threads[3];
        void *result;

        weft_set(&user, V(1), NULL);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_thread_create(&threads[i], NULL, set_elsewhere, NULL), 0);
        for (int i = 0; i < 3; i++) {
                pthread_join(threads[i], &result);
                assert_thread_ok(result);
        }
        cr_assert_eq(weft_get(&user), V(1));
}

static int set_to_arg(void *arg)
{
        return weft_set(&user, arg, NULL);
}

Test(context, c2_what_a_bound_function_sets_is_invisible_to_its_caller_and_its_next_call)
{
        weft_bound *reads, *sets;

        cr_assert_eq(weft_set(&user, V(1), NULL), 0);
        cr_assert_eq(weft_bind(&reads, user_now, NULL), 0);
        cr_assert_eq(weft_bind(&sets, set_to_arg, V(9)), 0);
        cr_assert_eq(weft_bound_call(sets), 0);
        cr_assert_eq(weft_get(&user), V(1));
        cr_assert_eq(weft_bound_call(sets), 0);
        cr_assert_eq(weft_bound_call(reads), 1);
        weft_bound_free(reads);
        weft_bound_free(sets);
}

static void *write_through_the_binding(void *arg)
{
        (void)arg;
        int *shared = weft_get(&user);
        *shared = 42;
        return NULL;
}

Test(context, c2_an_object_that_a_binding_points_at_is_shared)
{
        pthread_t thread;
        int object = 1;

        cr_assert_eq(weft_set(&user, &object, NULL), 0);
        cr_assert_eq(weft_thread_create(&thread, NULL, write_through_the_binding, NULL), 0);
        pthread_join(thread, NULL);
        cr_assert_eq(object, 42);
}

/* ---- C3: get and lookup ---- */

Test(context, c3_get_gives_the_binding_else_the_fallback_else_null)
{
        cr_assert_null(weft_get(&user));
        cr_assert_eq(weft_get(&locale), V(7));
        weft_set(&user, V(1), NULL);
        weft_set(&locale, V(8), NULL);
        cr_assert_eq(weft_get(&user), V(1));
        cr_assert_eq(weft_get(&locale), V(8));
}

Test(context, c3_lookup_tells_bound_to_null_from_not_set)
{
        void *value = V(99);

        cr_assert_eq(weft_lookup(&user, &value), -ENOENT);
        cr_assert_eq(value, V(99));
        weft_set(&user, NULL, NULL);
        cr_assert_eq(weft_lookup(&user, &value), 0);
        cr_assert_null(value);
}

Test(context, c3_a_fallback_is_no_binding_and_a_null_binding_hides_it)
{
        void *value = V(99);

        cr_assert_eq(weft_lookup(&locale, &value), -ENOENT);
        cr_assert_eq(value, V(99));
        weft_set(&locale, NULL, NULL);
        cr_assert_null(weft_get(&locale));
        cr_assert_eq(weft_lookup(&locale, &value), 0);
        cr_assert_null(value);
}

/* ---- C4: reset ---- */

static weft_token foreign;

static int make_foreign_token(void *arg)
{
        return weft_set(arg, V(5), &foreign);
}

/* Two wrongs at a time: the answer says which was looked at first. */
Test(context, c4_reset_checks_used_before_var_before_frame)
{
        weft_token token;

        /* used, and of another var */
        weft_set(&user, V(1), &token);
        cr_assert_eq(weft_reset(&user, &token), 0);
        cr_assert_eq(weft_reset(&other, &token), -EALREADY);

        /* of another var, and of another frame */
        cr_assert_eq(weft_context_run(NULL, make_foreign_token, &user, NULL), 0);
        cr_assert_eq(weft_reset(&other, &foreign), -EINVAL);

        /* of another frame only */
        cr_assert_eq(weft_reset(&user, &foreign), -EPERM);

        /* used, and of another frame: dropping is allowed anywhere */
        weft_token_drop(&foreign);
        cr_assert_eq(weft_reset(&user, &foreign), -EALREADY);
}

Test(context, c4_a_reset_token_is_used_up)
{
        weft_token token;

        weft_set(&user, V(1), &token);
        cr_assert_eq(weft_reset(&user, &token), 0);
        weft_set(&user, V(2), NULL);
        cr_assert_eq(weft_reset(&user, &token), -EALREADY);
        cr_assert_eq(weft_get(&user), V(2));
}

static int reset_in_another_frame(void *arg)
{
        int r = weft_reset(&user, arg);
        cr_assert_eq(weft_get(&user), V(2));
        return r;
}

Test(context, c4_a_failed_reset_changes_nothing_and_leaves_the_token_good)
{
        weft_token token;

        weft_set(&user, V(1), NULL);
        weft_set(&user, V(2), &token);
        weft_context *now = weft_context_capture();
        cr_assert_eq(weft_reset(&other, &token), -EINVAL);
        cr_assert_eq(weft_context_run(now, reset_in_another_frame, &token, NULL), -EPERM);
        cr_assert_eq(weft_get(&user), V(2));
        cr_assert_eq(weft_lookup(&other, &(void *){0}), -ENOENT);
        weft_context_unref(now);

        cr_assert_eq(weft_reset(&user, &token), 0);
        cr_assert_eq(weft_get(&user), V(1));
}

static void *reset_on_another_thread(void *token)
{
        return V(weft_reset(&user, token));
}

Test(context, c4_a_token_is_good_on_its_own_thread_only)
{
        weft_token token;

        weft_set(&user, V(1), &token);
        cr_assert_eq(on_thread(reset_on_another_thread, &token), V(-EPERM));
        cr_assert_eq(weft_get(&user), V(1));
        cr_assert_eq(weft_reset(&user, &token), 0);
}

static int keep_a_token(void *arg)
{
        return weft_set(&user, V(5), arg);
}

static int reset_a_token(void *arg)
{
        return weft_reset(&user, arg);
}

/* Frames come and go, and no new one is taken for an old one. */
Test(context, c4_a_token_of_a_frame_that_has_ended_is_good_in_no_other)
{
        static weft_token tokens[3];

        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_context_run(NULL, keep_a_token, &tokens[i], NULL), 0);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_context_run(NULL, reset_a_token, &tokens[i], NULL), -EPERM);
}

Test(context, c4_reset_undoes_that_set_whatever_was_set_since)
{
        weft_token first, second;

        weft_set(&user, V(1), &first);
        weft_set(&user, V(2), &second);
        cr_assert_eq(weft_reset(&user, &first), 0);
        cr_assert_eq(weft_lookup(&user, &(void *){0}), -ENOENT);
        cr_assert_eq(weft_reset(&user, &second), 0);
        cr_assert_eq(weft_get(&user), V(1));
}

Test(context, c4_resets_in_the_opposite_order_restore_each_value)
{
        enum { DEPTH = 100 };
        static weft_token tokens[DEPTH];

        for (int i = 0; i < DEPTH; i++)
                cr_assert_eq(weft_set(&user, V(i), &tokens[i]), 0);
        for (int i = DEPTH; i-- > 1;) {
                cr_assert_eq(weft_reset(&user, &tokens[i]), 0);
                cr_assert_eq(weft_get(&user), V(i - 1));
        }
        cr_assert_eq(weft_reset(&user, &tokens[0]), 0);
        cr_assert_eq(weft_lookup(&user, &(void *){0}), -ENOENT);
}

Test(context, c4_a_token_of_a_var_with_retain_keeps_the_displaced_value_alive)
{
        static weft_var kept =
            WEFT_VAR_INIT("kept", .retain = counted_retain, .release = counted_release);
        static struct counted old, new;
        weft_token token;

        weft_set(&kept, &old, NULL);
        weft_set(&kept, &new, &token);
        assert_alive(&old, 1);
        cr_assert_eq(weft_reset(&kept, &token), 0);
        cr_assert_eq(weft_get(&kept), &old);
        assert_alive(&old, 1);
        assert_gone(&new, 1);

        weft_set(&kept, &new, &token);
        weft_token_drop(&token);
        assert_gone(&old, 1);
        cr_assert_eq(weft_get(&kept), &new);
}

/* ---- C5: contexts are immutable ---- */

static int set_2_and_3(void *arg)
{
        (void)arg;
        cr_assert_eq(weft_get(&user), V(1));
        weft_set(&user, V(2), NULL);
        weft_set(&other, V(3), NULL);
        return 0;
}

static void assert_binds_only_user_1(weft_context *context)
{
        void *value;

        cr_assert_eq(weft_context_size(context), 1);
        cr_assert_eq(weft_context_lookup(context, &user, &value), 0);
        cr_assert_eq(value, V(1));
}

Test(context, c5_a_run_does_not_change_the_context_so_it_can_be_run_twice)
{
        weft_set(&user, V(1), NULL);
        weft_context *context = weft_context_capture();

        for (int i = 0; i < 2; i++) {
                cr_assert_eq(weft_context_run(context, set_2_and_3, NULL, NULL), 0);
                assert_binds_only_user_1(context);
        }
        weft_context_unref(context);
}

struct nesting {
        weft_context *context;
        int depth;
};

static int run_nested_in_itself(void *arg)
{
        struct nesting *n = arg;

        cr_assert_eq(weft_get(&user), V(1));
        weft_set(&user, V(100 + n->depth), NULL);
        if (--n->depth)
                weft_context_run(n->context, run_nested_in_itself, n, NULL);
        n->depth++;
        cr_assert_eq(weft_get(&user), V(100 + n->depth));
        return 0;
}

Test(context, c5_a_context_can_be_run_nested_in_itself)
{
        weft_set(&user, V(1), NULL);
        struct nesting n = {weft_context_capture(), 50};

        weft_context_run(n.context, run_nested_in_itself, &n, NULL);
        assert_binds_only_user_1(n.context);
        cr_assert_eq(weft_get(&user), V(1));
        weft_context_unref(n.context);
}

static int set_then_see_only_mine(void *arg)
{
        if (weft_get(&user) != V(1) || weft_lookup(&other, &(void *){0}) != -ENOENT)
                return -EIO;
        for (intptr_t i = 0; i < 50; i++) {
                weft_set(&user, V((intptr_t)arg + i), NULL);
                weft_set(&other, V(-i), NULL);
                if (weft_get(&user) != V((intptr_t)arg + i) || weft_get(&other) != V(-i))
                        return -EIO;
        }
        return 0;
}

static void *run_it_often(void *arg)
{
        for (intptr_t i = 0; i < 200; i++)
                THREAD_CHECK(weft_context_run(arg, set_then_see_only_mine, V(1000 * i), NULL) == 0);
        return NULL;
}

Test(context, c5_a_context_can_be_run_on_many_threads_at_once)
{
        pthread_t threads[4];
        void *result;

        weft_set(&user, V(1), NULL);
        weft_context *context = weft_context_capture();
        for (int i = 0; i < 4; i++)
                cr_assert_eq(pthread_create(&threads[i], NULL, run_it_often, context), 0);
        for (int i = 0; i < 4; i++) {
                pthread_join(threads[i], &result);
                assert_thread_ok(result);
        }
        assert_binds_only_user_1(context);
        weft_context_unref(context);
}

Test(context, c5_run_hands_back_the_context_as_the_function_left_it_to_who_asks)
{
        weft_context *after = NULL;
        void *value;

        weft_set(&user, V(1), NULL);
        weft_context *context = weft_context_capture();
        cr_assert_eq(weft_context_run(context, set_2_and_3, NULL, &after), 0);
        assert_binds_only_user_1(context);
        cr_assert_eq(weft_context_size(after), 2);
        cr_assert_eq(weft_context_lookup(after, &user, &value), 0);
        cr_assert_eq(value, V(2));
        cr_assert_eq(weft_context_lookup(after, &other, &value), 0);
        cr_assert_eq(value, V(3));
        weft_context_unref(after);
        weft_context_unref(context);
}

Test(context, c5_a_captured_context_stays_as_it_was)
{
        weft_token token;

        weft_set(&user, V(1), &token);
        weft_context *context = weft_context_capture();
        weft_set(&user, V(2), NULL);
        weft_set(&other, V(3), NULL);
        assert_binds_only_user_1(context);
        cr_assert_eq(weft_reset(&user, &token), 0);
        assert_binds_only_user_1(context);
        weft_context_unref(context);
}

/* ---- C6: what a function leaves bound goes with its frame ---- */

static int bind_and_leave(void *arg)
{
        cr_assert_eq(weft_context_size(arg), 0);
        weft_set(&user, V(2), NULL);
        weft_set(&other, V(2), NULL);
        weft_set(&locale, V(2), NULL);
        return 0;
}

static int expect_nothing_bound(void *arg)
{
        (void)arg;
        cr_assert_null(weft_get(&user));
        cr_assert_eq(weft_get(&locale), V(7));
        cr_assert_null(weft_get(&other));
        cr_assert_null(weft_context_capture());
        return 0;
}

Test(context, c6_what_a_function_leaves_bound_goes_with_its_frame)
{
        weft_context_run(NULL, bind_and_leave, NULL, NULL);
        weft_context_run(NULL, expect_nothing_bound, NULL, NULL);
        expect_nothing_bound(NULL);
}

Test(context, c6_a_run_replaces_the_frame_and_sees_nothing_of_the_one_below)
{
        weft_set(&user, V(1), NULL);
        weft_set(&locale, V(1), NULL);
        weft_context_run(NULL, expect_nothing_bound, NULL, NULL);
        cr_assert_eq(weft_get(&user), V(1));
        cr_assert_eq(weft_get(&locale), V(1));
}

static int set_and_fail(void *arg)
{
        weft_set(&user, V(2), arg);
        return -EIO;
}

Test(context, c6_a_function_that_fails_leaves_no_more_than_one_that_succeeds)
{
        weft_token token;

        weft_set(&user, V(1), NULL);
        cr_assert_eq(weft_context_run(NULL, set_and_fail, &token, NULL), -EIO);
        cr_assert_eq(weft_get(&user), V(1));
}
