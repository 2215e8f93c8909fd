/* SPDX-License-Identifier: MIT
 *
 * What the runner's own files share: the result of a case, and its way to the table and to JSON.
 */
#ifndef WEFT_PERF_RUNNER_H
#define WEFT_PERF_RUNNER_H

#include <stdio.h>

#include "bench.h"

/* Over the rounds. */
struct bench_stat {
        double median, min, max;
};

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

/* Whether a figure has a mark, and its result meets it. report.c */
bool bench_has_mark(const struct bench_result *r, size_t figure);
bool bench_met(const struct bench_result *r, size_t figure);

/* The table, a case at a time, and the JSON. report.c */
void bench_print_head(FILE *f, bool quick);
void bench_print_result(FILE *f, const struct bench_result *r);
void bench_print_foot(FILE *f, const struct bench_result *r, size_t n);
int bench_print_json(FILE *f, bool quick, const struct bench_result *r, size_t n);

#endif
