/* SPDX-License-Identifier: MIT
 *
 * Fork and join: jobs in the caller's own storage, strictly last in, first out.
 *
 *   static int fib(void *arg)
 *   {
 *           struct fib *f = arg;
 *           if (f->n < 2)
 *                   return f->result = f->n, 0;
 *           struct fib a = {f->n - 1}, b = {f->n - 2};
 *           weft_job job;
 *           weft_fork(&job, fib, &a);      // may run meanwhile on another worker
 *           fib(&b);
 *           weft_join(&job);               // or runs here, now
 *           f->result = a.result + b.result;
 *           return 0;
 *   }
 *
 * A forked job belongs to its task, and is shown to other workers only when one of them has nothing
 * to do, or when the task parks. A job that nobody took runs at its join, as a call. While nobody
 * takes any, fork and join allocate nothing, and use no fence and no atomic read-modify-write. A
 * worker that falls idle is seen at the task's next fork or join, or wait.
 *
 * A job runs in a frame of its own that starts from the context current at its fork (C1), wherever
 * it runs. On a thread outside pools it runs at its join.
 */
#ifndef WEFT_FORK_H
#define WEFT_FORK_H

#include <stddef.h>

#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* In the caller's storage, untouched from fork to join. Private. */
typedef struct weft_job {
        weft_fn *weft__fn;
        void *weft__arg;
        weft_context *weft__context;
        void *weft__owner;
        struct weft_job *weft__below, *weft__above;
        weft_task *weft__task;
} weft_job;

/* weft_fork - let fn(arg) run, sometime before the return of the weft_join() that must follow in
 * the same task, in the opposite order of the forks. Cannot fail. In tasks and on any other thread;
 * never blocks or parks. Since 0.1. */
WEFT_API void weft_fork(weft_job *job, weft_fn *fn, void *arg);

/* weft_join - wait for a forked job, or run it; its result. What it did happens before the return.
 *
 * Neither a deadline nor cancellation ends the wait, since the storage of the job must not go
 * before it. -EINVAL, with nothing done: job is NULL or not forked, or another job was forked after
 * it and is not joined; -EPERM, likewise: it was forked by another task or thread. Parks (or,
 * outside pools, runs the job). Since 0.1. */
WEFT_API int weft_join(weft_job *job);

/* weft_parallel_for - call body(from, to, arg) for ranges that together are begin to end - 1, on as
 * many workers as have nothing else to do.
 *
 * A range has at most grain indices, but for grain 0: then the library chooses. Ranges are split
 * only while a worker is idle, at most once a range. Returns 0, or the first error (negative
 * result) of a body; after that no further ranges are begun, and those not begun are left out. In a
 * task of the pool (NULL: this one) the caller takes part; elsewhere it waits. Bodies run in frames
 * that start from the caller's context. -EINVAL: body is NULL, or begin > end; else as weft_spawn()
 * and weft_await(). Parks or blocks. Since 0.1. */
WEFT_API int weft_parallel_for(weft_pool *pool, size_t begin, size_t end, size_t grain,
                               int (*body)(size_t from, size_t to, void *arg), void *arg);

WEFT_END_DECLS

#endif
