/* SPDX-License-Identifier: MIT
 *
 * The count of references of a value that many contexts may bind: begins at one, for who made it.
 *
 * Pairings
 *  N1  a reference is given back (release) -> the last one frees (acquire)
 */
#ifndef WEFT_CONTEXT_COUNTED_H
#define WEFT_CONTEXT_COUNTED_H

#include <stdbool.h>

#include "atomics.h"

typedef atomic_size_t weft__refs;

static inline void weft__refs_up(weft__refs *refs)
{
        /* relaxed: who takes one more has one already */
        atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* Whether that was the last one. */
static inline bool weft__refs_down(weft__refs *refs)
{
        /* N1: both sides in one */
        return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

#endif
