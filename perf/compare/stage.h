/* SPDX-License-Identifier: MIT
 *
 * What the scenarios of the hazards stand on: a pool, a group, and a tally.
 *
 * A value is a request id; what is read is compared with what a reader of the code would expect:
 * the value that was current where the task was submitted, or that the task itself made current
 * last. A tally is written by one task at a time, each of which is through with it before the next
 * one touches it or it is read.
 */
#ifndef COMPARE_STAGE_H
#define COMPARE_STAGE_H

#include <semaphore.h>

#include <weft/weft.h>

#include "hazards.h"

#define NOTHING ((struct scope){0})

enum { ROUNDS = 32 }; /* readings of a scenario, most of which take one a round */

struct stage {
        const struct scoping *scoping;
        struct tally *tally;
        weft_pool *pool;
        weft_group group;
};

/* A pool with so many workers, and flags as of weft_pool_options. 0 or -errno; to be closed anyway.
 */
int stage_open(struct stage *stage, unsigned workers, unsigned flags);

/* Waits for the tasks. */
void stage_close(struct stage *stage);

void make_current(const struct stage *stage, int request);
void read_current(const struct stage *stage, int expected);

/* Submit a task. */
int start(struct stage *stage, weft_fn *fn, void *arg);

/* Submit a task and wait for it. */
int call(struct stage *stage, weft_fn *fn, void *arg);

/* Submit a task from outside the pool, as its scoping wants that done, for a request. */
int start_request(struct stage *stage, weft_fn *fn, void *arg, int request);

/* ... and wait for it. */
int call_request(struct stage *stage, weft_fn *fn, void *arg, int request);

/* The first thing that a request's task does. */
void begin_request(const struct stage *stage, int request);

/* The same where only what follows is to be seen: who has not found the request sets it. */
void begin_rightly(const struct stage *stage, int request);

/* Block the thread, not only the task; signals do not end it. */
void hold_thread(sem_t *until);

/* The scenarios: 0 or -errno. */
int not_inherited(const struct scoping *scoping, struct tally *tally);
int stale(const struct scoping *scoping, struct tally *tally);
int changed_after_submit(const struct scoping *scoping, struct tally *tally);
int leaks_back(const struct scoping *scoping, struct tally *tally);
int sees_anothers(const struct scoping *scoping, struct tally *tally);
int interleaved(const struct scoping *scoping, struct tally *tally);
int resumed_elsewhere(const struct scoping *scoping, struct tally *tally);

#endif
