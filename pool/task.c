/* SPDX-License-Identifier: MIT
 *
 * Tasks: their memory, running them, their end, cancelling and awaiting them (see task.h).
 *
 * Memory: a thread frees tasks into a list of its own and takes them from there; what it has too
 * many or too few of it exchanges, a batch at a time, with a depot that all share. So tasks that
 * are made on one thread and end on another cost no allocation in the long run, and one lock per
 * batch.
 *
 * Pairings
 *  T1  end: state (release) -> whoever sees ENDED (acquire): the result, and all that the task did
 *  T2  unref: refs (release) -> the last one (acquire): all use before the free
 *  X1  cancel: mark (seq_cst), then look at the waiter <-> begin to wait: waiter (seq_cst), then
 *      look at the mark (seq_cst): a task that is about to wait sees the mark, or is seen to wait
 */
#include "task.h"

#include <sched.h>
#include <string.h>

#include <weft/suspend.h>

#include "deadline.h"
#include "group.h"
#include "submit.h"
#include "worker.h"

/* ---- memory ---- */

enum { CACHE_BATCH = 64, DEPOT_BATCHES = 256 };

static _Thread_local struct {
        weft_task *first;
        unsigned count;
        bool enlisted; /* the thread's exit will settle it */
} cache;

static struct {
        weft__lock lock;
        unsigned count;
        weft_task *batch[DEPOT_BATCHES]; /* lists of CACHE_BATCH */
} depot;

static weft_task *next_of(weft_task *task)
{
        /* relaxed: lists of one thread, or under a lock */
        return atomic_load_explicit(&task->next, memory_order_relaxed);
}

static void link_to(weft_task *task, weft_task *next)
{
        atomic_store_explicit(&task->next, next, memory_order_relaxed); /* relaxed: as above */
}

static void free_list(weft_task *task)
{
        while (task) {
                weft_task *next = next_of(task);
                weft__free(task, sizeof(*task));
                task = next;
        }
}

static void cache_exit(void *unused)
{
        (void)unused;
        weft__task_cache_settle();
}

static pthread_key_t cache_key;
static bool cache_key_made;

static void depot_lost(void)
{
        /* In the child of a fork: another thread may have been in the middle of it. What it held
         * stays allocated. */
        memset(&depot, 0, sizeof(depot));
}

__attribute__((constructor(102))) static void init(void)
{
        cache_key_made = pthread_key_create(&cache_key, cache_exit) == 0 &&
                         pthread_atfork(NULL, NULL, depot_lost) == 0;
}

static bool cache_enlist(void)
{
        if (!cache.enlisted && cache_key_made)
                cache.enlisted = pthread_setspecific(cache_key, &cache) == 0;
        return cache.enlisted;
}

void weft__task_cache_settle(void)
{
        free_list(cache.first);
        cache.first = NULL;
        cache.count = 0;
        cache.enlisted = false; /* a later destructor of the thread may come again */
}

static weft_task *task_alloc(void)
{
        if (!cache.first && WEFT__CACHES && cache_enlist()) {
                weft__lock_take(&depot.lock);
                if (depot.count) {
                        cache.first = depot.batch[--depot.count];
                        cache.count = CACHE_BATCH;
                }
                weft__lock_give(&depot.lock);
        }
        weft_task *task = cache.first;
        if (!task)
                return weft__alloc_lines(sizeof(*task));
        cache.first = next_of(task);
        cache.count--;
        return task;
}

/* Give a batch of this thread's free tasks to the depot, or to the system if that is full. */
static void cache_shed(void)
{
        weft_task *batch = cache.first, *last = batch;
        for (int i = 1; i < CACHE_BATCH; i++)
                last = next_of(last);
        cache.first = next_of(last);
        cache.count -= CACHE_BATCH;
        link_to(last, NULL);

        weft__lock_take(&depot.lock);
        if (depot.count < DEPOT_BATCHES) {
                depot.batch[depot.count++] = batch;
                batch = NULL;
        }
        weft__lock_give(&depot.lock);
        free_list(batch);
}

void weft__task_free(weft_task *task)
{
        /* relaxed: the last one to have it */
        if (atomic_load_explicit(&task->state, memory_order_relaxed) & WEFT__HEAP_ARGS)
                weft__free(task->arg, task->args_size);
        if (!WEFT__CACHES || !cache_enlist()) {
                weft__free(task, sizeof(*task));
                return;
        }
        link_to(task, cache.first);
        cache.first = task;
        if (++cache.count >= 2 * CACHE_BATCH)
                cache_shed();
}

/* Make the second line of a task valid, which a fire-and-forget task does without. */
static void init_handle(weft_task *task, struct weft__fiber *fiber)
{
        task->lock = (weft__lock){0};
        task->waiters = (weft__waitlist){NULL, NULL};
        task->first_callback = task->last_callback = NULL;
        task->group = NULL;
        task->opened = NULL;
        atomic_init(&task->fiber, fiber);
        task->born = weft__fork_generation();
}

weft_task *weft__task_new(const struct weft__closure *c, unsigned refs, bool handle)
{
        weft_task *task = task_alloc();
        if (!task)
                return NULL;
        unsigned state = WEFT__QUEUED | c->flags;
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
        return false;
}

int weft__task_run(weft_task *task, int unrun)
{
        WEFT__FRAME(task->context);
        int r = unrun < 0 ? unrun : task->fn(task->arg);
        if (task->drop)
                task->drop(task->arg);
        return r;
}

/* The callbacks of a task that has ended are tasks of the same pool. No queue keeps their order, so
 * each has the next one queued when it is started. */
static void run_callbacks(weft_pool *pool, weft_task *first)
{
        bool shared;
        struct weft__counts *counts = weft__counts_self(pool, &shared);
        for (weft_task *callback = first; callback; callback = callback->group_next) {
                weft__count(&counts->submitted, shared);
                weft__room_exceed(pool);
        }
        if (first)
                weft__enqueue(pool, first);
}

/* What a task that others know of leaves: its result, its waiters, its callbacks. */
static void announce(weft_task *task)
{
        /* relaxed: the exchange looks again */
        unsigned state = atomic_load_explicit(&task->state, memory_order_relaxed);
        while (!(state & WEFT__ATTENDED))
                if (atomic_compare_exchange_weak_explicit(
                        &task->state, &state, state + 1, memory_order_release, /* T1 -> */
                        memory_order_relaxed)) /* relaxed: looked at again */
                        return;
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

static bool has(const weft_task *task, enum weft__state flag)
{
        /* relaxed: those asked for are there when the task is made, or set by its own thread */
        return atomic_load_explicit(&task->state, memory_order_relaxed) & flag;
}

static bool has_handle(const weft_task *task)
{
        return has(task, WEFT__HANDLE);
}

struct weft__group *weft__task_group(const weft_task *task)
{
        return has_handle(task) ? task->group : NULL;
}

void weft__task_tell(weft_task *task, int result)
{
        struct weft__group *group = task->group;
        task->result = result;
        if (group) {
                if (has(task, WEFT__RESULT))
                        *task->ret_result = result;
                weft__group_ended(group, result);
        }
        announce(task);
        if (group)
                weft__group_left(group, task);
}

void weft__task_end(weft_task *task, int result)
{
        if (has_handle(task))
                weft__task_tell(task, result);
        weft_task_unref(task);
}

/* ---- cancelling ---- */

bool weft__task_cancelled(const weft_task *task)
{
        /* seq_cst: X1 <-> cancel */
        return atomic_load_explicit(&task->state, memory_order_seq_cst) & WEFT__CANCEL ||
               atomic_load_explicit(&task->pool->cancelling, memory_order_seq_cst);
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
        const weft_task *task = weft__task_self();
        if (weft__shielded())
                return 0;
        if (task && weft__task_cancelled(task))
                return -ECANCELED;
        return weft__deadline_passed() ? -ETIMEDOUT : 0;
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

static int await(weft_task *task, int64_t deadline, bool shielded)
{
        if ((weft__task_state(task) & WEFT__PHASE) == WEFT__ENDED) /* -> T1 */
                return task->result;
        if (task == weft__task_self())
                return -EDEADLK;
        if (task->born != weft__fork_generation())
                return -EOWNERDEAD;

        weft__waiter own, *w = weft__wait_begin(&own, shielded);
        weft__lock_take(&task->lock);
        unsigned state = atomic_fetch_or_explicit(&task->state, WEFT__ATTENDED,
                                                  memory_order_acq_rel); /* -> T1 */
        bool ended = (state & WEFT__PHASE) == WEFT__ENDED;
        if (!ended)
                weft__waitlist_add(&task->waiters, w);
        weft__lock_give(&task->lock);
        if (ended)
                return task->result;

        int r = weft__wait_error(weft__wait(w, deadline));
        if (r < 0) {
                weft__lock_take(&task->lock);
                weft__waitlist_remove(&task->waiters, w);
                weft__lock_give(&task->lock);
                if ((weft__task_state(task) & WEFT__PHASE) != WEFT__ENDED) /* -> T1 */
                        return r;
        }
        return task->result;
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

int weft_task_on_done(weft_task *task, weft_fn *fn, void *arg)
{
        if (!task || !fn)
                return -EINVAL;
        const struct weft__closure closure = {.fn = fn, .arg = arg, .flags = WEFT__CALLBACK};
        if ((weft__task_state(task) & WEFT__PHASE) == WEFT__ENDED) /* -> T1 */
                return weft__submit(NULL, &closure, NULL, NULL);
        if (task->born != weft__fork_generation())
                return -EOWNERDEAD;
        weft_task *callback = weft__task_new(&closure, 1, false);
        if (!callback)
                return -ENOMEM;
        weft__lock_take(&task->lock);
        unsigned state = atomic_fetch_or_explicit(&task->state, WEFT__ATTENDED,
                                                  memory_order_acq_rel); /* -> T1 */
        bool ended = (state & WEFT__PHASE) == WEFT__ENDED;
        if (!ended) {
                callback->context = weft_context_capture();
                callback->pool = task->pool;
                if (task->last_callback)
                        task->last_callback->group_next = callback;
                else
                        task->first_callback = callback;
                task->last_callback = callback;
        }
        weft__lock_give(&task->lock);
        if (!ended)
                return 0;
        weft__task_free(callback);
        return weft__submit(NULL, &closure, NULL, NULL);
}

void weft__task_expose(weft_task *task)
{
        if (has_handle(task))
                return;
        init_handle(task, weft__fiber_self());
        /* release: whoever gets the handle from here sees the second line */
        atomic_fetch_or_explicit(&task->state, WEFT__HANDLE, memory_order_release);
}

weft_task *weft_task_current(void)
{
        weft_task *task = weft__task_self();
        if (task)
                weft__task_expose(task);
        return task;
}
