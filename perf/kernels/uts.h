/* SPDX-License-Identifier: MIT
 *
 * uts: counts the nodes of trees that are known only by walking them (Olivier et al., "UTS: An
 * Unbalanced Tree Search Benchmark", LCPC 2006). A node is a SHA-1 of its parent's and of its own
 * number among its siblings, a part of which decides how many children it has. A fork for each
 * child.
 *
 *   T1  geometric, fixed: 4 children on average, down to a depth of 10. 4,130,071 nodes
 *   T3  binomial: 2,000 children of the root; below it 8 with probability 0.124875, or none. It is
 *       1,572 deep, and its subtrees are as uneven as can be. 4,112,897 nodes
 *
 * (Of the latter most nodes stand below one child of the root: there are either a few thousand or
 * millions.) The size is T1's depth, T3's number of children of the root; the check the number of
 * nodes.
 */
#ifndef WEFT_PERF_UTS_H
#define WEFT_PERF_UTS_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uts_tree;

struct uts {
        uint64_t nodes;
        const struct uts_tree *tree;
        unsigned depth;
        uint32_t state[5];
};

/* Of stack, of each thread or task that walks T3: it is as deep as the tree, with what the system
 * needs at each node. */
enum { UTS_STACK = 8 << 20 };

void *uts_make_t1(size_t depth);
void *uts_make_t3(size_t root);
void uts_ready(void *data);
void uts_serial(void *data);
uint64_t uts_check(void *data);

/* How many children it has, up to 100, or as many as the size says; then these. */
size_t uts_count(const struct uts *node);
void uts_children(const struct uts *node, struct uts *child, size_t n);

#ifdef __cplusplus
}
#endif

#endif
