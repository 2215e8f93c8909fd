/* SPDX-License-Identifier: MIT
 *
 * For models of whole pools: a pool, whose workers are threads of the execution.
 */
#ifndef WEFT_TESTS_MODEL_POOL_HELP_H
#define WEFT_TESTS_MODEL_POOL_HELP_H

#include <string.h>

#include "checker/model.h"

#include <weft/weft.h>

static inline weft_pool *pool_of(unsigned workers, unsigned flags)
{
        weft_pool *pool;
        const weft_pool_options options = {
            .size = sizeof(options), .workers = workers, .flags = flags};
        model_check(weft_pool_create(&pool, &options) == 0);
        return pool;
}

/* What lay on the stack of a call that has returned is something else now. */
__attribute__((noinline, unused)) static void other_use_of_the_stack(void)
{
        char other[1024];
        memset(other, 0x55, sizeof(other)); /* which the compiler does not know for what it is */
}

#endif
