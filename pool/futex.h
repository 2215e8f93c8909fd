/* SPDX-License-Identifier: MIT
 *
 * The system call that all blocking of threads comes down to.
 *
 * Both keep errno. A wait may return for no reason; the caller looks at its word again.
 */
#ifndef WEFT_POOL_FUTEX_H
#define WEFT_POOL_FUTEX_H

#include <stdint.h>

#include "context/internal.h"

/* Block while *word is expected, at most until deadline (CLOCK_MONOTONIC ns, WEFT_FOREVER for
 * none). */
void weft__futex_wait(atomic_uint *word, unsigned expected, int64_t deadline);

/* Wake up to n threads that block on word. The word may be gone already: only its address counts.
 * */
void weft__futex_wake(atomic_uint *word, int n);

#endif
