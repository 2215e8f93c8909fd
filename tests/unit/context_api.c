/* SPDX-License-Identifier: MIT
 *
 * include/weft/context.h function by function, where the rules (context_rules.c and its kin) say
 * nothing: NULL arguments and other errors, what stays untouched on failure, foreach and its order,
 * equality, swap, bound functions, threads. Tokens are in token.c, vars in var.c.
 */
#include "context_help.h"

static weft_var one = WEFT_VAR_INIT("one", .fallback = V(-1));
static weft_var two = WEFT_VAR_INIT("two");
static weft_var three = WEFT_VAR_INIT("three");
static weft_var kept = WEFT_VAR_INIT("kept", .retain = counted_retain, .release = counted_release);

static weft_context *with(weft_context *base, weft_var *var, void *value)
{
        weft_context *derived;

        cr_assert_eq(weft_context_with(base, var, value, &derived), 0);
        weft_context_unref(base);
        return derived;
}

static void *in(const weft_context *context, const weft_var *var)
{
        void *value;
        int r = weft_context_lookup(context, var, &value);

        cr_assert(r == 0 || r == -ENOENT);
        return r == 0 ? value : V(-99);
}

/* ---- NULL is the empty context, and a good argument everywhere ---- */

static int return_42(void *arg)
{
        (void)arg;
        return 42;
}

static int never_called(const weft_var *var, void *value, void *arg)
{
        (void)var, (void)value, (void)arg;
        cr_assert_fail("called");
        return -1;
}

Test(context_api, null_is_the_empty_context_for_every_function)
{
        weft_context *after = V(99), *derived;
        void *value = V(99);

        cr_assert_null(weft_context_empty());
        cr_assert_null(weft_context_ref(NULL));
        cr_assert_null(weft_context_unref(NULL));
        cr_assert_eq(weft_context_run(NULL, return_42, NULL, &after), 42);
        cr_assert_null(after);
        cr_assert_eq(weft_context_lookup(NULL, &one, &value), -ENOENT);
        cr_assert_eq(value, V(99));
        cr_assert_eq(weft_context_size(NULL), 0);
        cr_assert_eq(weft_context_foreach(NULL, never_called, NULL), 0);
        cr_assert(weft_context_equal(NULL, NULL));
        cr_assert_null(weft_context_swap(NULL));
        cr_assert_eq(weft_context_with(NULL, &one, V(1), &derived), 0);
        cr_assert_eq(in(derived, &one), V(1));
        weft_context_unref(derived);
}

/* ---- capture, ref, unref ---- */

Test(context_api, capture_gives_null_while_nothing_is_bound)
{
        weft_token token;

        cr_assert_null(weft_context_capture());
        weft_set(&one, V(1), &token);
        weft_context *bound = weft_context_capture();
        cr_assert_not_null(bound);
        weft_reset(&one, &token);
        cr_assert_null(weft_context_capture());
        weft_context_unref(bound);
}

Test(context_api, two_captures_with_no_set_between_are_one_context)
{
        weft_set(&one, V(1), NULL);
        weft_context *a = weft_context_capture(), *b = weft_context_capture();
        cr_assert_eq(a, b);
        weft_context_unref(a);
        weft_context_unref(b);
}

Test(context_api, ref_returns_its_argument_and_unref_returns_null)
{
        weft_context *context = with(NULL, &one, V(1));

        cr_assert_eq(weft_context_ref(context), context);
        cr_assert_null(weft_context_unref(context));
        cr_assert_eq(in(context, &one), V(1));
        cr_assert_null(weft_context_unref(context));
}

/* ---- run ---- */

static int return_arg(void *arg)
{
        return (int)(intptr_t)arg;
}

Test(context_api, run_passes_the_argument_and_the_result_through)
{
        static const int results[] = {0, 1, INT32_MAX, -EIO, -1, INT32_MIN};

        for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++)
                cr_assert_eq(weft_context_run(NULL, return_arg, V(results[i]), NULL), results[i]);
}

Test(context_api, run_refuses_a_null_function_and_leaves_ret_after_alone)
{
        weft_context *context = with(NULL, &one, V(1)), *after = V(99);

        cr_assert_eq(weft_context_run(context, NULL, NULL, &after), -EINVAL);
        cr_assert_eq((void *)after, V(99));
        cr_assert_eq(weft_get(&one), V(-1));
        weft_context_unref(context);
}

Test(context_api, run_hands_back_the_same_context_if_nothing_was_set)
{
        weft_context *context = with(NULL, &one, V(1)), *after;

        weft_context_run(context, return_42, NULL, &after);
        cr_assert_eq(after, context);
        weft_context_unref(after);
        weft_context_unref(context);
}

static int set_two_and_fail(void *arg)
{
        weft_set(&two, arg, NULL);
        return -EIO;
}

Test(context_api, run_hands_the_context_back_also_if_the_function_failed)
{
        weft_context *after = NULL;

        cr_assert_eq(weft_context_run(NULL, set_two_and_fail, V(2), &after), -EIO);
        cr_assert_eq(in(after, &two), V(2));
        weft_context_unref(after);
}

/* ---- lookup, with, size ---- */

Test(context_api, context_lookup_refuses_null_and_leaves_the_value_alone)
{
        weft_context *context = with(NULL, &one, V(1));
        void *value = V(99);

        cr_assert_eq(weft_context_lookup(context, NULL, &value), -EINVAL);
        cr_assert_eq(weft_context_lookup(context, &one, NULL), -EINVAL);
        cr_assert_eq(weft_context_lookup(NULL, NULL, &value), -EINVAL);
        cr_assert_eq(weft_context_lookup(context, &two, &value), -ENOENT);
        cr_assert_eq(value, V(99));
        weft_context_unref(context);
}

Test(context_api, context_lookup_looks_into_its_context_and_not_the_frame)
{
        weft_context *context = with(NULL, &one, V(1));

        weft_set(&one, V(2), NULL);
        weft_set(&two, V(2), NULL);
        cr_assert_eq(in(context, &one), V(1));
        cr_assert_eq(in(context, &two), V(-99));
        weft_context_unref(context);
}

Test(context_api, with_derives_and_touches_neither_its_base_nor_the_frame)
{
        weft_context *base = with(NULL, &one, V(1)), *derived;

        cr_assert_eq(weft_context_with(base, &two, V(2), &derived), 0);
        cr_assert_eq(in(derived, &one), V(1));
        cr_assert_eq(in(derived, &two), V(2));
        cr_assert_eq(weft_context_size(base), 1);
        cr_assert_null(weft_context_capture());
        weft_context_unref(base);
        cr_assert_eq(in(derived, &one), V(1));
        weft_context_unref(derived);
}

Test(context_api, with_replaces_a_binding)
{
        weft_context *base = with(NULL, &one, V(1)), *derived;

        cr_assert_eq(weft_context_with(base, &one, V(2), &derived), 0);
        cr_assert_eq(in(base, &one), V(1));
        cr_assert_eq(in(derived, &one), V(2));
        cr_assert_eq(weft_context_size(derived), 1);
        weft_context_unref(base);
        weft_context_unref(derived);
}

Test(context_api, with_can_derive_from_the_current_context)
{
        weft_context *derived;

        weft_set(&one, V(1), NULL);
        weft_context *mine = weft_context_capture();
        cr_assert_eq(weft_context_with(mine, &one, V(2), &derived), 0);
        cr_assert_eq(weft_get(&one), V(1));
        weft_context_unref(mine);
        weft_context_unref(derived);
}

Test(context_api, with_refuses_null)
{
        weft_context *derived = V(99);

        cr_assert_eq(weft_context_with(NULL, NULL, V(1), &derived), -EINVAL);
        cr_assert_eq(weft_context_with(NULL, &one, V(1), NULL), -EINVAL);
        cr_assert_eq((void *)derived, V(99));
}

Test(context_api, size_counts_vars_and_not_sets)
{
        weft_set(&one, V(1), NULL);
        weft_set(&one, V(2), NULL);
        weft_set(&two, NULL, NULL);
        weft_context *context = weft_context_capture();
        cr_assert_eq(weft_context_size(context), 2);
        weft_context_unref(context);
}

/* ---- foreach ---- */

struct seen {
        const weft_var *vars[400];
        void *values[400];
        int count, stop_at, result;
};

static int note(const weft_var *var, void *value, void *arg)
{
        struct seen *seen = arg;

        seen->vars[seen->count] = var;
        seen->values[seen->count] = value;
        return ++seen->count == seen->stop_at ? seen->result : 0;
}

/* Set the vars first in the order three, one, two; bind them in another. */
static weft_context *bind_three(void)
{
        weft_var *const first[] = {&three, &one, &two};
        weft_token token;

        for (int i = 0; i < 3; i++) {
                weft_set(first[i], V(1), &token);
                weft_reset(first[i], &token);
        }
        weft_context *context = with(NULL, &one, V(10));
        context = with(context, &two, NULL);
        return with(context, &three, V(30));
}

Test(context_api, foreach_visits_each_binding_in_the_order_of_the_vars_first_sets)
{
        weft_context *context = bind_three();
        struct seen seen = {.count = 0};

        cr_assert_eq(weft_context_foreach(context, note, &seen), 0);
        cr_assert_eq(seen.count, 3);
        cr_assert_eq(seen.vars[0], &three);
        cr_assert_eq(seen.values[0], V(30));
        cr_assert_eq(seen.vars[1], &one);
        cr_assert_eq(seen.values[1], V(10));
        cr_assert_eq(seen.vars[2], &two);
        cr_assert_null(seen.values[2]);
        weft_context_unref(context);
}

Test(context_api, foreach_keeps_the_order_among_hundreds)
{
        enum { N = 400 };
        static weft_var vars[N];
        static struct seen seen;
        weft_context *context = NULL;
        weft_token token;

        for (int i = 0; i < N; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("one of many");
                weft_set(&vars[i], V(1), &token);
                weft_reset(&vars[i], &token);
        }
        for (int i = N; i-- > 0;)
                context = with(context, &vars[i], V(i));
        cr_assert_eq(weft_context_foreach(context, note, &seen), 0);
        cr_assert_eq(seen.count, N);
        for (int i = 0; i < N; i++) {
                cr_assert_eq(seen.vars[i], &vars[i]);
                cr_assert_eq(seen.values[i], V(i));
        }
        weft_context_unref(context);
}

Test(context_api, foreach_stops_at_the_first_result_that_is_not_0_and_returns_it)
{
        weft_context *context = bind_three();
        static const int results[] = {1, -EIO, 42};

        for (int stop_at = 1; stop_at <= 3; stop_at++) {
                struct seen seen = {.stop_at = stop_at, .result = results[stop_at - 1]};
                cr_assert_eq(weft_context_foreach(context, note, &seen), results[stop_at - 1]);
                cr_assert_eq(seen.count, stop_at);
        }
        weft_context_unref(context);
}

Test(context_api, foreach_refuses_a_null_visit)
{
        weft_context *context = bind_three();

        cr_assert_eq(weft_context_foreach(context, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_context_foreach(NULL, NULL, NULL), -EINVAL);
        weft_context_unref(context);
}

static int rebind(const weft_var *var, void *value, void *arg)
{
        int *count = arg;
        weft_token token;

        ++*count;
        weft_set((weft_var *)var, V(1000 + *count), NULL);
        weft_set(&kept, NULL, &token);
        weft_reset(&kept, &token);
        return value == V(1000 + *count) ? -EIO : 0;
}

/* Of the current context, too: the frame leaves it behind and the walk goes on in it. */
Test(context_api, foreach_walks_a_context_while_visit_sets_in_the_frame)
{
        enum { N = 40 };
        static weft_var vars[N];
        int count = 0;

        for (int i = 0; i < N; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("one of many");
                weft_set(&vars[i], V(i), NULL);
        }
        weft_context *context = weft_context_capture();
        cr_assert_eq(weft_context_foreach(context, rebind, &count), 0);
        cr_assert_eq(count, N);
        for (int i = 0; i < N; i++) {
                cr_assert_eq(in(context, &vars[i]), V(i));
                cr_assert_eq(weft_get(&vars[i]), V(1000 + i + 1));
        }
        weft_context_unref(context);
}

/* ---- equal ---- */

static bool equal(weft_context *a, weft_context *b)
{
        bool r = weft_context_equal(a, b);

        cr_assert_eq(weft_context_equal(b, a), r);
        weft_context_unref(a);
        weft_context_unref(b);
        return r;
}

Test(context_api, equal_compares_vars_and_values_and_not_history)
{
        weft_context *a = with(with(NULL, &one, V(1)), &two, V(2));
        weft_context *b = with(with(NULL, &two, V(2)), &one, V(1));

        cr_assert(equal(a, b));
        cr_assert(!equal(with(NULL, &one, V(1)), with(NULL, &one, V(2))));
        cr_assert(!equal(with(NULL, &one, V(1)), with(NULL, &two, V(1))));
        cr_assert(!equal(with(NULL, &one, V(1)), with(with(NULL, &one, V(1)), &two, V(1))));
        cr_assert(!equal(with(NULL, &one, V(1)), NULL));
        cr_assert(equal(with(NULL, &one, NULL), with(NULL, &one, NULL)));
}

Test(context_api, equal_tells_bound_to_null_or_to_the_fallback_from_not_set)
{
        cr_assert(!equal(with(NULL, &two, NULL), NULL));
        cr_assert(!equal(with(NULL, &one, V(-1)), NULL));
        cr_assert(!equal(with(NULL, &two, NULL), with(NULL, &three, NULL)));
}

Test(context_api, equal_compares_the_pointers_of_kept_values)
{
        static struct counted a, b;

        cr_assert(equal(with(NULL, &kept, &a), with(NULL, &kept, &a)));
        cr_assert(!equal(with(NULL, &kept, &a), with(NULL, &kept, &b)));
        assert_gone(&a, 3);
        assert_gone(&b, 1);
}

Test(context_api, equal_ignores_vars_that_were_retired)
{
        weft_var gone = WEFT_VAR_INIT("gone");
        weft_context *a = with(with(NULL, &one, V(1)), &gone, V(1));
        weft_context *b = with(NULL, &one, V(1));

        cr_assert(!weft_context_equal(a, b));
        weft_var_fini(&gone);
        cr_assert(equal(a, b));
}

/* ---- swap ---- */

Test(context_api, swap_moves_both_references)
{
        static struct counted a, b;
        weft_context *next = with(NULL, &kept, &b);

        weft_set(&kept, &a, NULL);
        weft_context *previous = weft_context_swap(next);
        cr_assert_eq(weft_get(&kept), &b);
        cr_assert_eq(in(previous, &kept), &a);
        cr_assert_eq(weft_context_swap(previous), next);
        cr_assert_eq(weft_get(&kept), &a);
        assert_alive(&a, 1);
        assert_alive(&b, 1);
        weft_context_unref(next);
        assert_gone(&b, 1);
        weft_context_unref(weft_context_swap(NULL));
        assert_gone(&a, 1);
}

Test(context_api, swap_with_the_current_context_changes_nothing)
{
        static struct counted a;

        weft_set(&kept, &a, NULL);
        weft_context *mine = weft_context_capture();
        cr_assert_eq(weft_context_swap(mine), mine);
        weft_context_unref(mine);
        assert_alive(&a, 1);
        weft_context_unref(weft_context_swap(NULL));
        assert_gone(&a, 1);
}

Test(context_api, swap_keeps_the_frame_so_its_tokens_stay_good)
{
        weft_token token;

        weft_set(&one, V(1), NULL);
        weft_set(&one, V(2), &token);
        weft_context *previous = weft_context_swap(with(with(NULL, &two, V(5)), &one, V(6)));
        cr_assert_eq(weft_reset(&one, &token), 0);
        cr_assert_eq(weft_get(&one), V(1));
        cr_assert_eq(weft_get(&two), V(5));
        cr_assert_eq(in(previous, &one), V(2));
        weft_context_unref(previous);
}

static int swap_in_this_frame(void *context)
{
        weft_context_unref(weft_context_swap(context));
        cr_assert_eq(weft_get(&one), V(3));
        return 0;
}

Test(context_api, swap_inside_a_run_stays_inside)
{
        weft_context *after;

        weft_set(&one, V(1), NULL);
        weft_context_run(NULL, swap_in_this_frame, with(NULL, &one, V(3)), &after);
        cr_assert_eq(weft_get(&one), V(1));
        cr_assert_eq(in(after, &one), V(3));
        weft_context_unref(after);
}

/* ---- bound functions ---- */

Test(context_api, bind_refuses_null)
{
        weft_bound *bound = V(99);

        cr_assert_eq(weft_bind(NULL, return_42, NULL), -EINVAL);
        cr_assert_eq(weft_bind(&bound, NULL, NULL), -EINVAL);
        cr_assert_eq((void *)bound, V(99));
        cr_assert_null(weft_bound_free(NULL));
}

Test(context_api, a_bound_function_gets_its_argument_and_gives_its_result)
{
        weft_bound *bound;

        cr_assert_eq(weft_bind(&bound, return_arg, V(-17)), 0);
        cr_assert_eq(weft_bound_call(bound), -17);
        cr_assert_eq(weft_bound_call(bound), -17);
        cr_assert_null(weft_bound_free(bound));
        cr_assert_eq(weft_bound_call(NULL), -EINVAL);
}

static int expect_one_then_set_it(void *arg)
{
        if (weft_get(&one) != arg)
                return -EIO;
        weft_set(&one, V(99), NULL);
        return 0;
}

static void *call_it_often(void *bound)
{
        for (int i = 0; i < 500; i++)
                THREAD_CHECK(weft_bound_call(bound) == 0);
        return NULL;
}

Test(context_api, a_bound_function_may_be_called_on_many_threads_at_once)
{
        pthread_t threads[4];
        weft_bound *bound;
        void *result;

        cr_assert_eq(weft_set(&one, V(1), NULL), 0);
        cr_assert_eq(weft_bind(&bound, expect_one_then_set_it, V(1)), 0);
        cr_assert_eq(weft_set(&one, V(2), NULL), 0);
        for (int i = 0; i < 4; i++)
                cr_assert_eq(pthread_create(&threads[i], NULL, call_it_often, bound), 0);
        for (int i = 0; i < 4; i++) {
                pthread_join(threads[i], &result);
                assert_thread_ok(result);
        }
        weft_bound_free(bound);
}

static int free_myself(void *arg)
{
        weft_bound **bound = arg;

        *bound = weft_bound_free(*bound);
        struct counted *c = weft_get(&kept);
        return atomic_load(&c->released);
}

Test(context_api, a_bound_function_may_free_itself_from_within_its_call)
{
        static struct counted a;
        weft_bound *bound;

        cr_assert_eq(weft_set(&kept, &a, NULL), 0);
        cr_assert_eq(weft_bind(&bound, free_myself, &bound), 0);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(weft_bound_call(bound), 0, "the context outlives the call");
        cr_assert_null(bound);
        assert_gone(&a, 1);
}

/* ---- threads ---- */

static void *give_back(void *arg)
{
        return arg;
}

static void *own_stack_size(void *arg)
{
        pthread_attr_t attr;

        pthread_getattr_np(pthread_self(), &attr);
        pthread_attr_getstacksize(&attr, arg);
        pthread_attr_destroy(&attr);
        return weft_get(&one);
}

Test(context_api, thread_create_passes_the_argument_and_the_attributes_on)
{
        pthread_attr_t attr;
        pthread_t thread;
        size_t size = 0;
        void *result;

        weft_set(&one, V(1), NULL);
        cr_assert_eq(weft_thread_create(&thread, NULL, give_back, V(17)), 0);
        pthread_join(thread, &result);
        cr_assert_eq(result, V(17));

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 64 << 20);
        cr_assert_eq(weft_thread_create(&thread, &attr, own_stack_size, &size), 0);
        pthread_join(thread, &result);
        pthread_attr_destroy(&attr);
        cr_assert_eq(result, V(1));
        cr_assert_geq(size, 64 << 20);
}

/* A stack of 64 TiB cannot be had. */
Test(context_api, thread_create_that_is_refused_says_so_and_keeps_nothing)
{
        static struct counted a;
        pthread_t thread = pthread_self();
        pthread_attr_t attr;

        if (IN_EMULATOR)
                cr_skip_test("qemu-user looks for room for such a stack page by page");
        weft_set(&kept, &a, NULL);
        pthread_attr_init(&attr);
        cr_assert_eq(pthread_attr_setstacksize(&attr, (size_t)1 << 46), 0);
        int why =
            pthread_create(&thread, &attr, give_back, NULL); /* EAGAIN; valgrind says EINVAL */
        cr_assert_gt(why, 0);
        thread = pthread_self();
        cr_assert_eq(weft_thread_create(&thread, &attr, give_back, NULL), -why);
        pthread_attr_destroy(&attr);
        cr_assert(pthread_equal(thread, pthread_self()));
        weft_context_unref(weft_context_swap(NULL));
        assert_gone(&a, 1);
}

Test(context_api, thread_create_refuses_null)
{
        pthread_t thread = pthread_self();

        cr_assert_eq(weft_thread_create(NULL, NULL, give_back, NULL), -EINVAL);
        cr_assert_eq(weft_thread_create(&thread, NULL, NULL, NULL), -EINVAL);
        cr_assert(pthread_equal(thread, pthread_self()));
}

static void *set_and_reset_an_inherited_var(void *arg)
{
        weft_token token;

        THREAD_CHECK(weft_get(&one) == V(1));
        THREAD_CHECK(weft_set(&one, V(2), &token) == 0);
        THREAD_CHECK(weft_reset(&one, &token) == 0);
        THREAD_CHECK(weft_get(&one) == V(1));
        THREAD_CHECK(weft_reset(&one, arg) == -EPERM);
        return NULL;
}

Test(context_api, an_inherited_context_comes_in_a_frame_of_its_own)
{
        pthread_t thread;
        weft_token token;
        void *result;

        weft_set(&one, V(1), &token);
        cr_assert_eq(weft_thread_create(&thread, NULL, set_and_reset_an_inherited_var, &token), 0);
        pthread_join(thread, &result);
        assert_thread_ok(result);
        cr_assert_eq(weft_reset(&one, &token), 0);
}

/* ---- errno ---- */

Test(context_api, nothing_sets_errno)
{
        weft_token token = {0};
        weft_context *derived = NULL;

        errno = EXDEV;
        weft_set(NULL, NULL, NULL);
        weft_set(&one, V(1), &token);
        weft_reset(&two, &token);
        weft_lookup(&two, &(void *){0});
        weft_context_with(NULL, &one, NULL, &derived);
        weft_context_unref(derived);
        weft_reset(&one, &token);
        weft_reset(&one, &token);
        cr_assert_eq(errno, EXDEV);
}
