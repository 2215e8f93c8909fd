/* SPDX-License-Identifier: MIT
 *
 * Wake-ups: a task submits another to its own queue while the only other worker is about to fall
 * asleep, and then keeps its worker busy, so that nobody but that other can run it. A wake-up that
 * is lost then shows: as what a publisher without its fence does, on x86 too.
 */
#include "stress.h"

#include <sched.h>

enum {
        SPREAD_NS = 16 * 1000, /* from one submit to the next: a worker searches for 10 us */
        LOST_NS = 1000 * 1000 * 1000,
        LOOKS = 10, /* so far apart: on a busy machine the first may be too early */
};

/* Valgrind runs the threads in turn. */
#if defined(WEFT_VALGRIND)
#define ONE_AT_A_TIME true
#else
#define ONE_AT_A_TIME false
#endif

static uint64_t rounds = STRESS_SLOW ? 10000 : 100000, limit_ms = 3000;
static atomic_ulong ran;

static int count(void *unused)
{
        (void)unused;
        atomic_fetch_add(&ran, 1);
        return 0;
}

/* Nothing submits meanwhile that could wake the sleeper after all. */
static void spin_until(int64_t time)
{
        while (weft_now() < time)
                ;
}

static int submit_and_stay(void *pool)
{
        struct rng rng = {stress_seed};
        int64_t end = weft_now() + (int64_t)limit_ms * 1000 * 1000;
        uint64_t i = 0;
        for (; i < rounds && weft_now() < end; i++) {
                spin_until(weft_now() + rng_below(&rng, SPREAD_NS));
                CHECK(weft_submit(pool, count, NULL) == 0, "round %" PRIu64, i);
                int64_t next = weft_now() + LOST_NS;
                for (int looks = 0; atomic_load_explicit(&ran, memory_order_relaxed) <= i;) {
                        if (weft_now() < next)
                                continue;
                        CHECK(++looks < LOOKS, "nobody woke for the task of round %" PRIu64, i);
                        sched_yield();
                        next = weft_now() + LOST_NS;
                }
        }
        printf("%" PRIu64 " rounds\n", i);
        return 0;
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {{"--rounds", &rounds, "tasks submitted"},
                                                {"--ms", &limit_ms, "no new one after so long"},
                                                {NULL, NULL, NULL}};
        stress_begin(argc, argv, options);

        cpu_set_t cpus;
        CHECK(sched_getaffinity(0, sizeof(cpus), &cpus) == 0, "%s", strerror(errno));
        if (CPU_COUNT(&cpus) < 2 || ONE_AT_A_TIME) {
                printf(
                    "one thread at a time: one that spins would only keep the sleeper from it\n");
                return 77;
        }
        const weft_pool_options two = {.size = sizeof(two), .workers = 2};
        weft_pool *pool;
        weft_task *task;
        CHECK(weft_pool_create(&pool, &two) == 0, "no pool");
        if (weft_pool_workers(pool) < 2) {
                printf(
                    "a pool of one worker, as `make check-matrix` has it: nobody else to wake\n");
                return 77;
        }
        CHECK(weft_spawn(pool, &task, submit_and_stay, pool) == 0, "no task");
        CHECK(weft_await(task, WEFT_FOREVER) == 0, "the task failed");
        weft_task_unref(task);
        weft_pool_destroy(pool);
        return 0;
}
