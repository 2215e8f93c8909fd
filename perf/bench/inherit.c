/* SPDX-License-Identifier: MIT
 *
 * What inheritance costs: the same tasks submitted with no var bound, and with 1, 8 and 64, one
 * after the other within each round and beginning with another of the four each time. The ratios
 * are taken round by round. After each measurement some more tasks look whether they see what was
 * bound.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIZES 4
#define LOOKS 100
#define BATCH 10000 /* tasks queued at once */

static const size_t bound[SIZES] = {0, 1, 8, 64};

/* One measurement: with how many vars, of how many tasks. */
struct part {
        struct bench *bench;
        size_t vars, n;
        double ns;
        bool wrong;
};

static uint64_t expected; /* ticks since the pool was made */
static atomic_bool lost;  /* some task did not see its context */

/* A task: the last var that is bound must be there, and the next one not. */
static int look_and_tick(void *arg)
{
        size_t vars = (size_t)arg;
        void *value;
        if ((vars && weft_get(&bench_var[vars - 1]) != bench_value(vars - 1)) ||
            weft_lookup(&bench_var[vars], &value) != -ENOENT)
                atomic_store_explicit(&lost, true, memory_order_relaxed);
        return bench_tick(NULL);
}

static int64_t last_ran_at;

/* The last task of a batch. */
static int note_time_and_tick(void *arg)
{
        last_ran_at = bench_cpu_now();
        return bench_tick(arg);
}

/* In a frame of the part's own, which starts from the empty context: weft_fns. */
static void bind_vars(struct part *p)
{
        for (size_t i = 0; i < p->vars; i++)
                p->wrong |= weft_set(&bench_var[i], bench_value(i), NULL) != 0;
}

static void submit_looks(struct part *p)
{
        for (int i = 0; i < LOOKS; i++)
                p->wrong |= weft_submit(bench_pool, look_and_tick, (void *)p->vars) != 0;
        expected += LOOKS;
}

/* The submits first, the worker being held at a gate, and then the tasks: each side is timed alone,
 * so that neither waits for the other, nor do they share the processor. */
static enum bench_end submit_batch(struct bench *b, int64_t *ns)
{
        uint64_t before = bench_ticks();
        bool failed = false;
        if (bench_gate_shut(b) != BENCH_OK)
                return BENCH_WRONG;
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < BATCH - 1; i++)
                failed |= weft_submit(bench_pool, bench_tick, NULL) != 0;
        failed |= weft_submit(bench_pool, note_time_and_tick, NULL) != 0;
        *ns += bench_cpu_now() - begin;
        bench_gate_open();
        enum bench_end end = bench_ticked(b, before + BATCH);
        *ns += last_ran_at - bench_gate_passed();
        return failed ? bench_wrong(b, "a submit failed") : end;
}

enum bench_end bench_submit_apart(struct bench *b, size_t tasks, double *ret)
{
        enum bench_end end = BENCH_OK;
        int64_t ns = 0;
        size_t done = 0;
        for (; done < tasks && end == BENCH_OK; done += BATCH)
                end = submit_batch(b, &ns);
        *ret = (double)ns / (double)done;
        return end;
}

static int submit_part(void *arg)
{
        struct part *p = arg;
        bind_vars(p);
        enum bench_end end = bench_submit_apart(p->bench, p->n, &p->ns);
        expected = bench_ticks(); /* as many as there should be, or end says so */
        submit_looks(p);
        return end == BENCH_OK ? bench_ticked(p->bench, expected) : end;
}

static int spawn_part(void *arg)
{
        struct part *p = arg;
        bind_vars(p);
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < p->n; i++) {
                weft_task *task;
                if (weft_spawn(NULL, &task, bench_tick, NULL) != 0)
                        return bench_wrong(p->bench, "cannot spawn");
                p->wrong |= weft_await(task, WEFT_FOREVER) != 0;
                weft_task_unref(task);
        }
        p->ns = bench_cpu_per(begin, p->n);
        expected += p->n;
        submit_looks(p);
        return BENCH_OK;
}

/* Jobs that nobody takes: a frame like that of a fork tree's leaf. */
static int fork_part(void *arg)
{
        struct part *p = arg;
        bind_vars(p);
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < p->n; i++) {
                weft_job job;
                weft_fork(&job, bench_tick, NULL);
                p->wrong |= weft_join(&job) != 0;
        }
        p->ns = bench_cpu_per(begin, p->n);
        weft_job look;
        weft_fork(&look, look_and_tick, (void *)p->vars);
        p->wrong |= weft_join(&look) != 0;
        expected += p->n + 1;
        return BENCH_OK;
}

static enum bench_end lost_context(struct bench *b)
{
        return bench_wrong(b, "a task did not see the context of its submitter");
}

static enum bench_end four_parts(struct bench *b, double *ret, weft_fn *fn, size_t n)
{
        double ns[SIZES] = {0};
        for (size_t i = 0; i < SIZES; i++) {
                size_t at = (i + b->round) % SIZES;
                struct part p = {.bench = b, .vars = bound[at], .n = n};
                enum bench_end end = (enum bench_end)weft_context_run(NULL, fn, &p, NULL);
                if (end != BENCH_OK)
                        return end;
                if (p.wrong)
                        return bench_wrong(b, "a set, submit or await failed");
                if (atomic_load(&lost))
                        return lost_context(b);
                ns[at] = p.ns;
        }
        ret[0] = ns[0];
        for (size_t i = 1; i < SIZES; i++)
                ret[i] = ns[i] / ns[0];
        return BENCH_OK;
}

static enum bench_end round_submit(struct bench *b, double *ret)
{
        return four_parts(b, ret, submit_part, bench_ops(b, 200000));
}

/* The task in which the four parts of a round are run. */
struct round_within {
        struct bench *bench;
        double *ret;
};

enum { SPAWN, FORK }; /* a case's param */

static int parts_within(void *arg)
{
        struct round_within *r = arg;
        bool forks = r->bench->c->param == FORK;
        return four_parts(r->bench, r->ret, forks ? fork_part : spawn_part,
                          bench_ops(r->bench, forks ? 2000000 : 100000));
}

static enum bench_end round_within(struct bench *b, double *ret)
{
        struct round_within r = {.bench = b, .ret = ret};
        enum bench_end end = bench_within(b, parts_within, &r);
        if (end == BENCH_OK)
                end = bench_ticked(b, expected);
        return end == BENCH_OK && atomic_load(&lost) ? lost_context(b) : end;
}

/* ---- one context that four threads submit ---- */

#define PRODUCERS   4
#define SHARED_MOST 40000 /* tasks of a round of one thread */

static pthread_barrier_t together;

/* A thread's share of a part. */
struct producer {
        pthread_t thread;
        size_t n;
        double ns;
        bool failed;
};

static void *produce(void *arg)
{
        struct producer *p = arg;
        pthread_barrier_wait(&together);
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < p->n; i++)
                p->failed |= weft_submit(bench_pool, bench_tick, NULL) != 0;
        p->ns = (double)(bench_cpu_now() - begin);
        return NULL;
}

/* All start in the context of this frame. The worker is held at a gate meanwhile. */
static int shared_part(void *arg)
{
        struct part *p = arg;
        struct producer by[PRODUCERS];
        uint64_t before = bench_ticks();
        double ns = 0;
        bind_vars(p);
        if (bench_gate_shut(p->bench) != BENCH_OK)
                return BENCH_WRONG;
        for (int i = 0; i < PRODUCERS; i++) {
                by[i] = (struct producer){.n = p->n / PRODUCERS};
                bench_must(weft_thread_create(&by[i].thread, NULL, produce, &by[i]) == 0,
                           "start a thread");
        }
        for (int i = 0; i < PRODUCERS; i++) {
                pthread_join(by[i].thread, NULL);
                p->wrong |= by[i].failed;
                ns += by[i].ns;
        }
        bench_must(weft_submit(bench_pool, note_time_and_tick, NULL) == 0, "submit");
        bench_gate_open();
        enum bench_end end = bench_ticked(p->bench, before + p->n + 1);
        p->ns = (ns + (double)(last_ran_at - bench_gate_passed())) / (double)p->n;
        expected = bench_ticks();
        submit_looks(p);
        return end == BENCH_OK ? bench_ticked(p->bench, expected) : end;
}

static enum bench_end round_shared(struct bench *b, double *ret)
{
        return four_parts(b, ret, shared_part, bench_ops(b, SHARED_MOST));
}

static enum bench_end setup(struct bench *b)
{
        expected = 0;
        atomic_store(&lost, false);
        pthread_barrier_init(&together, NULL, PRODUCERS);
        return bench_pool_up(b);
}

#define RATIO(vars)                                                                                \
        {                                                                                          \
                .name = vars " bound / 0", .in = BENCH_RATIO, BENCH_MARK(1.03, BENCH_RATIO)        \
        }

#define CASE(the_name, of, the_param, round_, figure_)                                             \
        {                                                                                          \
                .name = "inherit/" the_name,                                                       \
                .what = of ", by how many vars are bound; one worker",                             \
                .figure = {{.name = figure_ ", 0 vars bound", .in = BENCH_NS},                     \
                           RATIO("1 var"),                                                         \
                           RATIO("8 vars"),                                                        \
                           RATIO("64 vars")},                                                      \
                .workers = 1, .param = (the_param), .setup = setup, .round = round_,               \
                .teardown = bench_pool_down                                                        \
        }

const struct bench_case bench_inherit_cases[] = {
    CASE("submit", "submit from outside and run", 0, round_submit, "submit"),
    CASE("shared", "four threads submit one context, and run", 0, round_shared, "submit"),
    CASE("spawn", "spawn + await within a task", SPAWN, round_within, "spawn + await"),
    CASE("fork", "fork + join within a task", FORK, round_within, "fork + join"),
    {0},
};
