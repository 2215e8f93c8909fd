/* SPDX-License-Identifier: MIT
 *
 * What the forms in which a context is carried share: a buffer that grows, and names.
 */
#ifndef WEFT_CONTEXT_CARRY_H
#define WEFT_CONTEXT_CARRY_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that are collected; all zero at first, and to be ended by weft__buffer_fini(). */
struct weft__buffer {
        char *bytes;
        size_t used, size;
};

/* Append; 0 or -ENOMEM, with nothing changed. */
int weft__buffer_add(struct weft__buffer *buffer, const void *bytes, size_t n);
void weft__buffer_fini(struct weft__buffer *buffer);

/* The name that a codec's name has in an environment; it is as long. */
void weft__environ_name(const char *name, char *ret);

/* Whether this is that of a codec. */
bool weft__codec_has_environ_name(const char *text, size_t length);

#endif
