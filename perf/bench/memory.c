/* SPDX-License-Identifier: MIT
 *
 * Memory: the bytes that a queued task takes, and the bytes that are allocated for each task once
 * everything that is kept for reuse has been filled. By jemalloc's own statistics, found at run
 * time: where jemalloc is not linked, these figures are left out.
 */
#include "bench.h"

#include <dlfcn.h>
#include <stdatomic.h>

#define BATCH        1000
#define KEPT_MOST    50000 /* tasks that the library may keep for reuse */
#define THREADS_MOST 4

typedef int mallctl_fn(const char *name, void *old, size_t *old_size, void *new, size_t new_size);

static mallctl_fn *mallctl_found;
static uint64_t expected; /* ticks since the pool was made */

static bool find_jemalloc(void)
{
        /* A function pointer through void *, as POSIX has it. */
        *(void **)&mallctl_found = dlsym(RTLD_DEFAULT, "mallctl");
        return mallctl_found != NULL;
}

static void *read_pointer(const char *name)
{
        void *value = NULL;
        size_t size = sizeof(value);
        mallctl_found(name, &value, &size, NULL, 0);
        return value;
}

/* ---- queued tasks ---- */

/* What the process has allocated now. */
static size_t allocated_now(void)
{
        uint64_t epoch = 1;
        size_t bytes = 0, size = sizeof(bytes);
        mallctl_found("epoch", NULL, NULL, &epoch, sizeof(epoch));
        mallctl_found("stats.allocated", &bytes, &size, NULL, 0);
        return bytes;
}

/* While the pool's only worker is held at a gate, and after what the library keeps for reuse has
 * been used up. */
static enum bench_end round_queued(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 1000000);
        int failed = 0;
        if (bench_gate_shut(b) != BENCH_OK)
                return BENCH_WRONG;
        for (size_t i = 0; i < KEPT_MOST; i++)
                failed |= weft_submit(bench_pool, bench_tick, NULL);
        size_t before = allocated_now();
        for (size_t i = 0; i < n; i++)
                failed |= weft_submit(bench_pool, bench_tick, NULL);
        size_t after = allocated_now();
        bench_gate_open();
        ret[0] = after > before ? (double)(after - before) / (double)n : 0;
        expected += KEPT_MOST + n;
        return failed ? bench_wrong(b, "a submit failed") : bench_ticked(b, expected);
}

static enum bench_end setup_queued(struct bench *b)
{
        if (!find_jemalloc())
                return bench_skip(b, "jemalloc is not linked");
        expected = 0;
        return bench_pool_up(b);
}

/* ---- allocation in the steady state ---- */

/* jemalloc's counters of what each thread has ever allocated: this one's, then the workers'. */
static uint64_t *allocated_by[1 + THREADS_MOST];
static atomic_uint found;

/* Runs once on each worker, as each of them waits for all. */
static int find_counter(void *arg)
{
        unsigned workers = *(unsigned *)arg;
        uint64_t *mine = read_pointer("thread.allocatedp");
        allocated_by[atomic_fetch_add(&found, 1) + 1] = mine;
        while (atomic_load(&found) < workers)
                bench_sleep(100000);
        return 0;
}

/* Only while the pool is idle. */
static uint64_t allocated_ever(unsigned workers)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i <= workers; i++)
                sum += *(volatile uint64_t *)allocated_by[i];
        return sum;
}

static int spawn_and_await(void *arg)
{
        int failed = 0;
        for (size_t i = 0; i < *(size_t *)arg; i++) {
                weft_task *task;
                if (weft_spawn(NULL, &task, bench_tick, NULL) != 0)
                        return BENCH_WRONG;
                failed |= weft_await(task, WEFT_FOREVER);
                weft_task_unref(task);
        }
        return failed ? BENCH_WRONG : BENCH_OK;
}

static enum bench_end round_steady_spawn(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 100000);
        uint64_t before = allocated_ever(b->c->workers);
        enum bench_end end = bench_within(b, spawn_and_await, &n);
        if (end != BENCH_OK)
                return end;
        expected += n;
        end = bench_ticked(b, expected);
        ret[0] = (double)(allocated_ever(b->c->workers) - before) / (double)n;
        return end;
}

/* Submitted in batches, so that what is queued at once is bounded and can be kept for reuse. */
static enum bench_end round_steady_submit(struct bench *b, double *ret)
{
        size_t batches = bench_ops(b, 100);
        uint64_t before = allocated_ever(b->c->workers);
        for (size_t i = 0; i < batches; i++) {
                int failed = 0;
                for (int t = 0; t < BATCH; t++)
                        failed |= weft_submit(bench_pool, bench_tick, NULL);
                expected += BATCH;
                if (failed)
                        return bench_wrong(b, "a submit failed");
                if (bench_ticked(b, expected) != BENCH_OK)
                        return BENCH_WRONG;
        }
        ret[0] = (double)(allocated_ever(b->c->workers) - before) / (double)(batches * BATCH);
        return BENCH_OK;
}

static enum bench_end setup_steady(struct bench *b)
{
        if (!find_jemalloc() || !read_pointer("thread.allocatedp"))
                return bench_skip(b, "jemalloc is not linked");
        enum bench_end end = bench_pool_up(b);
        if (end != BENCH_OK)
                return end;
        unsigned workers = b->c->workers;
        expected = 0;
        atomic_store(&found, 0);
        allocated_by[0] = read_pointer("thread.allocatedp");
        for (unsigned i = 0; i < workers; i++)
                bench_must(weft_submit(bench_pool, find_counter, &workers) == 0, "submit");
        while (atomic_load(&found) < workers)
                bench_sleep(100000);
        return BENCH_OK;
}

const struct bench_case bench_memory_cases[] = {
    {
        .name = "memory/queued",
        .what = "what a task takes while it waits in the queue, of 1 M submitted from outside",
        .figure = {{.name = "queued task", .in = BENCH_BYTES}},
        .vars = 8,
        .workers = 1,
        .rounds = 5,
        .setup = setup_queued,
        .round = round_queued,
        .teardown = bench_pool_down,
    },
    {
        .name = "memory/submit",
        .what = "what is allocated for a task from outside, in the steady state, two workers",
        .figure = {{.name = "allocated per task", .in = BENCH_BYTES, BENCH_MARK(0, BENCH_BYTES)}},
        .vars = 8,
        .workers = 2,
        .setup = setup_steady,
        .round = round_steady_submit,
        .teardown = bench_pool_down,
    },
    {
        .name = "memory/spawn",
        .what = "what is allocated for a spawn + await, in the steady state, two workers",
        .figure = {{.name = "allocated per task", .in = BENCH_BYTES, BENCH_MARK(0, BENCH_BYTES)}},
        .vars = 8,
        .workers = 2,
        .setup = setup_steady,
        .round = round_steady_spawn,
        .teardown = bench_pool_down,
    },
    {0},
};
