/* SPDX-License-Identifier: MIT
 *
 * Timers of one worker: a pairing heap of deadlines, threaded through the timers themselves, so
 * that setting one cannot fail. Adding is O(1), removing the first or any other O(log n) amortised.
 * Owned by one thread, with no synchronisation.
 *
 * Fredman, Sedgewick, Sleator and Tarjan, "The Pairing Heap" (1986).
 */
#ifndef WEFT_POOL_TIMER_H
#define WEFT_POOL_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct weft__timer weft__timer;
struct weft__timer {
        int64_t deadline;     /* ns */
        bool set;             /* whether it is in the heap */
        weft__timer *child;   /* the first of those that are due later */
        weft__timer *sibling; /* the next child of the same parent */
        weft__timer *before;  /* the previous sibling, or the parent; NULL for the root */
};

/* NULL is the empty heap; the root is the first to be due. */
typedef struct weft__timers {
        weft__timer *root;
} weft__timers;

void weft__timers_add(weft__timers *heap, weft__timer *timer);
void weft__timers_remove(weft__timers *heap, weft__timer *timer); /* if it is set */

#endif
