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
 * The order. Whoever holds a lock takes only such as come later in weft__rank, or tries. In test
 * builds the word's topmost bits keep the rank, each thread knows what it holds, and a breach ends
 * the process (lock_order.c); in others there are no ranks. Clang's -Wthread-safety sees to it that
 * what is taken is given back on every way (`make lint`).
 *
 * Pairings
 *  L1  give (release) -> take (acquire): what the holder before wrote
 */
#ifndef WEFT_POOL_LOCK_H
#define WEFT_POOL_LOCK_H

#include <stdbool.h>

#include "context/internal.h"

#if defined(__clang__)
#define WEFT__CAPABILITY __attribute__((capability("lock")))
#define WEFT__TAKES(l)   __attribute__((acquire_capability(l)))
#define WEFT__TRIES(l)   __attribute__((try_acquire_capability(true, l)))
#define WEFT__GIVES(l)   __attribute__((release_capability(l)))
#define WEFT__NEEDS(l)   __attribute__((requires_capability(l)))
#define WEFT__UNSEEN     __attribute__((no_thread_safety_analysis))
#else
#define WEFT__CAPABILITY
#define WEFT__TAKES(l)
#define WEFT__TRIES(l)
#define WEFT__GIVES(l)
#define WEFT__NEEDS(l)
#define WEFT__UNSEEN
#endif

typedef struct WEFT__CAPABILITY weft__lock {
        atomic_uint word;
} weft__lock;

enum weft__rank {
        WEFT__RANK_FIRST = 0, /* mutexes, channels and so on, and all that is not named below: taken
                                 while nothing is held */
        WEFT__RANK_TASK,
        WEFT__RANK_GROUP,
        WEFT__RANK_STACKS, /* whoever visits them wakes what is parked there */
        WEFT__RANK_TIMERS, /* a worker's, of either kind */
        WEFT__RANK_ROOM,
        WEFT__RANK_LANE, /* of the injector, and its late ones */
        WEFT__RANK_IDLE,
        WEFT__RANK_DEPOT,  /* of the memory of tasks */
        WEFT__RANK_RECORD, /* a worker's: under it a var's format function is called */
};

#if defined(WEFT_TEST_HOOKS) && !defined(WEFT_MODEL)
#define WEFT__LOCK_ORDER 1
enum { WEFT__RANK_SHIFT = 28 };

static inline unsigned weft__lock_rank(weft__lock *lock)
{
        /* relaxed: the rank is written before the lock is shown to others */
        return atomic_load_explicit(&lock->word, memory_order_relaxed) >> WEFT__RANK_SHIFT;
}

void weft__lock_taken(weft__lock *lock, bool tried);
void weft__lock_given(weft__lock *lock);

/* No lock is held by this thread. */
void weft__lock_none(void);

/* The word without its rank, and that. */
#define WEFT__RANKED(word, rank)                                                                   \
        (((word) & ((1u << WEFT__RANK_SHIFT) - 1)) | (unsigned)(rank) << WEFT__RANK_SHIFT)
#else
#define WEFT__LOCK_ORDER            0
#define WEFT__RANKED(word, rank)    (word)
#define weft__lock_taken(lock, how) ((void)0)
#define weft__lock_given(lock)      ((void)0)
#define weft__lock_none()           ((void)0)
#endif

enum { WEFT__FREE = 0, WEFT__HELD = 1, WEFT__SLEPT_FOR = 2, WEFT__LOCK_BITS = 2 };

static inline unsigned weft__lock_word(weft__lock *lock, unsigned state)
{
        (void)lock; /* it has no rank */
        return WEFT__RANKED(weft__fork_generation() << WEFT__LOCK_BITS | state,
                            weft__lock_rank(lock));
}

/* Free, in its place in the order; but one that is zeroed will do for the first one, and is taken a
 * little more slowly for the first time. */
static inline void weft__lock_init(weft__lock *lock, enum weft__rank rank)
{
        (void)rank;
        atomic_init(&lock->word,
                    WEFT__RANKED(weft__fork_generation() << WEFT__LOCK_BITS | WEFT__FREE, rank));
}

static inline bool weft__lock_take(weft__lock *lock) WEFT__TAKES(*lock) WEFT__UNSEEN;
static inline bool weft__lock_try(weft__lock *lock) WEFT__TRIES(*lock) WEFT__UNSEEN;
static inline void weft__lock_give(weft__lock *lock) WEFT__GIVES(*lock) WEFT__UNSEEN;

bool weft__lock_take_slowly(weft__lock *lock);
void weft__lock_wake(weft__lock *lock);

static inline bool weft__lock_hold(weft__lock *lock, unsigned *word)
{
        /* -> L1; relaxed on failure: nothing is read then */
        return atomic_compare_exchange_strong_explicit(&lock->word, word,
                                                       weft__lock_word(lock, WEFT__HELD),
                                                       memory_order_acquire, memory_order_relaxed);
}

/* Whether it was last held in a process that this one was forked from. */
static inline bool weft__lock_take(weft__lock *lock)
{
        unsigned is_free = weft__lock_word(lock, WEFT__FREE);
        weft__lock_taken(lock, false); /* first: a breach that blocks is seen too */
        return !weft__lock_hold(lock, &is_free) && weft__lock_take_slowly(lock);
}

/* Take it if it is free; never one that somebody held in such a process. */
static inline bool weft__lock_try(weft__lock *lock)
{
        unsigned word = weft__lock_word(lock, WEFT__FREE);
        while (!weft__lock_hold(lock, &word))
                if (word & ((1u << WEFT__LOCK_BITS) - 1))
                        return false;
        weft__lock_taken(lock, true);
        return true;
}

static inline void weft__lock_give(weft__lock *lock)
{
        const unsigned slept_for = weft__lock_word(lock, WEFT__SLEPT_FOR);
        weft__lock_given(lock);
        /* L1 ->; afterwards the lock may be gone, and its address only is used */
        if (atomic_exchange_explicit(&lock->word, weft__lock_word(lock, WEFT__FREE),
                                     memory_order_release) == slept_for)
                weft__lock_wake(lock);
}

#endif
