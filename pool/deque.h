/* SPDX-License-Identifier: MIT
 *
 * A worker's deque of tasks: the owner pushes and pops at the bottom, thieves steal at the top.
 *
 * Chase and Lev, "Dynamic Circular Work-Stealing Deque" (SPAA 2005), in the C11 form of Lê, Pop,
 * Cohen and Zappa Nardelli (PPoPP 2013). Two points where copies of it went wrong elsewhere: a
 * thief reads the array after top and bottom, and arrays that were outgrown are kept until the
 * deque goes, so that a stale one is still readable and its slots below the old bottom never
 * change; and pop looks at bottom - 1 as a signed distance, so that an empty deque does not wrap.
 *
 * Invariant: top <= bottom, but for bottom == top - 1 within a pop. Indices are 64-bit and never
 * wrap.
 *
 *   call    who              may fail
 *   push    owner            when the array must grow and there is no memory: nothing is pushed
 *   pop     owner            never
 *   steal   any thread       gives NULL also when another thread was quicker
 */
#ifndef WEFT_POOL_DEQUE_H
#define WEFT_POOL_DEQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "context/internal.h"

struct weft_task;
struct weft__ring;

typedef struct weft__deque {
        atomic_int_least64_t top; /* written by all */
        char apart[WEFT__CACHE_LINE - sizeof(atomic_int_least64_t)];
        atomic_int_least64_t bottom;       /* written by the owner */
        _Atomic(struct weft__ring *) ring; /* written by the owner */
} weft__deque;

int weft__deque_init(weft__deque *d); /* 0 or -ENOMEM */
void weft__deque_fini(weft__deque *d);
bool weft__deque_push(weft__deque *d, struct weft_task *task);
struct weft_task *weft__deque_pop(weft__deque *d);
bool weft__deque_pop_if(weft__deque *d, const struct weft_task *newest); /* if it is that one */
struct weft_task *weft__deque_steal(weft__deque *d);

/* How many there are, for the owner; others may be taking some. */
int64_t weft__deque_length(weft__deque *d);

/* Show visit all tasks in it, the oldest first, where nothing else runs: see snapshot.h. */
void weft__deque_look(const weft__deque *d, void (*visit)(struct weft_task *task, void *arg),
                      void *arg);

/* Whether a steal would be worth a try. Any thread; after a full fence, what was pushed before the
 * pusher's own full fence is seen. */
static inline bool weft__deque_has_some(weft__deque *d)
{
        /* relaxed: the callers' fences order it; a stale answer costs a vain try or a later look */
        int64_t top = atomic_load_explicit(&d->top, memory_order_relaxed);
        int64_t bottom = atomic_load_explicit(&d->bottom, memory_order_relaxed); /* relaxed: same */
        return bottom - top > 0;
}

#endif
