/* SPDX-License-Identifier: MIT
 *
 * The order of locks, which test builds hold to: a breach ends the process, whether or not it would
 * have been a deadlock this time. That the library keeps it is what all other tests show.
 */
#include "pool_help.h"

#include "pool/lock.h"

static weft__lock task_lock, group_lock, other_lock;

static void rank(void)
{
        weft__lock_init(&task_lock, WEFT__RANK_TASK);
        weft__lock_init(&group_lock, WEFT__RANK_GROUP);
        weft__lock_init(&other_lock, WEFT__RANK_GROUP);
}

TestSuite(lock, .init = rank);

Test(lock, locks_are_taken_in_their_order_and_given_in_any)
{
        for (int i = 0; i < 2; i++) {
                weft__lock_take(&task_lock);
                weft__lock_take(&group_lock);
                weft__lock_give(&task_lock);
                weft__lock_give(&group_lock);
        }
        weft__lock_none();
}

Test(lock, one_that_comes_before_may_be_tried)
{
        weft__lock_take(&group_lock);
        cr_assert(weft__lock_try(&task_lock));
        cr_assert_not(weft__lock_try(&task_lock), "it is held");
        weft__lock_give(&task_lock);
        weft__lock_give(&group_lock);
        weft__lock_take(&task_lock);
        weft__lock_give(&task_lock);
}

Test(lock, one_that_comes_before_may_not_be_taken, .signal = SIGABRT)
{
        weft__lock_take(&group_lock);
        weft__lock_take(&task_lock);
}

Test(lock, one_of_the_same_rank_may_not_be_taken, .signal = SIGABRT)
{
        weft__lock_take(&group_lock);
        weft__lock_take(&other_lock);
}

Test(lock, one_without_a_rank_is_taken_first_or_not_at_all, .signal = SIGABRT)
{
        weft__lock plain = {0};
        weft__lock_take(&task_lock);
        weft__lock_take(&plain);
}

Test(lock, what_is_not_held_may_not_be_given, .signal = SIGABRT)
{
        weft__lock_give(&task_lock);
}

Test(lock, nobody_waits_with_a_lock, .signal = SIGABRT)
{
        weft_event event;
        weft_event_init(&event);
        weft__lock_take(&task_lock);
        weft_event_wait(&event, weft_now() + MS);
}

static void *take_and_give(void *number)
{
        for (int i = 0; i < 20000; i++) {
                weft__lock_take(&task_lock);
                ++*(int *)number;
                weft__lock_give(&task_lock);
        }
        return NULL;
}

Test(lock, threads_that_fight_for_one_take_turns)
{
        pthread_t thread[4];
        int number = 0;
        for (int i = 0; i < 4; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, take_and_give, &number), 0);
        for (int i = 0; i < 4; i++)
                pthread_join(thread[i], NULL);
        cr_assert_eq(number, 80000);
}
