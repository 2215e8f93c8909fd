/* SPDX-License-Identifier: MIT
 *
 * A trace as a picture, by pool/timeline.h: a lane for each worker, a colour for each request.
 */
#ifndef COMPARE_PICTURE_H
#define COMPARE_PICTURE_H

#include <stdbool.h>
#include <stdio.h>

#include "trace.h"

enum { PICTURE_REQUESTS = 6 }; /* as many colours as there are; requests of a traced run */

/* How many of the spans found another request than the one they were for, or none. */
size_t picture_wrong(const struct trace *trace);

/* How many readings there are. */
size_t picture_readings(const struct trace *trace);

/* Write the <svg>. A close-up has room for a word above each span, for the request that it found,
 * and for a line from each to the next one of its task. 0, or -1 and a complaint. */
int picture_write(const struct trace *trace, const char *title, bool close_up, FILE *to);

#endif
