/* SPDX-License-Identifier: MIT
 *
 * The driver's jobs: a test that is run once with certain faults, and what came of it. They lie in
 * memory that the driver's processes share; each is run by one of them.
 */
#ifndef TESTS_FAULTS_JOB_H
#define TESTS_FAULTS_JOB_H

#include "inject.h"
#include "tests/run/run.h"

#include <stdint.h>

struct job {
        const struct run_test *test;
        struct faults_fault fault[FAULTS_AT_ONCE];
        unsigned faults;        /* how many; 0: only to see what is used */
        const struct job *calm; /* the same test without any, or NULL if this is that one */
        bool early;             /* the fault comes before main(), so the program is run anew */
        double seconds;         /* it may take; afterwards, it has taken */
        unsigned uses[FAULTS_SITES], failed[FAULTS_SITES];
        long live[FAULTS_SITES];
        bool left_out;
        char problem[160]; /* empty: none */
};

struct jobs {
        struct job *job;
        size_t count, room;
        bool lenient; /* a test may fail, if only it does so by an assertion */
        bool brief;   /* one that takes too long is left out */
};

void jobs_begin(struct jobs *jobs, bool lenient);
struct job *jobs_add(struct jobs *jobs, const struct run_test *test);

/* Run those from `first` on, in so many processes. */
void jobs_run(struct jobs *jobs, size_t first, unsigned processes);

/* The program as it was called, to be called again. */
extern const char *jobs_program;

/* "suite/name" */
const char *job_name(const struct job *job, char *text, size_t size);
/* Which faults it has, in words. */
const char *job_faults(const struct job *job, char *text, size_t size);

#endif
