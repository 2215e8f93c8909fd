/* SPDX-License-Identifier: MIT
 *
 * fib: Fibonacci numbers by their definition, a fork for each pair of calls. Nothing but the cost
 * of fork and join, and of the calls. The size is n; the check the number.
 */
#ifndef WEFT_PERF_FIB_H
#define WEFT_PERF_FIB_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fib {
        unsigned n;
        uint64_t result;
};

void *fib_make(size_t size);
void fib_ready(void *data);
void fib_serial(void *data);
uint64_t fib_check(void *data);

/* How many forks it takes: one for each call that splits. */
uint64_t fib_forks(unsigned n);

#ifdef __cplusplus
}
#endif

#endif
