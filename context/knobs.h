/* SPDX-License-Identifier: MIT
 *
 * What the environment asks of a test build. It is read once, before main(); other builds have none
 * of it. `make check-matrix` runs the tests under each.
 *
 *   WEFT_TEST_WORKERS=N   so many workers, whatever the program asks for
 *   WEFT_TEST_MIGRATE=1   tasks that have waited go on elsewhere, as often as they can
 *   WEFT_TEST_SPIN=0      who finds no work sleeps at once
 *   WEFT_TEST_WRAP=1      counters begin a few steps before they wrap, those of 64 bits that must
 *                         not (indices of a deque, ids of frames) before 32 of their bits do
 *   WEFT_TEST_DELAYS=N    delays at random around each store, read-modify-write and fence, so that
 *                         what is between two of them is seen by others half done. N seeds them.
 *
 * Not among the counters are figures, of 64 bits, and counts of what takes memory while it is
 * counted, which is used up first: references to a context (a place for each pointer, and 1024 in
 * the bank of each thread), tasks of a group, units of a semaphore (which refuses one too many).
 */
#ifndef WEFT_CONTEXT_KNOBS_H
#define WEFT_CONTEXT_KNOBS_H

#include <limits.h> /* for the callers of WEFT__FIRST */
#include <stdbool.h>
#include <stdint.h>

#if defined(WEFT_TEST_HOOKS) && !defined(WEFT_MODEL)

struct weft__knobs {
        unsigned workers; /* 0: as asked for */
        bool migrate, no_spin, wrap;
        unsigned delays; /* the seed; 0: none */
};
extern struct weft__knobs weft__knobs;

void weft__delay_now(void);

static inline void weft__delay(void)
{
        if (__builtin_expect(weft__knobs.delays != 0, 0))
                weft__delay_now();
}

#define WEFT__KNOB(name)       (weft__knobs.name)
#define WEFT__FIRST(near_wrap) (weft__knobs.wrap ? (near_wrap) : 0)

#else

#define WEFT__KNOB(name)       0
#define WEFT__FIRST(near_wrap) 0

#endif

#endif
