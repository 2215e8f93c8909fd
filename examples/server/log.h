/* SPDX-License-Identifier: MIT
 *
 * The log: one line a call, under the names of the request that is being served:
 *
 *   2026-01-31T12:00:00.123456Z 00-4bf92f35…-01 ada noted part 1
 */
#ifndef LOG_H
#define LOG_H

/* Where the log goes: a file, to which it is appended, or NULL for standard error. 0 or -errno. */
int log_open(const char *path);

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
