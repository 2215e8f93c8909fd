/* SPDX-License-Identifier: MIT
 *
 * The deque: each task is taken once, by the owner or by a thief, with all that was written before
 * it was pushed. In model builds the first array has two slots, so that it grows and is gone round.
 */
#include "checker/model.h"

#include "pool/deque.h"

enum { ITEMS = 8 };

/* What stands for tasks: the deque never looks into them. */
static struct item {
        int content; /* written before the push */
        int taken;   /* how often; by whoever took it, so that two who did would race */
} item[ITEMS];

static weft__deque deque;
static int stolen;

static void push(int i)
{
        item[i].content = i + 1;
        model_check(weft__deque_push(&deque, (struct weft_task *)&item[i]));
}

static bool take(struct weft_task *task)
{
        struct item *it = (struct item *)task;
        if (!it)
                return false;
        model_check(it >= item && it < item + ITEMS && it->content == it - item + 1);
        it->taken++;
        return true;
}

static bool pop(void)
{
        return take(weft__deque_pop(&deque));
}

static void thief(void *times)
{
        for (intptr_t i = 0; i < (intptr_t)times; i++)
                if (take(weft__deque_steal(&deque)))
                        __atomic_fetch_add(&stolen, 1, __ATOMIC_RELAXED);
}

static void begin(int thieves, int times)
{
        static const char *const name[] = {"thief 0", "thief 1"};
        model_name(&deque.top, sizeof(deque.top), "top");
        model_name(&deque.bottom, sizeof(deque.bottom), "bottom");
        model_name(&deque.ring, sizeof(deque.ring), "ring");
        model_check(weft__deque_init(&deque) == 0);
        for (int i = 0; i < thieves; i++)
                model_start(name[i], thief, (void *)(intptr_t)times);
}

/* Whatever is left is the owner's; then each of the first n has been taken once. */
static void end(int n)
{
        model_join_all();
        while (pop())
                ;
        for (int i = 0; i < n; i++)
                model_check(item[i].taken == 1);
        model_seen((unsigned)stolen);
        weft__deque_fini(&deque);
}

MODEL(deque_the_last_one, .preemptions = 4, .sees = 3)
{
        begin(1, 1);
        push(0);
        pop();
        end(1);
}

MODEL(deque_the_last_two, .preemptions = 6, .sees = 7)
{
        begin(1, 2);
        push(0);
        push(1);
        pop();
        pop();
        end(2);
}

MODEL(deque_two_thieves_and_the_last_one, .sees = 3)
{
        begin(2, 1);
        push(0);
        pop();
        end(1);
}

MODEL(deque_two_thieves, .preemptions = 5, .sees = 7)
{
        begin(2, 1);
        push(0);
        push(1);
        pop();
        pop();
        end(2);
}

MODEL(deque_push_between_pops, .preemptions = 5, .sees = 7)
{
        begin(1, 2);
        push(0);
        pop();
        push(1);
        pop();
        end(2);
}

MODEL(deque_grows, .preemptions = 5, .sees = 7)
{
        begin(1, 2);
        push(0);
        push(1);
        push(2);
        pop();
        end(3);
}

MODEL(deque_grows_under_two_thieves, .preemptions = 3, .sees = 7)
{
        begin(2, 1);
        push(0);
        push(1);
        push(2);
        pop();
        end(3);
}

/* The array grows and is gone round while a thief is about to use the old one. */
MODEL(deque_grows_and_moves_on, .preemptions = 3, .sees_some = 3)
{
        model_check(weft__deque_init(&deque) == 0);
        push(0);
        push(1);
        model_start("thief 0", thief, (void *)1);
        push(2);
        take(weft__deque_steal(&deque));
        take(weft__deque_steal(&deque));
        end(3);
}

/* A slot is written again when a thief has taken what was in it. */
MODEL(deque_goes_round, .preemptions = 3, .sees_some = 6)
{
        model_check(weft__deque_init(&deque) == 0);
        push(0);
        push(1);
        model_check(take(weft__deque_steal(&deque)));
        model_start("thief 0", thief, (void *)2);
        model_start("thief 1", thief, (void *)1);
        push(2);
        end(3);
}

/* The owner may steal from itself, to get the oldest. */
MODEL(deque_owner_steals, .sees = 7)
{
        begin(1, 2);
        push(0);
        push(1);
        take(weft__deque_steal(&deque));
        pop();
        end(2);
}

/* has_some after a full fence: of one who pushes and then looks for sleepers, and one who says that
 * it sleeps and then looks for work, one sees the other. (Sleep and wake stand on this.) */
static int asleep;

static void sleeper(void *unused)
{
        (void)unused;
        __atomic_store_n(&asleep, 1, __ATOMIC_RELAXED);
        weft__fence();
        if (weft__deque_has_some(&deque))
                __atomic_fetch_add(&stolen, 1, __ATOMIC_RELAXED);
}

MODEL(deque_a_sleeper_sees_what_was_pushed, .sees = 6)
{
        begin(0, 0);
        model_start("sleeper", sleeper, NULL);
        push(0);
        weft__fence();
        bool seen = __atomic_load_n(&asleep, __ATOMIC_RELAXED);
        model_join_all();
        model_check(seen || stolen);
        model_seen(1 + (unsigned)seen);
        pop();
        weft__deque_fini(&deque);
}
