/* SPDX-License-Identifier: MIT
 *
 * A scene for each function of seeded.c, and one whose tolerance hides nothing.
 */
#include "tests/faults/scene.h"
#include "tests/faults/selftest/seeded.h"

static void play(int (*make)(struct pair *ret))
{
        struct pair pair;
        if (TRY(make(&pair), -ENOMEM) == 0)
                seeded_pair_free(&pair);
}

#define SEEDED(suite_, name_, make_)                                                               \
        SCENE(suite_, name_)                                                                       \
        {                                                                                          \
                play(make_);                                                                       \
        }

SEEDED(good, pair, seeded_pair)
SEEDED(bad, leaks, seeded_pair_leaks)
SEEDED(bad, ignores, seeded_pair_ignores)
SEEDED(bad, lies, seeded_pair_lies)
SEEDED(bad, frees_twice, seeded_pair_frees_twice)
SEEDED(bad, waits, seeded_pair_waits)
SEEDED(bad, breaks, seeded_pair_breaks)
