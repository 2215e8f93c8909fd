/* SPDX-License-Identifier: MIT
 *
 * Out of memory in the pool: each allocation that a call makes fails in its turn, once, and for
 * ever from there on. The call says -ENOMEM, keeps nothing, runs no destructor and leaves *ret
 * alone, and afterwards all is as it was. Only what the test's own thread allocates fails, unless a
 * test says otherwise.
 */
#include "pool_help.h"

#include "context/memory.h"

static _Thread_local int left = -1; /* allocations until the one that fails; -1: none does */
static _Thread_local bool for_ever;
static atomic_int refused;

static int fails_in_turn(size_t size)
{
        (void)size;
        if (left < 0 || left-- > 0)
                return false;
        if (for_ever)
                left = 0;
        atomic_fetch_add(&refused, 1);
        return true;
}

static void fail_at(int n, bool ever)
{
        weft__alloc_fails = fails_in_turn;
        for_ever = ever;
        left = n;
        atomic_store(&refused, 0);
}

/* Whether an allocation was refused. */
static bool failed(void)
{
        left = -1;
        return atomic_load(&refused) > 0;
}

enum { MOST = 200 }; /* allocations that any call here makes */

Test(pool_memory, create_leaves_nothing_behind, .timeout = 60)
{
        weft_pool *const untouched = (weft_pool *)&left;
        int before = threads_before();

        for (int ever = 0; ever < 2; ever++) {
                int n = 0;
                for (; n < MOST; n++) {
                        weft_pool *pool = untouched;
                        weft_pool_options o = {.size = sizeof(o), .workers = 3};
                        fail_at(n, ever);
                        int r = weft_pool_create(&pool, &o);
                        if (!failed()) {
                                cr_assert_eq(r, 0);
                                finish(pool);
                                break;
                        }
                        cr_assert_eq(r, -ENOMEM, "allocation %d: %d", n, r);
                        cr_assert_eq(pool, untouched);
                        cr_assert(threads_become(before));
                }
                cr_assert_gt(n, 0, "it allocates");
                cr_assert_lt(n, MOST);
        }
}

Test(pool_memory, default_pool_is_tried_again, .timeout = 30)
{
        weft_group g;

        fail_at(0, true);
        cr_assert_null(weft_pool_default());
        cr_assert_eq(weft_submit(NULL, nothing, NULL), -ENOMEM);
        cr_assert_eq(weft_group_init(&g, NULL), -ENOMEM);
        cr_assert(failed());
        cr_assert_not_null(weft_pool_default());
        cr_assert_eq(weft_submit(NULL, nothing, NULL), 0);
}

static atomic_int dropped, ran;

static int run_args(void *args)
{
        CHECK(((char *)args)[0] == 'x');
        atomic_fetch_add(&ran, 1);
        return 0;
}

static void drop_args(void *args)
{
        CHECK(((char *)args)[0] == 'x');
        atomic_fetch_add(&dropped, 1);
}

enum way {
        SUBMIT,
        COPY,
        COPY_LARGE,
        CLOSURE,
        SPAWN,
        SPAWN_LARGE,
        ON_DONE,
        GROUP,
        GROUP_LARGE,
        WAYS
};

static int in_way(enum way way, weft_pool *pool, weft_group *g, weft_task *task, weft_task **ret)
{
        static const char args[100] = "x";
        switch (way) {
        case SUBMIT:
                return weft_submit(pool, run_args, (void *)args);
        case COPY:
                return weft_submit_copy(pool, run_args, args, 8);
        case COPY_LARGE:
                return weft_submit_copy(pool, run_args, args, 100);
        case CLOSURE:
                return weft_submit_closure(pool, run_args, args, 100, drop_args);
        case SPAWN:
                return weft_spawn(pool, ret, run_args, (void *)args);
        case SPAWN_LARGE:
                return weft_spawn_closure(pool, ret, run_args, args, 100, drop_args);
        case ON_DONE:
                return weft_task_on_done(task, run_args, (void *)args);
        case GROUP:
                return weft_group_spawn(g, run_args, (void *)args);
        default:
                return weft_group_spawn_closure(g, run_args, args, 100, drop_args);
        }
}

static bool drops(enum way way)
{
        return way == CLOSURE || way == SPAWN_LARGE || way == GROUP_LARGE;
}

/* Behind a plug, in a bounded pool: what was refused for want of memory takes no room either. */
Test(pool_memory, submit_keeps_nothing, .timeout = 60)
{
        weft_pool *pool;
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .max_queued = 2};
        weft_task *const untouched = (weft_task *)&left;
        struct weft_pool_stats stats = {.size = sizeof(stats)};

        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        for (int way = 0; way < WAYS; way++) {
                struct plug plug;
                weft_group g;
                weft_task *first, *t = untouched;
                int n = 0;

                atomic_store(&ran, 0);
                atomic_store(&dropped, 0);
                plug_in(&plug, pool, 1);
                cr_assert_eq(weft_group_init(&g, pool), 0);
                cr_assert_eq(weft_spawn(pool, &first, nothing, NULL), 0);
                cr_assert_eq(weft_pool_stats(pool, &stats), 0);
                uint64_t before = stats.submitted;
                for (; n < 2 * MOST; n++) {
                        fail_at(n / 2, n % 2);
                        int r = in_way((enum way)way, pool, &g, first, &t);
                        if (!failed()) {
                                cr_assert_eq(r, 0, "way %d", way);
                                break;
                        }
                        cr_assert_eq(r, -ENOMEM, "way %d: %d", way, r);
                        cr_assert_eq(t, untouched);
                        cr_assert_eq(weft_pool_stats(pool, &stats), 0);
                        cr_assert_eq(stats.submitted, before);
                }
                cr_assert_lt(n, 2 * MOST);
                if (!WEFT__CACHES)
                        cr_assert_gt(n, 0, "way %d allocates", way);
                plug_out(&plug);
                cr_assert(reaches(&ran, 1));
                if (t != untouched)
                        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
                cr_assert(reaches(&dropped, drops((enum way)way)));
                weft_group_fini(&g);
                weft_task_unref(first);
                weft_task_unref(t == untouched ? NULL : t);
        }
        finish(pool);
}

static int refuse_large(size_t size)
{
        return size >= 4000;
}

static int submit_thousands(void *count)
{
        for (int i = 0; i < 5000; i++)
                CHECK(weft_submit(NULL, count_up, count) == 0);
        return 0;
}

/* On every thread: a worker's queue that cannot grow sends what is too much to the shared one. */
Test(pool_memory, queue_that_cannot_grow_loses_nothing, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                atomic_int count = 0;

                weft__alloc_fails = refuse_large;
                cr_assert_eq(weft_submit(pool, submit_thousands, &count), 0);
                cr_assert(reaches(&count, 5000));
                finish(pool);
                weft__alloc_fails = NULL;
        }
}

static int refuse_blocks(size_t size)
{
        return size >= 2000;
}

/* Nor does the shared one lose any if it has no room of its own; but what is only handed in there,
 * without memory of its own, is refused. */
Test(pool_memory, shared_queue_that_cannot_grow_loses_nothing, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                struct weft_pool_stats stats = {.size = sizeof(stats)};
                atomic_int count = 0;

                weft__alloc_fails = refuse_blocks;
                cr_assert_eq(join(spawn(pool, submit_thousands, &count)), 0);
                cr_assert(reaches(&count, 5000));
                cr_assert_eq(weft_submit(pool, count_up, &count), -ENOMEM);
                weft__alloc_fails = NULL;
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
                cr_assert_eq(weft_pool_stats(pool, &stats), 0);
                cr_assert_eq(stats.submitted, 5002);
                cr_assert_eq(stats.run, 5002);
                finish(pool);
                cr_assert_eq(atomic_load(&count), 5001);
        }
}

static int set_nothing(void *arg)
{
        static weft_var var = WEFT_VAR_INIT("var", .fallback = V(7));
        left = 0;
        for_ever = true;
        CHECK(weft_set(&var, arg, NULL) == -ENOMEM);
        CHECK(weft_get(&var) == V(7));
        left = -1;
        CHECK(weft_set(&var, arg, NULL) == 0);
        CHECK(weft_get(&var) == arg);
        return 0;
}

Test(pool_memory, C8_set_in_a_task_changes_nothing, .timeout = 30)
{
        weft_pool *pool = begin(1);

        weft__alloc_fails = fails_in_turn;
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_submit(pool, set_nothing, V(i + 1)), 0);
        finish(pool);
}
