/* SPDX-License-Identifier: MIT
 *
 * uts: see uts.h. The trees are those of the published benchmark to the node, so SHA-1 and the
 * arithmetic of its parameters follow it exactly.
 */
#include "uts.h"

#include <alloca.h>
#include <math.h>
#include <stdlib.h>

enum {
        SEED_T1 = 19,
        SEED_T3 = 42,
        CHILDREN_MOST = 100, /* of a node of a geometric tree */
        ROOT_MOST = 10000,   /* of the root of a binomial one */
};

struct uts_tree {
        struct uts root;
        uint32_t seed;
        size_t depth; /* of a geometric tree; 0: it is a binomial one... */
        size_t first; /* ...whose root has so many children */
};

static uint32_t turn(uint32_t x, int by)
{
        return x << by | x >> (32 - by);
}

/* SHA-1 of one block (FIPS 180-4, 6.1.2); w goes. */
static void sha1_block(uint32_t w[16], uint32_t ret[5])
{
        static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                                          0xc3d2e1f0};
        uint32_t a = start[0], b = start[1], c = start[2], d = start[3], e = start[4];
        for (int t = 0; t < 80; t++) {
                if (t >= 16)
                        w[t & 15] = turn(
                            w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
                uint32_t f = t < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                             : t < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                             : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                      : (b ^ c ^ d) + 0xca62c1d6;
                uint32_t next = turn(a, 5) + f + e + w[t & 15];
                e = d;
                d = c;
                c = turn(b, 30);
                b = a;
                a = next;
        }
        ret[0] = start[0] + a;
        ret[1] = start[1] + b;
        ret[2] = start[2] + c;
        ret[3] = start[3] + d;
        ret[4] = start[4] + e;
}

/* SHA-1 of n words, at most 13, the most significant byte of each first. */
static void sha1(const uint32_t *words, unsigned n, uint32_t ret[5])
{
        uint32_t w[16] = {0};
        for (unsigned i = 0; i < n; i++)
                w[i] = words[i];
        w[n] = 0x80000000;
        w[15] = 32 * n;
        sha1_block(w, ret);
}

/* What a node's state says, from 0 to 1. */
static double chance(const struct uts *node)
{
        return (node->state[4] & 0x7fffffff) / 2147483648.0;
}

static size_t count_geometric(const struct uts *node)
{
        double children = node->depth < node->tree->depth ? 4 : 0;
        double p = 1 / (1 + children);
        size_t n = (size_t)floor(log(1 - chance(node)) / log(1 - p));
        return n < CHILDREN_MOST ? n : CHILDREN_MOST;
}

static size_t count_binomial(const struct uts *node)
{
        if (node->depth == 0)
                return node->tree->first;
        return chance(node) < 0.124875 ? 8 : 0;
}

size_t uts_count(const struct uts *node)
{
        return node->tree->depth ? count_geometric(node) : count_binomial(node);
}

void uts_children(const struct uts *node, struct uts *child, size_t n)
{
        uint32_t words[6] = {node->state[0], node->state[1], node->state[2], node->state[3],
                             node->state[4]};
        for (size_t i = 0; i < n; i++) {
                words[5] = (uint32_t)i;
                child[i].nodes = 0;
                child[i].tree = node->tree;
                child[i].depth = node->depth + 1;
                sha1(words, 6, child[i].state);
        }
}

void uts_serial(void *data)
{
        struct uts *node = data;
        size_t n = uts_count(node);
        node->nodes = 1;
        if (n == 0)
                return;
        struct uts *child = alloca(n * sizeof(*child));
        uts_children(node, child, n);
        for (size_t i = 0; i < n; i++)
                uts_serial(&child[i]);
        for (size_t i = 0; i < n; i++)
                node->nodes += child[i].nodes;
}

void *uts_make_t1(size_t depth)
{
        struct uts_tree *tree = depth <= 14 ? malloc(sizeof(*tree)) : NULL;
        if (tree)
                *tree = (struct uts_tree){.seed = SEED_T1, .depth = depth};
        return tree;
}

void *uts_make_t3(size_t root)
{
        struct uts_tree *tree = root <= ROOT_MOST ? malloc(sizeof(*tree)) : NULL;
        if (tree)
                *tree = (struct uts_tree){.seed = SEED_T3, .first = root};
        return tree;
}

void uts_ready(void *data)
{
        struct uts_tree *tree = data;
        const uint32_t words[5] = {0, 0, 0, 0, tree->seed};
        tree->root = (struct uts){.tree = tree};
        sha1(words, 5, tree->root.state);
}

uint64_t uts_check(void *data)
{
        const struct uts_tree *tree = data;
        return tree->root.nodes;
}
