/* SPDX-License-Identifier: MIT
 *
 * matmul: the product of two square matrices of doubles, by halving. Halves in rows or columns of
 * the result are done at once, halves of what is summed up one after the other; blocks of 32 x 32 x
 * 32 are done by one. The size is the number of rows, 32 x a power of 2; the check a sum over the
 * product, exact, since all its elements are whole numbers.
 */
#ifndef WEFT_PERF_MATMUL_H
#define WEFT_PERF_MATMUL_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* c += a * b, where a is rows x inner, b inner x columns; a row is stride after the one above. */
struct matmul {
        const double *a, *b;
        double *c;
        size_t rows, columns, inner, stride;
};

void *matmul_make(size_t size);
void matmul_ready(void *data);
void matmul_serial(void *data);
uint64_t matmul_check(void *data);

enum matmul_how {
        MATMUL_DONE,            /* it was small, and has been done */
        MATMUL_AT_ONCE,         /* both halves, in any order */
        MATMUL_ONE_AFTER_OTHER, /* the second half adds to what the first has written */
};

enum matmul_how matmul_split(const struct matmul *m, struct matmul half[2]);

#ifdef __cplusplus
}
#endif

#endif
