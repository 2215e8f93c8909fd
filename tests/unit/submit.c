/* SPDX-License-Identifier: MIT
 *
 * Submitting: each way to hand a function to the pool, copied arguments and their destructor, and
 * every error that a submit can give. What a task sees of its submitter's context is in
 * pool_context.c, the bound on queued tasks in pool_limit.c.
 */
#include "pool_help.h"

#include <stddef.h>

/* ---- running --------------------------------------------------------------------------------- */

static int store_thread(void *arg)
{
        atomic_store((_Atomic(uintptr_t) *)arg, (uintptr_t)pthread_self());
        return 0;
}

Test(submit, runs_the_function_once_on_a_worker, .timeout = 30)
{
        weft_pool *pool = begin(1);
        _Atomic(uintptr_t) where = 0;
        atomic_int count = 0;

        cr_assert_eq(weft_submit(pool, store_thread, &where), 0);
        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 1);
        cr_assert_neq(atomic_load(&where), 0);
        cr_assert_neq(atomic_load(&where), (uintptr_t)pthread_self());
}

Test(submit, hundred_thousand_from_outside_all_run, .timeout = 60)
{
        enum { COUNT = SLOW_BUILD ? 10000 : 100000 };
        weft_pool *pool = begin(2);
        atomic_int count = 0;

        for (int i = 0; i < COUNT; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        finish(pool);
        cr_assert_eq(atomic_load(&count), COUNT);
}

struct tree {
        weft_pool *pool;
        atomic_int nodes;
};

struct branch {
        struct tree *tree;
        int depth;
};

static int grow(void *arg)
{
        struct branch b = *(struct branch *)arg;
        atomic_fetch_add(&b.tree->nodes, 1);
        if (b.depth == 0)
                return 0;
        b.depth--;
        for (int i = 0; i < 2; i++)
                CHECK(weft_submit_copy(b.tree->pool, grow, &b, sizeof(b)) == 0);
        return 0;
}

/* Submits are refused once a shutdown begins, so the test waits for the count. */
Test(submit, tasks_submit_tasks, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 4; workers++) {
                struct tree tree = {.pool = begin(workers)};
                struct branch root = {&tree, 11};
                cr_assert_eq(weft_submit_copy(tree.pool, grow, &root, sizeof(root)), 0);
                cr_assert(reaches(&tree.nodes, (1 << 12) - 1));
                finish(tree.pool);
        }
}

static int current_pool(void *arg)
{
        *(weft_pool **)arg = weft_pool_current();
        return 0;
}

static int spawn_to_null(void *arg)
{
        weft_task *t = NULL;
        CHECK(weft_spawn(NULL, &t, current_pool, arg) == 0);
        CHECK(weft_await(t, WEFT_FOREVER) == 0);
        weft_task_unref(t);
        return 0;
}

Test(submit, no_pool_means_the_pool_of_the_task_that_submits, .timeout = 30)
{
        weft_pool *pool = begin(1), *seen = NULL;
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, spawn_to_null, &seen), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        cr_assert_eq(seen, pool);
        finish(pool);
}

Test(submit, no_pool_means_the_default_pool_outside_tasks, .timeout = 30)
{
        weft_pool *seen = NULL;
        weft_task *t;

        cr_assert_eq(weft_spawn(NULL, &t, current_pool, &seen), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        cr_assert_not_null(seen);
        cr_assert_eq(seen, weft_pool_default());
        cr_assert_null(weft_pool_current());
}

/* ---- copied arguments ------------------------------------------------------------------------ */

static weft_var expected = WEFT_VAR_INIT("expected");

struct expected {
        size_t size;
        unsigned char bytes[4096];
        atomic_int ran, dropped;
        _Atomic(void *) at;
};

static int compare_args(void *args)
{
        struct expected *e = weft_get(&expected);
        CHECK((uintptr_t)args % _Alignof(max_align_t) == 0);
        CHECK(e->size == 0 || memcmp(args, e->bytes, e->size) == 0);
        CHECK(atomic_load(&e->dropped) == 0);
        if (e->size > 0)
                memset(args, 0xee, e->size); /* they are the task's own, to write as well */
        atomic_store(&e->at, args);
        atomic_fetch_add(&e->ran, 1);
        return 0;
}

static void drop_args(void *args)
{
        struct expected *e = weft_get(&expected);
        unsigned char *byte = args;
        CHECK(args == atomic_load(&e->at));
        for (size_t i = 0; i < e->size; i++)
                CHECK(byte[i] == 0xee);
        CHECK(atomic_load(&e->ran) == 1);
        atomic_fetch_add(&e->dropped, 1);
}

static const size_t sizes[] = {0, 1, 7, 8, 39, 40, 41, 47, 48, 49, 64, 65, 4095, 4096};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static struct expected *expectations(void)
{
        struct expected *e = calloc(SIZES, sizeof(*e));
        cr_assert_not_null(e);
        for (int i = 0; i < SIZES; i++) {
                e[i].size = sizes[i];
                for (size_t k = 0; k < sizes[i]; k++)
                        e[i].bytes[k] = (unsigned char)(k * 7 + (size_t)i);
        }
        return e;
}

enum way { COPY, CLOSURE, SPAWN_CLOSURE, GROUP_CLOSURE };

/* Submits every size from a buffer that is overwritten before the task can run. */
static void copied_by(enum way way)
{
        weft_pool *pool = begin(1);
        struct expected *e = expectations();
        weft_task *task[SIZES] = {NULL};
        weft_group group;
        struct plug plug;

        weft_group_init(&group, pool);
        plug_in(&plug, pool, 1);
        for (int i = 0; i < SIZES; i++) {
                unsigned char args[4096];
                size_t size = e[i].size;
                int r = -1;
                memcpy(args, e[i].bytes, sizeof(args));
                WEFT_WITH (&expected, &e[i]) {
                        switch (way) {
                        case COPY:
                                r = weft_submit_copy(pool, compare_args, args, size);
                                break;
                        case CLOSURE:
                                r = weft_submit_closure(pool, compare_args, args, size, drop_args);
                                break;
                        case SPAWN_CLOSURE:
                                r = weft_spawn_closure(pool, &task[i], compare_args, args, size,
                                                       drop_args);
                                break;
                        case GROUP_CLOSURE:
                                r = weft_group_spawn_closure(&group, compare_args, args, size,
                                                             drop_args);
                                break;
                        }
                }
                cr_assert_eq(r, 0);
                memset(args, 0x55, sizeof(args));
        }
        plug_out(&plug);
        if (way == GROUP_CLOSURE)
                cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
        for (int i = 0; way == SPAWN_CLOSURE && i < SIZES; i++) {
                cr_assert_eq(weft_await(task[i], WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&e[i].dropped), 1, "dropped before the await returns");
                weft_task_unref(task[i]);
        }
        weft_group_fini(&group);
        finish(pool);
        for (int i = 0; i < SIZES; i++) {
                cr_assert_eq(atomic_load(&e[i].ran), 1, "%zu bytes", e[i].size);
                cr_assert_eq(atomic_load(&e[i].dropped), way == COPY ? 0 : 1);
        }
        free(e);
}

Test(submit, copy_keeps_every_size_aligned_and_intact, .timeout = 30)
{
        copied_by(COPY);
}

Test(submit, closure_is_dropped_once_after_it_ran, .timeout = 30)
{
        copied_by(CLOSURE);
}

Test(submit, spawned_closure_is_dropped_before_await_returns, .timeout = 30)
{
        copied_by(SPAWN_CLOSURE);
}

Test(submit, group_closure_is_dropped_before_wait_returns, .timeout = 30)
{
        copied_by(GROUP_CLOSURE);
}

Test(submit, closure_without_arguments_or_destructor, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;

        cr_assert_eq(weft_submit_copy(pool, nothing, NULL, 0), 0);
        cr_assert_eq(weft_submit_closure(pool, nothing, NULL, 0, NULL), 0);
        cr_assert_eq(weft_spawn_closure(pool, &t, nothing, NULL, 0, NULL), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(pool);
}

/* ---- the destructor's frame ------------------------------------------------------------------ */

static weft_var who = WEFT_VAR_INIT("who", .fallback = V(-1));

struct drop_report {
        atomic_int ran, dropped, who;
};

static int set_who(void *args)
{
        struct drop_report *report = *(struct drop_report **)args;
        atomic_fetch_add(&report->ran, 1);
        CHECK(weft_set(&who, V(99), NULL) == 0);
        return 0;
}

static void report_who(void *args)
{
        struct drop_report *report = *(struct drop_report **)args;
        atomic_store(&report->who, N(weft_get(&who)));
        atomic_fetch_add(&report->dropped, 1);
        CHECK(weft_set(&who, V(1000), NULL) == 0);
}

Test(submit, destructor_sees_what_the_function_bound, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct drop_report report = {0}, *args = &report;
        weft_task *t;

        cr_assert_eq(weft_spawn_closure(pool, &t, set_who, &args, sizeof(args), report_who), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        cr_assert_eq(atomic_load(&report.who), 99);
        cr_assert_eq(atomic_load(&report.dropped), 1);
        finish(pool);
}

/* Submits a closure with who = 7 behind a plug. */
static weft_task *queued_closure(weft_pool *pool, struct drop_report *report)
{
        weft_task *t = NULL;
        WEFT_WITH (&who, V(7)) {
                int r = weft_spawn_closure(pool, &t, set_who, &report, sizeof(report), report_who);
                cr_assert_eq(r, 0);
        }
        return t;
}

Test(submit, C10_cancelled_closure_is_dropped_in_its_own_context, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct drop_report report = {0};
        struct plug plug;
        weft_token token;

        plug_in(&plug, pool, 1);
        weft_task *t = queued_closure(pool, &report);
        cr_assert_eq(weft_set(&who, V(3), &token), 0);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(atomic_load(&report.dropped), 1, "before cancel returns");
        cr_assert_eq(atomic_load(&report.who), 7, "in the task's context");
        cr_assert_eq(weft_get(&who), V(3), "and what it set stays there");
        cr_assert_eq(weft_reset(&who, &token), 0, "the caller's frame is the same one as before");
        plug_out(&plug);
        weft_task_unref(t);
        finish(pool);
        cr_assert_eq(atomic_load(&report.ran), 0);
        cr_assert_eq(atomic_load(&report.dropped), 1);
}

Test(submit, C10_closure_of_a_cancelled_pool_is_dropped_in_its_own_context, .timeout = 30)
{
        enum { COUNT = 20 };
        weft_pool *pool = begin(1);
        struct drop_report report[COUNT] = {0};
        weft_task *task[COUNT];
        struct plug plug;

        plug_in(&plug, pool, 1);
        for (int i = 0; i < COUNT; i++)
                task[i] = queued_closure(pool, &report[i]);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, 0), -ETIMEDOUT);
        plug_out(&plug);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
        for (int i = 0; i < COUNT; i++) {
                cr_assert_eq(weft_await(task[i], 0), -ECANCELED);
                cr_assert_eq(atomic_load(&report[i].ran), 0);
                cr_assert_eq(atomic_load(&report[i].dropped), 1);
                cr_assert_eq(atomic_load(&report[i].who), 7);
                weft_task_unref(task[i]);
        }
        finish(pool);
}

Test(submit, C10_closure_of_a_cancelled_group_is_dropped_in_its_own_context, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct drop_report report = {0}, *args = &report;
        struct plug plug;
        weft_group group;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init(&group, pool), 0);
        WEFT_WITH (&who, V(7)) {
                int r = weft_group_spawn_closure(&group, set_who, &args, sizeof(args), report_who);
                cr_assert_eq(r, 0);
        }
        cr_assert_eq(weft_group_cancel(&group), 0);
        cr_assert_eq(atomic_load(&report.dropped), 1);
        cr_assert_eq(atomic_load(&report.who), 7);
        plug_out(&plug);
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), -ECANCELED);
        weft_group_fini(&group);
        finish(pool);
        cr_assert_eq(atomic_load(&report.ran), 0);
        cr_assert_eq(atomic_load(&report.dropped), 1);
}

static weft_pool *drop_submits_to;
static atomic_int submitted_by_drop;

static void drop_that_submits(void *args)
{
        (void)args;
        CHECK(weft_submit(drop_submits_to, count_up, &submitted_by_drop) == 0);
}

/* A destructor runs with no lock held: it may call the pool. */
Test(submit, destructor_may_submit, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_task *t;

        drop_submits_to = pool;
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_submit_closure(pool, nothing, "", 1, drop_that_submits), 0);
        cr_assert_eq(weft_spawn_closure(pool, &t, nothing, "", 1, drop_that_submits), 0);
        cr_assert_eq(weft_task_cancel(t), 0);
        plug_out(&plug);
        cr_assert(reaches(&submitted_by_drop, 2));
        weft_task_unref(t);
        finish(pool);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static atomic_int wrongly_dropped;

static void wrong_drop(void *args)
{
        (void)args;
        atomic_fetch_add(&wrongly_dropped, 1);
}

/* Each way to submit gives this error, keeps nothing, drops nothing and leaves *ret alone. */
static weft_var counted =
    WEFT_VAR_INIT("counted", .retain = value_retain, .release = value_release);

static void all_fail_with(weft_pool *pool, int error)
{
        static struct value value;
        weft_task *const untouched = (weft_task *)&wrongly_dropped;
        weft_task *t = untouched;
        char args[64] = "arguments";

        cr_assert_eq(weft_set(&counted, &value, NULL), 0);
        cr_assert_eq(weft_submit(pool, nothing, NULL), error);
        cr_assert_eq(weft_submit_copy(pool, nothing, args, 64), error);
        cr_assert_eq(weft_submit_closure(pool, nothing, args, 8, wrong_drop), error);
        cr_assert_eq(weft_submit_closure(pool, nothing, args, 64, wrong_drop), error);
        cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), error);
        cr_assert_eq(weft_spawn_closure(pool, &t, nothing, args, 8, wrong_drop), error);
        cr_assert_eq(weft_spawn_closure(pool, &t, nothing, args, 64, wrong_drop), error);
        cr_assert_eq(weft_set(&counted, NULL, NULL), 0);
        cr_assert(value_gone(&value), "a submit that was refused keeps the context");
        cr_assert_eq(t, untouched);
        cr_assert_eq(atomic_load(&wrongly_dropped), 0);
}

Test(submit, needed_pointers_are_checked, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *const untouched = (weft_task *)&pool;
        weft_task *t = untouched;
        char args[8] = "";

        cr_assert_eq(weft_submit(pool, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_submit_copy(pool, NULL, args, 8), -EINVAL);
        cr_assert_eq(weft_submit_copy(pool, nothing, NULL, 8), -EINVAL);
        cr_assert_eq(weft_submit_closure(pool, NULL, args, 8, wrong_drop), -EINVAL);
        cr_assert_eq(weft_submit_closure(pool, nothing, NULL, 8, wrong_drop), -EINVAL);
        cr_assert_eq(weft_spawn(pool, NULL, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_spawn(pool, &t, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_closure(pool, NULL, nothing, args, 8, wrong_drop), -EINVAL);
        cr_assert_eq(weft_spawn_closure(pool, &t, NULL, args, 8, wrong_drop), -EINVAL);
        cr_assert_eq(weft_spawn_closure(pool, &t, nothing, NULL, 8, wrong_drop), -EINVAL);
        cr_assert_eq(t, untouched);
        cr_assert_eq(atomic_load(&wrongly_dropped), 0);
        finish(pool);
}

Test(submit, after_shutdown_is_refused, .timeout = 30)
{
        weft_pool *pool = begin(1);

        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        all_fail_with(pool, -ESHUTDOWN);
        finish(pool);
}

Test(submit, at_the_bound_is_refused, .timeout = 30)
{
        weft_pool *pool;
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .max_queued = 1};
        struct plug plug;

        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        all_fail_with(pool, -EAGAIN);
        plug_out(&plug);
        finish(pool);
}

/* The size of the task and of its arguments do not wrap around in their sum. */
Test(submit, impossible_size_is_out_of_memory, .timeout = 30)
{
        if (SLOW_BUILD)
                cr_skip_test("a checker takes such an allocation for a mistake");
        weft_pool *pool = begin(1);
        weft_task *const untouched = (weft_task *)&pool;
        weft_task *t = untouched;
        char args[8] = "";

        for (size_t less = 0; less < 256; less++) {
                size_t size = SIZE_MAX - less;
                cr_assert_eq(weft_submit_copy(pool, nothing, args, size), -ENOMEM);
                cr_assert_eq(weft_submit_closure(pool, nothing, args, size, wrong_drop), -ENOMEM);
                cr_assert_eq(weft_spawn_closure(pool, &t, nothing, args, size, NULL), -ENOMEM);
        }
        cr_assert_eq(t, untouched);
        cr_assert_eq(atomic_load(&wrongly_dropped), 0);
        finish(pool);
}
