/* SPDX-License-Identifier: MIT
 *
 * Tasks submitted by threads outside the pool: ns a task from the first submit until the last task
 * has run, so that neither side can save at the other's expense.
 */
#include "bench.h"

#include <pthread.h>

#define TASKS          1000000
#define PRODUCERS_MOST 64

struct producer {
        pthread_t thread;
        size_t tasks;
        bool failed;
};

static void *produce(void *arg)
{
        struct producer *p = arg;
        int r = 0;
        for (size_t i = 0; i < p->tasks; i++)
                r |= weft_submit(bench_pool, bench_tick, NULL);
        p->failed = r != 0;
        return NULL;
}

/* The first producer is this thread; the others inherit its context. */
enum bench_end bench_submit(struct bench *b, unsigned producers, size_t tasks, double *ret)
{
        struct producer p[PRODUCERS_MOST] = {0};
        size_t share = tasks / producers;
        uint64_t before = bench_ticks();
        bool failed = false;
        int64_t begin = bench_now();
        for (unsigned i = 0; i < producers; i++)
                p[i].tasks = share;
        for (unsigned i = 1; i < producers; i++)
                bench_must(weft_thread_create(&p[i].thread, NULL, produce, &p[i]) == 0,
                           "start a thread");
        produce(&p[0]);
        for (unsigned i = 1; i < producers; i++)
                pthread_join(p[i].thread, NULL);
        for (unsigned i = 0; i < producers; i++)
                failed |= p[i].failed;
        if (failed)
                return bench_wrong(b, "a submit failed");
        enum bench_end end = bench_ticked(b, before + share * producers);
        *ret = bench_per(begin, share * producers);
        return end;
}

static enum bench_end round_submit(struct bench *b, double *ret)
{
        return bench_submit(b, b->c->param, bench_ops(b, TASKS), ret);
}

#define CASE(from, of, producers_, workers_)                                                       \
        {                                                                                          \
                .name = "submit/" #producers_ "-to-" #workers_,                                    \
                .what = "1 M empty tasks from " from " outside, " of ", submit and run",           \
                .figure = {{.name = "task", .in = BENCH_NS}}, .vars = 8, .param = producers_,      \
                .workers = workers_, .setup = bench_pool_up, .round = round_submit,                \
                .teardown = bench_pool_down                                                        \
        }

const struct bench_case bench_submit_cases[] = {
    CASE("a thread", "one worker", 1, 1),
    CASE("a thread", "two workers", 1, 2),
    CASE("four threads", "one worker", 4, 1),
    CASE("four threads", "two workers", 4, 2),
    {0},
};
