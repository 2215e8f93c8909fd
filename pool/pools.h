/* SPDX-License-Identifier: MIT
 *
 * All pools of the process: for those who look at them.
 */
#ifndef WEFT_POOL_POOLS_H
#define WEFT_POOL_POOLS_H

#include <weft/pool.h>

#include "lock.h"

/* The last that was made, linked by next_pool; those of a process that this one was forked from
 * among them. Debuggers know it by this name. */
extern _Atomic(weft_pool *) weft__pools;

void weft__pools_add(weft_pool *pool);
void weft__pools_remove(weft_pool *pool); /* if it is among them */

/* From here on none is added or removed, until it is let go. */
void weft__pools_hold(void) WEFT__UNSEEN;
void weft__pools_let_go(void) WEFT__UNSEEN;

/* The newest pool of this process, or the one before; NULL: there is none. While they are held, or
 * where nothing else runs. */
weft_pool *weft__pools_next(const weft_pool *after);

#endif
