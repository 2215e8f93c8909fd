/* SPDX-License-Identifier: MIT
 *
 * irregular: a tree whose nodes have two to five children, of which one gets most of what is there;
 * leaves are deep on one side and near on the other, and most have a little work, a few much. The
 * shape is fixed by the size, which is the number of leaves; the check is a sum over them.
 */
#ifndef WEFT_PERF_IRREGULAR_H
#define WEFT_PERF_IRREGULAR_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { IRREGULAR_CHILDREN = 5 };

struct irregular {
        uint64_t seed, leaves, sum;
};

void *irregular_make(size_t size);
void irregular_ready(void *data);
void irregular_serial(void *data);
uint64_t irregular_check(void *data);

/* Of a node with more than one leaf; returns how many. */
size_t irregular_children(const struct irregular *node, struct irregular child[IRREGULAR_CHILDREN]);

/* Of a node that is one. */
uint64_t irregular_leaf(const struct irregular *node);

#ifdef __cplusplus
}
#endif

#endif
