/* SPDX-License-Identifier: MIT
 *
 * Seeing: what tasks there are, what each does or waits for, under which context.
 *
 *   weft_dump(stderr);                      the tree of tasks, now
 *   weft_dump_on_signal(SIGQUIT, 2);        the same at each SIGQUIT
 *   weft_stats_write(to, WEFT_STATS_JSON);  the figures of all pools
 *   weft_watch_begin(limit, NULL, NULL);    tasks that hold a worker for longer; deadlocks
 *
 * A dump is for people; its form may change with any version. A task is a line, indented below the
 * one that submitted it:
 *
 *   #8f1e7a5d runs on web-0 for 2.310 s: serve (./server+0x24f0), arg 0x5581f0, task 0x7f30a1c0
 *       {request="17", user="ada"}
 *     #1d2c3b4a waits for mutex 0x558200 on web-0 for 1.002 s: audit (./server+0x2b10), arg 0x55…
 *     is ready to begin: mail (./server+0x2d00), arg 0x5581e0
 *
 * The number is the task's own from when it begins; numbers of tasks that are alive at the same
 * time differ but for one chance in four thousand million. An offset in a file is one that
 * addr2line(1) takes. Values are written by the format function of their var (weft_var), else as
 * pointers. In values and names of vars and pools, quotes, control characters and what is no UTF-8
 * are escaped (\", \x0a), so that none of them makes a line.
 *
 * How it is done, and what it promises: docs/seeing.md. In short: tasks are read in a copy of the
 * process (as fork() makes one), in which nothing else runs. So a dump needs nothing of the
 * workers, and can be made while all of them are stuck; a task that does not move is shown exactly
 * once, one that moves in the moment of the copying perhaps twice or not at all; and format
 * functions run in the copy: what they change is lost, and one that crashes or does not return
 * costs no more than its value, or what is left of the dump. Times are "at most": a worker reads
 * the clock every 61st turn of its loop.
 *
 * Not shown: jobs (fork.h) that no other worker has taken, tasks that a submitter outside the pool
 * runs itself (WEFT_CALLER), what waits on threads outside pools, and which task of another pool
 * has submitted one.
 */
#ifndef WEFT_SEE_H
#define WEFT_SEE_H

#include <stdio.h>

#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* weft_dump - write the tree of tasks of all pools of this process to a stream.
 *
 * Any thread, in a task too, whose worker it blocks until all is written; not in a signal handler.
 * 0; -EINVAL: to is NULL; with a part of it written, -ETIMEDOUT: the copy had nothing to say for
 * five seconds, since a format function did not return, -EFAULT: the copy has crashed, -ENOMEM: it
 * had no memory to look around, -EIO: the stream has an error; with nothing written, -EAGAIN,
 * -ENOMEM, -EMFILE, -ENFILE, -EPERM: there was no copy of the process to be had, or no pipe. Since
 * 0.1. */
WEFT_API int weft_dump(FILE *to);

/* weft_dump_on_signal - have a dump written to fd each time that the process gets signo; with signo
 * 0 no more.
 *
 * The handler only wakes a thread of the library's, which is started by this call and which writes.
 * Signals that come while it does are one more dump after it. What was the action before is put
 * back by a call with another signal, or 0. fd stays the caller's, and open, also after that: a
 * dump that is under way then is still written there. If it does not block, the rest of a dump is
 * lost where nobody reads for five seconds. In the child of a fork nothing is written until it
 * calls this itself.
 *
 * 0; -EINVAL: there is no such signal, or none that can be caught, or fd is negative; -EAGAIN,
 * -ENOMEM: no thread could be started. Any thread; never blocks. Since 0.1. */
WEFT_API int weft_dump_on_signal(int signo, int fd);

/* How figures are written. */
typedef enum weft_stats_format {
        WEFT_STATS_TEXT = 0, /* for people, a line for each pool; it may change */
        WEFT_STATS_JSON = 1, /* {"pools":[{"id":1,"name":"web","workers":4,"run":17,…},…]} */
        WEFT_STATS_PROMETHEUS = 2, /* the text format of Prometheus, version 0.0.4: a family for
                                      each figure, with the labels pool (its name) and id */
} weft_stats_format;

/* weft_stats_write - write the figures of all pools of this process (struct weft_pool_stats, and
 * how many workers they have) to a stream.
 *
 * Pools may share a name; each has an id of its own, 1 for the first that was made. What is no
 * UTF-8 in a name, or a control character, is written as a question mark. Further members and
 * families may come. 0; -EINVAL: to is NULL, or there is no such format; -ENOMEM: nothing was
 * written; -EIO: the stream has an error. Any thread; blocks as the stream does. Since 0.1. */
WEFT_API int weft_stats_write(FILE *to, weft_stats_format format);

/* What receives a report, on the watchdog's thread: text, which is borrowed until it returns. */
typedef void weft_watch_fn(const char *report, void *arg);

/* weft_watch_begin - have a thread of the library's watch all pools of this process, and call
 * report(text, arg), or with NULL write the text to standard error, when it finds
 *
 *   a worker that is held:  one task has run on it for limit ns or more, has neither ended nor
 *                           waited, and has not yielded when it was looked at last. The report says
 *                           at least for how long, and shows the task and its context. Once for
 *                           each time.
 *   that all tasks wait:    for limit ns or more no task of any pool has run or begun; and each
 *                           waits, without a deadline, for another task, a group, a mutex, a
 *                           semaphore, an event, a channel or a pool. So nothing of weft's can wake
 *                           one; whether a thread outside pools will, weft cannot know: it is a
 *                           suspicion, and the report says so. If tasks await each other in a
 *                           circle it says that too, which is certain. Once for each time.
 *
 * It does not find tasks that deadlock while others go on, nor those that wait with a deadline, nor
 * what threads outside pools wait for. It looks four times in a limit, every ms to 250 ms; what it
 * finds it reads as weft_dump() does. Off it costs nothing; on, nothing to those it watches but the
 * reports.
 *
 * report may call whatever it likes of weft, but not weft_watch_end(). It runs with all signals
 * blocked, so that those of the program go to its own threads: threads and programs that it starts
 * begin so too, and a fault in it ends the process without a handler. In the child of a fork
 * nothing is watched until it calls this itself. 0; -EINVAL: limit is 0 or less; -EALREADY: it is
 * on, or about to end; -EAGAIN, -ENOMEM: no thread could be started. Any thread; never blocks.
 * Since 0.1. */
WEFT_API int weft_watch_begin(int64_t limit, weft_watch_fn *report, void *arg);

/* weft_watch_end - watch no more. Blocks until a report that is under way has returned. 0, also if
 * it was off, or another thread is ending it; -EDEADLK: called by report. Any thread. Since 0.1. */
WEFT_API int weft_watch_end(void);

WEFT_END_DECLS

#endif
