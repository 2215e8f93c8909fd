/* SPDX-License-Identifier: MIT
 *
 * Vars: declared, set first by many threads at once, more of them than fit into any one level of
 * the map (16, 256, 5,000), and retired with weft_var_fini() while contexts bind them.
 */
#include "context_help.h"

static weft_var plain = WEFT_VAR_INIT("plain");
static weft_var full =
    WEFT_VAR_INIT("full", .fallback = V(1), .retain = counted_retain, .release = counted_release);

/* A family of n vars in the heap, set by nobody yet. */
static weft_var *make_vars(size_t n)
{
        weft_var *vars = malloc(n * sizeof(*vars));
        for (size_t i = 0; i < n; i++) {
                weft_var v = WEFT_VAR_INIT("one of many", .fallback = V(-(intptr_t)i - 1));
                memcpy(&vars[i], &v, sizeof(v));
        }
        return vars;
}

Test(var, init_fills_in_what_it_is_given_and_zero_else)
{
        cr_assert_str_eq(plain.name, "plain");
        cr_assert_null(plain.fallback);
        cr_assert(plain.retain == NULL);
        cr_assert(plain.release == NULL);
        cr_assert_str_eq(full.name, "full");
        cr_assert_eq(full.fallback, V(1));
        cr_assert(full.retain == counted_retain);
        cr_assert(full.release == counted_release);
}

Test(var, two_vars_may_have_one_name)
{
        static weft_var a = WEFT_VAR_INIT("twin"), b = WEFT_VAR_INIT("twin");

        weft_set(&a, V(1), NULL);
        weft_set(&b, V(2), NULL);
        cr_assert_eq(weft_get(&a), V(1));
        cr_assert_eq(weft_get(&b), V(2));
}

Test(var, a_var_may_live_on_the_stack_and_have_no_name)
{
        weft_var local = WEFT_VAR_INIT(NULL);

        WEFT_WITH (&local, V(1)) {
                cr_assert_eq(weft_get(&local), V(1));
        }
        weft_var_fini(&local);
}

/* ---- many ---- */

static void assert_many_vars_hold(size_t n)
{
        weft_var *vars = make_vars(n);
        weft_context **at = malloc((n + 1) * sizeof(*at));
        void *value;

        /* every context on the way up is kept, and stays as it was */
        for (size_t i = 0; i < n; i++) {
                cr_assert_eq(weft_get(&vars[i]), V(-(intptr_t)i - 1));
                at[i] = weft_context_capture();
                cr_assert_eq(weft_set(&vars[i], V(i), NULL), 0);
        }
        at[n] = weft_context_capture();

        for (size_t i = 0; i < n; i++)
                cr_assert_eq(weft_get(&vars[i]), V(i));
        for (size_t i = 0; i <= n; i++) {
                cr_assert_eq(weft_context_size(at[i]), i);
                if (i > 0) {
                        cr_assert_eq(weft_context_lookup(at[i], &vars[i - 1], &value), 0);
                        cr_assert_eq(value, V(i - 1));
                }
                if (i < n)
                        cr_assert_eq(weft_context_lookup(at[i], &vars[i], &value), -ENOENT);
        }

        /* and so does the last one while the frame goes on */
        for (size_t i = 0; i < n; i += 3)
                cr_assert_eq(weft_set(&vars[i], V(i + 1000000), NULL), 0);
        for (size_t i = 0; i < n; i++) {
                cr_assert_eq(weft_get(&vars[i]), V(i % 3 ? i : i + 1000000));
                cr_assert_eq(weft_context_lookup(at[n], &vars[i], &value), 0);
                cr_assert_eq(value, V(i));
        }

        for (size_t i = 0; i <= n; i++)
                weft_context_unref(at[i]);
        weft_context_unref(weft_context_swap(NULL));
        for (size_t i = 0; i < n; i++)
                weft_var_fini(&vars[i]);
        free(at);
        free(vars);
}

Test(var, sixteen_and_one_more)
{
        assert_many_vars_hold(17);
}

Test(var, more_than_256)
{
        assert_many_vars_hold(300);
}

Test(var, five_thousand, .timeout = 120)
{
        assert_many_vars_hold(5000);
}

/* Set from the far end, so that the highest id comes first into an empty context. */
Test(var, a_context_may_bind_only_vars_that_are_far_apart)
{
        enum { N = 5000 };
        weft_var *vars = make_vars(N);
        static const int far[] = {N - 1, 0, 4097, 4095, 17, 16, 15, 257, 256, 255};
        weft_context *context = NULL, *next;
        void *value;

        /* the ids are given out in order */
        for (int i = 0; i < N; i++) {
                weft_token token;
                weft_set(&vars[i], V(1), &token);
                weft_reset(&vars[i], &token);
        }
        cr_assert_null(weft_context_capture());
        for (size_t i = 0; i < sizeof(far) / sizeof(*far); i++) {
                cr_assert_eq(weft_context_with(context, &vars[far[i]], V(far[i]), &next), 0);
                weft_context_unref(context);
                context = next;
                cr_assert_eq(weft_context_size(context), i + 1);
        }
        for (int i = 0; i < N; i++) {
                bool bound = false;
                for (size_t k = 0; k < sizeof(far) / sizeof(*far); k++)
                        bound |= far[k] == i;
                value = NULL;
                cr_assert_eq(weft_context_lookup(context, &vars[i], &value), bound ? 0 : -ENOENT);
                cr_assert_eq(value, bound ? V(i) : NULL);
        }
        weft_context_unref(context);
        free(vars);
}

struct first_set {
        pthread_barrier_t *start;
        weft_var *vars;
        size_t n;
        intptr_t me;
};

static void *set_all_first(void *arg)
{
        struct first_set *f = arg;

        pthread_barrier_wait(f->start);
        for (size_t i = 0; i < f->n; i++)
                THREAD_CHECK(weft_set(&f->vars[i], V(f->me * 10000 + (intptr_t)i), NULL) == 0);
        for (size_t i = 0; i < f->n; i++)
                THREAD_CHECK(weft_get(&f->vars[i]) == V(f->me * 10000 + (intptr_t)i));
        weft_context *now = weft_context_capture();
        size_t size = weft_context_size(now);
        weft_context_unref(now);
        THREAD_CHECK(size == f->n);
        return NULL;
}

Test(var, many_threads_may_be_the_first_to_set_a_var_at_once, .timeout = 60)
{
        enum { THREADS = 4, N = 600 };
        weft_var *vars = make_vars(N);
        pthread_barrier_t start;
        pthread_t threads[THREADS];
        struct first_set f[THREADS];
        void *result;

        pthread_barrier_init(&start, NULL, THREADS);
        for (int i = 0; i < THREADS; i++) {
                f[i] = (struct first_set){&start, vars, N, i + 1};
                cr_assert_eq(pthread_create(&threads[i], NULL, set_all_first, &f[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
                pthread_join(threads[i], &result);
                assert_thread_ok(result);
        }
        free(vars);
}

/* ---- weft_var_fini ---- */

Test(var, a_retired_var_is_found_in_no_context)
{
        weft_var var = WEFT_VAR_INIT("short-lived", .fallback = V(7));
        void *value = V(99);

        weft_set(&plain, V(2), NULL);
        weft_set(&var, V(1), NULL);
        weft_context *context = weft_context_capture();
        weft_var_fini(&var);
        cr_assert_eq(weft_get(&var), V(7));
        cr_assert_eq(weft_lookup(&var, &value), -ENOENT);
        cr_assert_eq(weft_context_lookup(context, &var, &value), -ENOENT);
        cr_assert_eq(weft_context_lookup(context, &plain, &value), 0);
        cr_assert_eq(value, V(2));
        weft_context_unref(context);
}

static int only_plain(const weft_var *var, void *value, void *count)
{
        ++*(int *)count;
        return var == &plain && value == V(2) ? 0 : -EIO;
}

Test(var, foreach_and_size_skip_a_retired_var)
{
        weft_var *var = make_vars(1);
        int count = 0;

        weft_set(&plain, V(2), NULL);
        weft_set(var, V(1), NULL);
        weft_context *context = weft_context_capture();
        cr_assert_eq(weft_context_size(context), 2);
        weft_var_fini(var);
        free(var);
        cr_assert_eq(weft_context_foreach(context, only_plain, &count), 0);
        cr_assert_eq(count, 1);
        cr_assert_eq(weft_context_size(context), 1);
        weft_context_unref(context);
}

Test(var, a_binding_of_a_retired_var_lives_as_long_as_its_contexts)
{
        weft_var *var = malloc(sizeof(*var));
        static struct counted a;

        *var = (weft_var)WEFT_VAR_INIT("short-lived", .retain = counted_retain,
                                       .release = counted_release);
        weft_set(var, &a, NULL);
        weft_context *context = weft_context_capture();
        weft_var_fini(var);
        free(var);
        assert_alive(&a, 1);
        weft_context_unref(weft_context_swap(NULL));
        assert_alive(&a, 1);
        weft_context_unref(context);
        assert_gone(&a, 1);
}

static int released_by_mine, released_by_other;

static void my_release(void *value)
{
        (void)value;
        released_by_mine++;
}

static void other_release(void *value)
{
        (void)value;
        released_by_other++;
}

Test(var, a_value_is_released_by_the_function_that_the_var_had_when_it_was_bound)
{
        weft_var var = WEFT_VAR_INIT("short-lived", .release = my_release);

        weft_set(&var, V(1), NULL);
        weft_var_fini(&var);
        var = (weft_var)WEFT_VAR_INIT("another", .release = other_release);
        weft_set(&var, V(2), NULL);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(released_by_mine, 1);
        cr_assert_eq(released_by_other, 1);
}

Test(var, a_set_after_fini_makes_a_new_var)
{
        weft_var var = WEFT_VAR_INIT("again");
        void *value;

        weft_set(&var, V(1), NULL);
        weft_context *old = weft_context_capture();
        weft_var_fini(&var);
        cr_assert_eq(weft_set(&var, V(2), NULL), 0);
        cr_assert_eq(weft_get(&var), V(2));
        cr_assert_eq(weft_context_lookup(old, &var, &value), -ENOENT);
        weft_context_unref(old);
}

Test(var, fini_of_a_var_that_was_never_set_or_of_null_is_fine)
{
        weft_var var = WEFT_VAR_INIT("idle", .fallback = V(3));

        weft_var_fini(&var);
        cr_assert_eq(weft_get(&var), V(3));
        cr_assert_eq(weft_set(&var, V(1), NULL), 0);
        weft_var_fini(&var);
        weft_var_fini(&var);
        cr_assert_eq(weft_get(&var), V(3));
        weft_var_fini(NULL);
}

/* A token keeps its displaced value alive though the var has gone, and can still be dropped. */
Test(var, a_token_outlives_its_var)
{
        weft_var var =
            WEFT_VAR_INIT("short-lived", .retain = counted_retain, .release = counted_release);
        static struct counted a, b;
        weft_token token;

        weft_set(&var, &a, NULL);
        weft_set(&var, &b, &token);
        weft_var_fini(&var);
        assert_alive(&a, 1);
        weft_token_drop(&token);
        assert_gone(&a, 1);
        assert_alive(&b, 1);
        weft_context_unref(weft_context_swap(NULL));
        assert_gone(&b, 1);
}

/* What a token of the old var holds must not come back as a value of the new one. */
Test(var, a_token_of_a_retired_var_does_not_reset_the_var_that_took_its_place)
{
        weft_var var = WEFT_VAR_INIT("again");
        weft_token token;

        weft_set(&var, V(1), NULL);
        weft_set(&var, V(2), &token);
        weft_var_fini(&var);
        weft_set(&var, V(3), NULL);
        cr_assert_eq(weft_reset(&var, &token), -EINVAL);
        cr_assert_eq(weft_get(&var), V(3));
}

/* The block's undo finds no var to undo; what it kept alive it lets go. */
Test(var, a_var_may_be_retired_inside_a_with_block_of_it)
{
        weft_var var =
            WEFT_VAR_INIT("short-lived", .retain = counted_retain, .release = counted_release);
        static struct counted a, b;

        weft_set(&var, &a, NULL);
        WEFT_WITH (&var, &b) {
                weft_var_fini(&var);
                assert_alive(&a, 1);
        }
        assert_gone(&a, 1);
        assert_alive(&b, 1);
        weft_context_unref(weft_context_swap(NULL));
        assert_gone(&b, 1);
}

/* ---- a retain or release function that is called with NULL, and with what was given -- */

static void *last_retained, *last_released;
static int retains, releases;

static void note_retain(void *value)
{
        retains++;
        last_retained = value;
}

static void note_release(void *value)
{
        releases++;
        last_released = value;
}

Test(var, a_null_value_is_retained_and_released_as_any_other)
{
        static weft_var noted =
            WEFT_VAR_INIT("noted", .retain = note_retain, .release = note_release);

        last_retained = last_released = V(99);
        weft_set(&noted, NULL, NULL);
        cr_assert_eq(retains, 1);
        cr_assert_null(last_retained);
        weft_set(&noted, V(5), NULL);
        cr_assert_eq(releases, 1);
        cr_assert_null(last_released);
        cr_assert_eq(last_retained, V(5));
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(releases, 2);
        cr_assert_eq(last_released, V(5));
}

Test(var, retain_alone_is_called_once_for_each_binding)
{
        static weft_var noted = WEFT_VAR_INIT("noted", .retain = note_retain);

        weft_set(&noted, V(1), NULL);
        weft_context *captured = weft_context_capture();
        weft_set(&plain, V(2), NULL);
        weft_set(&noted, V(3), NULL);
        weft_context_unref(captured);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(retains, 2);
}

/* Each that is set takes a slot for good, one that was retired too; and the slots have an end. */
Test(var, after_eight_million_there_are_no_more_and_the_others_stay, .timeout = 60)
{
        enum { ALL = 16 * ((1 << 19) - 1) };
        static weft_var old = WEFT_VAR_INIT("old");
        static weft_var passing = WEFT_VAR_INIT("passing"), none = WEFT_VAR_INIT("none");
        weft_token token;
        int set = 0, r;

        cr_assert_eq(weft_set(&old, V(1), NULL), 0);
        while ((r = weft_set(&passing, V(2), &token)) == 0) {
                cr_assert_eq(weft_reset(&passing, &token), 0);
                weft_var_fini(&passing);
                set++;
        }
        cr_assert_eq(r, -ENOMEM);
        cr_assert_geq(set, ALL - 100); /* weft's own, and those of the tests' */
        cr_assert_eq(weft_set(&none, V(3), NULL), -ENOMEM);
        cr_assert_null(weft_get(&none));
        cr_assert_eq(weft_get(&old), V(1));
        cr_assert_eq(weft_set(&old, V(4), NULL), 0);
        cr_assert_eq(weft_get(&old), V(4));
}
