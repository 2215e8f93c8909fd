/* SPDX-License-Identifier: MIT
 *
 * Blocks as closures, for compilers that have them (clang -fblocks, with the blocks runtime
 * linked):
 *
 *   weft_submit_block(pool, ^{ return greet(name); });
 *
 * Included by pool.h where __BLOCKS__ is defined. The library itself does not need the runtime.
 */
#ifndef WEFT_BLOCK_H
#define WEFT_BLOCK_H

#if defined(__BLOCKS__)

#include <Block.h>
#include <weft/pool.h>

WEFT_BEGIN_DECLS

typedef int (^weft_block)(void);

static inline int weft__block_call(void *args)
{
        return (*(weft_block *)args)();
}

static inline void weft__block_drop(void *args)
{
        Block_release(*(weft_block *)args);
}

/* weft_submit_block - run a copy of the block as a task, in the caller's context; what it captured
 * is released after it ran or was cancelled, in the task's own frame. As weft_submit_closure().
 * Since 0.1. */
static inline int weft_submit_block(weft_pool *pool, weft_block block)
{
        if (!block)
                return -EINVAL;
        weft_block copy = Block_copy(block);
        if (!copy)
                return -ENOMEM;
        int r = weft_submit_closure(pool, weft__block_call, &copy, sizeof(copy), weft__block_drop);
        if (r < 0)
                Block_release(copy);
        return r;
}

/* weft_spawn_block - the same with a handle; as weft_spawn_closure(). Since 0.1. */
static inline int weft_spawn_block(weft_pool *pool, weft_task **ret, weft_block block)
{
        if (!block)
                return -EINVAL;
        weft_block copy = Block_copy(block);
        if (!copy)
                return -ENOMEM;
        int r =
            weft_spawn_closure(pool, ret, weft__block_call, &copy, sizeof(copy), weft__block_drop);
        if (r < 0)
                Block_release(copy);
        return r;
}

WEFT_END_DECLS

#endif
#endif
