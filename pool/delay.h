/* SPDX-License-Identifier: MIT
 *
 * Tasks that wait for their time (timer.h), from inside.
 *
 * The task itself is the timer (task->delay, where other tasks have copied arguments), in one of
 * the heaps of some worker: of the one that spawned it, or from outside of one in turn. It has no
 * fiber; its state is QUEUED, and the heap has the reference that otherwise the queue has. At its
 * time it goes into a queue as any other. Whoever cancels it takes it out of the heap.
 *
 * The heaps have locks, so that any worker can fire what is due: the owner now and then, each
 * worker now and then for another one, and an idle one for all. Of those that sleep one is the
 * keeper: it sleeps until the first timer of the whole pool is due (idle.c).
 *
 * Locks: a task's, then a heap's, then the pool's for room.
 */
#ifndef WEFT_POOL_DELAY_H
#define WEFT_POOL_DELAY_H

#include "lock.h"
#include "task.h"
#include "timer.h"

struct weft__worker;

/* Of one worker. */
typedef struct weft__delays {
        weft__lock lock;
        weft__timers once, again;    /* under lock: delayed tasks, periodic ones */
        atomic_int_least64_t due_at; /* the first of them; WEFT_FOREVER; written under lock */
} weft__delays;

/* Queue the tasks of this worker whose time has come, some at least if there are any. By any worker
 * of the pool. */
void weft__delay_fire(struct weft__worker *owner);

/* When the first task of this worker is due; WEFT_FOREVER: none waits. */
int64_t weft__delay_due_at(const struct weft__worker *w);

/* A delayed task was claimed by one who cancels it: take it out of its heap. Whether it was there
 * still: then the heap's reference is the caller's. */
bool weft__delay_remove(weft_task *task);

/* A run of a periodic task has returned *result. Whether the task goes on: then it waits for its
 * next time, in a heap of w, and may be gone. Else *result is its end. The reference to its context
 * is given. By the worker w that ran it. */
bool weft__delay_again(struct weft__worker *w, weft_task *task, weft_context *again, int *result);

/* The pool is closed: have workers end the periodic tasks that wait, and with all the others too.
 * Any thread. */
void weft__delay_expel(weft_pool *pool, bool all);

#endif
