/* SPDX-License-Identifier: MIT
 *
 * One context on two threads: what a capture + release costs when another thread captures and
 * releases the same context at the same time, each from a frame of its own.
 *
 * The two threads are held on two CPUs, and run for a fixed time, so that neither is ever measured
 * without the other. CPUs that share a core slow each other whatever they do; so a third phase has
 * them work on two different contexts, and the last figure is the part that the sharing itself
 * adds.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define PHASE_NS    INT64_C(8000000)
#define CAPTURES_AT 64 /* between two looks at the clock's flag */

struct worker {
        _Alignas(128) weft_context *context; /* to capture; NULL: nothing to do */
        double ns;                           /* per capture + release */
        bool wrong;
        pthread_t thread;
        struct shared *shared;
};

struct shared {
        struct worker worker[2];
        weft_context *context[2]; /* like each other, but two */
        pthread_barrier_t begin, end;
        bool quit;                      /* read after begin */
        _Alignas(128) atomic_bool stop; /* this phase */
        atomic_int running;             /* threads of this phase that have begun */
        int threads;                    /* of this phase */
};

static struct shared shared;

static atomic_int gone; /* values of watched, which each of the contexts binds */

static void count_gone(void *value)
{
        (void)value;
        atomic_fetch_add(&gone, 1);
}

static weft_var watched = WEFT_VAR_INIT("watched", .release = count_gone);

/* In a frame of the worker's context: a weft_fn. */
static int capture_until_stop(void *arg)
{
        struct worker *w = arg;
        size_t n = 0;
        atomic_fetch_add(&w->shared->running, 1);
        while (atomic_load(&w->shared->running) < w->shared->threads)
                sched_yield();
        int64_t begin = bench_cpu_now();
        do { /* once at least, though it may have had no processor until now */
                for (int i = 0; i < CAPTURES_AT; i++) {
                        weft_context *c = weft_context_capture();
                        w->wrong |= c != w->context;
                        weft_context_unref(c);
                }
                n += CAPTURES_AT;
        } while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed));
        w->ns = bench_cpu_per(begin, n);
        return 0;
}

static void *work(void *arg)
{
        struct worker *w = arg;
        for (;;) {
                pthread_barrier_wait(&w->shared->begin);
                if (w->shared->quit)
                        return NULL;
                if (w->context)
                        weft_context_run(w->context, capture_until_stop, w, NULL);
                pthread_barrier_wait(&w->shared->end);
        }
}

/* One phase: the first thread on context c0, the second on c1, or on NULL for none. Returns the
 * mean of their times. */
static double phase(struct shared *s, weft_context *c0, weft_context *c1)
{
        s->worker[0].context = c0;
        s->worker[1].context = c1;
        s->threads = c1 ? 2 : 1;
        atomic_store(&s->stop, false);
        atomic_store(&s->running, 0);
        pthread_barrier_wait(&s->begin);
        while (atomic_load(&s->running) < s->threads)
                bench_sleep(10000);
        bench_sleep(PHASE_NS);
        atomic_store(&s->stop, true);
        pthread_barrier_wait(&s->end);
        return c1 ? (s->worker[0].ns + s->worker[1].ns) / 2 : s->worker[0].ns;
}

static enum bench_end round_shared(struct bench *b, double *ret)
{
        struct shared *s = &shared;
        weft_context *same = s->context[0], *another = s->context[1];
        double alone = phase(s, same, NULL);
        double together = phase(s, same, same);
        double apart = phase(s, same, another);
        ret[0] = alone;
        ret[1] = together;
        ret[2] = apart;
        ret[3] = together / alone;
        ret[4] = together / apart;
        if (s->worker[0].wrong || s->worker[1].wrong)
                return bench_wrong(b, "a thread captured something else than its context");
        if (atomic_load(&gone))
                return bench_wrong(b, "a value was released while its context was in use");
        return BENCH_OK;
}

static void start(struct worker *w, struct shared *s, int cpu)
{
        pthread_attr_t attr;
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        w->shared = s;
        pthread_attr_init(&attr);
        pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
        bench_must(pthread_create(&w->thread, &attr, work, w) == 0, "start a thread");
        pthread_attr_destroy(&attr);
}

/* The first two CPUs that this process may use. */
static bool two_cpus(int ret[2])
{
        cpu_set_t set;
        int n = 0;
        if (sched_getaffinity(0, sizeof(set), &set) != 0)
                return false;
        for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
                if (CPU_ISSET(cpu, &set))
                        ret[n++] = cpu;
        return n == 2;
}

static enum bench_end setup_shared(struct bench *b)
{
        int cpu[2];
        if (!two_cpus(cpu))
                return bench_skip(b, "there is only one CPU");
        struct shared *s = &shared;
        *s = (struct shared){0};
        weft_context *current = weft_context_capture();
        for (int i = 0; i < 2; i++)
                bench_must(weft_context_with(current, &watched, s, &s->context[i]) == 0,
                           "derive a context");
        weft_context_unref(current);
        atomic_store(&gone, 0);
        pthread_barrier_init(&s->begin, NULL, 3);
        pthread_barrier_init(&s->end, NULL, 3);
        for (int i = 0; i < 2; i++)
                start(&s->worker[i], s, cpu[i]);
        return BENCH_OK;
}

static enum bench_end teardown_shared(struct bench *b)
{
        struct shared *s = &shared;
        s->quit = true;
        pthread_barrier_wait(&s->begin);
        for (int i = 0; i < 2; i++) {
                pthread_join(s->worker[i].thread, NULL);
                weft_context_unref(s->context[i]);
        }
        pthread_barrier_destroy(&s->begin);
        pthread_barrier_destroy(&s->end);
        return atomic_load(&gone) == 2 ? BENCH_OK : bench_wrong(b, "a context has not gone");
}

const struct bench_case bench_shared_cases[] = {
    {
        .name = "shared/capture",
        .what = "capture + release of one context on two threads at once, 8 vars bound",
        .vars = 7, /* and the one that is watched */
        .figure = {{.name = "one thread alone", .in = BENCH_NS},
                   {.name = "two threads, one context", .in = BENCH_NS},
                   {.name = "two threads, two contexts", .in = BENCH_NS},
                   {.name = "two on one context / alone",
                    .in = BENCH_RATIO,
                    BENCH_MARK(1.6, BENCH_RATIO)},
                   {.name = "one context / two contexts", .in = BENCH_RATIO}},
        .setup = setup_shared,
        .round = round_shared,
        .teardown = teardown_shared,
    },
    {0},
};
