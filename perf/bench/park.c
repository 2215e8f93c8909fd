/* SPDX-License-Identifier: MIT
 *
 * Waiting: what it costs to park a task and go on with it when it is one of many, and what one that
 * is parked takes.
 */
#include "bench.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST   1000
#define PARKED 50000

/* ---- park and resume ---- */

/* Tasks that wait each at a semaphore of its own, and one that posts all of them in turn: what is
 * timed is a post, the resumption and the next park. Of a hundred all is in the first caches; of a
 * thousand neither what they touch is there, nor the translations of their stacks' addresses. */
static struct {
        weft_semaphore turn[MOST], round;
        size_t tasks;
        size_t rounds;
        size_t left; /* in this round; all of them run on one worker */
        bool failed;
} many;

static int take_turns(void *arg)
{
        weft_semaphore *turn = arg;
        for (size_t i = 0; i < many.rounds; i++) {
                many.failed |= weft_semaphore_wait(turn, WEFT_FOREVER) != 0;
                if (--many.left == 0)
                        weft_semaphore_post(&many.round);
        }
        return 0;
}

static int give_turns(void *arg)
{
        double *ns = arg;
        weft_group group;
        weft_group_init(&group, NULL);
        weft_semaphore_init(&many.round, 0);
        for (size_t i = 0; i < many.tasks; i++) {
                weft_semaphore_init(&many.turn[i], 0);
                many.failed |= weft_group_spawn(&group, take_turns, &many.turn[i]) != 0;
        }
        int64_t begin = 0;
        for (size_t r = 0; r < many.rounds && !many.failed; r++) {
                if (r == 1)
                        begin = bench_now(); /* in the first round they begin */
                many.left = many.tasks;
                for (size_t i = 0; i < many.tasks; i++)
                        weft_semaphore_post(&many.turn[i]);
                many.failed |= weft_semaphore_wait(&many.round, WEFT_FOREVER) != 0;
        }
        *ns = bench_per(begin, (many.rounds - 1) * many.tasks);
        weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        return BENCH_OK;
}

static enum bench_end resume(struct bench *b, double *ret, size_t tasks)
{
        many.tasks = tasks;
        many.rounds = 2 + bench_ops(b, 100 * MOST) / tasks;
        many.failed = false;
        enum bench_end end = bench_within(b, give_turns, ret);
        return many.failed ? bench_wrong(b, "a wait or a spawn failed") : end;
}

static enum bench_end round_resume_100(struct bench *b, double *ret)
{
        return resume(b, ret, 100);
}

static enum bench_end round_resume_1000(struct bench *b, double *ret)
{
        return resume(b, ret, MOST);
}

/* ---- memory ---- */

static weft_var own = WEFT_VAR_INIT("own");
static weft_event go_on;
static atomic_size_t gone_wrong;
static uint64_t ran; /* since the pool was made: a round may be measured again */

static int park(void *arg)
{
        int r = weft_set(&own, arg, NULL);
        r |= weft_event_wait(&go_on, WEFT_FOREVER);
        if (r || weft_get(&own) != arg)
                atomic_fetch_add(&gone_wrong, 1);
        return bench_tick(NULL);
}

/* Bytes: what the process has in memory, and the page tables for it. */
static double taken(void)
{
        char line[256];
        long kib = 0;
        FILE *f = fopen("/proc/self/status", "re");
        while (f && fgets(line, sizeof(line), f))
                if (!strncmp(line, "VmRSS:", 6) || !strncmp(line, "VmPTE:", 6))
                        kib += strtol(line + 6, NULL, 10);
        if (f)
                fclose(f);
        return (double)kib * 1024;
}

static uint64_t parked_now(void)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        weft_pool_stats(bench_pool, &stats);
        return stats.parked;
}

/* A few at a time, so that few are queued: a task that is has memory of its own. */
static enum bench_end round_memory(struct bench *b, double *ret)
{
        enum { AT_A_TIME = 100 };
        size_t n = bench_ops(b, PARKED) / AT_A_TIME * AT_A_TIME;
        uint64_t before_parked = parked_now();
        weft_event_init(&go_on);
        atomic_store(&gone_wrong, 0);
        double before = taken();
        for (size_t i = 0; i < n; i++) {
                if (weft_submit(bench_pool, park, (void *)(uintptr_t)(i + 1)) != 0)
                        return bench_wrong(b, "a submit failed");
                while ((i + 1) % AT_A_TIME == 0 && parked_now() - before_parked < i + 1)
                        bench_sleep(1000);
        }
        ret[0] = (taken() - before) / (double)n;
        weft_event_set(&go_on);
        ran += n;
        if (bench_ticked(b, ran) != BENCH_OK)
                return BENCH_WRONG;
        return atomic_load(&gone_wrong) ? bench_wrong(b, "a task lost its context") : BENCH_OK;
}

static enum bench_end setup_memory(struct bench *b)
{
        ran = 0;
        return bench_pool_up(b);
}

const struct bench_case bench_park_cases[] = {
    {
        .name = "park/resume-100",
        .what = "post, resume and park again, of one of a hundred tasks, one worker",
        .figure = {{.name = "park + resume", .in = BENCH_NS, BENCH_MARK(60, BENCH_U)}},
        .vars = 8,
        .workers = 1,
        .setup = bench_pool_up,
        .round = round_resume_100,
        .teardown = bench_pool_down,
    },
    {
        .name = "park/resume-1000",
        .what = "post, resume and park again, of one of a thousand tasks, one worker",
        .figure = {{.name = "park + resume", .in = BENCH_NS, BENCH_MARK(60, BENCH_U)}},
        .vars = 8,
        .workers = 1,
        .setup = bench_pool_up,
        .round = round_resume_1000,
        .teardown = bench_pool_down,
    },
    {
        .name = "park/memory",
        .what = "what a parked task takes, page tables included, each with a context of its own",
        .figure = {{.name = "parked task", .in = BENCH_BYTES, BENCH_MARK(4710, BENCH_BYTES)}},
        .workers = 2,
        .rounds = 1, /* the next one would find memory that is there already */
        .setup = setup_memory,
        .round = round_memory,
        .teardown = bench_pool_down,
    },
    {0},
};
