/* SPDX-License-Identifier: MIT
 *
 * What the environment asks of a test build (see knobs.h).
 *
 * Each thread has random numbers of its own, which the seed and the order in which threads began
 * determine. A delay is nothing in most cases; else some turns of a loop, the processor for others,
 * or sleep. It may fall into a signal handler and keeps errno.
 */
#include "knobs.h"

#if defined(WEFT_TEST_HOOKS) && !defined(WEFT_MODEL)

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct weft__knobs weft__knobs;

static unsigned number_in(const char *name, unsigned otherwise)
{
        const char *text = getenv(name);
        return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* Before the other constructors of the library. */
__attribute__((constructor(101))) static void read_knobs(void)
{
        weft__knobs.workers = number_in("WEFT_TEST_WORKERS", 0);
        weft__knobs.migrate = number_in("WEFT_TEST_MIGRATE", 0) != 0;
        weft__knobs.no_spin = number_in("WEFT_TEST_SPIN", 1) == 0;
        weft__knobs.wrap = number_in("WEFT_TEST_WRAP", 0) != 0;
        weft__knobs.delays = number_in("WEFT_TEST_DELAYS", 0);
}

static uint32_t next_random(void)
{
        static atomic_uint threads;
        static _Thread_local uint32_t state;
        if (!state) { /* relaxed: any order will do */
                unsigned thread = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
                state = (weft__knobs.delays + thread) * 2654435761u | 1;
        }
        state ^= state << 13; /* Marsaglia's xorshift */
        state ^= state >> 17;
        state ^= state << 5;
        return state;
}

void weft__delay_now(void)
{
        uint32_t r = next_random();
        int saved = errno;
        if (r % 2048 == 0) {
                const struct timespec while_others_run = {0, (long)(r >> 11) % 100000};
                nanosleep(&while_others_run, NULL);
        } else if (r % 256 == 0) {
                sched_yield();
        } else if (r % 8 == 0) {
                for (uint32_t turns = r >> 20 & 255; turns; turns--)
                        __asm__ volatile("");
        }
        errno = saved;
}

#endif
