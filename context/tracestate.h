/* SPDX-License-Identifier: MIT
 *
 * A tracestate as text: all of it is rewritten, none of it is kept.
 */
#ifndef WEFT_CONTEXT_TRACESTATE_H
#define WEFT_CONTEXT_TRACESTATE_H

/* One member set at the front, or taken out where value is NULL, in a state that is valid. Writes
 * up to 513 bytes; the length, or -EBADMSG, -EMSGSIZE. */
int weft__tracestate_with(const char *state, const char *key, const char *value, char *ret_state);

#endif
