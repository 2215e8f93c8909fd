/* SPDX-License-Identifier: MIT
 *
 * weft-atomics: what is counted.
 */
#ifndef WEFT_PERF_ATOMICS_CASES_H
#define WEFT_PERF_ATOMICS_CASES_H

#include "counter.h"

#include <weft/weft.h>

struct run {
        weft_pool *pool;
        unsigned workers;
        long operations;      /* that were counted, of all threads */
        struct counts counts; /* for all of them */
};

struct the_case {
        const char *name, *what;
        void (*run)(struct run *r);
};

extern const struct the_case cases[]; /* the last has no name */

/* What cannot be left out: if it is not so, the program ends. */
#define must(condition) ((condition) ? (void)0 : must_not_fail(#condition))
void must_not_fail(const char *what) __attribute__((noreturn));

/* A task that does nothing but count itself, which is not counted; how many have run. */
int tick(void *unused);
long ticks(void);

/* ---- forks.c, which is instrumented: what of the library is inlined there is counted too ---- */

void fork_and_join(long times);             /* one job after the other */
long fork_fib(int n);                       /* the number of its forks */
void write_to_each(long times, unsigned n); /* a counter of each of n */
void fork_all(long jobs, weft_fn *fn);      /* then join them all, the last one first */

#endif
