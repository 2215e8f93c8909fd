/* SPDX-License-Identifier: MIT
 *
 * The four ways to keep "the current request" and "the current transaction" that are compared.
 *
 * The work, the hazards and the measurement are one code for all of them; what differs is behind
 * the function pointers of struct scoping. Every task is submitted through scoping_spawn(), which
 * calls prepare where the task is submitted, and enter and leave around it where it runs.
 */
#ifndef COMPARE_SCOPING_H
#define COMPARE_SCOPING_H

#include <stdbool.h>

#include <weft/group.h>

#include "transaction.h"

/* What is current: zero where nothing is. */
struct scope {
        int request;
        struct transaction *transaction;
};

struct job {
        const struct scoping *scoping;
        weft_fn *fn;
        void *arg;
        struct scope carried; /* only by a scoping that carries by hand */
};

struct scoping {
        const char *name;       /* in JSON */
        const char *heading[3]; /* of its column, a line each */
        size_t job_size;        /* how much of struct job is copied with a task */
        bool set_in_worker; /* a request's first task sets the value, not who submits that task */

        void (*set)(struct scope scope); /* make current, here and from now on */
        struct scope (*get)(void);       /* what is current here */

        /* Where the task is submitted; before it runs; after. All three or none. */
        void (*prepare)(struct job *job);
        struct scope (*enter)(const struct job *job); /* gives what leave() restores */
        void (*leave)(struct scope saved);
};

enum { BY_SUBMITTER, IN_WORKER, BY_HAND, WEFT_VAR, SCOPINGS };

extern const struct scoping scopings[SCOPINGS];

/* Run fn(arg) as a task of the group, under the scoping. As weft_group_spawn(). */
int scoping_spawn(const struct scoping *scoping, weft_group *group, weft_fn *fn, void *arg);

#endif
