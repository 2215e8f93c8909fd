/* SPDX-License-Identifier: MIT
 *
 * Tokens, as include/weft/context.h documents them: weft_set(), weft_reset(), weft_token_old(),
 * weft_token_drop(), and the WEFT_WITH block that is made of them. The order of the checks and the
 * rest of rule C4 is in context_rules.c.
 */
#include "context_help.h"

static weft_var user = WEFT_VAR_INIT("user", .fallback = V(7));
static weft_var other = WEFT_VAR_INIT("other");
static weft_var kept = WEFT_VAR_INIT("kept", .retain = counted_retain, .release = counted_release);
static weft_var given = WEFT_VAR_INIT("given", .release = counted_release);

#define is_unset(var) (weft_lookup((var), &(void *){0}) == -ENOENT)

Test(token, set_and_reset_refuse_null)
{
        weft_token token;

        cr_assert_eq(weft_set(NULL, V(1), NULL), -EINVAL);
        cr_assert_eq(weft_set(NULL, V(1), &token), -EINVAL);
        weft_set(&user, V(1), &token);
        cr_assert_eq(weft_reset(NULL, &token), -EINVAL);
        cr_assert_eq(weft_reset(&user, NULL), -EINVAL);
        cr_assert_eq(weft_reset(NULL, NULL), -EINVAL);
        cr_assert_eq(weft_get(&user), V(1));
        cr_assert_eq(weft_reset(&user, &token), 0);
}

Test(token, lookup_refuses_null)
{
        void *value = V(99);

        cr_assert_eq(weft_lookup(NULL, &value), -EINVAL);
        cr_assert_eq(weft_lookup(&user, NULL), -EINVAL);
        cr_assert_eq(value, V(99));
}

Test(token, a_set_that_fails_leaves_the_token_alone)
{
        weft_token token, before;

        memset(&token, 0x5a, sizeof(token));
        memcpy(&before, &token, sizeof(token));
        cr_assert_eq(weft_set(NULL, V(1), &token), -EINVAL);
        cr_assert_eq(memcmp(&token, &before, sizeof(token)), 0);
}

Test(token, reset_of_the_first_set_unsets)
{
        weft_token token;

        weft_set(&user, V(1), &token);
        cr_assert_eq(weft_reset(&user, &token), 0);
        cr_assert(is_unset(&user));
        cr_assert_eq(weft_get(&user), V(7));
        cr_assert_null(weft_context_capture());
}

Test(token, reset_touches_no_other_var)
{
        weft_token token;

        weft_set(&other, V(1), NULL);
        weft_set(&user, V(2), &token);
        weft_set(&other, V(3), NULL);
        cr_assert_eq(weft_reset(&user, &token), 0);
        cr_assert_eq(weft_get(&other), V(3));
}

Test(token, reset_brings_back_a_binding_to_null)
{
        weft_token token;

        weft_set(&user, NULL, NULL);
        weft_set(&user, V(1), &token);
        cr_assert_eq(weft_reset(&user, &token), 0);
        cr_assert_null(weft_get(&user));
        cr_assert(!is_unset(&user));
}

/* A token's set may be undone when the context has been captured since, many times. */
Test(token, reset_works_when_the_context_was_captured_since)
{
        weft_token token;
        void *value;

        weft_set(&user, V(1), NULL);
        weft_set(&user, V(2), &token);
        weft_context *captured = weft_context_capture();
        cr_assert_eq(weft_reset(&user, &token), 0);
        cr_assert_eq(weft_get(&user), V(1));
        cr_assert_eq(weft_context_lookup(captured, &user, &value), 0);
        cr_assert_eq(value, V(2));
        weft_context_unref(captured);
}

Test(token, old_tells_what_was_displaced)
{
        weft_token first, second, third;
        void *old = V(99);

        weft_set(&user, V(1), &first);
        weft_set(&user, NULL, &second);
        weft_set(&user, V(3), &third);
        cr_assert_eq(weft_token_old(&first, &old), -ENOENT);
        cr_assert_eq(old, V(99));
        cr_assert_eq(weft_token_old(&second, &old), 0);
        cr_assert_eq(old, V(1));
        cr_assert_eq(weft_token_old(&third, &old), 0);
        cr_assert_null(old);
}

Test(token, old_may_be_asked_again_and_changes_nothing)
{
        weft_token token;
        void *old;

        weft_set(&user, V(1), NULL);
        weft_set(&user, V(2), &token);
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(weft_token_old(&token, &old), 0);
                cr_assert_eq(old, V(1));
        }
        cr_assert_eq(weft_get(&user), V(2));
        cr_assert_eq(weft_reset(&user, &token), 0);
}

Test(token, old_of_a_used_token_is_gone)
{
        weft_token token;
        void *old = V(99);

        cr_assert_eq(weft_set(&user, V(1), NULL), 0);
        cr_assert_eq(weft_set(&user, V(2), &token), 0);
        cr_assert_eq(weft_reset(&user, &token), 0);
        cr_assert_eq(weft_token_old(&token, &old), -EALREADY);

        cr_assert_eq(weft_set(&user, V(2), &token), 0);
        weft_token_drop(&token);
        cr_assert_eq(weft_token_old(&token, &old), -EALREADY);
        cr_assert_eq(old, V(99));
}

Test(token, old_refuses_null)
{
        weft_token token;
        void *old = V(99);

        weft_set(&user, V(1), &token);
        cr_assert_eq(weft_token_old(NULL, &old), -EINVAL);
        cr_assert_eq(weft_token_old(&token, NULL), -EINVAL);
        cr_assert_eq(old, V(99));
}

Test(token, old_of_a_kept_var_is_borrowed)
{
        static struct counted a, b;
        weft_token token;
        void *old;

        cr_assert_eq(weft_set(&kept, &a, NULL), 0);
        cr_assert_eq(weft_set(&kept, &b, &token), 0);
        cr_assert_eq(weft_token_old(&token, &old), 0);
        cr_assert_eq(old, &a);
        assert_alive(&a, 1);
        weft_token_drop(&token);
        assert_gone(&a, 1);
        assert_alive(&b, 1);
}

Test(token, a_dropped_token_cannot_be_reset)
{
        weft_token token;

        cr_assert_eq(weft_set(&user, V(1), NULL), 0);
        cr_assert_eq(weft_set(&user, V(2), &token), 0);
        weft_token_drop(&token);
        cr_assert_eq(weft_reset(&user, &token), -EALREADY);
        cr_assert_eq(weft_get(&user), V(2));
}

Test(token, a_drop_of_null_or_of_a_used_token_does_nothing)
{
        static struct counted a, b;
        weft_token token;

        weft_token_drop(NULL);
        cr_assert_eq(weft_set(&kept, &a, NULL), 0);
        cr_assert_eq(weft_set(&kept, &b, &token), 0);
        cr_assert_eq(weft_reset(&kept, &token), 0);
        weft_token_drop(&token);
        assert_alive(&a, 1);
        cr_assert_eq(weft_set(&kept, &b, &token), 0);
        weft_token_drop(&token);
        weft_token_drop(&token);
        assert_gone(&a, 1);
        cr_assert_eq(atomic_load(&b.retained), 2);
        cr_assert_eq(atomic_load(&b.released), 1);
}

Test(token, a_token_can_be_used_for_another_set_once_it_is_used_up)
{
        weft_token token;

        for (int i = 0; i < 5; i++) {
                cr_assert_eq(weft_set(&user, V(i), &token), 0);
                cr_assert_eq(weft_reset(&user, &token), 0);
        }
        cr_assert(is_unset(&user));
}

static void *drop_it(void *token)
{
        weft_token_drop(token);
        return NULL;
}

Test(token, a_token_can_be_dropped_on_any_thread)
{
        static struct counted a, b;
        weft_token token;

        cr_assert_eq(weft_set(&kept, &a, NULL), 0);
        cr_assert_eq(weft_set(&kept, &b, &token), 0);
        on_thread(drop_it, &token);
        assert_gone(&a, 1);
        cr_assert(!pthread_equal(a.released_on, pthread_self()));
        cr_assert_eq(weft_reset(&kept, &token), -EALREADY);
        cr_assert_eq(weft_get(&kept), &b);
}

static struct counted outlived, displacing;

static int leave_a_token_behind(void *token)
{
        weft_set(&kept, &outlived, NULL);
        return weft_set(&kept, &displacing, token);
}

Test(token, a_token_keeps_its_value_alive_past_the_end_of_its_frame)
{
        weft_token token;
        void *old;

        weft_context_run(NULL, leave_a_token_behind, &token, NULL);
        assert_gone(&displacing, 1);
        assert_alive(&outlived, 1);
        cr_assert_eq(weft_reset(&kept, &token), -EPERM);
        cr_assert_eq(weft_token_old(&token, &old), 0);
        cr_assert_eq(old, &outlived);
        weft_token_drop(&token);
        assert_gone(&outlived, 1);
}

Test(token, without_a_token_the_displaced_value_is_released_before_set_returns)
{
        static struct counted a, b;

        weft_set(&kept, &a, NULL);
        weft_set(&kept, &b, NULL);
        assert_gone(&a, 1);
        assert_alive(&b, 1);
}

Test(token, a_var_with_release_alone_takes_over_what_it_is_given)
{
        static struct counted a, b;
        weft_token token;

        weft_set(&given, &a, NULL);
        weft_set(&given, &b, &token);
        cr_assert_eq(atomic_load(&a.released), 0);
        weft_reset(&given, &token);
        cr_assert_eq(atomic_load(&a.released), 0);
        cr_assert_eq(atomic_load(&b.released), 1);
        weft_context *empty = weft_context_swap(NULL);
        weft_context_unref(empty);
        cr_assert_eq(atomic_load(&a.released), 1);
        cr_assert_eq(atomic_load(&a.retained), 0);
}

/* The same value bound twice is two bindings: each has its own retain and its own release. */
Test(token, a_value_is_retained_once_for_each_binding)
{
        static struct counted a;
        weft_token token;

        weft_set(&kept, &a, NULL);
        weft_set(&kept, &a, &token);
        cr_assert_eq(atomic_load(&a.retained), 2);
        cr_assert_eq(atomic_load(&a.released), 0);
        weft_reset(&kept, &token);
        cr_assert_eq(atomic_load(&a.released), 1);
        cr_assert_eq(weft_get(&kept), &a);
        weft_context_unref(weft_context_swap(NULL));
        assert_gone(&a, 2);
}

/* ---- WEFT_WITH ---- */

Test(token, with_binds_inside_its_block_only)
{
        int runs = 0;

        WEFT_WITH (&user, V(1)) {
                cr_assert_eq(weft_get(&user), V(1));
                runs++;
        }
        cr_assert_eq(runs, 1);
        cr_assert(is_unset(&user));
}

Test(token, with_nests_with_braces_and_without)
{
        WEFT_WITH (&user, V(1)) {
                WEFT_WITH (&user, V(2))
                        WEFT_WITH (&other, V(3)) {
                                cr_assert_eq(weft_get(&user), V(2));
                                cr_assert_eq(weft_get(&other), V(3));
                        }
                cr_assert_eq(weft_get(&user), V(1));
                cr_assert(is_unset(&other));
        }
        cr_assert(is_unset(&user));
}

static void *return_out_of_with(void)
{
        WEFT_WITH (&user, V(1)) {
                WEFT_WITH (&other, V(2)) {
                        return weft_get(&other);
                }
        }
        return NULL;
}

Test(token, with_is_undone_by_return)
{
        cr_assert_eq(return_out_of_with(), V(2));
        cr_assert(is_unset(&user));
        cr_assert(is_unset(&other));
}

Test(token, with_is_undone_by_break_and_continue_which_leave_that_block_only)
{
        int loops = 0;

        for (int i = 0; i < 4; i++) {
                loops++;
                WEFT_WITH (&user, V(i)) {
                        if (i % 2)
                                break;
                        else
                                continue;
                        cr_assert(false, "not reached");
                }
                cr_assert(is_unset(&user));
        }
        cr_assert_eq(loops, 4);
}

Test(token, with_is_undone_by_goto)
{
        weft_set(&other, V(1), NULL);
        WEFT_WITH (&user, V(1)) {
                WEFT_WITH (&other, V(2)) {
                        goto out;
                }
        }
        cr_assert(false, "not reached");
out:
        cr_assert(is_unset(&user));
        cr_assert_eq(weft_get(&other), V(1));
}

Test(token, with_undoes_what_was_set_inside_it)
{
        weft_set(&user, V(1), NULL);
        WEFT_WITH (&user, V(2)) {
                weft_set(&user, V(3), NULL);
                weft_set(&other, V(4), NULL);
        }
        cr_assert_eq(weft_get(&user), V(1));
        cr_assert_eq(weft_get(&other), V(4));
}

Test(token, with_does_not_run_its_else_when_it_binds)
{
        bool otherwise = false;

        WEFT_WITH (&user, V(1)) {
                cr_assert_eq(weft_get(&user), V(1));
        }
        else
        {
                otherwise = true;
        }
        cr_assert(!otherwise);
}

Test(token, with_that_cannot_bind_runs_its_else_and_not_its_block)
{
        bool inside = false, otherwise = false;

        WEFT_WITH ((weft_var *)NULL, V(1)) {
                inside = true;
        }
        else
        {
                otherwise = true;
        }
        cr_assert(!inside);
        cr_assert(otherwise);
}

Test(token, with_evaluates_its_arguments_once)
{
        intptr_t n = 0;

        WEFT_WITH (&user, V(++n)) {
                cr_assert_eq(weft_get(&user), V(1));
        }
        cr_assert_eq(n, 1);
}

Test(token, with_keeps_the_displaced_value_alive_and_releases_its_own)
{
        static struct counted a, b;

        weft_set(&kept, &a, NULL);
        WEFT_WITH (&kept, &b) {
                assert_alive(&a, 1);
                assert_alive(&b, 1);
        }
        assert_alive(&a, 1);
        assert_gone(&b, 1);
        cr_assert_eq(weft_get(&kept), &a);
}

/* Swapped out from under the block: the undo acts on what is in the frame at the end, as a reset
 * does, and nothing of the block leaks. */
Test(token, with_is_undone_in_whatever_context_the_frame_has_by_then)
{
        static struct counted a;

        weft_context *before = NULL;
        WEFT_WITH (&kept, &a) {
                before = weft_context_swap(NULL);
                weft_set(&user, V(1), NULL);
        }
        cr_assert(is_unset(&kept));
        cr_assert_eq(weft_get(&user), V(1));
        assert_alive(&a, 1);
        weft_context_unref(before);
        assert_gone(&a, 1);
}
