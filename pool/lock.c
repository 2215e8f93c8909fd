/* SPDX-License-Identifier: MIT
 *
 * The lock's slow side: spin a little, then sleep. (The pairing is that of lock.h.)
 */
#include "lock.h"

#include "cpu.h"
#include "futex.h"

#include <weft/pool.h>

#if defined(WEFT_MODEL)
enum { SPINS = 0 }; /* so that sleeping is what is explored */
#else
enum { SPINS = 64 };
#endif

/* Take one that was last written by another process, whoever held it there. */
static bool inherit(weft__lock *lock)
{
        /* relaxed: only a hint whether to try */
        unsigned word = atomic_load_explicit(&lock->word, memory_order_relaxed);
        while ((word ^ weft__lock_word(lock, WEFT__FREE)) >> WEFT__LOCK_BITS)
                if (weft__lock_hold(lock, &word))
                        return true;
        return false;
}

bool weft__lock_take_slowly(weft__lock *lock)
{
        const unsigned is_free = weft__lock_word(lock, WEFT__FREE);
        const unsigned slept_for = weft__lock_word(lock, WEFT__SLEPT_FOR);
        if (inherit(lock))
                return true;
        for (int i = 0; i < SPINS; i++) {
                unsigned word = is_free;
                weft__cpu_pause();
                /* relaxed: only a hint whether to try */
                if (atomic_load_explicit(&lock->word, memory_order_relaxed) == is_free &&
                    weft__lock_hold(lock, &word))
                        return false;
        }
        /* -> L1; from here on others may sleep beside us */
        while (atomic_exchange_explicit(&lock->word, slept_for, memory_order_acquire) != is_free)
                weft__futex_wait(&lock->word, slept_for, WEFT_FOREVER);
        return false;
}

void weft__lock_wake(weft__lock *lock)
{
        weft__futex_wake(&lock->word, 1);
}
