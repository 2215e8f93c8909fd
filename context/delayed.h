/* SPDX-License-Identifier: MIT
 *
 * For test builds: the atomic operations that write, each with a delay before it (knobs.h). They
 * are made of what the compilers make <stdatomic.h> of.
 */
#ifndef WEFT_CONTEXT_DELAYED_H
#define WEFT_CONTEXT_DELAYED_H

#include <stdatomic.h>

#include "knobs.h"

#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit

#define atomic_store_explicit(p, v, order)    (weft__delay(), WEFT__ATOMIC(store)(p, v, order))
#define atomic_exchange_explicit(p, v, order) (weft__delay(), WEFT__ATOMIC(exchange)(p, v, order))
#define atomic_compare_exchange_strong_explicit(p, e, v, good, bad)                                \
        (weft__delay(), WEFT__ATOMIC_STRONG(p, e, v, good, bad))
#define atomic_compare_exchange_weak_explicit(p, e, v, good, bad)                                  \
        (weft__delay(), WEFT__ATOMIC_WEAK(p, e, v, good, bad))
#define atomic_fetch_add_explicit(p, v, order) (weft__delay(), WEFT__FETCH(add)(p, v, order))
#define atomic_fetch_sub_explicit(p, v, order) (weft__delay(), WEFT__FETCH(sub)(p, v, order))
#define atomic_fetch_or_explicit(p, v, order)  (weft__delay(), WEFT__FETCH(or)(p, v, order))
#define atomic_fetch_and_explicit(p, v, order) (weft__delay(), WEFT__FETCH(and)(p, v, order))

#if defined(__clang__)
#define WEFT__ATOMIC(name) __c11_atomic_##name
#define WEFT__FETCH(name)  __c11_atomic_fetch_##name
#define WEFT__ATOMIC_STRONG(p, e, v, good, bad)                                                    \
        __c11_atomic_compare_exchange_strong(p, e, v, good, bad)
#define WEFT__ATOMIC_WEAK(p, e, v, good, bad) __c11_atomic_compare_exchange_weak(p, e, v, good, bad)
#else
#define WEFT__ATOMIC(name)                      __atomic_##name##_n
#define WEFT__FETCH(name)                       __atomic_fetch_##name
#define WEFT__ATOMIC_STRONG(p, e, v, good, bad) __atomic_compare_exchange_n(p, e, v, 0, good, bad)
#define WEFT__ATOMIC_WEAK(p, e, v, good, bad)   __atomic_compare_exchange_n(p, e, v, 1, good, bad)
#endif

#endif
