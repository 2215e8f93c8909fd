/* SPDX-License-Identifier: MIT
 *
 * What is compared across systems: a program for each system, weft among them, that does the same
 * work as the others when weft-perf tells it to. So each has its own process and threads and its
 * own allocator, none runs beside another, and the runner can take them in turn, a round each.
 *
 *   PROGRAM                      what it is, then the cases that it can do, a line each
 *   PROGRAM CASE WORKERS SIZE    with a pool of WORKERS threads: for each line read from standard
 *                                input, whatever it says, does the case once and answers with a
 *                                line "CHECK FIGURE...": a whole number that must be the same for
 *                                all systems, and the case's figures. It ends with its input.
 *
 * Exit status: 0; 2 for a case or a size that it does not know; 1 for all else.
 *
 * A program is a struct rival, a table of cases, and a main() that hands them to rival_main().
 */
#ifndef WEFT_PERF_RIVAL_H
#define WEFT_PERF_RIVAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RIVAL_FIGURES = 4 };

/* One round: what is to be done, and what came of it. */
struct rival_round {
        unsigned workers;
        size_t size; /* of the work, in the case's own terms */

        uint64_t check; /* the result of the work */
        double
            figure[RIVAL_FIGURES]; /* the first one, if it is left 0, is the time of the round, */
        unsigned figures;          /* ns; how many there are: at least 1 */
        int64_t begin, end;        /* from when to when; 0: the whole of the call */
};

struct rival_case {
        const char *name;
        void (*round)(struct rival_round *r);
};

struct rival {
        const char *name;             /* and version: "oneTBB 2021.8" */
        void (*up)(unsigned workers); /* start its threads; NULL: nothing to do */
        void (*down)(void);           /* likewise */
};

int64_t rival_now(void); /* CLOCK_MONOTONIC, ns */

/* "PROGRAM: WHAT: reason", and exit status 1. */
void rival_fail(const char *what) __attribute__((noreturn));

int rival_main(int argc, char **argv, const struct rival *rival, const struct rival_case *cases);

#ifdef __cplusplus
}
#endif

#endif
