/* SPDX-License-Identifier: MIT
 *
 * The clock, and waits that are not for another task. In a task each of them parks the task; on any
 * other thread it blocks the thread. errno is kept across each of them.
 */
#ifndef WEFT_SUSPEND_H
#define WEFT_SUSPEND_H

#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* weft_now - CLOCK_MONOTONIC in ns: what deadlines are compared with. Any thread; never blocks.
 * Since 0.1. */
WEFT_API int64_t weft_now(void);

/* weft_yield - let other tasks run first: this one goes to the end of its worker's line. On a
 * thread outside pools: sched_yield(). 0; -ECANCELED: the task has been cancelled; -ENOMEM: as
 * weft_await(). Since 0.1. */
WEFT_API int weft_yield(void);

/* weft_sleep_until - wait for a time. 0: it has come; -ECANCELED: the task has been cancelled;
 * -ENOMEM: as weft_await(). Since 0.1. */
WEFT_API int weft_sleep_until(int64_t deadline);

/* weft_wait_fd - wait until a file descriptor is ready.
 *
 * events is a set of POLLIN, POLLOUT, POLLPRI and POLLRDHUP as of poll(2); any descriptor that
 * poll() takes will do, and any number of tasks and threads may wait for one, for different events.
 * Returns what is ready, POLLERR and POLLHUP always included, as a positive number; -ETIMEDOUT: the
 * deadline passed first; -ECANCELED: the task has been cancelled; -EBADF: it is no open descriptor,
 * or was closed by weft_close() meanwhile, or closed by other means and the number used for another
 * wait since (a close(2) alone is not noticed: the wait goes on to its deadline); -EINVAL: events
 * is empty or has others; -EMFILE, -ENFILE: no descriptor left for the process's one epoll
 * instance; -EAGAIN: no thread left to watch it, or a limit of the kernel's; -ENOMEM. Parks or
 * blocks. Since 0.1. */
WEFT_API int weft_wait_fd(int fd, short events, int64_t deadline);

/* weft_close - close(2) for a descriptor that tasks may be waiting for: they return with -EBADF. 0
 * or -errno as of close(2). Any thread. Since 0.1. */
WEFT_API int weft_close(int fd);

/* weft_blocking - run fn(arg), which may block, on a thread that is none of the workers; its
 * result.
 *
 * Meanwhile the task is parked. fn runs in the task's own frame, so what it sets stays set. The
 * wait is not ended by cancellation. There are up to 64 such threads in a process, made as they are
 * needed and ended when they are idle for 5 s; further calls queue up. In fn the waits of this
 * header block that thread. On a thread outside pools it is a plain call. -EAGAIN: there is no such
 * thread, and none could be made; -ENOMEM: as weft_await(); -EINVAL: fn is NULL; in these cases fn
 * was not run. Since 0.1. */
WEFT_API int weft_blocking(weft_fn *fn, void *arg);

/* weft_cancelled - whether the calling task has been asked to end: -ECANCELED if so, else 0, as
 * outside tasks. Never blocks. Since 0.1. */
WEFT_API int weft_cancelled(void);

WEFT_END_DECLS

#endif
