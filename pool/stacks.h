/* SPDX-License-Identifier: MIT
 *
 * The stacks of a pool: slabs of mmap, cut into stacks of one size, each with a guard at its low
 * end.
 *
 * A slab is one mapping of up to 64 stacks. A stack gets its guard when it is taken for the first
 * time and keeps it; when it is given back its memory goes back to the system at once (workers keep
 * those that are about to be used again). A slab none of whose stacks is in use is unmapped, but
 * for one.
 *
 * Guards are marks in the page table where the kernel has them (MADV_GUARD_INSTALL, Linux 6.13):
 * they split no mapping, so that a million stacks are a few mappings. Elsewhere each one is made by
 * mprotect() and costs two of the mappings that vm.max_map_count allows the process; three quarters
 * of those may go into guards, then there are no more stacks.
 */
#ifndef WEFT_POOL_STACKS_H
#define WEFT_POOL_STACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "lock.h"

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif

struct weft__slab;

typedef struct weft__stacks {
        size_t size;  /* of a stack, guard included, in bytes; a multiple of the page. const */
        size_t guard; /* of that. const */
        weft__lock lock;
        struct weft__slab *roomy; /* slabs with a free stack; under lock, as what follows */
        struct weft__slab *full;
        unsigned empty; /* slabs none of whose stacks is in use; 0 or 1 */
        unsigned slabs;
} weft__stacks;

/* One that was taken. */
typedef struct weft__stack {
        char *low; /* the guard is here; NULL: none could be had */
        struct weft__slab *slab;
        unsigned index; /* in its slab */
} weft__stack;

/* Stacks of size bytes: the odd number of pages that is next to it. Maps nothing yet. */
void weft__stacks_init(weft__stacks *stacks, size_t size);

/* Unmap all; in the child of a fork, all but the slab that the caller itself may run on. */
void weft__stacks_fini(weft__stacks *stacks);

/* Take a stack, zeroed; one with low NULL if there is no memory, or no mapping to be had. Any
 * thread. */
weft__stack weft__stacks_take(weft__stacks *stacks);

/* Give one back, with all that is in it. Any thread. */
void weft__stacks_give(weft__stacks *stacks, weft__stack stack);

/* Call visit(high end, arg) for each stack that is in use, while none is taken or given back. */
void weft__stacks_visit(weft__stacks *stacks, void (*visit)(char *high, void *arg), void *arg);

/* The same with no lock, where nothing else runs: see snapshot.h. */
void weft__stacks_look(const weft__stacks *stacks, void (*visit)(char *high, void *arg), void *arg);

/* How many bytes a page has. */
size_t weft__page_size(void);

#if defined(WEFT_TEST_HOOKS)
extern _Atomic(bool) weft__guards_by_mprotect; /* as on a kernel that has no other */
extern _Atomic(long) weft__guard_budget;       /* of such guards, if it is not negative */
#endif

#endif
