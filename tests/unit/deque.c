/* SPDX-License-Identifier: MIT
 *
 * The deque by itself: its order, its growth, and an owner and thieves who are after the same task.
 * It never looks into what it holds, so numbers do for tasks.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <weft/suspend.h>

#include "pool/deque.h"

enum { THIEVES = 2, TAKEN = 1 << 12 };

static weft__deque deque;
static atomic_int taken[TAKEN]; /* how often, by number modulo TAKEN */
static atomic_bool over;

static struct weft_task *T(intptr_t number)
{
        return (struct weft_task *)(number + 1);
}

static void begin(void)
{
        cr_assert_eq(weft__deque_init(&deque), 0);
}

static void end(void)
{
        weft__deque_fini(&deque);
}

TestSuite(deque, .init = begin, .fini = end);

Test(deque, the_owner_takes_the_newest_and_a_thief_the_oldest)
{
        for (int i = 0; i < 4; i++)
                cr_assert(weft__deque_push(&deque, T(i)));
        cr_assert_eq(weft__deque_length(&deque), 4);
        cr_assert_eq(weft__deque_pop(&deque), T(3));
        cr_assert_eq(weft__deque_steal(&deque), T(0));
        cr_assert_eq(weft__deque_steal(&deque), T(1));
        cr_assert_eq(weft__deque_pop(&deque), T(2));
        cr_assert_not(weft__deque_has_some(&deque));
}

static int visits, looked;

static void look(struct weft_task *task, void *arg)
{
        visits++;
        looked += task == T(*(int *)arg + looked);
}

/* A copy of a process is not made at once: bottom may be newer than the ring. */
Test(deque, a_look_shows_all_from_the_oldest_on_but_no_more_than_the_ring_has)
{
        enum { MANY = 512 }; /* of which one is gone: so much room there is */
        int first = 1;
        weft__deque_look(&deque, look, &first);
        cr_assert_eq(looked, 0);
        for (int i = 0; i < MANY; i++)
                cr_assert(weft__deque_push(&deque, T(i)));
        cr_assert_eq(weft__deque_steal(&deque), T(0));
        weft__deque_look(&deque, look, &first);
        cr_assert_eq(looked, MANY - 1);

        atomic_fetch_add(&deque.bottom, 5000);
        visits = looked = 0;
        weft__deque_look(&deque, look, &first);
        cr_assert_eq(looked, MANY - 1);
        cr_assert_eq(visits, MANY);
        atomic_fetch_sub(&deque.bottom, 5000);
}

Test(deque, an_empty_one_gives_nothing_as_often_as_it_is_asked)
{
        for (int i = 0; i < 1000; i++) {
                cr_assert_null(weft__deque_pop(&deque));
                cr_assert_null(weft__deque_steal(&deque));
        }
        cr_assert(weft__deque_push(&deque, T(7)));
        cr_assert_eq(weft__deque_pop(&deque), T(7));
        cr_assert_null(weft__deque_pop(&deque));
}

Test(deque, it_grows_wherever_its_beginning_lies)
{
        for (int i = 0; i < 100; i++) {
                cr_assert(weft__deque_push(&deque, T(i)));
                cr_assert_eq(weft__deque_steal(&deque), T(i));
        }
        for (int i = 0; i < 5000; i++)
                cr_assert(weft__deque_push(&deque, T(i)));
        for (int i = 0; i < 2500; i++)
                cr_assert_eq(weft__deque_steal(&deque), T(i));
        for (int i = 4999; i >= 2500; i--)
                cr_assert_eq(weft__deque_pop(&deque), T(i));
        cr_assert_null(weft__deque_pop(&deque));
}

static bool take(struct weft_task *task)
{
        if (task)
                atomic_fetch_add(&taken[((intptr_t)task - 1) % TAKEN], 1);
        return task;
}

static void *steal(void *unused)
{
        for (int in_vain = 0; !atomic_load_explicit(&over, memory_order_relaxed);) {
                in_vain = take(weft__deque_steal(&deque)) ? 0 : in_vain + 1;
                if (in_vain % 1000 == 999)
                        usleep(100); /* the owner may need the processor */
        }
        return unused;
}

/* One or two at a time, so that owner and thieves meet at the last one again and again. Without the
 * fence in pop, some are taken twice, on x86 too. */
Test(deque, each_is_taken_once)
{
        const int64_t until = weft_now() + 1000 * 1000 * 1000;
        pthread_t thief[THIEVES];
        long rounds = 0;

        for (int i = 0; i < THIEVES; i++)
                cr_assert_eq(pthread_create(&thief[i], NULL, steal, NULL), 0);
        while (weft_now() < until) {
                for (int i = 0; i < TAKEN; i++) {
                        cr_assert(weft__deque_push(&deque, T(i)));
                        if (i % 3 == 0)
                                continue;
                        take(weft__deque_pop(&deque));
                        if (i % 3 == 2)
                                take(weft__deque_pop(&deque));
                }
                while (take(weft__deque_pop(&deque)))
                        ;
                rounds++;
        }
        while (weft__deque_has_some(&deque))
                ;
        atomic_store(&over, true);
        for (int i = 0; i < THIEVES; i++)
                pthread_join(thief[i], NULL);
        for (int i = 0; i < TAKEN; i++)
                cr_assert_eq(atomic_load(&taken[i]), rounds, "number %d: %d times in %ld rounds", i,
                             atomic_load(&taken[i]), rounds);
}
