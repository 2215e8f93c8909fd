/* SPDX-License-Identifier: MIT
 *
 * Waiting: one waiter for each fiber (or, on the stack, for a thread outside pools), lists of them,
 * and the handshake that cannot lose a wake-up.
 *
 *   weft__waiter *w = weft__wait_begin(&mine);   from here on a wake-up is remembered
 *   …link w to whatever will wake it, under that thing's lock…
 *   reason = weft__wait(w, deadline);            parks or blocks
 *   …unlink w, under the same lock, if it is linked still…
 *
 * The state of a waiter goes ARMED -> PARKED -> WOKEN + reason, or ARMED -> WOKEN + reason. Whoever
 * makes it WOKEN (once, by compare-and-swap) has woken it, and gives the reason. PARKED is written
 * after the switch, on the stack of the fiber that goes on (park.c): who then sees PARKED may
 * resume the fiber at once, since nothing runs on it any more. Who sees ARMED leaves the rest to
 * the one who is about to write PARKED, and will fail to.
 *
 * A waker must not touch the waiter after its compare-and-swap succeeded on ARMED; after PARKED it
 * owns the fiber until it has handed it to its worker.
 */
#ifndef WEFT_POOL_WAIT_H
#define WEFT_POOL_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lock.h"
#include "timer.h"

struct weft__fiber;

enum weft__wake {
        WEFT__IDLE = 0, /* waits for nothing */
        WEFT__ARMED,
        WEFT__PARKED,
        WEFT__WOKEN, /* and the reasons: */
        WEFT__DONE = WEFT__WOKEN,
        WEFT__TIMEDOUT,
        WEFT__CANCELLED,
        WEFT__NO_STACK, /* there was none to go on with; nothing was waited for */

        WEFT__SHIELD = 16, /* beside ARMED and PARKED: cancellation does not wake it */
};

/* What is waited for: for whoever looks at those who wait (see.h), and for nobody else. */
enum weft__on {
        WEFT__ON_NOTHING = 0,
        WEFT__ON_TIME,
        WEFT__ON_TASK, /* its end */
        WEFT__ON_GROUP,
        WEFT__ON_MUTEX,
        WEFT__ON_SEMAPHORE,
        WEFT__ON_EVENT,
        WEFT__ON_SENDING, /* room in a channel */
        WEFT__ON_RECEIVING,
        WEFT__ON_FD, /* the number is the address */
        WEFT__ON_BLOCKING,
        WEFT__ON_ROOM,     /* in a bounded pool */
        WEFT__ON_SHUTDOWN, /* of a pool */
};

typedef struct weft__waiter weft__waiter;
struct weft__waiter {
        atomic_uint state;
        bool linked;               /* under the lock of the list */
        unsigned char on;          /* of enum weft__on; by whoever waits, as is */
        const void *what;          /* what is waited for */
        struct weft__fiber *fiber; /* NULL: a thread that blocks on the state */
        weft__waiter *next, *before;
        weft__timer timer;
};

/* First in, first out. Guarded by its owner's lock. */
typedef struct weft__waitlist {
        weft__waiter *first, *last;
} weft__waitlist;

void weft__waitlist_add(weft__waitlist *list, weft__waiter *w);
void weft__waitlist_remove(weft__waitlist *list, weft__waiter *w); /* if it is linked */
bool weft__waitlist_wake_one(weft__waitlist *list);                /* false: nobody waited */
void weft__waitlist_wake_all(weft__waitlist *list);

/* Begin to wait: the waiter of the fiber, or *own on a thread outside pools. With shielded,
 * or in a WEFT_SHIELD block, cancellation of the task does not end the wait. */
weft__waiter *weft__wait_begin(weft__waiter *own, bool shielded);

/* Whether the caller is in a WEFT_SHIELD block: the task, or outside tasks the thread. */
bool weft__shielded(void);

/* Begin or end being so; returns how it was. For what runs something else in between. */
bool weft__shield_exchange(bool shielded);

/* In a task: make sure that the next wait of it has a stack to go on with: 0 or -ENOMEM. For waits
 * that must not fail once others count on them. */
int weft__wait_ready(void);

/* Say what the wait is for, before it. */
static inline weft__waiter *weft__wait_is_on(weft__waiter *w, enum weft__on on, const void *what)
{
        w->on = (unsigned char)on;
        w->what = what;
        return w;
}

/* Wait until woken; the reason. */
enum weft__wake weft__wait(weft__waiter *w, int64_t deadline);

/* Wait in a list, whose lock the caller holds, having begun before it took that: it is given up
 * meanwhile and taken again, whatever the reason, since whoever woke us holds it still, and the
 * list may be in storage that is the caller's to free. 0, or what the wait returns. */
int weft__wait_in(weft__waitlist *list, weft__lock *lock, weft__waiter *w, int64_t deadline)
    WEFT__NEEDS(*lock);

/* The wait of a thread outside pools. */
enum weft__wake weft__wait_thread(weft__waiter *w, int64_t deadline);

/* Whether the state of a waiter is the reason of its end. */
static inline bool weft__wait_over(unsigned state)
{
        return !(state & WEFT__SHIELD) && state >= WEFT__WOKEN;
}

/* 0, or what a wait that ended so returns. */
int weft__wait_error(enum weft__wake reason);

/* Wake a waiter, for a reason, if it is still waiting: whether this call did it. Any thread. */
bool weft__wake(weft__waiter *w, enum weft__wake reason);

#if defined(WEFT_TEST_HOOKS)
/* In test builds: if set, called as each wait comes to these points, so that a test can have a
 * wake-up fall between two of them. At SWITCH and PARKED it runs on the stack that goes on, with no
 * lock held, and the waiter of PARKED is no longer the caller's to look into. It must not wait.
 * Read with no synchronisation: set it while one thread is at work. */
enum weft__wait_point {
        WEFT__AT_BEGIN,  /* ARMED; not linked to anything yet */
        WEFT__AT_WAIT,   /* linked, about to park or block */
        WEFT__AT_SWITCH, /* a task: its stack is left, PARKED is not written yet */
        WEFT__AT_PARKED, /* a task: PARKED is written */
        WEFT__AT_BLOCK,  /* a thread outside pools: about to block on the state */
};
extern void (*weft__wait_hook)(enum weft__wait_point point, const weft__waiter *w);
#define WEFT__WAIT_AT(point, w) (weft__wait_hook ? weft__wait_hook(point, w) : (void)0)
#else
#define WEFT__WAIT_AT(point, w) ((void)0)
#endif

#endif
