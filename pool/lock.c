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

void weft__lock_take_slowly(weft__lock *lock)
{
        for (int i = 0; i < SPINS; i++) {
                weft__cpu_pause();
                /* relaxed: only a hint whether to try */
                if (!atomic_load_explicit(&lock->word, memory_order_relaxed) &&
                    weft__lock_try(lock))
                        return;
        }
        /* -> L1; from here on it is held as 2, since others may sleep beside us */
        while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
                weft__futex_wait(&lock->word, 2, WEFT_FOREVER);
}

void weft__lock_wake(weft__lock *lock)
{
        weft__futex_wake(&lock->word, 1);
}
