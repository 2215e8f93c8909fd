/* SPDX-License-Identifier: MIT
 *
 * Soak: what an actor may start: tasks of every kind, groups, timers, callbacks, jobs, loops, and
 * pools of its own. Each function of a task counts itself as begun, each start as accepted or as
 * refused.
 */
#include "soak.h"

/* The argument of a task, copied. */
struct start {
        uint64_t seed;
        int depth, ops, result;
        struct stress_value *value; /* what it must find bound */
        atomic_int *live;           /* counts those that have not ended; may be NULL */
        weft_event *ended;          /* set when it ends; may be NULL */
};

/* ---- tasks ---- */

/* A task that has its own frame acts. */
static void be_a_task(struct rng rng, int depth, int ops)
{
        struct actor a = {.rng = rng, .depth = depth, .is_task = true};
        atomic_fetch_add(&balance.begun, 1);
        actor_begins(&a);
        act(&a, ops);
        actor_ends(&a);
}

static int task(void *args)
{
        const struct start *s = args;
        CHECK(weft_get(&kept) == s->value, "a task begins in the context of another one");
        be_a_task((struct rng){s->seed}, s->depth, s->ops);
        return s->result;
}

static void task_ends(void *args)
{
        struct start *s = args;
        CHECK(s->depth >= 0, "a destructor runs twice");
        s->depth = -1;
        atomic_fetch_add(&balance.dropped, 1);
        if (s->live)
                atomic_fetch_sub(s->live, 1);
        if (s->ended)
                CHECK(weft_event_set(s->ended) == 0, "set");
}

static struct start start_of(struct actor *a, atomic_int *live)
{
        struct start s = {.seed = rng_next(&a->rng),
                          .depth = a->depth + 1,
                          .ops = 1 + (int)rng_below(&a->rng, 4),
                          .result = (int)rng_below(&a->rng, 1000),
                          .value = weft_get(&kept),
                          .live = live};
        if (live)
                atomic_fetch_add(live, 1);
        return s;
}

static bool accepted(struct actor *a, int r)
{
        a->doing = "nothing";
        CHECK(weft_get(&who) == a, "the context of another one after a start");
        if (r == 0) {
                atomic_fetch_add(&balance.accepted, 1);
                return true;
        }
        /* EAGAIN: of the pool that refuses what it has no room for. */
        CHECK(r == -ESHUTDOWN || r == -ECANCELED || r == -ETIMEDOUT || r == -EAGAIN,
              "a start gives %s", weft_err_name(r));
        atomic_fetch_add(&balance.refused, 1);
        return false;
}

/* What a spawn of start_of() returned. */
static bool started(struct actor *a, const struct start *s, int r)
{
        if (accepted(a, r)) {
                atomic_fetch_add(&balance.closures, 1);
                return true;
        }
        if (s->live)
                atomic_fetch_sub(s->live, 1);
        return false;
}

/* The main pool, or one of those with a bound, where tasks must not wait for room of their own. */
static weft_pool *any_pool(struct actor *a, struct start *s)
{
        if (!rng_chance(&a->rng, 4))
                return world.main;
        s->depth = DEPTH;
        return world.side[rng_below(&a->rng, SIDES)];
}

static int note(void *arg)
{
        (void)arg;
        atomic_fetch_add(&balance.begun, 1);
        CHECK(weft_get(&kept) != NULL, "a task without a context");
        return 0;
}

void submit_and_forget(struct actor *a)
{
        for (unsigned n = 1 + rng_below(&a->rng, 8); n; n--) {
                struct start s = start_of(a, NULL);
                weft_pool *pool = any_pool(a, &s);
                a->doing = "submit";
                if (rng_chance(&a->rng, 2))
                        accepted(a, weft_submit(pool, note, NULL));
                else if (rng_chance(&a->rng, 2))
                        accepted(a, weft_submit_copy(pool, note, &s, sizeof(s)));
                else
                        started(a, &s, weft_submit_closure(pool, task, &s, sizeof(s), task_ends));
        }
}

/* ---- handles ---- */

/* Leave a handle for others to cancel. */
static void show(struct actor *a, weft_task *t)
{
        struct handle *h = &world.handle[rng_below(&a->rng, HANDLES)];
        weft_task_ref(t);
        pthread_mutex_lock(&h->lock);
        weft_task *before = h->task;
        h->task = t;
        pthread_mutex_unlock(&h->lock);
        weft_task_unref(before);
}

void cancel_handle(unsigned i)
{
        pthread_mutex_lock(&world.handle[i].lock);
        weft_task *t = weft_task_ref(world.handle[i].task);
        pthread_mutex_unlock(&world.handle[i].lock);
        if (!t)
                return;
        int r = weft_task_cancel(t);
        CHECK(r == 0 || r == -EALREADY, "cancel: %d", r);
        weft_task_unref(t);
}

void cancel_somebody(struct actor *a)
{
        cancel_handle(rng_below(&a->rng, HANDLES));
}

void spawn_and_await(struct actor *a)
{
        weft_task *t = NULL;
        struct start s = start_of(a, NULL);
        weft_pool *pool = any_pool(a, &s);
        a->doing = "spawn";
        if (!started(a, &s, weft_spawn_closure(pool, &t, task, &s, sizeof(s), task_ends)))
                return;
        if (rng_chance(&a->rng, 3))
                show(a, t);
        if (rng_chance(&a->rng, 8))
                weft_task_cancel(t);
        if (rng_chance(&a->rng, 4)) {
                weft_task_unref(t);
                return;
        }
        int result = 0;
        int64_t deadline = rng_chance(&a->rng, 2) ? WEFT_FOREVER : soon(a);
        begin_wait(a, "await");
        int r = weft_await(t, deadline);
        bool ended = weft_task_result(t, &result) == 0;
        CHECK(r < 0 || r == s.result, "await gave %d, not %d", r, s.result);
        CHECK(!ended || result == s.result || result == -ECANCELED || result == -ETIMEDOUT,
              "a task ended with %d, not %d", result, s.result);
        CHECK(ended || r < 0, "await returned early");
        end_wait(a, ended ? 0 : r, deadline);
        weft_task_unref(t);
}

void start_tasks(struct actor *a, unsigned n, int ops)
{
        for (; n; n--) {
                weft_task *t = NULL;
                struct start s = start_of(a, NULL);
                s.ops = ops;
                if (started(a, &s,
                            weft_spawn_closure(world.main, &t, task, &s, sizeof(s), task_ends)))
                        show(a, t);
                weft_task_unref(t);
        }
}

/* An event on the stack of the one who waits, which is gone when that one returns. */
void wait_for_a_signal(struct actor *a)
{
        weft_event ended;
        weft_event_init(&ended);
        struct start s = start_of(a, NULL);
        s.ended = &ended;
        if (!started(a, &s, weft_submit_closure(world.main, task, &s, sizeof(s), task_ends)))
                return;
        begin_wait(a, "event of a task");
        WEFT_SHIELD {
                CHECK(weft_event_wait(&ended, WEFT_FOREVER) == 0, "event");
        }
        end_wait(a, 0, 0);
        memset(&ended, 0xa5, sizeof(ended));
}

/* ---- callbacks ---- */

static int call_back(void *seed)
{
        be_a_task((struct rng){(uintptr_t)seed}, DEPTH, 2);
        return -EIO;
}

void call_back_when_done(struct actor *a)
{
        weft_task *t = NULL;
        struct start s = start_of(a, NULL);
        weft_pool *pool = any_pool(a, &s);
        if (!started(a, &s, weft_spawn_closure(pool, &t, task, &s, sizeof(s), task_ends)))
                return;
        for (unsigned n = rng_below(&a->rng, 4); n; n--)
                accepted(a, weft_task_on_done(t, call_back, (void *)(uintptr_t)rng_next(&a->rng)));
        if (rng_chance(&a->rng, 4))
                weft_task_cancel(t);
        weft_task_unref(t);
}

/* ---- groups ---- */

static int note_into(void *result)
{
        note(NULL);
        return *(int *)result;
}

void use_group(struct actor *a)
{
        static const weft_group_until until[] = {WEFT_ALL_DONE, WEFT_FIRST_DONE,
                                                 WEFT_FIRST_SUCCESS};
        weft_group g;
        atomic_int live = 0;
        int result = -1, meant = (int)rng_below(&a->rng, 100);
        unsigned n = 1 + rng_below(&a->rng, 4);
        CHECK(weft_group_init_until(&g, world.main, until[rng_below(&a->rng, 3)]) == 0, "group");
        for (unsigned i = 0; i < n; i++) {
                struct start s = start_of(a, &live);
                if (rng_chance(&a->rng, 6))
                        s.result = -EIO;
                started(a, &s, weft_group_spawn_closure(&g, task, &s, sizeof(s), task_ends));
        }
        bool into = accepted(a, weft_group_spawn_into(&g, &result, note_into, &meant));
        if (rng_chance(&a->rng, 5))
                CHECK(weft_group_cancel(&g) == 0, "cancel a group");
        if (rng_chance(&a->rng, 2)) {
                begin_wait(a, "group wait");
                weft_group_wait(&g, soon(a)); /* which error wins is told in other tests */
                end_wait(a, 0, 0);
        }
        begin_wait(a, "group fini");
        weft_group_fini(&g);
        end_wait(a, 0, 0);
        CHECK(atomic_load(&live) == 0, "a group ended before %d of its tasks", atomic_load(&live));
        CHECK(!into || result == meant || result == -ECANCELED || result == -ETIMEDOUT, "%d",
              result);
        memset(&g, 0xa5, sizeof(g));
}

/* ---- times ---- */

/* A task that starts at a time, or several times; in the storage of the one that spawned it. */
struct timed {
        const struct actor *inherited; /* NULL: it starts from the empty context */
        int64_t when;
        atomic_int runs;
        int most;
        bool often;
};

static int in_its_time(void *arg)
{
        struct timed *t = arg;
        CHECK(weft_now() >= t->when, "a task starts before its time");
        CHECK(weft_get(&who) == t->inherited, "a task with a time has another one's context");
        if (t->often) /* each run is a task */
                atomic_fetch_add(&balance.accepted, 1);
        atomic_fetch_add(&balance.begun, 1);
        int runs = atomic_fetch_add(&t->runs, 1) + 1;
        if (runs % 2)
                weft_sleep_until(weft_now() + 20 * US);
        return runs == t->most ? -EIO : 0;
}

void set_a_time(struct actor *a)
{
        unsigned flags = rng_chance(&a->rng, 2) ? WEFT_INHERIT : 0;
        struct timed t = {.inherited = flags ? a : NULL, .when = soon(a)};
        weft_task *timed;
        int r;
        t.often = rng_chance(&a->rng, 2);
        t.most = t.often ? 1 + (int)rng_below(&a->rng, 4) : 1;
        if (t.often)
                r = weft_spawn_every(world.main, &timed, t.when, 50 * US, flags, in_its_time, &t);
        else
                r = weft_spawn_at(world.main, &timed, t.when, flags, in_its_time, &t);
        CHECK(r == 0 || r == -ESHUTDOWN, "a spawn with a time gives %s", weft_err_name(r));
        if (r != 0)
                return;
        atomic_fetch_add(t.often ? &balance.unseen : &balance.accepted, 1);
        bool cancelled = rng_chance(&a->rng, 3);
        if (cancelled)
                weft_task_cancel(timed);
        begin_wait(a, "await of a task with a time");
        WEFT_SHIELD {
                r = weft_await(timed, WEFT_FOREVER);
        }
        end_wait(a, 0, 0);
        int runs = atomic_load(&t.runs);
        CHECK(r == -EIO || r == -ECANCELED || r == -ETIMEDOUT, "it ended with %d", r);
        CHECK(r == -EIO ? runs == t.most : runs < t.most || cancelled || t.often, "%d runs of %d",
              runs, t.most);
        weft_task_unref(timed);
}

/* ---- jobs and loops ---- */

static int job(void *args)
{
        struct start *s = args;
        /* It may be a call inside a shield, or outside tasks. */
        struct actor a = {.rng = {s->seed}, .depth = DEPTH, .is_task = true};
        a.shields = weft_cancelled() ? 0 : 1;
        atomic_fetch_add(&balance.jobs, 1);
        CHECK(weft_get(&kept) == s->value, "a job begins in the context of another one");
        actor_begins(&a);
        begin_wait(&a, "sleep in a job");
        weft_sleep_until(weft_now() + rng_below(&a.rng, 100) * US);
        end_wait(&a, 0, 0);
        actor_ends(&a);
        return s->result;
}

static int add(int x, int y)
{
        atomic_fetch_add(&balance.jobs, 1);
        return x + y;
}
WEFT_JOB_OF(add_job, int, add, int, int)

void fork_and_join(struct actor *a)
{
        weft_job one, two;
        add_job three;
        struct start s = {.seed = rng_next(&a->rng), .result = 5, .value = weft_get(&kept)};
        struct start t = {.seed = rng_next(&a->rng), .result = 6, .value = weft_get(&kept)};
        weft_fork(&one, job, &s);
        weft_fork(&two, job, &t);
        add_job_fork(&three, 3, 4);
        let_others(a);
        begin_wait(a, "join");
        CHECK(add_job_join(&three) == 7, "a typed job's result");
        CHECK(weft_join(&two) == 6 && weft_join(&one) == 5, "a job's result");
        *errno_now() = KEPT_ERRNO;
        end_wait(a, 0, 0);
}

static int part(size_t from, size_t to, void *partial, void *arg)
{
        struct stress_value *value = arg;
        atomic_fetch_add(&balance.jobs, 1);
        CHECK(weft_get(&kept) == value, "a part of a loop in the context of another one");
        for (size_t i = from; i < to; i++)
                *(uint64_t *)partial += i;
        return 0;
}

static void sum_up(void *left, const void *right, void *arg)
{
        (void)arg;
        *(uint64_t *)left += *(const uint64_t *)right;
}

static int part_of_a_loop(size_t from, size_t to, void *sum)
{
        uint64_t partial = 0;
        part(from, to, &partial, weft_get(&kept));
        atomic_fetch_add((atomic_ulong *)sum, partial);
        return 0;
}

void loop(struct actor *a)
{
        uint64_t n = rng_below(&a->rng, 200), reduced = 0;
        atomic_ulong sum = 0;
        size_t grain = rng_below(&a->rng, 20);
        begin_wait(a, "loop");
        int r = rng_chance(&a->rng, 2)
                    ? weft_parallel_for(world.main, 0, n, grain, part_of_a_loop, &sum)
                    : weft_parallel_reduce(world.main, 0, n, grain, part, sum_up, &reduced,
                                           sizeof(reduced), weft_get(&kept));
        /* What it works on is its own: it ends when all parts have. An error is that of a pool that
         * is shut down, or of a task that was called off. */
        atomic_fetch_add(&balance.jobs, 1);
        if (r != 0)
                atomic_fetch_add(&balance.unseen, 1);
        CHECK(r != 0 || n == 0 || sum + reduced == n * (n - 1) / 2, "a loop's sum");
        CHECK(r == 0 || r == -ESHUTDOWN || r == -ECANCELED || r == -ETIMEDOUT, "a loop gives %s",
              weft_err_name(r));
        *errno_now() = KEPT_ERRNO;
        end_wait(a, 0, 0);
}

/* ---- pools of pools ---- */

void nest_a_pool(struct actor *a)
{
        weft_pool *pool;
        atomic_int live = 0;
        weft_pool_options o = {.size = sizeof(o),
                               .workers = 1 + rng_below(&a->rng, 2),
                               .flags = rng_chance(&a->rng, 2) ? WEFT_MIGRATE : 0};
        weft_shutdown how = rng_chance(&a->rng, 2) ? WEFT_CANCEL : WEFT_DRAIN;
        CHECK(weft_pool_create(&pool, &o) == 0, "pool");
        for (int i = 0; i < 3; i++) {
                struct start s = start_of(a, &live);
                s.depth = DEPTH;
                started(a, &s, weft_submit_closure(pool, task, &s, sizeof(s), task_ends));
        }
        int64_t deadline = soon(a);
        begin_wait(a, "shutdown of a nested pool");
        int r = weft_pool_shutdown(pool, how, deadline);
        end_wait(a, r, deadline);
        begin_wait(a, "end of a nested pool");
        WEFT_SHIELD {
                r = weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER);
        }
        end_wait(a, 0, 0);
        CHECK(r == 0, "shutdown: %d", r);
        balance_take(pool);
        weft_pool_destroy(pool);
        CHECK(atomic_load(&live) == 0, "a pool ended before %d of its tasks", atomic_load(&live));
}

/* ---- blocks around other operations ---- */

void in_a_shield(struct actor *a)
{
        WEFT_SHIELD {
                a->shields++;
                CHECK(weft_cancelled() == 0, "cancelled in a shield");
                act(a, 2);
                a->shields--;
        }
}

void in_time(struct actor *a)
{
        int64_t outer = weft_deadline(), deadline = soon(a);
        WEFT_DEADLINE (deadline) {
                CHECK(weft_deadline() == (deadline < outer ? deadline : outer), "a deadline");
                act(a, 3);
        }
        CHECK(weft_deadline() == outer, "a deadline is left");
}
