/* SPDX-License-Identifier: MIT
 *
 * The benchmark runner: what a case is, and what it may call.
 *
 * A case measures one or several figures, again and again, a round at a time. Each round is
 * preceded by a measurement of the unit u, one uncontended seq_cst atomic increment, so that every
 * time can be given in u as well: what slows the machine down for a moment slows both, and the
 * quotient stays. A case runs in a frame of its own in which c->vars vars are bound, and checks
 * what it computed: a case whose check fails has no figures, and the runner fails.
 *
 * To add a case: write its round (and setup and teardown, if it needs them), and add a line to its
 * file's table. Round and table are all that the rest knows of it.
 */
#ifndef WEFT_PERF_BENCH_H
#define WEFT_PERF_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft/weft.h>

#define BENCH_FIGURES 12   /* at most, a case */
#define BENCH_VARS    1000 /* that can be bound */
#define BENCH_SECOND  INT64_C(1000000000)

enum bench_in {
        BENCH_NOTHING = 0, /* as a mark: there is none */
        BENCH_NS,          /* nanoseconds; the only one that is given in u as well */
        BENCH_U,           /* only as a mark */
        BENCH_RATIO,
        BENCH_BYTES,
        BENCH_PERCENT,
};

struct bench_figure {
        const char *name;      /* of one operation, "get"; NULL ends the list */
        enum bench_in in;      /* what the round gives it in */
        double mark;           /* it should be at most this... */
        enum bench_in mark_in; /* ...in this: BENCH_U, or as in, or BENCH_NOTHING */
        double x;              /* of a curve's point: where it lies */
};

#define BENCH_MARK(at_most, of) .mark = (at_most), .mark_in = (of)

struct bench_case;

/* One run of one case. */
struct bench {
        const struct bench_case *c;
        bool quick;
        unsigned round;  /* 0, 1, 2...: to change the order of things from round to round */
        char error[120]; /* why it was skipped, or is wrong */
};

/* What setup and round return. */
enum bench_end {
        BENCH_OK = 0,
        BENCH_SKIP,  /* by bench_skip(): it cannot be measured here */
        BENCH_WRONG, /* by bench_wrong(): the library did not do what it should */
};

struct bench_case {
        const char *name; /* "group/case" */
        const char *what; /* a line for people */
        struct bench_figure figure[BENCH_FIGURES + 1];
        unsigned vars;    /* bound while it runs */
        unsigned rounds;  /* 0: the default */
        unsigned workers; /* of its pool, if it has one */
        unsigned param;   /* the case's own */

        enum bench_end (*setup)(struct bench *b);              /* may be NULL */
        enum bench_end (*round)(struct bench *b, double *ret); /* fills in one value a figure; NAN:
                                                                  that one is left out */
        enum bench_end (*teardown)(struct bench *b); /* may be NULL; not called if setup failed */
};

/* The cases, a table a file; each ends with a NULL name. */
extern const struct bench_case bench_var_cases[], bench_shared_cases[], bench_submit_cases[],
    bench_task_cases[], bench_wake_cases[], bench_timer_cases[], bench_inherit_cases[],
    bench_memory_cases[], bench_park_cases[], bench_grow_cases[], bench_fork_cases[];
extern const struct bench_case bench_switch_cases[] __attribute__((weak)); /* NULL: left out */

/* ---- for cases: tools.c ---- */

enum bench_end bench_skip(struct bench *b, const char *why);
enum bench_end bench_wrong(struct bench *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What a measurement cannot go on without: if it is not true, "cannot WHAT" and the runner ends. */
void bench_must(bool is, const char *what);

int64_t bench_now(void);     /* CLOCK_MONOTONIC, ns */
int64_t bench_cpu_now(void); /* this thread's CPU time, ns: what others do is left out */
void bench_sleep(int64_t ns);
int bench_by_value(const void *a, const void *b); /* for qsort() of doubles */

/* n, or with --quick a tenth of it. */
size_t bench_ops(const struct bench *b, size_t n);

/* ns per operation since begin, which is of the one clock or the other. */
double bench_per(int64_t begin, size_t operations);
double bench_cpu_per(int64_t begin, size_t operations);

/* The vars, and the value that the runner binds bench_var[i] to: never NULL, different for each. */
extern weft_var bench_var[BENCH_VARS];
void *bench_value(size_t i);

/* ---- for cases with a pool: workers.c ---- */

/* A pool of c->workers, or of that many, whose tasks can count. One at a time. bench_pool_down()
 * takes it away. */
enum bench_end bench_pool_up(struct bench *b);
enum bench_end bench_pool_of(struct bench *b, unsigned workers);
enum bench_end bench_pool_down(struct bench *b);
extern weft_pool *bench_pool;

/* A task that does nothing but count itself: a weft_fn. */
int bench_tick(void *arg);

/* How many tasks have counted themselves since the pool was made. */
uint64_t bench_ticks(void);

/* Sleep until ticks tasks have counted themselves since the pool was made. Wrong if there are more,
 * or if there are not that many after a minute. */
enum bench_end bench_ticked(struct bench *b, uint64_t ticks);

/* Hold the pool's only worker at a gate, so that what is submitted stays queued; let it go on. */
enum bench_end bench_gate_shut(struct bench *b);
void bench_gate_open(void);

/* When, by its CPU time, the worker went through the gate, once a task after it has run. */
int64_t bench_gate_passed(void);

/* Submit tasks that do nothing, from so many threads outside, and sleep until they have run: ns a
 * task. submit.c */
enum bench_end bench_submit(struct bench *b, unsigned producers, size_t tasks, double *ret);

/* The same from this thread, in batches, and only then let the pool's only worker run them: the CPU
 * time of the two sides, ns a task. inherit.c */
enum bench_end bench_submit_apart(struct bench *b, size_t tasks, double *ret);

/* Run fn(arg) as a task of the pool and wait for it: for what is measured within a task. Its result
 * is a bench_end. */
enum bench_end bench_within(struct bench *b, weft_fn *fn, void *arg);

#endif
