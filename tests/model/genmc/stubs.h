/* SPDX-License-Identifier: MIT
 *
 * What every client that has workers takes for done in the rest of the library.
 */
#ifndef WEFT_TESTS_GENMC_STUBS_H
#define WEFT_TESTS_GENMC_STUBS_H

#include "pool/worker.h"

int sched_yield(void)
{
        return 0;
}

int64_t weft_now(void)
{
        return 0;
}

void weft__context_settle(void)
{
}

void weft__pool_check_drained(weft_pool *p)
{
        (void)p;
}

bool weft__worker_threads_hold(weft_pool *p)
{
        (void)p;
        return true;
}

void weft__worker_threads_let_go(weft_pool *p)
{
        (void)p;
}

int64_t weft__delay_due_at(const weft__worker *w)
{
        (void)w;
        return WEFT_FOREVER;
}

#endif
