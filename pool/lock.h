/* SPDX-License-Identifier: MIT
 *
 * A lock of four bytes for short stretches of bookkeeping. A task must not park while it holds one.
 *
 * The word is FREE, HELD or SLEPT_FOR (held, and somebody may sleep). After Drepper, "Futexes Are
 * Tricky" (2011), mutex 2.
 *
 * Above that it says in which process it was written, as the number of fork() calls before. So a
 * lock that a thread of the parent held at the fork is seen to be nobody's in the child, and who
 * takes any lock there for the first time is told that what it guards may be half written, and who
 * waits there is not in this process.
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

enum { WEFT__FREE = 0, WEFT__HELD = 1, WEFT__SLEPT_FOR = 2, WEFT__LOCK_BITS = 2 };

static inline unsigned weft__lock_word(unsigned state)
{
        return weft__fork_generation() << WEFT__LOCK_BITS | state;
}

/* Free; but one that is zeroed will do, and is taken a little more slowly for the first time. */
static inline void weft__lock_init(weft__lock *lock)
{
        atomic_init(&lock->word, weft__lock_word(WEFT__FREE));
}

bool weft__lock_take_slowly(weft__lock *lock);
void weft__lock_wake(weft__lock *lock);

static inline bool weft__lock_hold(weft__lock *lock, unsigned *word)
{
        /* -> L1; relaxed on failure: nothing is read then */
        return atomic_compare_exchange_strong_explicit(&lock->word, word,
                                                       weft__lock_word(WEFT__HELD),
                                                       memory_order_acquire, memory_order_relaxed);
}

/* Whether it was last held in a process that this one was forked from. */
static inline bool weft__lock_take(weft__lock *lock)
{
        unsigned is_free = weft__lock_word(WEFT__FREE);
        return !weft__lock_hold(lock, &is_free) && weft__lock_take_slowly(lock);
}

/* Take it if it is free; never one that somebody held in such a process. */
static inline bool weft__lock_try(weft__lock *lock)
{
        unsigned word = weft__lock_word(WEFT__FREE);
        while (!weft__lock_hold(lock, &word))
                if (word & ((1u << WEFT__LOCK_BITS) - 1))
                        return false;
        return true;
}

static inline void weft__lock_give(weft__lock *lock)
{
        /* L1 ->; afterwards the lock may be gone, and its address only is used */
        if (atomic_exchange_explicit(&lock->word, weft__lock_word(WEFT__FREE),
                                     memory_order_release) == weft__lock_word(WEFT__SLEPT_FOR))
                weft__lock_wake(lock);
}

#endif
