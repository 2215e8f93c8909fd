/* SPDX-License-Identifier: MIT
 *
 * A library of a few lines with a bug of each kind that the driver is there to find. Compiled as
 * the real one is. tests/faults/run demands that each scene of the suite `bad` has a problem, and
 * none of `good`.
 */
#include "seeded.h"

#include <string.h>

/* Right: what was made first goes when the second cannot be had. */
int seeded_pair(struct pair *ret)
{
        struct pair p = {.first = weft__alloc(16)};
        if (!p.first)
                return -ENOMEM;
        p.second = weft__alloc(16);
        if (!p.second) {
                weft__free(p.first, 16);
                return -ENOMEM;
        }
        *ret = p;
        return 0;
}

int seeded_pair_leaks(struct pair *ret)
{
        struct pair p = {.first = weft__alloc(16)};
        if (!p.first)
                return -ENOMEM;
        p.second = weft__alloc(16);
        if (!p.second)
                return -ENOMEM;
        *ret = p;
        return 0;
}

int seeded_pair_ignores(struct pair *ret)
{
        ret->first = weft__alloc(16);
        ret->second = weft__alloc(16);
        memset(ret->second, 0, 16);
        return ret->first ? 0 : -ENOMEM;
}

int seeded_pair_lies(struct pair *ret)
{
        return seeded_pair(ret) < 0 ? -EPERM : 0;
}

int seeded_pair_frees_twice(struct pair *ret)
{
        struct pair p = {.first = weft__alloc(16)};
        if (!p.first)
                return -ENOMEM;
        p.second = weft__alloc(16);
        if (!p.second) {
                weft__free(p.first, 16);
                weft__free(p.first, 16);
                return -ENOMEM;
        }
        *ret = p;
        return 0;
}

int seeded_pair_waits(struct pair *ret)
{
        while (seeded_pair(ret) < 0)
                sched_yield();
        return 0;
}

/* The first failure is remembered for good. */
int seeded_pair_breaks(struct pair *ret)
{
        static bool broken;
        if (!broken)
                broken = seeded_pair(ret) < 0;
        return broken ? -ENOMEM : 0;
}

void seeded_pair_free(struct pair *pair)
{
        weft__free(pair->first, 16);
        weft__free(pair->second, 16);
}
