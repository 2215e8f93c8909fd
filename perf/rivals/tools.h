/* SPDX-License-Identifier: MIT
 *
 * What the programs of compared systems do alike, so that only the system differs: tasks that count
 * themselves, threads that submit, and the two measurements of a pool with nothing to do. A system
 * gives a function that submits, and calls rival_tick() or rival_started() in its tasks.
 */
#ifndef WEFT_PERF_RIVALS_TOOLS_H
#define WEFT_PERF_RIVALS_TOOLS_H

#include "rival.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In a task: count it, in a counter of this thread's own, which costs next to nothing. */
void rival_tick(void);

/* How many tasks have counted themselves, ever. */
uint64_t rival_ticks(void);

/* Sleep until there are that many, or for half a minute; how many there are then. */
uint64_t rival_await_ticks(uint64_t ticks);

/* Submits size tasks that call rival_tick(); may wait for them. */
typedef void rival_submit_fn(size_t size);

/* The round of a case that submits: from one thread, the caller, or from several. It lasts until
 * all tasks have run; the check is how many have. */
void rival_submit(struct rival_round *r, unsigned producers, rival_submit_fn *submit);

/* In a task: note the time. */
void rival_started(void);

/* The round "wake": size times, after a lull, start() starts a task that calls rival_started(); the
 * figures are p50 and p99 of the ns from one to the other. */
void rival_wake(struct rival_round *r, void (*start)(void));

/* The round "idle": after a task of start(), and a lull, the CPU time that the process takes in
 * size ms in which nothing is asked of it, in percent of them. */
void rival_idle(struct rival_round *r, void (*start)(void));

/* The round "queued": what the process has grown by, a task, while size tasks are in the queue.
 * shut() occupies every worker until open(). */
void rival_queued(struct rival_round *r, void (*shut)(unsigned workers), rival_submit_fn *submit,
                  void (*open)(void));

/* For shut() and open(): a task that waits at the gate, for as many as are let through. */
void rival_gate_wait(void);              /* the task */
void rival_gate_reached(unsigned tasks); /* sleep until so many wait there */
void rival_gate_open(unsigned tasks);

#ifdef __cplusplus
}
#endif

#endif
