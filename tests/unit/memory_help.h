/* SPDX-License-Identifier: MIT
 *
 * Memory that runs out: the library gets so many allocations, and no more till there is some again.
 */
#ifndef MEMORY_HELP_H
#define MEMORY_HELP_H

#include "pool_help.h"

#include "context/memory.h"

static int allocations_left;

static inline int fails_after_some(size_t size)
{
        (void)size;
        return allocations_left-- <= 0;
}

static inline void leave_allocations(int n)
{
        allocations_left = n;
        weft__alloc_fails = fails_after_some;
}

static inline void leave_memory(void)
{
        weft__alloc_fails = NULL;
}

static inline int cross_with(int allocations, unsigned border, weft_context **ret)
{
        leave_allocations(allocations);
        int r = weft_context_cross(border, ret);
        leave_memory();
        return r;
}

#endif
