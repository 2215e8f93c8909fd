/* SPDX-License-Identifier: MIT
 *
 * Looking at all that there is while it is at work: in a copy of the process, in which nothing else
 * runs.
 *
 * The copy is made by clone(2), as fork(2) makes one, but with no handlers of pthread_atfork() (one
 * may wait for what a task that is stuck holds) and no SIGCHLD. So it needs no lock, asks no worker
 * for anything, and costs those who are watched nothing but the moment that the kernel takes to
 * copy the page tables, and a page for each that they then write. What was written in that moment
 * may have been copied or not: so a link may lead astray, and whoever looks does so by steps
 * (weft__copy_try) of which one that crashes is given up, and no more.
 *
 * In the copy nothing is allocated, no lock taken, nothing called that may: what others held is
 * held there for ever. Memory comes from weft__copy_memory(), text goes out by weft__out_print(). A
 * copy that says nothing for a while is ended from outside.
 */
#ifndef WEFT_POOL_SNAPSHOT_H
#define WEFT_POOL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct weft__out {
        int fd;
        size_t used;
        char text[2048];
} weft__out;

/* What is done in the copy. */
typedef void weft__copy_fn(weft__out *out, void *arg);

/* Who receives what the copy writes, piece by piece. */
typedef void weft__sink_fn(const char *text, size_t length, void *arg);

/* Run look(out, look_arg) in a copy of the process, and give what it writes to sink. Blocks until
 * that has ended, which takes no longer than it has something to say and a few seconds. Any
 * thread; one of the program's is kept from being cancelled meanwhile, and its errno, by the caller
 * (context/keep.h).
 *
 * 0; -ETIMEDOUT: it had to be ended; -EFAULT: it has crashed; -ENOMEM: it has given up for want of
 * memory; -EMFILE, -ENFILE, -ENOMEM, -EAGAIN, -EPERM: there is none, as pipe(2) and clone(2) say.
 */
int weft__snapshot(weft__copy_fn *look, void *look_arg, weft__sink_fn *sink, void *sink_arg);

#if defined(WEFT_TEST_HOOKS)
extern int weft__copy_patience_ms; /* for how long a copy may say nothing */
#endif

/* ---- in the copy ---- */

void weft__out_print(weft__out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hand out what there is: what comes next may not return. */
void weft__out_flush(weft__out *out);

/* Text of others, with what is no UTF-8, a control character or a quote escaped: so it makes no
 * line. A name, up to its NUL. */
void weft__out_quoted(weft__out *out, const char *text, size_t length);
void weft__out_name(weft__out *out, const char *name);

/* Call step(arg): whether it has returned. It has not if it crashed, or gave up. They nest. */
bool weft__copy_try(void (*step)(void *arg), void *arg);
void weft__copy_give_up(void) __attribute__((noreturn));

/* Zeroed memory, which goes with the copy; NULL if there is none. Without it whoever looks may hand
 * out what there is, and have weft__snapshot() say why that is all. */
void *weft__copy_memory(size_t size);
void weft__copy_no_memory(weft__out *out) __attribute__((noreturn));

/* A copy of the process: 0 in that, its number here, or -errno. */
pid_t weft__copy_process(void);

#endif
