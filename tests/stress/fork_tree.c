/* SPDX-License-Identifier: MIT
 *
 * Random trees of forks and joins: in between, each job sets, resets, captures, swaps and runs
 * contexts, opens frames inside its own, joins there what it forked outside and leaves outside what
 * it forked there, yields, sleeps, awaits, loops in parallel, blocks. On one to four workers, with
 * WEFT_MIGRATE and without, and on a thread outside pools; some of the tasks are cancelled.
 *
 * Checked: each job starts from exactly what was bound at its fork (C1), nobody sees what others
 * set (C2), tokens are good in their own frame alone (C4), a job runs once and before its join
 * returns its result, a join out of order does nothing, and values are released as often as
 * retained (C7).
 */
#include "stress.h"
#include "fork_model.h"

enum {
        DEPTH = 5,   /* of jobs within jobs */
        NESTED = 3,  /* frames within a frame of one task */
        UNDOS = 6,   /* tokens that a frame keeps */
        PENDING = 6, /* jobs that a task leaves unjoined */
        TASKS = 6,   /* trees at once, a round */
        SPIN_NS = 20000,
};

static uint64_t seconds = STRESS_SLOW ? 5 : 3;

/* ---- who acts ---- */

/* A job, and what must be true of it. On the heap: its frame may end before its join. */
struct offspring {
        weft_job job;
        struct shadow sees; /* at its fork */
        uint64_t seed;
        int depth, result, runs;
        struct lent {
                weft_token token; /* that nobody uses before the join; of lender's frame */
                uint64_t lender;  /* 0: there is none */
                int at;
                void *old;
        } lent;
        struct offspring *older;
};

/* A task, or a thread outside pools: the jobs that it has forked and not joined. */
struct actor {
        struct rng rng;
        struct offspring *newest;
        int pending, depth;
};

/* A frame of it. */
struct frame {
        struct actor *actor;
        struct shadow sees;
        uint64_t id;
        int nested;
        struct {
                weft_token token;
                int at;
                void *old;
        } undo[UNDOS];
        int undos;
};

static bool cancelling; /* in this round tasks are cancelled: their waits end */
static _Atomic uint64_t frames, jobs;

static void act(struct frame *f, int steps);

static void open_frame(struct frame *f, struct actor *a, const struct shadow *sees, int nested)
{
        f->actor = a;
        f->sees = *sees;
        f->id = atomic_fetch_add(&frames, 1) + 1;
        f->nested = nested;
        f->undos = 0;
        check_frame(&f->sees, "at the beginning of a frame");
}

/* Its tokens must not be forgotten, as they keep values alive. */
static void close_frame(struct frame *f)
{
        check_frame(&f->sees, "at the end of a frame");
        while (f->undos > 0)
                weft_token_drop(&f->undo[--f->undos].token);
}

static void waited(int r)
{
        CHECK(r == 0 || (cancelling && r == -ECANCELED), "wait: %s", weft_err_name(r));
}

/* ---- forks and joins ---- */

static void join_newest(struct frame *f)
{
        struct actor *a = f->actor;
        struct offspring *o = a->newest;
        if (!o)
                return;
        a->newest = o->older;
        a->pending--;
        int r = weft_join(&o->job);
        CHECK(r == o->result, "a job gave %d, not %d", r, o->result);
        CHECK(o->runs == 1, "a job ran %d times", o->runs);
        struct lent *l = &o->lent;
        if (l->lender == f->id) {
                shadowed_reset(&f->sees, l->at, l->old, &l->token);
        } else if (l->lender) {
                CHECK(weft_reset(&vars[l->at], &l->token) == -EPERM, "a token of another frame");
                weft_token_drop(&l->token);
        }
        free(o);
}

static int job(void *arg)
{
        struct offspring *o = arg;
        struct actor a = {.rng = {o->seed}, .depth = o->depth};
        struct frame f;
        o->runs++;
        open_frame(&f, &a, &o->sees, 0);
        if (o->lent.lender)
                CHECK(weft_reset(&vars[o->lent.at], &o->lent.token) == -EPERM,
                      "a token of the forker");
        act(&f, 1 + (int)rng_below(&a.rng, 12));
        while (a.newest)
                join_newest(&f);
        close_frame(&f);
        atomic_fetch_add(&jobs, 1);
        return o->result;
}

static void fork_job(struct frame *f)
{
        struct actor *a = f->actor;
        if (a->pending == PENDING || a->depth == DEPTH)
                return;
        struct offspring *o = calloc(1, sizeof(*o));
        CHECK(o, "no memory");
        if (rng_chance(&a->rng, 4)) {
                int at = (int)rng_below(&a->rng, VARS);
                void *old = shadowed_set(&f->sees, at, random_value(&a->rng), &o->lent.token);
                o->lent.lender = f->id;
                o->lent.at = at;
                o->lent.old = old;
        }
        o->sees = f->sees;
        o->seed = rng_next(&a->rng);
        o->depth = a->depth + 1;
        o->result = (int)rng_below(&a->rng, 2000) - 1000;
        o->older = a->newest;
        a->newest = o;
        a->pending++;
        weft_fork(&o->job, job, o);
}

static void join_out_of_order(struct frame *f)
{
        if (f->actor->pending > 1)
                CHECK(weft_join(&f->actor->newest->older->job) == -EINVAL, "out of order");
}

/* ---- bindings ---- */

static void set_var(struct frame *f)
{
        struct rng *rng = &f->actor->rng;
        int at = (int)rng_below(rng, VARS);
        void *value = random_value(rng);
        if (f->undos == UNDOS || rng_chance(rng, 3)) {
                shadowed_set(&f->sees, at, value, NULL);
                return;
        }
        void *old = shadowed_set(&f->sees, at, value, &f->undo[f->undos].token);
        f->undo[f->undos].at = at;
        f->undo[f->undos++].old = old;
}

/* A token must not be copied: the last one only is taken off. */
static void undo_set(struct frame *f)
{
        if (!f->undos)
                return;
        int i = --f->undos;
        if (rng_chance(&f->actor->rng, 4))
                weft_token_drop(&f->undo[i].token);
        else
                shadowed_reset(&f->sees, f->undo[i].at, f->undo[i].old, &f->undo[i].token);
}

static void bind_in_block(struct frame *f)
{
        int at = (int)rng_below(&f->actor->rng, VARS);
        void *old = f->sees.value[at], *value = random_value(&f->actor->rng);
        WEFT_WITH (&vars[at], value) {
                f->sees.value[at] = value;
                f->nested++;
                act(f, 3);
                f->nested--;
        }
        f->sees.value[at] = old;
}

/* ---- contexts ---- */

/* What weft_context_run() is to do: in a frame that starts from what sees says. */
struct run {
        struct frame *outer;
        struct shadow sees;
};

static int run(void *arg)
{
        struct run *r = arg;
        struct frame f;
        open_frame(&f, r->outer->actor, &r->sees, r->outer->nested + 1);
        act(&f, 4);
        close_frame(&f);
        r->sees = f.sees;
        return 5;
}

/* A frame within this one, of its context or of none; what it leaves behind may become ours. */
static void run_context(struct frame *f)
{
        bool empty = rng_chance(&f->actor->rng, 4), swap = rng_chance(&f->actor->rng, 3);
        struct run r = {.outer = f, .sees = empty ? shadow_empty() : f->sees};
        weft_context *c = empty ? NULL : weft_context_capture(), *after = NULL;
        CHECK(weft_context_run(c, run, &r, &after) == 5, "run");
        weft_context_unref(c);
        check_frame(&f->sees, "after a frame within");
        check_context(after, &r.sees, "in what a frame left");
        if (swap) {
                after = weft_context_swap(after);
                f->sees = r.sees;
        }
        weft_context_unref(after);
}

/* Hold the context while it changes. */
static void capture_context(struct frame *f)
{
        struct shadow then = f->sees;
        weft_context *c = weft_context_capture();
        f->nested++;
        act(f, 3);
        f->nested--;
        check_context(c, &then, "in a context that is held");
        weft_context_unref(c);
}

/* ---- waits ---- */

static void yield(struct frame *f)
{
        (void)f;
        waited(weft_yield());
}

static void sleep_a_little(struct frame *f)
{
        waited(weft_sleep_until(weft_now() + rng_below(&f->actor->rng, 200) * 1000));
}

/* So that others fall idle, and look for what there is. */
static void compute(struct frame *f)
{
        int64_t end = weft_now() + rng_below(&f->actor->rng, SPIN_NS);
        while (weft_now() < end)
                ;
}

/* Somebody else's turn, in a copy of this frame: a task, a range of a loop, a blocking call. */
struct guest {
        struct shadow sees;
        uint64_t seed;
        int depth;
        atomic_int turns;
};

static struct guest guest_of(struct frame *f)
{
        struct actor *a = f->actor;
        return (struct guest){.sees = f->sees, .seed = rng_next(&a->rng), .depth = a->depth + 1};
}

static int visit(struct guest *g, uint64_t seed)
{
        struct actor a = {.rng = {seed}, .depth = g->depth};
        struct frame f;
        open_frame(&f, &a, &g->sees, NESTED);
        act(&f, 3);
        while (a.newest)
                join_newest(&f);
        close_frame(&f);
        atomic_fetch_add(&g->turns, 1);
        return 0;
}

static int visit_as_task(void *guest)
{
        struct guest *g = guest;
        return visit(g, g->seed);
}

static int visit_in_loop(size_t from, size_t to, void *guest)
{
        struct guest *g = guest;
        CHECK(to == from + 1, "a range from %zu to %zu", from, to);
        return visit(g, g->seed + from);
}

static void await_task(struct frame *f)
{
        struct guest g = guest_of(f);
        weft_task *t;
        CHECK(weft_spawn(NULL, &t, visit_as_task, &g) == 0, "spawn");
        if (rng_chance(&f->actor->rng, 2))
                fork_job(f);
        WEFT_SHIELD {
                CHECK(weft_await(t, WEFT_FOREVER) == 0 && atomic_load(&g.turns) == 1, "await");
        }
        weft_task_unref(t);
}

static void loop_in_parallel(struct frame *f)
{
        struct guest g = guest_of(f);
        int n = 1 + (int)rng_below(&f->actor->rng, 8);
        WEFT_SHIELD {
                int r = weft_parallel_for(NULL, 0, (size_t)n, 1, visit_in_loop, &g);
                CHECK(r == 0, "loop: %s", weft_err_name(r));
        }
        CHECK(atomic_load(&g.turns) == n, "%d of %d", atomic_load(&g.turns), n);
}

/* In the task's own frame, but on a thread outside pools, whose jobs are its own. */
static int block(void *frame)
{
        struct frame *f = frame;
        struct actor *a = f->actor, there = {.rng = rng_split(&a->rng), .depth = a->depth};
        f->actor = &there;
        act(f, 3);
        while (there.newest)
                join_newest(f);
        f->actor = a;
        return 6;
}

static void call_blocking(struct frame *f)
{
        f->nested++;
        CHECK(weft_blocking(block, f) == 6, "blocking call");
        f->nested--;
}

/* ---- a job's life ---- */

static void act(struct frame *f, int steps)
{
        static void (*const plain[])(struct frame *) = {
            fork_job, fork_job, fork_job, join_newest, join_newest, set_var,           set_var,
            undo_set, undo_set, set_var,  compute,     yield,       join_out_of_order,
        };
        static void (*const deep[])(struct frame *) = {
            bind_in_block, run_context, run_context,      capture_context, capture_context,
            await_task,    await_task,  loop_in_parallel, call_blocking,   sleep_a_little,
        };
        enum { PLAIN = sizeof(plain) / sizeof(plain[0]), DEEP = sizeof(deep) / sizeof(deep[0]) };
        for (int i = 0; i < steps; i++) {
                struct rng *rng = &f->actor->rng;
                if (f->nested < NESTED && f->actor->depth < DEPTH && rng_chance(rng, 6))
                        deep[rng_below(rng, DEEP)](f);
                else
                        plain[rng_below(rng, PLAIN)](f);
                check_frame(&f->sees, "between two steps");
        }
}

/* ---- rounds ---- */

/* The root of a tree, with so many vars bound. */
static int tree(void *seed)
{
        struct actor a = {.rng = {*(uint64_t *)seed}};
        struct shadow empty = shadow_empty();
        struct frame f;
        open_frame(&f, &a, &empty, 0);
        for (int n = (int)rng_below(&a.rng, 2 * VARS); n > 0; n--)
                shadowed_set(&f.sees, n % VARS, random_value(&a.rng), NULL);
        act(&f, 30);
        while (a.newest)
                join_newest(&f);
        close_frame(&f);
        return 3;
}

/* The thread that submits forks and joins as well, outside pools. */
static void play_round(struct rng *rng)
{
        weft_pool_options o = {.size = sizeof(o),
                               .workers = 1 + rng_below(rng, 4),
                               .stack_size = 1 << 20,
                               .flags = rng_chance(rng, 2) ? WEFT_MIGRATE : 0};
        weft_pool *pool;
        weft_task *task[TASKS];
        uint64_t seed[TASKS + 1];
        cancelling = rng_chance(rng, 3);
        CHECK(weft_pool_create(&pool, &o) == 0, "pool");
        for (int i = 0; i < TASKS; i++) {
                seed[i] = rng_next(rng);
                CHECK(weft_spawn(pool, &task[i], tree, &seed[i]) == 0, "spawn");
        }
        if (cancelling)
                usleep(rng_below(rng, 2000));
        for (int i = 0; i < TASKS && cancelling; i += 2)
                weft_task_cancel(task[i]);
        seed[TASKS] = rng_next(rng);
        CHECK(weft_context_run(NULL, tree, &seed[TASKS], NULL) == 3, "run");
        for (int i = 0; i < TASKS; i++) {
                int r = weft_await(task[i], WEFT_FOREVER);
                CHECK(r == 3 || (cancelling && r == -ECANCELED), "a tree gave %d", r);
                weft_task_unref(task[i]);
        }
        weft_pool_destroy(pool);
        check_released();
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {{"--seconds", &seconds, "how long"},
                                                {NULL, NULL, NULL}};
        stress_begin(argc, argv, options);
        struct rng rng = {stress_seed};
        int64_t end = weft_now() + (int64_t)seconds * 1000000000;
        unsigned rounds = 0;
        do {
                stress_hangs_after(60);
                play_round(&rng);
                rounds++;
        } while (weft_now() < end);
        printf("%u rounds, %" PRIu64 " jobs\n", rounds, atomic_load(&jobs));
        return 0;
}
