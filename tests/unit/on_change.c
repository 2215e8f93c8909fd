/* SPDX-License-Identifier: MIT
 *
 * C11: on_change hooks. A var's hook stands for a thread-local that must follow the var, so the
 * tests keep one, and what they hold is that it says what weft_get() says, whoever switched what.
 */
#include "pool_help.h"

#include <weft/fork.h>

#include "context/memory.h"

/* ---- a thread-local that follows ---- */

static _Thread_local void *follower;
static _Thread_local int told; /* how often, on this thread */
static atomic_int told_ever;

static void follow(void *previous, void *next, void *user)
{
        CHECK(user == &told_ever);
        CHECK(previous == follower);
        CHECK(previous != next);
        follower = next;
        told++;
        atomic_fetch_add(&told_ever, 1);
        errno = EBADMSG; /* of which nobody must see anything */
}

static weft_var var = WEFT_VAR_INIT("var", .on_change = follow, .on_change_user = &told_ever);
static weft_var other = WEFT_VAR_INIT("other");

/* Both through a call, since a task may be on another thread than a compiler thinks. */
static __attribute__((noinline)) void *follower_now(void)
{
        __asm__ volatile("");
        return follower;
}

static bool follows(void *value)
{
        return weft_get(&var) == value && follower_now() == value;
}

/* ---- sets ---- */

Test(on_change, C11_a_set_and_a_reset_are_told_with_both_values)
{
        weft_token token;
        errno = 0;
        cr_assert_eq(weft_set(&var, V(1), NULL), 0);
        cr_assert(follows(V(1)));
        cr_assert_eq(weft_set(&var, V(2), &token), 0);
        cr_assert(follows(V(2)));
        cr_assert_eq(weft_reset(&var, &token), 0);
        cr_assert(follows(V(1)));
        cr_assert_eq(told, 3);
        cr_assert_eq(errno, 0);
        assert_checks();
}

Test(on_change, C11_what_changes_nothing_is_not_told)
{
        weft_token token;
        cr_assert_eq(weft_set(&var, NULL, &token), 0); /* which it gave before, being unset */
        cr_assert_eq(told, 0);
        cr_assert_eq(weft_reset(&var, &token), 0);
        cr_assert_eq(weft_set(&var, V(1), NULL), 0);
        cr_assert_eq(weft_set(&var, V(1), NULL), 0);
        cr_assert_eq(weft_set(&other, V(7), NULL), 0);
        weft_context *c = weft_context_capture();
        weft_context_unref(weft_context_swap(c));
        cr_assert_eq(weft_context_run(c, nothing, NULL, NULL), 0);
        cr_assert_eq(told, 1);
        assert_checks();
}

static int returns_early(void)
{
        WEFT_WITH (&var, V(1)) {
                CHECK(follows(V(1)));
                return 1;
        }
        return 0;
}

static void *told_previous, *told_next;

static void note_values(void *previous, void *next, void *user)
{
        told_previous = previous;
        told_next = next;
        ++*(int *)user;
}

Test(on_change, C11_where_the_var_is_not_set_the_fallback_is_told)
{
        static int n;
        static weft_var falls = WEFT_VAR_INIT("falls", .fallback = V(7), .on_change = note_values,
                                              .on_change_user = &n);
        weft_token token;
        cr_assert_eq(weft_set(&falls, V(7), &token), 0); /* as before */
        cr_assert_eq(n, 0);
        cr_assert_eq(weft_set(&falls, V(8), NULL), 0);
        cr_assert_eq(n, 1);
        cr_assert_eq(weft_reset(&falls, &token), 0);
        cr_assert_eq(n, 2);
        cr_assert_eq(told_previous, V(8));
        cr_assert_eq(told_next, V(7));
        cr_assert_eq(weft_set(&falls, NULL, NULL), 0);
        cr_assert_eq(n, 3);
        cr_assert_eq(told_previous, V(7));
        cr_assert_null(told_next);
        weft_context_unref(weft_context_swap(NULL));
        cr_assert_eq(n, 4);
        cr_assert_null(told_previous);
        cr_assert_eq(told_next, V(7));
}

Test(on_change, C11_the_end_of_a_block_is_told)
{
        WEFT_WITH (&var, V(3)) {
                cr_assert_eq(returns_early(), 1);
                cr_assert(follows(V(3)));
        }
        cr_assert(follows(NULL));
        cr_assert_eq(told, 4);
        assert_checks();
}

static int sets_two(void *arg)
{
        CHECK(follows(arg));
        CHECK(weft_set(&var, V(2), NULL) == 0);
        CHECK(follows(V(2)));
        return 0;
}

Test(on_change, C11_frames_are_told_as_they_begin_and_end)
{
        weft_context *one, *after = NULL;
        cr_assert_eq(weft_context_with(NULL, &var, V(1), &one), 0);
        cr_assert_eq(told, 0); /* nowhere current */
        cr_assert_eq(weft_context_run(one, sets_two, V(1), &after), 0);
        cr_assert(follows(NULL));
        cr_assert_eq(told, 3);

        weft_context *empty = weft_context_swap(after);
        cr_assert(follows(V(2)));
        weft_context_unref(weft_context_swap(empty));
        cr_assert(follows(NULL));

        weft_bound *bound;
        cr_assert_eq(weft_bind(&bound, sets_two, NULL), 0);
        cr_assert_eq(weft_bound_call(bound), 0);
        cr_assert(follows(NULL));
        weft_bound_free(bound);
        weft_context_unref(one);
        assert_checks();
}

/* ---- what values go with is alive while it is told ---- */

struct kept {
        bool alive;
};
static _Thread_local struct kept *kept_now;
static int kept_told;

static void kept_follow(void *previous, void *next, void *user)
{
        (void)user;
        CHECK(previous == kept_now);
        CHECK(!previous || ((struct kept *)previous)->alive);
        CHECK(!next || ((struct kept *)next)->alive);
        kept_now = next;
        kept_told++;
}

static void kept_end(void *value)
{
        CHECK(kept_now != value); /* nobody has it installed any more */
        ((struct kept *)value)->alive = false;
}

static weft_var kept = WEFT_VAR_INIT("kept", .release = kept_end, .on_change = kept_follow);

static int binds_kept(void *arg)
{
        CHECK(weft_set(&kept, arg, NULL) == 0);
        CHECK(kept_now == arg);
        return 0;
}

Test(on_change, C11_a_value_is_released_after_the_hook_has_let_go_of_it)
{
        static struct kept value[3] = {{true}, {true}, {true}};
        weft_pool *pool = begin(1);
        cr_assert_eq(binds_kept(&value[0]), 0);
        cr_assert_eq(binds_kept(&value[1]), 0);
        cr_assert_not(value[0].alive);
        cr_assert_eq(join(spawn(pool, binds_kept, &value[2])), 0);
        weft_context_unref(weft_context_swap(NULL));
        finish(pool);
        cr_assert_not(value[1].alive || value[2].alive);
        cr_assert_eq(kept_told, 3 + 3);
}

/* ---- hooks that use contexts ---- */

static _Thread_local void *second_follower;
static atomic_int meddled;
static _Thread_local struct value meddled_value; /* hooks run on several at once */

static void second_follow(void *previous, void *next, void *user)
{
        (void)user;
        CHECK(previous == second_follower);
        second_follower = next;
}

static weft_var second = WEFT_VAR_INIT("second", .on_change = second_follow);
static weft_var meddled_kept =
    WEFT_VAR_INIT("meddled", .retain = value_retain, .release = value_release);

/* Binds, and undoes, its own var and others; user is the var. */
static void meddle(void *previous, void *next, void *user)
{
        weft_token token;
        void *told_last = second_follower;
        CHECK(previous != next);
        CHECK(weft_get(user) == next);
        CHECK(weft_set(user, V(100), NULL) == 0);
        CHECK(weft_set(&second, V(100), &token) == 0);
        CHECK(weft_reset(&second, &token) == 0);
        CHECK(weft_set(&second, V(101), NULL) == 0);
        CHECK(second_follower == told_last); /* no hook is told of what a hook does */
        CHECK(weft_set(&meddled_kept, &meddled_value, NULL) == 0);
        atomic_fetch_add(&meddled, 1);
}

static weft_var meddles = WEFT_VAR_INIT("meddles", .on_change = meddle, .on_change_user = &meddles);

static bool unmeddled(void *value)
{
        return weft_get(&meddles) == value && weft_get(&second) == V(2) &&
               second_follower == V(2) && value_gone(&meddled_value) &&
               weft_lookup(&meddled_kept, &value) == -ENOENT;
}

static int sees_unmeddled(void *arg)
{
        CHECK(unmeddled(arg));
        return weft_yield();
}

Test(on_change, C11_a_hook_runs_in_a_frame_of_its_own_and_no_hook_runs_in_it)
{
        weft_token token;
        weft_pool *pool = begin(1);
        weft_task *task[2] = {NULL};
        cr_assert_eq(weft_set(&second, V(2), NULL), 0);
        cr_assert_eq(weft_set(&meddles, V(1), &token), 0);
        cr_assert(unmeddled(V(1)));
        cr_assert_eq(weft_reset(&meddles, &token), 0); /* the token is as good as before */
        cr_assert(unmeddled(NULL));
        for (int i = 0; i < 2; i++)
                WEFT_WITH (&meddles, V(i + 1)) {
                        cr_assert(unmeddled(V(i + 1)));
                        task[i] = spawn(pool, sees_unmeddled, V(i + 1));
                }
        cr_assert_eq(join(task[0]), 0);
        cr_assert_eq(join(task[1]), 0);
        finish(pool);
        cr_assert_geq(atomic_load(&meddled), 6 + 4);
}

static int released;
static weft_var endless;

static void bind_again(void *value)
{
        released++;
        weft_set(&endless, value, NULL);
}

static weft_var endless = WEFT_VAR_INIT("endless", .release = bind_again);

static void bind_endless(void *previous, void *next, void *user)
{
        (void)previous;
        (void)next;
        CHECK(weft_set(user, V(3), NULL) == 0);
}

Test(on_change, C11_release_functions_that_bind_anew_without_end_are_given_up)
{
        static weft_var binds =
            WEFT_VAR_INIT("binds", .on_change = bind_endless, .on_change_user = &endless);
        cr_assert_eq(weft_set(&binds, V(1), NULL), 0);
        cr_assert_eq(weft_get(&binds), V(1));
        cr_assert(released >= 2 && released < 30, "%d rounds", released);
        assert_checks();
}

/* ---- tasks ---- */

static int worker_is_told(void *arg)
{
        CHECK(follows(arg));
        CHECK(weft_set(&var, V(77), NULL) == 0); /* and leaves it */
        CHECK(follows(V(77)));
        return 0;
}

Test(on_change, C6_C11_a_worker_between_tasks_is_told_that_nothing_is_bound)
{
        weft_pool *pool = begin(1);
        for (int i = 0; i < 10; i++) {
                weft_task *task = NULL;
                WEFT_WITH (&var, V(i))
                        task = spawn(pool, worker_is_told, V(i));
                cr_assert_eq(join(task), 0);
        }
        finish(pool);
}

static void binds_as_it_goes(void *value)
{
        CHECK(weft_set(&var, value, NULL) == 0);
        CHECK(follows(value));
}

static weft_var binder = WEFT_VAR_INIT("binder", .release = binds_as_it_goes);

static int leaves_a_binder(void *arg)
{
        CHECK(follows(arg));
        return weft_set(&binder, V(5), NULL);
}

Test(on_change, C6_C11_so_it_is_after_a_release_function_has_bound_something_there)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(join(spawn(pool, leaves_a_binder, NULL)), 0);
        cr_assert_eq(join(spawn(pool, leaves_a_binder, NULL)), 0);
        finish(pool);
}

struct churn {
        unsigned seed;
        weft_mutex *mutex;
        weft_pool *pool;
};

static unsigned roll(struct churn *c, unsigned n)
{
        c->seed = c->seed * 1664525u + 1013904223u;
        return (c->seed >> 16) % n;
}

static int job(void *arg)
{
        void *mine = weft_get(&var);
        CHECK(follows(mine));
        if ((uintptr_t)arg & 1)
                CHECK(weft_set(&var, arg, NULL) == 0);
        CHECK(weft_yield() == 0);
        CHECK(follows((uintptr_t)arg & 1 ? arg : mine));
        return 0;
}

static int blocks(void *arg)
{
        CHECK(follows(arg));
        CHECK(weft_set(&var, (char *)arg + 1, NULL) == 0);
        CHECK(follows((char *)arg + 1));
        return 0;
}

static void forks(struct churn *c)
{
        weft_job one, two;
        weft_fork(&one, job, V(2 * roll(c, 100) + 1));
        weft_fork(&two, job, V(2 * roll(c, 100)));
        if (roll(c, 2))
                CHECK(weft_set(&var, V(roll(c, 50) + 1), NULL) == 0);
        CHECK(weft_join(&two) == 0);
        CHECK(follows(weft_get(&var)));
        CHECK(weft_join(&one) == 0);
}

static int child(void *arg)
{
        CHECK(follows(arg));
        return weft_yield();
}

/* Does at random what changes frames, or leaves this one for a while. */
static int churns(void *arg)
{
        struct churn c = *(struct churn *)arg;
        for (int i = 0; i < (SLOW_BUILD ? 100 : 500); i++) {
                void *mine = V(roll(&c, 1000) + 1);
                CHECK(weft_set(&var, mine, NULL) == 0);
                switch (roll(&c, 7)) {
                case 0:
                        CHECK(weft_yield() == 0);
                        break;
                case 1:
                        CHECK(weft_sleep_until(weft_now() + 1000) == 0);
                        break;
                case 2:
                        CHECK(weft_mutex_lock(c.mutex, WEFT_FOREVER) == 0);
                        CHECK(weft_yield() == 0);
                        CHECK(weft_mutex_unlock(c.mutex) == 0);
                        break;
                case 3:
                        forks(&c);
                        mine = weft_get(&var);
                        break;
                case 4:
                        if (i % 16 == 0) {
                                CHECK(weft_blocking(blocks, mine) == 0);
                                mine = (char *)mine + 1;
                        }
                        break;
                case 5:
                        CHECK(join(spawn(NULL, child, mine)) == 0);
                        break;
                default:
                        CHECK(weft_context_run(NULL, nothing, NULL, NULL) == 0);
                }
                CHECK(follows(mine));
        }
        return 0;
}

static void churn_in(weft_pool *pool)
{
        enum { TASKS = 8 };
        weft_mutex mutex;
        weft_task *task[TASKS] = {NULL};
        struct churn churn[TASKS];
        weft_mutex_init(&mutex);
        for (int i = 0; i < TASKS; i++) {
                churn[i] = (struct churn){.seed = 7 + (unsigned)i, .mutex = &mutex};
                WEFT_WITH (&var, V(i))
                        task[i] = spawn(pool, churns, &churn[i]);
        }
        for (int i = 0; i < TASKS; i++)
                cr_assert_eq(join(task[i]), 0);
        finish(pool);
}

Test(on_change, C11_whatever_tasks_do_the_thread_has_the_value_of_the_one_that_runs, .timeout = 60)
{
        churn_in(begin(1));
        churn_in(begin(3));
}

Test(on_change, C11_so_it_is_where_tasks_go_on_on_other_threads, .timeout = 60)
{
        churn_in(migrating_pool(3));
}

/* ---- the ends of threads ---- */

static void *ends_bound(void *arg)
{
        CHECK(follows(arg));
        CHECK(weft_set(&var, V(4), NULL) == 0);
        return NULL;
}

Test(on_change, C9_C11_a_thread_that_exits_is_told_that_nothing_is_bound)
{
        pthread_t thread;
        cr_assert_eq(weft_set(&var, V(3), NULL), 0);
        atomic_store(&told_ever, 0);
        cr_assert_eq(weft_thread_create(&thread, NULL, ends_bound, V(3)), 0);
        pthread_join(thread, NULL);
        cr_assert_eq(atomic_load(&told_ever), 3); /* inherited, set, and gone */
        cr_assert(follows(V(3)));
        assert_checks();
}

/* One that does not return, against the rules: what it was told in goes with the thread. */
static weft_context *abandoned;

static void ends_thread(void *previous, void *next, void *user)
{
        (void)previous;
        (void)user;
        if (!next)
                return;
        abandoned = weft_context_capture();
        pthread_exit(next);
}

static weft_var fatal = WEFT_VAR_INIT("fatal", .on_change = ends_thread);

static void *ends_in_a_hook(void *arg)
{
        CHECK(weft_set(&var, arg, NULL) == 0);
        weft_set(&fatal, V(5), NULL);
        return NULL;
}

Test(on_change, C9_C11_so_it_is_if_it_exits_in_a_hook)
{
        pthread_t thread;
        void *result;
        cr_assert_eq(pthread_create(&thread, NULL, ends_in_a_hook, V(3)), 0);
        pthread_join(thread, &result);
        cr_assert_eq(result, V(5));
        cr_assert_eq(atomic_load(&told_ever), 2); /* set, and gone */
        cr_assert_eq(weft_context_size(abandoned), 2);
        assert_checks();
}

static void comes_to_a_point_of_cancellation(void *previous, void *next, void *user)
{
        (void)previous;
        (void)next;
        (void)user;
        CHECK(pthread_cancel(pthread_self()) == 0);
        pthread_testcancel();
}

static weft_var logs = WEFT_VAR_INIT("logs", .on_change = comes_to_a_point_of_cancellation);

static __attribute__((noinline)) void bind_two(void *value)
{
        CHECK(weft_set(&kept, value, NULL) == 0);
        CHECK(weft_set(&logs, V(1), NULL) == 0);
        CHECK(weft_get(&logs) == V(1));
}

static void *cancelled_in_a_hook(void *value)
{
        bind_two(value);
        pthread_testcancel();
        return NULL;
}

/* Its hooks may write, or log. */
Test(on_change, C9_C11_a_thread_that_is_cancelled_meanwhile_ends_when_the_hook_has_returned)
{
        static struct kept value = {true};
        pthread_t thread;
        void *result;
        cr_assert_eq(pthread_create(&thread, NULL, cancelled_in_a_hook, &value), 0);
        pthread_join(thread, &result);
        cr_assert_eq(result, PTHREAD_CANCELED);
        cr_assert_not(value.alive);
        assert_checks();
}

static int forked(void *arg)
{
        CHILD_CHECK(follows(arg));
        CHILD_CHECK(weft_set(&var, V(6), NULL) == 0);
        CHILD_CHECK(follows(V(6)));
        return 0;
}

Test(on_change, C9_C11_the_child_of_a_fork_goes_on_being_told)
{
        cr_assert_eq(weft_set(&var, V(3), NULL), 0);
        cr_assert_eq(in_child(forked, V(3)), 0);
        cr_assert(follows(V(3)));
}

/* ---- waiting in a hook ---- */

static weft_mutex shared_by_hooks;
static int counted_by_hooks;

static void locks(void *previous, void *next, void *user)
{
        (void)previous;
        (void)next;
        (void)user;
        CHECK(weft_mutex_lock(&shared_by_hooks, WEFT_FOREVER) == 0);
        counted_by_hooks++;
        CHECK(weft_yield() == 0);
        CHECK(weft_task_current() == NULL);
        CHECK(weft_sleep_until(weft_now() + 1000) == 0);
        CHECK(weft_mutex_unlock(&shared_by_hooks) == 0);
}

static weft_var locked = WEFT_VAR_INIT("locked", .on_change = locks);

static int yields(void *arg)
{
        for (int i = 0; i < 20; i++) {
                CHECK(weft_yield() == 0);
                CHECK(weft_get(&locked) == arg);
                CHECK(weft_task_current() != NULL);
        }
        return 0;
}

Test(on_change, C11_what_waits_in_a_hook_blocks_the_thread, .timeout = 60)
{
        weft_pool *pool = begin(2);
        weft_task *task[4] = {NULL};
        weft_mutex_init(&shared_by_hooks);
        for (int i = 0; i < 4; i++)
                WEFT_WITH (&locked, V(i + 1))
                        task[i] = spawn(pool, yields, V(i + 1));
        for (int i = 0; i < 4; i++)
                cr_assert_eq(join(task[i]), 0);
        finish(pool);
        cr_assert_geq(counted_by_hooks, 8 + 8);
}

/* ---- vars that come and go ---- */

static void count_to_user(void *previous, void *next, void *user)
{
        (void)previous;
        (void)next;
        ++*(int *)user;
}

Test(on_change, C11_hooks_of_several_vars_and_of_none_that_was_retired)
{
        enum { VARS = 40 };
        static weft_var many[VARS];
        static int n[VARS];
        for (int round = 1; round <= 3; round++) {
                for (int i = 0; i < VARS; i++) {
                        many[i] = (weft_var)WEFT_VAR_INIT("one of many", .fallback = V(1),
                                                          .on_change = count_to_user,
                                                          .on_change_user = &n[i]);
                        cr_assert_eq(weft_set(&many[i], V(2), NULL), 0);
                }
                weft_context *c = weft_context_swap(NULL);
                for (int i = 0; i < VARS; i++)
                        cr_assert_eq(n[i], 4 * round - 2, "var %d told %d times", i, n[i]);
                weft_context_swap(c);
                weft_var_fini(&many[0]);
                weft_context_unref(weft_context_swap(NULL));
                n[0]++; /* of which that one was not told */
                for (int i = 1; i < VARS; i++)
                        weft_var_fini(&many[i]);
                for (int i = 0; i < VARS; i++)
                        cr_assert_eq(n[i], 4 * round, "var %d told %d times", i, n[i]);
        }
}

static int allocated;

static int count_allocation(size_t size)
{
        (void)size;
        allocated++;
        return 0;
}

/* How often memory is asked for by vars that are set once and retired, one after the other. */
static int allocations_of(int vars, void (*on_change)(void *, void *, void *))
{
        int n = 0;
        allocated = 0;
        weft__alloc_fails = count_allocation;
        for (int i = 0; i < vars; i++) {
                weft_var passing =
                    WEFT_VAR_INIT("passing", .on_change = on_change, .on_change_user = &n);
                weft_set(&passing, V(1), NULL);
                weft_context_unref(weft_context_swap(NULL));
                weft_var_fini(&passing);
        }
        weft__alloc_fails = NULL;
        cr_assert_eq(n, on_change ? 2 * vars : 0);
        return allocated;
}

Test(on_change, C11_vars_that_come_and_go_take_no_more_memory_than_others)
{
        allocations_of(300, NULL); /* until contexts are as high as they are going to be */
        int without = allocations_of(1000, NULL);
        int with = allocations_of(1000, count_to_user);
        cr_assert_lt(with, without + 10, "%d allocations, and %d without hooks", with, without);
}

static int granted;

static int grant_little(size_t size)
{
        granted += size <= 32;
        return size > 32;
}

Test(on_change, C8_C11_first_sets_that_find_no_memory_keep_no_more_than_one_would)
{
        weft__alloc_fails = grant_little;
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_set(&var, V(1), NULL), -ENOMEM);
        weft__alloc_fails = NULL;
        cr_assert_leq(granted, 1);
        cr_assert_eq(weft_set(&var, V(1), NULL), 0);
        cr_assert(follows(V(1)));
}
