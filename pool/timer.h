/* SPDX-License-Identifier: MIT
 *
 * Timers: a forest of pairing heaps, threaded through the timers themselves, so that setting one
 * cannot fail. Guarded by its owner's lock.
 *
 * A timer that is added meets a tree for each time that the number of those added can be halved, as
 * a carry runs through a binary number: one meld on average, and no node ever has so many children
 * that taking out the first of a million holds up the rest. Removing any timer is O(log n)
 * amortised.
 *
 * Fredman, Sedgewick, Sleator and Tarjan, "The Pairing Heap" (1986), which calls this the auxiliary
 * two-pass method when it has one tree besides; the carry is that of Vuillemin's binomial queues.
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
        weft__timer *before;  /* the previous sibling, or the parent; NULL for the root of a tree */
};

enum { WEFT__TIMER_TREES = 40 };

/* Zeroes are the empty heap. */
typedef struct weft__timers {
        weft__timer *root;                    /* the first to be due, of all; NULL: there is none */
        uint64_t used;                        /* bit k: there is a tree[k] */
        weft__timer *tree[WEFT__TIMER_TREES]; /* tree[k] came of about 2^k timers */
} weft__timers;

/* Show visit all timers, in no order, where nothing else runs: see snapshot.h. */
void weft__timers_look(const weft__timers *heap, void (*visit)(weft__timer *timer, void *arg),
                       void *arg);

void weft__timers_add(weft__timers *heap, weft__timer *timer);
void weft__timers_remove(weft__timers *heap, weft__timer *timer); /* if it is set */

#endif
