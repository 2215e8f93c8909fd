/* SPDX-License-Identifier: MIT
 *
 * Fibers: stacks that a worker's loop runs on, and the switch between them.
 *
 * A fiber's own structure lies at the top of its stack, so that a parked task costs one mapping and
 * as few pages as possible. The lowest page is a guard: running over it is a segmentation fault.
 *
 * A switch saves what the ABI says a call must preserve, the floating-point control words among it.
 * It tells AddressSanitizer, ThreadSanitizer and valgrind. It does not know of tasks, contexts or
 * errno: see park.c for those.
 *
 * Ownership: a fiber belongs to the worker that made it, and runs only there.
 */
#ifndef WEFT_POOL_FIBER_H
#define WEFT_POOL_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "wait.h"

struct weft_task;
struct weft__worker;

typedef struct weft__fiber weft__fiber;
struct weft__fiber {
        void *sp; /* where to go on, while it does not run */
        struct weft__worker *home;
        struct weft_task *task; /* the one that runs or is parked on it; NULL: it is in the loop */
        bool shielded;          /* that task is in a WEFT_SHIELD block */
        struct weft_job *jobs;  /* forked by that task and not joined, newest first */
        struct weft_job *oldest_private; /* of them, those that are no tasks yet; see fork.c */
        weft__waiter wait;               /* what that task waits for */
        weft__fiber *next; /* in the inbox, the line of those that are ready, or the spare ones */
        weft__fiber *older, *newer; /* all fibers of the worker */

        char *stack; /* the mapping, guard first; NULL: the thread's own stack */
        size_t size; /* of it, in bytes */
        void *tsan_fiber;
        void *asan_bottom; /* what the sanitizer must know of a stack it switches to */
        size_t asan_size;
        void *asan_fake;
        unsigned valgrind_id;
};

/* A fiber with a stack of stack_size bytes and a guard, which will begin in entry(fiber) when it is
 * switched to for the first time; entry must not return. NULL when there is no memory. */
weft__fiber *weft__fiber_new(size_t stack_size, void (*entry)(weft__fiber *));

/* Not while it runs. NULL is fine; returns NULL. */
weft__fiber *weft__fiber_free(weft__fiber *fiber);

/* Make a fiber of what the calling thread runs on now. */
void weft__fiber_init_thread(weft__fiber *fiber);

/* Go from the fiber that runs to another one; returns when somebody switches back. With from_ends
 * the sanitizers are told that nobody will. */
void weft__fiber_switch(weft__fiber *from, weft__fiber *to, bool from_ends);

/* To be called first in entry: completes the switch for the sanitizers. */
void weft__fiber_begins(weft__fiber *fiber);

#endif
