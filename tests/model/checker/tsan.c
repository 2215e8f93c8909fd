/* SPDX-License-Identifier: MIT
 *
 * Where instrumented code comes in. The library and the models are compiled with
 * -fsanitize=thread, which makes a call of each access to memory and of each atomic operation, with
 * its order; what is called is this, in place of ThreadSanitizer's runtime. So it is the source as
 * it stands that runs here.
 *
 * Outside executions (constructors) the operations are done as such.
 */
#include <stdarg.h>
#include <string.h>

#include "checker.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define SITE __builtin_return_address(0)

/* ---- plain accesses ---- */

static inline void plain(const void *p, size_t size, bool writes, const void *site)
{
        if (mc && mc->runs)
                plain_access((uintptr_t)p, size, writes, site);
}

#define PLAIN(size)                                                                                \
        void __tsan_read##size(void *p)                                                            \
        {                                                                                          \
                plain(p, size, false, SITE);                                                       \
        }                                                                                          \
        void __tsan_write##size(void *p)                                                           \
        {                                                                                          \
                plain(p, size, true, SITE);                                                        \
        }                                                                                          \
        void __tsan_unaligned_read##size(const void *p)                                            \
        {                                                                                          \
                plain(p, size, false, SITE);                                                       \
        }                                                                                          \
        void __tsan_unaligned_write##size(void *p)                                                 \
        {                                                                                          \
                plain(p, size, true, SITE);                                                        \
        }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, unsigned long size)
{
        plain(p, size, false, SITE);
}

void __tsan_write_range(void *p, unsigned long size)
{
        plain(p, size, true, SITE);
}

/* The names that instrumented code has for the three functions of string.h, see the Makefile. */
void *model_memcpy(void *to, const void *from, size_t n)
{
        plain(from, n, false, SITE);
        plain(to, n, true, SITE);
        return memcpy(to, from, n);
}

void *model_memmove(void *to, const void *from, size_t n)
{
        plain(from, n, false, SITE);
        plain(to, n, true, SITE);
        return memmove(to, from, n);
}

void *model_memset(void *p, int byte, size_t n)
{
        plain(p, n, true, SITE);
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

/* ---- atomic operations ---- */

static inline bool runs(void)
{
        return mc && mc->runs;
}

#define ORDER(order) (__builtin_expect(mc->minds_sites, 0) ? order_at(SITE, order, false) : (order))
#define ORDER_IF_NOT(order)                                                                        \
        (__builtin_expect(mc->minds_sites, 0) ? order_at(SITE, order, true) : (order))

#define CHANGE(bits, type, name, change)                                                           \
        type __tsan_atomic##bits##_##name(volatile type *p, type v, int order)                     \
        {                                                                                          \
                if (runs())                                                                        \
                        return (type)atomic_change_at(p, sizeof(type), change, v, ORDER(order),    \
                                                      SITE);                                       \
                return __atomic_##name(p, v, __ATOMIC_SEQ_CST);                                    \
        }

#define EXCHANGE_IF(bits, type, name, weak)                                                        \
        int __tsan_atomic##bits##_compare_exchange_##name(volatile type *p, type *expected,        \
                                                          type v, int order, int order_if_not)     \
        {                                                                                          \
                if (!runs())                                                                       \
                        return __atomic_compare_exchange_n(p, expected, v, false,                  \
                                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);    \
                uint64_t e = *expected;                                                            \
                bool done = atomic_exchange_if(p, sizeof(type), &e, v, ORDER(order),               \
                                               ORDER_IF_NOT(order_if_not), weak, SITE);            \
                if (!done)                                                                         \
                        *expected = (type)e;                                                       \
                return done;                                                                       \
        }

#define ATOMIC(bits, type)                                                                         \
        type __tsan_atomic##bits##_load(const volatile type *p, int order)                         \
        {                                                                                          \
                if (runs())                                                                        \
                        return (type)atomic_load_at(p, sizeof(type), ORDER(order), SITE);          \
                return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                       \
        }                                                                                          \
        void __tsan_atomic##bits##_store(volatile type *p, type v, int order)                      \
        {                                                                                          \
                if (runs())                                                                        \
                        atomic_store_at(p, sizeof(type), v, ORDER(order), SITE);                   \
                else                                                                               \
                        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                  \
        }                                                                                          \
        type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)                   \
        {                                                                                          \
                if (runs())                                                                        \
                        return (type)atomic_change_at(p, sizeof(type), EXCHANGE, v, ORDER(order),  \
                                                      SITE);                                       \
                return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                \
        }                                                                                          \
        CHANGE(bits, type, fetch_add, ADD)                                                         \
        CHANGE(bits, type, fetch_sub, SUB)                                                         \
        CHANGE(bits, type, fetch_and, AND)                                                         \
        CHANGE(bits, type, fetch_or, OR)                                                           \
        CHANGE(bits, type, fetch_xor, XOR)                                                         \
        EXCHANGE_IF(bits, type, strong, false)                                                     \
        EXCHANGE_IF(bits, type, weak, true)

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
        if (runs())
                fence_at(ORDER(order), SITE);
        else
                __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
        (void)order;
}
