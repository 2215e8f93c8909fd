/* SPDX-License-Identifier: MIT
 *
 * Rule C8: capture and restore cannot fail; whatever else needs memory fails with -ENOMEM and
 * changes nothing. Each call is made again and again with its first, second, third... allocation
 * failing, once alone and once with all that follow, until it gets by with fewer: no site is left
 * out. (Through the hook of the allocation seam, which test builds have.)
 */
#include "context_help.h"

#include "context/memory.h"

static weft_var plain = WEFT_VAR_INIT("plain", .fallback = V(7));
static weft_var kept = WEFT_VAR_INIT("kept", .retain = counted_retain, .release = counted_release);
static weft_var given = WEFT_VAR_INIT("given", .release = counted_release);

#define is_unset(var) (weft_lookup((var), &(void *){0}) == -ENOENT)

/* ---- failing the n-th ---- */

enum { ONCE = 1, FOR_EVER = 1000000 };

static int asked, first_to_fail, fail_in_a_row;

static int is_refused(size_t size)
{
        (void)size;
        int n = asked++;
        return n >= first_to_fail && n - first_to_fail < fail_in_a_row;
}

static void start_failing(void)
{
        asked = 0;
        weft__alloc_fails = is_refused;
}

/* Whether anything failed. */
static bool stop_failing(void)
{
        weft__alloc_fails = NULL;
        return asked > first_to_fail;
}

/* Run body(arg), each time in a new frame that starts from context, with its first, second...
 * allocation failing; body returns 1 as long as something failed. How many could fail. */
static int fail_each(weft_context *context, weft_fn *body, void *arg, int in_a_row)
{
        fail_in_a_row = in_a_row;
        for (int n = 0;; n++) {
                first_to_fail = n;
                int r = weft_context_run(context, body, arg, NULL);
                cr_assert_geq(r, 0);
                if (r == 0)
                        return n;
        }
}

/* A context that binds n vars of its own, so that a var that is set later is far up in the map. */
static weft_context *fillers(int n)
{
        weft_context *context = NULL, *next;
        weft_var *vars = n ? malloc((size_t)n * sizeof(*vars)) : NULL;

        for (int i = 0; i < n; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("filler");
                cr_assert_eq(weft_context_with(context, &vars[i], V(i), &next), 0);
                weft_context_unref(context);
                context = next;
        }
        return context;
}

static const int levels[] = {0, 20, 300, 5000};
enum { LEVELS = sizeof(levels) / sizeof(*levels) };

/* ---- set ---- */

struct setting {
        weft_var *var;
        void *old, *new; /* struct counted, if the var counts */
        bool bound;      /* to old, beforehand */
        bool shared;     /* somebody else holds the context that is current */
        bool token;
};

static int set_with_a_failure(void *arg)
{
        struct setting *s = arg;
        weft_context *held = NULL;
        weft_token token, untouched;

        memset(&token, 0x5a, sizeof(token));
        untouched = token;
        cr_assert_eq(weft_set(&plain, V(1), NULL), 0);
        if (s->bound)
                cr_assert_eq(weft_set(s->var, s->old, NULL), 0);
        if (s->shared)
                held = weft_context_capture();

        start_failing();
        int r = weft_set(s->var, s->new, s->token ? &token : NULL);
        bool failed = stop_failing();

        cr_assert_eq(r, failed ? -ENOMEM : 0);
        cr_assert_eq(weft_get(&plain), V(1));
        if (failed) {
                cr_assert_eq(is_unset(s->var), !s->bound);
                cr_assert_eq(weft_get(s->var), s->bound ? s->old : NULL);
                cr_assert(memcmp(&token, &untouched, sizeof(token)) == 0);
                if (s->shared) {
                        weft_context *now = weft_context_capture();
                        cr_assert(weft_context_equal(now, held));
                        weft_context_unref(now);
                }
                cr_assert_eq(weft_set(s->var, s->new, s->token ? &token : NULL), 0);
        }
        cr_assert_eq(weft_get(s->var), s->new);
        if (s->token) {
                cr_assert_eq(weft_reset(s->var, &token), 0);
                cr_assert_eq(is_unset(s->var), !s->bound);
        }
        weft_context_unref(held);
        return failed;
}

/* All sixteen ways to come to a set, at every height of the map; how many allocations failed. */
static int set_in_every_setting(const weft_var *like, struct counted *old, struct counted *new)
{
        static weft_var vars[LEVELS];
        int sites = 0;

        for (int i = 0; i < LEVELS; i++) {
                weft_context *base = fillers(levels[i]);
                vars[i] = *like;
                for (int how = 0; how < 16; how++) {
                        struct setting s = {&vars[i], old, new, how & 1, how & 2, how & 4};
                        sites += fail_each(base, set_with_a_failure, &s, how & 8 ? ONCE : FOR_EVER);
                }
                weft_context_unref(base);
        }
        return sites;
}

Test(context, c8_a_set_that_finds_no_memory_changes_nothing, .timeout = 60)
{
        static const weft_var like = WEFT_VAR_INIT("plain");
        static struct counted old, new;

        cr_assert_gt(set_in_every_setting(&like, &old, &new), 32);
}

Test(context, c8_a_set_of_a_kept_var_that_finds_no_memory_retains_and_releases_nothing,
     .timeout = 60)
{
        static struct counted old, new;

        cr_assert_gt(set_in_every_setting(&kept, &old, &new), 64);
        cr_assert_gt(atomic_load(&old.retained), 0);
        cr_assert_eq(atomic_load(&old.retained), atomic_load(&old.released));
        cr_assert_eq(atomic_load(&new.retained), atomic_load(&new.released));
}

static void *follows_hooked;

static void follow(void *previous, void *next, void *user)
{
        (void)user;
        cr_assert_eq(previous, follows_hooked);
        follows_hooked = next;
}

Test(context, c8_c11_of_a_set_that_finds_no_memory_no_hook_is_told, .timeout = 60)
{
        static const weft_var like = WEFT_VAR_INIT("hooked", .release = counted_release,
                                                   .retain = counted_retain, .on_change = follow);
        static struct counted old, new;

        cr_assert_gt(set_in_every_setting(&like, &old, &new), 64);
        cr_assert_null(follows_hooked);
}

/* The value of a set that failed is still its caller's. */
Test(context, c8_a_set_that_finds_no_memory_does_not_take_the_value_over)
{
        static struct counted new;

        first_to_fail = 0;
        fail_in_a_row = FOR_EVER;
        start_failing();
        cr_assert_eq(weft_set(&given, &new, NULL), -ENOMEM);
        cr_assert(stop_failing());
        cr_assert_eq(atomic_load(&new.released), 0);
        cr_assert_eq(weft_set(&given, &new, NULL), 0);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(atomic_load(&new.released), 1);
}

/* Vars that are set for the first time, with the tables that their ids want at each size. */
Test(context, c8_a_first_set_that_finds_no_memory_can_be_tried_again)
{
        enum { N = 600 };
        static weft_var vars[N];

        first_to_fail = 0;
        fail_in_a_row = FOR_EVER;
        for (int i = 0; i < N; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("new", .fallback = V(-1));
                start_failing();
                int r = weft_set(&vars[i], V(i), NULL);
                bool failed = stop_failing();
                cr_assert_eq(r, failed ? -ENOMEM : 0);
                if (failed) {
                        cr_assert_eq(weft_get(&vars[i]), V(-1));
                        cr_assert_eq(weft_set(&vars[i], V(i), NULL), 0);
                }
        }
        for (int i = 0; i < N; i++)
                cr_assert_eq(weft_get(&vars[i]), V(i));
}

/* ---- reset ---- */

static void make_two(weft_var *vars)
{
        vars[0] = (weft_var)WEFT_VAR_INIT("plain");
        vars[1] = kept;
}

static int reset_with_a_failure(void *arg)
{
        struct setting *s = arg;
        weft_token token;

        if (s->bound)
                cr_assert_eq(weft_set(s->var, s->old, NULL), 0);
        cr_assert_eq(weft_set(s->var, s->new, &token), 0);
        weft_context *held = weft_context_capture();

        start_failing();
        int r = weft_reset(s->var, &token);
        bool failed = stop_failing();

        cr_assert_eq(r, failed ? -ENOMEM : 0);
        if (failed) {
                cr_assert_eq(weft_get(s->var), s->new);
                cr_assert_eq(weft_reset(s->var, &token), 0, "the token is as good as before");
        }
        cr_assert_eq(is_unset(s->var), !s->bound);
        cr_assert_eq(weft_get(s->var), s->bound ? s->old : NULL);
        weft_context_unref(held);
        return failed;
}

Test(context, c8_a_reset_that_finds_no_memory_changes_nothing_and_leaves_the_token_good)
{
        static weft_var vars[2 * LEVELS];
        static struct counted old, new;
        int sites = 0;

        for (int i = 0; i < LEVELS; i++) {
                weft_context *base = fillers(levels[i]);
                make_two(&vars[2 * i]);
                for (int how = 0; how < 8; how++) {
                        struct setting s = {
                            &vars[2 * i + (how & 1)], &old, &new, how & 2, true, true};
                        sites +=
                            fail_each(base, reset_with_a_failure, &s, how & 4 ? ONCE : FOR_EVER);
                }
                weft_context_unref(base);
        }
        cr_assert_gt(sites, 16);
        cr_assert_eq(atomic_load(&old.retained), atomic_load(&old.released));
        cr_assert_eq(atomic_load(&new.retained), atomic_load(&new.released));
}

static int reset_with_no_memory(void *arg)
{
        struct setting *s = arg;
        weft_token token;

        if (s->bound)
                cr_assert_eq(weft_set(s->var, s->old, NULL), 0);
        cr_assert_eq(weft_set(s->var, s->new, &token), 0);
        start_failing();
        cr_assert_eq(weft_reset(s->var, &token), 0);
        cr_assert(!stop_failing());
        return 0;
}

Test(context, c8_a_reset_needs_no_memory_while_nobody_captured_since_the_set)
{
        static weft_var vars[2 * LEVELS];
        static struct counted old, new;

        for (int i = 0; i < LEVELS; i++) {
                weft_context *base = fillers(levels[i]);
                make_two(&vars[2 * i]);
                for (int how = 0; how < 4; how++) {
                        struct setting s = {&vars[2 * i + (how & 1)], &old, &new, how & 2, 0, true};
                        fail_each(base, reset_with_no_memory, &s, FOR_EVER);
                }
                weft_context_unref(base);
        }
}

/* ---- WEFT_WITH ---- */

static int with_with_a_failure(void *value)
{
        bool inside = false, otherwise = false;

        cr_assert_eq(weft_set(&plain, V(1), NULL), 0);
        weft_context *held = weft_context_capture();
        start_failing();
        WEFT_WITH (&kept, value) {
                inside = true;
        }
        else
        {
                otherwise = true;
        }
        bool failed = stop_failing();
        cr_assert_eq(inside, !failed);
        cr_assert_eq(otherwise, failed);
        cr_assert(is_unset(&kept));
        cr_assert_eq(weft_get(&plain), V(1));
        weft_context_unref(held);
        return failed;
}

Test(context, c8_a_with_block_that_cannot_be_bound_is_not_entered)
{
        static struct counted value;

        cr_assert_gt(fail_each(NULL, with_with_a_failure, &value, FOR_EVER), 0);
        cr_assert_gt(fail_each(NULL, with_with_a_failure, &value, ONCE), 0);
        cr_assert_eq(atomic_load(&value.retained), atomic_load(&value.released));
}

static int undo_with_a_failure(void *values)
{
        struct counted *displaced = values, *bound = displaced + 1;
        weft_context *held = NULL;

        cr_assert_eq(weft_set(&kept, displaced, NULL), 0);
        WEFT_WITH (&kept, bound) {
                held = weft_context_capture();
                start_failing();
        }
        bool failed = stop_failing();
        cr_assert_eq(weft_get(&kept), failed ? bound : displaced);
        weft_context_unref(held);
        return failed;
}

/* The one way in which a block is not undone; but nothing is lost by it, either. */
Test(context, c8_a_with_block_whose_undo_finds_no_memory_leaves_its_binding_and_leaks_nothing)
{
        static struct counted values[2];

        cr_assert_gt(fail_each(NULL, undo_with_a_failure, values, FOR_EVER), 0);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(atomic_load(&values[i].retained), atomic_load(&values[i].released));
}

/* ---- derive, bind, start a thread ---- */

static int derive_with_a_failure(void *arg)
{
        struct setting *s = arg;
        weft_context *base = weft_context_capture(), *derived = V(99), *old = base;

        if (s->bound)
                cr_assert_eq(weft_context_with(base, s->var, s->old, &old), 0);
        size_t size = weft_context_size(old);
        start_failing();
        int r = weft_context_with(old, s->var, s->new, &derived);
        bool failed = stop_failing();

        cr_assert_eq(r, failed ? -ENOMEM : 0);
        cr_assert_eq(weft_context_size(old), size);
        if (failed)
                cr_assert_eq((void *)derived, V(99));
        else
                weft_context_unref(derived);
        if (s->bound)
                weft_context_unref(old);
        weft_context_unref(base);
        return failed;
}

Test(context, c8_a_derivation_that_finds_no_memory_changes_nothing)
{
        static weft_var vars[2 * LEVELS];
        static struct counted old, new;
        int sites = 0;

        for (int i = 0; i < LEVELS; i++) {
                weft_context *base = fillers(levels[i]);
                make_two(&vars[2 * i]);
                for (int how = 0; how < 8; how++) {
                        struct setting s = {&vars[2 * i + (how & 1)], &old, &new, how & 2, 0, 0};
                        sites +=
                            fail_each(base, derive_with_a_failure, &s, how & 4 ? ONCE : FOR_EVER);
                }
                weft_context_unref(base);
        }
        cr_assert_gt(sites, 16);
        cr_assert_eq(atomic_load(&old.retained), atomic_load(&old.released));
        cr_assert_eq(atomic_load(&new.retained), atomic_load(&new.released));
}

static int nothing(void *arg)
{
        (void)arg;
        return 0;
}

static int bind_with_a_failure(void *value)
{
        weft_bound *bound = V(99);

        cr_assert_eq(weft_set(&kept, value, NULL), 0);
        start_failing();
        int r = weft_bind(&bound, nothing, NULL);
        bool failed = stop_failing();
        cr_assert_eq(r, failed ? -ENOMEM : 0);
        if (failed)
                cr_assert_eq((void *)bound, V(99));
        else
                weft_bound_free(bound);
        return failed;
}

static void *return_arg(void *arg)
{
        return arg;
}

static int start_with_a_failure(void *value)
{
        pthread_t thread = pthread_self();

        cr_assert_eq(weft_set(&kept, value, NULL), 0);
        start_failing();
        int r = weft_thread_create(&thread, NULL, return_arg, NULL);
        bool failed = stop_failing();
        cr_assert_eq(r, failed ? -ENOMEM : 0);
        if (failed)
                cr_assert(pthread_equal(thread, pthread_self()));
        else
                pthread_join(thread, NULL);
        return failed;
}

Test(context, c8_what_cannot_be_bound_or_started_keeps_no_context)
{
        static struct counted value;

        cr_assert_gt(fail_each(NULL, bind_with_a_failure, &value, FOR_EVER), 0);
        cr_assert_gt(fail_each(NULL, start_with_a_failure, &value, FOR_EVER), 0);
        cr_assert_gt(atomic_load(&value.retained), 0);
        cr_assert_eq(atomic_load(&value.retained), atomic_load(&value.released));
}

/* ---- what cannot fail ---- */

static int look_only(void *arg)
{
        return weft_get(&kept) == arg ? 42 : -EIO;
}

static void *do_what_cannot_fail(void *context)
{
        weft_context *after;

        THREAD_CHECK(weft_context_capture() == NULL);
        THREAD_CHECK(weft_context_swap(weft_context_ref(context)) == NULL);
        for (int i = 0; i < 10000; i++)
                THREAD_CHECK(weft_context_capture() == context);
        struct counted *value = weft_get(&kept);
        THREAD_CHECK(weft_context_run(context, look_only, value, &after) == 42);
        THREAD_CHECK(after == context);
        THREAD_CHECK(weft_context_run(NULL, look_only, NULL, NULL) == 42);
        THREAD_CHECK(weft_context_swap(NULL) == context);
        for (int i = 0; i < 10002; i++)
                weft_context_unref(context);
        return NULL;
}

/* On a thread that is new to weft, too. */
Test(context, c8_capture_run_and_swap_need_no_memory)
{
        static struct counted value;
        weft_context *context;

        cr_assert_eq(weft_context_with(NULL, &kept, &value, &context), 0);
        first_to_fail = 0;
        fail_in_a_row = FOR_EVER;
        start_failing();
        void *result = on_thread(do_what_cannot_fail, context);
        bool failed = stop_failing();
        assert_thread_ok(result);
        cr_assert(!failed);
        assert_alive(&value, 1);
        weft_context_unref(context);
        assert_gone(&value, 1);
}
