/* SPDX-License-Identifier: MIT
 *
 * The runner from inside, for what runs the same tests in its own way: tests/run/main.c, and
 * tests/faults/main.c.
 */
#ifndef TESTS_RUN_RUN_H
#define TESTS_RUN_RUN_H

#include <criterion/criterion.h>

#include <stdatomic.h>

/* What a test's process has said of it, in memory that it shares with its parent. */
struct run_verdict {
        atomic_int failures;
        atomic_int skipped;
};

struct run_result {
        bool in_time; /* else it has been killed, with its children */
        int status;   /* as of waitpid() */
        int failures; /* assertions that did not hold */
        bool skipped;
};

/* The tests, linked by `next`; those without a name are options of a suite. */
const struct run_test *run_tests(void);

/* What the test does not say itself, its suite may say for it. */
struct run_options run_options_of(const struct run_test *test);

/* Where verdicts are put from now on, to be called first of all. NULL: in memory of its own. */
void run_begin(struct run_verdict *memory);

/* Run a test in a process of its own for so long. `first`, or NULL, is called there before it. */
struct run_result run_test(const struct run_test *test, double seconds, void (*first)(void));

/* Run it in this process, and exit. */
_Noreturn void run_alone(const struct run_test *test);

/* Whether SIGTERM has come meanwhile: then no more tests are to be run. */
bool run_told_to_end(void);

#endif
