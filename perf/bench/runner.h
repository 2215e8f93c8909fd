/* SPDX-License-Identifier: MIT
 *
 * What the runner's own files share: what there is to run, the result of a case, and its way to the
 * table, to JSON and to plots.
 */
#ifndef WEFT_PERF_RUNNER_H
#define WEFT_PERF_RUNNER_H

#include <stdio.h>

#include "bench.h"

/* Over the rounds. */
struct bench_stat {
        double median, min, max;
};

/* Of n values, which are sorted. run.c */
struct bench_stat bench_stat_of(double *v, size_t n);

struct bench_result {
        const struct bench_case *c;
        enum bench_end end;
        char error[120];                         /* if it was skipped, or is wrong */
        unsigned rounds;                         /* that counted */
        struct bench_stat u;                     /* ns */
        struct bench_stat figure[BENCH_FIGURES]; /* in the figure's own unit */
        struct bench_stat in_u[BENCH_FIGURES];   /* of those in ns */
};

/* Run a case; progress, if not NULL, is told of each round. run.c */
void bench_run(const struct bench_case *c, bool quick, FILE *progress, struct bench_result *ret);

/* Whether a figure has a mark, and its result meets it; whether it was left out. report.c */
bool bench_has_mark(const struct bench_result *r, size_t figure);
bool bench_met(const struct bench_result *r, size_t figure);
bool bench_left_out(const struct bench_result *r, size_t figure);

/* ---- all that can be run: plan.c ---- */

/* A case, or a comparison (rivals.h). */
struct bench_item {
        const char *name, *what;
        struct bench_result result;
        struct bench_match *match; /* NULL: it is a case, and result.c says which */
        bool on_request;           /* not run unless it is named */
        bool wanted;
};

struct bench_plan {
        bool quick;
        size_t n;
        struct bench_item *item;
};

/* Everything there is, in the order in which it is run; nothing is wanted yet. */
void bench_plan_init(struct bench_plan *p);

/* Want what has that name, or a name that begins with it and a slash; false if there is none. */
bool bench_plan_want(struct bench_plan *p, const char *name);

/* Want all that is not on request. */
void bench_plan_want_usual(struct bench_plan *p);

/* ---- results ---- */

/* Four digits or so, whatever the size, written to buffer, which is returned. report.c */
const char *bench_number(char *buffer, size_t size, double v);
extern const char *const bench_in_name[]; /* by enum bench_in */

/* The processor; "static" or "shared". report.c */
const char *bench_cpu_model(void);
const char *bench_library(void);

/* The table, a case at a time. report.c */
void bench_print_head(FILE *f, bool quick);
void bench_print_case_head(FILE *f);
void bench_print_result(FILE *f, const struct bench_result *r);
void bench_print_foot(FILE *f, const struct bench_plan *p);

/* What was wanted, as JSON: 0, or -1 if it cannot be written. json.c */
int bench_print_json(FILE *f, const struct bench_plan *p);

/* As plots, a file each, by gnuplot. plot.c; -1: said why, on standard error. */
int bench_plot_ready(const char *directory);
int bench_plot(const char *directory, const struct bench_plan *p);

#endif
