/* SPDX-License-Identifier: MIT
 *
 * The clock, waits that are not for another task, and what ends waits early or does not. In a task
 * each wait parks the task; on any other thread it blocks the thread. errno is kept across each.
 */
#ifndef WEFT_SUSPEND_H
#define WEFT_SUSPEND_H

#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* weft_now - CLOCK_MONOTONIC in ns: what deadlines are compared with. Any thread; never blocks;
 * async-signal-safe. Since 0.1. */
WEFT_API int64_t weft_now(void);

/* weft_yield - let other tasks run first: this one goes to the end of its worker's line, behind all
 * that are ready to go on; and if there are tasks that have not begun, one of them begins before it
 * goes on. On a thread outside pools: sched_yield(). 0; -ECANCELED: the task has been cancelled;
 * -ETIMEDOUT: the deadline of the context has passed; others had their turn all the same. -ENOMEM:
 * as weft_await(). Since 0.1. */
WEFT_API int weft_yield(void);

/* weft_sleep_until - wait for a time. 0: it has come; -ETIMEDOUT: the deadline of the context,
 * which is earlier, has; -ECANCELED: the task has been cancelled; -ENOMEM: as weft_await().
 * Since 0.1. */
WEFT_API int weft_sleep_until(int64_t deadline);

/* weft_wait_fd - wait until a file descriptor is ready.
 *
 * events is a set of POLLIN, POLLOUT, POLLPRI and POLLRDHUP as of poll(2); any descriptor that
 * poll() takes will do, and any number of tasks and threads may wait for one, for different events.
 * Returns what is ready, POLLERR and POLLHUP always included, as a positive number; -ETIMEDOUT: the
 * deadline passed first; -ECANCELED: the task has been cancelled; -EBADF: it is no open descriptor,
 * or was closed by weft_close() meanwhile, or closed by other means and the number used for another
 * wait since (a close(2) alone is not noticed: the wait goes on to its deadline); -EINVAL: events
 * is empty or has others, or in a task, only such as a plain file never has; -EMFILE, -ENFILE: no
 * descriptor left for the process's one epoll instance, or none allowed at all; -EAGAIN: no thread
 * left to watch it, or a limit of the kernel's; -ENOMEM. Parks or blocks. Since 0.1. */
WEFT_API int weft_wait_fd(int fd, short events, int64_t deadline);

/* weft_close - close(2) for a descriptor that tasks may be waiting for: they return with -EBADF. 0
 * or -errno as of close(2), but for EINTR: it is closed then. A thread outside pools that waits for
 * it is in poll(2), which no close ends: it waits on to its deadline. Any thread. Since 0.1. */
WEFT_API int weft_close(int fd);

/* weft_blocking - run fn(arg), which may block, on a thread that is none of the workers; its
 * result.
 *
 * Meanwhile the task is parked. fn runs in the task's own frame, so what it sets stays set. The
 * wait is not ended by cancellation. There are up to 64 such threads in a process, made as they are
 * needed and ended when they are idle for 5 s; further calls queue up. In fn the waits of this
 * header block that thread, which is outside pools: weft_task_current() gives NULL there, a NULL
 * pool is the default one, and weft_cancelled() knows of deadlines only. On a thread outside
 * pools it is a plain call. -EAGAIN: there is no such thread, and none could be made; -ENOMEM:
 * as weft_await(); -EINVAL: fn is NULL; in these cases fn was not run. Since 0.1. */
WEFT_API int weft_blocking(weft_fn *fn, void *arg);

/* weft_cancelled - whether whoever calls should end: -ECANCELED: the task has been cancelled; else
 * -ETIMEDOUT: the deadline of the context has passed, outside tasks too; else 0, as ever inside
 * WEFT_SHIELD. Reads the clock only if there is a deadline. Never blocks. Since 0.1. */
WEFT_API int weft_cancelled(void);

/* WEFT_DEADLINE(deadline) { ... } - the time by which all that is done inside the block must end.
 *
 *   WEFT_DEADLINE(weft_now() + 2000000000) {
 *           r = answer(request);                 // whatever it waits for: 2 s in all
 *   } else {
 *           r = -ENOMEM;
 *   }
 *
 * The deadline is bound in the context. So it holds for the functions that are called inside the
 * block, for the tasks that are submitted there, for theirs, and wherever that context is captured
 * and run. A deadline inside another one can only be earlier: a later one changes nothing.
 *
 * Every wait inside ends with -ETIMEDOUT at the earlier of its own deadline and this one, on
 * threads outside pools too; which of them came first only weft_sleep_until() tells. What there is
 * at once is still given after the deadline (a mutex that is free, the result of a task that has
 * ended), so ask weft_cancelled() in a long computation. Which deadline ends a wait is fixed when
 * it begins: nobody can change it for one who waits.
 * Not ended by the deadline are weft_group_fini(), weft_pool_destroy(), weft_join(),
 * weft_blocking() (but what it calls waits in the same context), and what is inside WEFT_SHIELD.
 *
 * A task whose deadline has passed before it is started is not run: its destructor is called in its
 * own context, its result is -ETIMEDOUT, and it counts as cancelled. But callbacks of
 * weft_task_on_done() are run, as they tell somebody of an end, and so are jobs of fork.h; their
 * waits end at once.
 *
 * Undone on every way out of the block, as WEFT_WITH, and as there an else is for -ENOMEM. The var
 * is one that weft_context_foreach() and weft_context_size() see, and its value there is private.
 * Since 0.1. */
#define WEFT_DEADLINE(deadline) WEFT__DEADLINE_AS(deadline, WEFT__PASTE(weft__deadline_, __LINE__))
#define WEFT__DEADLINE_AS(deadline_, with)                                                         \
        for (struct weft__with with                                                                \
             __attribute__((cleanup(weft__with_end))) = weft__deadline_begin(deadline_);           \
             with.once; with.once = 0)                                                             \
                if (with.var)

/* weft_deadline - the deadline in the current context; WEFT_FOREVER: there is none. Inside
 * WEFT_SHIELD as well, where it ends nothing. Any thread; never blocks. Since 0.1. */
WEFT_API int64_t weft_deadline(void);

/* Private: the beginning of a WEFT_DEADLINE block. */
WEFT_API struct weft__with weft__deadline_begin(int64_t deadline);

/* WEFT_SHIELD { ... } - a section that is not called off: for what must be done to the end, a
 * rollback say, though the task has been cancelled.
 *
 *   if (weft_wait_fd(fd, POLLIN, deadline) < 0) {
 *           WEFT_SHIELD {
 *                   say_goodbye(fd);          // its waits wait, though we were cancelled
 *           }
 *           return -ECANCELED;
 *   }
 *
 * Inside it no wait is ended by a cancellation, of the task or of its pool, nor by the deadline of
 * the context (a deadline that is passed to the wait itself counts as ever), and weft_cancelled()
 * gives 0. None of it is lost: it is seen again by the first wait after the block. Blocks nest, and
 * every way out leaves them: the end, break and continue (which leave this block only), return,
 * goto, a C++ exception.
 *
 * The block belongs to the task, or outside tasks to the thread: it goes with a task that parks,
 * and into weft_blocking(), but tasks that are submitted inside it are not shielded. A group that
 * is opened inside it is not cancelled with the task (group.h). (A job of fork.h that its join
 * inside the block runs as a call is shielded, being one.) Never blocks by itself; needs no memory.
 * Since 0.1. */
#define WEFT_SHIELD WEFT__SHIELD_AS(WEFT__PASTE(weft__shield_, __LINE__))
#define WEFT__SHIELD_AS(shield)                                                                    \
        for (struct weft__shield shield                                                            \
             __attribute__((cleanup(weft__shield_end))) = weft__shield_begin();                    \
             shield.once; shield.once = 0)

/* Private: the storage and the two ends of a WEFT_SHIELD block. */
struct weft__shield {
        int outer; /* whether there is one around it */
        int once;  /* 1 until the block has run */
};
WEFT_API struct weft__shield weft__shield_begin(void);
WEFT_API void weft__shield_end(struct weft__shield *shield);

WEFT_END_DECLS

#endif
