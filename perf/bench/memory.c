/* SPDX-License-Identifier: MIT
 *
 * Memory: the bytes that a queued task takes, and the bytes that are allocated for each task once
 * everything that is kept for reuse has been filled. By jemalloc's own statistics, found at run
 * time: where jemalloc is not linked, these figures are left out.
 */
#include "bench.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#define BATCH          1000
#define KEPT_MOST      50000 /* tasks that the library may keep for reuse */
#define WORKERS_MOST   2
#define PRODUCERS_MOST 4

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

/* jemalloc's counters of what each thread has ever allocated: this one's, then the workers' and the
 * other producers'. */
static uint64_t *allocated_by[WORKERS_MOST + PRODUCERS_MOST];
static atomic_uint found; /* so many; written under the lock */
static pthread_mutex_t finding = PTHREAD_MUTEX_INITIALIZER;

static void find_counter(void)
{
        uint64_t *counter = read_pointer("thread.allocatedp");
        pthread_mutex_lock(&finding);
        allocated_by[atomic_load(&found)] = counter;
        atomic_fetch_add(&found, 1);
        pthread_mutex_unlock(&finding);
}

/* Runs once on each worker, as each of them waits for all. */
static int find_counter_of_worker(void *workers)
{
        find_counter();
        while (atomic_load(&found) < 1 + (uintptr_t)workers)
                bench_sleep(100000);
        return 0;
}

/* Only while the pool is idle. */
static uint64_t allocated_ever(void)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i < atomic_load(&found); i++)
                sum += *(volatile uint64_t *)allocated_by[i];
        return sum;
}

/* The threads that submit besides this one, for as long as the case runs; each batch is shared
 * among all. */
static struct {
        pthread_t thread[PRODUCERS_MOST - 1];
        pthread_barrier_t begins, ends;
        bool stop;
        atomic_int failed;
} producers;

static void submit_some(size_t n)
{
        int failed = 0;
        for (size_t i = 0; i < n; i++)
                failed |= weft_submit(bench_pool, bench_tick, NULL);
        if (failed)
                atomic_store(&producers.failed, failed);
}

static void *produce(void *share)
{
        find_counter();
        for (;;) {
                pthread_barrier_wait(&producers.begins);
                if (producers.stop)
                        return NULL;
                submit_some(*(size_t *)share);
                pthread_barrier_wait(&producers.ends);
        }
}

static size_t share; /* of a batch */

static void producers_begin(unsigned n)
{
        share = BATCH / n;
        producers.stop = false;
        atomic_store(&producers.failed, 0);
        pthread_barrier_init(&producers.begins, NULL, n);
        pthread_barrier_init(&producers.ends, NULL, n);
        for (unsigned i = 1; i < n; i++)
                bench_must(weft_thread_create(&producers.thread[i - 1], NULL, produce, &share) == 0,
                           "start a thread");
}

static void producers_end(unsigned n)
{
        producers.stop = true;
        pthread_barrier_wait(&producers.begins);
        for (unsigned i = 1; i < n; i++)
                pthread_join(producers.thread[i - 1], NULL);
        pthread_barrier_destroy(&producers.begins);
        pthread_barrier_destroy(&producers.ends);
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

static int groups(void *arg)
{
        enum { OF = 100 };
        int failed = 0;
        for (size_t i = 0; i < *(size_t *)arg; i += OF) {
                weft_group g;
                failed |= weft_group_init(&g, NULL);
                for (int t = 0; t < OF; t++)
                        failed |= weft_group_spawn(&g, bench_tick, NULL);
                failed |= weft_group_wait(&g, WEFT_FOREVER);
                weft_group_fini(&g);
        }
        return failed ? BENCH_WRONG : BENCH_OK;
}

/* Some of them are taken by the other worker. */
static int fork_and_join(void *arg)
{
        enum { OF = 10 };
        int failed = 0;
        for (size_t i = 0; i < *(size_t *)arg; i += OF) {
                weft_job job[OF];
                for (int j = 0; j < OF; j++)
                        weft_fork(&job[j], bench_tick, NULL);
                for (int j = OF; j-- > 0;)
                        failed |= weft_join(&job[j]);
        }
        return failed ? BENCH_WRONG : BENCH_OK;
}

/* What a task does, by param. */
enum { SPAWN, GROUP, FORK };
static weft_fn *const within[] = {spawn_and_await, groups, fork_and_join};

static enum bench_end round_steady_within(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 100000);
        uint64_t before = allocated_ever();
        enum bench_end end = bench_within(b, within[b->c->param], &n);
        if (end != BENCH_OK)
                return end;
        expected += n;
        end = bench_ticked(b, expected);
        ret[0] = (double)(allocated_ever() - before) / (double)n;
        return end;
}

/* Submitted in batches, so that what is queued at once is bounded and can be kept for reuse. */
static enum bench_end round_steady_submit(struct bench *b, double *ret)
{
        size_t batches = bench_ops(b, 100);
        uint64_t before = allocated_ever();
        for (size_t i = 0; i < batches; i++) {
                pthread_barrier_wait(&producers.begins);
                submit_some(share);
                pthread_barrier_wait(&producers.ends);
                expected += BATCH;
                if (atomic_load(&producers.failed))
                        return bench_wrong(b, "a submit failed");
                if (bench_ticked(b, expected) != BENCH_OK)
                        return BENCH_WRONG;
        }
        ret[0] = (double)(allocated_ever() - before) / (double)(batches * BATCH);
        return BENCH_OK;
}

static void wait_for_counters(unsigned n)
{
        while (atomic_load(&found) < n)
                bench_sleep(100000);
}

static enum bench_end setup_steady(struct bench *b)
{
        if (!find_jemalloc() || !read_pointer("thread.allocatedp"))
                return bench_skip(b, "jemalloc is not linked");
        enum bench_end end = bench_pool_up(b);
        if (end != BENCH_OK)
                return end;
        uintptr_t workers = b->c->workers;
        expected = 0;
        atomic_store(&found, 0);
        find_counter();
        for (unsigned i = 0; i < workers; i++)
                bench_must(weft_submit(bench_pool, find_counter_of_worker, (void *)workers) == 0,
                           "submit");
        wait_for_counters(1 + b->c->workers);
        return BENCH_OK;
}

static enum bench_end setup_submit(struct bench *b)
{
        enum bench_end end = setup_steady(b);
        if (end == BENCH_OK) {
                producers_begin(b->c->param);
                wait_for_counters(b->c->workers + b->c->param);
        }
        return end;
}

static enum bench_end teardown_submit(struct bench *b)
{
        producers_end(b->c->param);
        return bench_pool_down(b);
}

#define STEADY(the_name, of, param_, setup_, round_, teardown_)                                    \
        {                                                                                          \
                .name = "memory/" the_name,                                                        \
                .what = "what is allocated for " of ", in the steady state, two workers",          \
                .figure = {{.name = "allocated per task",                                          \
                            .in = BENCH_BYTES,                                                     \
                            BENCH_MARK(0, BENCH_BYTES)}},                                          \
                .vars = 8, .workers = WORKERS_MOST, .param = (param_), .setup = setup_,            \
                .round = round_, .teardown = teardown_                                             \
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
    STEADY("submit", "a task from outside", 1, setup_submit, round_steady_submit, teardown_submit),
    STEADY("submit4", "a task from four threads outside", 4, setup_submit, round_steady_submit,
           teardown_submit),
    STEADY("spawn", "a spawn + await", SPAWN, setup_steady, round_steady_within, bench_pool_down),
    STEADY("group", "a task of a group of 100", GROUP, setup_steady, round_steady_within,
           bench_pool_down),
    STEADY("fork", "a fork + join", FORK, setup_steady, round_steady_within, bench_pool_down),
    {0},
};
