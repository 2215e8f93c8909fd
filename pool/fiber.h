/* SPDX-License-Identifier: MIT
 *
 * Fibers: stacks that a worker's loop runs on, and the switch between them.
 *
 * A fiber's own structure lies at the high end of its stack, so that a parked task costs as few
 * pages as possible. At the low end is a guard (stacks.h): running over it is a segmentation fault,
 * which overflow.c explains.
 *
 * A switch saves what the ABI says a call must preserve, the floating-point control words among it.
 * It tells AddressSanitizer, ThreadSanitizer and valgrind. It does not know of tasks, contexts or
 * errno: see park.c for those.
 *
 * Ownership: the fiber that runs, the spare ones and the ready ones belong to their worker; one
 * with a parked task to whoever wakes it. It runs on its home worker, which is another one only
 * after it was resumed elsewhere, in a pool with WEFT_MIGRATE.
 */
#ifndef WEFT_POOL_FIBER_H
#define WEFT_POOL_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "context/internal.h"

#include "stacks.h"
#include "wait.h"

/* Whether the switch is ours; and whether there is nobody to be told of it. */
#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(WEFT_UCONTEXT)
#define WEFT_SWITCH_ASSEMBLY 1
#endif
#if !defined(WEFT_ASAN) && !defined(WEFT_TSAN)
#define WEFT_SWITCH_PLAIN 1
#endif

struct weft_task;
struct weft__worker;

/* What C++ keeps of each thread: the exceptions that are being handled, and how many are on their
 * way. Itanium C++ ABI: Exception Handling, 2.2.2. */
struct weft__exceptions {
        void *caught;
        unsigned uncaught;
};

typedef struct weft__fiber weft__fiber;
struct weft__fiber {
        void *sp; /* where to go on, while it does not run */
        struct weft__worker *home;
        struct weft_task *task; /* the one that runs or is parked on it; NULL: it is in the loop */
        bool shielded;          /* that task is in a WEFT_SHIELD block */
        bool recorded;          /* its end will be, as its start was: record.c */
        uint32_t id;            /* of that task: another one for each that is run, see below */
        struct weft__handover *handover; /* by which that task began, see park.c; NULL: by another
                                            way, or nobody depends on it any more */
        weft__waiter wait;               /* what that task waits for */
        weft__fiber *next; /* in the inbox, the line of those that are ready, or the spare ones */
        weft__aside aside; /* what the task has in its thread, while it is parked: the frame, */
        struct weft__exceptions exceptions; /* C++'s exceptions, */
        int kept_errno;                     /* errno */
        weft__stack stack;                  /* its low is NULL: the thread's own */
        int64_t since;     /* ns: by its worker's clock, when it began to wait, if it does */
        void *asan_bottom; /* what the sanitizer must know of a stack it switches to */
        size_t asan_size;
        void *asan_fake;
#if defined(WEFT_TSAN)
        void *tsan_fiber;
#endif
#if defined(WEFT_VALGRIND)
        unsigned valgrind_id;
#endif
};

/* Tasks are told apart by numbers, so that one can say which other one has submitted it. A fiber
 * steps through all numbers there are, from a place of its own: one instruction a task, and the
 * numbers of two tasks that are alive at once differ but for one chance in four thousand million.
 */
enum { WEFT__ID_STEP = 0x1e3779b1 };

/* A fiber on a stack of its own, which will begin in entry(fiber) when it is switched to for the
 * first time; entry must not return. NULL when there is no memory. Any thread. */
weft__fiber *weft__fiber_new(weft__stacks *stacks, void (*entry)(weft__fiber *));

/* Give it and its stack back. Not while it runs. Any thread. */
void weft__fiber_free(weft__stacks *stacks, weft__fiber *fiber);

/* All fibers there are go with their stacks, which are about to be unmapped. */
void weft__fibers_forget(weft__stacks *stacks);

/* The fiber whose stack ends there. */
weft__fiber *weft__fiber_at(char *high);

/* Make a fiber of what the calling thread runs on now. */
void weft__fiber_init_thread(weft__fiber *fiber);

/* Put the registers that a call must preserve on the stack that runs, store where in *save_sp, and
 * go on where another call of it left off with load_sp. Touches nothing else. */
void weft__switch(void **save_sp, void *load_sp);

/* Go from the fiber that runs to another one; returns when somebody switches back. With from_ends
 * the sanitizers are told that nobody will. */
#if defined(WEFT_SWITCH_PLAIN)
static inline void weft__fiber_switch(weft__fiber *from, weft__fiber *to, bool from_ends)
{
        (void)from_ends;
        weft__switch(&from->sp, to->sp);
}
#else
void weft__fiber_switch(weft__fiber *from, weft__fiber *to, bool from_ends);
#endif

/* To be called first in entry: completes the switch for the sanitizers. */
void weft__fiber_begins(weft__fiber *fiber);

#endif
