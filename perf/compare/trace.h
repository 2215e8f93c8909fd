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
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum span_kind {
        SPAN_BEGIN,  /* a request begins its transaction */
        SPAN_SUBMIT, /* a part of it has arrived: it submits the files' tasks */
        SPAN_ANSWER, /* these have ended: it answers */
        SPAN_END,    /* it commits or rolls back */
        SPAN_READ,   /* a file's task begins, and has the file read */
        SPAN_INSERT, /* the file was read: it inserts a row */
        SPAN_KINDS
};

/* A stretch of a task, between two of its waits. */
struct span {
        int64_t begin, end; /* ns, weft_now() */
        enum span_kind kind;
        unsigned lane; /* worker */
        unsigned task; /* the same for all stretches of a task */
        int whose;     /* request that the work is for */
        int found;     /* request that was found to be current; 0: none */
};

static inline bool span_of_request(const struct span *span)
{
        return span->kind < SPAN_READ;
}

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
void trace_add(struct trace *trace, const struct span *span);

#endif
