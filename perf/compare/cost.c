/* SPDX-License-Identifier: MIT
 *
 * What each scoping costs a task: see cost.h.
 *
 * There is one worker, and what counts is its processor time: so neither other processes nor luck
 * with who gets hold of so small a task come in.
 */
#include "cost.h"

#include <stdlib.h>
#include <time.h>

#include <weft/weft.h>

#include "terminal.h"

#define ROUNDS 25    /* odd, for the median */
#define TASKS  20000 /* in a round */

struct round {
        const struct scoping *scoping;
        int64_t ns;
};

static int64_t processor_time(void)
{
        struct timespec t;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int read_task(void *arg)
{
        const struct scoping *scoping = arg;
        return scoping->get().request;
}

/* A task like any other, which submits the measured ones and waits for them. */
static int submitter(void *arg)
{
        struct round *round = arg;
        weft_group group;
        int r = weft_group_init(&group, NULL);
        if (r)
                return r;
        round->scoping->set((struct scope){.request = 1});
        int64_t begin = processor_time();
        for (int i = 0; i < TASKS && !r; i++)
                r = scoping_spawn(round->scoping, &group, read_task, (void *)round->scoping);
        int waited = weft_group_wait(&group, WEFT_FOREVER);
        round->ns = processor_time() - begin;
        weft_group_fini(&group);
        return r ? r : waited;
}

static int measure(weft_pool *pool, const struct scoping *scoping, double *ret)
{
        struct round round = {.scoping = scoping};
        weft_task *task;
        int r = weft_spawn(pool, &task, submitter, &round);
        if (r)
                return r;
        r = weft_await(task, WEFT_FOREVER);
        weft_task_unref(task);
        *ret = (double)round.ns / TASKS;
        return r;
}

static int measure_all(weft_pool *pool, double ns[SCOPINGS][ROUNDS])
{
        int r = 0;
        for (int round = 0; round < ROUNDS; round++) {
                for (int s = 0; s < SCOPINGS && !r; s++)
                        r = measure(pool, &scopings[s], &ns[s][round]);
                progress_show((size_t)round);
                if (interrupted())
                        return -EINTR;
        }
        return r;
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

int cost_measure(double ret_ns[SCOPINGS])
{
        double ns[SCOPINGS][ROUNDS];
        weft_pool_options options = {.size = sizeof(options), .workers = 1, .name = "cost"};
        weft_pool *pool;

        progress_stage("cost per task", ROUNDS);
        int r = weft_pool_create(&pool, &options);
        if (!r) {
                r = measure_all(pool, ns);
                weft_pool_destroy(pool);
        }
        progress_clear();
        if (interrupted())
                return -1;
        if (r)
                return complain("cannot measure the cost per task: %s", weft_strerror(r));
        for (int s = 0; s < SCOPINGS; s++) {
                qsort(ns[s], ROUNDS, sizeof(double), by_value);
                ret_ns[s] = ns[s][ROUNDS / 2];
        }
        return 0;
}
