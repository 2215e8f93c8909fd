/* SPDX-License-Identifier: MIT
 *
 * Soak: all of weft's features at once, at random, under signals, cancel storms and with few and
 * slow processors, while pools come and go. Round after round, every second one with WEFT_MIGRATE.
 *
 * Checked in each: a wait keeps errno and the context, and fails only for a reason that is there; a
 * mutex has one holder, a semaphore keeps its units; what was sent is received or left. After each:
 * submitted = run + cancelled, and as many as were begun and never begun; each destructor has run
 * once; values are released as often as retained, which are bound in every context that there is,
 * so that each of these has been freed as well. After all: memory has not grown. Nothing hangs.
 */
#include "soak.h"

enum {
        THREADS = 3,
        TASKS = 24,
        OPS = STRESS_SLOW ? 12 : 30, /* of a task of the first generation */
        HANG_S = STRESS_SLOW ? 300 : 120,
};

static uint64_t seconds = STRESS_SLOW ? 6 : 3;
static uint64_t workers;
static uint64_t fault;

struct world world;
struct stress_value values[VALUES];
weft_var who = WEFT_VAR_INIT("who");
weft_var kept = WEFT_VAR_INIT("kept", .retain = stress_retain, .release = stress_release);

static pthread_mutex_t actors_lock = PTHREAD_MUTEX_INITIALIZER;
static struct actor *actors;
static atomic_ulong operations, rounds;

/* ---- actors ---------------------------------------------------------------------------------- */

struct stress_value *any_value(struct actor *a)
{
        return &values[rng_below(&a->rng, VALUES)];
}

void actor_begins(struct actor *a)
{
        a->doing = "begins";
        CHECK(weft_set(&who, a, NULL) == 0, "set");
        CHECK(weft_set(&kept, any_value(a), NULL) == 0, "set");
        pthread_mutex_lock(&actors_lock);
        a->before = NULL;
        a->next = actors;
        if (actors)
                actors->before = a;
        actors = a;
        pthread_mutex_unlock(&actors_lock);
}

void actor_ends(struct actor *a)
{
        CHECK(weft_get(&who) == a, "an actor ends in the context of another one");
        pthread_mutex_lock(&actors_lock);
        if (a->before)
                a->before->next = a->next;
        else
                actors = a->next;
        if (a->next)
                a->next->before = a->before;
        pthread_mutex_unlock(&actors_lock);
}

void act(struct actor *a, int ops)
{
        static operation *const plain[] = {lock_and_wait, take_unit,      wait_event, send_item,
                                           receive_item,  sleep_a_little, let_others, use_socket,
                                           keep_context,  derive_context};
        static operation *const deep[] = {
            spawn_and_await,     spawn_and_await,   use_group,    in_a_shield,  in_time,
            with_a_value,        set_a_time,        swap_context, call_bound,   run_in_context,
            call_back_when_done, wait_for_a_signal, loop,         close_socket, submit_and_forget};
        enum { PLAIN = sizeof(plain) / sizeof(*plain), DEEP = sizeof(deep) / sizeof(*deep) };
        for (int i = 0; i < ops; i++) {
                unsigned what = rng_below(&a->rng, 100);
                atomic_fetch_add(&operations, 1);
                if (what < 55 || (a->depth >= DEPTH && what < 94))
                        plain[rng_below(&a->rng, PLAIN)](a);
                else if (what < 90)
                        deep[rng_below(&a->rng, DEEP)](a);
                else if (what < 95)
                        cancel_somebody(a);
                else if (what < 97)
                        call_blocking(a);
                else if (what < 99)
                        fork_and_join(a);
                else if (a->depth >= DEPTH)
                        let_others(a);
                else if (rng_chance(&a->rng, 2))
                        nest_a_pool(a);
                else
                        start_thread(a);
        }
}

/* A thread outside pools. */
static void *thread(void *seed)
{
        struct actor a = {.rng = {*(uint64_t *)seed}, .depth = DEPTH - 1};
        actor_begins(&a);
        act(&a, OPS);
        actor_ends(&a);
        return NULL;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static weft_pool *pool_of(struct rng *rng, unsigned n, size_t bound, weft_when_full when_full)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {.size = sizeof(o),
                               .workers = n,
                               .max_queued = bound,
                               .when_full = when_full,
                               .flags = rng_chance(rng, 2) ? WEFT_MIGRATE : 0};
        CHECK(weft_pool_create(&pool, &o) == 0, "pool");
        return pool;
}

static void make_world(struct rng *rng)
{
        memset(&world, 0, sizeof(world));
        for (int i = 0; i < VALUES; i++)
                stress_retain(
                    &values[i]); /* by who binds it: a set shows it before it retains it */
        world.main = pool_of(rng, workers ? (unsigned)workers : 1 + rng_below(rng, 4), 0, 0);
        for (int i = 0; i < SIDES; i++)
                world.side[i] = pool_of(rng, 1, 2, (weft_when_full)i);
        world_make_waits(rng);
        for (int i = 0; i < HANDLES; i++)
                pthread_mutex_init(&world.handle[i].lock, NULL);
        for (int i = 0; i < CONTEXTS; i++)
                pthread_mutex_init(&world.context[i].lock, NULL);
}

static void end_pool(weft_pool *pool)
{
        CHECK(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == 0, "shutdown");
        balance_take(pool);
        weft_pool_destroy(pool);
}

/* What --fault does, so that it can be seen that it is found. */
static void do_wrong(void)
{
        static void *volatile leaked;
        switch (fault) {
        case 1: /* a leak */
                leaked = malloc(4096);
                break;
        case 2: /* a context that is not given back */
                WEFT_WITH (&kept, &values[0]) {
                        leaked = weft_context_capture();
                }
                break;
        case 3: /* a task that was accepted, and is lost */
                atomic_fetch_add(&balance.accepted, 1);
                break;
        case 4: /* a destructor that does not run */
                atomic_fetch_add(&balance.closures, 1);
                break;
        }
        (void)leaked;
}

static void end_world(void)
{
        end_pool(world.main);
        for (int i = 0; i < SIDES; i++)
                end_pool(world.side[i]);
        balance_take_default();
        world_end_waits();
        world_end_contexts();
        for (int i = 0; i < HANDLES; i++)
                weft_task_unref(world.handle[i].task);
        do_wrong();
        balance_close();
        for (int i = 0; i < VALUES; i++) {
                stress_release(&values[i]);
                CHECK(!stress_alive(&values[i]), "a value is kept, and so is a context");
        }
        CHECK(!actors, "an actor is left");
}

static void play_round(uint64_t seed)
{
        struct rng rng = {seed};
        pthread_t threads[THREADS];
        uint64_t seeds[THREADS];
        struct actor me = {.rng = rng_split(&rng)};
        struct weather weather;
        make_world(&rng);
        weather_begin(&weather, rng_next(&rng));
        for (int i = 0; i < THREADS; i++) {
                seeds[i] = rng_next(&rng);
                CHECK(pthread_create(&threads[i], NULL, thread, &seeds[i]) == 0, "thread");
        }
        weft_context *before = weft_context_swap(NULL);
        actor_begins(&me);
        start_tasks(&me, TASKS, OPS);
        actor_ends(&me);
        weft_context_unref(weft_context_swap(before));
        if (rng_chance(&rng, 2)) {
                usleep(rng_below(&rng, 5000));
                int r = weft_pool_shutdown(world.main, WEFT_CANCEL, weft_now() + MS);
                CHECK(r == 0 || r == -ETIMEDOUT, "shutdown: %d", r);
        }
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        weather_end(&weather);
        end_world();
        atomic_fetch_add(&rounds, 1);
}

/* ---- the watchdog, and the line that shows that all is well ---------------------------------- */

static void show_progress(unsigned halves)
{
        printf("\r%u s: %lu rounds, %lu operations, %lu tasks, %lu signals ", halves / 2,
               atomic_load(&rounds), atomic_load(&operations), atomic_load(&all_tasks),
               atomic_load(&all_signals));
        fflush(stdout);
}

static void *watch(void *unused)
{
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL); /* nothing shortens its sleep */
        unsigned long before = 0;
        unsigned still = 0;
        bool terminal = isatty(1);
        for (unsigned halves = 0;; halves++) {
                usleep(500 * 1000);
                unsigned long now = atomic_load(&operations) + atomic_load(&rounds);
                if (terminal)
                        show_progress(halves);
                still = now == before ? still + 1 : 0;
                before = now;
                if (still < 2 * HANG_S)
                        continue;
                pthread_mutex_lock(&actors_lock);
                for (struct actor *a = actors; a; a = a->next)
                        dprintf(2, "a %s of depth %d hangs in: %s\n",
                                a->is_task ? "task" : "thread", a->depth, a->doing);
                CHECK(false, "nothing has happened for %d s, in round %lu", HANG_S,
                      atomic_load(&rounds));
        }
        return unused;
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {
            {"--seconds", &seconds, "how long"},
            {"--workers", &workers, "threads of the pool; 0: 1 to 4 at random"},
            {"--fault", &fault, "to be found: 1 leak, 2 context, 3 task, 4 destructor; 0: none"},
            {NULL, NULL, NULL}};
        pthread_t watchdog;
        stress_begin(argc, argv, options);
        weather_quota();
        CHECK(pthread_create(&watchdog, NULL, watch, NULL) == 0, "watchdog");
        pthread_detach(watchdog);
        struct rng rng = {stress_seed};
        int64_t duration = (int64_t)seconds * 1000 * MS;
        memory_begin(duration);
        int64_t end = weft_now() + duration;
        do {
                play_round(rng_next(&rng));
                memory_sample();
        } while (weft_now() < end);
        printf("%s%lu rounds, %lu operations, %lu tasks, %lu cancelled, %lu refused, %lu signals\n",
               isatty(1) ? "\r" : "", atomic_load(&rounds), atomic_load(&operations),
               atomic_load(&all_tasks), atomic_load(&all_cancelled), atomic_load(&all_refused),
               atomic_load(&all_signals));
        printf(
            "in balance after each: submitted = run + cancelled, %lu destructors of as many tasks, "
            "no value left, no wake-up missed\n",
            atomic_load(&all_dropped));
        memory_check();
        return 0;
}
