/* SPDX-License-Identifier: MIT
 *
 * A group from inside, as the end of a task sees it.
 *
 * The group lies in its user's storage, which is the user's again when the last task has left and a
 * wait has returned. So a task that ends first does all that needs the group (recording an error,
 * cancelling the rest) while it is still counted, and leaves last, under the lock, which the waiter
 * takes before it returns.
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
        int error;         /* the first that a task returned; 0 for none */
        bool cancelled;    /* no new tasks; those there are have been, or are being, told */
        bool asked;        /* by weft_group_cancel() */
        size_t live;       /* tasks that have not left */
        weft_task *untold; /* tasks that have not been cancelled, linked by group_next */
        weft_task *told;   /* those that have */
        weft__waitlist waiters;
} __attribute__((may_alias)); /* weft_group's storage */

/* A task of the group ends with result: if that is the first error, cancel the others. */
void weft__group_failed(struct weft__group *group, int result);

/* The task is done with the group, which may be gone afterwards. */
void weft__group_left(struct weft__group *group, weft_task *task);

#endif
