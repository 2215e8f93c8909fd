/* SPDX-License-Identifier: MIT
 *
 * Pools whose tasks may go on on another worker than the one that they waited on (WEFT_MIGRATE).
 */
#include "pool_help.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static weft_var var = WEFT_VAR_INIT("var");

/* ---- a task whose worker is busy goes on elsewhere ------------------------------------------- */

struct mover {
        bool by_fd; /* waits for a byte in the pipe, not for the event */
        int pipe[2];
        weft_event go;
        pthread_t before, after;
        weft_mutex mutex;
        sem_t parks, decided, released;
        bool holds;
        int kept_errno;
        void *value;
        int reset;
};

static int moves(void *arg)
{
        struct mover *m = arg;
        weft_token token;
        CHECK(weft_set(&var, V(2), &token) == 0);
        CHECK(weft_mutex_lock(&m->mutex, WEFT_FOREVER) == 0);
        m->before = thread_now();
        *errno_now() = EDOM;
        sem_post(&m->parks);
        if (m->by_fd)
                CHECK(weft_wait_fd(m->pipe[0], POLLIN, WEFT_FOREVER) == POLLIN);
        else
                CHECK(weft_event_wait(&m->go, WEFT_FOREVER) == 0);
        m->kept_errno = *errno_now();
        m->after = thread_now();
        m->value = weft_get(&var);
        m->reset = weft_reset(&var, &token);
        CHECK(weft_get(&var) == V(1));
        CHECK(weft_mutex_unlock(&m->mutex) == 0);
        return 7;
}

/* Keeps the worker that it runs on busy until the other task is through. */
static int holds(void *arg)
{
        struct mover *m = arg;
        m->holds = pthread_equal(thread_now(), m->before);
        sem_post(&m->decided);
        if (!m->holds)
                return 1; /* on the wrong worker: the test tries again */
        *errno_now() = ERANGE;
        if (m->by_fd)
                CHECK(write(m->pipe[1], "", 1) == 1);
        else
                CHECK(weft_event_set(&m->go) == 0);
        while (sem_wait(&m->released))
                ;
        CHECK(*errno_now() == ERANGE); /* the other task is not in this thread any more */
        return 0;
}

static void goes_on_elsewhere(bool by_fd)
{
        skip_with_fewer_workers(2);
        weft_pool *pool = migrating_pool(2);
        struct mover m = {.by_fd = by_fd};
        weft_task *task = NULL;
        cr_assert_eq(pipe(m.pipe), 0);
        sem_init(&m.parks, 0, 0);
        sem_init(&m.decided, 0, 0);
        sem_init(&m.released, 0, 0);
        WEFT_WITH (&var, V(1)) {
                cr_assert_eq(weft_spawn(pool, &task, moves, &m), 0);
        }
        sem_wait(&m.parks);
        for (int held = 1; held;) {
                weft_task *holder;
                cr_assert_eq(weft_spawn(pool, &holder, holds, &m), 0);
                plug__wait(&m.decided);
                if (m.holds) {
                        cr_assert_eq(weft_await(task, WEFT_FOREVER), 7);
                        sem_post(&m.released);
                }
                held = weft_await(holder, WEFT_FOREVER);
                weft_task_unref(holder);
        }
        assert_checks();
        cr_assert_not(pthread_equal(m.before, m.after), "it went on on the busy worker's thread");
        cr_assert_eq(m.kept_errno, EDOM);
        cr_assert_eq(m.value, V(2));
        cr_assert_eq(m.reset, 0);
        weft_task_unref(task);
        weft_pool_destroy(pool);
        sem_destroy(&m.parks);
        sem_destroy(&m.decided);
        sem_destroy(&m.released);
        close(m.pipe[0]);
        close(m.pipe[1]);
}

Test(migrate, a_task_goes_on_elsewhere_while_its_worker_is_busy, .timeout = 60)
{
        goes_on_elsewhere(false);
}

Test(migrate, so_does_one_that_waits_for_a_descriptor, .timeout = 60)
{
        goes_on_elsewhere(true);
}

/* ---- many waits of every kind ---------------------------------------------------------------- */

enum { TASKS = 200, ROUNDS = SLOW_BUILD ? 20 : 200 };

static struct {
        weft_mutex mutex;
        weft_semaphore semaphore;
        weft_channel *channel;
        int inside; /* under mutex */
        atomic_int moved;
} shared;

static int churns(void *arg)
{
        weft_token token;
        CHECK(weft_get(&var) == V(1));
        CHECK(weft_set(&var, arg, &token) == 0);
        for (int i = 0; i < ROUNDS; i++) {
                pthread_t before = thread_now();
                switch ((i + N(arg)) % 5) {
                case 0:
                        CHECK(weft_yield() == 0);
                        break;
                case 1:
                        CHECK(weft_mutex_lock(&shared.mutex, WEFT_FOREVER) == 0);
                        CHECK(++shared.inside == 1);
                        CHECK(weft_yield() == 0);
                        CHECK(--shared.inside == 0);
                        CHECK(weft_mutex_unlock(&shared.mutex) == 0);
                        break;
                case 2:
                        CHECK(weft_semaphore_wait(&shared.semaphore, in_ms(60000)) == 0);
                        CHECK(weft_yield() == 0);
                        CHECK(weft_semaphore_post(&shared.semaphore) == 0);
                        break;
                case 3:
                        CHECK(weft_sleep_until(weft_now() + 1000) == 0);
                        break;
                default: {
                        int item = i;
                        CHECK(weft_channel_send(shared.channel, &item, WEFT_FOREVER) == 0);
                        CHECK(weft_channel_receive(shared.channel, &item, WEFT_FOREVER) == 0);
                }
                }
                CHECK(weft_get(&var) == arg);
                if (!pthread_equal(before, thread_now()))
                        atomic_fetch_add(&shared.moved, 1);
        }
        CHECK(weft_reset(&var, &token) == 0);
        return 0;
}

static void churn(unsigned workers)
{
        weft_pool *pool = migrating_pool(workers);
        weft_group group;
        cr_assert_eq(weft_channel_create(&shared.channel, sizeof(int), TASKS), 0);
        weft_mutex_init(&shared.mutex);
        weft_semaphore_init(&shared.semaphore, 3);
        cr_assert_eq(weft_group_init(&group, pool), 0);
        WEFT_WITH (&var, V(1)) {
                for (int i = 0; i < TASKS; i++)
                        cr_assert_eq(weft_group_spawn(&group, churns, V(i + 2)), 0);
        }
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
        weft_group_fini(&group);
        weft_channel_destroy(shared.channel);
        weft_pool_destroy(pool);
        assert_checks();
}

Test(migrate, contexts_stay_with_their_tasks_on_one_worker, .timeout = 120)
{
        churn(1);
}

Test(migrate, contexts_stay_with_their_tasks_on_two_workers, .timeout = 120)
{
        churn(2);
}

Test(migrate, contexts_stay_with_their_tasks_on_four_workers, .timeout = 120)
{
        churn(4);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static int waits_for_ever(void *arg)
{
        return weft_event_wait(arg, WEFT_FOREVER);
}

Test(migrate, cancelling_the_pool_wakes_all_that_is_parked, .timeout = 60)
{
        weft_pool *pool = migrating_pool(2);
        weft_task *task[100];
        weft_event never;
        weft_event_init(&never);
        for (int i = 0; i < 100; i++)
                cr_assert_eq(weft_spawn(pool, &task[i], waits_for_ever, &never), 0);
        until_parked(pool, 100);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
        for (int i = 0; i < 100; i++) {
                cr_assert_eq(weft_await(task[i], WEFT_FOREVER), -ECANCELED);
                weft_task_unref(task[i]);
        }
        weft_pool_destroy(pool);
}

Test(migrate, one_task_is_cancelled_while_it_is_parked, .timeout = 60)
{
        weft_pool *pool = migrating_pool(2);
        weft_task *task;
        weft_event never;
        weft_event_init(&never);
        for (int i = 0; i < 200; i++) {
                cr_assert_eq(weft_spawn(pool, &task, waits_for_ever, &never), 0);
                if (i % 2)
                        sched_yield();
                cr_assert_eq(weft_task_cancel(task), 0);
                cr_assert_eq(weft_await(task, WEFT_FOREVER), -ECANCELED);
                weft_task_unref(task);
        }
        weft_pool_destroy(pool);
}

/* ---- order ----------------------------------------------------------------------------------- */

static int yields_until(void *count)
{
        while (atomic_load((atomic_int *)count) == 0)
                CHECK(weft_yield() == 0);
        return 0;
}

/* A task that yields is in the same queues as those that have not begun. */
Test(migrate, those_from_outside_have_their_turn_beside_a_task_that_yields, .timeout = 60)
{
        for (int yielders = 1; yielders <= 3; yielders++) {
                weft_pool *pool = migrating_pool(1);
                atomic_int count = 0;
                for (int i = 0; i < yielders; i++)
                        cr_assert_eq(weft_submit(pool, yields_until, &count), 0);
                usleep(5000);
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
                cr_assert(reaches(&count, 1), "it starved beside %d", yielders);
                finish(pool);
        }
}

static struct {
        weft_event written;
        int turns;
        int whose[30];
} line;

static int takes_turns(void *number)
{
        for (int i = 0; i < 10; i++) {
                line.whose[line.turns++] = N(number); /* the pool has one worker */
                CHECK(weft_yield() == 0);
        }
        return 0;
}

static int starts_three(void *unused)
{
        (void)unused;
        for (int i = 0; i < 3; i++)
                CHECK(weft_submit(NULL, takes_turns, V(i)) == 0);
        weft_event_set(&line.written);
        return 0;
}

Test(migrate, tasks_that_yield_take_turns, .timeout = 60)
{
        skip_unless_workers(1);
        weft_pool *pool = migrating_pool(1);
        weft_event_init(&line.written);
        cr_assert_eq(weft_submit(pool, starts_three, NULL), 0);
        cr_assert_eq(weft_event_wait(&line.written, WEFT_FOREVER), 0);
        finish(pool);
        cr_assert_eq(line.turns, 30);
        int again = 0;
        for (int i = 1; i < 30; i++)
                again += line.whose[i] == line.whose[i - 1];
        cr_assert_leq(again, 3, "%d of 30 turns went to the one that had just yielded", again);
}
