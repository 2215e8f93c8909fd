/* SPDX-License-Identifier: MIT
 *
 * A program for gdb to look at: a pool of two workers, which are held by tasks, and beside them
 * tasks that wait, are ready or have a time; under a context with a near, a far and a kept var.
 * When all are in their place it says "ready", and waits to be ended; with an argument it aborts.
 */
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/weft.h>

static void keep(void *value)
{
        (void)value;
}

static weft_var near_var = WEFT_VAR_INIT("near");
static weft_var filler[10];
static weft_var far_var = WEFT_VAR_INIT("far");
static weft_var kept_var = WEFT_VAR_INIT("ke\npt", .release = keep);

static weft_mutex mutex;
static sem_t held;
static volatile int depth_seen;
static weft_task *timed; /* that has an hour yet */

/* Not inlined, and not the last call, so that each is a frame of its own. */
static __attribute__((noinline)) int lock_at_depth(int depth)
{
        int r = depth ? lock_at_depth(depth - 1) : weft_mutex_lock(&mutex, WEFT_FOREVER);
        depth_seen = depth;
        return r;
}

static int waits_for_mutex(void *unused)
{
        (void)unused;
        return lock_at_depth(3);
}

static int sleeps(void *unused)
{
        (void)unused;
        return weft_sleep_until(weft_now() + INT64_C(3600000000000));
}

static __attribute__((noinline)) void hold_worker(void)
{
        sem_post(&held);
        for (;;)
                poll(NULL, 0, 1000);
}

static int holds(void *unused)
{
        (void)unused;
        weft_submit(NULL, sleeps, (void *)0x700); /* it stays in the deque of this worker */
        hold_worker();
        return 0;
}

static int holds_for_parent(void *unused)
{
        (void)unused;
        hold_worker();
        return 0;
}

/* It awaits its newest child, which begins at once in its place. */
static int hands_over(void *unused)
{
        weft_task *child;
        (void)unused;
        if (weft_spawn(NULL, &child, holds_for_parent, (void *)0x601) < 0)
                abort();
        return weft_await(child, WEFT_FOREVER);
}

static uint64_t parked(weft_pool *pool)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        weft_pool_stats(pool, &stats);
        return stats.parked;
}

static void check(int r)
{
        if (r < 0)
                abort();
}

int main(int argc, char **argv)
{
        weft_pool *pool;
        weft_task *task;
        weft_pool_options o = {.size = sizeof(o), .workers = 2, .name = "scene"};
        (void)argv;
        check(weft_pool_create(&pool, &o));
        weft_mutex_init(&mutex);
        check(weft_mutex_trylock(&mutex));
        sem_init(&held, 0, 0);

        check(weft_set(&near_var, "one \"word\"", NULL));
        for (int i = 0; i < 10; i++) {
                filler[i].name = "filler";
                check(weft_set(&filler[i], NULL, NULL));
                weft_var_fini(&filler[i]);
        }
        check(weft_set(&far_var, (void *)0xfa2, NULL));
        check(weft_set(&kept_var, "kept text", NULL));

        check(weft_spawn(pool, &task, waits_for_mutex, (void *)0x501));
        check(weft_submit(pool, sleeps, (void *)0x502));
        while (parked(pool) < 2)
                usleep(1000);
        check(weft_spawn(pool, &task, hands_over, (void *)0x600));
        sem_wait(&held);
        check(weft_submit(pool, holds, (void *)0x602));
        sem_wait(&held);
        check(weft_submit(pool, sleeps, (void *)0x701));
        check(weft_spawn_at(pool, &timed, weft_now() + INT64_C(3600000000000), 0, sleeps,
                            (void *)0x702));
        usleep(50000); /* the count of those that waited comes before the switch */
        puts("ready");
        fflush(stdout);
        if (argc > 1)
                abort();
        for (;;)
                pause();
}
