/* SPDX-License-Identifier: MIT
 *
 * Mutexes, semaphores, events and channels: from tasks on a pool of one worker (where a wait that
 * blocked the worker would hang), from foreign threads, and with each way a wait can end.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "pool_help.h"

/* ---- mutex ---- */

static weft_mutex mutex = WEFT_MUTEX_INIT;
static long in_mutex, most_in_mutex, turns;

static int hold_across_waits(void *rounds)
{
        for (long i = 0; i < (long)rounds; i++) {
                if (weft_mutex_lock(&mutex, WEFT_FOREVER) < 0)
                        return -1;
                in_mutex++;
                most_in_mutex = in_mutex > most_in_mutex ? in_mutex : most_in_mutex;
                turns++;
                weft_yield(); /* others run while it is held */
                in_mutex--;
                if (weft_mutex_unlock(&mutex) < 0)
                        return -1;
        }
        return 0;
}

static void *hold_on_a_thread(void *rounds)
{
        return (void *)(long)hold_across_waits(rounds);
}

Test(sync, mutex_is_held_by_one_task_across_its_waits, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = begin(workers);
                weft_task *task[20];
                pthread_t thread[2];
                turns = most_in_mutex = 0;
                for (int i = 0; i < 20; i++)
                        task[i] = spawn(pool, hold_across_waits, (void *)100);
                for (int i = 0; i < 2; i++)
                        pthread_create(&thread[i], NULL, hold_on_a_thread, (void *)100);
                for (int i = 0; i < 20; i++)
                        cr_assert_eq(join(task[i]), 0);
                for (int i = 0; i < 2; i++) {
                        void *r;
                        pthread_join(thread[i], &r);
                        cr_assert_null(r);
                }
                cr_assert_eq(turns, 2200);
                cr_assert_eq(most_in_mutex, 1);
                weft_pool_destroy(pool);
        }
}

static int lock_shortly(void *arg)
{
        (void)arg;
        return weft_mutex_lock(&mutex, weft_now() + 5 * MS);
}

static int lock_for_long(void *arg)
{
        (void)arg;
        return weft_mutex_lock(&mutex, WEFT_FOREVER);
}

Test(sync, mutex_wait_ends_with_the_deadline_or_the_task, .timeout = 60)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(weft_mutex_trylock(&mutex), 0);
        cr_assert_eq(weft_mutex_trylock(&mutex), -EAGAIN);
        cr_assert_eq(weft_mutex_lock(&mutex, 0), -ETIMEDOUT);
        cr_assert_eq(weft_mutex_lock(&mutex, weft_now() + MS), -ETIMEDOUT);
        cr_assert_eq(join(spawn(pool, lock_shortly, NULL)), -ETIMEDOUT);

        weft_task *waits = spawn(pool, lock_for_long, NULL);
        weft_sleep_until(weft_now() + 5 * MS);
        cr_assert_eq(weft_task_cancel(waits), 0);
        cr_assert_eq(join(waits), -ECANCELED);

        /* Those that left are not handed the mutex. */
        cr_assert_eq(weft_mutex_unlock(&mutex), 0);
        cr_assert_eq(weft_mutex_unlock(&mutex), -EPERM);
        cr_assert_eq(weft_mutex_trylock(&mutex), 0);
        cr_assert_eq(weft_mutex_unlock(&mutex), 0);
        weft_pool_destroy(pool);
}

static int order[10];
static int served;

static uint64_t parked(weft_pool *pool)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        cr_assert_eq(weft_pool_stats(pool, &stats), 0);
        return stats.parked;
}

/* Ten tasks that wait, one after the other, before the next one comes. The last one, too: else it
 * might find what the others are only about to be woken with. */
static void arrive_in_turn(weft_pool *pool, weft_task **task, weft_fn *waits)
{
        uint64_t before = parked(pool);
        served = 0;
        for (long i = 0; i < 10; i++) {
                task[i] = spawn(pool, waits, (void *)i);
                until_parked(pool, before + (uint64_t)i + 1);
        }
}

static void assert_served_in_turn(weft_task **task)
{
        for (int i = 0; i < 10; i++)
                cr_assert_eq(join(task[i]), 0);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(order[i], i);
}

static int take_in_turn(void *arg)
{
        weft_mutex_lock(&mutex, WEFT_FOREVER);
        order[served++] = (int)(long)arg;
        return weft_mutex_unlock(&mutex);
}

Test(sync, mutex_is_handed_over_in_the_order_of_arrival, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_task *task[10];
        weft_mutex_lock(&mutex, WEFT_FOREVER);
        arrive_in_turn(pool, task, take_in_turn);
        weft_mutex_unlock(&mutex);
        assert_served_in_turn(task);
        weft_pool_destroy(pool);
}

/* ---- semaphore ---- */

static weft_semaphore semaphore;
static atomic_int inside, most_inside;

static int use_a_unit(void *arg)
{
        (void)arg;
        if (weft_semaphore_wait(&semaphore, WEFT_FOREVER) < 0)
                return -1;
        int n = ++inside, most = most_inside;
        while (n > most && !atomic_compare_exchange_weak(&most_inside, &most, n))
                ;
        weft_sleep_until(weft_now() + MS / 10);
        inside--;
        return weft_semaphore_post(&semaphore);
}

Test(sync, semaphore_lets_in_as_many_as_it_has_units, .timeout = 60)
{
        weft_pool *pool = begin(2);
        weft_task *task[50];
        weft_semaphore_init(&semaphore, 3);
        for (int i = 0; i < 50; i++)
                task[i] = spawn(pool, use_a_unit, NULL);
        for (int i = 0; i < 50; i++)
                cr_assert_eq(join(task[i]), 0);
        cr_assert_eq(most_inside, 3);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_semaphore_wait(&semaphore, 0), 0);
        cr_assert_eq(weft_semaphore_wait(&semaphore, 0), -ETIMEDOUT);
        weft_pool_destroy(pool);
}

static int take_a_unit_in_turn(void *arg)
{
        int r = weft_semaphore_wait(&semaphore, WEFT_FOREVER);
        order[served++] = (int)(long)arg;
        return r;
}

Test(sync, semaphore_is_served_in_the_order_of_arrival, .timeout = 60)
{
        skip_unless_workers(1); /* several may go on in another order than they were served */
        weft_pool *pool = begin(1);
        weft_task *task[10];
        weft_semaphore_init(&semaphore, 0);
        arrive_in_turn(pool, task, take_a_unit_in_turn);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_semaphore_post(&semaphore), 0);
        assert_served_in_turn(task);
        weft_pool_destroy(pool);
}

Test(sync, semaphore_refuses_to_wrap)
{
        weft_semaphore_init(&semaphore, UINT64_MAX);
        cr_assert_eq(weft_semaphore_post(&semaphore), -EAGAIN);
        cr_assert_eq(weft_semaphore_wait(&semaphore, 0), 0);
        cr_assert_eq(weft_semaphore_post(&semaphore), 0);
}

/* ---- event ---- */

static weft_event event;

static int wait_for_it(void *deadline)
{
        return weft_event_wait(&event, *(int64_t *)deadline);
}

Test(sync, event_wakes_all_and_lets_through_who_comes_later, .timeout = 60)
{
        int64_t forever = WEFT_FOREVER, soon = weft_now() + 3 * MS;
        weft_pool *pool = begin(1);
        weft_task *task[100];
        weft_event_init(&event);
        cr_assert_eq(join(spawn(pool, wait_for_it, &soon)), -ETIMEDOUT);
        for (int i = 0; i < 100; i++)
                task[i] = spawn(pool, wait_for_it, &forever);
        weft_sleep_until(weft_now() + 5 * MS);
        cr_assert_eq(weft_event_set(&event), 0);
        for (int i = 0; i < 100; i++)
                cr_assert_eq(join(task[i]), 0);
        cr_assert_eq(weft_event_wait(&event, 0), 0);
        cr_assert_eq(weft_event_reset(&event), 0);
        cr_assert_eq(weft_event_wait(&event, 0), -ETIMEDOUT);
        weft_pool_destroy(pool);
}

/* ---- channel ---- */

static weft_channel *channel;
static atomic_long sum;

static int produce(void *n)
{
        for (long i = 1; i <= (long)n; i++) {
                int r = weft_channel_send(channel, &i, WEFT_FOREVER);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int consume(void *arg)
{
        long item;
        int r;
        (void)arg;
        while ((r = weft_channel_receive(channel, &item, WEFT_FOREVER)) == 0)
                sum += item;
        return r;
}

static void *consume_on_a_thread(void *arg)
{
        return (void *)(long)consume(arg);
}

Test(sync, channel_hands_each_item_to_one_receiver, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                for (size_t capacity = 1; capacity <= 64; capacity *= 8) {
                        weft_pool *pool = begin(workers);
                        weft_task *producer[4], *consumer[3];
                        pthread_t thread;
                        void *r;
                        sum = 0;
                        cr_assert_eq(weft_channel_create(&channel, sizeof(long), capacity), 0);
                        for (int i = 0; i < 3; i++)
                                consumer[i] = spawn(pool, consume, NULL);
                        pthread_create(&thread, NULL, consume_on_a_thread, NULL);
                        for (int i = 0; i < 4; i++)
                                producer[i] = spawn(pool, produce, (void *)500);
                        for (int i = 0; i < 4; i++)
                                cr_assert_eq(join(producer[i]), 0);
                        cr_assert_eq(weft_channel_close(channel), 0);
                        for (int i = 0; i < 3; i++)
                                cr_assert_eq(join(consumer[i]), -EPIPE);
                        pthread_join(thread, &r);
                        cr_assert_eq((long)r, -EPIPE);
                        cr_assert_eq(sum, 4 * 500 * 501 / 2);
                        channel = weft_channel_destroy(channel);
                        weft_pool_destroy(pool);
                }
        }
}

Test(sync, channel_keeps_the_order_and_what_is_left_after_close)
{
        int in, out;
        cr_assert_eq(weft_channel_create(&channel, sizeof(int), 3), 0);
        for (int round = 0; round < 5; round++) {
                for (in = 1; in <= 3; in++)
                        cr_assert_eq(weft_channel_send(channel, &in, 0), 0);
                cr_assert_eq(weft_channel_send(channel, &in, 0), -ETIMEDOUT);
                if (round == 4)
                        cr_assert_eq(weft_channel_close(channel), 0);
                for (in = 1; in <= 3; in++) {
                        cr_assert_eq(weft_channel_receive(channel, &out, 0), 0);
                        cr_assert_eq(out, in);
                }
                out = 77;
                cr_assert_eq(weft_channel_receive(channel, &out, 0),
                             round == 4 ? -EPIPE : -ETIMEDOUT);
                cr_assert_eq(out, 77);
        }
        cr_assert_eq(weft_channel_close(channel), -EALREADY);
        cr_assert_eq(weft_channel_send(channel, &in, WEFT_FOREVER), -EPIPE);
        cr_assert_null(weft_channel_destroy(channel));
}

static int send_in_turn(void *arg)
{
        long item = (long)arg;
        return weft_channel_send(channel, &item, WEFT_FOREVER);
}

static int receive_in_turn(void *arg)
{
        long item = -1;
        int r = weft_channel_receive(channel, &item, WEFT_FOREVER);
        order[(long)arg] = (int)item;
        return r;
}

Test(sync, channel_serves_senders_and_receivers_in_the_order_of_arrival, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_task *task[10];
        long item = -1;
        cr_assert_eq(weft_channel_create(&channel, sizeof(long), 1), 0);
        arrive_in_turn(pool, task, receive_in_turn);
        for (item = 0; item < 10; item++)
                cr_assert_eq(weft_channel_send(channel, &item, in_ms(PATIENCE_MS)), 0);
        assert_served_in_turn(task);

        cr_assert_eq(weft_channel_send(channel, &item, 0), 0); /* it is full */
        arrive_in_turn(pool, task, send_in_turn);
        cr_assert_eq(weft_channel_receive(channel, &item, 0), 0);
        for (long i = 0; i < 10; i++) {
                cr_assert_eq(weft_channel_receive(channel, &item, in_ms(PATIENCE_MS)), 0);
                order[i] = (int)item;
        }
        assert_served_in_turn(task);
        channel = weft_channel_destroy(channel);
        weft_pool_destroy(pool);
}

static int send_one(void *item)
{
        return weft_channel_send(channel, item, WEFT_FOREVER);
}

static int receive_one(void *item)
{
        return weft_channel_receive(channel, item, WEFT_FOREVER);
}

Test(sync, channel_wait_ends_with_the_task_and_takes_nothing, .timeout = 60)
{
        weft_pool *pool = begin(1);
        int first = 1, second = 2, out = 0;
        cr_assert_eq(weft_channel_create(&channel, sizeof(int), 1), 0);

        weft_task *receiver = spawn(pool, receive_one, &out);
        weft_sleep_until(weft_now() + 5 * MS);
        weft_task_cancel(receiver);
        cr_assert_eq(join(receiver), -ECANCELED);
        cr_assert_eq(weft_channel_send(channel, &first, 0), 0);
        cr_assert_eq(out, 0);

        weft_task *sender = spawn(pool, send_one, &second);
        weft_sleep_until(weft_now() + 5 * MS);
        weft_task_cancel(sender);
        cr_assert_eq(join(sender), -ECANCELED);
        cr_assert_eq(weft_channel_receive(channel, &out, 0), 0);
        cr_assert_eq(out, 1);
        cr_assert_eq(weft_channel_receive(channel, &out, 0), -ETIMEDOUT);

        sender = spawn(pool, receive_one, &out);
        weft_sleep_until(weft_now() + 5 * MS);
        weft_channel_close(channel);
        cr_assert_eq(join(sender), -EPIPE);
        weft_channel_destroy(channel);
        weft_pool_destroy(pool);
}

Test(sync, bad_arguments_are_told)
{
        cr_assert_eq(weft_mutex_lock(NULL, 0), -EINVAL);
        cr_assert_eq(weft_mutex_trylock(NULL), -EINVAL);
        cr_assert_eq(weft_mutex_unlock(NULL), -EINVAL);
        cr_assert_eq(weft_semaphore_wait(NULL, 0), -EINVAL);
        cr_assert_eq(weft_semaphore_post(NULL), -EINVAL);
        cr_assert_eq(weft_event_set(NULL), -EINVAL);
        cr_assert_eq(weft_event_reset(NULL), -EINVAL);
        cr_assert_eq(weft_event_wait(NULL, 0), -EINVAL);
        cr_assert_eq(weft_channel_create(NULL, 1, 1), -EINVAL);
        cr_assert_eq(weft_channel_create(&channel, 1, 0), -EINVAL);
        cr_assert_eq(weft_channel_create(&channel, SIZE_MAX / 2, 4), -ENOMEM);
        cr_assert_eq(weft_channel_send(NULL, &channel, 0), -EINVAL);
        cr_assert_eq(weft_channel_receive(NULL, &channel, 0), -EINVAL);
        cr_assert_eq(weft_channel_close(NULL), -EINVAL);
        cr_assert_null(weft_channel_destroy(NULL));
        cr_assert_eq(weft_channel_create(&channel, 0, 2), 0);
        cr_assert_eq(weft_channel_send(channel, NULL, 0), 0);
        cr_assert_eq(weft_channel_receive(channel, NULL, 0), 0);
        weft_channel_destroy(channel);
}
