/* SPDX-License-Identifier: MIT
 *
 * A record of what ran where: on which worker each task ran, from when to when, between which of
 * its waits, and with which value of a var. Written as a trace that Perfetto and Chrome show, or as
 * a page with a timeline that needs nothing but a browser.
 *
 *   weft_record *record;
 *   weft_record_options o = {.size = sizeof(o), .var = &request};
 *   if (weft_record_start(pool, &record, &o) == 0) {
 *           serve_for_a_while();
 *           weft_record_stop(record);
 *           weft_record_write(record, file, WEFT_RECORD_JSON);   // open it in ui.perfetto.dev
 *           weft_record_destroy(record);
 *   }
 *
 * Nothing of a program need be changed for it: with WEFT_RECORD=FILE in the environment each pool
 * is recorded from its creation until it is destroyed, or the process exits; and then written to
 * FILE, as a page if that ends in ".html"; those after the first one to FILE with ".2", ".3" and so
 * on behind it. Each process counts for itself: of several that inherit the variable the last one
 * to end has its records there, unless FILE has a "%p", the first of which becomes the number of
 * the process. A pool that is recorded so cannot be by weft_record_start().
 * WEFT_RECORD_VAR=NAME chooses the var. (Ignored in programs that run with others' privileges, as
 * of secure_getenv(3).)
 *
 * What is recorded is stretches: from the start of a task to its first wait, from there to the
 * next, and so on to its end. Each worker keeps the last ones, as many as was asked for; older ones
 * are dropped, and counted. A stretch that is under way at the stop is cut there. Not seen are:
 * jobs that their joiner runs itself (they are calls, within the stretch of their task), tasks that
 * their submitter runs (WEFT_CALLER), what weft_blocking() runs, and of a task that had started
 * before the record what it does before the first wait that it makes then, and after the last.
 *
 * While nothing is recorded it costs nothing. While something is, a stretch costs two readings of
 * the clock and two look-ups of the var, about 80 ns; and if the var has `format`, two calls of
 * that. It is called on the worker, in the task's frame.
 */
#ifndef WEFT_RECORD_H
#define WEFT_RECORD_H

#include <stdio.h>

#include <weft/pool.h>

WEFT_BEGIN_DECLS

typedef struct weft_record weft_record;

/* Options of a record. Zero everywhere means the defaults; new fields go to the end. */
typedef struct weft_record_options {
        size_t size; /* sizeof(weft_record_options), or 0 for the fields of 0.1 */

        const weft_var *var; /* whose value is shown, and gives the colour; NULL: none. Borrowed
                                until the record is destroyed. Of what its `format` writes as many
                                characters are kept as 22 bytes have. */

        size_t stretches; /* that are kept of each worker, the last ones; 0: 16384; at most 2^24.
                             Each takes 88 bytes. */
} weft_record_options;

typedef enum weft_record_format {
        WEFT_RECORD_JSON = 0, /* the Trace Event Format, as Perfetto (ui.perfetto.dev) and
                                 chrome://tracing read it */
        WEFT_RECORD_PAGE = 1, /* one HTML page, with a lane for each worker */
} weft_record_format;

/* weft_record_start - begin to record what runs on a pool. NULL options: the defaults; a NULL pool
 * is that of pool.h.
 *
 * 0, and *ret is the caller's to weft_record_destroy(), before the pool is destroyed if it is not
 * stopped before; or nothing is left behind: -EINVAL: ret is NULL, or too many stretches; -E2BIG:
 * the options are longer than this library knows, and not zero there; -EALREADY: the pool is being
 * recorded; -ENOMEM; -EOWNERDEAD: a pool from before fork(). Any thread; never parks, and blocks
 * for no longer than it takes to get the memory. Since 0.1. */
WEFT_API int weft_record_start(weft_pool *pool, weft_record **ret,
                               const weft_record_options *options);

/* weft_record_stop - record no more. From then on the pool may be destroyed, and recorded anew.
 *
 * 0, also if it was stopped before; -EINVAL: NULL; -EOWNERDEAD: in a forked child. Not on two
 * threads at once, for one record. It waits for workers that are just adding a stretch, `format`
 * included. Since 0.1. */
WEFT_API int weft_record_stop(weft_record *record);

/* weft_record_write - write what was recorded, once it is stopped.
 *
 * Tasks have the numbers that weft_dump() gives them (see.h).
 * Functions are written by name where dladdr(3) knows one (what is exported, and with -rdynamic a
 * program's own), else as file+offset, which addr2line(1) takes. A page shows the last stretches,
 * some thousands, and says how many it leaves out. 0; -EINVAL: a pointer is NULL, or the format
 * unknown; -EINPROGRESS: it is not stopped; -ENOMEM. Whether it could be written is in the stream.
 * It blocks as writing to that does. Any number of times; any thread. Since 0.1. */
WEFT_API int weft_record_write(weft_record *record, FILE *to, weft_record_format format);

/* weft_record_dropped - how many stretches of a record that is stopped were dropped, because there
 * was no room for more. 0 if it is NULL or not stopped. Any thread; never blocks. Since 0.1. */
WEFT_API uint64_t weft_record_dropped(const weft_record *record);

/* weft_record_destroy - stop it, if that has not been done, and free it; returns NULL. NULL is
 * fine. Since 0.1. */
WEFT_API weft_record *weft_record_destroy(weft_record *record);

WEFT_END_DECLS

#endif
