/* SPDX-License-Identifier: MIT
 *
 * The counter (see counter.h). With fewer processors than threads these would run after each other
 * for milliseconds, and seldom meet on a line; so at every so many-th access that is counted as
 * shared, at random, the one that runs lets the others go on. The lines are a hash table with open
 * addressing, whose entries are never removed; each has a lock of its own. Counts are the thread's
 * own, and others read them.
 */
#include "counter.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

enum {
        LINE = 64,
        LINES = 1 << 20, /* a power of two */
        THREADS = 128,
        WORDS = THREADS / 64,
        TURN = 8,
};

static struct line {
        _Atomic(uintptr_t) number; /* its address / LINE; 0: the entry is free */
        atomic_bool locked;
        uint64_t holders[WORDS]; /* a bit a thread; under the lock */
} line[LINES];

static struct {
        _Alignas(2 * LINE) _Atomic uint64_t of[COUNTED];
} thread[THREADS];
static atomic_uint threads;
static _Thread_local unsigned mine; /* its index + 1 */

static unsigned self(void)
{
        if (!mine) {
                mine = 1 + atomic_fetch_add(&threads, 1);
                if (mine > THREADS) {
                        fprintf(stderr, "weft-atomics: more than %d threads\n", THREADS);
                        abort();
                }
        }
        return mine - 1;
}

static void count(enum counted what)
{
        _Atomic uint64_t *n = &thread[self()].of[what];
        atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                              memory_order_relaxed); /* relaxed, both: the only writer */
}

struct counts counted_here(void)
{
        struct counts c;
        for (int i = 0; i < COUNTED; i++)
                c.of[i] = atomic_load_explicit(&thread[self()].of[i], memory_order_relaxed);
        return c;
}

struct counts counted_all(void)
{
        struct counts c = {{0}};
        for (int t = 0; t < THREADS; t++)
                for (int i = 0; i < COUNTED; i++)
                        c.of[i] += atomic_load_explicit(&thread[t].of[i], memory_order_relaxed);
        return c;
}

static struct line *line_of(uintptr_t number)
{
        size_t at = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) % LINES;
        for (size_t tries = 0; tries < LINES; tries++, at = (at + 1) % LINES) {
                uintptr_t is = atomic_load_explicit(&line[at].number, memory_order_relaxed);
                if (is == number ||
                    (!is && (atomic_compare_exchange_strong(&line[at].number, &is, number) ||
                             is == number)))
                        return &line[at];
        }
        fprintf(stderr, "weft-atomics: more than %d cache lines\n", LINES);
        abort();
}

static void take_turns(void)
{
        static _Thread_local uint32_t random;
        if (!random)
                random = 2 * self() + 1;
        random = random * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        if ((random >> 8) % TURN == 0)
                sched_yield();
}

static void touch(uintptr_t number, bool writes)
{
        struct line *l = line_of(number);
        unsigned me = self();
        uint64_t others = 0, bit = UINT64_C(1) << me % 64;
        while (atomic_exchange_explicit(&l->locked, true, memory_order_acquire))
                sched_yield();
        bool held = l->holders[me / 64] & bit;
        for (unsigned i = 0; i < WORDS; i++)
                others |= l->holders[i] & ~(i == me / 64 ? bit : 0);
        if (writes)
                memset(l->holders, 0, sizeof(l->holders));
        l->holders[me / 64] |= bit;
        atomic_store_explicit(&l->locked, false, memory_order_release);
        if (!others || (held && !writes))
                return;
        count(writes ? COUNTED_WRITES : COUNTED_READS);
        take_turns();
}

static void access(const volatile void *p, size_t size, bool writes)
{
        uintptr_t first = (uintptr_t)p / LINE, last = ((uintptr_t)p + (size ? size - 1 : 0)) / LINE;
        for (uintptr_t number = first; number <= last; number++)
                touch(number, writes);
}

/* ---- what instrumented code calls ---- */

#define PLAIN(size)                                                                                \
        void __tsan_read##size(void *p)                                                            \
        {                                                                                          \
                access(p, size, false);                                                            \
        }                                                                                          \
        void __tsan_write##size(void *p)                                                           \
        {                                                                                          \
                access(p, size, true);                                                             \
        }                                                                                          \
        void __tsan_unaligned_read##size(const void *p)                                            \
        {                                                                                          \
                access(p, size, false);                                                            \
        }                                                                                          \
        void __tsan_unaligned_write##size(void *p)                                                 \
        {                                                                                          \
                access(p, size, true);                                                             \
        }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, unsigned long size)
{
        access(p, size, false);
}

void __tsan_write_range(void *p, unsigned long size)
{
        access(p, size, true);
}

/* The names that instrumented code has for the three functions of string.h, see the Makefile. */
void *counted_memcpy(void *to, const void *from, size_t n)
{
        access(from, n, false);
        access(to, n, true);
        return memcpy(to, from, n);
}

void *counted_memmove(void *to, const void *from, size_t n)
{
        access(from, n, false);
        access(to, n, true);
        return memmove(to, from, n);
}

void *counted_memset(void *p, int byte, size_t n)
{
        access(p, n, true);
        return memset(p, byte, n);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
        (void)caller;
}

void __tsan_func_exit(void)
{
}

static void change(const volatile void *p, size_t size)
{
        count(COUNTED_RMW);
        access(p, size, true);
}

/* Orders are made seq_cst throughout: they are not what is counted, but for that of stores. */

#define CHANGE(bits, type, name)                                                                   \
        type __tsan_atomic##bits##_##name(volatile type *p, type v, int order)                     \
        {                                                                                          \
                (void)order;                                                                       \
                change(p, sizeof(type));                                                           \
                return __atomic_##name(p, v, __ATOMIC_SEQ_CST);                                    \
        }

#define EXCHANGE_IF(bits, type, name)                                                              \
        int __tsan_atomic##bits##_compare_exchange_##name(volatile type *p, type *expected,        \
                                                          type v, int order, int order_if_not)     \
        {                                                                                          \
                (void)order;                                                                       \
                (void)order_if_not;                                                                \
                change(p, sizeof(type));                                                           \
                return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST,        \
                                                   __ATOMIC_SEQ_CST);                              \
        }

#define ATOMIC(bits, type)                                                                         \
        type __tsan_atomic##bits##_load(const volatile type *p, int order)                         \
        {                                                                                          \
                (void)order;                                                                       \
                access(p, sizeof(type), false);                                                    \
                return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                       \
        }                                                                                          \
        void __tsan_atomic##bits##_store(volatile type *p, type v, int order)                      \
        {                                                                                          \
                if (order == __ATOMIC_SEQ_CST)                                                     \
                        count(COUNTED_FENCE);                                                      \
                access(p, sizeof(type), true);                                                     \
                __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                          \
        }                                                                                          \
        type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)                   \
        {                                                                                          \
                (void)order;                                                                       \
                change(p, sizeof(type));                                                           \
                return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                \
        }                                                                                          \
        CHANGE(bits, type, fetch_add)                                                              \
        CHANGE(bits, type, fetch_sub)                                                              \
        CHANGE(bits, type, fetch_and)                                                              \
        CHANGE(bits, type, fetch_or)                                                               \
        CHANGE(bits, type, fetch_xor)                                                              \
        EXCHANGE_IF(bits, type, strong)                                                            \
        EXCHANGE_IF(bits, type, weak)

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
        if (order == __ATOMIC_SEQ_CST)
                count(COUNTED_FENCE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
        (void)order;
}
