/* SPDX-License-Identifier: MIT
 *
 * The choices of an execution. Depth first: each execution repeats the choices of the one before up
 * to the last one that has another way left, and takes that; so all are gone through, and nothing
 * need be kept but one path. At random, each is drawn, and kept, so that an execution that failed
 * can be run again as it was.
 */
#include "checker.h"

/* splitmix64. */
static uint64_t random64(void)
{
        uint64_t z = mc->rng += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
}

unsigned random_below(unsigned n)
{
        return (unsigned)(random64() % n);
}

/* One of 0 to of - 1; wish is what a random execution takes. */
unsigned choose_or(unsigned of, unsigned wish)
{
        past_may_mark();
        unsigned at = mc->choices++;
        if (at >= CHOICES)
                model_fail("too many choices for one execution");
        struct choice *c = &mc->choice[at];
        if (at < mc->given) {
                if (c->of != of)
                        model_fail("the model does not repeat itself: %u ways where there were %u",
                                   of, c->of);
                return c->taken;
        }
        c->of = (uint16_t)of;
        c->taken = (uint16_t)(mc->mode == RANDOM ? wish : 0);
        mc->given = at + 1;
        return c->taken;
}

unsigned choose(unsigned of)
{
        if (of < 2)
                return 0;
        if (mc->mode != RANDOM)
                return choose_or(of, 0);
        return choose_or(of, random_below(4) ? 0 : random_below(of));
}

unsigned model_any(unsigned n)
{
        return n < 2 ? 0 : choose_or(n, mc->mode == RANDOM ? random_below(n) : 0);
}

bool next_execution(void)
{
        unsigned n = mc->choices;
        while (n && mc->choice[n - 1].taken + 1 == mc->choice[n - 1].of)
                n--;
        if (!n)
                return false;
        mc->choice[n - 1].taken++;
        mc->given = n;
        return true;
}
