/* SPDX-License-Identifier: MIT
 *
 * The processors: how many may be used, and how to spin on one politely.
 */
#ifndef WEFT_POOL_CPU_H
#define WEFT_POOL_CPU_H

#include <stdbool.h>

/* How many threads of this process can run at once: as many CPUs as the calling thread's affinity
 * mask has, but no more than the cgroup's quota pays for, rounded up; at least 1. */
unsigned weft__cpu_count(void);

/* Whether so many threads may look for work for a while before they sleep: each can have a CPU to
 * itself, as far as the calling thread's affinity mask goes, and no quota is used up by it. The
 * quota is read once in a process. */
bool weft__cpu_spares(unsigned threads);

/* The quota of one cgroup in CPUs, rounded up, from the text of its cpu.max file ("max 100000",
 * "150000 100000"); 0 for none. */
unsigned weft__cpu_quota_of(const char *cpu_max);

#if defined(WEFT_MODEL)
void weft__model_pause(void);
#endif

static inline void weft__cpu_pause(void)
{
#if defined(WEFT_MODEL)
        weft__model_pause(); /* others go on, and a little time passes */
#elif defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
