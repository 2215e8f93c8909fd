/* SPDX-License-Identifier: MIT
 *
 * For models of whole pools: a pool, whose workers are threads of the execution.
 */
#ifndef WEFT_TESTS_MODEL_POOL_HELP_H
#define WEFT_TESTS_MODEL_POOL_HELP_H

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

#endif
