/* SPDX-License-Identifier: MIT
 *
 * nqueens: in how many ways n queens stand on a board of n x n so that none attacks another. A fork
 * for each place that is free in the next row. The size is n; the check the number of ways.
 */
#ifndef WEFT_PERF_NQUEENS_H
#define WEFT_PERF_NQUEENS_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NQUEENS_MOST = 16 };

struct nqueens {
        uint64_t ways;
        int n, row;            /* queens stand in the rows before this one... */
        char at[NQUEENS_MOST]; /* ...in these columns */
};

void *nqueens_make(size_t size);
void nqueens_ready(void *data);
void nqueens_serial(void *data);
uint64_t nqueens_check(void *data);

/* The boards with one more queen; returns how many. */
size_t nqueens_children(const struct nqueens *q, struct nqueens child[NQUEENS_MOST]);

#ifdef __cplusplus
}
#endif

#endif
