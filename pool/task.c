/* SPDX-License-Identifier: MIT
 *
 * Tasks: making them, running them, their end, awaiting them (see task.h; cancelling: cancel.c).
 *
 * Pairings
 *  T1  end: state (release) -> whoever sees ENDED (acquire): the result, and all that the task did
 *  T2  unref: refs (release) -> the last one (acquire): all use before the free
 *  T3  cancel: mark (seq_cst) -> a claim that comes too late (acquire): the reference that the
 *      canceller has taken, so that the last one but for it is not taken for the last
 *  X1  cancel: mark (seq_cst), then look at the waiter <-> begin to wait: waiter (seq_cst), then
 *      look at the mark (seq_cst): a task that is about to wait sees the mark, or is seen to wait
 */
#include "task.h"

#include <sched.h>
#include <string.h>

#include <weft/suspend.h>

#include "deadline.h"
#include "group.h"
#include "probe.h"
#include "record.h"
#include "submit.h"
#include "worker.h"

/* ---- making and freeing ---- */

void weft__task_free(weft_task *task)
{
        if (weft__task_is(task, WEFT__HEAP_ARGS))
                weft__free(task->arg, task->args_size);
        weft__task_memory_give(task, weft__task_is(task, WEFT__SMALL));
}

/* Make the second line of a task valid, which a fire-and-forget task does without. */
static void init_handle(weft_task *task, struct weft__fiber *fiber)
{
        weft__lock_init(&task->lock, WEFT__RANK_TASK);
        task->waiters = (weft__waitlist){NULL, NULL};
        task->first_callback = task->last_callback = NULL;
        task->group = NULL;
        task->opened = NULL;
        atomic_init(&task->fiber, fiber);
        task->born = weft__fork_generation();
}

weft_task *weft__task_new(const struct weft__closure *c, unsigned refs, bool handle)
{
        bool small = !handle && !c->copies && !c->flags;
        weft_task *task = weft__task_memory_take(small);
        if (!task)
                return NULL;
        unsigned state = WEFT__QUEUED | c->flags | (small ? WEFT__SMALL : 0);
        task->fn = c->fn;
        task->arg = c->arg;
        task->drop = c->drop;
        if (c->copies) {
                task->arg = task->args;
                if (c->size > WEFT__INLINE_ARGS) {
                        task->arg = weft__alloc(c->size);
                        task->args_size = c->size;
                        state |= WEFT__HEAP_ARGS;
                }
                if (!task->arg) {
                        atomic_init(&task->state, WEFT__QUEUED);
                        weft__task_free(task);
                        return NULL;
                }
                if (c->size)
                        memcpy(task->arg, c->args, c->size);
        }
        if (handle) {
                state |= WEFT__HANDLE;
                init_handle(task, NULL);
        }
        if (state & WEFT__CALLBACK)
                task->group_next = NULL;
        atomic_init(&task->state, state);
        atomic_init(&task->refs, refs);
        return task;
}

weft_task *weft_task_ref(weft_task *task)
{
        if (task)
                /* relaxed: the caller has one already */
                atomic_fetch_add_explicit(&task->refs, 1, memory_order_relaxed);
        return task;
}

weft_task *weft_task_unref(weft_task *task)
{
        if (!task)
                return NULL;
        /* -> T2: the only one left may be seen without a read-modify-write */
        if (atomic_load_explicit(&task->refs, memory_order_acquire) == 1 ||
            atomic_fetch_sub_explicit(&task->refs, 1, memory_order_acq_rel) ==
                1) /* T2, both sides */
                weft__task_free(task);
        return NULL;
}

/* ---- running ---- */

bool weft__task_claim(weft_task *task)
{
        /* relaxed: HANDLE is there from the beginning, or not; the rest is decided by the exchange
         * */
        unsigned state = atomic_load_explicit(&task->state, memory_order_relaxed);
        if (!(state & WEFT__HANDLE)) {
                /* relaxed: nobody else has the task */
                atomic_store_explicit(&task->state, state + WEFT__RUNNING, memory_order_relaxed);
                return true;
        }
        while ((state & WEFT__PHASE) == WEFT__QUEUED)
                /* relaxed: what the task is made of came with the queue, or with the handle */
                if (atomic_compare_exchange_weak_explicit(
                        &task->state, &state, state + WEFT__RUNNING, memory_order_relaxed,
                        memory_order_relaxed)) /* relaxed: looked at again */
                        return true;
        (void)atomic_load_explicit(&task->state, memory_order_acquire); /* -> T3 */
        return false;
}

weft_task *weft__task_unload(weft_task *task, weft_task *copy)
{
        if (!weft__task_is(task, WEFT__SMALL))
                return task;
        weft__task_copy_line(copy, task);
        weft__task_memory_give(task, true);
        return copy;
}

void weft__not_returned(void)
{
        WEFT__DIE(
            "weft: a task, or another function that weft calls, was left by pthread_exit(), by "
            "the cancellation of its thread or by an exception (see weft/pool.h)\n");
}

/* Run fn, or not, in another way than usual. */
static __attribute__((noinline)) int call_otherwise(const weft_task *task, int how)
{
        if (how < 0)
                return how;
        weft__record_begins(false);
        int r = task->fn(task->arg);
        weft__record_ends(true);
        return r;
}

int weft__task_run(weft_task *task, int how)
{
        WEFT__TASK_FRAME(task->context);
        WEFT__MUST_RETURN(returned);
        uintptr_t forked =
            weft__calls_newest(); /* by a task on top of which it runs: WEFT_CALLER */
        int r = how ? call_otherwise(task, how) : task->fn(task->arg);
        if (__builtin_expect(weft__calls_newest() != forked, 0))
                weft__calls_left();
        if (task->drop)
                task->drop(task->arg);
        returned = true;
        return r;
}

/* The callbacks of a task that has ended are tasks of the same pool. No queue keeps their order, so
 * each has the next one queued when it is started. */
static void run_callbacks(weft_pool *pool, weft_task *first)
{
        bool shared;
        struct weft__counts *counts = weft__counts_self(pool, &shared);
        for (weft_task *callback = first; callback; callback = callback->group_next) {
                WEFT__PROBE_SUBMIT(pool, callback->fn, callback->arg);
                weft__count(&counts->submitted, shared);
                weft__room_exceed(pool);
        }
        if (first)
                weft__enqueue(pool, first);
}

static __attribute__((noinline)) void announce_to_all(weft_task *task)
{
        weft__lock_take(&task->lock);
        atomic_fetch_add_explicit(&task->state, 1, memory_order_release); /* T1 ->: ENDED */
        weft_task *callbacks = task->first_callback;
        task->first_callback = task->last_callback = NULL;
        weft__waitlist_wake_all(&task->waiters);
        if (task->opened)
                weft__task_disowns(task);
        weft__lock_give(&task->lock);
        run_callbacks(task->pool, callbacks);
}

/* What a task that others know of leaves: its result, its waiters, its callbacks. */
static inline void announce(weft_task *task)
{
        /* relaxed: the exchange looks again */
        unsigned state = atomic_load_explicit(&task->state, memory_order_relaxed);
        while (!(state & WEFT__ATTENDED))
                if (atomic_compare_exchange_weak_explicit(
                        &task->state, &state, state + 1, memory_order_release, /* T1 -> */
                        memory_order_relaxed)) /* relaxed: looked at again */
                        return;
        announce_to_all(task);
}

static bool has_handle(const weft_task *task)
{
        return weft__task_is(task, WEFT__HANDLE);
}

struct weft__group *weft__task_group(const weft_task *task)
{
        return has_handle(task) ? task->group : NULL;
}

static __attribute__((noinline)) void tell_group_too(weft_task *task, struct weft__group *group)
{
        if (weft__task_is(task, WEFT__RESULT))
                *task->ret_result = task->result;
        weft__group_ended(group, task->result);
        announce(task);
        weft__group_left(group, task);
}

void weft__task_tell(weft_task *task, int result)
{
        task->result = result;
        if (task->group)
                tell_group_too(task, task->group);
        else
                announce(task);
}

void weft__task_end(weft_task *task, int result)
{
        if (has_handle(task))
                weft__task_tell(task, result);
        if (!weft__task_is(task, WEFT__SMALL)) /* else its memory has been given back already */
                weft_task_unref(task);
}

/* ---- cancelling ---- */

bool weft__task_cancelled(const weft_task *task)
{
        return weft__task_cancelled_on(NULL, task);
}

bool weft__task_cancelled_here(const weft_task *task)
{
        return weft__task_cancelled_on(weft__worker_self(), task);
}

void weft__task_waits_on(weft_task *task, struct weft__fiber *fiber)
{
        /* relaxed: only this thread writes it */
        if (!has_handle(task) || atomic_load_explicit(&task->fiber, memory_order_relaxed) == fiber)
                return;
        atomic_store_explicit(&task->fiber, fiber, memory_order_seq_cst); /* X1 <-> cancel */
}

void weft__task_lent(weft_task *task)
{
        if (!task || !has_handle(task))
                return;
        weft__lock_take(&task->lock);
        /* relaxed: cancellers look under the lock */
        atomic_store_explicit(&task->fiber, NULL, memory_order_relaxed);
        weft__lock_give(&task->lock);
}

int weft_cancelled(void)
{
        return weft__called_off(weft__worker_self(), weft__task_self(), weft__shielded());
}

/* ---- awaiting ---- */

int weft_task_result(const weft_task *task, int *ret_result)
{
        if (!task || !ret_result)
                return -EINVAL;
        if ((weft__task_state(task) & WEFT__PHASE) != WEFT__ENDED) /* -> T1 */
                return -EINPROGRESS;
        *ret_result = task->result;
        return 0;
}

/* Take the lock of a task which has not ended, and whose end must take it from now on; false, and
 * not taken, if it has. */
static bool lock_unended(weft_task *task) WEFT__TRIES(task->lock) WEFT__UNSEEN;

static bool lock_unended(weft_task *task)
{
        weft__lock_take(&task->lock);
        /* -> T1, for a callback. Nothing is released: who sees ATTENDED takes the lock */
        unsigned state =
            atomic_fetch_or_explicit(&task->state, WEFT__ATTENDED, memory_order_acquire);
        if ((state & WEFT__PHASE) != WEFT__ENDED)
                return true;
        weft__lock_give(&task->lock);
        return false;
}

bool weft__task_attend(weft_task *task, weft__waiter *w)
{
        if (!lock_unended(task))
                return false;
        weft__waitlist_add(&task->waiters, w);
        weft__lock_give(&task->lock);
        return true;
}

void weft__task_unattend(weft_task *task, weft__waiter *w)
{
        weft__lock_take(&task->lock);
        weft__waitlist_remove(&task->waiters, w);
        weft__lock_give(&task->lock);
}

/* Wait for its end; why the wait has ended. */
static enum weft__wake wait_for(weft_task *task, int64_t deadline, bool shielded)
{
        enum weft__wake reason = weft__park_hand_over(task, deadline, shielded);
        if (reason != WEFT__IDLE)
                return reason;
        weft__waiter own, *w = weft__wait_begin(&own, shielded);
        if (!weft__task_attend(task, w))
                return WEFT__DONE;
        reason = weft__wait(weft__wait_is_on(w, WEFT__ON_TASK, task), deadline);
        if (reason != WEFT__DONE)
                weft__task_unattend(task, w);
        return reason;
}

static int await(weft_task *task, int64_t deadline, bool shielded)
{
        int result;
        if (weft_task_result(task, &result) == 0)
                return result;
        if (task == weft__task_self())
                return -EDEADLK;
        if (task->born != weft__fork_generation())
                return -EOWNERDEAD;
        int r = weft__wait_error(wait_for(task, deadline, shielded));
        return weft_task_result(task, &result) == 0 ? result : r;
}

int weft_await(weft_task *task, int64_t deadline)
{
        return task ? await(task, deadline, false) : -EINVAL;
}

int weft__task_await_shielded(weft_task *task)
{
        int result;
        await(task, WEFT_FOREVER, true);
        /* Without memory for a stack the task cannot park; others go on with theirs meanwhile. */
        while (weft_task_result(task, &result) < 0) {
                sched_yield();
                await(task, WEFT_FOREVER, true);
        }
        return result;
}

WEFT__TELLS_PLACE int weft_task_on_done(weft_task *task, weft_fn *fn, void *arg)
{
        if (!task || !fn)
                return -EINVAL;
        const struct weft__closure closure = {
            .fn = fn, .arg = arg, .flags = WEFT__CALLBACK, .site = WEFT__CALLED_FROM};
        if ((weft__task_state(task) & WEFT__PHASE) == WEFT__ENDED) /* -> T1 */
                return weft__submit(NULL, &closure, NULL, NULL);
        if (task->born != weft__fork_generation())
                return -EOWNERDEAD;
        weft_task *callback = weft__task_new(&closure, 1, false);
        if (!callback)
                return -ENOMEM;
        int r = weft__cross(WEFT_BORDER_TASK, closure.site, &callback->context);
        if (r < 0) {
                weft__task_free(callback);
                return r;
        }
        if (!lock_unended(task)) {
                weft_context_unref(callback->context);
                weft__task_free(callback);
                return weft__submit(NULL, &closure, NULL, NULL);
        }
        callback->pool = task->pool;
        callback->submitter = weft__task_submitter(task->pool);
        if (task->last_callback)
                task->last_callback->group_next = callback;
        else
                task->first_callback = callback;
        task->last_callback = callback;
        weft__lock_give(&task->lock);
        return 0;
}

weft_task *weft__task_expose(void)
{
        weft_task *task = weft__task_self();
        if (!task || has_handle(task))
                return task;
        if (weft__task_is(task, WEFT__SMALL)) {
                weft_task *small = task;
                task = weft__task_memory_take(false);
                if (!task)
                        return NULL;
                weft__task_copy_line(task, small);
                /* relaxed: nobody else has either of them */
                atomic_fetch_and_explicit(&task->state, ~(unsigned)WEFT__SMALL,
                                          memory_order_relaxed);
                weft__task_exchange(task);
        }
        init_handle(task, weft__fiber_self());
        /* relaxed: whoever gets the handle has it from this thread, in a way that orders the second
         * line too, which is used without a look at the state */
        atomic_fetch_or_explicit(&task->state, WEFT__HANDLE, memory_order_relaxed);
        return task;
}

weft_task *weft_task_current(void)
{
        return weft__task_expose();
}
