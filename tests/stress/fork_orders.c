/* SPDX-License-Identifier: MIT
 *
 * Set, fork, reset and join in every order: two sets with their undos and two jobs, in each of the
 * 420 sequences that are legal; each undo once by weft_reset() and once by weft_token_drop(), the
 * sets of one var and of two, with so many other vars bound that the context is empty, small, just
 * full, or large; with the context captured or not, and pauses in which other workers can take a
 * job. Each job must see what was bound at its fork (C1), the forker only what it did itself (C2),
 * and no value may be released too early or never (C7).
 */
#include "stress.h"
#include "fork_model.h"

enum {
        STEPS = 8,
        JOBS = 2,
        SETS = 2,
        ROUNDS = STRESS_SLOW || IN_EMULATOR ? 1 : 8,
};

/* What a step does. Of the undos, those of the first set and of the second. */
enum step { SET, FORK, UNDO_0, UNDO_1, JOIN };

static const int bound[] = {0, 1, 14, 15, 16, 38}; /* before the two sets */
enum { BOUND = sizeof(bound) / sizeof(bound[0]) };

struct job {
        weft_job job;
        struct shadow sees;
        struct rng rng;
        bool ran;
};

/* One sequence, and how it is played. */
struct play {
        enum step step[STEPS];
        struct rng rng;
        struct shadow sees;
        bool drop[SETS]; /* the undo is given up */
        bool capture;    /* hold the context across each fork */
        unsigned pauses; /* one in so many steps is followed by a yield, or a sleep; 0: none */
        int at[SETS];    /* the vars that are set */
        weft_token token[SETS];
        void *old[SETS];
        struct job job[JOBS];
        weft_context *held[JOBS];
        int sets, jobs, forks;
};

static atomic_ulong played;

/* Outside pools nobody else takes a job, and on a busy machine each yield is a long wait. */
static bool is_outside(void)
{
        return weft_pool_current() == NULL;
}

static int works(void *arg)
{
        struct job *j = arg;
        check_frame(&j->sees, "in a job");
        for (int i = 0; i < 2; i++) {
                int at = (int)rng_below(&j->rng, VARS);
                shadowed_set(&j->sees, at, random_value(&j->rng), NULL);
        }
        if (!is_outside() && rng_chance(&j->rng, 4))
                CHECK(weft_yield() == 0, "yield");
        check_frame(&j->sees, "in a job that has set");
        j->ran = true;
        return 77;
}

static void pause_here(struct play *p)
{
        if (is_outside() || !p->pauses || !rng_chance(&p->rng, p->pauses))
                return;
        int r = rng_chance(&p->rng, 8) ? weft_sleep_until(weft_now() + 1000) : weft_yield();
        CHECK(r == 0, "wait: %d", r);
}

static void fork_one(struct play *p)
{
        struct job *j = &p->job[p->jobs];
        j->sees = p->sees;
        j->rng = rng_split(&p->rng);
        j->ran = false;
        if (p->capture)
                p->held[p->forks] = weft_context_capture();
        p->forks++;
        p->jobs++;
        weft_fork(&j->job, works, j);
}

static void join_one(struct play *p)
{
        struct job *j = &p->job[--p->jobs];
        int r = weft_join(&j->job);
        CHECK(r == 77 && j->ran, "join: %d", r);
}

static void undo(struct play *p, int set)
{
        if (p->drop[set])
                weft_token_drop(&p->token[set]);
        else
                shadowed_reset(&p->sees, p->at[set], p->old[set], &p->token[set]);
}

static void take(struct play *p, enum step step)
{
        switch (step) {
        case SET:
                p->old[p->sets] = shadowed_set(&p->sees, p->at[p->sets], random_value(&p->rng),
                                               &p->token[p->sets]);
                p->sets++;
                break;
        case FORK:
                fork_one(p);
                break;
        case JOIN:
                join_one(p);
                break;
        default:
                undo(p, step == UNDO_0 ? 0 : 1);
                break;
        }
}

/* A weft_fn, run in a frame that starts from the empty context. */
static int play(void *arg)
{
        struct play *p = arg;
        int others = bound[rng_below(&p->rng, BOUND)];
        p->sees = shadow_empty();
        p->sets = p->jobs = p->forks = 0;
        p->held[0] = p->held[1] = NULL;
        for (int i = 0; i < others; i++)
                shadowed_set(&p->sees, i, random_value(&p->rng), NULL);
        for (int i = 0; i < STEPS; i++) {
                take(p, p->step[i]);
                pause_here(p);
                check_frame(&p->sees, "of the forker");
        }
        for (int i = 0; i < JOBS; i++)
                weft_context_unref(p->held[i]);
        return 0;
}

/* Each way to undo, the sets on one var and on two. */
static void play_ways(struct play *p)
{
        for (unsigned way = 0; way < 8; way++) {
                p->drop[0] = way & 1;
                p->drop[1] = way & 2;
                p->at[0] = (int)rng_below(&p->rng, VARS);
                p->at[1] = way & 4 ? (p->at[0] + 1) % VARS : p->at[0];
                p->capture = rng_chance(&p->rng, 3);
                p->pauses = rng_below(&p->rng, 4);
                CHECK(weft_context_run(NULL, play, p, NULL) == 0, "run");
        }
        atomic_fetch_add(&played, 1);
}

/* Every sequence that begins as it does so far: of so many steps, with these undone. */
static void play_all(struct play *p, int steps, int sets, const bool undone[SETS], int forks,
                     int joins)
{
        if (steps == STEPS) {
                play_ways(p);
                return;
        }
        if (sets < SETS) {
                p->step[steps] = SET;
                play_all(p, steps + 1, sets + 1, undone, forks, joins);
        }
        for (int i = 0; i < sets; i++) {
                bool now[SETS] = {undone[0] || i == 0, undone[1] || i == 1};
                p->step[steps] = i == 0 ? UNDO_0 : UNDO_1;
                if (!undone[i])
                        play_all(p, steps + 1, sets, now, forks, joins);
        }
        if (forks < JOBS) {
                p->step[steps] = FORK;
                play_all(p, steps + 1, sets, undone, forks + 1, joins);
        }
        if (joins < forks) {
                p->step[steps] = JOIN;
                play_all(p, steps + 1, sets, undone, forks, joins + 1);
        }
}

static int all_orders(void *seed)
{
        struct play p = {.rng = {*(uint64_t *)seed}};
        play_all(&p, 0, 0, (const bool[SETS]){false, false}, 0, 0);
        return 0;
}

static void on_pool(unsigned workers, unsigned flags, struct rng *rng)
{
        enum { TASKS = 3 };
        weft_pool_options o = {.size = sizeof(o), .workers = workers, .flags = flags};
        weft_pool *pool;
        weft_task *task[TASKS];
        uint64_t seed[TASKS];
        CHECK(weft_pool_create(&pool, &o) == 0, "pool");
        for (int i = 0; i < TASKS; i++) {
                seed[i] = rng_next(rng);
                CHECK(weft_spawn(pool, &task[i], all_orders, &seed[i]) == 0, "spawn");
        }
        for (int i = 0; i < TASKS; i++) {
                CHECK(weft_await(task[i], WEFT_FOREVER) == 0, "await");
                weft_task_unref(task[i]);
        }
        weft_pool_destroy(pool);
        check_released();
}

int main(int argc, char **argv)
{
        uint64_t rounds = ROUNDS;
        const struct stress_option options[] = {{"--rounds", &rounds, "of all orders"},
                                                {NULL, NULL, NULL}};
        stress_begin(argc, argv, options);
        struct rng rng = {stress_seed};
        for (uint64_t i = 0; i < rounds; i++) {
                uint64_t seed = rng_next(&rng);
                all_orders(&seed); /* on a thread outside pools */
                check_released();
                for (unsigned workers = 1; workers <= 4; workers++)
                        on_pool(workers, i % 2 ? WEFT_MIGRATE : 0, &rng);
        }
        unsigned long sequences = atomic_load(&played);
        printf("%lu sequences, 8 ways each\n", sequences);
        CHECK(sequences == rounds * (1 + 4 * 3) * 420, "there are 420");
        return 0;
}
