/* SPDX-License-Identifier: MIT
 *
 * Faults that a reading of the pool's first version found, each with the smallest program that
 * showed it.
 */
#include "pool_help.h"

#include <poll.h>

static weft_pool *pool_of(unsigned workers, size_t max_queued, weft_when_full when_full)
{
        const weft_pool_options options = {.size = sizeof(options),
                                           .workers = workers,
                                           .max_queued = max_queued,
                                           .when_full = when_full};
        weft_pool *pool = NULL;
        cr_assert_eq(weft_pool_create(&pool, &options), 0);
        return pool;
}

static int wait_for(void *flag)
{
        while (!atomic_load((atomic_int *)flag))
                usleep(100);
        return 0;
}

/* ---- the bound on queued tasks ---- */

Test(regress_pool, a_callback_takes_and_gives_back_room_as_any_task, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 2, WEFT_REFUSE);
        atomic_int go = 0, called = 0;
        weft_task *task;
        cr_assert_eq(weft_spawn(pool, &task, wait_for, &go), 0);
        cr_assert_eq(weft_task_on_done(task, count_up, &called), 0);
        atomic_store(&go, 1);
        wait_for(&called);
        weft_task_unref(task);
        /* It was given back without having been taken: the pool took itself for full for ever. */
        for (int i = 0; i < 100; i++) {
                cr_assert_eq(weft_spawn(pool, &task, nothing, NULL), 0);
                cr_assert_eq(weft_await(task, WEFT_FOREVER), 0);
                weft_task_unref(task);
        }
        weft_pool_destroy(pool);
}

/* ---- callbacks ---- */

static atomic_int next_place;

static int take_place(void *place)
{
        *(int *)place = atomic_fetch_add(&next_place, 1);
        return 0;
}

Test(regress_pool, callbacks_start_in_the_order_of_their_registration, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 0, WEFT_REFUSE);
        atomic_int go = 0;
        int place[5];
        weft_task *task;
        cr_assert_eq(weft_spawn(pool, &task, wait_for, &go), 0);
        for (int i = 0; i < 5; i++)
                cr_assert_eq(weft_task_on_done(task, take_place, &place[i]), 0);
        atomic_store(&go, 1);
        weft_task_unref(task);
        weft_pool_destroy(pool);
        for (int i = 0; i < 5; i++)
                cr_assert_eq(place[i], i);
}

/* ---- the worker's frame between tasks ---- */

static weft_var left = WEFT_VAR_INIT("left");
static atomic_int releases, seen_left;

static void leave_a_binding(void *value)
{
        (void)value;
        if (weft_get(&left))
                atomic_fetch_add(&seen_left, 1);
        weft_set(&left, &seen_left, NULL);
}

static weft_var leaves = WEFT_VAR_INIT("leaves", .release = leave_a_binding);

static int bind_it(void *arg)
{
        (void)arg;
        return weft_set(&leaves, &seen_left, NULL);
}

Test(regress_pool, C6_what_a_release_function_binds_is_not_seen_after_the_next_task, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 0, WEFT_REFUSE);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_submit(pool, bind_it, NULL), 0);
        weft_pool_destroy(pool);
        cr_assert_eq(atomic_load(&seen_left), 0);
}

static void count_release(void *value)
{
        (void)value;
        atomic_fetch_add(&releases, 1);
}

static weft_var kept = WEFT_VAR_INIT("kept", .release = count_release);
static _Atomic(void *) at_stop = &releases;

static void bind_at_start(unsigned worker, void *arg)
{
        (void)worker;
        (void)arg;
        weft_set(&kept, &releases, NULL);
}

static void look_at_stop(unsigned worker, void *arg)
{
        (void)worker;
        (void)arg;
        atomic_store(&at_stop, weft_get(&kept));
}

static int doze(void *arg)
{
        (void)arg;
        return weft_sleep_until(weft_now() + MS);
}

Test(regress_pool, C6_what_a_hook_binds_goes_with_the_hook, .timeout = 30)
{
        const weft_pool_options options = {.size = sizeof(options),
                                           .workers = 1,
                                           .on_start = bind_at_start,
                                           .on_stop = look_at_stop};
        weft_pool *pool = NULL;
        cr_assert_eq(weft_pool_create(&pool, &options), 0);
        cr_assert_eq(atomic_load(&releases), (int)workers_of(1));
        for (int i = 0; i < 3; i++) /* parking is where it was lost for good */
                cr_assert_eq(weft_submit(pool, doze, NULL), 0);
        weft_pool_destroy(pool);
        cr_assert_null(atomic_load(&at_stop));
        cr_assert_eq(atomic_load(&releases), (int)workers_of(1));
}

/* ---- what lies on the stack of the one who waits ---- */

static int set_event(void *event)
{
        return weft_event_set(event);
}

static int post(void *semaphore)
{
        return weft_semaphore_post(semaphore);
}

static __attribute__((noinline)) void wait_once(weft_pool *pool)
{
        weft_event event;
        weft_semaphore semaphore;
        weft_event_init(&event);
        weft_semaphore_init(&semaphore, 0);
        cr_assert_eq(weft_submit(pool, set_event, &event), 0);
        cr_assert_eq(weft_event_wait(&event, WEFT_FOREVER), 0);
        cr_assert_eq(weft_submit(pool, post, &semaphore), 0);
        cr_assert_eq(weft_semaphore_wait(&semaphore, WEFT_FOREVER), 0);
}

static __attribute__((noinline)) int bytes_changed(void)
{
        volatile unsigned char bytes[512];
        int changed = 0;
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = 0x55;
        usleep(10);
        for (size_t i = 0; i < sizeof(bytes); i++)
                changed += bytes[i] != 0x55;
        return changed;
}

Test(regress_pool, what_was_waited_for_may_go_when_the_wait_returns, .timeout = 120)
{
        weft_pool *pool = pool_of(1, 0, WEFT_REFUSE);
        for (int i = 0; i < 5000; i++) {
                wait_once(pool);
                cr_assert_eq(bytes_changed(), 0);
        }
        weft_pool_destroy(pool);
}

/* ---- groups and pools that end, and fork() ---- */

Test(regress_pool, a_group_may_end_after_its_pool, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 0, WEFT_REFUSE);
        weft_group group;
        cr_assert_eq(weft_group_init(&group, pool), 0);
        cr_assert_eq(weft_group_spawn(&group, nothing, NULL), 0);
        weft_pool_destroy(pool);
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
        weft_group_fini(&group);
}

/* What the child of a fork exits with. */
static int exit_of(pid_t child)
{
        int status = 0;
        cr_assert_eq(waitpid(child, &status, 0), child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Test(regress_pool, fork_the_childs_waits_for_groups_and_callbacks_are_refused, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 0, WEFT_REFUSE);
        atomic_int go = 0, called = 0;
        weft_group group;
        weft_task *task;
        cr_assert_eq(weft_group_init(&group, pool), 0);
        cr_assert_eq(weft_group_spawn(&group, wait_for, &go), 0);
        cr_assert_eq(weft_spawn(pool, &task, nothing, NULL), 0);

        pid_t child = fork();
        if (child == 0) {
                alarm(10);
                if (weft_group_wait(&group, WEFT_FOREVER) != -EOWNERDEAD)
                        _exit(1);
                if (weft_group_cancel(&group) != -EOWNERDEAD)
                        _exit(2);
                if (weft_task_on_done(task, count_up, &called) != -EOWNERDEAD)
                        _exit(3);
                weft_group_fini(&group);
                _exit(0);
        }
        cr_assert_eq(exit_of(child), 0);
        atomic_store(&go, 1);
        cr_assert_eq(weft_await(task, WEFT_FOREVER), 0);
        weft_task_unref(task);
        weft_group_fini(&group);
        weft_pool_destroy(pool);
}

static atomic_int runs;
static weft_pool *forked;

static int child_of_task(void *how)
{
        pid_t child = fork();
        if (child > 0)
                return exit_of(child);
        alarm(10);
        weft_yield();
        if (weft_sleep_until(weft_now() + 20 * MS) < 0 || weft_task_current() ||
            atomic_load(&runs) || weft_pool_current())
                _exit(2);
        if (*(int *)how == 1)
                _exit(weft_pool_destroy(forked) ? 3 : 0);
        return -EIO; /* and the child ends */
}

Test(regress_pool, fork_in_a_task_leaves_a_child_that_runs_no_tasks, .timeout = 60)
{
        skip_unless_workers(1);
        for (int how = 0; how < 2; how++) {
                atomic_int go = 0;
                weft_task *task;
                forked = pool_of(1, 0, WEFT_REFUSE);
                cr_assert_eq(weft_submit(forked, wait_for, &go), 0);
                cr_assert_eq(weft_spawn(forked, &task, child_of_task, &how), 0);
                for (int i = 0; i < 5; i++)
                        cr_assert_eq(weft_submit(forked, count_up, &runs), 0);
                atomic_store(&go, 1);
                cr_assert_eq(weft_await(task, WEFT_FOREVER), how == 0 ? 1 : 0, "how %d", how);
                weft_task_unref(task);
                weft_pool_destroy(forked);
                cr_assert_eq(atomic_exchange(&runs, 0), 5);
        }
}

/* ---- destructors that wait ---- */

static atomic_int waits_of_drop;

static void wait_in_drop(void *args)
{
        weft_group inner;
        (void)args;
        if (weft_group_init(&inner, NULL) < 0)
                return;
        if (weft_group_spawn(&inner, count_up, &waits_of_drop) == 0)
                atomic_fetch_add(&waits_of_drop, 1);
        weft_group_fini(&inner); /* on the only worker, which must not block for it */
        atomic_fetch_add(&waits_of_drop, 1);
}

static int spawn_and_fail(void *group)
{
        int nobody = 0;
        int r = weft_group_spawn_closure(group, nothing, &nobody, sizeof(nobody), wait_in_drop);
        return r < 0 ? r : -EIO;
}

Test(regress_pool, C10_a_destructor_that_an_error_of_the_group_runs_may_wait, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 0, WEFT_REFUSE);
        weft_group group;
        cr_assert_eq(weft_group_init(&group, pool), 0);
        cr_assert_eq(weft_group_spawn(&group, spawn_and_fail, &group), 0);
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), -EIO);
        weft_group_fini(&group);
        weft_pool_destroy(pool);
        cr_assert_eq(atomic_load(&waits_of_drop), 3);
}

/* ---- release functions that wait ---- */

static weft_event may_go_on;
static atomic_int in_release;

static void wait_in_release(void *value)
{
        (void)value;
        atomic_store(&in_release, 1);
        weft_event_wait(&may_go_on, WEFT_FOREVER);
        atomic_store(&in_release, 2);
}

static weft_var waits = WEFT_VAR_INIT("waits", .release = wait_in_release);

static int bind_waits(void *arg)
{
        (void)arg;
        return weft_set(&waits, &releases, NULL);
}

static int bind_kept(void *arg)
{
        (void)arg;
        return weft_set(&kept, &releases, NULL);
}

Test(regress_pool, C7_a_release_function_that_waits_does_not_keep_others_waiting, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 0, WEFT_REFUSE);
        weft_task *task;
        weft_event_init(&may_go_on);
        cr_assert_eq(weft_submit(pool, bind_waits, NULL), 0);
        wait_for(&in_release);
        cr_assert_eq(weft_spawn(pool, &task, bind_kept, NULL), 0);
        cr_assert_eq(weft_await(task, WEFT_FOREVER), 0);
        weft_task_unref(task);
        cr_assert_eq(atomic_load(&releases), 1);
        cr_assert_eq(atomic_load(&in_release), 1);
        weft_event_set(&may_go_on);
        weft_pool_destroy(pool);
        cr_assert_eq(atomic_load(&in_release), 2);
}

/* ---- a task that its submitter runs, on a thread outside pools ---- */

static int five(void *arg)
{
        (void)arg;
        return 5;
}

static int block_and_wait(void *ret)
{
        int end[2];
        int r = pipe(end);
        if (r == 0 && write(end[1], "", 1) == 1)
                r = weft_blocking(five, NULL) == 5 && weft_wait_fd(end[0], POLLIN, 0) == POLLIN &&
                    weft_task_current();
        close(end[0]);
        close(end[1]);
        *(int *)ret = r;
        return 0;
}

Test(regress_pool, what_blocks_may_be_called_in_a_task_that_its_submitter_runs, .timeout = 30)
{
        weft_pool *pool = pool_of(1, 1, WEFT_CALLER);
        atomic_int go = 0;
        int good = 0;
        cr_assert_eq(weft_submit(pool, wait_for, &go), 0);
        struct weft_pool_stats stats = {.size = sizeof(stats), .queued = 1};
        while (stats.queued)
                weft_pool_stats(pool, &stats);
        cr_assert_eq(weft_submit(pool, nothing, NULL), 0); /* the one that there is room for */
        cr_assert_eq(weft_submit(pool, block_and_wait, &good), 0);
        cr_assert_eq(good, 1);
        atomic_store(&go, 1);
        weft_pool_destroy(pool);
}

/* ---- jobs of a pool that is cancelled ---- */

static atomic_int jobs_run, job_waits, job_may_end, worker_may_end, worker_waits;

static int run_job(void *wait)
{
        atomic_fetch_add(&jobs_run, 1);
        if (wait) {
                atomic_store(&job_waits, 1);
                wait_for(&job_may_end);
        }
        return 7;
}

static int keep_worker(void *arg)
{
        (void)arg;
        atomic_store(&worker_waits, 1);
        return wait_for(&worker_may_end);
}

/* The jobs become tasks when this parks; the newest is begun by this worker, the others are for the
 * other one. */
static int fork_and_park(void *ret_good)
{
        weft_job job[3];
        weft_event never;
        weft_event_init(&never);
        for (int i = 0; i < 3; i++)
                weft_fork(&job[i], run_job, i == 2 ? &jobs_run : NULL);
        weft_event_wait(&never, WEFT_FOREVER);
        for (int i = 2; i >= 0; i--)
                atomic_fetch_add((atomic_int *)ret_good, weft_join(&job[i]) == 7);
        return 0;
}

static void *cancel_pool(void *pool)
{
        weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER);
        return NULL;
}

Test(regress_pool, a_job_runs_though_the_pool_was_cancelled_before_its_join, .timeout = 30)
{
        skip_with_fewer_workers(2);
        weft_pool *pool = pool_of(2, 0, WEFT_REFUSE);
        atomic_int good = 0;
        pthread_t thread;
        cr_assert_eq(weft_submit(pool, keep_worker, NULL), 0);
        wait_for(&worker_waits);
        cr_assert_eq(weft_submit(pool, fork_and_park, &good), 0);
        wait_for(&job_waits);
        cr_assert_eq(pthread_create(&thread, NULL, cancel_pool, pool), 0);
        while (weft_submit(pool, nothing, NULL) != -ESHUTDOWN)
                usleep(1000);
        usleep(1000);
        atomic_store(&worker_may_end, 1);
        usleep(20000);
        atomic_store(&job_may_end, 1);
        pthread_join(thread, NULL);
        weft_pool_destroy(pool);
        cr_assert_eq(atomic_load(&jobs_run), 3);
        cr_assert_eq(atomic_load(&good), 3);
}

/* ---- deadlines ---- */

Test(regress_pool, a_deadline_may_lie_as_far_back_as_there_is, .timeout = 30)
{
        int end[2];
        weft_event event;
        weft_event_init(&event);
        cr_assert_eq(pipe(end), 0);
        cr_assert_eq(weft_wait_fd(end[0], POLLIN, INT64_MIN), -ETIMEDOUT);
        cr_assert_eq(weft_event_wait(&event, INT64_MIN), -ETIMEDOUT);
        cr_assert_eq(weft_sleep_until(INT64_MIN), 0);
        close(end[0]);
        close(end[1]);
}
