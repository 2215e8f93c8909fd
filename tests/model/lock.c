/* SPDX-License-Identifier: MIT
 *
 * The lock: one holder at a time, who sees what the one before wrote, and nobody sleeps for ever.
 */
#include "checker/model.h"

#include "pool/lock.h"

static weft__lock lock;
static int inside, entries; /* plain: two holders would race */

static void enter(void)
{
        model_check(inside == 0);
        inside++;
        entries++;
        model_check(inside == 1);
        inside--;
}

static void holder(void *times)
{
        for (intptr_t i = 0; i < (intptr_t)times; i++) {
                weft__lock_take(&lock);
                enter();
                weft__lock_give(&lock);
        }
}

static void trier(void *unused)
{
        (void)unused;
        if (!weft__lock_try(&lock))
                return;
        enter();
        weft__lock_give(&lock);
}

static void two(intptr_t times, int expected)
{
        model_name(&lock, sizeof(lock), "lock");
        model_start("a", holder, (void *)times);
        holder((void *)times);
        model_join_all();
        model_check(entries == expected);
}

MODEL(lock_two, .preemptions = 6)
{
        two(1, 2);
}

MODEL(lock_two_again, .preemptions = 3)
{
        two(2, 4);
}

MODEL(lock_two_spuriously, .preemptions = 3, .chances = 2)
{
        two(1, 2);
}

MODEL(lock_three, .preemptions = 4)
{
        model_start("b", holder, (void *)1);
        two(1, 3);
}

MODEL(lock_and_one_who_tries, .preemptions = 5, .sees = 3)
{
        model_start("trier", trier, NULL);
        holder((void *)1);
        model_join_all();
        model_seen(entries == 1);
}
