/* SPDX-License-Identifier: MIT
 *
 * Tasks that wait for their time: a time-out that is set and called off, while a thousand others
 * wait, or a million; and what a pool uses that sleeps with a million pending.
 */
#include "bench.h"

#include <stdlib.h>
#include <time.h>

#define HOUR (3600 * BENCH_SECOND)

static weft_task **pending;
static size_t pendings;

/* Some time in the hour after the next one, each as likely as the other. */
static int64_t some_time(void)
{
        static uint64_t state = 88172645463325252;
        state ^= state << 13; /* Marsaglia's xorshift */
        state ^= state >> 7;
        state ^= state << 17;
        return bench_now() + HOUR + (int64_t)(state % HOUR);
}

static enum bench_end down(struct bench *b)
{
        for (size_t i = 0; i < pendings; i++) {
                weft_task_cancel(pending[i]);
                weft_task_unref(pending[i]);
        }
        pendings = 0;
        free(pending);
        return bench_pool_down(b);
}

/* Half of those that wait are spawned by a worker, the others from outside. */
static int spawn_half(void *arg)
{
        struct bench *b = arg;
        size_t wanted = pendings + bench_ops(b, b->c->param) / 2;
        while (pendings < wanted) {
                int r =
                    weft_spawn_at(bench_pool, &pending[pendings], some_time(), 0, bench_tick, NULL);
                if (r < 0)
                        return bench_wrong(b, "cannot spawn: %s", weft_strerror(r));
                pendings++;
        }
        return BENCH_OK;
}

static enum bench_end up(struct bench *b)
{
        enum bench_end r = bench_pool_up(b);
        if (r != BENCH_OK)
                return r;
        pending = calloc(b->c->param, sizeof(*pending));
        bench_must(pending != NULL, "have memory");
        r = bench_within(b, spawn_half, b);
        if (r == BENCH_OK)
                r = spawn_half(b);
        if (r != BENCH_OK)
                down(b);
        return r;
}

struct measure {
        struct bench *b;
        double ns;
};

static int add_cancel(void *arg)
{
        struct measure *m = arg;
        size_t n = bench_ops(m->b, 200000);
        bool wrong = false;
        int64_t begin = bench_now();
        for (size_t i = 0; i < n; i++) {
                weft_task *task;
                int r = weft_spawn_at(bench_pool, &task, some_time(), 0, bench_tick, NULL);
                if (r < 0)
                        return bench_wrong(m->b, "cannot spawn: %s", weft_strerror(r));
                wrong |= weft_task_cancel(task) != 0;
                weft_task_unref(task);
        }
        m->ns = bench_per(begin, n);
        return wrong ? bench_wrong(m->b, "a task was not cancelled") : BENCH_OK;
}

/* Whether as many wait as before. */
static enum bench_end check(struct bench *b)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        weft_pool_stats(bench_pool, &s);
        return s.queued == pendings ? BENCH_OK
                                    : bench_wrong(b, "%llu tasks wait and not %zu",
                                                  (unsigned long long)s.queued, pendings);
}

static enum bench_end round_add_cancel(struct bench *b, double *ret)
{
        struct measure m = {.b = b};
        enum bench_end r = bench_within(b, add_cancel, &m);
        ret[0] = m.ns;
        if (r == BENCH_OK)
                r = (enum bench_end)add_cancel(&m);
        ret[1] = m.ns;
        return r == BENCH_OK ? check(b) : r;
}

static double cpu_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One of them comes due in the middle of the second, so that the pool is not asleep for good. */
static enum bench_end round_idle(struct bench *b, double *ret)
{
        size_t length = bench_ops(b, BENCH_SECOND);
        weft_task *due;
        bench_sleep(BENCH_SECOND / 50);
        double cpu = cpu_ns();
        int64_t begin = bench_now();
        int r = weft_spawn_at(bench_pool, &due, begin + (int64_t)length / 2, 0, bench_tick, NULL);
        if (r < 0)
                return bench_wrong(b, "cannot spawn: %s", weft_strerror(r));
        bench_sleep((int64_t)length);
        ret[0] = 100 * (cpu_ns() - cpu) / (double)(bench_now() - begin);
        int result;
        r = weft_task_result(due, &result);
        weft_task_unref(due);
        return r < 0 ? bench_wrong(b, "a task did not run at its time") : check(b);
}

#define ADD_CANCEL(name_, n, pending_)                                                             \
        {                                                                                          \
                .name = name_,                                                                     \
                .what =                                                                            \
                    "a task set for a time and cancelled, while " pending_ " wait; two workers",   \
                .figure = {{.name = "within a task", .in = BENCH_NS},                              \
                           {.name = "from outside", .in = BENCH_NS}},                              \
                .vars = 8, .workers = 2, .param = (n), .rounds = 5, .setup = up,                   \
                .round = round_add_cancel, .teardown = down                                        \
        }

const struct bench_case bench_timer_cases[] = {
    ADD_CANCEL("timer/cancel-1k", 1000, "a thousand"),
    ADD_CANCEL("timer/cancel-1m", 1000000, "a million"),
    {
        .name = "timer/idle-cpu",
        .what = "CPU time of a pool of two with a million tasks pending, of one CPU, over a second",
        .figure = {{.name = "idle pool", .in = BENCH_PERCENT, BENCH_MARK(0.1, BENCH_PERCENT)}},
        .vars = 8,
        .workers = 2,
        .param = 1000000,
        .rounds = 3,
        .setup = up,
        .round = round_idle,
        .teardown = down,
    },
    {0},
};
