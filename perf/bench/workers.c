/* SPDX-License-Identifier: MIT
 *
 * The pool of a case. Its tasks count themselves, each worker in a counter on a cache line of its
 * own, so that the count costs next to nothing and says what the library's own statistics cannot:
 * that every task was really run, and once.
 */
#include "bench.h"

#include <semaphore.h>
#include <stdatomic.h>

#define WORKERS_MOST 64

/* Written by worker i alone; read by whoever waits. */
static struct {
        _Alignas(128) _Atomic uint64_t ticks;
} counter[WORKERS_MOST];

static _Thread_local _Atomic uint64_t *mine;

weft_pool *bench_pool;

static void on_start(unsigned worker, void *arg)
{
        (void)arg;
        mine = &counter[worker].ticks;
}

enum bench_end bench_pool_of(struct bench *b, unsigned workers)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = workers, .name = "perf", .on_start = on_start};
        bench_must(workers <= WORKERS_MOST, "count for so many workers");
        for (unsigned i = 0; i < WORKERS_MOST; i++)
                atomic_store_explicit(&counter[i].ticks, 0, memory_order_relaxed);
        int r = weft_pool_create(&bench_pool, &o);
        return r < 0 ? bench_wrong(b, "cannot make a pool: %s", weft_strerror(r)) : BENCH_OK;
}

enum bench_end bench_pool_up(struct bench *b)
{
        return bench_pool_of(b, b->c->workers);
}

enum bench_end bench_pool_down(struct bench *b)
{
        bench_pool = weft_pool_destroy(bench_pool);
        return bench_pool ? bench_wrong(b, "the pool was not destroyed") : BENCH_OK;
}

int bench_tick(void *arg)
{
        (void)arg;
        uint64_t n = atomic_load_explicit(mine, memory_order_relaxed);
        atomic_store_explicit(mine, n + 1, memory_order_relaxed); /* the only writer */
        return 0;
}

uint64_t bench_ticks(void)
{
        uint64_t n = 0;
        for (unsigned i = 0; i < WORKERS_MOST; i++)
                n += atomic_load_explicit(&counter[i].ticks, memory_order_relaxed);
        return n;
}

enum bench_end bench_ticked(struct bench *b, uint64_t ticks)
{
        int64_t deadline = bench_now() + 60 * BENCH_SECOND;
        uint64_t n;
        while ((n = bench_ticks()) < ticks && bench_now() < deadline)
                bench_sleep(20000);
        if (n == ticks)
                return BENCH_OK;
        return bench_wrong(b, "%llu tasks were run, not %llu", (unsigned long long)n,
                           (unsigned long long)ticks);
}

static sem_t gate_reached, gate_opened;
static int64_t gate_passed;

static int gate(void *arg)
{
        (void)arg;
        sem_post(&gate_reached);
        sem_wait(&gate_opened);
        gate_passed = bench_cpu_now();
        return 0;
}

enum bench_end bench_gate_shut(struct bench *b)
{
        sem_init(&gate_reached, 0, 0);
        sem_init(&gate_opened, 0, 0);
        int r = weft_submit(bench_pool, gate, NULL);
        if (r < 0)
                return bench_wrong(b, "cannot submit: %s", weft_strerror(r));
        sem_wait(&gate_reached);
        return BENCH_OK;
}

void bench_gate_open(void)
{
        sem_post(&gate_opened);
}

int64_t bench_gate_passed(void)
{
        return gate_passed;
}

enum bench_end bench_within(struct bench *b, weft_fn *fn, void *arg)
{
        weft_task *task;
        int r = weft_spawn(bench_pool, &task, fn, arg);
        if (r < 0)
                return bench_wrong(b, "cannot spawn: %s", weft_strerror(r));
        r = weft_await(task, bench_now() + 60 * BENCH_SECOND);
        if (r < 0)
                bench_must(r != -ETIMEDOUT, "go on: a task has not ended after a minute");
        weft_task_unref(task);
        return r < 0 ? bench_wrong(b, "the task failed: %s", weft_strerror(r)) : (enum bench_end)r;
}
