/* SPDX-License-Identifier: MIT
 *
 * Tasks submitted by threads outside the pool: ns a task from the first submit until the last task
 * has run, so that neither side can save at the other's expense.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>

#define TASKS          1000000
#define PRODUCERS_MOST 4

static uint64_t expected; /* ticks since the pool was made */
static size_t share;      /* tasks of each producer */
static atomic_int failed; /* submits of this round */

static void *produce(void *arg)
{
        int r = 0;
        for (size_t i = 0; i < share; i++)
                r |= weft_submit(bench_pool, bench_tick, NULL);
        if (r)
                atomic_store(&failed, 1);
        return arg;
}

/* The first producer is this thread; the others inherit its context. */
static enum bench_end round_submit(struct bench *b, double *ret)
{
        unsigned producers = b->c->param;
        pthread_t thread[PRODUCERS_MOST];
        share = bench_ops(b, TASKS) / producers;
        expected += share * producers;
        int64_t begin = bench_now();
        for (unsigned i = 1; i < producers; i++)
                bench_must(weft_thread_create(&thread[i], NULL, produce, NULL) == 0,
                           "start a thread");
        produce(NULL);
        for (unsigned i = 1; i < producers; i++)
                pthread_join(thread[i], NULL);
        if (atomic_load(&failed))
                return bench_wrong(b, "a submit failed");
        enum bench_end end = bench_ticked(b, expected);
        ret[0] = bench_per(begin, share * producers);
        return end;
}

static enum bench_end setup_submit(struct bench *b)
{
        expected = 0;
        atomic_store(&failed, 0);
        return bench_pool_up(b);
}

#define CASE(from, of, producers_, workers_)                                                       \
        {                                                                                          \
                .name = "submit/" #producers_ "-to-" #workers_,                                    \
                .what = "1 M empty tasks from " from " outside, " of ", submit and run",           \
                .figure = {{.name = "task", .in = BENCH_NS}}, .vars = 8, .param = producers_,      \
                .workers = workers_, .setup = setup_submit, .round = round_submit,                 \
                .teardown = bench_pool_down                                                        \
        }

const struct bench_case bench_submit_cases[] = {
    CASE("a thread", "one worker", 1, 1),
    CASE("a thread", "two workers", 1, 2),
    CASE("four threads", "one worker", 4, 1),
    CASE("four threads", "two workers", 4, 2),
    {0},
};
