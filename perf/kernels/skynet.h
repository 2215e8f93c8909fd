/* SPDX-License-Identifier: MIT
 *
 * skynet: a tree of tasks with ten children each, whose leaves give their own numbers, and all
 * others the sum of their children's. (After the micro-benchmark of that name for channels, which
 * has a million leaves.) The size is the number of leaves, a power of ten; the check their sum.
 */
#ifndef WEFT_PERF_SKYNET_H
#define WEFT_PERF_SKYNET_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SKYNET_CHILDREN = 10 };

struct skynet {
        uint64_t first, leaves, sum;
};

void *skynet_make(size_t size);
void skynet_ready(void *data);
void skynet_serial(void *data);
uint64_t skynet_check(void *data);

void skynet_children(const struct skynet *s, struct skynet child[SKYNET_CHILDREN]);

#ifdef __cplusplus
}
#endif

#endif
