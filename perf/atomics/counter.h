/* SPDX-License-Identifier: MIT
 *
 * What the instrumented build counts. The library is compiled with -fsanitize=thread, which makes a
 * call of each access to memory and of each atomic operation; counter.c is what is called. So
 * nothing in the sources is annotated.
 *
 * Of each cache line it is known which threads hold it, as a processor with a cache for each thread
 * would: who reads it joins them, who writes it is alone with it from then on. A write is shared if
 * anybody else held the line, a read if the thread did not; either would have to fetch it from
 * another processor. A line that nobody has touched before is nobody's, and costs nothing here.
 * What the system, the allocator and the program around the library do is not seen.
 */
#ifndef WEFT_PERF_ATOMICS_COUNTER_H
#define WEFT_PERF_ATOMICS_COUNTER_H

#include <stdint.h>

enum counted {
        COUNTED_RMW,    /* atomic read-modify-writes, failed ones too */
        COUNTED_FENCE,  /* full fences, and seq_cst stores, which contain one */
        COUNTED_WRITES, /* shared writes */
        COUNTED_READS,  /* shared reads */
        COUNTED,
};

struct counts {
        uint64_t of[COUNTED];
};

/* Of all threads, since the program began; exact while none of them runs instrumented code. */
struct counts counted_all(void);

/* Of the thread that calls. */
struct counts counted_here(void);

#endif
