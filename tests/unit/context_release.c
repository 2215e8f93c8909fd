/* SPDX-License-Identifier: MIT
 *
 * Rule C7: a value is retained once per binding and released exactly once, when the last context
 * that binds it goes, on whatever thread that happens; a release function may use weft itself; and
 * chains of values that own one another are released in a loop.
 */
#include "context_help.h"

#include <limits.h>

#include "context/knobs.h"

static weft_var kept = WEFT_VAR_INIT("kept", .retain = counted_retain, .release = counted_release);
static weft_var plain = WEFT_VAR_INIT("plain", .fallback = V(7));

static void empty_the_frame(void)
{
        weft_context_unref(weft_context_swap(NULL));
}

static int nothing(void *arg)
{
        (void)arg;
        return 0;
}

/* ---- when ---- */

Test(context, c7_a_value_lives_as_long_as_the_longest_of_its_contexts)
{
        static struct counted a;

        weft_set(&kept, &a, NULL);
        weft_context *first = weft_context_capture();
        weft_set(&plain, V(1), NULL); /* another context, same binding */
        weft_context *second = weft_context_capture();
        empty_the_frame();
        assert_alive(&a, 1);
        weft_context_unref(first);
        assert_alive(&a, 1);
        weft_context_unref(second);
        assert_gone(&a, 1);
}

Test(context, c7_a_copy_of_a_context_does_not_retain_again)
{
        static struct counted a;
        static weft_var others[40];
        weft_context *all[40];

        weft_set(&kept, &a, NULL);
        for (int i = 0; i < 40; i++) {
                others[i] = (weft_var)WEFT_VAR_INIT("other");
                all[i] = weft_context_capture();
                weft_set(&others[i], V(i), NULL);
        }
        assert_alive(&a, 1);
        for (int i = 0; i < 40; i++)
                weft_context_unref(all[i]);
        assert_alive(&a, 1);
        empty_the_frame();
        assert_gone(&a, 1);
}

Test(context, c7_reset_releases_what_its_set_bound)
{
        static struct counted a;
        weft_token token;

        weft_set(&kept, &a, &token);
        assert_alive(&a, 1);
        weft_reset(&kept, &token);
        assert_gone(&a, 1);
}

Test(context, c7_reset_releases_nothing_that_a_captured_context_binds)
{
        static struct counted a;
        weft_token token;

        weft_set(&kept, &a, &token);
        weft_context *captured = weft_context_capture();
        weft_reset(&kept, &token);
        assert_alive(&a, 1);
        weft_context_unref(captured);
        assert_gone(&a, 1);
}

static int bind_kept(void *value)
{
        return weft_set(&kept, value, NULL);
}

Test(context, c7_the_end_of_a_run_releases_what_was_bound_in_it)
{
        static struct counted a;

        weft_context_run(NULL, bind_kept, &a, NULL);
        assert_gone(&a, 1);
}

Test(context, c7_a_run_releases_nothing_that_it_hands_back)
{
        static struct counted a;
        weft_context *after;
        void *value;

        weft_context_run(NULL, bind_kept, &a, &after);
        assert_alive(&a, 1);
        cr_assert_eq(weft_context_lookup(after, &kept, &value), 0);
        cr_assert_eq(value, &a);
        weft_context_unref(after);
        assert_gone(&a, 1);
}

static int unref_it(void *context)
{
        weft_context_unref(context);
        struct counted *c = weft_get(&kept);
        return atomic_load(&c->released);
}

/* run holds a reference of its own: the caller's may go while it runs. */
Test(context, c7_a_run_keeps_its_context_alive)
{
        static struct counted a;
        weft_context *context;

        cr_assert_eq(weft_context_with(NULL, &kept, &a, &context), 0);
        cr_assert_eq(weft_context_run(context, unref_it, context, NULL), 0);
        assert_gone(&a, 1);
}

Test(context, c7_a_derived_context_owns_its_value_and_shares_the_others)
{
        static struct counted a, b;
        weft_context *one, *two;

        weft_context_with(NULL, &kept, &a, &one);
        weft_context_with(one, &kept, &b, &two);
        assert_alive(&a, 1);
        assert_alive(&b, 1);
        weft_context_unref(one);
        assert_gone(&a, 1);
        weft_context_unref(two);
        assert_gone(&b, 1);
}

Test(context, c7_bound_functions_own_their_context)
{
        static struct counted a;
        weft_bound *bound;

        cr_assert_eq(weft_set(&kept, &a, NULL), 0);
        cr_assert_eq(weft_bind(&bound, nothing, NULL), 0);
        empty_the_frame();
        cr_assert_eq(weft_bound_call(bound), 0);
        assert_alive(&a, 1);
        weft_bound_free(bound);
        assert_gone(&a, 1);
}

Test(context, c7_every_value_of_a_large_context_is_released_once, .timeout = 60)
{
        enum { N = 1000 };
        static weft_var vars[N];
        static struct counted values[N], replaced[N];

        for (int i = 0; i < N; i++) {
                vars[i] = (weft_var)WEFT_VAR_INIT("one of many", .retain = counted_retain,
                                                  .release = counted_release);
                weft_set(&vars[i], &values[i], NULL);
        }
        weft_context *captured = weft_context_capture();
        for (int i = 0; i < N; i++)
                weft_set(&vars[i], &replaced[i], NULL);
        for (int i = 0; i < N; i++)
                assert_alive(&values[i], 1);
        empty_the_frame();
        for (int i = 0; i < N; i++)
                assert_gone(&replaced[i], 1);
        weft_context_unref(captured);
        for (int i = 0; i < N; i++)
                assert_gone(&values[i], 1);
}

/* ---- where ---- */

static void *unref_on_this_thread(void *context)
{
        weft_context_unref(context);
        return NULL;
}

Test(context, c7_the_release_runs_on_the_thread_that_lets_go_last)
{
        static struct counted a;
        weft_context *context;
        pthread_t thread;

        weft_context_with(NULL, &kept, &a, &context);
        pthread_create(&thread, NULL, unref_on_this_thread, context);
        pthread_join(thread, NULL);
        assert_gone(&a, 1);
        cr_assert(pthread_equal(a.released_on, thread));
}

/* References may be taken and given back in great numbers, here or there; none is lost and none is
 * given back late. */
enum { MANY = 100000 };

static void *unref_many(void *context)
{
        for (int i = 0; i < MANY; i++)
                weft_context_unref(context);
        return NULL;
}

Test(context, c7_references_taken_here_can_be_given_back_on_another_thread)
{
        static struct counted a;

        weft_set(&kept, &a, NULL);
        weft_context *context = weft_context_capture();
        for (int i = 0; i < MANY; i++)
                cr_assert_eq(weft_context_capture(), context);
        on_thread(unref_many, context);
        assert_alive(&a, 1);
        empty_the_frame();
        assert_alive(&a, 1);
        weft_context_unref(context);
        assert_gone(&a, 1);
}

static void *capture_many_and_exit(void *context)
{
        weft_context_swap(context);
        for (int i = 0; i < MANY; i++)
                THREAD_CHECK(weft_context_capture() == context);
        return NULL;
}

Test(context, c7_references_taken_on_a_thread_outlive_it)
{
        static struct counted a;
        weft_context *context;

        weft_context_with(NULL, &kept, &a, &context);
        assert_thread_ok(on_thread(capture_many_and_exit, weft_context_ref(context)));
        weft_context_unref(context);
        assert_alive(&a, 1);
        for (int i = 1; i < MANY; i++)
                weft_context_unref(context);
        assert_alive(&a, 1);
        weft_context_unref(context);
        assert_gone(&a, 1);
}

/* A thread that no longer has anything to do with a context does not keep its values alive. */
Test(context, c7_a_thread_that_captured_often_lets_go_when_it_turns_to_something_else)
{
        static struct counted a, b;

        weft_set(&kept, &a, NULL);
        weft_context *context = weft_context_capture();
        for (int i = 0; i < 5000; i++)
                weft_context_unref(weft_context_capture());
        weft_set(&kept, &b, NULL);
        assert_alive(&a, 1);
        weft_context_unref(context);
        assert_gone(&a, 1);

        context = weft_context_capture();
        for (int i = 0; i < 5000; i++)
                weft_context_unref(weft_context_capture());
        weft_context_unref(weft_context_swap(NULL));
        assert_alive(&b, 1);
        weft_context_unref(context);
        assert_gone(&b, 1);
}

struct pump {
        pthread_barrier_t *start;
        weft_context *context;
};

static void *ref_and_unref(void *arg)
{
        struct pump *p = arg;

        weft_context_swap(p->context); /* takes over the thread's reference */
        pthread_barrier_wait(p->start);
        for (int i = 0; i < 20000; i++) {
                weft_context *c = weft_context_capture();
                weft_context *d = weft_context_ref(c);
                weft_context_unref(c);
                weft_context_unref(d);
        }
        struct counted *c = weft_get(&kept);
        THREAD_CHECK(atomic_load(&c->released) == 0);
        return NULL;
}

Test(context, c7_a_context_may_be_captured_and_released_on_many_threads_at_once)
{
        enum { THREADS = 4 };
        static struct counted a;
        pthread_barrier_t start;
        pthread_t threads[THREADS];
        struct pump p = {.start = &start};
        void *result;

        pthread_barrier_init(&start, NULL, THREADS + 1);
        cr_assert_eq(weft_context_with(NULL, &kept, &a, &p.context), 0);
        for (int i = 0; i < THREADS; i++) {
                weft_context_ref(p.context);
                cr_assert_eq(pthread_create(&threads[i], NULL, ref_and_unref, &p), 0);
        }
        pthread_barrier_wait(&start);
        weft_context_unref(p.context);
        for (int i = 0; i < THREADS; i++) {
                pthread_join(threads[i], &result);
                assert_thread_ok(result);
        }
        assert_gone(&a, 1);
}

/* ---- release functions that use weft ---- */

static void *seen_in_release;
static int result_in_release;
static int releases;

static void see_what_is_bound(void *value);
static weft_var seen = WEFT_VAR_INIT("seen", .fallback = V(9), .release = see_what_is_bound);

static void see_what_is_bound(void *value)
{
        (void)value;
        releases++;
        seen_in_release = weft_get(&seen);
}

Test(context, c7_a_release_sees_the_change_that_caused_it)
{
        weft_token token;

        weft_set(&seen, V(1), NULL);
        weft_set(&seen, V(2), NULL);
        cr_assert_eq(releases, 1);
        cr_assert_eq(seen_in_release, V(2));

        weft_set(&seen, V(3), &token);
        cr_assert_eq(releases, 1);
        weft_reset(&seen, &token);
        cr_assert_eq(releases, 2);
        cr_assert_eq(seen_in_release, V(2));

        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(releases, 3);
        cr_assert_eq(seen_in_release, V(9));
}

static int bind_seen(void *value)
{
        return weft_set(&seen, value, NULL);
}

Test(context, c7_a_release_at_the_end_of_a_run_sees_the_frame_that_is_returned_to)
{
        weft_set(&seen, V(1), NULL);
        weft_context_run(NULL, bind_seen, V(2), NULL);
        cr_assert_eq(releases, 1);
        cr_assert_eq(seen_in_release, V(1));
}

static void set_another(void *value);
static weft_var sets = WEFT_VAR_INIT("sets", .release = set_another);

static void set_another(void *value)
{
        releases++;
        result_in_release = weft_set(&plain, value, NULL);
}

Test(context, c7_a_release_may_set_another_var)
{
        weft_token token;

        weft_set(&sets, V(1), NULL);
        weft_set(&sets, V(2), NULL);
        cr_assert_eq(result_in_release, 0);
        cr_assert_eq(weft_get(&plain), V(1));
        cr_assert_eq(weft_get(&sets), V(2));

        weft_set(&sets, V(3), &token);
        weft_reset(&sets, &token);
        cr_assert_eq(weft_get(&plain), V(3));
        cr_assert_eq(weft_get(&sets), V(2));

        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(weft_get(&plain), V(2));
        cr_assert_eq(releases, 3);
}

static int bind_sets(void *value)
{
        return weft_set(&sets, value, NULL);
}

/* In the frame that is returned to, whether anything was bound in that or not. */
Test(context, c7_a_release_at_the_end_of_a_run_may_set)
{
        weft_context_run(NULL, bind_sets, V(1), NULL);
        cr_assert_eq(weft_get(&plain), V(1));
        weft_context_run(NULL, bind_sets, V(2), NULL);
        cr_assert_eq(weft_get(&plain), V(2));
}

static void set_the_same(void *value);
static weft_var again = WEFT_VAR_INIT("again", .release = set_the_same);

/* Binds a smaller number in the place of what it was called for, down to 0. */
static void set_the_same(void *value)
{
        intptr_t n = (intptr_t)value;

        releases++;
        if (n > 0)
                weft_set(&again, V(n - 1), NULL);
}

Test(context, c7_a_release_may_set_the_same_var)
{
        weft_set(&again, V(10), NULL);
        weft_set(&again, V(0), NULL); /* releases 10, which sets 9, which releases 0; 9 is bound */
        cr_assert_eq(weft_get(&again), V(9));
        cr_assert_eq(releases, 2);
        weft_context_unref(weft_context_swap(NULL)); /* releases 9, which sets 8 in the frame */
        cr_assert_eq(weft_get(&again), V(8));
        cr_assert_eq(releases, 3);
}

static void reset_the_other(void *token);
static weft_var resets = WEFT_VAR_INIT("resets", .release = reset_the_other);

static void reset_the_other(void *token)
{
        result_in_release = weft_reset(&kept, token);
}

Test(context, c7_a_release_may_reset)
{
        static struct counted a, b;
        weft_token token;

        weft_set(&kept, &a, NULL);
        weft_set(&kept, &b, &token);
        weft_set(&resets, &token, NULL);
        weft_set(&resets, NULL, NULL);
        cr_assert_eq(result_in_release, 0);
        cr_assert_eq(weft_get(&kept), &a);
        assert_gone(&b, 1);
        assert_alive(&a, 1);
        empty_the_frame();
        cr_assert_eq(result_in_release, -EINVAL);
        assert_gone(&a, 1);
}

static weft_context *captured_in_release;
static void capture_and_run(void *value);
static weft_var captures = WEFT_VAR_INIT("captures", .release = capture_and_run);

static void capture_and_run(void *value)
{
        (void)value;
        weft_context_unref(captured_in_release);
        captured_in_release = weft_context_capture();
        result_in_release = weft_context_run(captured_in_release, bind_seen, V(4), NULL);
}

Test(context, c7_a_release_may_capture_and_run)
{
        void *value;

        weft_set(&captures, V(1), NULL);
        weft_set(&captures, V(2), NULL);
        cr_assert_eq(result_in_release, 0);
        cr_assert_eq(releases, 1, "what the run bound was released with its frame");
        cr_assert_eq(weft_context_lookup(captured_in_release, &captures, &value), 0);
        cr_assert_eq(value, V(2));
        cr_assert_eq(weft_lookup(&seen, &value), -ENOENT);

        weft_context *mine = captured_in_release;
        captured_in_release = NULL;
        weft_context_unref(mine);
        weft_set(&captures, V(3), NULL);
        cr_assert_eq(weft_context_lookup(captured_in_release, &captures, &value), 0);
        cr_assert_eq(value, V(3));
}

/* With a lock held, this would not come back. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *set_and_capture(void *arg)
{
        (void)arg;
        static weft_var fresh = WEFT_VAR_INIT("fresh");
        weft_set(&fresh, V(1), NULL);
        weft_context_unref(weft_context_capture());
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
        return NULL;
}

static void wait_for_another_thread(void *value)
{
        (void)value;
        result_in_release = on_thread(set_and_capture, NULL) ? -EIO : 0;
}

Test(context, c7_a_release_runs_with_no_lock_held, .timeout = 20)
{
        static weft_var waits = WEFT_VAR_INIT("waits", .release = wait_for_another_thread);

        result_in_release = -1;
        weft_set(&waits, V(1), NULL);
        weft_set(&waits, V(2), NULL);
        cr_assert_eq(result_in_release, 0);
}

/* ---- chains ---- */

/* A value that owns a context that binds the next one. */
struct link {
        weft_context *next;
};

static void release_link(void *value);
static weft_var chain = WEFT_VAR_INIT("chain", .release = release_link);
static long links_released, links_inside;

static void release_link(void *value)
{
        struct link *link = value;
        if (!link)
                return;
        if (links_inside++)
                links_released = LONG_MIN / 2; /* inside another one: never the right number */
        weft_context_unref(link->next);
        free(link);
        links_released++;
        links_inside--;
}

static struct link *make_chain(long length)
{
        weft_context *context = NULL;
        struct link *link = NULL;

        for (long i = 0; i < length; i++) {
                link = malloc(sizeof(*link));
                cr_assert_not_null(link);
                link->next = context;
                if (i + 1 < length)
                        cr_assert_eq(weft_context_with(NULL, &chain, link, &context), 0);
        }
        return link;
}

static void *let_go_of_the_chain(void *context)
{
        weft_context_unref(context);
        return NULL;
}

static void on_a_small_stack(void *(*start)(void *), void *arg)
{
        pthread_attr_t attr;
        pthread_t thread;
        size_t size = 64 * 1024;

        if (size < (size_t)PTHREAD_STACK_MIN)
                size = (size_t)PTHREAD_STACK_MIN;
        pthread_attr_init(&attr);
        cr_assert_eq(pthread_attr_setstacksize(&attr, size), 0);
        cr_assert_eq(pthread_create(&thread, &attr, start, arg), 0);
        pthread_join(thread, NULL);
        pthread_attr_destroy(&attr);
}

#define LENGTH (WEFT__KNOB(delays) ? 10000L : 1000000L) /* of which each is delayed */

Test(context, c7_a_chain_of_a_million_is_released_without_recursion, .timeout = 300)
{
        weft_context *head;

        cr_assert_eq(weft_context_with(NULL, &chain, make_chain(LENGTH), &head), 0);
        on_a_small_stack(let_go_of_the_chain, head);
        cr_assert_eq(links_released, LENGTH);
}

static void *exit_with_the_chain(void *link)
{
        cr_assert_eq(weft_set(&chain, link, NULL), 0);
        return NULL;
}

Test(context, c7_a_chain_is_released_without_recursion_by_the_exit_of_a_thread, .timeout = 60)
{
        on_a_small_stack(exit_with_the_chain, make_chain(LENGTH / 10));
        cr_assert_eq(links_released, LENGTH / 10);
}

static void *displace_reset_and_drop_the_chain(void *link)
{
        weft_token token;

        cr_assert_eq(weft_set(&chain, link, NULL), 0);
        cr_assert_eq(weft_set(&chain, NULL, NULL), 0);
        cr_assert_eq(weft_set(&chain, make_chain(LENGTH / 10), &token), 0);
        cr_assert_eq(weft_reset(&chain, &token), 0);
        cr_assert_eq(weft_set(&chain, make_chain(LENGTH / 10), NULL), 0);
        cr_assert_eq(weft_set(&chain, NULL, &token), 0);
        weft_token_drop(&token);
        return NULL;
}

Test(context, c7_a_chain_is_released_without_recursion_by_set_reset_and_drop, .timeout = 60)
{
        on_a_small_stack(displace_reset_and_drop_the_chain, make_chain(LENGTH / 10));
        cr_assert_eq(links_released, 3 * (LENGTH / 10));
}

/* Frames nested a thousand deep, each with a binding of its own over the ones below. */
static struct counted nested[1000];

static int nest(void *arg)
{
        int depth = *(int *)arg;

        weft_set(&kept, &nested[depth], NULL);
        if (depth + 1 < 1000) {
                weft_context *mine = weft_context_capture();
                weft_context_run(mine, nest, &(int){depth + 1}, NULL);
                weft_context_unref(mine);
        }
        cr_assert_eq(weft_get(&kept), &nested[depth]);
        assert_alive(&nested[depth], 1);
        return 0;
}

Test(context, c7_a_thousand_nested_frames_release_each_its_own)
{
        weft_context_run(NULL, nest, &(int){0}, NULL);
        for (int i = 0; i < 1000; i++)
                assert_gone(&nested[i], 1);
}

/* A release that is caused by a release runs when that one has returned, and before the call that
 * started it all returns. */
static char order[8];
static weft_context *inner;

static void note_inner(void *value)
{
        (void)value;
        strcat(order, "i");
}

static void note_outer(void *value)
{
        (void)value;
        strcat(order, "(");
        weft_context_unref(inner);
        strcat(order, ")");
}

Test(context, c7_a_release_caused_by_a_release_runs_after_it)
{
        static weft_var outer_var = WEFT_VAR_INIT("outer", .release = note_outer);
        static weft_var inner_var = WEFT_VAR_INIT("inner", .release = note_inner);
        weft_context *outer;

        weft_context_with(NULL, &inner_var, V(1), &inner);
        weft_context_with(NULL, &outer_var, V(1), &outer);
        weft_context_unref(outer);
        cr_assert_str_eq(order, "()i");
}
