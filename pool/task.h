/* SPDX-License-Identifier: MIT
 *
 * A task: a function, its argument, the context it runs in, and what is needed to wait for it.
 *
 * The first cache line is all that a fire-and-forget task has, if its arguments are not copied
 * (SMALL). The rest is valid if the state has HANDLE: somebody else than the worker may have a
 * pointer to the task (a handle, a group).
 *
 * State: a phase and flags in one word.
 *
 *   QUEUED --claim--> RUNNING --end--> DONE      the claim is a compare-and-swap where there is a
 *                                                HANDLE, since a canceller may claim it too
 *   CANCEL     asked to end
 *   ATTENDED   somebody has, or had, something linked to the task under its lock (waiters,
 *              callbacks, a canceller at work): the end must take the lock. Set under the lock,
 *              never cleared.
 *
 * Ownership: `refs` counts the handles, and one that belongs to the queue and to whoever takes the
 * task out of it (a task that was cancelled stays in its queue until it is found there). The
 * context's reference moves in at the submit and into the frame at the start. A task is in at most
 * one queue.
 */
#ifndef WEFT_POOL_TASK_H
#define WEFT_POOL_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <weft/pool.h>

#include "lock.h"
#include "wait.h"

struct weft__group;
struct weft__fiber;

enum weft__state {
        WEFT__QUEUED = 0,
        WEFT__RUNNING = 1,
        WEFT__ENDED = 2,
        WEFT__PHASE = 3, /* mask of the above */
        WEFT__CANCEL = 4,
        WEFT__ATTENDED = 8,
        WEFT__HANDLE = 16,
        WEFT__HEAP_ARGS = 32,  /* the closure's arguments are an allocation of their own */
        WEFT__CALLBACK = 64,   /* made by weft_task_on_done() */
        WEFT__JOB = 128,       /* forked by a task that has started: it is never cancelled unrun */
        WEFT__RESULT = 256,    /* the result is to be stored: weft_group_spawn_into() */
        WEFT__DELAYED = 512,   /* of timer.h: see delay.h */
        WEFT__PERIODIC = 1024, /* one of those that start again */
        WEFT__SMALL = 0x4000,  /* the first line is all there is */
        WEFT__READY = 0x8000,  /* in a queue to be resumed, see park.c */
};

enum { WEFT__INLINE_ARGS = 48 };

struct weft_task {
        _Atomic(weft_task *) next; /* in the injector, a free list */
        weft_fn *fn;
        void *arg;
        weft_drop_fn *drop;
        union {
                weft_context *context;      /* until it starts */
                struct weft__fiber *parked; /* while it is parked: on which fiber */
        };
        weft_pool *pool;
        atomic_uint state;
        atomic_uint refs;
        union {
                uint32_t submitter; /* until then: the number of the task that has submitted it, in
                                       the same pool; 0: none, or not known */
                int result;         /* once ENDED */
        };
        weft__lock lock;

        weft__waitlist waiters;    /* under lock */
        weft_task *first_callback; /* under lock; linked by group_next */
        weft_task *last_callback;  /* under lock */
        struct weft__group *group; /* NULL: none */
        union {
                struct { /* under the group's lock; group_next of a callback: the one to be started
                            after it, or NULL */
                        weft_task *group_next, *group_before;
                };
                int64_t period; /* ns; PERIODIC */
        };
        _Atomic(struct weft__fiber *) fiber; /* that it runs on, once it has begun to wait */

        struct weft__group *opened; /* under lock: the groups that it owns, see group.h */
        unsigned born;              /* weft__fork_generation() when it was made */
        union {
                _Alignas(16) char args[WEFT__INLINE_ARGS];
                size_t args_size; /* HEAP_ARGS */
                int *ret_result;  /* RESULT */
                struct {          /* DELAYED: under the lock of the heap, see delay.h */
                        weft__timer timer;
                        struct weft__worker *home;
                } delay;
        };
} __attribute__((aligned(WEFT__CACHE_LINE)));

/* The closure of a task: what to run, on what. With size, args are copied. */
struct weft__closure {
        weft_fn *fn;
        void *arg;
        const void *args;
        size_t size;
        bool copies;
        weft_drop_fn *drop;
        const void *site; /* that its public call returns to: see weft__cross() */
        bool whole;       /* its context crosses no border: it does a part of the caller's work */
        unsigned flags;   /* of enum weft__state: what the task is besides */
        int *ret_result;  /* RESULT: where the result is to be stored; not with copies */
};

/* In a public function: where it was called. */
#define WEFT__CALLED_FROM __builtin_return_address(0)

/* What is called with a copy of its arguments, see weft_submit_closure(). */
static inline struct weft__closure weft__closure_of_copy(weft_fn *fn, const void *args, size_t size,
                                                         weft_drop_fn *drop, const void *site)
{
        return (struct weft__closure){
            .fn = fn, .args = args, .size = size, .copies = true, .drop = drop, .site = site};
}

/* A task of the closure with no context and no pool yet; NULL when there is no memory. */
weft_task *weft__task_new(const struct weft__closure *closure, unsigned refs, bool handle);

static inline void weft__task_copy_line(weft_task *to, const weft_task *from)
{
        memcpy((void *)to, (const void *)from, offsetof(weft_task, waiters));
}

/* Give its memory back; neither destructor nor context are looked after. */
void weft__task_free(weft_task *task);

/* A task that is about to be run, and of which nobody else knows, goes on in *copy, and its memory
 * is given back: so one that waits costs its stack and nothing beside. Returns the one to be run;
 * weft__task_expose() may make it another one meanwhile: weft__task_self() says which it is. */
weft_task *weft__task_unload(weft_task *task, weft_task *copy);

/* Make *task a fire-and-forget task that has been claimed, in the caller's storage: it goes on, and
 * ends, as one that was unloaded. */
static inline void weft__task_begin(weft_task *task, weft_pool *pool, weft_fn *fn, void *arg,
                                    weft_context *context)
{
        task->fn = fn;
        task->arg = arg;
        task->drop = NULL;
        task->context = context;
        task->pool = pool;
        task->submitter = 0;
        atomic_init(&task->state, WEFT__RUNNING | WEFT__SMALL);
        atomic_init(&task->refs, 1);
}

/* Run fn and drop in a frame of its own from its context; the result. The caller has claimed it.
 * How: 0; RECORDED: on a worker, and record.h is to know; less than 0: run drop only, this is the
 * result. */
enum { WEFT__RECORDED = 1 };
int weft__task_run(weft_task *task, int how);

/* What the library calls on a thread that others count on must return. A variable to be made true
 * when it has: where the stack is unwound before, the process ends with a message. It costs nothing
 * on the way. Private: what it calls then. */
#define WEFT__MUST_RETURN(returned)                                                                \
        __attribute__((cleanup(weft__returned), unused)) bool returned = false
void weft__not_returned(void) __attribute__((noreturn));
static inline void weft__returned(const bool *returned)
{
        if (!*returned)
                weft__not_returned();
}

/* Claim a queued task: false if somebody has already. */
bool weft__task_claim(weft_task *task);

/* A claimed task that was taken out of its queue has ended: tell everybody, and give up the queue's
 * reference. The task may be gone afterwards. */
void weft__task_end(weft_task *task, int result);

/* Whether it has one of the flags that a task has from the beginning, or not at all. */
static inline bool weft__task_is(const weft_task *task, unsigned flags)
{
        /* relaxed: see above */
        return atomic_load_explicit(&task->state, memory_order_relaxed) & flags;
}

/* The callback that is due when this one is started, or NULL. */
static inline weft_task *weft__task_then(const weft_task *task)
{
        return weft__task_is(task, WEFT__CALLBACK) ? task->group_next : NULL;
}

/* The same, for one with a HANDLE that stays in its queue, with the queue's reference. */
void weft__task_tell(weft_task *task, int result);

/* The task that runs on this thread, to which others may have a pointer from now on, until the last
 * reference is given up. NULL: there is none, or there is no memory. */
weft_task *weft__task_expose(void);

/* The task has ended, and holds its own lock: the groups that it owns go on without an owner. */
void weft__task_disowns(weft_task *task);

/* Let its end wake a waiter, unless it has ended: then false. And give that up. */
bool weft__task_attend(weft_task *task, weft__waiter *w);
void weft__task_unattend(weft_task *task, weft__waiter *w);

/* The result of a task, waited for whatever it takes. */
int weft__task_await_shielded(weft_task *task);

/* The group of a task, or NULL. */
struct weft__group *weft__task_group(const weft_task *task);

static inline unsigned weft__task_state(const weft_task *task)
{
        /* T1: acquire, so that whoever sees the end sees what came before it */
        return atomic_load_explicit(&task->state, memory_order_acquire);
}

/* The task, which runs on fiber, is about to wait for the first time: let cancellers know where. */
void weft__task_waits_on(weft_task *task, struct weft__fiber *fiber);

/* The task lets another one run on its fiber, and wait there: cancellers of the first must not wake
 * the second. NULL is fine. */
void weft__task_lent(weft_task *task);

/* Whether a task has been asked to end, by itself or with its pool. */
bool weft__task_cancelled(const weft_task *task);

/* The same for the task that runs on this thread: one that its submitter runs on a worker of
 * another pool (WEFT_CALLER) is called off with that pool too, since its waits are. */
bool weft__task_cancelled_here(const weft_task *task);

/* ---- task_memory.c ---- */

/* Memory for a task, or for its first line alone; NULL when there is none. Any thread. */
weft_task *weft__task_memory_take(bool small);
void weft__task_memory_give(weft_task *task, bool small);

#endif
