/* SPDX-License-Identifier: MIT
 *
 * Many tasks that wait at once, each in a context of its own, and what one of them takes.
 *
 *   million [TASKS [spawn]]        10,000 if nothing is said
 *
 * Each task binds a var to its own number, waits until all of them do, and then looks whether its
 * number is still what the var says. While all are parked the program reads from /proc what it
 * takes: its memory, and the kernel's page tables for it. With "spawn" it keeps a handle of each.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

static weft_var number = WEFT_VAR_INIT("number");
static weft_event all_parked;
static atomic_long began, right, failed;

static int park(void *arg)
{
        int r = weft_set(&number, arg, NULL);
        atomic_fetch_add(&began, 1);
        if (r == 0)
                r = weft_event_wait(&all_parked, WEFT_FOREVER);
        if (r < 0)
                atomic_fetch_add(&failed, 1);
        else if (weft_get(&number) == arg)
                atomic_fetch_add(&right, 1);
        return r;
}

/* KiB: what the process has in memory, and the page tables. */
static long taken(void)
{
        char line[256];
        long resident = 0, tables = 0;
        FILE *f = fopen("/proc/self/status", "re");
        while (f && fgets(line, sizeof(line), f)) {
                if (!strncmp(line, "VmRSS:", 6))
                        resident = strtol(line + 6, NULL, 10);
                if (!strncmp(line, "VmPTE:", 6))
                        tables = strtol(line + 6, NULL, 10);
        }
        if (f)
                fclose(f);
        return resident + tables;
}

static uint64_t parked(weft_pool *pool)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        weft_pool_stats(pool, &stats);
        return stats.parked;
}

static double seconds_since(int64_t begin)
{
        return (double)(weft_now() - begin) / 1e9;
}

static int fail(const char *what, int error)
{
        fprintf(stderr, "million: %s: %s\n", what, weft_strerror(error));
        return 1;
}

int main(int argc, char **argv)
{
        long tasks = argc > 1 ? strtol(argv[1], NULL, 10) : 10000;
        bool handles = argc > 2 && !strcmp(argv[2], "spawn");
        if (tasks < 1 || argc > 3 || (argc == 3 && !handles)) {
                fprintf(stderr, "usage: million [TASKS [spawn]]\n");
                return 2;
        }
        weft_pool *pool;
        int r = weft_pool_create(&pool, NULL);
        if (r < 0)
                return fail("no pool", r);
        weft_task **task = handles ? calloc((size_t)tasks, sizeof(*task)) : NULL;
        if (handles && !task)
                return fail("no memory for the handles", -ENOMEM);
        if (task)
                memset(task, 1, (size_t)tasks * sizeof(*task)); /* resident before we look */

        long before = taken();
        int64_t begin = weft_now();
        for (long i = 0; i < tasks && r == 0; i++) {
                void *arg = (void *)(intptr_t)(i + 1);
                r = task ? weft_spawn(pool, &task[i], park, arg) : weft_submit(pool, park, arg);
        }
        if (r < 0)
                return fail("a task was refused", r);
        while (atomic_load(&began) < tasks || parked(pool) + (uint64_t)failed < (uint64_t)tasks)
                weft_sleep_until(weft_now() + 10 * 1000 * 1000);
        printf("%ld tasks are parked after %.2f s: %.2f KiB each, page tables included\n", tasks,
               seconds_since(begin), (double)(taken() - before) / (double)tasks);

        begin = weft_now();
        weft_event_set(&all_parked);
        for (long i = 0; task && i < tasks; i++) {
                weft_await(task[i], WEFT_FOREVER);
                weft_task_unref(task[i]);
        }
        weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER);
        printf("all have gone on after %.2f s, %ld of them in their own context\n",
               seconds_since(begin), atomic_load(&right));
        if (atomic_load(&failed))
                printf("%ld could not wait: no stack was to be had\n", atomic_load(&failed));
        weft_pool_destroy(pool);
        free(task);
        printf("%.2f KiB a task are left\n", (double)(taken() - before) / (double)tasks);
        return atomic_load(&right) == tasks ? 0 : 1;
}
