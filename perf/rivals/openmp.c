/* SPDX-License-Identifier: MIT
 *
 * OpenMP tasks, by gcc's runtime or by clang's: whichever compiles this. OpenMP knows no threads
 * outside that submit, only those of a team. A pool that has nothing to do is a team between two
 * parallel regions.
 */
#include "tools.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned team; /* workers */

static void up(unsigned workers)
{
        team = workers;
        omp_set_dynamic(0);
}

static void spawn_await(struct rival_round *r)
{
        uint64_t sum = 0;
        r->begin = rival_now();
        for (size_t i = 0; i < r->size; i++) {
                uint64_t result;
#pragma omp task shared(result) firstprivate(i)
                result = i & 1023;
#pragma omp taskwait
                sum += result;
        }
        r->end = rival_now();
        r->check = sum;
}

static void round_spawn_await(struct rival_round *r)
{
#pragma omp parallel num_threads((int)team)
#pragma omp single
        spawn_await(r);
}

static void burst(struct rival_round *r)
{
        r->begin = rival_now();
        for (size_t i = 0; i < r->size; i++) {
#pragma omp task
                rival_tick();
        }
#pragma omp taskwait
        r->end = rival_now();
}

static void round_burst(struct rival_round *r)
{
        uint64_t before = rival_ticks();
#pragma omp parallel num_threads((int)team)
#pragma omp single
        burst(r);
        r->check = rival_ticks() - before;
}

/* The first thread is the caller; the next one is a worker. */
static void start(void)
{
#pragma omp parallel num_threads((int)(team + 1))
        if (omp_get_thread_num() == 1)
                rival_started();
}

static void round_wake(struct rival_round *r)
{
        rival_wake(r, start);
}

static void round_idle(struct rival_round *r)
{
        rival_idle(r, start);
}

static const struct rival_case cases[] = {
    {"spawn-await", round_spawn_await},
    {"burst", round_burst},
    {"wake", round_wake},
    {"idle", round_idle},
    {0},
};

/* The default is to spin for a while between regions: then no pool sleeps, and there is none to
 * wake. The runtime reads what its threads shall do before main() begins. */
static void let_the_idle_sleep(char **argv)
{
        if (!argv[1] || (strcmp(argv[1], "wake") != 0 && strcmp(argv[1], "idle") != 0) ||
            getenv("OMP_WAIT_POLICY"))
                return;
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv);
        rival_fail("start again");
}

int main(int argc, char **argv)
{
        char name[64];
#ifdef __clang__
        snprintf(name, sizeof(name), "libomp %d.%d.%d", __clang_major__, __clang_minor__,
                 __clang_patchlevel__);
#else
        snprintf(name, sizeof(name), "libgomp %s", __VERSION__);
#endif
        const struct rival openmp = {.name = name, .up = up};
        let_the_idle_sleep(argv);
        return rival_main(argc, argv, &openmp, cases);
}
