/* SPDX-License-Identifier: MIT
 *
 * What tasks do among themselves: spawn + await, await of a task that has ended, yield, and a
 * group's fan-out and fan-in. Each is timed by a task of the pool; the thread outside only waits
 * for it.
 */
#include "bench.h"

#include <stdatomic.h>

#define GROUP 100

/* Of the task that measures: what it counts, and the ns that it takes for each. */
struct within {
        struct bench *bench;
        double ns;
};

static int give_back(void *arg)
{
        return (int)(uintptr_t)arg;
}

static int spawn_await(void *arg)
{
        struct within *w = arg;
        size_t n = bench_ops(w->bench, 200000);
        bool wrong = false;
        int64_t begin = bench_now();
        for (size_t i = 0; i < n; i++) {
                weft_task *task;
                int r = weft_spawn(NULL, &task, give_back, (void *)(i & 1023));
                if (r < 0)
                        return bench_wrong(w->bench, "cannot spawn: %s", weft_strerror(r));
                wrong |= weft_await(task, WEFT_FOREVER) != (int)(i & 1023);
                weft_task_unref(task);
        }
        w->ns = bench_per(begin, n);
        return wrong ? bench_wrong(w->bench, "await gave another result") : BENCH_OK;
}

static int await_finished(void *arg)
{
        struct within *w = arg;
        size_t n = bench_ops(w->bench, 2000000);
        bool wrong = false;
        weft_task *task;
        int r = weft_spawn(NULL, &task, give_back, (void *)7);
        if (r < 0)
                return bench_wrong(w->bench, "cannot spawn: %s", weft_strerror(r));
        wrong |= weft_await(task, WEFT_FOREVER) != 7;
        int64_t begin = bench_now();
        for (size_t i = 0; i < n; i++)
                wrong |= weft_await(task, WEFT_FOREVER) != 7;
        w->ns = bench_per(begin, n);
        weft_task_unref(task);
        return wrong ? bench_wrong(w->bench, "await gave another result") : BENCH_OK;
}

/* A task that yields until it has done so as often as it should, and looks each time whether the
 * other had its turn. */
struct yielder {
        const struct yielder *other;
        size_t turns, at_most;
        bool wrong;
};

static int take_turns(void *arg)
{
        struct yielder *y = arg;
        while (y->turns < y->at_most) {
                y->turns++;
                y->wrong |= weft_yield() != 0 || y->other->turns + 1 < y->turns;
        }
        return 0;
}

static int yield(void *arg)
{
        struct within *w = arg;
        size_t n = bench_ops(w->bench, 200000);
        struct yielder y[2] = {{.other = &y[1], .at_most = n}, {.other = &y[0], .at_most = n}};
        weft_task *task;
        int64_t begin = bench_now();
        int r = weft_spawn(NULL, &task, take_turns, &y[1]);
        if (r < 0)
                return bench_wrong(w->bench, "cannot spawn: %s", weft_strerror(r));
        take_turns(&y[0]);
        weft_await(task, WEFT_FOREVER);
        weft_task_unref(task);
        w->ns = bench_per(begin, 2 * n);
        if (y[0].wrong || y[1].wrong || y[1].turns != n)
                return bench_wrong(w->bench, "the tasks did not take turns");
        return BENCH_OK;
}

static int count(void *arg)
{
        atomic_size_t *n = arg;
        atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
        return 0;
}

static int fan(void *arg)
{
        struct within *w = arg;
        size_t groups = bench_ops(w->bench, 2000);
        atomic_size_t n = 0;
        int failed = 0;
        int64_t begin = bench_now();
        for (size_t i = 0; i < groups; i++) {
                weft_group g;
                failed |= weft_group_init(&g, NULL);
                for (int t = 0; t < GROUP; t++)
                        failed |= weft_group_spawn(&g, count, &n);
                failed |= weft_group_wait(&g, WEFT_FOREVER);
                weft_group_fini(&g);
        }
        w->ns = bench_per(begin, groups * GROUP);
        if (failed || atomic_load(&n) != groups * GROUP)
                return bench_wrong(w->bench, "a group lost a task, or failed");
        return BENCH_OK;
}

static enum bench_end round_of(struct bench *b, double *ret, weft_fn *fn)
{
        struct within w = {.bench = b};
        enum bench_end end = bench_within(b, fn, &w);
        ret[0] = w.ns;
        return end;
}

static enum bench_end round_spawn(struct bench *b, double *ret)
{
        return round_of(b, ret, spawn_await);
}

static enum bench_end round_finished(struct bench *b, double *ret)
{
        return round_of(b, ret, await_finished);
}

static enum bench_end round_yield(struct bench *b, double *ret)
{
        return round_of(b, ret, yield);
}

static enum bench_end round_fan(struct bench *b, double *ret)
{
        return round_of(b, ret, fan);
}

#define CASE(the_name, the_what, the_figure, the_workers, the_round, ...)                          \
        {                                                                                          \
                .name = "task/" the_name, .what = the_what,                                        \
                .figure = {{.name = the_figure, .in = BENCH_NS, __VA_ARGS__}}, .vars = 8,          \
                .workers = the_workers, .setup = bench_pool_up, .round = the_round,                \
                .teardown = bench_pool_down                                                        \
        }

const struct bench_case bench_task_cases[] = {
    CASE("spawn-await-1", "spawn + await within a task, one worker", "spawn + await", 1,
         round_spawn, ),
    CASE("spawn-await-2", "spawn + await within a task, two workers", "spawn + await", 2,
         round_spawn, ),
    CASE("await-finished", "await of a task that has ended, within a task", "await", 1,
         round_finished, BENCH_MARK(5, BENCH_U)),
    CASE("yield", "two tasks that yield to each other on one worker", "yield", 1, round_yield,
         BENCH_MARK(12, BENCH_U)),
    CASE("group-1", "a group of 100 tasks, spawned and waited for, one worker", "task of a group",
         1, round_fan, ),
    CASE("group-2", "a group of 100 tasks, spawned and waited for, two workers", "task of a group",
         2, round_fan, ),
    {0},
};
