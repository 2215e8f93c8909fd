/* SPDX-License-Identifier: MIT
 *
 * The bound on queued tasks: a pool with max_queued, under each of its three policies, from
 * outside, from the pool's own tasks and from tasks of another pool.
 */
#include "pool_help.h"

enum { BOUND = 4 };

static weft_var a = WEFT_VAR_INIT("a", .fallback = V(-1));

static weft_pool *bounded(weft_when_full when_full)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .max_queued = BOUND, .when_full = when_full};
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        return pool;
}

static void fill(weft_pool *pool, atomic_int *count)
{
        for (int i = 0; i < BOUND; i++)
                cr_assert_eq(weft_submit(pool, count_up, count), 0);
}

/* ---- WEFT_REFUSE ----------------------------------------------------------------------------- */

Test(pool_limit, refuse_gives_eagain_until_there_is_room, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_REFUSE);
        atomic_int count = 0;
        struct plug plug;

        for (int round = 1; round <= 20; round++) {
                plug_in(&plug, pool, 1);
                fill(pool, &count);
                for (int i = 0; i < 3; i++)
                        cr_assert_eq(weft_submit(pool, count_up, &count), -EAGAIN);
                plug_out(&plug);
                cr_assert(reaches(&count, round * BOUND));
        }
        finish(pool);
        cr_assert_eq(atomic_load(&count), 20 * BOUND);
}

Test(pool_limit, refuse_counts_a_cancelled_task_as_room, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_REFUSE);
        atomic_int count = 0;
        struct plug plug;
        weft_task *t;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &t, count_up, &count), 0);
        for (int i = 1; i < BOUND; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_submit(pool, count_up, &count), -EAGAIN);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_submit(pool, count_up, &count), -EAGAIN);
        plug_out(&plug);
        weft_task_unref(t);
        finish(pool);
        cr_assert_eq(atomic_load(&count), BOUND);
}

/* Callbacks are queued whether there is room or not, and leave what there was when they are done.
 * */
Test(pool_limit, callbacks_go_over_the_bound_and_leave_it_as_it_was, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_REFUSE);
        atomic_int count = 0;
        struct plug plug;
        weft_task *t;

        for (int round = 1; round <= 5; round++) {
                plug_in(&plug, pool, 1);
                cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
                for (int i = 0; i < 3 * BOUND; i++)
                        cr_assert_eq(weft_task_on_done(t, count_up, &count), 0);
                plug_out(&plug);
                cr_assert(reaches(&count, 3 * BOUND));
                weft_task_unref(t);
                plug_in(&plug, pool, 1);
                atomic_store(&count, 0);
                fill(pool, &count);
                cr_assert_eq(weft_submit(pool, count_up, &count), -EAGAIN);
                plug_out(&plug);
                cr_assert(reaches(&count, BOUND));
                atomic_store(&count, 0);
        }
        finish(pool);
}

struct inside {
        weft_pool *pool;
        atomic_int accepted, refused, count;
        int tries;
};

static int submit_many(void *arg)
{
        struct inside *in = arg;
        for (int i = 0; i < in->tries; i++) {
                int r = weft_submit(in->pool, count_up, &in->count);
                CHECK(r == 0 || r == -EAGAIN);
                atomic_fetch_add(r == 0 ? &in->accepted : &in->refused, 1);
        }
        return 0;
}

Test(pool_limit, refuse_holds_for_the_pools_own_tasks_too, .timeout = 30)
{
        skip_unless_workers(1); /* another one may make room */
        weft_pool *pool = bounded(WEFT_REFUSE);
        struct inside in = {.pool = pool, .tries = BOUND + 3};
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, submit_many, &in), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(pool);
        cr_assert_eq(atomic_load(&in.accepted), BOUND);
        cr_assert_eq(atomic_load(&in.refused), 3);
        cr_assert_eq(atomic_load(&in.count), BOUND);
}

/* ---- WEFT_BLOCK ------------------------------------------------------------------------------ */

struct outsider {
        weft_pool *pool;
        atomic_int count, submitted, result;
        int tries;
};

static void *submit_from_thread(void *arg)
{
        struct outsider *o = arg;
        for (int i = 0; i < o->tries; i++) {
                int r = weft_submit(o->pool, count_up, &o->count);
                atomic_store(&o->result, r);
                if (r != 0)
                        break;
                atomic_fetch_add(&o->submitted, 1);
        }
        return NULL;
}

Test(pool_limit, block_holds_an_outsider_until_there_is_room, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_BLOCK);
        struct outsider o = {.pool = pool, .tries = BOUND + 1};
        struct plug plug;
        pthread_t thread;

        plug_in(&plug, pool, 1);
        cr_assert_eq(pthread_create(&thread, NULL, submit_from_thread, &o), 0);
        cr_assert(reaches(&o.submitted, BOUND));
        usleep(50000);
        cr_assert_eq(atomic_load(&o.submitted), BOUND, "the one more waits");
        plug_out(&plug);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        cr_assert_eq(atomic_load(&o.submitted), BOUND + 1);
        finish(pool);
        cr_assert_eq(atomic_load(&o.count), BOUND + 1);
}

Test(pool_limit, block_lets_many_outsiders_through_in_the_end, .timeout = 60)
{
        enum { OUTSIDERS = 4, EACH = SLOW_BUILD ? 500 : 5000 };
        weft_pool *pool = bounded(WEFT_BLOCK);
        struct outsider o = {.pool = pool, .tries = EACH};
        pthread_t thread[OUTSIDERS];

        for (int i = 0; i < OUTSIDERS; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, submit_from_thread, &o), 0);
        for (int i = 0; i < OUTSIDERS; i++)
                cr_assert_eq(pthread_join(thread[i], NULL), 0);
        finish(pool);
        cr_assert_eq(atomic_load(&o.count), OUTSIDERS * EACH);
}

Test(pool_limit, block_ends_with_eshutdown_when_the_pool_shuts_down, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_BLOCK);
        struct outsider o = {.pool = pool, .tries = BOUND + 5};
        struct plug plug;
        pthread_t thread;

        plug_in(&plug, pool, 1);
        cr_assert_eq(pthread_create(&thread, NULL, submit_from_thread, &o), 0);
        cr_assert(reaches(&o.submitted, BOUND));
        usleep(20000);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, 0), -ETIMEDOUT);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        cr_assert_eq(atomic_load(&o.result), -ESHUTDOWN);
        cr_assert_eq(atomic_load(&o.submitted), BOUND);
        plug_out(&plug);
        finish(pool);
        cr_assert_eq(atomic_load(&o.count), BOUND);
}

Test(pool_limit, block_never_holds_the_pools_own_tasks, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_BLOCK);
        struct inside in = {.pool = pool, .tries = 10 * BOUND};
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, submit_many, &in), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(pool);
        cr_assert_eq(atomic_load(&in.refused), 0);
        cr_assert_eq(atomic_load(&in.count), 10 * BOUND);
}

static int one_more(void *arg)
{
        struct inside *in = arg;
        CHECK(weft_get(&a) == V(5));
        int r = weft_submit(in->pool, count_up, &in->count);
        CHECK(weft_get(&a) == V(5));
        atomic_fetch_add(&in->accepted, 1);
        return r;
}

/* The task that waits for room parks: its own pool's only worker goes on. */
Test(pool_limit, block_parks_a_task_of_another_pool, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_BLOCK), *other = begin(1);
        struct inside in = {.pool = pool};
        struct plug plug;
        atomic_int others = 0;
        weft_task *t = NULL;

        plug_in(&plug, pool, 1);
        fill(pool, &in.count);
        WEFT_WITH (&a, V(5)) {
                cr_assert_eq(weft_spawn(other, &t, one_more, &in), 0);
        }
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_submit(other, count_up, &others), 0);
        cr_assert(reaches(&others, 10));
        cr_assert_eq(atomic_load(&in.accepted), 0);
        plug_out(&plug);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(other);
        finish(pool);
        cr_assert_eq(atomic_load(&in.count), BOUND + 1);
}

/* ---- WEFT_CALLER ----------------------------------------------------------------------------- */

struct in_caller {
        pthread_t caller;
        weft_task *outer; /* the task that submits, or NULL */
        atomic_int ran, dropped;
};

static int run_in_caller(void *args)
{
        struct in_caller *c = *(struct in_caller **)args;
        CHECK(pthread_equal(pthread_self(), c->caller));
        CHECK(weft_get(&a) == V(1));
        CHECK(weft_set(&a, V(2), NULL) == 0);
        CHECK(weft_task_current() != NULL);
        CHECK(weft_task_current() != c->outer);
        CHECK(weft_cancelled() == 0);
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        atomic_fetch_add(&c->ran, 1);
        return 42;
}

static void drop_in_caller(void *args)
{
        struct in_caller *c = *(struct in_caller **)args;
        CHECK(pthread_equal(pthread_self(), c->caller));
        CHECK(weft_get(&a) == V(2));
        atomic_fetch_add(&c->dropped, 1);
}

/* The pool is full: what is spawned has ended when spawn returns, and left nothing behind here. */
static int spawn_into_full_pool(void *arg)
{
        weft_pool *pool = arg;
        struct in_caller c = {.caller = pthread_self(), .outer = weft_task_current()};
        struct in_caller *args = &c;
        weft_task *t = NULL;
        weft_token token;
        int result = 0;

        CHECK(weft_set(&a, V(1), &token) == 0);
        CHECK(weft_spawn_closure(pool, &t, run_in_caller, &args, sizeof(args), drop_in_caller) ==
              0);
        CHECK(weft_task_result(t, &result) == 0);
        CHECK(result == 42);
        CHECK(atomic_load(&c.ran) == 1);
        CHECK(atomic_load(&c.dropped) == 1);
        CHECK(weft_get(&a) == V(1));
        CHECK(weft_task_current() == c.outer);
        CHECK(weft_cancelled() == 0);
        CHECK(weft_await(t, 0) == 42);
        CHECK(weft_reset(&a, &token) == 0);
        weft_task_unref(t);
        return 0;
}

Test(pool_limit, C2_caller_runs_the_task_in_a_frame_of_its_own, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_CALLER);
        atomic_int count = 0;
        struct plug plug;

        plug_in(&plug, pool, 1);
        fill(pool, &count);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(spawn_into_full_pool(pool), 0);
        cr_assert_eq(atomic_load(&count), 0);
        plug_out(&plug);
        finish(pool);
        cr_assert_eq(atomic_load(&count), BOUND);
}

static int fill_and_spawn(void *arg)
{
        atomic_int count = 0;
        for (int i = 0; i < BOUND; i++)
                CHECK(weft_submit(arg, nothing, NULL) == 0);
        CHECK(weft_submit(arg, count_up, &count) == 0);
        CHECK(atomic_load(&count) == 1);
        return spawn_into_full_pool(arg);
}

Test(pool_limit, C2_caller_may_be_a_task_of_the_pool, .timeout = 30)
{
        skip_unless_workers(1); /* as above */
        weft_pool *pool = bounded(WEFT_CALLER);
        weft_task *t;

        cr_assert_eq(weft_spawn(pool, &t, fill_and_spawn, pool), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(pool);
}

static int sleep_in_caller(void *arg)
{
        CHECK(weft_sleep_until(in_ms(5)) == 0);
        CHECK(weft_yield() == 0);
        CHECK(weft_await(arg, in_ms(5)) == -ETIMEDOUT);
        return 7;
}

static int spawn_a_sleeper(void *arg)
{
        weft_task **task = arg, *t; /* task[0] waits in the full pool */
        int result = 0;

        CHECK(weft_spawn((weft_pool *)task[1], &t, sleep_in_caller, task[0]) == 0);
        CHECK(weft_task_result(t, &result) == 0 && result == 7);
        weft_task_unref(t);
        return 0;
}

/* What runs in the caller may wait as any task: from outside, and from a task of another pool. */
Test(pool_limit, caller_may_run_a_task_that_waits, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_CALLER), *other = begin(1);
        atomic_int count = 0;
        struct plug plug;
        weft_task *queued, *t;

        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn(pool, &queued, nothing, NULL), 0);
        for (int i = 1; i < BOUND; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        weft_task *args[2] = {queued, (weft_task *)pool};
        cr_assert_eq(spawn_a_sleeper(args), 0);
        cr_assert_eq(weft_spawn(other, &t, spawn_a_sleeper, args), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        plug_out(&plug);
        cr_assert_eq(weft_await(queued, WEFT_FOREVER), 0);
        weft_task_unref(queued);
        finish(other);
        finish(pool);
}

struct in_group {
        weft_pool *pool;
        weft_group group;
        atomic_int ran, go;
        weft_task *outer;
};

static int run_for_group(void *arg)
{
        struct in_group *in = arg;
        CHECK(weft_group_wait(&in->group, WEFT_FOREVER) == -EDEADLK);
        CHECK(weft_cancelled() == 0);
        CHECK(weft_group_cancel(&in->group) == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_yield() == -ECANCELED);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        atomic_fetch_add(&in->ran, 1);
        return 0;
}

static int spawn_for_group(void *arg)
{
        struct in_group *in = arg;
        CHECK(weft_group_init(&in->group, in->pool) == 0);
        CHECK(weft_group_spawn(&in->group, run_for_group, in) == 0);
        CHECK(atomic_load(&in->ran) == 1);
        CHECK(weft_cancelled() == 0);
        CHECK(weft_group_wait(&in->group, WEFT_FOREVER) == -ECANCELED);
        weft_group_fini(&in->group);
        atomic_store(&in->ran, 0);
        return 0;
}

Test(pool_limit, caller_may_run_a_task_of_a_group, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_CALLER), *other = begin(1);
        struct in_group in = {.pool = pool};
        atomic_int count = 0;
        struct plug plug;
        weft_task *t;

        plug_in(&plug, pool, 1);
        fill(pool, &count);
        cr_assert_eq(spawn_for_group(&in), 0);
        cr_assert_eq(weft_spawn(other, &t, spawn_for_group, &in), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        plug_out(&plug);
        finish(other);
        finish(pool);
}

static int sleep_though_the_caller_is_cancelled(void *arg)
{
        struct in_group *in = arg;
        CHECK(weft_task_current() != in->outer);
        atomic_fetch_add(&in->ran, 1);
        while (!atomic_load(&in->go))
                CHECK(weft_sleep_until(in_ms(1)) == 0);
        CHECK(weft_sleep_until(in_ms(5)) == 0);
        CHECK(weft_cancelled() == 0);
        return 0;
}

static int caller_that_is_cancelled(void *arg)
{
        struct in_group *in = arg;
        in->outer = weft_task_current();
        CHECK(weft_yield() == 0);
        CHECK(weft_submit(in->pool, sleep_though_the_caller_is_cancelled, in) == 0);
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        return 0;
}

/* The one is cancelled, the other is not, whichever stack it runs on. */
Test(pool_limit, caller_that_is_cancelled_does_not_wake_the_task_it_runs, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_CALLER), *other = begin(1);
        struct in_group in = {.pool = pool};
        atomic_int count = 0;
        struct plug plug;
        weft_task *t;

        plug_in(&plug, pool, 1);
        fill(pool, &count);
        cr_assert_eq(weft_spawn(other, &t, caller_that_is_cancelled, &in), 0);
        cr_assert(reaches(&in.ran, 1));
        cr_assert_eq(weft_task_cancel(t), 0);
        atomic_store(&in.go, 1);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        plug_out(&plug);
        finish(other);
        finish(pool);
}

static int sleep_until_called_off(void *arg)
{
        struct in_group *in = arg;
        CHECK(weft_cancelled() == 0);
        atomic_fetch_add(&in->ran, 1);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        CHECK(weft_cancelled() == -ECANCELED);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        return 0;
}

static int run_sleeper_of_another_pool(void *arg)
{
        struct in_group *in = arg;
        return weft_submit(in->pool, sleep_until_called_off, in);
}

/* What a worker runs for another pool is called off with the worker's pool, and says so. */
Test(pool_limit, caller_whose_pool_is_cancelled_calls_off_the_task_it_runs, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_CALLER), *other = begin(1);
        struct in_group in = {.pool = pool};
        atomic_int count = 0;
        struct plug plug;

        plug_in(&plug, pool, 1);
        fill(pool, &count);
        cr_assert_eq(weft_submit(other, run_sleeper_of_another_pool, &in), 0);
        cr_assert(reaches(&in.ran, 1));
        cr_assert_eq(weft_pool_shutdown(other, WEFT_CANCEL, WEFT_FOREVER), 0);
        plug_out(&plug);
        finish(other);
        finish(pool);
}

static int block_on_full_pool(void *pool)
{
        return weft_submit(pool, nothing, NULL);
}

Test(pool_limit, block_ends_when_the_task_that_waits_for_room_is_cancelled, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_BLOCK), *other = begin(1);
        atomic_int count = 0;
        struct plug plug;
        weft_task *t;

        plug_in(&plug, pool, 1);
        fill(pool, &count);
        cr_assert_eq(weft_spawn(other, &t, block_on_full_pool, pool), 0);
        cr_assert_eq(weft_await(t, in_ms(20)), -ETIMEDOUT);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), -ECANCELED);
        weft_task_unref(t);
        plug_out(&plug);
        finish(other);
        finish(pool);
        cr_assert_eq(atomic_load(&count), BOUND);
}

Test(pool_limit, caller_counts_in_the_statistics, .timeout = 30)
{
        weft_pool *pool = bounded(WEFT_CALLER);
        atomic_int count = 0;
        struct plug plug;
        struct weft_pool_stats stats = {.size = sizeof(stats)};

        plug_in(&plug, pool, 1);
        for (int i = 0; i < BOUND + 6; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(atomic_load(&count), 6);
        plug_out(&plug);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(weft_pool_stats(pool, &stats), 0);
        cr_assert_eq(stats.submitted, plug.workers + BOUND + 6);
        cr_assert_eq(stats.run, plug.workers + BOUND + 6);
        finish(pool);
}
