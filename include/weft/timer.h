/* SPDX-License-Identifier: MIT
 *
 * Tasks that start at a time: once, or again and again.
 *
 *   weft_task *watchdog;
 *   weft_spawn_at(pool, &watchdog, weft_now() + 5000000000, 0, give_up, request);
 *   …
 *   weft_task_cancel(watchdog);                  // nothing is left of it
 *   weft_task_unref(watchdog);
 *
 * While it waits such a task has no stack, and is 192 bytes in all; setting it and cancelling it
 * cost O(log n) at most of those that wait, so that millions may. It is a task of pool.h in all
 * else: it may be awaited and cancelled, and has callbacks.
 *
 * It starts from the empty context, as it is nobody's doing at the time; with WEFT_INHERIT from the
 * one that is current when it is spawned. A deadline in that context holds (WEFT_DEADLINE): a task
 * that would start after it ends with -ETIMEDOUT instead, when its time comes.
 *
 * It never starts before its time. When that comes it is queued like a task that is submitted then,
 * and starts as soon as a worker has come to it: whichever worker it waited with, as long as one
 * sleeps, or is not held up by one long task.
 * max_queued does not count a task that waits for its time; when the time comes it is queued though
 * the bound is reached. In the figures of weft_pool_stats() it is queued from the beginning.
 *
 * Shutdown: WEFT_DRAIN waits for tasks of weft_spawn_at() and runs them at their time; it ends
 * those of weft_spawn_every() with -ECANCELED, after the run that is under way if there is one.
 * WEFT_CANCEL ends all of them at once.
 */
#ifndef WEFT_TIMER_H
#define WEFT_TIMER_H

#include <weft/pool.h>

WEFT_BEGIN_DECLS

enum weft_spawn_flags {
        WEFT_INHERIT = 1, /* start from the caller's context, not from the empty one */
};

/* weft_spawn_at - run fn(arg) as a task, not before the time `when`.
 *
 * A time that has passed means now; WEFT_FOREVER, that only weft_task_cancel() or a shutdown by
 * WEFT_CANCEL ends it (one by WEFT_DRAIN, weft_pool_destroy() too, waits for that). If ret is
 * not NULL, *ret is a handle and the caller's to weft_task_unref(). A task that is cancelled
 * before its time is gone from the pool when weft_task_cancel() returns.
 *
 * 0; or nothing is kept: -EINVAL: fn is NULL, or a flag unknown; -ENOMEM; -ESHUTDOWN: the pool is
 * shutting down; -EOWNERDEAD: a pool from before fork(). Any thread; never blocks or parks.
 * Since 0.1. */
WEFT_API int weft_spawn_at(weft_pool *pool, weft_task **ret, int64_t when, unsigned flags,
                           weft_fn *fn, void *arg);

/* weft_spawn_every - run fn(arg) at `first`, and then every `period` ns, until it is over.
 *
 * It runs at first + k * period, however long it takes: there is no drift. Never twice at once: a
 * time that comes while it runs is skipped, and so is one that had passed before a worker came to
 * the one before it. Each run is in a frame of its own that starts from the same context; what it
 * sets is gone with it.
 *
 * It is one task with one end. It ends with the result of the first run that returns an error; with
 * -ECANCELED when it is cancelled, by itself too: a run that is under way is told, as any task is,
 * and ends first. That end is what weft_await() waits for. In the figures of weft_pool_stats() each
 * run is a task. Errors and the rest as of weft_spawn_at(); -EINVAL also: period is not above 0.
 * Since 0.1. */
WEFT_API int weft_spawn_every(weft_pool *pool, weft_task **ret, int64_t first, int64_t period,
                              unsigned flags, weft_fn *fn, void *arg);

WEFT_END_DECLS

#endif
