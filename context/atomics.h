/* SPDX-License-Identifier: MIT
 *
 * The one way to atomics. All of the library takes C11 atomics from here, so that
 * a build can put something else in their place (a model checker's, ThreadSanitizer's).
 *
 * weft__fence() is the full fence of the protocols in which two sides each store and then look at
 * what the other stored (sleeping and waking, the deque). It is a function of its own because
 * ThreadSanitizer does not model atomic_thread_fence(): under it, a read-modify-write of one global
 * gives the same order, and the happens-before that the tool can see.
 */
#ifndef WEFT_CONTEXT_ATOMICS_H
#define WEFT_CONTEXT_ATOMICS_H

#include <stdatomic.h>

#include "knobs.h"

/* Model builds (tests/model) are compiled with -fsanitize=thread too, but for a checker that takes
 * fences as they are. */
#if defined(WEFT_MODEL)
#elif defined(__SANITIZE_THREAD__)
#define WEFT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif

#if defined(WEFT_TSAN)
extern atomic_uint weft__fence_word;

static inline void weft__full_fence(void)
{
        atomic_fetch_add_explicit(&weft__fence_word, 1, memory_order_seq_cst);
}
#else
static inline void weft__full_fence(void)
{
        atomic_thread_fence(memory_order_seq_cst);
}
#endif

/* In test builds others may be let go on before and after (knobs.h). */
#if defined(WEFT_TEST_HOOKS) && !defined(WEFT_MODEL)
#include "delayed.h"

static inline void weft__fence(void)
{
        weft__delay();
        weft__full_fence();
        weft__delay();
}
#else
static inline void weft__fence(void)
{
        weft__full_fence();
}
#endif

/* Keeps the compiler, not the processor, from moving stores across: for what a signal handler on
 * the same thread may see. */
static inline void weft__signal_fence(void)
{
        atomic_signal_fence(memory_order_seq_cst);
}

#endif
