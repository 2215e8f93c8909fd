/* SPDX-License-Identifier: MIT
 *
 * WEFT_SHIELD: inside it a cancelled task waits to the end, and after it the cancellation is seen.
 * Every kind of wait, with the cancellation before it and while it is parked, on one worker, where
 * the order is given: the other task runs when this one has parked, and not before.
 */
#include "pool_help.h"

#include <poll.h>
#include <setjmp.h>

/* ---- every wait ------------------------------------------------------------------------------ */

struct waits {
        weft_event event;
        weft_semaphore semaphore;
        weft_mutex mutex;
        weft_channel *channel;
        weft_group group;
        weft_task *waiter, *awaited;
        int pipe[2];
        int (*wait)(struct waits *); /* 0: what was waited for has come */
        bool cancelled_first;
        atomic_int ended;
};

static int wait_event(struct waits *w)
{
        return weft_event_wait(&w->event, WEFT_FOREVER);
}

static int wait_semaphore(struct waits *w)
{
        return weft_semaphore_wait(&w->semaphore, WEFT_FOREVER);
}

static int wait_mutex(struct waits *w)
{
        int r = weft_mutex_lock(&w->mutex, WEFT_FOREVER);
        return r == 0 ? weft_mutex_unlock(&w->mutex) : r;
}

static int wait_channel(struct waits *w)
{
        return weft_channel_receive(w->channel, NULL, WEFT_FOREVER);
}

static int wait_await(struct waits *w)
{
        return weft_await(w->awaited, WEFT_FOREVER);
}

static int wait_group(struct waits *w)
{
        return weft_group_wait(&w->group, WEFT_FOREVER);
}

static int wait_fd(struct waits *w)
{
        char c;
        int r = weft_wait_fd(w->pipe[0], POLLIN, WEFT_FOREVER);
        return r == POLLIN ? (read(w->pipe[0], &c, 1) == 1 ? 0 : -EIO) : r;
}

static int wait_sleep(struct waits *w)
{
        (void)w;
        return weft_sleep_until(in_ms(20));
}

static int wait_yield(struct waits *w)
{
        int r = 0;
        while (r == 0 && !atomic_load(&w->ended))
                r = weft_yield();
        return r;
}

/* Runs when the other one is parked; ends what that one waits for after it was cancelled. */
static int cancel_then_end(void *arg)
{
        struct waits *w = arg;
        CHECK(weft_task_cancel(w->waiter) == 0);
        for (int i = 0; i < 3; i++)
                CHECK(weft_yield() == 0); /* were it woken, it would return now */
        CHECK(atomic_load(&w->ended) == 0);
        atomic_store(&w->ended, 1);
        CHECK(weft_event_set(&w->event) == 0);
        CHECK(weft_semaphore_post(&w->semaphore) == 0);
        CHECK(weft_mutex_unlock(&w->mutex) == 0);
        CHECK(weft_channel_send(w->channel, NULL, WEFT_FOREVER) == 0);
        CHECK(write(w->pipe[1], "x", 1) == 1);
        return 0;
}

static int wait_shielded(void *arg)
{
        struct waits *w = arg;
        weft_task *other = NULL;
        w->waiter = weft_task_current();
        if (w->cancelled_first)
                CHECK(weft_task_cancel(w->waiter) == 0);
        WEFT_SHIELD {
                CHECK(weft_spawn(NULL, &other, cancel_then_end, w) == 0);
                CHECK(weft_cancelled() == 0);
                CHECK(w->wait(w) == 0);
                CHECK(w->wait == wait_sleep || atomic_load(&w->ended));
                CHECK(weft_cancelled() == 0);
                CHECK(weft_await(other, WEFT_FOREVER) == 0);
                weft_task_unref(other);
        }
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_yield() == -ECANCELED);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        CHECK(weft_event_wait(&w->event, 0) == 0);
        return 7;
}

static int wait_for_event(void *arg)
{
        return weft_event_wait(arg, WEFT_FOREVER);
}

static const struct {
        const char *name;
        int (*wait)(struct waits *);
} every_wait[] = {
    {"event", wait_event},     {"semaphore", wait_semaphore}, {"mutex", wait_mutex},
    {"channel", wait_channel}, {"await", wait_await},         {"group", wait_group},
    {"fd", wait_fd},           {"sleep", wait_sleep},         {"yield", wait_yield},
};

Test(shield, every_wait_goes_on_to_its_end_and_the_next_one_is_cancelled, .timeout = 60)
{
        for (size_t i = 0; i < 2 * sizeof(every_wait) / sizeof(every_wait[0]); i++) {
                weft_pool *pool = begin(1);
                struct waits w = {.wait = every_wait[i / 2].wait, .cancelled_first = i % 2};

                weft_event_init(&w.event);
                weft_semaphore_init(&w.semaphore, 0);
                weft_mutex_init(&w.mutex);
                cr_assert_eq(weft_mutex_trylock(&w.mutex), 0);
                cr_assert_eq(weft_channel_create(&w.channel, 0, 1), 0);
                cr_assert_eq(pipe(w.pipe), 0);
                cr_assert_eq(weft_group_init(&w.group, pool), 0);
                cr_assert_eq(weft_group_spawn(&w.group, wait_for_event, &w.event), 0);
                w.awaited = spawn(pool, wait_for_event, &w.event);
                weft_task *t = spawn(pool, wait_shielded, &w);
                cr_assert_eq(join(t), 7, "%s", every_wait[i / 2].name);
                cr_assert_eq(join(w.awaited), 0);
                weft_group_fini(&w.group);
                finish(pool);
                weft_channel_destroy(w.channel);
                close(w.pipe[0]);
                close(w.pipe[1]);
        }
}

/* The same race with two threads: wherever the cancellation falls, nothing of it is lost. */
static int wait_in_and_after(void *arg)
{
        struct waits *w = arg;
        WEFT_SHIELD {
                CHECK(weft_event_wait(&w->event, WEFT_FOREVER) == 0);
        }
        return weft_sleep_until(WEFT_FOREVER);
}

Test(shield, a_cancellation_that_races_with_the_wait_is_seen_after_it, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 200 : 1500 };
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = begin(workers);
                int64_t end = in_ms(10000); /* on a busy machine who yields is back late */
                for (int round = 0; round < ROUNDS && weft_now() < end; round++) {
                        struct waits w = {.ended = 0};
                        weft_event_init(&w.event);
                        weft_task *t = spawn(pool, wait_in_and_after, &w);
                        for (int i = 0; i < round % 50; i++)
                                sched_yield();
                        if (round % 2)
                                cr_assert_eq(weft_event_set(&w.event), 0);
                        cr_assert_eq(weft_task_cancel(t), 0);
                        cr_assert_eq(weft_event_set(&w.event), 0);
                        cr_assert_eq(join(t), -ECANCELED);
                }
                finish(pool);
        }
}

/* ---- the block ------------------------------------------------------------------------------- */

static int leave_by_return(void)
{
        WEFT_SHIELD {
                WEFT_SHIELD {
                        return weft_cancelled();
                }
        }
        return 1;
}

static int leave_in_every_way(void *arg)
{
        int blocks = 0;
        (void)arg;
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        for (int i = 0; i < 3; i++) {
                WEFT_SHIELD {
                        blocks++;
                        if (i == 0)
                                break; /* of the block, not of the loop */
                        CHECK(weft_cancelled() == 0);
                        WEFT_SHIELD {
                                CHECK(weft_cancelled() == 0);
                                if (i == 1)
                                        continue;
                                goto out;
                        }
                        CHECK(weft_cancelled() == 0); /* still in the outer one */
                        blocks++;
                }
                CHECK(weft_cancelled() == -ECANCELED);
        }
out:
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(blocks == 4);
        CHECK(leave_by_return() == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_yield() == -ECANCELED);
        return 0;
}

Test(shield, nests_and_is_left_on_every_way_out, .timeout = 30)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(join(spawn(pool, leave_in_every_way, NULL)), 0);
        finish(pool);
}

static int jump_out(void *arg)
{
        static jmp_buf before;
        (void)arg;
        if (setjmp(before) == 0) {
                WEFT_SHIELD {
                        longjmp(before, 1);
                }
        }
        return 0;
}

static int see_own_cancellation(void *arg)
{
        (void)arg;
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        return weft_cancelled();
}

Test(shield, one_left_by_a_jump_ends_with_its_task, .timeout = 30)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(join(spawn(pool, jump_out, NULL)), 0);
        cr_assert_eq(join(spawn(pool, see_own_cancellation, NULL)), -ECANCELED);
        finish(pool);
}

static void *wait_on_thread(void *arg)
{
        weft_event *event = arg;
        WEFT_SHIELD {
                CHECK(weft_cancelled() == 0);
                CHECK(weft_event_wait(event, in_ms(5)) == -ETIMEDOUT); /* its own deadline counts */
                CHECK(weft_sleep_until(in_ms(1)) == 0);
                CHECK(weft_yield() == 0);
        }
        return NULL;
}

Test(shield, threads_outside_may_use_it, .timeout = 30)
{
        weft_event event;
        pthread_t thread;
        weft_event_init(&event);
        cr_assert_eq(pthread_create(&thread, NULL, wait_on_thread, &event), 0);
        pthread_join(thread, NULL);
        assert_checks();
}

/* ---- whose it is ----------------------------------------------------------------------------- */

struct turns {
        weft_task *task[2];
        atomic_int ready, turns;
};

static int shielded_turns(void *arg)
{
        struct turns *t = arg;
        WEFT_SHIELD {
                atomic_fetch_add(&t->ready, 1);
                while (atomic_load(&t->turns) < 100) {
                        CHECK(weft_yield() == 0);
                        CHECK(weft_cancelled() == 0);
                }
        }
        return weft_cancelled();
}

static int plain_turns(void *arg)
{
        struct turns *t = arg;
        atomic_fetch_add(&t->ready, 1);
        while (weft_cancelled() == 0)
                weft_yield();
        for (int i = 0; i < 100; i++) {
                WEFT_SHIELD {
                        CHECK(weft_yield() == 0); /* the other one goes on meanwhile, in its own */
                }
                CHECK(weft_yield() == -ECANCELED);
                CHECK(weft_cancelled() == -ECANCELED);
                atomic_fetch_add(&t->turns, 1);
        }
        return 0;
}

Test(shield, belongs_to_the_task_and_not_to_its_thread, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                struct turns t = {.ready = 0};
                t.task[0] = spawn(pool, shielded_turns, &t);
                t.task[1] = spawn(pool, plain_turns, &t);
                cr_assert(reaches(&t.ready, 2));
                cr_assert_eq(weft_task_cancel(t.task[0]), 0);
                cr_assert_eq(weft_task_cancel(t.task[1]), 0);
                cr_assert_eq(join(t.task[0]), -ECANCELED);
                cr_assert_eq(join(t.task[1]), 0);
                finish(pool);
        }
}

static int spawn_inside(void *arg)
{
        weft_task *child = NULL;
        (void)arg;
        WEFT_SHIELD {
                CHECK(weft_spawn(NULL, &child, see_own_cancellation, NULL) == 0);
                CHECK(weft_await(child, WEFT_FOREVER) == -ECANCELED);
                weft_task_unref(child);
        }
        return 0;
}

Test(shield, is_not_inherited, .timeout = 30)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(join(spawn(pool, spawn_inside, NULL)), 0);
        finish(pool);
}

/* A full pool has the submitter run the task: it is no part of the submitter's block. */
static int submit_to_full(void *arg)
{
        weft_pool *full = arg;
        weft_task *child = NULL;
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        WEFT_SHIELD {
                CHECK(weft_spawn(full, &child, see_own_cancellation, NULL) == 0);
                CHECK(weft_await(child, 0) == -ECANCELED); /* it has ended */
                weft_task_unref(child);
                CHECK(weft_cancelled() == 0);
        }
        return weft_cancelled();
}

Test(shield, a_task_that_the_submitter_runs_is_not_in_its_block, .timeout = 30)
{
        weft_pool *pool = begin(1), *full = NULL;
        struct plug plug;
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .max_queued = 1, .when_full = WEFT_CALLER};

        cr_assert_eq(weft_pool_create(&full, &o), 0);
        plug_in(&plug, full, 1);
        cr_assert_eq(weft_submit(full, nothing, NULL), 0);
        cr_assert_eq(join(spawn(pool, submit_to_full, full)), -ECANCELED);
        plug_out(&plug);
        finish(full);
        finish(pool);
}

/* What a task calls on a spare thread is part of its block, and what comes there later is not. */
static int wait_on_spare_thread(void *arg)
{
        (void)arg;
        int r = weft_cancelled();
        return r < 0 ? r : weft_sleep_until(in_ms(2));
}

static int call_blocking(void *arg)
{
        (void)arg;
        WEFT_DEADLINE (weft_now()) {
                CHECK(weft_blocking(wait_on_spare_thread, NULL) == -ETIMEDOUT);
                WEFT_SHIELD {
                        CHECK(weft_blocking(wait_on_spare_thread, NULL) == 0);
                }
                CHECK(weft_blocking(wait_on_spare_thread, NULL) == -ETIMEDOUT);
        }
        return 0;
}

Test(shield, goes_along_to_a_spare_thread, .timeout = 30)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(join(spawn(pool, call_blocking, NULL)), 0);
        finish(pool);
}

/* ---- a pool that is cancelled ---------------------------------------------------------------- */

static int wait_while_cancelled(void *arg)
{
        struct waits *w = arg;
        WEFT_SHIELD {
                atomic_store(&w->ended, 1);
                CHECK(weft_event_wait(&w->event, WEFT_FOREVER) == 0);
                CHECK(weft_cancelled() == 0);
                CHECK(weft_sleep_until(in_ms(5)) == 0);
        }
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_event_wait(&w->event, WEFT_FOREVER) == 0); /* it is set: no wait */
        CHECK(weft_event_reset(&w->event) == 0);
        CHECK(weft_event_wait(&w->event, WEFT_FOREVER) == -ECANCELED);
        atomic_store(&w->ended, 2);
        return 0;
}

Test(shield, a_pool_that_is_cancelled_waits_for_it, .timeout = 30)
{
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = begin(workers);
                struct waits w = {.ended = 0};

                weft_event_init(&w.event);
                cr_assert_eq(weft_submit(pool, wait_while_cancelled, &w), 0);
                cr_assert(reaches(&w.ended, 1));
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, in_ms(20)), -ETIMEDOUT);
                cr_assert_eq(weft_event_set(&w.event), 0);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&w.ended), 2);
                finish(pool);
        }
}
