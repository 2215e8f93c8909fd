/* SPDX-License-Identifier: MIT
 *
 * How long a task that was handed in from outside waits at most, counted in what its pool does
 * meanwhile (pool.h, "Order"). The one worker is busy without end; at some moment it is held while
 * the test hands tasks in, so that the count begins exactly then.
 */
#include "pool_help.h"

enum {
        OWN = 122,        /* of its own tasks before one from outside, as pool.h says */
        LANES = 8,        /* groups of threads outside, of which each has its turn... */
        BATCH = 32,       /* ...for so many tasks */
        OF_THEM = 2,      /* tasks that keep the worker busy */
        HANDED_IN = 3,    /* tasks, at that moment */
        BEGIN = 1000,     /* what the worker has done until then */
        ALONE = 1 << 16,  /* what the first does at most before the second begins, */
        ENOUGH = 3 << 20, /* and both together, so that a test that fails ends */
};

/* ---- among those from outside ---------------------------------------------------------------- */

static struct {
        weft_pool *pool;
        int tasks; /* of each thread */
        int ran;   /* by the one worker, all of it */
        int ran_of[LANES];
        int overtaken; /* by how much the worst of them has missed its bound */
} crowd;

/* Before the n-th task of a thread at most n / BATCH + 1 batches of each lane. */
static int note_place(void *thread)
{
        int n = crowd.ran_of[N(thread)]++, most = (n / BATCH + 1) * LANES * BATCH;
        if (crowd.ran - most > crowd.overtaken)
                crowd.overtaken = crowd.ran - most;
        crowd.ran++;
        return 0;
}

static void *hand_in_many(void *thread)
{
        for (int i = 0; i < crowd.tasks; i++)
                CHECK(weft_submit(crowd.pool, note_place, thread) == 0);
        return NULL;
}

Test(fairness, each_thread_has_its_turn_whatever_the_others_have_handed_in, .timeout = 60)
{
        skip_unless_workers(1);
        struct plug plug;
        crowd.tasks = SLOW_BUILD ? 600 : 3000;
        crowd.pool = begin(1);
        plug_in(&plug, crowd.pool, 1);
        for (int i = 0; i < LANES; i++) {
                pthread_t thread;
                cr_assert_eq(pthread_create(&thread, NULL, hand_in_many, V(i)), 0);
                pthread_join(thread, NULL);
        }
        plug_out(&plug);
        finish(crowd.pool);
        cr_assert_eq(crowd.ran, LANES * crowd.tasks);
        cr_assert_eq(crowd.overtaken, 0, "%d too many ran before one of them", crowd.overtaken);
}

/* ---- beside what the worker does without end ------------------------------------------------- */

static struct {
        weft_pool *pool;
        weft_fn *work;     /* does step() again and again until ended() */
        int begun;         /* tasks that do it */
        atomic_bool all;   /* have been submitted */
        int alone;         /* steps from there until all have begun */
        int steps;         /* all by the one worker */
        int at[HANDED_IN]; /* how many there were when the tasks from outside started */
        atomic_int started;
        atomic_int ends; /* work that has come to its end */
        sem_t held, free;
} endless;

static bool ended(void)
{
        return atomic_load(&endless.started) == HANDED_IN || endless.steps >= ENOUGH ||
               endless.alone >= ALONE;
}

/* At the moment that counts, the worker is held while the test hands in. */
static void step(void)
{
        if (endless.begun < OF_THEM) {
                if (atomic_load(&endless.all) && ++endless.alone == ALONE)
                        sem_post(&endless.held);
                return;
        }
        if (++endless.steps != BEGIN)
                return;
        sem_post(&endless.held);
        plug__wait(&endless.free);
}

static int starts(void *unused)
{
        (void)unused;
        int n = atomic_load(&endless.started);
        endless.at[n] = endless.steps - BEGIN;
        atomic_store(&endless.started, n + 1);
        return 0;
}

static int does_work(void *arg)
{
        endless.begun++;
        int r = endless.work(arg);
        atomic_fetch_add(&endless.ends, 1);
        return r;
}

/* The n-th of those that were handed in starts after at most n * most steps. */
static void assert_turns(weft_fn *work, int most, unsigned flags)
{
        skip_unless_workers(1);
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .flags = flags};
        cr_assert_eq(weft_pool_create(&endless.pool, &o), 0);
        sem_init(&endless.held, 0, 0);
        sem_init(&endless.free, 0, 0);
        endless.work = work;
        endless.steps = endless.begun = endless.alone = 0;
        atomic_store(&endless.started, 0);
        atomic_store(&endless.ends, 0);
        atomic_store(&endless.all, false);

        for (int i = 0; i < OF_THEM; i++)
                cr_assert_eq(weft_submit(endless.pool, does_work, NULL), 0);
        atomic_store(&endless.all, true);
        plug__wait(&endless.held);
        cr_assert_lt(endless.alone, ALONE, "the second did not begin beside the first");
        for (int i = 0; i < HANDED_IN; i++)
                cr_assert_eq(weft_submit(endless.pool, starts, NULL), 0);
        sem_post(&endless.free);
        cr_assert(reaches(&endless.started, HANDED_IN));
        cr_assert(reaches(&endless.ends, OF_THEM));
        finish(endless.pool);
        for (int i = 0; i < HANDED_IN; i++)
                cr_assert_leq(endless.at[i], (i + 1) * most, "task %d started after %d others", i,
                              endless.at[i]);
}

static int spawns(void *unused)
{
        (void)unused;
        while (!ended()) {
                weft_task *task;
                CHECK(weft_spawn(NULL, &task, nothing, NULL) == 0);
                CHECK(weft_await(task, WEFT_FOREVER) == 0);
                weft_task_unref(task);
                step();
        }
        return 0;
}

Test(fairness, beside_tasks_that_spawn_and_await, .timeout = 60)
{
        assert_turns(spawns, OWN, 0);
        assert_turns(spawns, OWN, WEFT_MIGRATE);
}

static int yields(void *unused)
{
        (void)unused;
        while (!ended()) {
                CHECK(weft_yield() == 0);
                step();
        }
        return 0;
}

Test(fairness, beside_tasks_that_yield, .timeout = 60)
{
        assert_turns(yields, OWN, 0);
        assert_turns(yields, OWN, WEFT_MIGRATE);
}

static int submits_itself(void *unused)
{
        step();
        if (!ended())
                CHECK(weft_submit(NULL, submits_itself, unused) == 0);
        return 0;
}

Test(fairness, beside_tasks_that_submit_themselves_again, .timeout = 60)
{
        assert_turns(submits_itself, OWN, 0);
}

static int forks(void *unused)
{
        (void)unused;
        while (!ended()) {
                weft_job job;
                weft_fork(&job, nothing, NULL);
                CHECK(weft_join(&job) == 0);
                step();
        }
        return 0;
}

Test(fairness, beside_tasks_that_fork_and_join, .timeout = 60)
{
        assert_turns(forks, OWN, 0);
        assert_turns(forks, OWN, WEFT_MIGRATE);
}

static int tree(int depth);
WEFT_JOB_OF(tree_job, int, tree, int)

static int tree(int depth)
{
        if (depth == 0 || ended())
                return 0;
        tree_job job;
        tree_job_fork(&job, depth - 1);
        tree(depth - 1);
        step();
        return tree_job_join(&job);
}

static int forks_a_tree(void *unused)
{
        (void)unused;
        return tree(40);
}

Test(fairness, beside_tasks_that_fork_a_tree, .timeout = 60)
{
        assert_turns(forks_a_tree, OWN, 0);
        assert_turns(forks_a_tree, OWN, WEFT_MIGRATE);
}

/* Each range is a step; it goes on until its end, of which those that are left out are no steps. */
static int range_step(size_t from, size_t to, void *unused)
{
        (void)from;
        (void)to;
        (void)unused;
        if (ended())
                return -ECANCELED;
        step();
        return 0;
}

static int loops(void *unused)
{
        return weft_parallel_for(NULL, 0, ENOUGH, 1, range_step, unused);
}

Test(fairness, beside_loops_in_parallel, .timeout = 60)
{
        assert_turns(loops, OWN, 0);
        assert_turns(loops, OWN, WEFT_MIGRATE);
}
