/* SPDX-License-Identifier: MIT
 *
 * Mutex, semaphore and event, and with them the wait of threads outside pools: what is given to one
 * that waits is given once, and one that leaves because its time has come takes nothing along.
 */
#include "pool_help.h"

enum { SOON = 1000 }; /* ns from the beginning */

static weft_mutex mutex;
static weft_semaphore semaphore;
static weft_event event;
static int inside, entries, got, data; /* plain */
static int late, given;

static int64_t deadline(void *in_time)
{
        return in_time ? weft_now() + SOON : WEFT_FOREVER;
}

/* ---- mutex ---- */

static void locks(void *in_time)
{
        if (weft_mutex_lock(&mutex, deadline(in_time)) < 0) {
                __atomic_fetch_add(&late, 1, __ATOMIC_RELAXED);
                return;
        }
        model_check(inside++ == 0);
        entries++;
        inside--;
        model_check(weft_mutex_unlock(&mutex) == 0);
}

static void tries(void *unused)
{
        (void)unused;
        if (weft_mutex_trylock(&mutex) < 0)
                return;
        model_check(inside++ == 0);
        got = 1;
        inside--;
        model_check(weft_mutex_unlock(&mutex) == 0);
}

static void free_again(void)
{
        model_join_all();
        model_check(weft_mutex_trylock(&mutex) == 0);
}

MODEL(mutex_two, .preemptions = 3)
{
        weft_mutex_init(&mutex);
        model_start("a", locks, NULL);
        locks(NULL);
        free_again();
        model_check(entries == 2);
}

MODEL(mutex_three, .preemptions = 3, .stale = 2)
{
        weft_mutex_init(&mutex);
        model_start("a", locks, NULL);
        model_start("b", locks, NULL);
        locks(NULL);
        free_again();
        model_check(entries == 3);
}

MODEL(mutex_and_one_who_tries, .stale = 2)
{
        weft_mutex_init(&mutex);
        model_start("a", locks, NULL);
        model_start("tries", tries, NULL);
        locks(NULL);
        free_again();
        model_check(entries == 2);
}

MODEL(mutex_and_one_whose_time_comes, .preemptions = 3, .sees = 3)
{
        weft_mutex_init(&mutex);
        model_start("in time", locks, (void *)1);
        locks(NULL);
        free_again();
        model_check(entries + late == 2);
        model_seen((unsigned)late);
}

/* It was taken before a fork, and is given back in the child, by who has taken it. */
MODEL(mutex_held_at_a_fork, .preemptions = 3, .sees = 3)
{
        weft_mutex_init(&mutex);
        model_check(weft_mutex_trylock(&mutex) == 0);
        inside = 1;
        model_fork();
        model_start("tries", tries, NULL);
        inside = 0;
        model_check(weft_mutex_unlock(&mutex) == 0);
        free_again();
        model_seen((unsigned)got);
}

MODEL(mutex_two_wait_and_the_time_of_one_comes, .stale = 1, .sees = 3)
{
        weft_mutex_init(&mutex);
        model_start("in time", locks, (void *)1);
        model_start("a", locks, NULL);
        locks(NULL);
        free_again();
        model_check(entries + late == 3);
        model_seen((unsigned)late);
}

/* ---- semaphore ---- */

static void waits(void *in_time)
{
        if (weft_semaphore_wait(&semaphore, deadline(in_time)) == 0) {
                __atomic_fetch_add(&given, 1, __ATOMIC_RELAXED);
                model_check(data == 1);
        }
}

MODEL(semaphore_post, .preemptions = 3)
{
        weft_semaphore_init(&semaphore, 0);
        model_start("waits", waits, NULL);
        data = 1;
        model_check(weft_semaphore_post(&semaphore) == 0);
        model_join_all();
        model_check(given == 1);
}

/* A unit is had by one of two, or is there still. */
MODEL(semaphore_two_wait_for_a_while, .stale = 1, .sees = 3)
{
        weft_semaphore_init(&semaphore, 0);
        model_start("a", waits, (void *)1);
        model_start("b", waits, (void *)1);
        data = 1;
        model_check(weft_semaphore_post(&semaphore) == 0);
        model_join_all();
        bool left = weft_semaphore_wait(&semaphore, weft_now()) == 0;
        model_check(given + left == 1);
        model_seen(left);
}

/* ---- event ---- */

static void waits_for_event(void *unused)
{
        (void)unused;
        model_check(weft_event_wait(&event, WEFT_FOREVER) == 0);
        model_check(data == 1);
}

MODEL(event_wakes_all, .preemptions = 3, .stale = 2)
{
        weft_event_init(&event);
        model_start("a", waits_for_event, NULL);
        model_start("b", waits_for_event, NULL);
        data = 1;
        model_check(weft_event_set(&event) == 0);
        model_join_all();
}

/* The event lies on the stack of the one that waits, who leaves as soon as it may. */
static weft_event *lent;
static int lent_is_there;

static void sets_lent(void *unused)
{
        (void)unused;
        while (!__atomic_load_n(&lent_is_there, __ATOMIC_ACQUIRE))
                model_pause();
        model_check(weft_event_set(lent) == 0);
}

__attribute__((noinline)) static void lends(void)
{
        weft_event own;
        weft_event_init(&own);
        lent = &own;
        __atomic_store_n(&lent_is_there, 1, __ATOMIC_RELEASE);
        model_check(weft_event_wait(&own, WEFT_FOREVER) == 0);
}

MODEL(event_goes_with_its_waiter, .preemptions = 4)
{
        model_start("sets", sets_lent, NULL);
        lends();
        other_use_of_the_stack();
        model_join_all();
}
