/* SPDX-License-Identifier: MIT
 *
 * The injector: nothing is lost, taken twice, or hidden for good; what one thread pushes comes out
 * in its order; and it does not seem empty to one who would sleep over it.
 */
#include "checker/model.h"

#include "pool/injector.h"

enum { TASKS = 4 };

static weft__injector queue;
static weft_task task[TASKS];
static int taken[TASKS]; /* by whoever took it */
static int takers;       /* how many have taken something */

static void push(int i)
{
        task[i].arg = (void *)(intptr_t)(i + 1);
        weft__injector_push(&queue, &task[i]);
}

/* Tasks 0 and 1, or 2 and 3. */
static void push_two(void *first)
{
        push((int)(intptr_t)first);
        push((int)(intptr_t)first + 1);
}

static void push_one(void *i)
{
        push((int)(intptr_t)i);
}

/* How many were taken, in their order. */
static unsigned take(unsigned n)
{
        weft_task *got[TASKS];
        int last[2] = {-1, -1};
        n = weft__injector_take(&queue, got, n);
        for (unsigned i = 0; i < n; i++) {
                int t = (int)(got[i] - task);
                model_check(t >= 0 && t < TASKS && got[i]->arg == (void *)(intptr_t)(t + 1));
                model_check(last[t / 2] < t);
                last[t / 2] = t;
                taken[t]++;
        }
        return n;
}

static void taker(void *times)
{
        unsigned n = 0;
        for (intptr_t i = 0; i < (intptr_t)times; i++)
                n += take(TASKS);
        if (n)
                __atomic_fetch_add(&takers, 1, __ATOMIC_RELAXED);
}

static void begin(void)
{
        model_name(&queue.tail, sizeof(queue.tail), "tail");
        model_name(&queue.head, sizeof(queue.head), "head");
        model_name(&queue.stub, sizeof(queue.stub), "stub");
        model_name(&queue.taking, sizeof(queue.taking), "taking");
        model_name(task, sizeof(task), "task");
        weft__injector_init(&queue);
}

/* When nobody pushes or takes any more the rest comes out, and then it is empty. Each of the tasks
 * in the set was taken once. */
static void end_of(unsigned set)
{
        model_join_all();
        model_seen((unsigned)takers);
        while (weft__injector_has_some(&queue))
                model_check(take(TASKS) > 0);
        for (int i = 0; i < TASKS; i++)
                model_check(taken[i] == (int)(set >> i & 1));
}

static void end(int n)
{
        end_of((1u << n) - 1);
}

MODEL(injector_one_pushes_one_takes, .preemptions = 5, .sees = 3)
{
        begin();
        model_start("taker", taker, (void *)2);
        push_two((void *)0);
        end(2);
}

/* The taker may see the first alone, and come to the others by their links. */
MODEL(injector_three_are_pushed, .preemptions = 3, .sees = 3)
{
        begin();
        model_start("taker", taker, (void *)1);
        push_two((void *)0);
        push(2);
        end(3);
}

MODEL(injector_two_push, .preemptions = 6, .sees = 1)
{
        begin();
        model_start("pusher", push_two, (void *)2);
        push_two((void *)0);
        end(4);
}

MODEL(injector_two_push_one_takes, .preemptions = 4, .sees = 3)
{
        begin();
        model_start("pusher", push_one, (void *)2);
        model_start("taker", taker, (void *)1);
        push_one((void *)0);
        end_of(5);
}

MODEL(injector_two_take, .preemptions = 3, .sees = 7)
{
        begin();
        model_start("taker 0", taker, (void *)1);
        model_start("taker 1", taker, (void *)1);
        push_two((void *)0);
        end(2);
}

/* The last one is taken, with the stub put behind it, while another one is pushed. */
MODEL(injector_push_behind_the_last, .preemptions = 5, .sees = 3)
{
        begin();
        push(0);
        model_start("taker", taker, (void *)2);
        push(1);
        end(2);
}

/* A pusher with a full fence after the push, and a sleeper with one before it looks: one of them
 * sees the other. */
static int asleep, found;

static void sleeper(void *unused)
{
        (void)unused;
        __atomic_store_n(&asleep, 1, __ATOMIC_RELAXED);
        weft__fence();
        found = weft__injector_has_some(&queue);
}

MODEL(injector_a_sleeper_sees_what_was_pushed, .preemptions = 3, .sees = 6)
{
        begin();
        model_start("sleeper", sleeper, NULL);
        push(0);
        weft__fence();
        bool seen = __atomic_load_n(&asleep, __ATOMIC_RELAXED);
        model_join_all();
        model_check(seen || found);
        model_seen(1 + (unsigned)seen);
        model_check(take(1) == 1);
}

/* The same while somebody else takes one of two: what is left is seen. */
static void take_one(void *unused)
{
        (void)unused;
        take(1);
}

MODEL(injector_a_sleeper_sees_what_is_left, .preemptions = 3, .sees_some = 6)
{
        begin();
        push(0);
        model_start("taker", take_one, NULL);
        model_start("sleeper", sleeper, NULL);
        push(1);
        weft__fence();
        bool seen = __atomic_load_n(&asleep, __ATOMIC_RELAXED);
        model_join_all();
        model_check(seen || found);
        model_seen(1 + (unsigned)seen);
        while (take(1))
                ;
        model_check(taken[0] == 1 && taken[1] == 1);
}
