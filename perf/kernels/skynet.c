/* SPDX-License-Identifier: MIT
 *
 * skynet: see skynet.h.
 */
#include "skynet.h"

#include <stdlib.h>

void *skynet_make(size_t size)
{
        size_t leaves = 1;
        while (leaves < size && leaves < SIZE_MAX / SKYNET_CHILDREN)
                leaves *= SKYNET_CHILDREN;
        struct skynet *s = leaves == size ? malloc(sizeof(*s)) : NULL;
        if (s)
                *s = (struct skynet){.leaves = leaves};
        return s;
}

void skynet_ready(void *data)
{
        struct skynet *s = data;
        s->sum = 0;
}

void skynet_children(const struct skynet *s, struct skynet child[SKYNET_CHILDREN])
{
        uint64_t leaves = s->leaves / SKYNET_CHILDREN;
        for (size_t i = 0; i < SKYNET_CHILDREN; i++)
                child[i] = (struct skynet){.first = s->first + i * leaves, .leaves = leaves};
}

void skynet_serial(void *data)
{
        struct skynet *s = data, child[SKYNET_CHILDREN];
        s->sum = s->first;
        if (s->leaves == 1)
                return;
        skynet_children(s, child);
        for (size_t i = 0; i < SKYNET_CHILDREN; i++)
                skynet_serial(&child[i]);
        s->sum = 0;
        for (size_t i = 0; i < SKYNET_CHILDREN; i++)
                s->sum += child[i].sum;
}

uint64_t skynet_check(void *data)
{
        const struct skynet *s = data;
        return s->sum;
}
