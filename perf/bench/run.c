/* SPDX-License-Identifier: MIT
 *
 * Runs one case: in a frame of its own with the vars it wants bound, first a round that does not
 * count, then the others, each right after a measurement of the unit. A time in u is the quotient
 * of a round's two measurements; medians are taken last.
 */
#include "runner.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS       11 /* unless the case says otherwise */
#define ROUNDS_QUICK 3
#define ROUNDS_MOST  64

struct run {
        struct bench bench;
        FILE *progress;
        struct bench_result *result;
        double u[ROUNDS_MOST];
        double figure[BENCH_FIGURES][ROUNDS_MOST];
};

/* The unit: ns for one seq_cst increment of a counter that nobody else touches. The least of a few
 * measurements, so that it is one in which nobody else had the CPU. */
static double unit(void)
{
        enum { TIMES = 8, N = 1 << 15 };
        static _Alignas(128) atomic_ulong counter;
        double least = HUGE_VAL;
        for (int t = 0; t < TIMES; t++) {
                int64_t begin = bench_cpu_now();
                for (int i = 0; i < N; i++)
                        atomic_fetch_add_explicit(&counter, 1, memory_order_seq_cst);
                least = fmin(least, bench_cpu_per(begin, N));
        }
        return least;
}

struct bench_stat bench_stat_of(double *v, size_t n)
{
        qsort(v, n, sizeof(*v), bench_by_value);
        double median = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
        return (struct bench_stat){.median = median, .min = v[0], .max = v[n - 1]};
}

static size_t figures(const struct bench_case *c)
{
        size_t n = 0;
        while (c->figure[n].name)
                n++;
        return n;
}

static void summarise(struct run *run, size_t rounds)
{
        struct bench_result *r = run->result;
        double in_u[ROUNDS_MOST];
        for (size_t f = 0; f < figures(r->c); f++) {
                for (size_t i = 0; i < rounds; i++)
                        in_u[i] = run->figure[f][i] / run->u[i];
                r->in_u[f] = bench_stat_of(in_u, rounds);
                r->figure[f] = bench_stat_of(run->figure[f], rounds);
        }
        r->u = bench_stat_of(run->u, rounds);
        r->rounds = (unsigned)rounds;
}

static size_t rounds_of(const struct bench *b)
{
        size_t n = b->c->rounds ? b->c->rounds : ROUNDS;
        return b->quick && n > ROUNDS_QUICK ? ROUNDS_QUICK : n;
}

static enum bench_end all_rounds(struct run *run)
{
        struct bench *b = &run->bench;
        size_t rounds = rounds_of(b);
        double ret[BENCH_FIGURES];
        enum bench_end end = b->c->round(b, ret); /* does not count: it warms up */
        for (size_t i = 0; i < rounds && end == BENCH_OK; i++) {
                if (run->progress)
                        fprintf(run->progress, "\r\033[K%s, round %zu of %zu", b->c->name, i + 1,
                                rounds);
                b->round = (unsigned)i;
                run->u[i] = unit();
                end = b->c->round(b, ret);
                for (size_t f = 0; f < figures(b->c); f++)
                        run->figure[f][i] = ret[f];
        }
        if (end == BENCH_OK)
                summarise(run, rounds);
        return end;
}

static enum bench_end check_bindings(struct bench *b)
{
        void *v;
        for (size_t i = 0; i < b->c->vars; i++)
                if (weft_lookup(&bench_var[i], &v) != 0 || v != bench_value(i))
                        return bench_wrong(b, "var %zu has lost its binding", i);
        return BENCH_OK;
}

/* The frame of the case: a weft_fn. */
static int in_frame(void *arg)
{
        struct run *run = arg;
        struct bench *b = &run->bench;
        for (size_t i = 0; i < b->c->vars; i++) {
                int r = weft_set(&bench_var[i], bench_value(i), NULL);
                if (r < 0)
                        return bench_wrong(b, "cannot bind var %zu: %s", i, weft_strerror(r));
        }
        enum bench_end end = b->c->setup ? b->c->setup(b) : BENCH_OK;
        if (end != BENCH_OK)
                return end;
        end = all_rounds(run);
        enum bench_end at_end = b->c->teardown ? b->c->teardown(b) : BENCH_OK;
        if (end == BENCH_OK)
                end = at_end;
        return end == BENCH_OK ? check_bindings(b) : end;
}

void bench_run(const struct bench_case *c, bool quick, FILE *progress, struct bench_result *ret)
{
        *ret = (struct bench_result){.c = c};
        struct run run = {.bench = {.c = c, .quick = quick}, .progress = progress, .result = ret};
        int end = weft_context_run(NULL, in_frame, &run, NULL);
        if (end < 0)
                end = bench_wrong(&run.bench, "cannot run in a context: %s", weft_strerror(end));
        ret->end = (enum bench_end)end;
        memcpy(ret->error, run.bench.error, sizeof(ret->error));
        if (progress)
                fputs("\r\033[K", progress);
}
