/* SPDX-License-Identifier: MIT
 *
 * A group from inside, as the end of a task and a cancellation see it.
 *
 * The group lies in its user's storage, which is the user's again when the last task has left and a
 * wait has returned. So a task that ends first does all that needs the group (recording its result,
 * cancelling the rest) while it is still counted, and leaves last, under the lock, which the waiter
 * takes before it returns. A canceller counts itself in as well.
 *
 * The owner is the task that has opened the group: that has spawned into it while it had no tasks.
 * The group is in that task's list `opened`, so that it is cancelled with it, until a wait finds no
 * task left, somebody else opens it, the owner is cancelled, or ends. So the owner outlives the
 * link, and nobody needs to keep it. A group that is cancelled gets no owner any more.
 *
 * Locks: the owner's comes before the group's. Whoever has only the group's tries the owner's.
 */
#ifndef WEFT_POOL_GROUP_H
#define WEFT_POOL_GROUP_H

#include <weft/group.h>

#include "lock.h"
#include "task.h"
#include "wait.h"

struct weft__group {
        weft_pool *pool;     /* may be gone when no task is left */
        unsigned generation; /* the pool's */
        weft__lock lock;
        int outcome; /* if decided, the result that did it; else the first error that did not */
        weft_group_until until;
        bool decided;      /* by the result of a task, which has cancelled the others */
        bool asked;        /* cancelled by weft_group_cancel(), or with the owner */
        size_t live;       /* tasks that have not left, and cancellers at work */
        weft_task *untold; /* tasks that have not been cancelled, linked by group_next */
        weft_task *told;   /* those that have */
        weft__waitlist waiters;
        weft_task *owner;                              /* or NULL; under both locks */
        struct weft__group *owned_next, *owned_before; /* under the owner's lock; without an owner,
                                                          owned_next: the next to be cancelled */
} __attribute__((may_alias));                          /* weft_group's storage */

/* No new tasks; those there are have been, or are being, told. Under the lock. */
static inline bool weft__group_cancelled(const struct weft__group *group)
{
        return group->decided || group->asked;
}

/* ---- group.c ---- */

/* A task of the group has ended with a result that may decide: if so, cancel the others. */
void weft__group_judge(struct weft__group *group, int result);

/* A task of the group has ended with result. */
static inline void weft__group_ended(struct weft__group *group, int result)
{
        if (result < 0 || group->until != WEFT_ALL_DONE)
                weft__group_judge(group, result);
}

/* The task is done with the group, which may be gone afterwards. */
void weft__group_left(struct weft__group *group, weft_task *task);

/* A task that has not been told that the group is cancelled, counted as told, with a reference for
 * the caller; NULL: there is none. */
weft_task *weft__group_next_untold(struct weft__group *group);

/* Whoever was counted in live beside the tasks is done with the group. */
void weft__group_let_go(struct weft__group *group);

/* ---- cancel.c ---- */

/* A group that is cancelled tells its tasks, and what they have opened, and so on down. The caller
 * is counted in live. */
void weft__group_tell(struct weft__group *group);

/* The caller spawns into a group that has no tasks, and holds its lock, which may be given up
 * meanwhile: let it be the owner. If it has been cancelled, the group is. */
void weft__group_open(struct weft__group *group) WEFT__NEEDS(group->lock);

/* The group, whose lock the caller holds, has no owner from now on, unless it has tasks again: the
 * lock may be given up meanwhile. self is the task that calls, or NULL. */
void weft__group_disown(struct weft__group *group, const weft_task *self) WEFT__NEEDS(group->lock);

#endif
