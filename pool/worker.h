/* SPDX-License-Identifier: MIT
 *
 * A pool and its workers, from inside.
 *
 * Who writes what
 *   owner    fields that only the worker's own thread touches
 *   any      atomics that others write too
 *   idle     under pool->idle.lock
 *   ending   under pool->ending.lock
 *   const    not written after the pool is created
 *
 * Sleep and wake (idle.c): `idle.state` counts the sleeping and the searching. Whoever publishes
 * work has a full fence after it and then looks at the count; whoever goes to sleep counts himself,
 * has a full fence, and then looks for work once more. So one of them sees the other.
 */
#ifndef WEFT_POOL_WORKER_H
#define WEFT_POOL_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <weft/pool.h>

#include "deadline.h"
#include "delay.h"
#include "deque.h"
#include "fiber.h"
#include "injector.h"
#include "lock.h"
#include "task.h"
#include "timer.h"
#include "tray.h"
#include "wait.h"

typedef struct weft__worker weft__worker;

/* Counts of tasks. One writer for a worker's own; many for the stripes of outsiders. */
struct weft__counts {
        atomic_uint_least64_t submitted, started, run, cancelled, refused;
};

enum weft__parker { WEFT__AWAKE = 0, WEFT__ASLEEP, WEFT__NOTIFIED };

struct weft__worker {
        weft_pool *pool;                            /* const */
        unsigned index;                             /* const */
        pthread_t thread;                           /* const */
        int *thread_errno;                          /* const: the thread's own, */
        struct weft__exceptions *thread_exceptions; /* and its exceptions; NULL without C++ */
        const struct weft__here *here;              /* const: the thread's own, see weft/inline.h */
        _Atomic(unsigned char *) asked; /* where others ask it for work (weft/inline.h); NULL until
                                           the thread has begun, const then */

        /* owner */
        weft__fiber *fiber; /* that runs now */
        weft__fiber *left;  /* that ran before it, if the switch is not complete yet */
        weft__fiber base;   /* the thread's own stack: where the worker begins and ends */
        weft__fiber *spare; /* those that wait in the loop */
        unsigned spares;
        weft__fiber *first_ready, *last_ready; /* to be resumed, in this order */
        unsigned tick;
        unsigned takes; /* times that it looked for a task in a queue */
        unsigned lane;  /* of the injector, to take from next */
        unsigned joins; /* that it made while it was asked to look for others */
        unsigned random;
        int64_t spin;        /* ns: for how long it searches before it sleeps */
        int64_t clock;       /* ns: weft_now(), as of some turn of the loop not long ago */
        bool fiber_was_last; /* what the loop took last: a fiber that was ready, or a task */
        struct weft__handover *handover; /* what the loop is to take next; NULL: what it finds */
        bool owes; /* the next task is one from outside: the one before stepped aside */

        /* written by the owner only, read by any */
        struct weft__counts counts;
        atomic_uint_least64_t stolen, injected, woken, parked, missed;

        weft__deque deque;
        weft__tray tray;

        /* any */
        _Alignas(WEFT__CACHE_LINE) _Atomic(weft__fiber *) inbox; /* fibers woken by other threads */
        atomic_uint parker;                                      /* of enum weft__parker */

        /* With WEFT_MIGRATE a task that parked here may go on, and be counted out, elsewhere. */
        atomic_uint away; /* tasks that parked here and are still waiting */
        struct {
                weft__lock lock;
                weft__timers heap; /* under lock: those of these tasks */
                atomic_int_least64_t
                    due_at; /* the first of them; WEFT_FOREVER; written under lock */
        } timers;

        weft__delays delays;

        struct {
                weft__lock lock;
                struct weft__tape *tape; /* under lock: where its tasks are recorded; NULL */
        } record;

        /* idle */
        weft__worker *next_asleep;
        bool listed; /* among the sleeping */
        /* by the owner while it is awake: */
        bool keeps;     /* it is the keeper */
        bool searching; /* counted as searching */
} __attribute__((aligned(WEFT__CACHE_LINE)));

#if defined(WEFT_MODEL)
enum { WEFT__STRIPES = 2 };
#else
enum { WEFT__STRIPES = 16 };
#endif
enum { WEFT__BATCH = WEFT__TRAY, WEFT__HOLD = 1 << 16 };

#if defined(WEFT_TEST_HOOKS) && !defined(WEFT_MODEL)
#define WEFT__TELLS 1
#endif

/* What is not as usual in a pool: one word, so that who starts a task, or parks it, looks at that
 * alone. */
enum weft__mode {
        WEFT__CANCELLING = 1, /* tasks end as cancelled */
        WEFT__MIGRATES = 2,   /* const: as `migrate` */
        WEFT__RECORDING = 4,  /* the workers have tapes: record.c */
};

enum weft__stage {
        WEFT__OPEN = 0,
        WEFT__CLOSED,   /* no submits; tasks are ending */
        WEFT__DRAINED,  /* no task is left */
        WEFT__STOPPING, /* somebody joins the workers */
        WEFT__STOPPED,
};

struct weft_pool {
        /* const */
        unsigned workers;
        unsigned generation; /* weft__fork_generation() when it was made */
        bool migrate;        /* WEFT_MIGRATE */
        bool spins;          /* there are processors to search with: weft__cpu_spares() */
        size_t max_queued;
        weft_when_full when_full;
        void (*on_start)(unsigned worker, void *hook_arg);
        void (*on_stop)(unsigned worker, void *hook_arg);
        void *hook_arg;
        char name[16];

        _Atomic(weft_pool *) next_pool; /* in weft__pools (pools.h); written under its lock */
        unsigned number;                /* from 1 on, in the order in which they were made */

        atomic_uint modes;   /* of enum weft__mode */
        atomic_bool closed;  /* submits are refused */
        atomic_bool stop;    /* workers end */
        atomic_uint running; /* workers that are in their loop, or about to be; plus WEFT__HOLD
                                   for each other thread that is asking them for something */
        atomic_uint
            visitors; /* threads from outside that use the pool without holding a task of it */
        atomic_uint delayed; /* of timer.h, that threads outside have spawned: a count */

        weft__injector injector;
        weft__stacks stacks;

        struct {
                _Alignas(WEFT__CACHE_LINE) atomic_uint state; /* sleeping << 16 | searching */
                atomic_bool pressed; /* all have been asked since one last saw an empty injector */
                weft__lock lock;
                weft__worker *asleep; /* the one that went to sleep last first */
                weft__worker *keeper; /* that sleeps until a delayed task is due; NULL: none */
                atomic_int_least64_t
                    kept_until; /* until when it sleeps; INT64_MIN: it is about to look at what is
                                   due; WEFT_FOREVER: there is none */
#if defined(WEFT__TELLS)
                atomic_uint untold, told; /* how many WEFT__UNTOLD() have begun, and ended */
#endif
        } idle;

        struct { /* the bound on queued tasks, if there is one */
                _Alignas(WEFT__CACHE_LINE) weft__lock lock;
                size_t queued;
                weft__waitlist waiters;
        } room;

        struct {
                _Alignas(WEFT__CACHE_LINE) weft__lock lock;
                enum weft__stage stage;
                weft__waitlist waiters;
        } ending;

        struct weft__stripe {
                _Alignas(WEFT__CACHE_LINE) struct weft__counts counts;
        } stripe[WEFT__STRIPES];

        weft__worker worker[];
} __attribute__((aligned(WEFT__CACHE_LINE)));

/* ---- worker.c: the loop ---- */

/* The worker that this thread is; NULL outside pools. A call, never inlined: a fiber may go on
 * elsewhere. */
weft__worker *weft__worker_self(void);

/* Whether there may be workers: false if a fork of theirs would not be noticed. */
bool weft__worker_usable(void);

/* The task that runs on this thread now; NULL outside tasks. */
weft_task *weft__task_self(void);

/* Let another task be it; the one before. */
weft_task *weft__task_exchange(weft_task *task);

/* The number of the task that runs on this worker; 0: there is none, or no worker. */
static inline uint32_t weft__task_number(const weft__worker *w)
{
        return w && w->fiber ? w->fiber->id : 0;
}

/* The fiber of a task that can be left while it waits; NULL where the thread must block: outside
 * pools, and between tasks. */
weft__fiber *weft__fiber_self(void);

/* Keep the thread-locals of all workers, in which weft__idle_ask() writes: false if they are gone.
 * For whoever may be no worker of the pool. */
bool weft__worker_threads_hold(weft_pool *pool);
void weft__worker_threads_let_go(weft_pool *pool);

/* The thread of a worker. */
void *weft__worker_main(void *arg);

/* What begins on every new fiber. */
void weft__worker_loop(weft__fiber *fiber);

/* Put a fiber at the end of its own worker's line. By the owner. */
static inline void weft__worker_line_up(weft__worker *w, weft__fiber *fiber)
{
        fiber->next = NULL;
        if (w->first_ready)
                w->last_ready->next = fiber;
        else
                w->first_ready = fiber;
        w->last_ready = fiber;
}

/* Whether there is something from outside that this worker could run. A hint. */
static inline bool weft__worker_has_injected(weft__worker *w)
{
        return weft__tray_has_some(&w->tray) || weft__injector_has_some(&w->pool->injector);
}

/* Whether a task that runs on this worker, or with NULL on a thread outside pools, has been asked
 * to end: one that its submitter runs on a worker of another pool (WEFT_CALLER) is called off with
 * that pool too, since its waits are. */
static inline bool weft__task_cancelled_on(const weft__worker *w, const weft_task *task)
{
        /* seq_cst, all: X1 <-> cancel, weft__park_cancel. The last is to the worker's pool what the
         * one before is to the task's. */
        return atomic_load_explicit(&task->state, memory_order_seq_cst) & WEFT__CANCEL ||
               atomic_load_explicit(&task->pool->modes, memory_order_seq_cst) & WEFT__CANCELLING ||
               (w && w->pool != task->pool &&
                atomic_load_explicit(&w->pool->modes, memory_order_seq_cst) & WEFT__CANCELLING);
}

/* What weft_cancelled() says in that task, or with NULL outside tasks. */
static inline int weft__called_off(const weft__worker *w, const weft_task *task, bool shielded)
{
        if (shielded)
                return 0;
        if (task && weft__task_cancelled_on(w, task))
                return -ECANCELED;
        return weft__deadline_passed() ? -ETIMEDOUT : 0;
}

/* ---- park.c: fibers that wait ---- */

/* Complete the switch from the fiber that ran before. First thing on the new stack. */
void weft__park_commit(weft__worker *w);

/* Go on with another fiber of the worker, for one that has no task. */
void weft__park_switch(weft__worker *w, weft__fiber *to);

/* The same, with one that has: go on with its task. */
void weft__park_resume(weft__worker *w, weft__fiber *fiber);

/* A task that waits for one that nobody has begun may have it begun at once, as the next thing that
 * its worker does, and be gone back to when that has ended. Until then it is no waiter: it becomes
 * one when that lets others go on, by waiting itself. */
struct weft__handover {
        weft__fiber *from; /* of the one that waits */
        weft_task *to;     /* for this one, claimed */
        bool shielded;     /* its wait is */
        bool waits;        /* it has become a waiter */
};

/* Wait so, if the task is the newest in this worker's deque and nothing else has its turn: the
 * reason why the wait has ended. WEFT__IDLE: it was not waited for. */
enum weft__wake weft__park_hand_over(weft_task *to, int64_t deadline, bool shielded);

/* It has ended without letting others go on: go back to the fiber that waits for it. */
void weft__park_hand_back(weft__worker *w, weft__fiber *to);

/* Let others have a turn before the task that runs, on this fiber: 0, -ENOMEM if there was no stack
 * to go on with, or what weft_cancelled() says. */
int weft__park_yield(weft__fiber *from);

/* Let a task from outside have a turn before the one that runs, if there is a stack for it. */
void weft__park_aside(weft__worker *w);

/* Make a fiber runnable, on its home worker unless the pool lets it migrate. Any thread; it owns
 * the fiber. */
void weft__unpark(weft__fiber *fiber);

/* Fire the timers that are due. By the owner, or by any worker of a pool with WEFT_MIGRATE. */
void weft__park_timers(weft__worker *w);

/* Wake all that is parked in the pool, which is cancelled. Any thread. */
void weft__park_cancel(weft_pool *pool);

/* A fiber for the loop: a spare one, or a new one; NULL when there is no memory. By the owner. */
weft__fiber *weft__park_loop_fiber(weft__worker *w);

/* When the first timer of the worker is due; WEFT_FOREVER: there is none. */
static inline int64_t weft__park_due_at(const weft__worker *w)
{
        /* relaxed: those that the owner has set itself it sees, and others only take some away; to
         * others it is a hint, or read after H1's fence (idle.c) */
        return atomic_load_explicit(&w->timers.due_at, memory_order_relaxed);
}

/* ---- idle.c: sleep and wake ---- */

/* In test builds the backstop knows of those who are in the middle: until the end of a block with
 * WEFT__UNTOLD() there may be something for which nobody has been woken yet, or a worker that says
 * that it sleeps and has not looked once more. */
#if defined(WEFT__TELLS)
static inline weft_pool *weft__untold_begins(weft_pool *pool)
{
        /* seq_cst, here and below: it need not be fast */
        atomic_fetch_add_explicit(&pool->idle.untold, 1, memory_order_seq_cst);
        return pool;
}

static inline void weft__untold_ends(weft_pool **pool)
{
        atomic_fetch_add_explicit(&(*pool)->idle.told, 1, memory_order_seq_cst);
}

#define WEFT__UNTOLD(pool)                                                                         \
        __attribute__((cleanup(weft__untold_ends), unused)) weft_pool *untold =                    \
            weft__untold_begins(pool)
#else
#define WEFT__UNTOLD(pool) ((void)0)
#endif

/* Work was published: wake somebody for it if nobody is about to find it. Any thread. */
void weft__idle_notify(weft_pool *pool);

/* The same for what was put into the injector, after a full fence that came after it. If all are
 * busy they are asked to look there. */
void weft__idle_injected(weft_pool *pool);

/* Whether all are asked, or about to be; a worker that was asked found the injector empty. */
bool weft__idle_pressed(weft_pool *pool);
void weft__idle_relieve(weft_pool *pool);

/* Whether more workers of the pool sleep or search than this one has tasks in its deque: a hint, by
 * the owner; false on a thread that is none. */
bool weft__idle_wants(weft__worker *w);

/* Have this worker look for others at its next fork or join. By another worker of the pool, or
 * between hold and let_go. */
void weft__idle_ask(weft__worker *w);

/* Wake this worker if it sleeps. Any thread. */
void weft__idle_wake(weft__worker *w);

/* A timer that any worker may fire is due before the others of its heap: see to it that some worker
 * that sleeps is awake then, if any sleeps. Any thread. */
void weft__idle_hurry(weft_pool *pool, int64_t when);

/* Wake all. Any thread. */
void weft__idle_wake_all(weft_pool *pool);

/* Begin to search for work, if not too many do; end it, having found some or not. By the owner. */
bool weft__idle_search(weft__worker *w);
void weft__idle_found(weft__worker *w);

/* Sleep until there may be something to do, or until deadline. By the owner. */
void weft__idle_sleep(weft__worker *w, int64_t deadline);

/* When the first timer is due that any worker may fire. */
int64_t weft__idle_first_due(const weft_pool *pool);

/* Whether there is a task in a queue, and nobody who searches for it. A hint. */
bool weft__idle_unserved(weft_pool *pool);

/* ---- submit.c ---- */

/* Give a task to the pool: to the own deque of a worker of it, else to the injector. Cannot fail.
 * */
void weft__enqueue(weft_pool *pool, weft_task *task);

/* The same for one that has been parked: whoever takes it resumes it (WEFT_MIGRATE). */
void weft__enqueue_parked(weft_pool *pool, weft_task *task);

/* ... and behind all that this worker has: its own deque would give it back first. */
void weft__enqueue_last(weft_pool *pool, weft_task *task);

/* A task enters the queue of a bounded pool whether there is room or not; one has left it. */
void weft__room_exceed(weft_pool *pool);
void weft__room_freed(weft_pool *pool);

/* The number of the task that submits to the pool, if it is one of the pool's own. */
uint32_t weft__task_submitter(const weft_pool *pool);

/* The counts in which this thread counts for the pool. */
struct weft__counts *weft__counts_self(weft_pool *pool, bool *ret_shared);
static inline void weft__count(atomic_uint_least64_t *count, bool shared)
{
        if (shared) {
                atomic_fetch_add_explicit(count, 1, memory_order_seq_cst); /* S1 <-> shutdown */
                return;
        }
        /* relaxed: the owner is the only writer */
        uint64_t n = atomic_load_explicit(count, memory_order_relaxed);
        atomic_store_explicit(count, n + 1, memory_order_release); /* E1 -> sum_up (pool.c) */
}

/* ---- pool.c ---- */

/* If the pool is closed and its last task has ended, say so to those who shut it down. */
void weft__pool_check_drained(weft_pool *pool);

/* Keep the pool's memory for a thread that is none of its workers, between two points of which the
 * first holds a task of it that has not ended. */
void weft__pool_enter(weft_pool *pool);
void weft__pool_leave(weft_pool *pool);

/* The pool that NULL means; NULL if there is none. */
weft_pool *weft__pool_or_default(weft_pool *pool);

#endif
