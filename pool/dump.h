/* SPDX-License-Identifier: MIT
 *
 * What is seen of tasks, as text.
 */
#ifndef WEFT_POOL_DUMP_H
#define WEFT_POOL_DUMP_H

#include "look.h"

/* The worker's name, as its thread has it. In a copy of the process, as what follows. */
void weft__dump_worker(weft__out *out, const weft__worker *w);

/* One task, in one or two lines. */
void weft__dump_task(weft__out *out, const struct weft__view *view, const struct weft__seen *s,
                     unsigned depth);

/* All tasks of all pools. A weft__copy_fn. */
void weft__dump_all(weft__out *out, void *unused);

/* Write what was seen to a descriptor. If that does not block, whoever reads has five seconds for
 * each piece; then, and on an error, the rest is lost. */
void weft__dump_to_fd(const char *text, size_t length, int fd);

#endif
