/* SPDX-License-Identifier: MIT
 *
 * Pools under load: rounds in which a few pools with random options are used by threads and by each
 * other's tasks in every way there is (submits, spawns, awaits with deadlines, cancels, callbacks,
 * groups that fail, yields, sleeps), and are shut down in the middle of it.
 *
 * Nothing may be lost or done twice. Each pool's own figures must agree with what its tasks
 * counted: submitted = run + cancelled, each closure's destructor ran exactly once, each callback
 * at most once, and every value that a context bound was released as often as it was retained.
 */
#include "stress.h"

#include <pthread.h>

enum { POOLS = 3, PRODUCERS = 4, DEEPEST = 4, CALLBACKS = 1 << 20, VALUES = 32 };

static uint64_t rounds = STRESS_SLOW ? 40 : 150;
static uint64_t ops = STRESS_SLOW ? 200 : 300;
static uint64_t limit = STRESS_SLOW ? 60000 : 20000;

/* One pool of a round, and what was counted around it. */
struct slot {
        weft_pool *pool;
        weft_pool_options options;
        bool cancels; /* it is shut down by WEFT_CANCEL */
        atomic_ulong accepted, ran, closures, dropped;
};

struct round {
        unsigned pools;
        struct slot slot[POOLS];
};

static struct round now;
static struct slot own;      /* the default pool, which outlives the rounds */
static atomic_uchar *called; /* how often each callback ran */
static atomic_ulong registered, callbacks_ran;

static weft_var request =
    WEFT_VAR_INIT("request", .retain = stress_retain, .release = stress_release);
static weft_var depth = WEFT_VAR_INIT("depth");
static struct stress_value value[VALUES];

/* What a closure is given. The value is what the context must bind. */
struct job {
        struct slot *home;
        struct rng rng;
        unsigned depth;
        int result;
        struct stress_value *value;
        unsigned char padding[]; /* so that some do not fit into the task */
};

enum { LARGE = sizeof(struct job) + 100 };

static void act(struct rng *r, unsigned below);

static void check_context(const struct job *j)
{
        CHECK(weft_get(&request) == j->value, "another context: %p, not %p", weft_get(&request),
              (void *)j->value);
        CHECK(weft_get(&depth) == (void *)(uintptr_t)j->depth, "another context");
        CHECK(!j->value || stress_alive(j->value), "a value was released too early");
}

static int run(void *args)
{
        struct job *j = args;
        check_context(j);
        atomic_fetch_add(&j->home->ran, 1);
        for (unsigned n = rng_below(&j->rng, 4); n > 0 && j->depth < DEEPEST; n--)
                act(&j->rng, j->depth);
        check_context(j);
        return j->result;
}

static void drop(void *args)
{
        struct job *j = args;
        check_context(j);
        atomic_fetch_add(&j->home->dropped, 1);
        j->home = NULL; /* a second call would not survive */
}

static int run_plain(void *arg)
{
        struct slot *home = arg;
        atomic_fetch_add(&home->ran, 1);
        return 7;
}

/* Callbacks of the default pool may come when the next round has begun. */
static struct slot *slot_of(weft_pool *pool)
{
        if (pool == weft_pool_default())
                return &own;
        for (unsigned i = 0; i < now.pools; i++)
                if (now.slot[i].pool == pool)
                        return &now.slot[i];
        CHECK(false, "a pool of nobody");
        return &own;
}

static int call_back(void *arg)
{
        CHECK(atomic_fetch_add(&called[(uintptr_t)arg], 1) == 0, "a callback ran twice");
        atomic_fetch_add(&callbacks_ran, 1);
        atomic_fetch_add(&slot_of(weft_pool_current())->ran, 1);
        return -EIO;
}

/* ---- starting tasks -------------------------------------------------------------------------- */

static struct slot *any_slot(struct rng *r)
{
        return &now.slot[rng_below(r, now.pools)];
}

static bool refusal(const struct slot *s, int r)
{
        weft_when_full when = s->options.when_full;
        return r == -ESHUTDOWN || (r == -EAGAIN && s->options.max_queued && when == WEFT_REFUSE) ||
               (r == -ECANCELED && s->options.max_queued && when == WEFT_BLOCK);
}

/* Spawns into the group if there is one, else into the pool, with a handle if ret is given. */
static int start(struct slot *s, struct rng *r, unsigned below, weft_group *g, weft_task **ret,
                 int result)
{
        union {
                struct job job;
                unsigned char bytes[LARGE];
        } args = {.job = {.home = s,
                          .rng = rng_split(r),
                          .depth = below + 1,
                          .result = result,
                          .value = rng_chance(r, 5) ? NULL : &value[rng_below(r, VALUES)]}};
        size_t size = rng_chance(r, 3) ? LARGE : sizeof(args.job);
        weft_token token, depth_token;
        int error;

        CHECK(weft_set(&request, args.job.value, &token) == 0, "set");
        CHECK(weft_set(&depth, (void *)(uintptr_t)args.job.depth, &depth_token) == 0, "set");
        if (g)
                error = weft_group_spawn_closure(g, run, &args, size, drop);
        else if (ret)
                error = weft_spawn_closure(s->pool, ret, run, &args, size, drop);
        else
                error = weft_submit_closure(s->pool, run, &args, size, drop);
        if (error == 0) {
                atomic_fetch_add(&s->accepted, 1);
                atomic_fetch_add(&s->closures, 1);
        } else {
                CHECK(refusal(s, error) || (g && error == -ECANCELED), "%d", error);
        }
        CHECK(weft_reset(&depth, &depth_token) == 0, "reset");
        CHECK(weft_reset(&request, &token) == 0, "reset");
        return error;
}

static void start_plain(struct slot *s, struct rng *r)
{
        weft_task *t = NULL;
        int error = rng_chance(r, 2) ? weft_submit(s->pool, run_plain, s)
                                     : weft_spawn(s->pool, &t, run_plain, s);
        if (error == 0)
                atomic_fetch_add(&s->accepted, 1);
        else
                CHECK(refusal(s, error), "%d", error);
        weft_task_unref(t);
}

static void add_callback(weft_task *t)
{
        unsigned long i = atomic_fetch_add(&registered, 1);
        CHECK(i < CALLBACKS, "too many callbacks: give fewer rounds");
        int error = weft_task_on_done(t, call_back, (void *)(uintptr_t)i);
        CHECK(error == 0 || error == -ESHUTDOWN || error == -EAGAIN, "%d", error);
        if (error != 0) {
                CHECK(atomic_fetch_add(&called[i], 1) == 0, "refused, and ran");
                atomic_fetch_add(&callbacks_ran, 1);
        }
}

static void await_some(weft_task *t, struct rng *r, int result)
{
        int64_t deadline = rng_chance(r, 3) ? weft_now() + rng_below(r, 200000) : WEFT_FOREVER;
        int got = weft_await(t, deadline);
        int ended = 0, state = weft_task_result(t, &ended);

        if (state == 0 && got != -ETIMEDOUT && got != -ECANCELED)
                CHECK(got == ended && got == result, "%d, %d, not %d", got, ended, result);
        else if (got == -ETIMEDOUT)
                CHECK(deadline != WEFT_FOREVER, "timed out without a deadline");
        else
                CHECK(got == -ECANCELED || got == result, "%d, not %d", got, result);
}

static void spawn_some(struct rng *r, unsigned below)
{
        struct slot *s = any_slot(r);
        weft_task *t = NULL;
        int result = (int)rng_below(r, 100);

        if (start(s, r, below, NULL, &t, result) != 0)
                return;
        if (rng_chance(r, 4))
                add_callback(t);
        if (rng_chance(r, 8))
                usleep(rng_below(r, 50));
        if (rng_chance(r, 4)) {
                int error = weft_task_cancel(t);
                CHECK(error == 0 || error == -EALREADY, "%d", error);
        }
        if (!rng_chance(r, 4))
                await_some(t, r, result);
        if (rng_chance(r, 8))
                add_callback(t);
        CHECK(weft_task_unref(t) == NULL, "unref");
}

/* A group whose tasks may fail, on any pool, waited for by a thread or by a task of any. */
static void group_some(struct rng *r, unsigned below)
{
        struct slot *s = any_slot(r);
        weft_group g;
        bool fails = rng_chance(r, 3), cancels = rng_chance(r, 5);

        CHECK(weft_group_init(&g, s->pool) == 0, "init");
        for (unsigned n = rng_below(r, 6); n > 0; n--)
                start(s, r, below, &g, NULL, fails && n == 2 ? -EPROTO : (int)n);
        if (cancels)
                CHECK(weft_group_cancel(&g) == 0, "cancel");
        if (!rng_chance(r, 4)) {
                int error =
                    weft_group_wait(&g, rng_chance(r, 3) ? weft_now() + 50000 : WEFT_FOREVER);
                CHECK(error == 0 || error == -ETIMEDOUT || error == -ECANCELED ||
                          (fails && error == -EPROTO),
                      "%d", error);
        }
        weft_group_fini(&g);
        memset(&g, 0xa5, sizeof(g)); /* nobody may look at it any more */
}

static void act(struct rng *r, unsigned below)
{
        int error = 0;
        switch (rng_below(r, 10)) {
        case 0:
        case 1:
                start(any_slot(r), r, below, NULL, NULL, 0);
                break;
        case 2:
                start_plain(any_slot(r), r);
                break;
        case 3:
        case 4:
        case 5:
                spawn_some(r, below);
                break;
        case 6:
                group_some(r, below);
                break;
        case 7:
                error = weft_yield();
                break;
        case 8:
                error = weft_sleep_until(weft_now() + rng_below(r, 100000));
                break;
        case 9:
                if (weft_task_current() && rng_chance(r, 4))
                        CHECK(weft_task_cancel(weft_task_current()) == 0, "cancel oneself");
                break;
        }
        CHECK(error == 0 || (error == -ECANCELED && weft_cancelled() == error), "%d", error);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void *produce(void *arg)
{
        struct rng *r = arg;
        for (uint64_t i = 0; i < ops; i++)
                act(r, 0);
        return NULL;
}

static void open_pools(struct rng *r)
{
        now.pools = 1 + rng_below(r, POOLS);
        for (unsigned i = 0; i < now.pools; i++) {
                struct slot *s = &now.slot[i];
                *s = (struct slot){
                    .options = {.size = sizeof(s->options),
                                .workers = 1 + rng_below(r, 4),
                                .stack_size = 64 << 10,
                                .max_queued = rng_chance(r, 2) ? 0 : 4 + rng_below(r, 60),
                                .when_full = (weft_when_full)rng_below(r, 3)},
                    .cancels = rng_chance(r, 3)};
                CHECK(weft_pool_create(&s->pool, &s->options) == 0, "create");
        }
}

static void shut_down(struct slot *s, struct rng *r)
{
        weft_shutdown how = s->cancels ? WEFT_CANCEL : WEFT_DRAIN;
        int error = -ETIMEDOUT;
        if (rng_chance(r, 2))
                error = weft_pool_shutdown(s->pool, how, weft_now() + rng_below(r, 300000));
        CHECK(error == 0 || error == -ETIMEDOUT, "%d", error);
        error = weft_pool_shutdown(s->pool, how, WEFT_FOREVER);
        CHECK(error == 0, "%d", error);
}

static void compare_figures(struct slot *s)
{
        struct weft_pool_stats f = {.size = sizeof(f)};
        CHECK(weft_pool_stats(s->pool, &f) == 0, "stats");
        CHECK(f.queued == 0, "%" PRIu64 " are queued yet", f.queued);
        CHECK(f.missed == 0, "%" PRIu64 " wake-ups were missed", f.missed);
        CHECK(f.submitted == f.run + f.cancelled, "%" PRIu64 ", %" PRIu64 ", %" PRIu64, f.submitted,
              f.run, f.cancelled);
        CHECK(f.run == atomic_load(&s->ran), "%" PRIu64 " run, counted %lu", f.run,
              atomic_load(&s->ran));
        CHECK(f.submitted >= atomic_load(&s->accepted), "%" PRIu64 " submitted, accepted %lu",
              f.submitted, atomic_load(&s->accepted));
        CHECK(atomic_load(&s->closures) == atomic_load(&s->dropped), "%lu closures, %lu dropped",
              atomic_load(&s->closures), atomic_load(&s->dropped));
}

static unsigned long play_round(struct rng *r)
{
        struct rng rng[PRODUCERS];
        pthread_t thread[PRODUCERS];
        unsigned producers = 1 + rng_below(r, PRODUCERS);
        unsigned long tasks = 0;

        open_pools(r);
        for (unsigned i = 0; i < producers; i++) {
                rng[i] = rng_split(r);
                CHECK(pthread_create(&thread[i], NULL, produce, &rng[i]) == 0, "thread");
        }
        bool early = rng_chance(r, 2);
        for (unsigned i = 0; !early && i < producers; i++)
                CHECK(pthread_join(thread[i], NULL) == 0, "join");
        usleep(rng_below(r, 2000));
        for (unsigned i = 0; i < now.pools; i++)
                shut_down(&now.slot[i], r);
        for (unsigned i = 0; early && i < producers; i++)
                CHECK(pthread_join(thread[i], NULL) == 0, "join");
        for (unsigned i = 0; i < now.pools; i++) {
                compare_figures(&now.slot[i]);
                tasks += atomic_load(&now.slot[i].accepted);
        }
        for (unsigned i = 0; i < now.pools; i++)
                CHECK(weft_pool_destroy(now.slot[i].pool) == NULL, "destroy");
        return tasks;
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
        const struct stress_option options[] = {{"--rounds", &rounds, "sets of pools"},
                                                {"--ops", &ops, "of each producer in a round"},
                                                {"--ms", &limit, "no new round after so long"},
                                                {NULL, NULL, NULL}};
        stress_begin(argc, argv, options);

        struct rng rng = {stress_seed};
        unsigned long tasks = 0;
        uint64_t played = 0;
        int64_t end = weft_now() + (int64_t)limit * 1000000;
        called = calloc(CALLBACKS, sizeof(*called));
        CHECK(called, "out of memory");
        for (; played < rounds && weft_now() < end; played++) {
                stress_hangs_after(60);
                tasks += play_round(&rng);
        }
        own.pool = weft_pool_default();
        struct weft_pool_stats f = {.size = sizeof(f)};
        do {
                usleep(1000);
                CHECK(weft_pool_stats(own.pool, &f) == 0, "stats");
        } while (f.run + f.cancelled != f.submitted || values_left() != 0);
        stress_hangs_after(0);
        compare_figures(&own);
        printf("%" PRIu64 " rounds, %lu tasks, %lu callbacks of which %lu ran or were refused\n",
               played, tasks, atomic_load(&registered), atomic_load(&callbacks_ran));
        free(called);
        return 0;
}
