/* SPDX-License-Identifier: MIT
 *
 * In the steady state nothing is allocated for a task: what tasks, contexts and queues take is kept
 * and used again. By jemalloc's own statistics, of all threads that take part; where jemalloc is
 * not linked this is skipped. A round may still add to what is kept; but soon there are three in a
 * row in which not a hundredth of a byte is allocated for a task.
 */
#include "stress.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <weft/weft.h>

enum { WORKERS = 2, PRODUCERS = 4, TASKS = 20000, BATCH = 1000, VARS = 8, IN_A_ROW = 3 };

static uint64_t rounds = 50;
static weft_pool *pool;
static atomic_long ran;

/* ---- what was allocated ---- */

typedef int mallctl_fn(const char *name, void *old, size_t *old_size, void *new, size_t new_size);
static mallctl_fn *mallctl_found;

static _Atomic(uint64_t *) allocated_by[WORKERS + PRODUCERS];

static void count_me(unsigned at)
{
        uint64_t *counter = NULL;
        size_t size = sizeof(counter);
        CHECK(mallctl_found("thread.allocatedp", &counter, &size, NULL, 0) == 0, "no counter");
        atomic_store(&allocated_by[at], counter);
}

static void count_worker(unsigned worker, void *unused)
{
        (void)unused;
        count_me(worker);
}

/* Only while nobody works. */
static uint64_t allocated(void)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i < WORKERS + PRODUCERS; i++)
                sum += *(volatile uint64_t *)atomic_load(&allocated_by[i]);
        return sum;
}

/* ---- tasks ---- */

static int tick(void *unused)
{
        (void)unused;
        atomic_fetch_add(&ran, 1);
        return 0;
}

static int spawns(void *unused)
{
        (void)unused;
        for (int i = 0; i < TASKS; i++) {
                weft_task *task;
                CHECK(weft_spawn(NULL, &task, tick, NULL) == 0, "spawn");
                CHECK(weft_await(task, WEFT_FOREVER) == 0, "await");
                weft_task_unref(task);
        }
        return 0;
}

static int groups(void *unused)
{
        enum { OF = 100 };
        (void)unused;
        for (int i = 0; i < TASKS; i += OF) {
                weft_group g;
                CHECK(weft_group_init(&g, NULL) == 0, "group");
                for (int t = 0; t < OF; t++)
                        CHECK(weft_group_spawn(&g, tick, NULL) == 0, "spawn");
                CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0, "wait");
                weft_group_fini(&g);
        }
        return 0;
}

static int forks(void *unused)
{
        enum { OF = 10 };
        (void)unused;
        for (int i = 0; i < TASKS; i += OF) {
                weft_job job[OF];
                for (int j = 0; j < OF; j++)
                        weft_fork(&job[j], tick, NULL);
                for (int j = OF; j-- > 0;)
                        CHECK(weft_join(&job[j]) == 0, "join");
        }
        return 0;
}

static void within(weft_fn *fn)
{
        weft_task *task;
        CHECK(weft_spawn(pool, &task, fn, NULL) == 0, "spawn");
        CHECK(weft_await(task, WEFT_FOREVER) == 0, "await");
        weft_task_unref(task);
}

/* ---- threads outside, of which main is the first ---- */

static pthread_barrier_t begins, ends;
static int submitting; /* how many take part; 0: they end */

static void submit_share(void)
{
        for (int i = 0; i < BATCH / submitting; i++)
                CHECK(weft_submit(pool, tick, NULL) == 0, "submit");
}

static void *produce(void *number)
{
        count_me(WORKERS + (unsigned)(uintptr_t)number);
        for (;;) {
                pthread_barrier_wait(&begins);
                if (!submitting)
                        return NULL;
                if ((int)(uintptr_t)number < submitting)
                        submit_share();
                pthread_barrier_wait(&ends);
        }
}

/* A batch at a time, so that what is queued at once is bounded. */
static void submit_from(int threads)
{
        submitting = threads;
        for (int done = 0; done < TASKS; done += BATCH) {
                long wanted = atomic_load(&ran) + BATCH;
                pthread_barrier_wait(&begins);
                submit_share();
                pthread_barrier_wait(&ends);
                while (atomic_load(&ran) < wanted)
                        weft_sleep_until(weft_now() + 20000);
        }
}

/* ---- rounds ---- */

static const struct {
        const char *name;
        weft_fn *within;
        int threads; /* if they submit */
} way[] = {
    {"submit", NULL, 1},  {"submit from four", NULL, PRODUCERS}, {"spawn and await", spawns, 0},
    {"group", groups, 0}, {"fork and join", forks, 0},
};

static double play(size_t w)
{
        uint64_t before = allocated();
        if (way[w].within)
                within(way[w].within);
        else
                submit_from(way[w].threads);
        return (double)(allocated() - before) / TASKS;
}

static void becomes_steady(size_t w)
{
        double bytes = 0;
        int row = 0;
        for (uint64_t i = 0; i < rounds && row < IN_A_ROW; i++) {
                bytes = play(w);
                row = bytes < 0.01 ? row + 1 : 0;
        }
        printf("%-18s %.3f bytes a task\n", way[w].name, bytes);
        CHECK(row == IN_A_ROW, "still allocates");
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {{"--rounds", &rounds, "of each way, at most"},
                                                {NULL, NULL, NULL}};
        static weft_var var[VARS] = {[0 ... VARS - 1] = WEFT_VAR_INIT("steady")};
        pthread_t thread[PRODUCERS];
        weft_pool_options o = {.size = sizeof(o), .workers = WORKERS, .on_start = count_worker};

        stress_begin(argc, argv, options);
        *(void **)&mallctl_found = dlsym(RTLD_DEFAULT, "mallctl");
        if (!mallctl_found) {
                printf("skipped: jemalloc is not linked\n");
                return 77;
        }
        for (int i = 0; i < VARS; i++)
                CHECK(weft_set(&var[i], &var[i], NULL) == 0, "set");
        CHECK(weft_pool_create(&pool, &o) == 0, "pool");
        pthread_barrier_init(&begins, NULL, PRODUCERS);
        pthread_barrier_init(&ends, NULL, PRODUCERS);
        count_me(WORKERS);
        for (uintptr_t i = 1; i < PRODUCERS; i++)
                CHECK(weft_thread_create(&thread[i], NULL, produce, (void *)i) == 0, "thread");
        submit_from(PRODUCERS); /* so that each thread is there */
        for (size_t w = 0; w < sizeof(way) / sizeof(way[0]); w++)
                becomes_steady(w);
        submitting = 0;
        pthread_barrier_wait(&begins);
        for (int i = 1; i < PRODUCERS; i++)
                pthread_join(thread[i], NULL);
        CHECK(weft_pool_destroy(pool) == NULL, "destroy");
        return 0;
}
