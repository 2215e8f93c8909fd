/* SPDX-License-Identifier: MIT
 *
 * The deque by itself: its order, its growth, and an owner and thieves who are after the same task.
 * It never looks into what it holds, so numbers do for tasks.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
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

#if defined(__x86_64__) && !defined(WEFT_TSAN) && !defined(WEFT_VALGRIND)

/* The trap flag has a signal come after each instruction of this thread. */
static inline __attribute__((always_inline)) void step(bool on)
{
        __asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
                         "pushfq\n\t"
                         "andq $~0x100, (%%rsp)\n\t"
                         "orq %0, (%%rsp)\n\t"
                         "popfq\n\t"
                         "lea 128(%%rsp), %%rsp" ::"r"((uint64_t)on << 8)
                         : "memory", "cc");
}

static _Thread_local volatile int instructions, stops_after;
static _Thread_local void (*volatile meanwhile)(void);
static atomic_bool in_the_midst; /* the thief has stopped there */
static sem_t there, go_on, ended;
static bool gone_on;
static struct weft_task *_Atomic stolen;

static void stop_in_the_midst(int signo)
{
        (void)signo;
        if (instructions++ == stops_after)
                meanwhile();
}

static void wait_for(sem_t *sem)
{
        while (sem_wait(sem) < 0)
                ;
}

static void thief_waits(void)
{
        atomic_store(&in_the_midst, true);
        sem_post(&there);
        wait_for(&go_on);
}

static void thief_goes_on(void)
{
        if (gone_on)
                return;
        gone_on = true;
        sem_post(&go_on);
        wait_for(&ended);
}

static void *steal_in_two_parts(void *after)
{
        meanwhile = thief_waits;
        stops_after = (int)(intptr_t)after;
        step(true);
        struct weft_task *task = weft__deque_steal(&deque);
        step(false);
        atomic_store(&stolen, task);
        if (!atomic_load(&in_the_midst))
                sem_post(&there);
        sem_post(&ended);
        return NULL;
}

/* The thief stops after one instruction, and goes on after one of the owner's. Whether both have
 * come so far: else there are not so many. */
static bool meet(int thief_stops, int owner_stops, int *ret_to_owner)
{
        pthread_t thief;
        sem_init(&there, 0, 0);
        sem_init(&go_on, 0, 0);
        sem_init(&ended, 0, 0);
        atomic_store(&in_the_midst, false);
        gone_on = false;
        cr_assert(weft__deque_push(&deque, T(7)));
        cr_assert_eq(
            pthread_create(&thief, NULL, steal_in_two_parts, (void *)(intptr_t)thief_stops), 0);
        wait_for(&there);
        instructions = 0;
        stops_after = owner_stops;
        meanwhile = thief_goes_on;
        step(true);
        struct weft_task *popped = weft__deque_pop(&deque);
        step(false);
        bool both = atomic_load(&in_the_midst) && instructions > owner_stops;
        thief_goes_on();
        pthread_join(thief, NULL);
        cr_assert_eq(!popped, !!atomic_load(&stolen), "%d, %d", thief_stops, owner_stops);
        *ret_to_owner += !!popped;
        return both;
}

/* One task, and an owner and a thief who are after it: one of them gets it. */
Test(deque, a_thief_may_come_between_any_two_instructions_of_a_pop, .timeout = 300)
{
        int to_owner = 0, meetings = 0;
        meanwhile = thief_goes_on;
        stops_after = -1;
        signal(SIGTRAP, stop_in_the_midst);
        step(true);
        step(false);
        if (!instructions)
                cr_skip_test("no signal at the trap flag: this is an emulated processor");
        for (int i = 0; meet(i, 0, &to_owner); i++)
                for (int k = 1; meet(i, k, &to_owner); k++)
                        meetings++;
        cr_assert(meetings > 50 && to_owner > 0 && to_owner < meetings, "%d of %d", to_owner,
                  meetings);
}

#endif
