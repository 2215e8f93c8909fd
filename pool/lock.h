/* SPDX-License-Identifier: MIT
 *
 * A lock of four bytes for short stretches of bookkeeping. A task must not park while it holds one.
 *
 * The word is 0 (free), 1 (held) or 2 (held, and somebody may sleep). After Drepper, "Futexes Are
 * Tricky" (2011), mutex 2.
 *
 * Pairings
 *  L1  give (release) -> take (acquire): what the holder before wrote
 */
#ifndef WEFT_POOL_LOCK_H
#define WEFT_POOL_LOCK_H

#include <stdbool.h>

#include "context/internal.h"

typedef struct weft__lock {
        atomic_uint word;
} weft__lock;

void weft__lock_take_slowly(weft__lock *lock);
void weft__lock_wake(weft__lock *lock);

static inline bool weft__lock_try(weft__lock *lock)
{
        unsigned is_free = 0;
        /* -> L1; relaxed on failure: nothing is read then */
        return atomic_compare_exchange_strong_explicit(&lock->word, &is_free, 1,
                                                       memory_order_acquire, memory_order_relaxed);
}

static inline void weft__lock_take(weft__lock *lock)
{
        if (!weft__lock_try(lock))
                weft__lock_take_slowly(lock);
}

static inline void weft__lock_give(weft__lock *lock)
{
        /* L1 ->; afterwards the lock may be gone, and its address only is used */
        if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
                weft__lock_wake(lock);
}

#endif
