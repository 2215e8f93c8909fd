/* SPDX-License-Identifier: MIT
 *
 * The work under comparison: requests that arrive from outside, part by part, each with
 * a transaction and a share of the tree, and a task for each file.
 */
#ifndef COMPARE_WORK_H
#define COMPARE_WORK_H

#include "scoping.h"
#include "trace.h"
#include "tree.h"

struct work {
        const struct scoping *scoping;
        const struct tree *tree;
        int requests;
        size_t part;         /* how many files arrive at once, at most */
        unsigned workers;    /* 0: the pool's default */
        const char *folder;  /* where the databases are made; one a request is left there */
        struct trace *trace; /* or NULL */
};

/* What the run itself knows; the rest is for the audit to find. */
struct work_result {
        unsigned workers; /* that the pool had */
        size_t tasks;
        size_t found_none;  /* tasks that found no current request, before or after a wait */
        size_t found_other; /* of the others, those that found another's */
};

/* Do the whole work once. Shows progress as a stage named after the scoping. 0; or -1: the
 * environment failed (with a complaint), or the user interrupted. */
int work_run(const struct work *work, struct work_result *ret);

#endif
