/* SPDX-License-Identifier: MIT
 *
 * The cases of CPython's own test of contextvars (Lib/test/test_context.py, 3.11 to 3.14), one by
 * one where their idea carries over. Each test names the case that it mirrors.
 *
 * Cases that do not carry over:
 *   context_var_new_1, context_new_1, context_subclassing_1, context_typerrors_1,
 *   context_isinstance, context_new_unhashable_str_subclass
 *                                           types are the C compiler's business
 *   context_var_repr_1, token_repr_1        nothing is printed
 *   hamt_hashkey_helper_1                   tests the test
 *   hamt_eq_2                               comparing pointers cannot raise
 *   context_eq_reentrant_contextvar_set_in_hash
 *                                           vars are not hashed; the other one of the pair is here
 *   the C API's context watchers            weft has none
 * Cases that come out the other way, because a weft context is immutable:
 *   context_run_6, context_getset_3, context_copy_1 (a run changes its frame, not its context),
 *   context_run_7 (a context may be entered again)
 * and of an exception, what carries over is a function that fails, or a block that is left early.
 */
#include "context_help.h"

#include <time.h>

static weft_var c = WEFT_VAR_INIT("c");
static weft_var with_default = WEFT_VAR_INIT("c", .fallback = V(42));

#define is_unset(var) (weft_lookup((var), &(void *){0}) == -ENOENT)

static int size_of_current(void)
{
        weft_context *now = weft_context_capture();
        int size = (int)weft_context_size(now);

        weft_context_unref(now);
        return size;
}

/* The binding, or V(-99) for none. */
static void *in(const weft_context *context, const weft_var *var)
{
        void *value;

        return weft_context_lookup(context, var, &value) == 0 ? value : V(-99);
}

#define NOT_IN V(-99)

/* ---- contexts ---- */

/* context_get_context_1 */
Test(contextvars, get_context_1)
{
        cr_assert_null(weft_context_capture());
        weft_set(&c, V(1), NULL);
        weft_context *context = weft_context_capture();
        cr_assert_not_null(context);
        weft_context_unref(context);
}

/* context_run_1: run wants a function. */
Test(contextvars, run_1)
{
        cr_assert_eq(weft_context_run(NULL, NULL, NULL, NULL), -EINVAL);
}

struct run_2 {
        int first, second, sum;
};

static int add(void *arg)
{
        struct run_2 *r = arg;
        r->sum = r->first + r->second;
        return r->sum;
}

/* context_run_2: arguments and results go through. */
Test(contextvars, run_2)
{
        struct run_2 r = {11, 2, 0};

        cr_assert_eq(weft_context_run(NULL, add, &r, NULL), 13);
        cr_assert_eq(r.sum, 13);
        cr_assert_eq(r.first, 11);
}

static int divide_by_zero(void *arg)
{
        (void)arg;
        return -EDOM;
}

/* context_run_3: so do errors, again and again. */
Test(contextvars, run_3)
{
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_context_run(NULL, divide_by_zero, NULL, NULL), -EDOM);
}

static int run_4_inner(void *arg)
{
        (void)arg;
        cr_assert(is_unset(&c));
        return 0;
}

static int run_4_outer(void *ret_current)
{
        cr_assert(is_unset(&c));
        weft_set(&c, V(1), NULL);
        weft_context_run(NULL, run_4_inner, NULL, NULL);
        cr_assert_eq(weft_get(&c), V(1));
        weft_context *now = weft_context_capture();
        cr_assert_eq(weft_context_size(now), 1);
        cr_assert_eq(in(now, &c), V(1));
        *(weft_context **)ret_current = now;
        return 0;
}

/* context_run_4: two contexts, one run inside the other. */
Test(contextvars, run_4)
{
        weft_context *returned, *after;

        weft_context_run(NULL, run_4_outer, &returned, &after);
        cr_assert(weft_context_equal(after, returned));
        cr_assert_eq(in(returned, &c), V(1));
        weft_context_unref(returned);
        weft_context_unref(after);
}

static int set_then_fail(void *arg)
{
        (void)arg;
        cr_assert(is_unset(&c));
        weft_set(&c, V(1), NULL);
        return -EDOM;
}

/* context_run_5: what a failing function set is gone. */
Test(contextvars, run_5)
{
        cr_assert_eq(weft_context_run(NULL, set_then_fail, NULL, NULL), -EDOM);
        cr_assert(is_unset(&c));
}

static weft_var zero = WEFT_VAR_INIT("a", .fallback = V(0));

static int run_6(void *context)
{
        cr_assert_eq(weft_get(&zero), V(0));
        cr_assert_eq(in(context, &zero), NOT_IN);
        weft_set(&zero, V(42), NULL);
        cr_assert_eq(weft_get(&zero), V(42));
        cr_assert_eq(in(context, &zero), NOT_IN); /* there: 42 */
        return 0;
}

/* context_run_6, the other way: the function's set is in its frame, not in the context. */
Test(contextvars, run_6)
{
        weft_context *context, *after;

        weft_context_with(NULL, &c, V(1), &context);
        weft_context_run(context, run_6, context, &after);
        cr_assert_eq(in(after, &zero), V(42));
        weft_context_unref(context);
        weft_context_unref(after);
}

static int run_7(void *context)
{
        static int depth;

        cr_assert_eq(weft_get(&c), V(1));
        if (++depth < 10)
                return weft_context_run(context, run_7, context, NULL); /* there: an error */
        return depth;
}

/* context_run_7, the other way: a context may be entered while it is entered. */
Test(contextvars, run_7)
{
        weft_context *context;

        weft_context_with(NULL, &c, V(1), &context);
        cr_assert_eq(weft_context_run(context, run_7, context, NULL), 10);
        weft_context_unref(context);
}

static int expect_only_c(const weft_var *var, void *value, void *count)
{
        ++*(int *)count;
        return var == &c && value == V(2) ? 0 : -EIO;
}

/* context_getset_1 */
Test(contextvars, getset_1)
{
        weft_token t0, t;
        void *old;
        int count = 0;

        cr_assert(is_unset(&c));
        cr_assert_null(weft_get(&c));
        weft_set(&c, V(42), &t0);
        cr_assert_eq(weft_get(&c), V(42));
        cr_assert_eq(weft_token_old(&t0, &old), -ENOENT);

        weft_set(&c, V(1), &t);
        cr_assert_eq(weft_get(&c), V(1));
        cr_assert_eq(weft_token_old(&t, &old), 0);
        cr_assert_eq(old, V(42));
        cr_assert_eq(weft_reset(&c, &t), 0);
        cr_assert_eq(weft_get(&c), V(42));

        weft_set(&c, V(2), NULL);
        cr_assert_eq(weft_reset(&c, &t), -EALREADY);
        cr_assert_eq(weft_get(&c), V(2));
        weft_context *context1 = weft_context_capture();
        cr_assert_eq(in(context1, &c), V(2));

        cr_assert_eq(weft_reset(&c, &t0), 0);
        cr_assert_eq(weft_reset(&c, &t0), -EALREADY);
        cr_assert(is_unset(&c));
        cr_assert_eq(in(context1, &c), V(2));
        cr_assert_eq(weft_context_size(context1), 1);
        cr_assert_eq(weft_context_foreach(context1, expect_only_c, &count), 0);
        cr_assert_eq(count, 1);

        weft_context *context2 = weft_context_capture();
        cr_assert_eq(in(context2, &c), NOT_IN);
        cr_assert_eq(weft_context_size(context2), 0);
        cr_assert_eq(weft_context_foreach(context2, expect_only_c, &count), 0);
        cr_assert_eq(count, 1);
        weft_context_unref(context1);
        weft_context_unref(context2);
}

/* context_getset_2: a token of another var. */
Test(contextvars, getset_2)
{
        static weft_var v2 = WEFT_VAR_INIT("v2");
        weft_token t;

        weft_set(&c, V(42), &t);
        cr_assert_eq(weft_reset(&v2, &t), -EINVAL);
        cr_assert_eq(weft_get(&c), V(42));
}

static int getset_3(void *context)
{
        weft_token t;

        cr_assert_eq(weft_get(&with_default), V(42));
        cr_assert_eq(in(context, &with_default), NOT_IN);
        cr_assert_eq(size_of_current(), 0);
        weft_set(&with_default, V(1), &t);
        cr_assert_eq(size_of_current(), 1);
        cr_assert_eq(weft_get(&with_default), V(1));
        cr_assert_eq(in(context, &with_default), NOT_IN); /* there: 1 */
        weft_reset(&with_default, &t);
        cr_assert_eq(size_of_current(), 0);
        cr_assert_eq(weft_get(&with_default), V(42));
        return 0;
}

/* context_getset_3: set and reset leave an empty context empty. */
Test(contextvars, getset_3)
{
        weft_context *after = V(1);

        weft_context_run(NULL, getset_3, NULL, &after);
        cr_assert_null(after);
}

static int set_1(void *token)
{
        return weft_set(&with_default, V(1), token);
}

/* context_getset_4: a token of another context's run. */
Test(contextvars, getset_4)
{
        weft_token token;

        cr_assert_eq(weft_context_run(NULL, set_1, &token, NULL), 0);
        cr_assert_eq(weft_reset(&with_default, &token), -EPERM);
        cr_assert_eq(weft_get(&with_default), V(42));
}

struct list {
        int length, first;
};

static int append_to_my_own_list(void *arg)
{
        struct list *list = arg;

        weft_set(&c, list, NULL);
        list = weft_get(&c);
        list->first = 42;
        list->length++;
        return 0;
}

/* context_getset_5: a run that binds a list of its own does not touch the caller's. */
Test(contextvars, getset_5)
{
        struct list mine = {0, 0}, another = {0, 0};

        cr_assert_eq(weft_set(&c, &mine, NULL), 0);
        weft_context *context = weft_context_capture();
        cr_assert_eq(weft_context_run(context, append_to_my_own_list, &another, NULL), 0);
        weft_context_unref(context);
        cr_assert_eq(weft_get(&c), &mine);
        cr_assert_eq(mine.length, 0);
        cr_assert_eq(another.length, 1);
}

static int copy_1_inner(void *arg)
{
        (void)arg;
        cr_assert_eq(weft_get(&c), V(10));
        weft_set(&c, V(30), NULL);
        cr_assert_eq(weft_get(&c), V(30));
        return 0;
}

static int copy_1_outer(void *arg)
{
        weft_context *after;

        (void)arg;
        weft_set(&c, V(10), NULL);
        weft_context *context2 = weft_context_capture();
        cr_assert_eq(in(context2, &c), V(10));
        weft_set(&c, V(20), NULL);
        cr_assert_eq(weft_get(&c), V(20));
        cr_assert_eq(in(context2, &c), V(10));
        weft_context_run(context2, copy_1_inner, NULL, &after);
        cr_assert_eq(weft_get(&c), V(20));
        cr_assert_eq(in(context2, &c), V(10)); /* there: 30, which here is in: */
        cr_assert_eq(in(after, &c), V(30));
        weft_context_unref(after);
        weft_context_unref(context2);
        return 0;
}

/* context_copy_1: a copy and the original go separate ways. */
Test(contextvars, copy_1)
{
        weft_context_run(NULL, copy_1_outer, NULL, NULL);
}

static void *threads_1(void *arg)
{
        intptr_t num = (intptr_t)arg;

        for (intptr_t i = 0; i < 10; i++) {
                struct timespec a_while = {0, 1000000 * (1 + (num * 7 + i * 3) % 5)};
                weft_set(&c, V(num + i), NULL);
                nanosleep(&a_while, NULL);
                THREAD_CHECK(weft_get(&c) == V(num + i));
        }
        return NULL;
}

/* context_threads_1: ten threads set and sleep. */
Test(contextvars, threads_1)
{
        pthread_t threads[10];
        void *result;

        for (intptr_t i = 0; i < 10; i++)
                cr_assert_eq(pthread_create(&threads[i], NULL, threads_1, V(i)), 0);
        for (int i = 0; i < 10; i++) {
                pthread_join(threads[i], &result);
                assert_thread_ok(result);
        }
}

static void *expect_c(void *value)
{
        THREAD_CHECK(weft_get(&c) == value);
        return NULL;
}

static int start_a_thread_that_expects_c(void *value)
{
        pthread_t thread;
        void *result;

        cr_assert_eq(weft_thread_create(&thread, NULL, expect_c, value), 0);
        pthread_join(thread, &result);
        assert_thread_ok(result);
        return 0;
}

/* context_thread_inherit: from the creator, from a given context, the empty one, not at all. */
Test(contextvars, thread_inherit)
{
        weft_context *custom;

        weft_set(&c, V(1), NULL);
        start_a_thread_that_expects_c(V(1));
        weft_context_with(NULL, &c, V(2), &custom);
        weft_context_run(custom, start_a_thread_that_expects_c, V(2), NULL);
        weft_context_unref(custom);
        weft_context_run(NULL, start_a_thread_that_expects_c, NULL, NULL);
        assert_thread_ok(on_thread(expect_c, NULL));
}

static int rebind_in_the_frame(const weft_var *var, void *value, void *arg)
{
        (void)value;
        cr_assert_eq(weft_set((weft_var *)var, arg, NULL), 0);
        return 0;
}

/* context_eq_reentrant_contextvar_set: the walk of a map is entered again by sets. Comparing calls
 * nobody here; foreach does, and what it walks must not move under it. */
Test(contextvars, eq_reentrant_contextvar_set)
{
        static weft_var vars[40];

        for (int i = 0; i < 40; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("v");
                weft_set(&vars[i], V(i), NULL);
        }
        weft_context *a = weft_context_capture(), *b = weft_context_capture();
        cr_assert_eq(weft_context_foreach(a, rebind_in_the_frame, V(1000)), 0);
        cr_assert(weft_context_equal(a, b));
        weft_context *now = weft_context_capture();
        cr_assert(!weft_context_equal(a, now));
        weft_context_unref(a);
        weft_context_unref(b);
        weft_context_unref(now);
}

/* ---- a token as a scoped block ---- */

/* token_contextmanager_with_default */
Test(contextvars, token_contextmanager_with_default)
{
        WEFT_WITH (&with_default, V(36)) {
                cr_assert_eq(weft_get(&with_default), V(36));
        }
        cr_assert_eq(weft_get(&with_default), V(42));
}

/* token_contextmanager_without_default */
Test(contextvars, token_contextmanager_without_default)
{
        WEFT_WITH (&c, V(36)) {
                cr_assert_eq(weft_get(&c), V(36));
        }
        cr_assert(is_unset(&c));
}

static int fail_inside(void *arg)
{
        (void)arg;
        WEFT_WITH (&with_default, V(36)) {
                if (weft_get(&with_default) == V(36))
                        return -EDOM;
        }
        return 0;
}

/* token_contextmanager_on_exception */
Test(contextvars, token_contextmanager_on_exception)
{
        cr_assert_eq(fail_inside(NULL), -EDOM);
        cr_assert_eq(weft_get(&with_default), V(42));
}

/* token_contextmanager_reentrant: one token undoes once; blocks make a token each. */
Test(contextvars, token_contextmanager_reentrant)
{
        weft_token token;

        weft_set(&with_default, V(36), &token);
        cr_assert_eq(weft_get(&with_default), V(36));
        cr_assert_eq(weft_reset(&with_default, &token), 0);
        cr_assert_eq(weft_reset(&with_default, &token), -EALREADY);
        cr_assert_eq(weft_get(&with_default), V(42));
        WEFT_WITH (&with_default, V(36)) {
                WEFT_WITH (&with_default, V(36)) {
                        cr_assert_eq(weft_get(&with_default), V(36));
                }
                cr_assert_eq(weft_get(&with_default), V(36));
        }
        cr_assert_eq(weft_get(&with_default), V(42));
}

/* token_contextmanager_multiple_c_set */
Test(contextvars, token_contextmanager_multiple_c_set)
{
        WEFT_WITH (&with_default, V(36)) {
                cr_assert_eq(weft_get(&with_default), V(36));
                weft_set(&with_default, V(24), NULL);
                cr_assert_eq(weft_get(&with_default), V(24));
                weft_set(&with_default, V(12), NULL);
                cr_assert_eq(weft_get(&with_default), V(12));
        }
        cr_assert_eq(weft_get(&with_default), V(42));
}

/* token_contextmanager_with_explicit_reset_the_same_token: the end of the block finds it used, and
 * that does no harm. */
Test(contextvars, token_contextmanager_with_explicit_reset_the_same_token)
{
        weft_token token;

        weft_set(&with_default, V(36), &token);
        cr_assert_eq(weft_reset(&with_default, &token), 0);
        cr_assert_eq(weft_get(&with_default), V(42));
        weft_set(&with_default, V(1), NULL);
        cr_assert_eq(weft_reset(&with_default, &token), -EALREADY);
        cr_assert_eq(weft_get(&with_default), V(1));
}

/* token_contextmanager_with_explicit_reset_another_token */
Test(contextvars, token_contextmanager_with_explicit_reset_another_token)
{
        WEFT_WITH (&with_default, V(36)) {
                weft_token token;

                cr_assert_eq(weft_get(&with_default), V(36));
                weft_set(&with_default, V(24), &token);
                cr_assert_eq(weft_get(&with_default), V(24));
                weft_reset(&with_default, &token);
                cr_assert_eq(weft_get(&with_default), V(36));
        }
        cr_assert_eq(weft_get(&with_default), V(42));
}
