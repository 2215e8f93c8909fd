/* SPDX-License-Identifier: MIT
 *
 * Tasks in whole pools, through the public calls: each is run once, or cancelled and not run; its
 * result, and all that it did, is seen by whoever waits for its end; nobody waits for ever.
 */
#include <stdatomic.h>

#include "pool_help.h"

#include "pool/futex.h"

static weft_pool *pool;
static weft_task *handle;
static int runs, dropped, data, called; /* plain */
static int got[2];

static int task(void *arg)
{
        runs++;
        data = 1;
        return (int)(intptr_t)arg;
}

static void drop(void *unused)
{
        (void)unused;
        dropped++;
}

/* ---- submit and await ---- */

MODEL(task_submit, .preemptions = 3, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(weft_submit(pool, task, NULL) == 0);
        weft_pool_destroy(pool);
        model_check(runs == 1);
}

MODEL(task_submit_to_two_workers, .preemptions = 1, .stale = 1)
{
        pool = pool_of(2, 0);
        model_check(weft_submit(pool, task, NULL) == 0);
        weft_pool_destroy(pool);
        model_check(runs == 1);
}

/* The first keeps its worker busy until somebody has run the second, which may lie in its tray. */
static atomic_uint second_ran;

static int keeps_busy(void *unused)
{
        (void)unused;
        while (!atomic_load_explicit(&second_ran, memory_order_relaxed))
                model_pause();
        return 0;
}

static int second(void *unused)
{
        (void)unused;
        atomic_store_explicit(&second_ran, 1, memory_order_relaxed);
        return 0;
}

MODEL(task_in_the_tray_of_one_that_is_busy, .preemptions = 1, .stale = 1)
{
        pool = pool_of(2, 0);
        model_check(weft_submit(pool, keeps_busy, NULL) == 0);
        model_check(weft_submit(pool, second, NULL) == 0);
        weft_pool_destroy(pool);
}

/* Both come from the injector at once to one that does not search, since it was busy until then,
 * while the other looks for work and goes back to sleep: that one must be told. */
static atomic_uint begun, may_end;

static int is_busy(void *unused)
{
        (void)unused;
        atomic_store_explicit(&begun, 1, memory_order_relaxed);
        while (!atomic_load_explicit(&may_end, memory_order_relaxed))
                model_pause();
        return 0;
}

MODEL(task_in_the_tray_of_one_that_was_busy, .preemptions = 1, .stale = NONE)
{
        pool = pool_of(2, 0);
        model_check(weft_submit(pool, is_busy, NULL) == 0);
        while (!atomic_load_explicit(&begun, memory_order_relaxed))
                model_pause();
        model_check(weft_submit(pool, keeps_busy, NULL) == 0);
        model_check(weft_submit(pool, second, NULL) == 0);
        atomic_store_explicit(&may_end, 1, memory_order_relaxed);
        weft_pool_destroy(pool);
}

MODEL(task_await, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, task, (void *)7) == 0);
        model_check(weft_await(handle, WEFT_FOREVER) == 7);
        model_check(data == 1);
        handle = weft_task_unref(handle);
        weft_pool_destroy(pool);
        model_check(runs == 1);
}

/* The waiter lies on the stack, which is used for something else as soon as the wait is over. */
__attribute__((noinline)) static void awaits_and_leaves(void)
{
        model_check(weft_await(handle, WEFT_FOREVER) == 7);
        weft_task_unref(handle);
}

MODEL(task_await_and_leave, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, task, (void *)7) == 0);
        awaits_and_leaves();
        other_use_of_the_stack();
        weft_pool_destroy(pool);
}

static void awaits(void *n)
{
        got[(intptr_t)n] = weft_await(handle, WEFT_FOREVER);
        model_check(data == 1);
        weft_task_unref(handle);
}

MODEL(task_two_await, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, task, (void *)7) == 0);
        weft_task_ref(handle);
        model_start("awaits", awaits, (void *)0);
        awaits((void *)1);
        model_join_all_but_workers();
        weft_pool_destroy(pool);
        model_check(got[0] == 7 && got[1] == 7);
}

/* Its end comes, or the deadline. */
MODEL(task_await_for_a_while, .stale = 1, .sees = 3)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, task, (void *)7) == 0);
        int r = weft_await(handle, weft_now() + 1000);
        model_check(r == 7 || r == -ETIMEDOUT);
        model_seen(r == 7);
        handle = weft_task_unref(handle);
        weft_pool_destroy(pool);
        model_check(runs == 1);
}

/* ---- a task awaits another ---- */

static int awaits_child(void *unused)
{
        weft_task *child;
        (void)unused;
        model_check(weft_spawn(NULL, &child, task, (void *)5) == 0);
        int r = weft_await(child, WEFT_FOREVER);
        model_check(data == 1);
        weft_task_unref(child);
        return r;
}

MODEL(task_awaits_a_task, .stale = 1)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, awaits_child, NULL) == 0);
        model_check(weft_await(handle, WEFT_FOREVER) == 5);
        handle = weft_task_unref(handle);
        weft_pool_destroy(pool);
}

MODEL(task_awaits_a_task_and_migrates, .preemptions = 1, .stale = 1)
{
        pool = pool_of(2, WEFT_MIGRATE);
        model_check(weft_spawn(pool, &handle, awaits_child, NULL) == 0);
        model_check(weft_await(handle, WEFT_FOREVER) == 5);
        handle = weft_task_unref(handle);
        weft_pool_destroy(pool);
}

/* ---- callbacks ---- */

static int callback(void *unused)
{
        (void)unused;
        model_check(data == 1);
        called++;
        return 0;
}

static int registers(void *unused)
{
        weft_task *child;
        (void)unused;
        model_check(weft_spawn(NULL, &child, task, NULL) == 0);
        model_check(weft_task_on_done(child, callback, NULL) == 0);
        weft_task_unref(child);
        return 0;
}

static void run_registers(unsigned workers)
{
        pool = pool_of(workers, 0);
        model_check(weft_spawn(pool, &handle, registers, NULL) == 0);
        model_check(weft_await(handle, WEFT_FOREVER) == 0);
        weft_task_unref(handle);
        weft_pool_destroy(pool);
        model_check(called == 1);
}

MODEL(task_on_done, .stale = 1)
{
        run_registers(1);
}

MODEL(task_on_done_elsewhere, .preemptions = 1, .stale = 1)
{
        run_registers(2);
}

/* Registered when the task has ended: what it did comes before its callback, which is run
 * elsewhere, by the default pool, whose worker is awake. */
static weft_event about_to_end;
static int done_by_then; /* plain */
static atomic_uint goes_on;

static int tells_and_ends(void *unused)
{
        (void)unused;
        weft_event_set(&about_to_end);
        done_by_then = 1;
        return 0;
}

static int holds_its_worker(void *unused)
{
        (void)unused;
        while (!atomic_load_explicit(&goes_on, memory_order_relaxed))
                weft__futex_wait(&goes_on, 0, WEFT_FOREVER);
        return 0;
}

static int looks_back(void *unused)
{
        (void)unused;
        called++;
        model_check(done_by_then == 1);
        return 0;
}

MODEL(task_on_done_when_it_has_ended, .preemptions = 1, .stale = 1)
{
        weft_event_init(&about_to_end);
        model_check(weft_submit(NULL, holds_its_worker, NULL) == 0);
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, tells_and_ends, NULL) == 0);
        model_check(weft_event_wait(&about_to_end, WEFT_FOREVER) == 0);
        atomic_store_explicit(&goes_on, 1, memory_order_relaxed);
        weft__futex_wake(&goes_on, 1);
        model_check(weft_task_on_done(handle, looks_back, NULL) == 0);
        weft_task_unref(handle);
        weft_pool_destroy(weft_pool_default());
        weft_pool_destroy(pool);
        model_check(called == 1);
}

/* ---- cancelling ---- */

MODEL(task_cancel, .stale = 1, .sees = 3)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn_closure(pool, &handle, task, "x", 1, drop) == 0);
        weft_task_cancel(handle);
        int r = weft_await(handle, WEFT_FOREVER);
        model_check(runs == (r != -ECANCELED));
        model_check(dropped == 1);
        model_seen((unsigned)runs);
        handle = weft_task_unref(handle);
        weft_pool_destroy(pool);
}

static void cancels(void *unused)
{
        (void)unused;
        weft_task_cancel(handle);
        weft_task_unref(handle);
}

MODEL(task_two_cancel, .stale = 1, .sees = 3)
{
        pool = pool_of(1, 0);
        model_check(weft_spawn_closure(pool, &handle, task, "x", 1, drop) == 0);
        weft_task_ref(handle);
        model_start("cancels", cancels, NULL);
        cancels(NULL);
        model_join_all_but_workers();
        weft_pool_destroy(pool);
        model_check(dropped == 1);
        model_seen((unsigned)runs);
}

static weft_event event;

/* It waits for what never comes: only being cancelled ends it. */
static int waits_for_ever(void *unused)
{
        (void)unused;
        runs++;
        return weft_event_wait(&event, WEFT_FOREVER);
}

MODEL(task_cancel_one_that_waits, .stale = 1, .sees = 3)
{
        weft_event_init(&event);
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, waits_for_ever, NULL) == 0);
        weft_task_cancel(handle);
        model_check(weft_await(handle, WEFT_FOREVER) == -ECANCELED);
        model_seen((unsigned)runs);
        handle = weft_task_unref(handle);
        weft_pool_destroy(pool);
}

/* ---- a task that awaits the one it has spawned last ---- */

static weft_task *child_handle;

static int sets_data(void *arg)
{
        data = 1;
        return (int)(intptr_t)arg;
}

static int awaits_one_that_waits(void *unused)
{
        (void)unused;
        model_check(weft_spawn(NULL, &child_handle, waits_for_ever, NULL) == 0);
        return weft_await(child_handle, WEFT_FOREVER);
}

/* It becomes a waiter only when its child waits: a canceller sees it wait, or it sees the mark. */
MODEL(task_cancel_one_that_awaits_its_child, .stale = 1, .sees = 1)
{
        weft_event_init(&event);
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, awaits_one_that_waits, NULL) == 0);
        weft_task_cancel(handle);
        int r = weft_await(handle, WEFT_FOREVER);
        model_check(r == -ECANCELED);
        model_seen(0);
        handle = weft_task_unref(handle);
        weft_event_set(&event);
        weft_pool_destroy(pool);
        model_check(runs <= 1);
        weft_task_unref(child_handle);
}

static void sets_event(void *unused)
{
        (void)unused;
        weft_event_set(&event);
}

/* The child is woken from outside, and its end wakes the parent. */
MODEL(task_awaits_its_child_that_waits, .stale = 1)
{
        weft_event_init(&event);
        pool = pool_of(1, 0);
        model_check(weft_spawn(pool, &handle, awaits_one_that_waits, NULL) == 0);
        model_start("sets", sets_event, NULL);
        model_check(weft_await(handle, WEFT_FOREVER) == 0);
        handle = weft_task_unref(handle);
        model_join_all_but_workers();
        weft_pool_destroy(pool);
        weft_task_unref(child_handle);
        model_check(runs == 1);
}

static int awaits_child_that_is_cancelled(void *unused)
{
        (void)unused;
        weft_task *child;
        model_check(weft_spawn(NULL, &child, sets_data, (void *)5) == 0);
        child_handle = weft_task_ref(child);
        weft_event_set(&event);
        int r = weft_await(child, WEFT_FOREVER);
        model_check(r == -ECANCELED || (r == 5 && data == 1));
        weft_task_unref(child);
        return r == 5;
}

static void cancels_child(void *unused)
{
        (void)unused;
        weft_event_wait(&event, WEFT_FOREVER);
        weft_task_cancel(child_handle);
        weft_task_unref(child_handle);
}

/* A canceller and its parent are after the same child. */
MODEL(task_child_is_cancelled_while_its_parent_begins_it, .stale = 1, .sees = 3)
{
        weft_event_init(&event);
        pool = pool_of(1, 0);
        model_start("cancels", cancels_child, NULL);
        model_check(weft_spawn(pool, &handle, awaits_child_that_is_cancelled, NULL) == 0);
        int ran = weft_await(handle, WEFT_FOREVER);
        model_check(ran == data);
        model_seen((unsigned)ran);
        handle = weft_task_unref(handle);
        model_join_all_but_workers();
        weft_pool_destroy(pool);
}

/* A thief and its parent are after the same child. */
MODEL(task_child_is_stolen_while_its_parent_begins_it, .preemptions = 1, .stale = 1)
{
        pool = pool_of(2, 0);
        model_check(weft_spawn(pool, &handle, awaits_child, NULL) == 0);
        model_check(weft_await(handle, WEFT_FOREVER) == 5);
        model_check(runs == 1);
        handle = weft_task_unref(handle);
        weft_pool_destroy(pool);
}
