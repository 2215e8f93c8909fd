/* SPDX-License-Identifier: MIT
 *
 * The pool: worker threads that run tasks, each task in the context of whoever submitted it.
 *
 *   weft_pool *pool;
 *   weft_pool_create(&pool, NULL);
 *   weft_submit(pool, work, item);               // fire and forget
 *   weft_task *t;
 *   weft_spawn(pool, &t, compute, input);        // with a handle
 *   int result = weft_await(t, WEFT_FOREVER);
 *   weft_task_unref(t);
 *   weft_pool_destroy(pool);                     // drains
 *
 * A NULL pool means: the pool whose worker calls (weft_pool_current()), else the default pool; so
 * also on a thread that is none, and runs a task for WEFT_CALLER or weft_blocking().
 *
 * A task that waits (weft_await, weft_group_wait, the waits of suspend.h) parks: its stack is set
 * aside and its worker goes on with other tasks, each on a stack and in a frame of its own; nothing
 * is ever run on top of a waiter. It resumes on the worker that it parked on, unless the pool has
 * WEFT_MIGRATE. On any other thread the same calls block that thread. So there is one way to write
 * a function, whoever calls it.
 *
 * Happens-before: what the submitter did before it submitted happens before the task; what the task
 * did, and its destructor, happens before the return of whatever reports its end: weft_await(),
 * weft_group_wait(), weft_pool_shutdown(), the on-done callbacks.
 *
 * Order: none is promised between tasks, except that every queued task is started after a bounded
 * number of others. A worker that always has work of its own starts at least every 122nd time the
 * oldest task of its own queue, and as often one from outside. Threads outside are in eight groups,
 * by number; a worker takes up to 32 tasks of a group, the oldest first, then those of the next. So
 * the oldest task of a thread outside starts after at most 256 others from outside, and if it is
 * the oldest of all, as the next of these. A task that forks and joins, or loops in parallel, lets
 * one from outside have its turn every 61st time (fork.h). What a task does without a call of the
 * library is not counted.
 *
 * fork(): no worker exists in the child, whatever the parent's threads were in the middle of. So
 * submits to the parent's pools, spawns into their groups and waits for their tasks give
 * -EOWNERDEAD there, weft_pool_destroy() frees what it can, and weft_pool_default() is a new pool.
 * If a task forks, it is no task in the child: its thread is one outside pools. If its function
 * returns there the child ends, as by _exit(), with 0, or 1 if the result is an error; and so it
 * does when anything else returns that the library has called on behalf of its threads or tasks: a
 * destructor, a hook, a release function, a function of weft_blocking(), a task that its submitter
 * runs. (docs/borders.md has all of it.)
 *
 * A task returns. If it ends its thread instead (pthread_exit, a cancellation of the worker, or of
 * a thread that runs it for WEFT_CALLER, at a point of cancellation in the task) or an exception
 * leaves it, the process ends with a message, by abort(); so it does for destructors, hooks and the
 * functions of weft_blocking(). To longjmp() out of a task's own function is undefined; within it,
 * over waits too, is fine.
 *
 * pthread_cancel() of another thread, one that calls the library: of all calls only weft_wait_fd()
 * is a point of cancellation. A thread that is cancelled in any other one, in a wait too, goes on
 * with it to its end, and ends at the next such point after it. (A thread whose cancellation is
 * asynchronous must not call anything here.) Signals end no wait.
 */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/context.h>
#include <weft/error.h>

WEFT_BEGIN_DECLS

typedef struct weft_pool weft_pool;
typedef struct weft_task weft_task;

/* What frees a closure's arguments. */
typedef void weft_drop_fn(void *args);

/* A deadline is an absolute CLOCK_MONOTONIC time in ns, as weft_now() gives it. One that has
 * passed, 0 for instance, makes a wait look once and return. For one that holds for all that is
 * done by and by, there is WEFT_DEADLINE in suspend.h. */
#define WEFT_FOREVER INT64_MAX

/* What a submit does when max_queued tasks are queued already. A submit from a task of the same
 * pool is never blocked: under WEFT_BLOCK it goes over the bound. */
typedef enum weft_when_full {
        WEFT_REFUSE = 0, /* return -EAGAIN */
        WEFT_BLOCK = 1,  /* wait until there is room (a task of another pool parks) */
        WEFT_CALLER = 2, /* run the task in the caller, in the task's own frame, before returning;
                            on a thread outside pools cancelling it does not end a wait that it has
                            begun, only those that it begins afterwards; the same goes, on a worker
                            of another pool, for cancelling its own pool. When that other pool is
                            cancelled, so is what its worker runs here. What it submits in its turn
                            may run on top of it: a long chain of those needs the stack for it */
} weft_when_full;

/* How weft_pool_shutdown() treats the tasks that have not started. */
typedef enum weft_shutdown {
        WEFT_DRAIN = 0,  /* run them */
        WEFT_CANCEL = 1, /* cancel them, and those that run or wait too */
} weft_shutdown;

/* Flags of a pool. */
enum weft_pool_flags {
        /* A task that has waited goes on on whichever worker is free first, not on the one that it
         * waited on. A busy worker then holds nobody up; in return, what belongs to a thread is
         * another one's after every call that may park:
         *   thread-locals  are those of the new thread. Within a function a compiler may also keep
         *                  the address of one across such a call, and that of errno, and what
         *                  pthread_self() gave (the C library calls both constant): access them in
         *                  functions of their own that are not inlined.
         *   errno          has the value it had before the wait, in the new thread's errno.
         *   mutexes        a pthread mutex (a recursive or robust one above all) that is held
         *                  across a wait is unlocked by a thread that does not own it: use
         *                  weft_mutex. The same goes for all that knows its thread by its id.
         * Contexts, tokens and all of weft's objects move with the task. */
        WEFT_MIGRATE = 1,
};

/* Options of a pool. Zero everywhere means the defaults; new fields go to the end.
 *
 *   weft_pool_options o = {.size = sizeof(o), .workers = 4, .name = "db"};
 */
typedef struct weft_pool_options {
        size_t size; /* sizeof(weft_pool_options), or 0 for the fields of 0.1 */

        unsigned workers; /* how many threads; 0: as many CPUs as the caller's affinity mask and the
                             cgroup's CPU quota allow, rounded up; at most 1024 */
        const char *name; /* of the threads: "name-0", "name-1"…; cut at 15 bytes; NULL: "weft" */

        const cpu_set_t *affinity; /* every worker's CPU mask; NULL: inherited from the creator.
                                      Copied. */
        size_t affinity_size;      /* bytes of it; 0: sizeof(cpu_set_t) */

        /* Run on each worker before its first and after its last task, in the empty context. The
         * pool is created only when every on_start has returned. */
        void (*on_start)(unsigned worker, void *hook_arg);
        void (*on_stop)(unsigned worker, void *hook_arg);
        void *hook_arg;

        size_t max_queued;        /* bound on tasks that are submitted and not started; 0: none */
        weft_when_full when_full; /* what happens at the bound */

        size_t stack_size; /* bytes of a task's stack, 64 KiB to 8 MiB, in whole pages; 0: 256 KiB.
                              Memory is used only as far as tasks touch it. A sixteenth is the
                              guard; up to a page and about 3 KiB are weft's own. A task that runs
                              over its stack ends the process with SIGSEGV, after a message that
                              names the task and the stack: the first pool sets a handler of that
                              signal, which passes all else on to the one that there was. */

        unsigned flags; /* of enum weft_pool_flags */
} weft_pool_options;

/* weft_pool_create - start a pool. NULL options: the defaults.
 *
 * The workers start from the empty context, not from the caller's. 0, and *ret is the caller's to
 * weft_pool_destroy(); or nothing is left behind: -EINVAL: ret is NULL, or an option is out of its
 * range; -E2BIG: the options are longer than this library knows, and not zero there; -ENOMEM;
 * -EAGAIN: the system refused a thread; -EEXIST: see C9. Blocks until the workers run. Since 0.1.
 * */
WEFT_API int weft_pool_create(weft_pool **ret, const weft_pool_options *options);

/* weft_pool_default - the process's own pool, with default options, made at the first call. Never
 * destroyed: it is not to be shut down. NULL if it could not be made; the next call tries again.
 * Any thread. Since 0.1. */
WEFT_API weft_pool *weft_pool_default(void);

/* weft_pool_current - the pool whose worker calls, or NULL on any other thread.
 * Async-signal-safe. Since 0.1. */
WEFT_API weft_pool *weft_pool_current(void);

/* weft_pool_workers - how many workers it has. NULL as above; 0 if there is no pool. Since 0.1. */
WEFT_API unsigned weft_pool_workers(weft_pool *pool);

/* weft_pool_shutdown - accept no more tasks, wait for those there are, stop the workers.
 *
 * From its beginning on every submit, from tasks too, gives -ESHUTDOWN. WEFT_DRAIN runs all tasks
 * that were accepted. WEFT_CANCEL cancels them as weft_task_cancel() does, waits of tasks included.
 * Returns 0 when all tasks have ended and the workers are gone, and again at once when called
 * again; the pool can then only be destroyed. -ETIMEDOUT: the deadline passed first: the pool goes
 * on with its tasks and accepts no others; call again, with WEFT_CANCEL if it is to be quick.
 * -EDEADLK: called by a worker of this pool: nothing was done. -EINVAL: how is not valid, or pool
 * is NULL. -EOWNERDEAD: in a forked child. -ECANCELED, -ENOMEM: as of weft_await(), in a task of
 * another pool: as if the deadline had passed. Blocks, or parks a task of another pool; any number
 * of threads may call it at once. Since 0.1. */
WEFT_API int weft_pool_shutdown(weft_pool *pool, weft_shutdown how, int64_t deadline);

/* weft_pool_destroy - shut down (WEFT_DRAIN, WEFT_FOREVER) if that has not been done, and free the
 * pool; returns NULL. NULL is fine. Handles of its tasks stay good. Called by one of its own
 * workers it does nothing and returns the pool. No other call on the pool may run or follow. Since
 * 0.1. */
WEFT_API weft_pool *weft_pool_destroy(weft_pool *pool);

/* Figures since the pool was made. Each is exact when the pool is idle, and a little behind while
 * it works; taken together they are no snapshot. */
struct weft_pool_stats {
        size_t size;        /* set by the caller: sizeof(struct weft_pool_stats) */
        uint64_t submitted; /* tasks accepted */
        uint64_t run;       /* tasks whose function has returned */
        uint64_t cancelled; /* tasks that ended without having been started */
        uint64_t stolen;    /* tasks that a worker took from another's queue */
        uint64_t injected;  /* tasks that workers took from the outsiders' queue */
        uint64_t woken;     /* times that a sleeping worker was woken for work */
        uint64_t parked;    /* times that a task waited, and its worker went on without it */
        uint64_t queued;    /* now: tasks accepted and not started */
        uint64_t missed; /* times that a sleeping worker found work that it should have been woken
                               for: more than 0 is a bug of weft's, of which please tell, unless a
                               thread was stopped for 10 s as it was about to wake one */
};

/* weft_pool_stats - fill in the figures. Fields past stats->size are not written; fields past what
 * this library knows are zeroed. 0; -EINVAL: stats is NULL, or its size is too small to hold a
 * figure. Any thread; never blocks. Since 0.1. */
WEFT_API int weft_pool_stats(weft_pool *pool, struct weft_pool_stats *stats);

/* ---- submitting --------------------------------------------------------------------------------
 *
 * All of these take the caller's current context along (C1), for a reference's worth of work and
 * never a lock, may be called from any thread, and never block or park (but for WEFT_BLOCK). They
 * fail with nothing kept and nothing run: -EINVAL: a pointer that is needed is NULL; -ENOMEM;
 * -ESHUTDOWN: the pool is shutting down; -EAGAIN: WEFT_REFUSE and max_queued tasks are queued;
 * -EOWNERDEAD: a pool from before fork(); under WEFT_BLOCK, in a wait for room, -ETIMEDOUT: the
 * deadline of the context passed (WEFT_DEADLINE), and -ECANCELED: the task that submits, of another
 * pool, was cancelled; what a hand_on() of a var refuses with (C12). On failure the arguments stay
 * the caller's and no destructor is run. */

/* weft_submit - run fn(arg) as a task, fire and forget: its result is dropped. 0 or an error as
 * above. Since 0.1. */
WEFT_API int weft_submit(weft_pool *pool, weft_fn *fn, void *arg);

/* weft_submit_copy - as weft_submit, with the closure's arguments copied: fn receives a pointer,
 * aligned for any type, to size bytes that are its own until it returns. Up to 48 bytes need no
 * memory beyond the task's own. Since 0.1. */
WEFT_API int weft_submit_copy(weft_pool *pool, weft_fn *fn, const void *args, size_t size);

/* weft_submit_closure - as weft_submit_copy, with a destructor: drop(args) is called exactly once
 * on the copy, in the task's own frame and context, after fn or, if the task is cancelled before it
 * starts, instead of it (C10). drop may be NULL. Since 0.1. */
WEFT_API int weft_submit_closure(weft_pool *pool, weft_fn *fn, const void *args, size_t size,
                                 weft_drop_fn *drop);

/* weft_spawn - run fn(arg) as a task and give a handle to it. *ret is the caller's to
 * weft_task_unref(). Since 0.1. */
WEFT_API int weft_spawn(weft_pool *pool, weft_task **ret, weft_fn *fn, void *arg);

/* weft_spawn_closure - weft_submit_closure with a handle. Since 0.1. */
WEFT_API int weft_spawn_closure(weft_pool *pool, weft_task **ret, weft_fn *fn, const void *args,
                                size_t size, weft_drop_fn *drop);

/* ---- tasks -------------------------------------------------------------------------------------
 *
 * A handle may be used on any thread, and after its pool is gone. */

/* weft_await - wait until the task ends; its result.
 *
 * Called in a task it parks that task, elsewhere it blocks the thread. Any number may await one
 * task, any number of times. Returns what the task's function returned, -ECANCELED if the task was
 * cancelled before it started, -ETIMEDOUT if the deadline of its context passed before that
 * (WEFT_DEADLINE), or: -ETIMEDOUT: a deadline of the wait passed first; -ECANCELED: the task that
 * calls was cancelled, and the awaited one has not ended; -EDEADLK: a task awaits itself; -ENOMEM:
 * no stack could be had to go on with while this task waits; -EINVAL: NULL; -EOWNERDEAD: a task of
 * the parent, in a forked child. Where a task's own errors must be told from these, ask
 * weft_task_result(). Since 0.1. */
WEFT_API int weft_await(weft_task *task, int64_t deadline);

/* weft_task_result - the result of a task that has ended. 0, and *ret_result; -EINPROGRESS: it has
 * not; -EINVAL: a pointer is NULL. Never blocks. Since 0.1. */
WEFT_API int weft_task_result(const weft_task *task, int *ret_result);

/* weft_task_cancel - ask a task to end.
 *
 * One that has not started never will: it has ended with -ECANCELED when this returns, its
 * destructor having been run by this call, on this thread, in the task's own frame (C10), or by
 * another thread that is about to finish doing so. One that runs is only told: weft_cancelled()
 * says so from now on, its waits return -ECANCELED, and the groups that it has opened are cancelled
 * (group.h). 0: it was told, or has been before; -EALREADY: it had ended. -EINVAL: NULL.
 * -EOWNERDEAD: a task of the parent, in a forked child. Never blocks. Since 0.1. */
WEFT_API int weft_task_cancel(weft_task *task);

/* weft_task_on_done - submit fn(arg), in the context current now, when the task ends.
 *
 * The callback is a task of the same pool, and runs even while that pool drains (a shutdown by
 * WEFT_CANCEL cancels it as any other) and though the deadline of its context has passed; if the
 * task has ended already, it is submitted to the default choice of pool instead (NULL, above).
 * Callbacks are started in the order of registration, as far as one worker is concerned. 0,
 * -EINVAL, -ENOMEM, or as weft_submit. Never blocks. Since 0.1. */
WEFT_API int weft_task_on_done(weft_task *task, weft_fn *fn, void *arg);

/* weft_task_current - the task that calls, borrowed; NULL outside tasks, or if a task that was
 * submitted without a handle wants one, and there is no memory for it. Since 0.1. */
WEFT_API weft_task *weft_task_current(void);

/* weft_task_ref, weft_task_unref - one reference more; one fewer, returning NULL. A task runs to
 * its end whether or not anybody holds a handle. NULL is fine. Since 0.1. */
WEFT_API weft_task *weft_task_ref(weft_task *task);
WEFT_API weft_task *weft_task_unref(weft_task *task);

WEFT_END_DECLS

#if defined(__BLOCKS__)
#include <weft/block.h>
#endif

#endif
