/* SPDX-License-Identifier: MIT
 *
 * What ran when on which worker, whose work it was, and which request it found to be current: the
 * record behind the timeline picture.
 *
 * Workers add spans at the same time; each takes a slot of its own. Read when the run is over.
 */
#ifndef COMPARE_TRACE_H
#define COMPARE_TRACE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { REQUEST_TURNS = 3 };

enum span_kind {
        SPAN_OPEN,   /* a request begins its transaction */
        SPAN_SUBMIT, /* ... after a wait, submits its files' tasks */
        SPAN_END,    /* ... after another, commits or rolls back */
        SPAN_FILE,   /* a file's task */
};

struct span {
        int64_t begin, end; /* ns, weft_now() */
        enum span_kind kind;
        unsigned lane; /* worker */
        int whose;     /* request that the work is for */
        int found;     /* request that was found to be current; 0: none */
};

struct trace {
        struct span *spans;
        size_t room;
        unsigned lanes; /* workers */
        atomic_size_t count;
};

/* 0, or -1 and a complaint. */
int trace_init(struct trace *trace, size_t room, unsigned lanes);
void trace_free(struct trace *trace);

/* Tell on a worker which lane it is: for the pool's on_start. */
void trace_lane(unsigned worker, void *unused);

/* Add a span that ends now, on the caller's lane. NULL: nothing is being traced. */
void trace_add(struct trace *trace, int64_t begin, enum span_kind kind, int whose, int found);

#endif
