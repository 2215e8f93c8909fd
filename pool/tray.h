/* SPDX-License-Identifier: MIT
 *
 * A worker's tray: what it has taken from the injector at once and not begun yet, in order.
 *
 * The owner fills it when it is empty; owner and thieves take from its one end, each with a
 * compare-and-swap of `next`. So a batch costs one visit to the injector, and what is in it is not
 * held up by the task that the owner is busy with.
 *
 * A taker reads the item first and takes it afterwards, as a thief of the Chase-Lev deque does: if
 * the compare-and-swap succeeds nobody had taken it, and so the owner had not filled its slot anew.
 * Indices are 64-bit and never come again.
 *
 * Pairings
 *  Y1  fill: end (release) -> take: end (acquire): the items
 *  Y2  take: next (release) -> fill: next (acquire): the slots that were read may be written. What
 *      breaks without it is a load that reads a store which is made later, and that no model has
 *      (tests/model/README.md).
 *  Y3  take: next (release) -> steal: next (acquire): the end that this one saw, so that a thief
 *      does not take what it sees no end of yet for an item
 */
#ifndef WEFT_POOL_TRAY_H
#define WEFT_POOL_TRAY_H

#include <stdbool.h>

#include "injector.h"

#if defined(WEFT_MODEL)
enum { WEFT__TRAY = 2 };
#else
enum { WEFT__TRAY = 32 };
#endif

typedef struct weft__tray {
        atomic_uint_least64_t next; /* the first not taken */
        atomic_uint_least64_t end;  /* written by the owner */
        struct {
                _Atomic(weft_fn *) fn;
                _Atomic(void *) arg;
                _Atomic(weft_context *) context;
        } slot[WEFT__TRAY];
} weft__tray;

/* Whether there is an item. Any thread; after a full fence, what was filled in before the filler's
 * own is seen. */
static inline bool weft__tray_has_some(weft__tray *t)
{
        /* relaxed, both: the callers' fences order it; a stale answer costs a vain try */
        return atomic_load_explicit(&t->next, memory_order_relaxed) !=
               atomic_load_explicit(&t->end, memory_order_relaxed); /* relaxed: same */
}

/* Show visit all items in it, the oldest first, where nothing else runs: see snapshot.h. */
void weft__tray_look(const weft__tray *t, void (*visit)(const weft__item *item, void *arg),
                     void *arg);

/* Fill an empty tray. By the owner. */
void weft__tray_fill(weft__tray *t, const weft__item *items, unsigned n);

/* Take the oldest item: false if there is none, or for a thief (once) if another was quicker. */
bool weft__tray_take(weft__tray *t, weft__item *ret_item);
bool weft__tray_steal(weft__tray *t, weft__item *ret_item);

#endif
