/* SPDX-License-Identifier: MIT
 *
 * What the clients share. A client is a C11 program with pthreads that includes the sources it is
 * about, as they stand, with WEFT_MODEL: small arrays, no spinning. It is run by GenMC in all its
 * executions (tests/model/genmc/run), or compiled as any other program and run once.
 *
 * Between the inclusion of orders.h and ORDERS, each memory order that is not relaxed and each full
 * fence has a number. -DBUG=n makes the n-th order relaxed, or leaves the n-th fence out.
 *
 * -DCASE=n chooses one of a client's programs.
 */
#ifndef WEFT_TESTS_GENMC_CLIENT_H
#define WEFT_TESTS_GENMC_CLIENT_H

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include <weft/pool.h>

#include "context/internal.h"

#ifndef BUG
#define BUG 0
#endif
#ifndef CASE
#define CASE 1
#endif

unsigned weft__forks;
atomic_bool weft__policed_ever;

/* Zeroed: what a thief reads of a slot that nobody has written it does not use, but for GenMC it is
 * an error. A half of a word is an object of its own to it. */
void *weft__alloc(size_t size)
{
        uint64_t *words = malloc(size);
        for (size_t i = 0; i < size / sizeof(*words); i++) {
                words[i] = 0;
#ifdef HALVES
                ((uint32_t *)(words + i))[1] = 0;
#endif
        }
        return words;
}

void weft__free(void *p, size_t size)
{
        (void)size;
        free(p);
}

/* GenMC does without these where it does not know what is copied. Structs of words are; and what
 * is cleared is static, and clear already. */
void *memcpy(void *to, const void *from, size_t size)
{
        assert(size % sizeof(uint64_t) == 0);
        for (size_t i = 0; i < size / sizeof(uint64_t); i++)
                ((uint64_t *)to)[i] = ((const uint64_t *)from)[i];
        return to;
}

void *memset(void *to, int value, size_t size)
{
        (void)size;
        assert(value == 0);
        return to;
}

void weft__model_pause(void)
{
}

static inline pthread_t start(void *(*run)(void *), intptr_t arg)
{
        pthread_t thread;
        int r = pthread_create(&thread, NULL, run, (void *)arg);
        assert(r == 0);
        (void)r;
        return thread;
}

static inline void join(pthread_t thread)
{
        pthread_join(thread, NULL);
}

#endif
