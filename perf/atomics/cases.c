/* SPDX-License-Identifier: MIT
 *
 * The cases. Each is done once to warm up and then counted. Either all threads are counted, from
 * the first operation until the last has ended, searching and sleeping included; or where every
 * worker does the same, each while all of them do it.
 */
#include "cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
        MANY = 4000, /* operations that are counted, */
        EACH = 1000, /* or of each worker */
};

void must_not_fail(const char *what)
{
        fprintf(stderr, "weft-atomics: not so: %s\n", what);
        exit(1);
}

static atomic_long ticked;

int tick(void *unused)
{
        (void)unused;
        atomic_fetch_add(&ticked, 1);
        return 0;
}

long ticks(void)
{
        return atomic_load(&ticked);
}

static void wait_for_ticks(long wanted)
{
        const struct timespec a_while = {.tv_nsec = 200000};
        while (ticks() < wanted)
                nanosleep(&a_while, NULL);
        must(ticks() == wanted);
}

static struct counts difference(struct counts before, struct counts after)
{
        for (int i = 0; i < COUNTED; i++)
                after.of[i] -= before.of[i];
        return after;
}

/* ---- all threads are counted ---- */

static void in_a_task(weft_pool *pool, weft_fn *fn)
{
        weft_task *task;
        must(weft_spawn(pool, &task, fn, NULL) == 0);
        must(weft_await(task, WEFT_FOREVER) == 0);
        weft_task_unref(task);
}

/* fn does so many operations in a task. */
static void count_within(struct run *r, weft_fn *fn, long operations)
{
        in_a_task(r->pool, fn);
        struct counts before = counted_all();
        in_a_task(r->pool, fn);
        r->counts = difference(before, counted_all());
        r->operations = operations;
}

struct producer {
        pthread_t thread;
        weft_pool *pool;
        pthread_barrier_t *begins;
        long tasks;
};

static void *produce(void *arg)
{
        const struct producer *p = arg;
        for (int time = 0; time < 2; time++) { /* once to warm up */
                pthread_barrier_wait(p->begins);
                for (long i = 0; i < p->tasks; i++)
                        must(weft_submit(p->pool, tick, NULL) == 0);
        }
        return NULL;
}

static void submit_from(struct run *r, unsigned producers)
{
        enum { MOST = 4 };
        struct producer p[MOST];
        pthread_barrier_t begins;
        struct counts before;
        long base = ticks(), share = MANY / producers;
        must(producers <= MOST && pthread_barrier_init(&begins, NULL, producers + 1) == 0);
        for (unsigned i = 0; i < producers; i++) {
                p[i] = (struct producer){.pool = r->pool, .begins = &begins, .tasks = share};
                must(weft_thread_create(&p[i].thread, NULL, produce, &p[i]) == 0);
        }
        r->operations = share * producers;
        for (int time = 1; time <= 2; time++) {
                before = counted_all();
                pthread_barrier_wait(&begins);
                wait_for_ticks(base + time * r->operations);
        }
        for (unsigned i = 0; i < producers; i++)
                pthread_join(p[i].thread, NULL);
        r->counts = difference(before, counted_all());
        pthread_barrier_destroy(&begins);
}

static void submit(struct run *r)
{
        submit_from(r, 1);
}

static void submit4(struct run *r)
{
        submit_from(r, 4);
}

static int spawn_and_await(void *unused)
{
        (void)unused;
        for (long i = 0; i < MANY; i++) {
                weft_task *task;
                must(weft_spawn(NULL, &task, tick, NULL) == 0);
                must(weft_await(task, WEFT_FOREVER) == 0);
                weft_task_unref(task);
        }
        return 0;
}

static void spawn_await(struct run *r)
{
        count_within(r, spawn_and_await, MANY);
}

static int groups(void *unused)
{
        enum { OF = 100 };
        (void)unused;
        for (long done = 0; done < MANY; done += OF) {
                weft_group g;
                must(weft_group_init(&g, NULL) == 0);
                for (int i = 0; i < OF; i++)
                        must(weft_group_spawn(&g, tick, NULL) == 0);
                must(weft_group_wait(&g, WEFT_FOREVER) == 0);
                weft_group_fini(&g);
        }
        return 0;
}

static void group(struct run *r)
{
        count_within(r, groups, MANY);
}

static int range(size_t from, size_t to, void *unused)
{
        (void)from;
        (void)to;
        return tick(unused);
}

enum { RANGES = 100000, FIB = 24 };

static int loop(void *unused)
{
        return weft_parallel_for(NULL, 0, RANGES, 1, range, unused);
}

static void parallel_for(struct run *r)
{
        count_within(r, loop, RANGES);
}

static long forks_of_fib;

static int fib(void *unused)
{
        (void)unused;
        forks_of_fib = fork_fib(FIB);
        return 0;
}

static void fork_tree(struct run *r)
{
        count_within(r, fib, 0);
        r->operations = forks_of_fib;
}

#define COARSE_NS 20000

static int compute(void *unused)
{
        for (int64_t end = weft_now() + COARSE_NS; weft_now() < end;)
                ;
        return tick(unused);
}

enum { JOBS = 100, TIMES = 10 };

static int forks_coarse(void *unused)
{
        (void)unused;
        for (int i = 0; i < TIMES; i++)
                fork_all(JOBS, compute);
        return 0;
}

static void fork_coarse(struct run *r)
{
        count_within(r, forks_coarse, TIMES * JOBS);
}

/* ---- each worker is counted while all do the same ---- */

static struct {
        pthread_barrier_t all;
        void (*work)(long times);
        struct counts counts;
        pthread_mutex_t lock; /* of the counts */
} same = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* It blocks its worker until each of them has one. */
static int do_the_same(void *unused)
{
        (void)unused;
        pthread_barrier_wait(&same.all);
        same.work(EACH / 10);
        pthread_barrier_wait(&same.all);
        struct counts before = counted_here();
        same.work(EACH);
        struct counts c = difference(before, counted_here());
        pthread_mutex_lock(&same.lock);
        for (int i = 0; i < COUNTED; i++)
                same.counts.of[i] += c.of[i];
        pthread_mutex_unlock(&same.lock);
        pthread_barrier_wait(&same.all);
        return tick(NULL);
}

static void count_same(struct run *r, void (*work)(long times), long operations)
{
        same.work = work;
        same.counts = (struct counts){{0}};
        must(pthread_barrier_init(&same.all, NULL, r->workers) == 0);
        weft_group g;
        must(weft_group_init(&g, r->pool) == 0);
        for (unsigned i = 0; i < r->workers; i++)
                must(weft_group_spawn(&g, do_the_same, NULL) == 0);
        must(weft_group_wait(&g, WEFT_FOREVER) == 0);
        weft_group_fini(&g);
        pthread_barrier_destroy(&same.all);
        r->counts = same.counts;
        r->operations = operations * r->workers;
}

static void unstolen(struct run *r)
{
        count_same(r, fork_and_join, EACH);
}

static int yields_until(void *ended)
{
        while (!atomic_load((atomic_bool *)ended))
                must(weft_yield() == 0);
        return 0;
}

/* Two tasks of each worker take turns. */
static void yield_in_turn(long times)
{
        atomic_bool ended = false;
        weft_task *other;
        must(weft_spawn(NULL, &other, yields_until, &ended) == 0);
        for (long i = 0; i < times; i++)
                must(weft_yield() == 0);
        atomic_store(&ended, true);
        must(weft_await(other, WEFT_FOREVER) == 0);
        weft_task_unref(other);
}

static void yield(struct run *r)
{
        count_same(r, yield_in_turn, 2 * EACH);
}

static unsigned seeded_workers;

static void write_for_each(long times)
{
        write_to_each(times, seeded_workers);
}

static void seeded(struct run *r)
{
        seeded_workers = r->workers;
        count_same(r, write_for_each, EACH);
}

const struct the_case cases[] = {
    {"submit", "submit from one thread outside, and run", submit},
    {"submit4", "the same from four threads", submit4},
    {"spawn-await", "spawn + await in one task", spawn_await},
    {"group", "a task of a group of 100", group},
    {"unstolen", "fork + join in a task of each worker", unstolen},
    {"yield", "two tasks of each worker take turns", yield},
    {"fork-tree", "fork + join in fib(24), which idle workers take from", fork_tree},
    {"fork-coarse", "one of 100 jobs of 20 us, forked and then joined", fork_coarse},
    {"parallel-for", "a range of a loop of 100,000, which idle workers take from", parallel_for},
    {"seeded", "what grows with workers, and must be found", seeded},
    {NULL, NULL, NULL},
};
