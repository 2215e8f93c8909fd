/* SPDX-License-Identifier: MIT
 *
 * The trace that the running task belongs to, as W3C Trace Context has it: the headers traceparent
 * and tracestate, and a var that holds what they say.
 *
 *   trace      an immutable, counted value: the ids of a trace and of one span in it, its flags,
 *              and the state that tracing systems add. NULL is none.
 *   span       one operation; whoever calls another service names its own span as the parent there
 *
 * Usage: what a request brought is in the context that weft_context_extract() made of its headers
 * (carry.h); the server gives its own work a span of its own, and tasks inherit it:
 *
 *   weft_trace *span;
 *   if (weft_trace_child(&span, weft_get(weft_trace_var())) < 0)    // a new trace if there is none
 *           return -ENOMEM;
 *   WEFT_WITH (weft_trace_var(), span)
 *           serve(request);                 // weft_context_inject() there sends this span's id
 *   weft_trace_unref(span);
 *
 * Rules (tests carry these numbers)
 *
 *   O1  A traceparent of version 00 is 55 bytes, exactly; hexadecimal digits are lower case;
 *       neither id is all zeroes. Of a later version the first 55 bytes count, if they are the last
 *       or a '-' follows; of its flags, only "sampled". Version ff is none. What is written is
 *       version 00.
 *   O2  Flags that are not known here are passed on as zero.
 *   O3  A tracestate has at most 32 members, each a key of up to 256 characters and a value of up
 *       to 256; one that breaks the grammar is refused as a whole, and the traceparent stands
 *       without. Empty members are left out. Of members with one key the first, the newest, is
 *       kept.
 *   O4  One that is longer than 512 characters is shortened by whole members: those longer than 128
 *       characters first, then from the end.
 *   O5  A member that is set goes to the front; the order of the others does not change.
 *   O6  Without a valid traceparent no tracestate is looked at.
 *
 * Untrusted input: the parsers look at every byte once, allocate nothing, and write nothing but on
 * success. They are fuzzed (tests/fuzz).
 *
 * Threads: every function may be called from any thread, in a task or not, and none blocks or
 * parks. None is async-signal-safe. A value is handed to other threads as any context is.
 */
#ifndef WEFT_TRACE_H
#define WEFT_TRACE_H

#include <stddef.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

enum {
        WEFT_TRACE_SAMPLED = 1, /* who called may have recorded its span */
        WEFT_TRACE_RANDOM = 2,  /* the last 7 bytes of the trace's id, at least, are random */

        WEFT_TRACEPARENT_LENGTH = 55,
        WEFT_TRACESTATE_MEMBERS = 32,
        WEFT_TRACESTATE_LENGTH = 512
};

/* What a traceparent says. */
typedef struct weft_traceparent {
        unsigned char trace_id[16];
        unsigned char span_id[8];
        unsigned char flags; /* WEFT_TRACE_SAMPLED, WEFT_TRACE_RANDOM */
} weft_traceparent;

typedef struct weft_trace weft_trace;

/* weft_traceparent_parse - read a traceparent (O1, O2), without white space around it.
 *
 * 0; -EBADMSG: it is none; -EINVAL: an argument is NULL. Since 0.1. */
WEFT_API int weft_traceparent_parse(weft_traceparent *ret, const char *text, size_t length);

/* weft_traceparent_format - write one, of 55 characters and a NUL: ret_text has room for 56.
 *
 * 55; -EINVAL: an id is all zeroes, or an argument is NULL. Since 0.1. */
WEFT_API int weft_traceparent_format(const weft_traceparent *parent, char *ret_text);

/* weft_tracestate_parse - check a tracestate, and write it as it is to be passed on (O3, O4): no
 * white space around members, none of them empty or twice there, no more than 512 characters.
 * ret_state has room for 513, the NUL included. Several headers are one, with commas between them.
 *
 * Its length; -EBADMSG: it breaks the grammar, or has more than 32 members; -EINVAL: an argument is
 * NULL. Since 0.1. */
WEFT_API int weft_tracestate_parse(const char *text, size_t length, char *ret_state);

/* weft_trace_var - the var that holds the trace of the running task: a weft_trace, retained by each
 * binding. Never NULL. Since 0.1. */
WEFT_API weft_var *weft_trace_var(void);

/* weft_trace_create - a trace of what is given; state is a tracestate, or NULL for none.
 *
 * 0, and *ret is the caller's to unref; -EBADMSG: the state is none; -ENOMEM; -EINVAL: an id is all
 * zeroes, or ret or parent is NULL. Since 0.1. */
WEFT_API int weft_trace_create(weft_trace **ret, const weft_traceparent *parent, const char *state);

/* weft_trace_child - a new span of the same trace, with its flags and state; if parent is NULL, of
 * a new trace, which is not sampled.
 *
 * 0, and *ret is the caller's to unref; -ENOMEM; -EAGAIN: the system gives no random numbers;
 * -EINVAL: ret is NULL. Since 0.1. */
WEFT_API int weft_trace_child(weft_trace **ret, const weft_trace *parent);

/* weft_trace_with_state - the same span with one member of its state set (O5), or taken out if
 * value is NULL. What would be more than 32 members loses the last; more than 512 characters, as O4
 * says, but not the new one.
 *
 * 0, and *ret is the caller's to unref; -ENOMEM; -EBADMSG: the key or the value breaks the grammar;
 * -EMSGSIZE: this member alone is longer than 512; -EINVAL: ret, trace or key is NULL. Since
 * 0.1. */
WEFT_API int weft_trace_with_state(weft_trace **ret, const weft_trace *trace, const char *key,
                                   const char *value);

/* weft_trace_parent - what the trace says as the parent of a call: its ids and flags. Borrowed from
 * the trace; NULL for NULL. Since 0.1. */
WEFT_API const weft_traceparent *weft_trace_parent(const weft_trace *trace);

/* weft_trace_state - its tracestate, "" if there is none. Borrowed from the trace. Since 0.1. */
WEFT_API const char *weft_trace_state(const weft_trace *trace);

/* weft_trace_ref, weft_trace_unref - one reference more, which returns its argument; one less,
 * which returns NULL. NULL is fine. Since 0.1. */
WEFT_API weft_trace *weft_trace_ref(weft_trace *trace);
WEFT_API weft_trace *weft_trace_unref(weft_trace *trace);

WEFT_END_DECLS

#endif
