/* SPDX-License-Identifier: MIT
 *
 * What the clients of parking and cancelling need of the rest of the library: a pool with one
 * worker, two tasks, and nothing in any queue.
 */
#ifndef WEFT_TESTS_GENMC_REST_H
#define WEFT_TESTS_GENMC_REST_H

#include "pool/deadline.h"
#include "pool/worker.h"
#include "stubs.h"

static _Alignas(weft_pool) char memory[sizeof(weft_pool) + sizeof(weft__worker)];
static weft_pool *const pool = (weft_pool *)memory;
static weft_task task[2];
static _Thread_local weft__worker *self;
weft_var weft__deadline_var;

static void make_pool(void)
{
        pool->workers = 1;
        pool->worker[0].pool = pool;
        atomic_init(&pool->idle.kept_until, WEFT_FOREVER);
        for (int i = 0; i < 2; i++) {
                task[i].pool = pool;
                atomic_init(&task[i].state, WEFT__RUNNING | WEFT__HANDLE);
        }
}

weft__worker *weft__worker_self(void)
{
        return self;
}

void weft__pool_enter(weft_pool *p)
{
        (void)p;
}

void weft__pool_leave(weft_pool *p)
{
        (void)p;
}

bool weft__injector_has_some(weft__injector *q)
{
        (void)q;
        return false;
}

#endif
