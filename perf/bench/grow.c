/* SPDX-License-Identifier: MIT
 *
 * How cost grows: each case is a curve, its figures are points of it, and each round measures all
 * of them. What scales well is flat, or nearly so.
 */
#include "bench.h"

#include <math.h>
#include <stdatomic.h>

#define TASKS   500000
#define LOOKUPS (1 << 20)
#define SETS    (1 << 18)
#define ORDER   4096 /* vars are taken in an order that cannot be foreseen, of so many */

typedef enum bench_end point_fn(struct bench *b, size_t x, double *ret);

static enum bench_end curve(struct bench *b, point_fn *point, double *ret)
{
        enum bench_end end = BENCH_OK;
        for (size_t i = 0; b->c->figure[i].name && end == BENCH_OK; i++) {
                ret[i] = NAN;
                if (!b->quick || b->c->figure[i].x <= b->c->param)
                        end = point(b, (size_t)b->c->figure[i].x, &ret[i]);
        }
        return end;
}

/* ---- tasks ---- */

static _Atomic int64_t last_ran_at;

static int note_time(void *arg)
{
        atomic_store(&last_ran_at, bench_now());
        return bench_tick(arg);
}

/* From the first submit until the last one has run, of so many in a row; the worker sleeps before
 * the first. */
static enum bench_end many_tasks(struct bench *b, size_t tasks, int64_t *ns)
{
        uint64_t before = bench_ticks();
        int failed = 0;
        int64_t begin = bench_now();
        for (size_t i = 0; i < tasks - 1; i++)
                failed |= weft_submit(bench_pool, bench_tick, NULL);
        failed |= weft_submit(bench_pool, note_time, NULL);
        enum bench_end end = bench_ticked(b, before + tasks);
        *ns += atomic_load(&last_ran_at) - begin;
        return failed ? bench_wrong(b, "a submit failed") : end;
}

static enum bench_end at_tasks(struct bench *b, size_t tasks, double *ret)
{
        size_t done = 0;
        int64_t ns = 0;
        enum bench_end end = bench_pool_up(b);
        for (; done < TASKS && end == BENCH_OK; done += tasks)
                end = many_tasks(b, tasks, &ns);
        *ret = (double)ns / (double)done;
        return end == BENCH_OK ? bench_pool_down(b) : end;
}

static enum bench_end round_tasks(struct bench *b, double *ret)
{
        return curve(b, at_tasks, ret);
}

/* ---- workers, producers ---- */

static enum bench_end submit_with(struct bench *b, unsigned producers, unsigned workers,
                                  double *ret)
{
        enum bench_end end = bench_pool_of(b, workers);
        if (end != BENCH_OK)
                return end;
        end = bench_submit(b, producers, bench_ops(b, TASKS), ret);
        return end == BENCH_OK ? bench_pool_down(b) : end;
}

static enum bench_end at_workers(struct bench *b, size_t workers, double *ret)
{
        return submit_with(b, 1, (unsigned)workers, ret);
}

static enum bench_end at_producers(struct bench *b, size_t producers, double *ret)
{
        return submit_with(b, (unsigned)producers, b->c->workers, ret);
}

static enum bench_end round_workers(struct bench *b, double *ret)
{
        return curve(b, at_workers, ret);
}

static enum bench_end round_producers(struct bench *b, double *ret)
{
        return curve(b, at_producers, ret);
}

/* ---- vars ---- */

/* What is measured at a point, in a frame in which so many vars are bound. */
struct at_vars {
        struct bench *b;
        size_t vars;
        weft_var *order[ORDER]; /* the vars to use: those that are bound, or the first */
        enum bench_end (*measure)(struct at_vars *a);
        double ns;
};

static enum bench_end measure_get(struct at_vars *a)
{
        size_t n = bench_ops(a->b, LOOKUPS);
        uintptr_t sum = 0, expected = 0;
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++)
                sum += (uintptr_t)weft_get(a->order[i % ORDER]);
        a->ns = bench_cpu_per(begin, n);
        for (size_t i = 0; i < n && a->vars; i++)
                expected += (uintptr_t)bench_value((size_t)(a->order[i % ORDER] - bench_var));
        return sum == expected ? BENCH_OK : bench_wrong(a->b, "get gave another value");
}

static enum bench_end measure_set(struct at_vars *a)
{
        static char other;
        size_t n = bench_ops(a->b, SETS);
        int failed = 0;
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++) {
                weft_token token;
                failed |= weft_set(a->order[i % ORDER], &other, &token);
                failed |= weft_reset(a->order[i % ORDER], &token);
        }
        a->ns = bench_cpu_per(begin, n);
        return failed ? bench_wrong(a->b, "a set or reset failed") : BENCH_OK;
}

/* Somebody holds the context each time, so that set has to make a new one. */
static enum bench_end measure_set_captured(struct at_vars *a)
{
        static char other;
        size_t n = bench_ops(a->b, SETS);
        int failed = 0;
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++) {
                weft_token token;
                weft_context *held = weft_context_capture();
                failed |= weft_set(a->order[i % ORDER], &other, &token);
                failed |= weft_reset(a->order[i % ORDER], &token);
                weft_context_unref(held);
        }
        a->ns = bench_cpu_per(begin, n);
        return failed ? bench_wrong(a->b, "a set or reset failed") : BENCH_OK;
}

static enum bench_end measure_submit(struct at_vars *a)
{
        enum bench_end end = bench_pool_up(a->b);
        if (end != BENCH_OK)
                return end;
        end = bench_submit_apart(a->b, bench_ops(a->b, TASKS), &a->ns);
        return end == BENCH_OK ? bench_pool_down(a->b) : end;
}

/* A frame of its own, from the empty context: a weft_fn. */
static int bind_and_measure(void *arg)
{
        struct at_vars *a = arg;
        uint64_t random = 1;
        for (size_t i = 0; i < a->vars; i++)
                if (weft_set(&bench_var[i], bench_value(i), NULL) != 0)
                        return bench_wrong(a->b, "cannot bind a var");
        for (size_t i = 0; i < ORDER; i++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                a->order[i] = &bench_var[a->vars ? (random >> 33) % a->vars : 0];
        }
        enum bench_end end = a->measure(a);
        void *value;
        for (size_t i = 0; i < a->vars && end == BENCH_OK; i++)
                if (weft_lookup(&bench_var[i], &value) != 0 || value != bench_value(i))
                        end = bench_wrong(a->b, "var %zu has lost its binding", i);
        return end;
}

static enum bench_end at_vars(struct bench *b, size_t vars, double *ret,
                              enum bench_end (*measure)(struct at_vars *a))
{
        static struct at_vars a; /* large for a stack */
        a = (struct at_vars){.b = b, .vars = vars, .measure = measure};
        int end = weft_context_run(NULL, bind_and_measure, &a, NULL);
        *ret = a.ns;
        return end < 0 ? bench_wrong(b, "cannot run in a context") : (enum bench_end)end;
}

#define VARS_POINT(name, measure)                                                                  \
        static enum bench_end name##_at(struct bench *b, size_t vars, double *ret)                 \
        {                                                                                          \
                return at_vars(b, vars, ret, measure);                                             \
        }                                                                                          \
        static enum bench_end name(struct bench *b, double *ret)                                   \
        {                                                                                          \
                return curve(b, name##_at, ret);                                                   \
        }

VARS_POINT(round_get, measure_get)
VARS_POINT(round_set, measure_set)
VARS_POINT(round_set_captured, measure_set_captured)
VARS_POINT(round_submit, measure_submit)

#define AT(x_, of)                                                                                 \
        {                                                                                          \
                .name = of ": " #x_, .in = BENCH_NS, .x = x_                                       \
        }
#define TASKS_ARE                                                                                  \
        {                                                                                          \
                AT(1000, "tasks"), AT(10000, "tasks"), AT(100000, "tasks"), AT(1000000, "tasks"),  \
                    AT(10000000, "tasks")                                                          \
        }
#define VARS_ARE                                                                                   \
        {                                                                                          \
                AT(0, "vars"), AT(1, "vars"), AT(2, "vars"), AT(4, "vars"), AT(8, "vars"),         \
                    AT(16, "vars"), AT(32, "vars"), AT(64, "vars"), AT(128, "vars"),               \
                    AT(256, "vars"), AT(512, "vars"), AT(1000, "vars")                             \
        }
#define UP_TO_64(of)                                                                               \
        {                                                                                          \
                AT(1, of), AT(2, of), AT(4, of), AT(8, of), AT(16, of), AT(32, of), AT(64, of)     \
        }

/* param: how far the curve goes with --quick. */
const struct bench_case bench_grow_cases[] = {
    {.name = "grow/tasks",
     .what = "submit and run a task, by how many are submitted in a row; one worker",
     .figure = TASKS_ARE,
     .vars = 8,
     .rounds = 5,
     .workers = 1,
     .param = 100000,
     .round = round_tasks},
    {.name = "grow/get",
     .what = "weft_get, by how many vars are bound",
     .figure = VARS_ARE,
     .rounds = 5,
     .param = 1000,
     .round = round_get},
    {.name = "grow/set",
     .what = "weft_set + weft_reset, by how many vars are bound",
     .figure = VARS_ARE,
     .rounds = 5,
     .param = 1000,
     .round = round_set},
    {.name = "grow/set-captured",
     .what = "the same while somebody holds the context, so that it is copied",
     .figure = VARS_ARE,
     .rounds = 5,
     .param = 1000,
     .round = round_set_captured},
    {.name = "grow/submit",
     .what = "submit and run a task, by how many vars are bound; CPU time, one worker",
     .figure = VARS_ARE,
     .rounds = 5,
     .workers = 1,
     .param = 1000,
     .round = round_submit},
    {.name = "grow/workers",
     .what = "submit and run a task, by how many workers there are; a thread outside",
     .figure = UP_TO_64("workers"),
     .vars = 8,
     .rounds = 5,
     .param = 64,
     .round = round_workers},
    {.name = "grow/producers",
     .what = "submit and run a task, by how many threads submit; two workers",
     .figure = UP_TO_64("producers"),
     .vars = 8,
     .rounds = 5,
     .workers = 2,
     .param = 64,
     .round = round_producers},
    {0},
};
