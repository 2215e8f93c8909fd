/* SPDX-License-Identifier: MIT
 *
 * What is said on standard error: the progress bar (if that is a terminal) and complaints; and
 * whether the user asked to stop. Main thread only, but for interrupted().
 */
#ifndef COMPARE_TERMINAL_H
#define COMPARE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Say what is being done from here on, and how much of it there is; 0: nobody knows. */
void progress_stage(const char *what, size_t total);

/* So much of it has been done. Draws a few times a second at most. */
void progress_show(size_t done);

/* Take the bar away. */
void progress_clear(void);

/* "weft-compare: …" on standard error. Always returns -1, for callers that fail with it. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Catch SIGINT, SIGTERM and SIGHUP, so that what is on disk can be removed first. */
void interrupts_catch(void);

/* The signal that came, or 0. */
int interrupted(void);

#endif
