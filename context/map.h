/* SPDX-License-Identifier: MIT
 *
 * The immutable map var -> value that a context is.
 *
 * Vars have dense ids from 1. Ids below WEFT__NEAR index a flat array in the context itself; the
 * others a radix trie of 16-way nodes, shared between contexts and copied along one path by a
 * change. So a look-up is an index, or one index per four bits of the id: never a hash, never a
 * search.
 *
 * A slot holds WEFT__UNSET, or for a plain var the value itself, or for a var with retain or
 * release (a "kept" one) a pointer to a counted cell, so that copies of a context share one retain.
 * Which of the two is known from the var's key (WEFT__KEPT) and from the bit mask beside the slots.
 *
 * Invariants
 *   slot[0] == WEFT__UNSET          a var that was never set has key 0 and misses without a test
 *   count == slots not WEFT__UNSET  near and far
 *   cells == slots that hold a cell near and far; 0 means that nobody can notice when the context
 *   goes refs == references handed out   a context is changed only by its one owner, while refs
 *   says so (and whether it is FROZEN)
 *
 * Ownership: whoever holds a reference may read; references may be given back on any thread.
 * After Bagwell, "Ideal Hash Trees" (2001), without the hash, and Clojure's persistent vectors.
 */
#ifndef WEFT_CONTEXT_MAP_H
#define WEFT_CONTEXT_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <weft/context.h>

#include "atomics.h"

#define WEFT__NEAR  ((unsigned)WEFT__NEAR_SLOTS) /* near ids are 1 to 8 */
#define WEFT__UNSET ((void *)&weft__unset)

/* A var's key: its id, and what keeps its sets and look-ups off the fast paths. */
#define WEFT__KEPT    0x80000000u /* its slots hold cells */
#define WEFT__HOOKED  0x40000000u /* it has on_change: hooks.h */
#define WEFT__POLICED 0x20000000u /* it has drop_at or hand_on: cross.h */
#define WEFT__TRACED  0x10000000u /* the next id is its notes': explain.h */
#define WEFT__ID(key) ((key)&0x00ffffffu)

extern const char weft__unset __attribute__((visibility("hidden")));

/* One binding of a kept var: counted by the contexts and tokens that hold it. */
struct weft__cell {
        atomic_size_t refs;
        void *value;
        void (*release)(void *value); /* the var's when it was bound; may be NULL */
        struct weft__cell *next;      /* of those about to be released */
};

struct weft__node;

struct weft_context {
        atomic_size_t refs;
        struct weft__node *far; /* NULL while no far id is bound */
        uint32_t count;
        uint32_t policed : 1; /* it is a weft__policed: one of its vars may be POLICED, or TRACED */
        uint32_t kept : WEFT__NEAR - 1;   /* bit i: slot[i + 1] holds a cell */
        uint32_t cells : 32 - WEFT__NEAR; /* enough for all vars that there can be: var.c */
        void *slot[WEFT__NEAR];
};

enum { WEFT__BORDERS = 5 }; /* of enum weft_border */

/* A context in which vars with a policy are bound, or were before it was copied: with what is made
 * of it for the other side of each border, see cross.c. */
struct weft__policed {
        weft_context context;
        _Atomic(weft_context *) across[WEFT__BORDERS]; /* NULL: not made yet; itself, which is no
                                                          reference; or another one, which is */
        unsigned generation; /* how many contexts own one another above it */
};

/* In refs: what was made of the context is kept in it, so it must not be edited any more. */
#define WEFT__FROZEN ((size_t)1 << (sizeof(size_t) * 8 - 1))

/* Whether n references were all that there were before they were given back. */
static inline bool weft__were_all(size_t refs, size_t n)
{
        return refs << 1 == n << 1; /* FROZEN or not */
}

/* Every task that sets a var has one of its own: 96 bytes are a size of which jemalloc wastes
 * nothing. */
_Static_assert(offsetof(struct weft_context, slot) == offsetof(struct weft__near, slot),
               "inlined look-ups find the slots");
_Static_assert(sizeof(void *) != 8 || sizeof(struct weft_context) == 96, "a context grew");

/* The raw content of key's slot in a context that may be NULL. */
void *weft__map_find(const weft_context *c, uint32_t key);

/* The value in a raw slot that is not WEFT__UNSET. */
static inline void *weft__map_value(uint32_t key, void *raw)
{
        return key & WEFT__KEPT ? ((struct weft__cell *)raw)->value : raw;
}

/* A copy of from (NULL: an empty context) with one reference, into which a var with this key, 0 for
 * none, can be bound; NULL when there is no memory. */
weft_context *weft__map_copy(const weft_context *from, uint32_t key);

/* Whether a var with this key can be bound in c as it is. */
static inline bool weft__map_takes(const weft_context *c, uint32_t key)
{
        return !(key & (WEFT__POLICED | WEFT__TRACED)) || c->policed;
}

/* What goes into a slot for value: the value itself, or a cell around it, whose release function is
 * the var's. 0, -ENOMEM. */
int weft__map_raw(const weft_var *var, uint32_t key, void *value, void **ret_raw);

/* Make key's slot in c, and that of its note, whose only owner calls, ready to be written; false
 * when there is no memory, with nothing changed that can be seen. */
bool weft__map_prepare(weft_context *c, uint32_t key);

/* Put raw into key's slot, which is near or was prepared, and return what was there. */
void *weft__map_exchange(weft_context *c, uint32_t key, void *raw);

/* Visit every binding in the order of the ids, until a visit does not return 0; return that. */
typedef int weft__map_visit(uint32_t key, void *raw, void *arg);
int weft__map_walk(const weft_context *c, weft__map_visit *visit, void *arg);

/* The last reference is gone: free the context and give its cells back. */
void weft__map_destroy(weft_context *c);

/* Cells: one reference more, one fewer. The last one queues the release function, see
 * weft__cells_release(). */
static inline void weft__cell_ref(struct weft__cell *cell)
{
        /* relaxed: the caller has a reference already */
        atomic_fetch_add_explicit(&cell->refs, 1, memory_order_relaxed);
}
void weft__cell_unref(struct weft__cell *cell);

/* Give back what a slot of key held, if it owns anything. */
static inline void weft__map_discard(uint32_t key, void *raw)
{
        if ((key & WEFT__KEPT) && raw != WEFT__UNSET)
                weft__cell_unref(raw);
}

#endif
