/* SPDX-License-Identifier: MIT
 *
 * Contexts against a model of them: random sets, resets, captures, runs, submits and awaits over 40
 * vars, nested in one another on pools of 1 to 4 workers, and after each step what weft says is
 * compared with what a naive model says.
 *
 * The model of a context is an array of bindings, copied whole wherever a context is captured or
 * inherited. Each frame (a thread's, a task's, a run's) owns one, with a generator of random
 * numbers that it got from whoever started it, so that the seed determines what every frame does,
 * however the frames are scheduled. Ten of the vars count their references: at the end each value
 * must have been released as often as it was retained, and no model may ever hold one that is gone.
 */
#include "stress.h"

enum {
        VARS = 40,
        COUNTED = 10, /* vars below this number have retain and release */
        VALUES = 64,  /* values of those */
        TOKENS = 12,  /* that a frame keeps */
        CAPTURES = 6, /* that a frame keeps */
        TASKS = 6,    /* that a frame has under way */
        DEEPEST = 8,  /* frames within frames */
        SHARE = 400,  /* at most so many of its steps does a frame give to one that it starts */
        FEWEST = 24,  /* with fewer steps left a frame starts no other */
};

static uint64_t steps = STRESS_SLOW ? 200000 : 1500000;
static uint64_t workers; /* 0: one to four in turn */

static weft_var var[VARS];
static struct stress_value value[VALUES];
static atomic_ulong frames, tasks, cancelled;

/* ---- the model ------------------------------------------------------------------------------- */

struct model {
        void *value[VARS];
        bool bound[VARS];
};

static void *fallback_of(unsigned v)
{
        return v % 3 == 1 ? (void *)(uintptr_t)(1000 + v) : NULL;
}

/* A value for var v: for the counted ones one of the pool of values, for the others a number; NULL
 * now and then. */
static void *any_value(struct rng *r, unsigned v)
{
        if (rng_chance(r, 8))
                return NULL;
        return v < COUNTED ? (void *)&value[rng_below(r, VALUES)]
                           : (void *)(uintptr_t)(1 + rng_below(r, 5));
}

static void compare_var(const struct model *m, unsigned v)
{
        void *got = &frames;
        int r = weft_lookup(&var[v], &got);
        CHECK(r == (m->bound[v] ? 0 : -ENOENT), "var %u: %d", v, r);
        if (m->bound[v])
                CHECK(got == m->value[v], "var %u: %p, the model has %p", v, got, m->value[v]);
        else
                CHECK(got == &frames, "var %u: written on failure", v);
        void *wanted = m->bound[v] ? m->value[v] : fallback_of(v);
        got = weft_get(&var[v]);
        CHECK(got == wanted, "var %u: %p, the model has %p", v, got, wanted);
        if (v < COUNTED && m->bound[v] && got)
                CHECK(stress_alive(got), "var %u: its value has been released", v);
}

struct walk {
        const struct model *model;
        unsigned seen;
};

static int visit(const weft_var *visited, void *bound_to, void *arg)
{
        struct walk *walk = arg;
        unsigned v = (unsigned)(visited - var);
        CHECK(v < VARS && walk->model->bound[v], "var %u is not bound in the model", v);
        CHECK(walk->model->value[v] == bound_to, "var %u", v);
        walk->seen++;
        return 0;
}

static void compare_context(weft_context *c, const struct model *m)
{
        struct walk walk = {.model = m};
        unsigned bound = 0;
        for (unsigned v = 0; v < VARS; v++) {
                void *got = NULL;
                int r = weft_context_lookup(c, &var[v], &got);
                CHECK(r == (m->bound[v] ? 0 : -ENOENT), "var %u: %d", v, r);
                CHECK(!m->bound[v] || got == m->value[v], "var %u", v);
                if (v < COUNTED && m->bound[v] && got)
                        CHECK(stress_alive(got), "var %u: its value has been released", v);
                bound += m->bound[v];
        }
        CHECK(weft_context_foreach(c, visit, &walk) == 0, "foreach");
        CHECK(walk.seen == bound, "%u visited of %u", walk.seen, bound);
        CHECK(weft_context_size(c) == bound, "%zu of %u", weft_context_size(c), bound);
        CHECK(bound > 0 || weft_context_equal(c, NULL), "equal to the empty context");
}

static void compare_frame(const struct model *m)
{
        weft_context *c = weft_context_capture();
        for (unsigned v = 0; v < VARS; v++)
                compare_var(m, v);
        compare_context(c, m);
        weft_context_unref(c);
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct kept_token {
        weft_token token;
        unsigned var;
        enum { FREE, LIVE, USED } state;
        bool was_bound; /* what the set displaced */
        void *old;
};

struct kept_context {
        weft_context *context;
        struct model model;
};

/* How often a destructor ran: shared by the task and the frame that started it. */
struct drops {
        atomic_int count, owners;
};

struct child {
        weft_task *task;
        int result; /* that it returns if it is not cancelled before */
        struct drops *drops;
};

struct frame {
        struct model model;
        struct rng rng;
        unsigned depth, steps; /* steps: those that it and what it starts may take yet */
        int result;
        struct frame *outer; /* within which this one runs on the same stack, or NULL */
        struct kept_token token[TOKENS];
        struct kept_context kept[CAPTURES];
        struct child child[TASKS];
};

/* What a frame is started with: the model of what it must find, and the rest of its fate. */
struct start {
        struct model model;
        struct rng rng;
        unsigned depth, steps;
        int result;
        struct drops *drops; /* or NULL */
};

static weft_pool *pool;        /* of those who are in no pool */
static atomic_int outstanding; /* tasks that nobody awaits */

static weft_pool *target(void)
{
        return weft_pool_current() ? NULL : pool;
}

static void *allocate(size_t size)
{
        void *p = calloc(1, size);
        CHECK(p, "out of memory");
        return p;
}

static void drops_unref(struct drops *d)
{
        if (d && atomic_fetch_sub(&d->owners, 1) == 1)
                free(d);
}

/* Takes from the steps of f what the new frame may use. */
static struct start start_in(struct frame *f, const struct model *model)
{
        unsigned most = f->steps / 2 < SHARE ? f->steps / 2 : SHARE;
        struct start s = {.model = *model,
                          .rng = rng_split(&f->rng),
                          .depth = f->depth + 1,
                          .steps = rng_below(&f->rng, most + 1),
                          .result = (int)rng_below(&f->rng, 1000)};
        f->steps -= s.steps;
        return s;
}

static struct frame *frame_of(const struct start *s)
{
        struct frame *f = allocate(sizeof(*f));
        f->model = s->model;
        f->rng = s->rng;
        f->depth = s->depth;
        f->steps = s->steps;
        f->result = s->result;
        return f;
}

/* The end of a task that f started. A task that has itself been cancelled cannot wait for it. */
static void join(struct child *c, int64_t deadline, bool told)
{
        int result = -EINPROGRESS, r = weft_await(c->task, deadline);
        if (r == -ETIMEDOUT)
                r = weft_await(c->task, WEFT_FOREVER);
        bool gave_up = r == -ECANCELED && weft_cancelled() == r; /* it may end just now */
        if (weft_task_result(c->task, &result) == -EINPROGRESS) {
                CHECK(gave_up, "await: %d", r);
        } else if (!gave_up) {
                CHECK(r == result, "%d, its result is %d", r, result);
                CHECK(r == c->result || (told && r == -ECANCELED), "%d, not %d", r, c->result);
                CHECK(!c->drops || atomic_load(&c->drops->count) == 1, "destructor");
        }
        drops_unref(c->drops);
        weft_task_unref(c->task);
        *c = (struct child){NULL, 0, NULL};
}

static void take_steps(struct frame *f);

static void live(struct frame *f)
{
        atomic_fetch_add(&frames, 1);
        compare_frame(&f->model);
        take_steps(f);
        for (int i = 0; i < TASKS; i++)
                if (f->child[i].task)
                        join(&f->child[i], WEFT_FOREVER, false);
        for (int i = 0; i < TOKENS; i++)
                if (f->token[i].state == LIVE)
                        weft_token_drop(&f->token[i].token);
        for (int i = 0; i < CAPTURES; i++) {
                compare_context(f->kept[i].context, &f->kept[i].model);
                weft_context_unref(f->kept[i].context);
        }
        compare_frame(&f->model);
}

static int inner_frame(void *arg)
{
        struct frame *f = arg;
        live(f);
        return f->result;
}

static int task(void *arg)
{
        struct start *s = arg;
        struct frame *f = frame_of(s);
        atomic_fetch_add(&tasks, 1);
        live(f);
        s->model = f->model; /* for the destructor, which runs in the same frame */
        free(f);
        return s->result;
}

/* After the task or instead of it: in its context, as it left it or as it was submitted. */
static void drop(void *arg)
{
        struct start *s = arg;
        compare_frame(&s->model);
        if (s->drops)
                CHECK(atomic_fetch_add(&s->drops->count, 1) == 0, "dropped twice");
        drops_unref(s->drops);
        if (rng_chance(&s->rng, 4))
                CHECK(weft_set(&var[0], &value[0], NULL) == 0, "set in a destructor");
}

static void drop_outstanding(void *arg)
{
        drop(arg);
        atomic_fetch_sub(&outstanding, 1);
}

static int callback(void *arg)
{
        task(arg);
        drop_outstanding(arg);
        free(arg);
        return 0;
}

/* ---- steps: in the frame --------------------------------------------------------------------- */

static void step_set(struct frame *f)
{
        unsigned v = rng_below(&f->rng, VARS), slot = rng_below(&f->rng, TOKENS);
        void *to = any_value(&f->rng, v);
        struct kept_token *k = rng_chance(&f->rng, 3) ? NULL : &f->token[slot];

        if (k && k->state == LIVE)
                weft_token_drop(&k->token);
        CHECK(weft_set(&var[v], to, k ? &k->token : NULL) == 0, "set");
        if (k) {
                k->var = v;
                k->state = LIVE;
                k->was_bound = f->model.bound[v];
                k->old = f->model.value[v];
        }
        f->model.bound[v] = true;
        f->model.value[v] = to;
        compare_var(&f->model, v);
}

static void reset_live(struct frame *f, struct kept_token *k)
{
        void *old = &frames;
        int r = weft_token_old(&k->token, &old);
        CHECK(r == (k->was_bound ? 0 : -ENOENT), "%d", r);
        CHECK(old == (k->was_bound ? k->old : &frames), "what the set displaced");
        if (k->was_bound && k->var < COUNTED && old)
                CHECK(stress_alive(old), "displaced, kept and yet released");
        CHECK(weft_reset(&var[k->var], &k->token) == 0, "reset");
        k->state = USED;
        f->model.bound[k->var] = k->was_bound;
        f->model.value[k->var] = k->old;
}

static void step_reset(struct frame *f)
{
        struct kept_token *k = &f->token[rng_below(&f->rng, TOKENS)];
        unsigned other = (k->var + 1 + rng_below(&f->rng, VARS - 1)) % VARS;
        void *old;

        if (k->state == FREE)
                return;
        if (k->state == USED) {
                CHECK(weft_reset(&var[k->var], &k->token) == -EALREADY, "used token");
                CHECK(weft_reset(&var[other], &k->token) == -EALREADY, "used token, other var");
                CHECK(weft_token_old(&k->token, &old) == -EALREADY, "used token");
                weft_token_drop(&k->token);
        } else if (rng_chance(&f->rng, 4)) {
                CHECK(weft_reset(&var[other], &k->token) == -EINVAL, "token of another var");
                compare_var(&f->model, other);
        } else if (rng_chance(&f->rng, 6)) {
                weft_token_drop(&k->token);
                k->state = USED;
        } else {
                reset_live(f, k);
        }
        compare_var(&f->model, k->var);
}

/* A token of the frame that this one runs within. */
static void step_reset_outer(struct frame *f)
{
        struct kept_token *k = f->outer ? &f->outer->token[rng_below(&f->rng, TOKENS)] : NULL;
        if (!k || k->state != LIVE)
                return;
        CHECK(weft_reset(&var[k->var], &k->token) == -EPERM, "token of another frame");
        compare_var(&f->model, k->var);
}

static void step_get(struct frame *f)
{
        if (rng_chance(&f->rng, 8))
                compare_frame(&f->model);
        for (int i = 0; i < 4; i++)
                compare_var(&f->model, rng_below(&f->rng, VARS));
}

static struct kept_context *any_kept(struct frame *f)
{
        return &f->kept[rng_below(&f->rng, CAPTURES)];
}

/* Moves the context in. */
static void keep(struct frame *f, weft_context *context, const struct model *model)
{
        struct kept_context *k = any_kept(f);
        compare_context(k->context, &k->model);
        weft_context_unref(k->context);
        *k = (struct kept_context){context, *model};
        compare_context(k->context, &k->model);
}

static void step_capture(struct frame *f)
{
        keep(f, weft_context_capture(), &f->model);
}

static void step_derive(struct frame *f)
{
        struct kept_context *from = any_kept(f);
        unsigned v = rng_below(&f->rng, VARS);
        struct model m = from->model;
        weft_context *derived = NULL;

        m.bound[v] = true;
        m.value[v] = any_value(&f->rng, v);
        CHECK(weft_context_with(from->context, &var[v], m.value[v], &derived) == 0, "with");
        compare_context(from->context, &from->model);
        keep(f, derived, &m);
        compare_var(&f->model, v);
}

/* Takes another context into this frame, for good or for a look. */
static void step_swap(struct frame *f)
{
        struct kept_context *k = any_kept(f);
        weft_context *mine = weft_context_swap(weft_context_ref(k->context));

        compare_frame(&k->model);
        compare_context(mine, &f->model);
        if (rng_chance(&f->rng, 2)) {
                struct model model = f->model;
                f->model = k->model;
                keep(f, mine, &model);
        } else {
                weft_context_unref(weft_context_swap(mine));
        }
        compare_frame(&f->model);
}

/* ---- steps: other frames --------------------------------------------------------------------- */

static void step_run(struct frame *f)
{
        struct kept_context *k = any_kept(f);
        struct start s = start_in(f, &k->model);
        weft_context *after = NULL;
        bool ask = rng_chance(&f->rng, 2);
        struct frame *in = frame_of(&s);

        in->outer = f;
        int r = weft_context_run(k->context, inner_frame, in, ask ? &after : NULL);
        CHECK(r == in->result, "%d, not %d", r, in->result);
        compare_context(k->context, &k->model);
        if (ask)
                keep(f, after, &in->model);
        free(in);
        compare_frame(&f->model);
}

static void step_bind(struct frame *f)
{
        struct start s = start_in(f, &f->model);
        weft_bound *bound = NULL;
        struct frame *in = frame_of(&s);

        CHECK(weft_bind(&bound, inner_frame, in) == 0, "bind");
        step_set(f);
        for (int i = 0; i < 2; i++) {
                struct frame *fresh = frame_of(&s);
                *in = *fresh;
                free(fresh);
                in->outer = f;
                int r = weft_bound_call(bound);
                CHECK(r == in->result, "%d, not %d", r, in->result);
                compare_frame(&f->model);
        }
        weft_bound_free(bound);
        free(in);
}

static void step_spawn(struct frame *f)
{
        struct child *c = &f->child[rng_below(&f->rng, TASKS)];
        if (c->task)
                return;
        struct start s = start_in(f, &f->model);
        c->result = s.result;
        if (rng_chance(&f->rng, 2)) {
                s.drops = c->drops = allocate(sizeof(*c->drops));
                atomic_store(&c->drops->owners, 2);
        }
        CHECK(weft_spawn_closure(target(), &c->task, task, &s, sizeof(s), drop) == 0, "spawn");
        step_set(f);
}

static void step_submit(struct frame *f)
{
        struct start s = start_in(f, &f->model);
        weft_task *first = f->child[0].task;

        atomic_fetch_add(&outstanding, 1);
        if (first && rng_chance(&f->rng, 2)) {
                struct start *copy = allocate(sizeof(*copy));
                *copy = s;
                CHECK(weft_task_on_done(first, callback, copy) == 0, "on done");
        } else {
                int r = weft_submit_closure(target(), task, &s, sizeof(s), drop_outstanding);
                CHECK(r == 0, "submit: %d", r);
        }
        step_set(f);
}

static void step_await(struct frame *f)
{
        struct child *c = &f->child[rng_below(&f->rng, TASKS)];
        bool cancel = rng_chance(&f->rng, 4), hurry = rng_chance(&f->rng, 3);
        if (!c->task)
                return;
        if (cancel) {
                int r = weft_task_cancel(c->task);
                CHECK(r == 0 || r == -EALREADY, "%d", r);
                atomic_fetch_add(&cancelled, r == 0);
        }
        join(c, hurry ? weft_now() + 20000 : WEFT_FOREVER, cancel);
        compare_frame(&f->model);
}

static void step_group(struct frame *f)
{
        weft_group g;
        struct drops *drops = allocate(sizeof(*drops) * 4);
        unsigned n = 1 + rng_below(&f->rng, 4);
        bool cancel = rng_chance(&f->rng, 5), spawned[4];

        CHECK(weft_group_init(&g, target()) == 0, "init");
        for (unsigned i = 0; i < n; i++) {
                struct start s = start_in(f, &f->model);
                atomic_store(&drops[i].owners, 2);
                s.drops = &drops[i];
                int r = weft_group_spawn_closure(&g, task, &s, sizeof(s), drop);
                CHECK(r == 0 || (r == -ECANCELED && weft_cancelled() == r), "spawn: %d", r);
                spawned[i] = r == 0;
                step_set(f);
        }
        if (cancel)
                CHECK(weft_group_cancel(&g) == 0, "cancel");
        int r = weft_group_wait(&g, WEFT_FOREVER);
        CHECK(r == (cancel ? -ECANCELED : 0) || (r == -ECANCELED && weft_cancelled() == r), "%d",
              r);
        weft_group_fini(&g); /* which waits for them, cancelled or not */
        for (unsigned i = 0; i < n; i++)
                CHECK(atomic_load(&drops[i].count) == spawned[i], "destructor %u", i);
        free(drops);
        compare_frame(&f->model);
}

static void step_wait(struct frame *f)
{
        int r = rng_chance(&f->rng, 4) ? weft_sleep_until(weft_now() + 10000) : weft_yield();
        CHECK(r == 0 || (r == -ECANCELED && weft_cancelled() == r), "%d", r);
        compare_frame(&f->model);
}

static void take_steps(struct frame *f)
{
        static void (*const step[])(struct frame *) = {
            step_set,   step_set,   step_set,    step_set,        step_reset, step_reset,
            step_reset, step_get,   step_get,    step_capture,    step_swap,  step_wait,
            step_await, step_await, step_derive, step_reset_outer};
        static void (*const start[])(struct frame *) = {step_run,   step_bind,   step_spawn,
                                                        step_spawn, step_submit, step_group};
        while (f->steps > 0) {
                f->steps--;
                if (f->depth < DEEPEST && f->steps >= FEWEST && rng_chance(&f->rng, 12))
                        start[rng_below(&f->rng, sizeof(start) / sizeof(start[0]))](f);
                else
                        step[rng_below(&f->rng, sizeof(step) / sizeof(step[0]))](f);
        }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* On a thread that was started in the context of the model. */
static void *thread(void *arg)
{
        struct start *s = arg;
        struct frame *f = frame_of(s);
        live(f);
        free(f);
        return NULL;
}

/* Two threads outside the pool start everything: this one, and another that inherits from it. */
static void round_with(unsigned n, struct rng *rng, unsigned budget)
{
        weft_pool_options o = {.size = sizeof(o), .workers = n};
        struct frame first = {.rng = rng_split(rng), .steps = budget / 2};
        struct start other = {.rng = rng_split(rng), .steps = budget / 2};
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        pthread_t id;

        CHECK(weft_pool_create(&pool, &o) == 0, "create");
        for (int i = 0; i < 20; i++)
                step_set(&first);
        other.model = first.model;
        CHECK(weft_thread_create(&id, NULL, thread, &other) == 0, "thread");
        live(&first);
        CHECK(pthread_join(id, NULL) == 0, "join");
        weft_context_unref(weft_context_swap(NULL));
        for (int64_t end = weft_now() + INT64_C(60000000000); atomic_load(&outstanding) > 0;) {
                CHECK(weft_now() < end, "%d tasks never ran", atomic_load(&outstanding));
                usleep(100);
        }
        CHECK(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == 0, "shutdown");
        CHECK(weft_pool_stats(pool, &stats) == 0, "stats");
        CHECK(stats.submitted == stats.run + stats.cancelled && stats.queued == 0,
              "%" PRIu64 " submitted, %" PRIu64 " run, %" PRIu64 " cancelled, %" PRIu64 " queued",
              stats.submitted, stats.run, stats.cancelled, stats.queued);
        CHECK(stats.missed == 0, "%" PRIu64 " wake-ups were missed", stats.missed);
        CHECK(weft_pool_destroy(pool) == NULL, "destroy");
}

static int values_left(void)
{
        int left = 0;
        for (int i = 0; i < VALUES; i++)
                left += atomic_load(&value[i].retained) - atomic_load(&value[i].released);
        return left;
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {
            {"--steps", &steps, "steps of all frames together"},
            {"--workers", &workers, "of the pool; 0: one to four in turn"},
            {NULL, NULL, NULL}};
        stress_begin(argc, argv, options);

        struct rng rng = {stress_seed};
        for (unsigned v = 0; v < VARS; v++) {
                var[v] = (weft_var)WEFT_VAR_INIT("v", .fallback = fallback_of(v));
                if (v < COUNTED) {
                        var[v].retain = stress_retain;
                        var[v].release = stress_release;
                }
        }
        for (unsigned n = 1; n <= 4; n++)
                round_with(workers ? (unsigned)workers : n, &rng, (unsigned)(steps / 4));
        for (int i = 0; i < 5000 && values_left() != 0; i++)
                usleep(1000); /* callbacks of ended tasks ran on the default pool, which goes on */
        int retained = 0;
        for (int i = 0; i < VALUES; i++)
                retained += atomic_load(&value[i].retained);
        printf("%lu frames, %lu of them tasks, %lu tasks told to end, %d values bound\n",
               atomic_load(&frames), atomic_load(&tasks), atomic_load(&cancelled), retained);
        CHECK(values_left() == 0, "%d values are left", values_left());
        return 0;
}
