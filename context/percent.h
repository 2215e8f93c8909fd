/* SPDX-License-Identifier: MIT
 *
 * Text of headers: percent-coding, UTF-8, and the characters of tokens and of values of baggage.
 */
#ifndef WEFT_CONTEXT_PERCENT_H
#define WEFT_CONTEXT_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

bool weft__is_token(const char *text, size_t length);

/* Whether all may stand in a value as written: percent-coded where need be, and that well. */
bool weft__is_coded(const char *text, size_t length);

bool weft__is_utf8(const char *text, size_t length);

/* Decode what is coded; U+FFFD stands for what is not UTF-8 then. Writes at most `length` bytes,
 * and a NUL; returns how many. */
size_t weft__percent_decode(const char *text, size_t length, char *ret);

/* What weft__percent_encode() writes: its length, and no NUL. */
size_t weft__percent_length(const char *bytes, size_t length);
size_t weft__percent_encode(const char *bytes, size_t length, char *ret_text);

#endif
