/* SPDX-License-Identifier: MIT
 *
 * A trace as a picture: inline SVG, a lane for each worker, a colour for each request.
 */
#ifndef COMPARE_PICTURE_H
#define COMPARE_PICTURE_H

#include <stdio.h>

#include "trace.h"

enum { PICTURE_REQUESTS = 6 }; /* as many colours as there are; requests of a traced run */

/* The class names that the page must give a fill to: request-0 (none) to request-6. */
extern const char *const picture_colours[PICTURE_REQUESTS + 1];

/* How many of the spans found another request than the one they were for, or none. */
size_t picture_wrong(const struct trace *trace);

/* How many readings there are. */
size_t picture_readings(const struct trace *trace);

/* Write the <svg>. 0, or -1 and a complaint. */
int picture_write(const struct trace *trace, const char *title, FILE *to);

#endif
