/* SPDX-License-Identifier: MIT
 *
 * Waits in the depth: with a lock held, and with most of the stack in use. A mutex that is held
 * across a wait keeps others out, tasks of the same worker and threads outside alike, and what a
 * task has on its stack is there when it goes on.
 */
#include "pool_help.h"

#include <errno.h>

static weft_var var = WEFT_VAR_INIT("var");

static weft_pool *pool_of(unsigned workers, size_t stack_size, unsigned flags)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {
            .size = sizeof(o), .workers = workers, .stack_size = stack_size, .flags = flags};
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        return pool;
}

/* ---- locks held across waits ---- */

enum { TASKS = 12, THREADS = 2, ROUNDS = SLOW_BUILD ? 15 : 60 };

static struct {
        weft_mutex mutex;
        int holders, total; /* under the mutex, with no other order */
        weft_channel *channel;
        int item;
} held;

static int answer(void *number)
{
        return N(number);
}

/* One that others have to wait for: of every kind that a task is likely to hold a lock across. */
static void wait_while_it_is_held(int round)
{
        weft_task *t;
        int item = round;
        switch (round % 4) {
        case 0:
                if (weft_spawn(weft_pool_current() ? NULL : weft_pool_default(), &t, answer,
                               V(6)) == 0) {
                        CHECK(weft_await(t, WEFT_FOREVER) == 6);
                        weft_task_unref(t);
                }
                break;
        case 1:
                CHECK(weft_sleep_until(weft_now() + 20000) == 0);
                break;
        case 2:
                CHECK(weft_yield() == 0);
                break;
        default:
                /* Of those that hold the mutex there is one, so that it gets back its own. */
                CHECK(weft_channel_send(held.channel, &item, WEFT_FOREVER) == 0);
                CHECK(weft_yield() == 0);
                CHECK(weft_channel_receive(held.channel, &item, WEFT_FOREVER) == 0);
                CHECK(item == round);
        }
}

static void take_it_in_turn(void *value)
{
        for (int round = 0; round < ROUNDS; round++) {
                CHECK(weft_mutex_lock(&held.mutex, WEFT_FOREVER) == 0);
                CHECK(held.holders++ == 0);
                int total = held.total;
                wait_while_it_is_held(round);
                CHECK(held.total == total);
                held.total = total + 1;
                CHECK(weft_get(&var) == value);
                CHECK(--held.holders == 0);
                CHECK(weft_mutex_unlock(&held.mutex) == 0);
                if (round % 3 == 0)
                        CHECK(weft_yield() == 0);
        }
}

static int task_in_turn(void *number)
{
        CHECK(weft_set(&var, number, NULL) == 0);
        take_it_in_turn(number);
        return 0;
}

static void *thread_in_turn(void *number)
{
        CHECK(weft_set(&var, number, NULL) == 0);
        take_it_in_turn(number);
        return NULL;
}

static void hold_across_waits(unsigned workers, unsigned flags)
{
        weft_pool *pool = pool_of(workers, 0, flags);
        pthread_t thread[THREADS];
        memset(&held, 0, sizeof(held));
        cr_assert_eq(weft_channel_create(&held.channel, sizeof(int), 1), 0);
        for (int i = 0; i < TASKS; i++)
                cr_assert_eq(weft_submit(pool, task_in_turn, V(i + 1)), 0);
        for (int i = 0; i < THREADS; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, thread_in_turn, V(100 + i)), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(thread[i], NULL);
        while (weft_pool_shutdown(pool, WEFT_DRAIN, in_ms(100)) == -ETIMEDOUT)
                ;
        finish(pool);
        cr_assert_eq(held.total, (TASKS + THREADS) * ROUNDS);
        weft_channel_destroy(held.channel);
}

Test(suspend_deep, a_lock_is_held_across_every_wait, .timeout = 120)
{
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                hold_across_waits(workers, 0);
                hold_across_waits(workers, WEFT_MIGRATE);
        }
}

/* ---- most of a stack ---- */

struct depth {
        size_t bytes; /* how much of the stack is to be in use */
        const char *top;
        unsigned seed;
        int waits;
        bool waited, kept; /* without an error; what was in the frames */
};

/* Recursion that keeps some words of its own in each frame, waits at the bottom, and finds them as
 * they were on the way back. What is wrong is told higher up, where there is room for it. */
static __attribute__((noinline)) void descend(struct depth *d)
{
        enum { WORDS = 128 };
        volatile unsigned words[WORDS];
        char *here = __builtin_frame_address(0);
        unsigned seed = d->seed++;
        for (unsigned i = 0; i < WORDS; i++)
                words[i] = seed * 31 + i;
        if (d->top - here < (ptrdiff_t)d->bytes) {
                descend(d);
        } else {
                for (int i = 0; i < d->waits; i++) {
                        d->waited &= weft_yield() == 0;
                        d->waited &= weft_sleep_until(weft_now() + 10000) == 0;
                }
        }
        for (unsigned i = 0; i < WORDS; i++)
                d->kept &= words[i] == seed * 31 + i;
        d->kept &= here == (char *)__builtin_frame_address(0);
}

static int goes_deep(void *arg)
{
        struct depth d = *(struct depth *)arg;
        d.top = __builtin_frame_address(0);
        CHECK(weft_set(&var, arg, NULL) == 0);
        descend(&d);
        CHECK(d.waited);
        CHECK(d.kept);
        CHECK(weft_get(&var) == arg);
        return 0;
}

static void go_deep(size_t stack_size, int tasks, unsigned flags)
{
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = pool_of(workers, stack_size, flags);
                struct depth d[40];
                for (int i = 0; i < tasks; i++) {
                        d[i] = (struct depth){.bytes = (stack_size ? stack_size : 262144) / 4 * 3,
                                              .seed = (unsigned)i * 100000,
                                              .waits = 5,
                                              .waited = true,
                                              .kept = true};
                        cr_assert_eq(weft_submit(pool, goes_deep, &d[i]), 0);
                }
                finish(pool);
        }
}

Test(suspend_deep, a_task_parks_with_most_of_its_stack_in_use, .timeout = 120)
{
        go_deep(0, 40, 0);
        go_deep(0, 40, WEFT_MIGRATE);
}

Test(suspend_deep, so_it_does_on_the_smallest_stacks, .timeout = 120)
{
        go_deep(64 * 1024, 40, 0);
        go_deep(64 * 1024, 40, WEFT_MIGRATE);
}

Test(suspend_deep, and_on_the_largest, .timeout = 120)
{
        go_deep(8 * 1024 * 1024, 4, 0);
        go_deep(8 * 1024 * 1024, 4, WEFT_MIGRATE);
}
