/* SPDX-License-Identifier: MIT
 *
 * A pool that has nothing to do: how long it takes to wake, what it uses while it sleeps, and what
 * it costs to have one at all.
 */
#include "bench.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define WAKES    2000
#define LULL_NS  400000 /* between two wakes: longer than a worker looks for work */
#define CREATION 50

static _Atomic int64_t ran_at;

static int note_time(void *arg)
{
        (void)arg;
        atomic_store(&ran_at, bench_now());
        return 0;
}

/* ns from submit until the task runs; -1: it was not accepted, or did not run within a second. */
static double wake(void)
{
        atomic_store(&ran_at, 0);
        int64_t begin = bench_now(), ran;
        if (weft_submit(bench_pool, note_time, NULL) != 0)
                return -1;
        bench_sleep(LULL_NS);
        while (!(ran = atomic_load(&ran_at)) && bench_now() < begin + BENCH_SECOND)
                bench_sleep(LULL_NS);
        return ran ? (double)(ran - begin) : -1;
}

static uint64_t times_woken(void)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        weft_pool_stats(bench_pool, &s);
        return s.woken;
}

static enum bench_end round_wake(struct bench *b, double *ret)
{
        static double ns[WAKES];
        size_t n = bench_ops(b, WAKES);
        uint64_t woken = times_woken();
        for (size_t i = 0; i < n; i++)
                if ((ns[i] = wake()) < 0)
                        return bench_wrong(b, "a task did not run within a second");
        woken = times_woken() - woken;
        qsort(ns, n, sizeof(*ns), bench_by_value);
        ret[0] = ns[n / 2];
        ret[1] = ns[n * 99 / 100];
        if (woken < n * 9 / 10)
                return bench_wrong(b, "only %llu of %zu tasks found the workers asleep",
                                   (unsigned long long)woken, n);
        return BENCH_OK;
}

static double cpu_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* After a task, so that a pool that only sleeps until its first one is not mistaken for idle. */
static enum bench_end round_idle(struct bench *b, double *ret)
{
        if (wake() < 0)
                return bench_wrong(b, "a task did not run within a second");
        bench_sleep(BENCH_SECOND / 50);
        double cpu = cpu_ns();
        int64_t begin = bench_now();
        bench_sleep((int64_t)bench_ops(b, BENCH_SECOND));
        ret[0] = 100 * (cpu_ns() - cpu) / (double)(bench_now() - begin);
        return BENCH_OK;
}

static atomic_uint started, stopped;

static void on_start(unsigned worker, void *arg)
{
        (void)worker;
        (void)arg;
        atomic_fetch_add(&started, 1);
}

static void on_stop(unsigned worker, void *arg)
{
        (void)worker;
        (void)arg;
        atomic_fetch_add(&stopped, 1);
}

static enum bench_end round_create(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, CREATION);
        weft_pool_options o = {
            .size = sizeof(o), .workers = b->c->workers, .on_start = on_start, .on_stop = on_stop};
        atomic_store(&started, 0);
        atomic_store(&stopped, 0);
        int64_t begin = bench_now();
        for (size_t i = 0; i < n; i++) {
                weft_pool *pool;
                if (weft_pool_create(&pool, &o) != 0)
                        return bench_wrong(b, "cannot make a pool");
                weft_pool_destroy(pool);
        }
        ret[0] = bench_per(begin, n);
        if (atomic_load(&started) != n * o.workers || atomic_load(&stopped) != n * o.workers)
                return bench_wrong(b, "a worker was not started, or not stopped");
        return BENCH_OK;
}

const struct bench_case bench_wake_cases[] = {
    {
        .name = "wake/idle-pool",
        .what = "from submit until the task runs, all of the pool being asleep, two workers",
        .figure = {{.name = "wake, p50", .in = BENCH_NS}, {.name = "wake, p99", .in = BENCH_NS}},
        .vars = 8,
        .workers = 2,
        .rounds = 5,
        .setup = bench_pool_up,
        .round = round_wake,
        .teardown = bench_pool_down,
    },
    {
        .name = "wake/idle-cpu",
        .what = "CPU time of a pool of two that has nothing to do, of one CPU, over a second",
        .figure = {{.name = "idle pool", .in = BENCH_PERCENT, BENCH_MARK(0.1, BENCH_PERCENT)}},
        .vars = 8,
        .workers = 2,
        .rounds = 3,
        .setup = bench_pool_up,
        .round = round_idle,
        .teardown = bench_pool_down,
    },
    {
        .name = "wake/create",
        .what = "a pool of two workers made and destroyed",
        .figure = {{.name = "create + destroy", .in = BENCH_NS}},
        .vars = 8,
        .workers = 2,
        .round = round_create,
    },
    {0},
};
