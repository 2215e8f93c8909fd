/* SPDX-License-Identifier: MIT
 *
 * weft-count: one operation, so many times, and nothing else; for perf/count/run, which has
 * callgrind count the instructions of two such runs and divides the difference.
 *
 * weft-count OPERATION TIMES [VARS]. Without arguments: the operations, a line each. So many vars
 * are bound, or eight. Exit status 1 if an operation did not do what it should, 2 if there is no
 * such operation.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

#define VARS      8
#define VARS_MOST 64

static weft_var var[VARS_MOST] = {[0 ... VARS_MOST - 1] = WEFT_VAR_INIT("count")};
static char value[VARS_MOST], other;
static long ran; /* written by the one worker; read when the pool is gone */

static long get(long n)
{
        long right = 0;
        for (long i = 0; i < n; i++)
                right += weft_get(&var[3]) == &value[3];
        return right;
}

static long set_reset(long n)
{
        long right = 0;
        for (long i = 0; i < n; i++) {
                weft_token token;
                right += weft_set(&var[3], &other, &token) == 0 && weft_reset(&var[3], &token) == 0;
        }
        return right;
}

static long capture_release(long n)
{
        long right = 0;
        for (long i = 0; i < n; i++) {
                weft_context *c = weft_context_capture();
                right += c != NULL;
                weft_context_unref(c);
        }
        return right;
}

static int tick(void *arg)
{
        (void)arg;
        ran++;
        return 0;
}

static weft_pool *pool_of_one(void)
{
        weft_pool *pool;
        weft_pool_options o = {.size = sizeof(o), .workers = 1};
        if (weft_pool_create(&pool, &o) != 0)
                exit(1);
        return pool;
}

static sem_t gate_reached, gate_open;

static int gate(void *arg)
{
        (void)arg;
        sem_post(&gate_reached);
        sem_wait(&gate_open);
        return 0;
}

/* The worker is held at a gate until all are queued, so that whether it sleeps does not matter. */
static long submit(long n)
{
        weft_pool *pool = pool_of_one();
        sem_init(&gate_reached, 0, 0);
        sem_init(&gate_open, 0, 0);
        if (weft_submit(pool, gate, NULL) != 0)
                exit(1);
        sem_wait(&gate_reached);
        for (long i = 0; i < n; i++)
                weft_submit(pool, tick, NULL);
        sem_post(&gate_open);
        weft_pool_destroy(pool);
        return ran;
}

enum { PRODUCERS = 4 };

struct producer {
        pthread_t thread;
        weft_pool *pool;
        long n;
};

static void *produce(void *arg)
{
        const struct producer *p = arg;
        for (long i = 0; i < p->n; i++)
                weft_submit(p->pool, tick, NULL);
        return NULL;
}

/* The same from four threads in one context. */
static long submit_shared(long n)
{
        weft_pool *pool = pool_of_one();
        struct producer by[PRODUCERS];
        sem_init(&gate_reached, 0, 0);
        sem_init(&gate_open, 0, 0);
        if (weft_submit(pool, gate, NULL) != 0)
                exit(1);
        sem_wait(&gate_reached);
        for (int i = 0; i < PRODUCERS; i++) {
                by[i] = (struct producer){.pool = pool, .n = n / PRODUCERS};
                if (weft_thread_create(&by[i].thread, NULL, produce, &by[i]) != 0)
                        exit(1);
        }
        for (int i = 0; i < PRODUCERS; i++)
                pthread_join(by[i].thread, NULL);
        sem_post(&gate_open);
        weft_pool_destroy(pool);
        return ran;
}

/* The same where a deadline is bound too. */
static long submit_deadline(long n)
{
        WEFT_DEADLINE (WEFT_FOREVER - 1) {
                return submit(n);
        }
        return -1;
}

/* Run fn in a task, with n to look at. */
static long in_a_task(weft_fn *fn, long n)
{
        weft_pool *pool = pool_of_one();
        weft_task *task;
        if (weft_spawn(pool, &task, fn, &n) != 0)
                exit(1);
        weft_await(task, WEFT_FOREVER);
        weft_task_unref(task);
        weft_pool_destroy(pool);
        return ran;
}

static int spawn_await_within(void *arg)
{
        for (long i = 0; i < *(long *)arg; i++) {
                weft_task *task;
                if (weft_spawn(NULL, &task, tick, NULL) != 0)
                        return -1;
                weft_await(task, WEFT_FOREVER);
                weft_task_unref(task);
        }
        return 0;
}

static long spawn_await(long n)
{
        return in_a_task(spawn_await_within, n);
}

static int fork_join_within(void *arg)
{
        for (long i = 0; i < *(long *)arg; i++) {
                weft_job job;
                weft_fork(&job, tick, NULL);
                weft_join(&job);
        }
        return 0;
}

static long fork_join(long n)
{
        return in_a_task(fork_join_within, n);
}

static __attribute__((noinline)) int tick_typed(long *by)
{
        ran += *by;
        return 0;
}
WEFT_JOB_OF(tick_job, int, tick_typed, long *)

static int fork_join_typed_within(void *arg)
{
        long one = 1;
        for (long i = 0; i < *(long *)arg; i++) {
                tick_job job;
                tick_job_fork(&job, &one);
                tick_job_join(&job);
        }
        return 0;
}

static long fork_join_typed(long n)
{
        return in_a_task(fork_join_typed_within, n);
}

/* Two tasks that take turns. */
static int yields_within(void *times)
{
        for (long i = 0; i < *(long *)times; i++, ran++)
                weft_yield();
        return 0;
}

static int both_yield_within(void *arg)
{
        long half = *(long *)arg / 2;
        weft_group group;
        int r = weft_group_init(&group, NULL);
        r |= weft_group_spawn(&group, yields_within, &half);
        r |= weft_group_spawn(&group, yields_within, &half);
        r |= weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        return r;
}

static long yield(long n)
{
        return in_a_task(both_yield_within, n);
}

/* A grain of one: what a range costs. */
static int tick_range(size_t from, size_t to, void *arg)
{
        (void)arg;
        ran += (long)(to - from);
        return 0;
}

static int loop_within(void *arg)
{
        return weft_parallel_for(NULL, 0, *(size_t *)arg, 1, tick_range, NULL);
}

static long parallel_for(long n)
{
        return in_a_task(loop_within, n);
}

enum { GROUP = 100 };

/* Groups of a task, each of so many tasks; per task. */
static int groups_within(long n, long tasks)
{
        for (long done = 0; done < n; done += tasks) {
                weft_group group;
                int r = weft_group_init(&group, NULL);
                for (long i = 0; i < tasks; i++)
                        r |= weft_group_spawn(&group, tick, NULL);
                r |= weft_group_wait(&group, WEFT_FOREVER);
                weft_group_fini(&group);
                if (r != 0)
                        return -1;
        }
        return 0;
}

static int groups_of_1(void *arg)
{
        return groups_within(*(long *)arg, 1);
}

static int groups_of_100(void *arg)
{
        return groups_within(*(long *)arg, GROUP);
}

static long group_1(long n)
{
        return in_a_task(groups_of_1, n);
}

static long group_100(long n)
{
        return in_a_task(groups_of_100, n);
}

/* From outside, as submit(): one group, whose tasks run when all are there. */
static long group_outside(long n)
{
        weft_pool *pool = pool_of_one();
        weft_group group;
        sem_init(&gate_reached, 0, 0);
        sem_init(&gate_open, 0, 0);
        if (weft_submit(pool, gate, NULL) != 0 || weft_group_init(&group, pool) != 0)
                exit(1);
        sem_wait(&gate_reached);
        for (long i = 0; i < n; i++)
                weft_group_spawn(&group, tick, NULL);
        sem_post(&gate_open);
        weft_group_fini(&group);
        weft_pool_destroy(pool);
        return ran;
}

static const struct {
        const char *name;
        long (*times)(long n); /* how often it did what it should */
} operation[] = {
    {"get", get},
    {"set-reset", set_reset},
    {"capture-release", capture_release},
    {"submit", submit},
    {"submit-shared", submit_shared},
    {"submit-deadline", submit_deadline},
    {"spawn-await", spawn_await},
    {"fork-join", fork_join},
    {"fork-join-typed", fork_join_typed},
    {"yield", yield},
    {"parallel-for", parallel_for},
    {"group-1", group_1},
    {"group-100", group_100},
    {"group-outside", group_outside},
};

#define OPERATIONS (sizeof(operation) / sizeof(operation[0]))

int main(int argc, char **argv)
{
        for (size_t i = 0; argc == 1 && i < OPERATIONS; i++)
                puts(operation[i].name);
        if (argc == 1)
                return 0;
        int vars = argc == 4 ? atoi(argv[3]) : VARS;
        for (int i = 0; i < vars && i < VARS_MOST; i++)
                if (weft_set(&var[i], &value[i], NULL) != 0)
                        return 1;
        for (size_t i = 0; argc >= 3 && i < OPERATIONS; i++)
                if (!strcmp(argv[1], operation[i].name))
                        return operation[i].times(atol(argv[2])) != atol(argv[2]);
        fprintf(stderr, "usage: weft-count [OPERATION TIMES [VARS]]\n");
        return 2;
}
