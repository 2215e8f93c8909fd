/* SPDX-License-Identifier: MIT
 *
 * The record behind the timeline picture: see trace.h.
 *
 * The count is relaxed: it only hands out slots. What is in them is published by the end of the
 * task, to who waited for it.
 */
#include "trace.h"

#include <stdlib.h>

#include <weft/suspend.h>

#include "terminal.h"

static _Thread_local unsigned lane;

int trace_init(struct trace *trace, size_t room, unsigned lanes)
{
        trace->spans = calloc(room, sizeof(*trace->spans));
        trace->room = trace->spans ? room : 0;
        trace->lanes = lanes;
        atomic_init(&trace->count, 0);
        return trace->spans ? 0 : complain("out of memory");
}

void trace_free(struct trace *trace)
{
        free(trace->spans);
}

void trace_lane(unsigned worker, void *unused)
{
        (void)unused;
        lane = worker;
}

/* noinline: a task may not keep a thread-local's address across its waits. */
static __attribute__((noinline)) unsigned this_lane(void)
{
        return lane;
}

void trace_add(struct trace *trace, const struct span *span)
{
        if (!trace)
                return;
        size_t slot = atomic_fetch_add_explicit(&trace->count, 1, memory_order_relaxed);
        if (slot >= trace->room)
                return;
        trace->spans[slot] = *span;
        trace->spans[slot].end = weft_now();
        trace->spans[slot].lane = this_lane();
}
