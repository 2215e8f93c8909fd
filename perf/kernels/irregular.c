/* SPDX-License-Identifier: MIT
 *
 * irregular: see irregular.h.
 */
#include "irregular.h"

#include <stdlib.h>

void *irregular_make(size_t size)
{
        struct irregular *node = size ? malloc(sizeof(*node)) : NULL;
        if (node)
                *node = (struct irregular){.seed = 1, .leaves = size};
        return node;
}

void irregular_ready(void *data)
{
        struct irregular *node = data;
        node->sum = 0;
}

static uint64_t mix(uint64_t x)
{
        x += UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

/* Each child but the last gets an eighth to seven eighths of what is left. */
size_t irregular_children(const struct irregular *node, struct irregular child[IRREGULAR_CHILDREN])
{
        uint64_t random = mix(node->seed), left = node->leaves;
        size_t most = 2 + random % (IRREGULAR_CHILDREN - 1), n = 0;
        while (left > 1 && n + 1 < most) {
                uint64_t leaves = left * (1 + (random >> (8 + 3 * n)) % 7) / 8;
                leaves += leaves == 0;
                child[n] = (struct irregular){.seed = random + n, .leaves = leaves};
                left -= leaves;
                n++;
        }
        child[n] = (struct irregular){.seed = random + n, .leaves = left};
        return n + 1;
}

/* A few dozen steps for most, thousands for one in 64. */
uint64_t irregular_leaf(const struct irregular *node)
{
        uint64_t x = mix(node->seed ^ UINT64_C(0xabcdef));
        unsigned steps = 10 + x % 50 * (x >> 32 & 63 ? 1 : 100);
        while (steps-- > 0)
                x = mix(x);
        return x;
}

void irregular_serial(void *data)
{
        struct irregular *node = data, child[IRREGULAR_CHILDREN];
        if (node->leaves == 1) {
                node->sum = irregular_leaf(node);
                return;
        }
        size_t n = irregular_children(node, child);
        for (size_t i = 0; i < n; i++)
                irregular_serial(&child[i]);
        node->sum = 0;
        for (size_t i = 0; i < n; i++)
                node->sum += child[i].sum;
}

uint64_t irregular_check(void *data)
{
        const struct irregular *node = data;
        return node->sum;
}
