/* SPDX-License-Identifier: MIT
 *
 * The registry of vars: a growing table that is read and extended without a lock, so that neither a
 * fork nor a signal can find it held.
 *
 * Chunk k has 16 << k entries and never moves; an entry is NULL before its var is there and after
 * the var was retired.
 *
 * Pairings
 *  V1  a chunk's address is published (release, by compare-and-swap) -> found (acquire): its zeroes
 *  V3  a var's key is stored (release) -> read (acquire): its entry, so that no thread can bind by
 *      a key and then not find the var
 *
 * Entries are stored and read relaxed: whoever looks for a var by its key has bound it by that, or
 * has the context of somebody who has, and so has seen the entry, and the chunk, by V3.
 */
#include "var.h"

#include "explain.h"
#include "hooks.h"
#include "internal.h"
#include "map.h"

enum { FIRST_BITS = 4, CHUNKS = 19 }; /* 8 million vars, whose number fits what map.h counts with */

_Static_assert((1u << FIRST_BITS << CHUNKS) <= 1u << (32 - WEFT__NEAR), "map.h counts too little");

static _Atomic(_Atomic(const weft_var *) *) chunks[CHUNKS];
static atomic_uint ids = 1;

static unsigned chunk_of(uint32_t id, uint32_t *ret_at)
{
        uint32_t place = id - 1 + (1u << FIRST_BITS);
        unsigned top = 31 - (unsigned)__builtin_clz(place);
        *ret_at = place - (1u << top);
        return top - FIRST_BITS;
}

/* The entry of an id, with its chunk made now if it has none. */
static _Atomic(const weft_var *) *entry_make(uint32_t id)
{
        uint32_t at;
        unsigned k = chunk_of(id, &at);
        if (k >= CHUNKS)
                return NULL;
        /* V1 -> */
        _Atomic(const weft_var *) *chunk = atomic_load_explicit(&chunks[k], memory_order_acquire);
        if (chunk)
                return &chunk[at];
        size_t size = (sizeof(*chunk) << FIRST_BITS) << k;
        _Atomic(const weft_var *) *mine = weft__alloc_zeroed(size);
        if (!mine)
                return NULL;
        /* -> V1; on failure the acquire side of somebody else's */
        if (atomic_compare_exchange_strong_explicit(&chunks[k], &chunk, mine, memory_order_release,
                                                    memory_order_acquire))
                return &mine[at];
        weft__free(mine, size);
        return &chunk[at];
}

uint32_t weft__var_enlist(weft_var *var)
{
        uint32_t key = weft__var_key(var);
        if (key)
                return key;
        struct weft__hook *hook = NULL;
        if (var->on_change && !(hook = weft__hook_reserve()))
                return 0;

        /* relaxed: an id is only a number; V1 and V3 order what lies behind it */
        uint32_t id = atomic_load_explicit(&ids, memory_order_relaxed);
        uint32_t notes = weft__records(); /* the id of its notes is the next one */
        _Atomic(const weft_var *) *entry;
        do {
                entry = entry_make(id);
                if (!entry || (notes && !entry_make(id + notes))) {
                        weft__hook_become(hook, 0);
                        return 0;
                }
                /* relaxed, both: as above */
        } while (!atomic_compare_exchange_weak_explicit(
            &ids, &id, id + 1 + notes, memory_order_relaxed, memory_order_relaxed));
        atomic_store_explicit(entry, var, memory_order_relaxed); /* relaxed: V3 publishes it */

        uint32_t mine = id | (var->retain || var->release ? WEFT__KEPT : 0) |
                        (var->on_change ? WEFT__HOOKED : 0) |
                        (var->drop_at || var->hand_on ? WEFT__POLICED : 0) |
                        (notes ? WEFT__TRACED : 0);
        if (mine & WEFT__POLICED)
                /* relaxed: whoever binds the var has seen its key, which comes after this */
                atomic_store_explicit(&weft__policed_ever, true, memory_order_relaxed);
        weft__hook_become(hook, mine);
        if (__atomic_compare_exchange_n(&var->weft__key, &key, mine, false, __ATOMIC_RELEASE,
                                        __ATOMIC_ACQUIRE)) /* V3 -> */
                return mine;
        /* Two threads set the var for the first time at once; the other's id stands. */
        atomic_store_explicit(entry, NULL, memory_order_relaxed); /* relaxed: nobody has its id */
        weft__hook_become(hook, 0);
        return key;
}

const weft_var *weft__var_of(uint32_t key)
{
        uint32_t at;
        unsigned k = chunk_of(WEFT__ID(key), &at);
        /* relaxed, both: see above */
        _Atomic(const weft_var *) *chunk = atomic_load_explicit(&chunks[k], memory_order_relaxed);
        return atomic_load_explicit(&chunk[at], memory_order_relaxed); /* relaxed: as above */
}

void weft__var_hide(uint32_t key)
{
        uint32_t at;
        unsigned k = chunk_of(WEFT__ID(key), &at);
        /* relaxed, both: no use of the var may race with this */
        _Atomic(const weft_var *) *chunk = atomic_load_explicit(&chunks[k], memory_order_relaxed);
        atomic_store_explicit(&chunk[at], NULL, memory_order_relaxed); /* relaxed: as above */
}

void weft_var_fini(weft_var *var)
{
        if (!var || !var->weft__key)
                return;
        if (var->weft__key & WEFT__HOOKED)
                weft__hook_retire(var->weft__key);
        weft__var_hide(var->weft__key);
        __atomic_store_n(&var->weft__key, 0,
                         __ATOMIC_RELAXED); /* relaxed: as in weft__var_hide() */
}
