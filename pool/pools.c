/* SPDX-License-Identifier: MIT
 *
 * The list of pools (see pools.h). It is whole after each store, so that it can be read in the
 * child of a fork, in a copy of the process and in a core file, whoever was changing it. For these
 * a pool is stored there (release) after all that it holds. Loads need no order: in the process
 * itself they are made under the lock, and elsewhere there is one thread, or none.
 */
#include "pools.h"

#include "worker.h"

_Atomic(weft_pool *) weft__pools;

static weft__lock lock;
static unsigned made; /* under the lock */

void weft__pools_hold(void)
{
        weft__lock_take(&lock);
}

void weft__pools_let_go(void)
{
        weft__lock_give(&lock);
}

void weft__pools_add(weft_pool *pool)
{
        weft__pools_hold();
        /* relaxed, both: under the lock; the release publishes it */
        weft_pool *next = atomic_load_explicit(&weft__pools, memory_order_relaxed);
        atomic_store_explicit(&pool->next_pool, next, memory_order_relaxed);
        pool->number = ++made;
        /* release: see above; there is no model of a copy that is made of the process meanwhile */
        atomic_store_explicit(&weft__pools, pool, memory_order_release);
        weft__pools_let_go();
}

void weft__pools_remove(weft_pool *pool)
{
        weft__pools_hold();
        _Atomic(weft_pool *) *link = &weft__pools;
        weft_pool *at;
        /* relaxed, all: under the lock */
        while ((at = atomic_load_explicit(link, memory_order_relaxed)) && at != pool)
                link = &at->next_pool;
        if (at) {
                at = atomic_load_explicit(&pool->next_pool,
                                          memory_order_relaxed);       /* relaxed: same */
                atomic_store_explicit(link, at, memory_order_relaxed); /* relaxed: same */
        }
        weft__pools_let_go();
}

weft_pool *weft__pools_next(const weft_pool *after)
{
        weft_pool *pool;
        do { /* relaxed, both: see above */
                pool = after ? atomic_load_explicit(&after->next_pool, memory_order_relaxed)
                             : atomic_load_explicit(&weft__pools, memory_order_relaxed);
                after = pool;
        } while (pool && pool->generation != weft__fork_generation());
        return pool;
}
