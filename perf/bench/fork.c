/* SPDX-License-Identifier: MIT
 *
 * Fork and join: what a job costs that nobody takes, what a second worker gives, and how long
 * coarse jobs wait while workers are idle. The kernels are those that are compared with other
 * systems (../kernels/kernels.h).
 */
#include "bench.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernels/fib.h"
#include "../kernels/weft.h"

/* ---- jobs that nobody takes ---- */

/* What fib costs but for fork and join: the same calls, of which one goes by a pointer that the
 * compiler cannot see through. */
static int call_fib(void *arg);
static weft_fn *volatile called = call_fib;

static int call_fib(void *arg)
{
        struct fib *f = arg;
        if (f->n < 2) {
                f->result = f->n;
                return 0;
        }
        struct fib a = {.n = f->n - 1}, b = {.n = f->n - 2};
        weft_fn *by_pointer = called;
        call_fib(&b);
        by_pointer(&a);
        f->result = a.result + b.result;
        return 0;
}

struct fibs {
        struct bench *bench;
        double *ret;
};

enum { BY_POINTER, TYPED }; /* a case's param */

/* ns for each pair of calls, by the CPU time of the one worker. */
static double time_fib(weft_fn *fn, unsigned n, uint64_t *result)
{
        struct fib f = {.n = n};
        int64_t begin = bench_cpu_now();
        fn(&f);
        double ns = bench_cpu_per(begin, fib_forks(n));
        *result = f.result;
        return ns;
}

static int both_fibs(void *arg)
{
        const struct fibs *w = arg;
        const struct kernel *k = &kernels[KERNEL_FIB];
        unsigned n = (unsigned)(w->bench->quick ? k->quick : k->size);
        weft_fn *by_fork =
            (w->bench->c->param == TYPED ? kernels_weft_typed : kernels_weft)[KERNEL_FIB];
        uint64_t result[2];
        for (unsigned i = 0; i < 2; i++) {
                bool forks = (w->bench->round + i) % 2 == 0;
                w->ret[forks ? 0 : 1] = time_fib(forks ? by_fork : call_fib, n, &result[i]);
        }
        return result[0] == result[1] ? BENCH_OK : bench_wrong(w->bench, "fib is not the same");
}

static enum bench_end round_fib(struct bench *b, double *ret)
{
        struct fibs w = {.bench = b, .ret = ret};
        return bench_within(b, both_fibs, &w);
}

/* ---- the kernels on one worker and on two ---- */

enum { PLAIN, ONE, TWO, WAYS };

static struct {
        const struct kernel *kernel;
        weft_fn *run;
        void *data;
        uint64_t expected;
        weft_pool *pool[WAYS]; /* of PLAIN none */
        double ns[WAYS];
} plays;

/* A task of one pool or the other; jobs inherit the context of whoever forks them. */

static int look(void *arg)
{
        const struct bench *b = arg;
        for (size_t i = 0; i < b->c->vars; i++)
                if (weft_get(&bench_var[i]) != bench_value(i))
                        return -ENOENT;
        return 0;
}

static int play(void *bench)
{
        struct bench *b = bench;
        weft_job job;
        weft_fork(&job, look, b);
        plays.run(plays.data);
        return weft_join(&job) == 0 ? BENCH_OK : bench_wrong(b, "a job has not inherited the vars");
}

static enum bench_end play_way(struct bench *b, unsigned way)
{
        const struct kernel *k = plays.kernel;
        enum bench_end end = BENCH_OK;
        k->ready(plays.data);
        int64_t begin = bench_now();
        if (way == PLAIN) {
                k->serial(plays.data);
        } else {
                bench_pool = plays.pool[way];
                end = bench_within(b, play, b);
        }
        plays.ns[way] = bench_per(begin, 1);
        if (end == BENCH_OK && k->check(plays.data) != plays.expected)
                end = bench_wrong(b, "%s gave %llu, not %llu", k->name,
                                  (unsigned long long)k->check(plays.data),
                                  (unsigned long long)plays.expected);
        return end;
}

static enum bench_end round_kernel(struct bench *b, double *ret)
{
        for (unsigned i = 0; i < WAYS; i++) {
                enum bench_end end = play_way(b, (b->round + i) % WAYS);
                if (end != BENCH_OK)
                        return end;
        }
        ret[0] = plays.ns[ONE] / plays.ns[PLAIN];
        ret[1] = plays.ns[TWO] / plays.ns[ONE];
        return BENCH_OK;
}

static enum bench_end setup_kernel(struct bench *b)
{
        const struct kernel *k = &kernels[b->c->param];
        size_t size = b->quick ? k->quick : k->size;
        if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
                return bench_skip(b, "there is only one CPU");
        memset(&plays, 0, sizeof(plays));
        plays.kernel = k;
        plays.run = kernels_weft[b->c->param];
        plays.data = k->make(size);
        bench_must(plays.data, "make the data of a kernel");
        k->ready(plays.data);
        k->serial(plays.data);
        plays.expected = k->check(plays.data);
        bench_must(size != k->published || plays.expected == k->result,
                   "agree with what others say");
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool_options o = {.size = sizeof(o),
                                       .workers = workers,
                                       .name = "perf",
                                       .stack_size = KERNEL_STACK};
                bench_must(weft_pool_create(&plays.pool[workers], &o) == 0, "make a pool");
        }
        return BENCH_OK;
}

static enum bench_end teardown_kernel(struct bench *b)
{
        bench_pool = NULL;
        for (unsigned way = 0; way < WAYS; way++)
                if (weft_pool_destroy(plays.pool[way]))
                        return bench_wrong(b, "a pool was not destroyed");
        free(plays.data);
        return BENCH_OK;
}

/* ---- coarse jobs ---- */

#define TRIES     20
#define COARSE_NS (10 * 1000 * 1000) /* that the forker computes, and does not enter weft */
#define LULL_NS   (5 * 1000 * 1000)  /* before: longer than a worker looks for work */

enum { JOBS = 3 };

static int note_time(void *at)
{
        atomic_store((_Atomic int64_t *)at, bench_now());
        return 0;
}

/* ns from the fork until the job starts, of that of the last two jobs which starts last. */
static double try_coarse(void)
{
        weft_job job[JOBS];
        _Atomic int64_t started[JOBS];
        int64_t forked[JOBS], end = bench_now() + COARSE_NS, latest = 0;
        for (int i = 0; i < JOBS; i++) {
                forked[i] = bench_now();
                weft_fork(&job[i], note_time, &started[i]);
        }
        while (bench_now() < end)
                ;
        for (int i = JOBS; i-- > 0;)
                weft_join(&job[i]);
        for (int i = 1; i < JOBS; i++) {
                int64_t ns = atomic_load(&started[i]) - forked[i];
                latest = ns > latest ? ns : latest;
        }
        return (double)latest;
}

/* ---- workers that fall idle later ---- */

#define BUSY_NS (2 * 1000 * 1000) /* for which the others compute */
#define REST_NS (1000 * 1000)     /* that the forker computes after it has entered weft */

static atomic_int busy;

static int compute_until(void *end)
{
        atomic_fetch_add(&busy, 1);
        while (bench_now() < __atomic_load_n((int64_t *)end, __ATOMIC_RELAXED))
                ;
        return 0;
}

static int do_nothing(void *unused)
{
        (void)unused;
        return 0;
}

/* The jobs are forked while all others are busy. ns from the next fork, 8 ms after these have
 * become idle, until the last two jobs have started. */
static double try_coarse_late(void)
{
        weft_job job[JOBS], entry;
        _Atomic int64_t started[JOBS];
        weft_group others;
        int64_t end = bench_now() + COARSE_NS, latest = 0, until = INT64_MAX;
        atomic_store(&busy, 0);
        weft_group_init(&others, NULL);
        for (int i = 0; i < JOBS; i++)
                weft_group_spawn(&others, compute_until, &until);
        while (atomic_load(&busy) < JOBS)
                ;
        for (int i = 0; i < JOBS; i++)
                weft_fork(&job[i], note_time, &started[i]);
        __atomic_store_n(&until, bench_now() + BUSY_NS, __ATOMIC_RELAXED);
        while (bench_now() < end)
                ;
        int64_t entered = bench_now();
        weft_fork(&entry, do_nothing, NULL);
        while (bench_now() < entered + REST_NS)
                ;
        weft_join(&entry);
        for (int i = JOBS; i-- > 0;)
                weft_join(&job[i]);
        weft_group_wait(&others, WEFT_FOREVER);
        weft_group_fini(&others);
        for (int i = 1; i < JOBS; i++) {
                int64_t ns = atomic_load(&started[i]) - entered;
                latest = ns > latest ? ns : latest;
        }
        return (double)latest;
}

enum { AT_ONCE, LATE }; /* a case's param */

struct tries {
        bool late;
        size_t n;
        double ns[TRIES];
};

static int coarse(void *arg)
{
        struct tries *t = arg;
        for (size_t i = 0; i < t->n; i++) {
                weft_sleep_until(bench_now() + LULL_NS);
                t->ns[i] = t->late ? try_coarse_late() : try_coarse();
        }
        return BENCH_OK;
}

static enum bench_end round_coarse(struct bench *b, double *ret)
{
        struct tries t = {.late = b->c->param == LATE, .n = bench_ops(b, TRIES)};
        enum bench_end end = bench_within(b, coarse, &t);
        qsort(t.ns, t.n, sizeof(t.ns[0]), bench_by_value);
        ret[0] = t.ns[t.n / 2];
        ret[1] = t.ns[t.n * 9 / 10];
        return end;
}

#define UNSTOLEN(the_name, how, form, at_most)                                                     \
        {                                                                                          \
                .name = "fork/" the_name, .what = "fork + join in fib, " how ", one worker",       \
                .figure = {{.name = "fork + join", .in = BENCH_NS, BENCH_MARK(at_most, BENCH_U)},  \
                           {.name = "calls, one by a pointer", .in = BENCH_NS}},                   \
                .vars = 8, .workers = 1, .param = (form), .setup = bench_pool_up,                  \
                .round = round_fib, .teardown = bench_pool_down                                    \
        }

#define KERNEL(the_name, id, at_most, ...)                                                         \
        {                                                                                          \
                .name = "fork/" the_name,                                                          \
                .what = the_name " on two workers, on one, and by calls",                          \
                .figure = {{.name = "one worker / calls", .in = BENCH_RATIO},                      \
                           {.name = "two workers / one",                                           \
                            .in = BENCH_RATIO,                                                     \
                            BENCH_MARK(at_most, BENCH_RATIO)}},                                    \
                .vars = 8, .param = (id), .setup = setup_kernel, .round = round_kernel,            \
                .teardown = teardown_kernel, __VA_ARGS__                                           \
        }

/* At most: where the work is to compute, two hyperthreads of one core give 1.15 x and more. */
#define COMPUTE 0.87

const struct bench_case bench_fork_cases[] = {
    UNSTOLEN("unstolen", "by function pointers", BY_POINTER, 2.6),
    UNSTOLEN("unstolen-typed", "by WEFT_JOB_OF", TYPED, 1.5),
    KERNEL("fib", KERNEL_FIB, COMPUTE, ),
    KERNEL("nqueens", KERNEL_NQUEENS, COMPUTE, ),
    KERNEL("uts-t1", KERNEL_UTS_T1, COMPUTE, ),
    KERNEL("uts-t3", KERNEL_UTS_T3, COMPUTE, .rounds = 5),
    KERNEL("cilksort", KERNEL_CILKSORT, COMPUTE, ),
    KERNEL("matmul", KERNEL_MATMUL, COMPUTE, ),
    KERNEL("skynet", KERNEL_SKYNET, 1.05, ),
    KERNEL("irregular", KERNEL_IRREGULAR, COMPUTE, ),
    {
        .name = "fork/coarse",
        .what = "fork A, B and C while three workers sleep, then compute 10 ms",
        .figure = {{.name = "B and C start, p50", .in = BENCH_NS, BENCH_MARK(100000, BENCH_NS)},
                   {.name = "B and C start, p90", .in = BENCH_NS}},
        .vars = 8,
        .workers = 1 + JOBS,
        .rounds = 5,
        .setup = bench_pool_up,
        .round = round_coarse,
        .teardown = bench_pool_down,
    },
    {
        .name = "fork/coarse-late",
        .what = "the same while these are busy; they fall idle, and 8 ms later it forks again",
        .figure = {{.name = "B and C start, p50", .in = BENCH_NS, BENCH_MARK(100000, BENCH_NS)},
                   {.name = "B and C start, p90", .in = BENCH_NS}},
        .vars = 8,
        .workers = 1 + JOBS,
        .param = LATE,
        .rounds = 5,
        .setup = bench_pool_up,
        .round = round_coarse,
        .teardown = bench_pool_down,
    },
    {0},
};
