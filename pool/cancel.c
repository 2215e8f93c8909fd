/* SPDX-License-Identifier: MIT
 *
 * Cancelling: a task, the groups that it has opened, their tasks, and so on down.
 *
 * Telling a task and taking its groups out of its list is one step under its lock; so a group that
 * it opens meanwhile is in the list, or its opening sees the mark. The groups found are counted
 * into (live), so that they stay, and put into a list of what is left to do, which a loop works
 * off: however deep groups are nested, the stack is not. A group in that list has no owner and
 * takes no task, so that nobody else wants its links.
 *
 * No lock is held while a destructor runs.
 */
#include <weft/suspend.h>

#include "group.h"
#include "probe.h"
#include "worker.h"

/* ---- the owner of a group ---- */

/* Take the lock of a task, which stays, while that of the group is held. The order is the other way
 * round; so if it is not free at once, the group's is given up meanwhile. */
static void lock_too(struct weft__group *group, weft_task *task) WEFT__NEEDS(group->lock)
    WEFT__TAKES(task->lock);

static void lock_too(struct weft__group *group, weft_task *task)
{
        if (weft__lock_try(&task->lock))
                return;
        weft__lock_give(&group->lock);
        weft__lock_take(&task->lock);
        weft__lock_take(&group->lock);
}

static void link_to(struct weft__group *group, weft_task *owner)
{
        group->owner = owner;
        group->owned_before = NULL;
        group->owned_next = owner->opened;
        if (owner->opened)
                owner->opened->owned_before = group;
        owner->opened = group;
}

static void unlink_from(struct weft__group *group, weft_task *owner)
{
        group->owner = NULL;
        if (group->owned_before)
                group->owned_before->owned_next = group->owned_next;
        else
                owner->opened = group->owned_next;
        if (group->owned_next)
                group->owned_next->owned_before = group->owned_before;
}

void weft__group_disown(struct weft__group *group, const weft_task *self)
{
        while (group->owner && !group->live) {
                weft_task *owner = group->owner;
                if (owner != self)
                        weft_task_ref(owner); /* it has not ended yet, but may do so */
                lock_too(group, owner);
                if (group->owner == owner && !group->live)
                        unlink_from(group, owner);
                weft__lock_give(&owner->lock);
                if (owner != self)
                        weft_task_unref(owner);
        }
}

void weft__group_open(struct weft__group *group)
{
        weft_task *opener = weft__task_self();
        if (opener && weft__shielded())
                opener = NULL;
        if (group->owner == opener)
                return;
        if (group->owner)
                weft__group_disown(group, opener);
        if (!opener)
                return;
        opener = weft__task_expose();
        if (!opener)
                return; /* without memory nobody can get a handle of it, to cancel it by */
        lock_too(group, opener);
        if (!group->live && !group->owner && !weft__group_cancelled(group)) {
                /* relaxed, both: under the lock, which the task's end must take from now on */
                if (!(atomic_load_explicit(&opener->state, memory_order_relaxed) & WEFT__ATTENDED))
                        atomic_fetch_or_explicit(&opener->state, WEFT__ATTENDED,
                                                 memory_order_relaxed);
                if (weft__task_cancelled(opener))
                        group->asked = true;
                else
                        link_to(group, opener);
        }
        weft__lock_give(&opener->lock);
}

/* Take the groups of a task, whose lock the caller holds, out of its list. Those that have tasks
 * are cancelled, kept, and put before what is left to do; with NULL for that, they are left alone.
 */
static void take_groups(weft_task *task, struct weft__group **to_do)
{
        struct weft__group *group;
        while ((group = task->opened)) {
                weft__lock_take(&group->lock);
                unlink_from(group, task);
                if (to_do && group->live) {
                        group->asked = true;
                        group->live++;
                        group->owned_next = *to_do;
                        *to_do = group;
                }
                weft__lock_give(&group->lock);
        }
}

void weft__task_disowns(weft_task *task)
{
        take_groups(task, NULL);
}

/* ---- telling ---- */

/* The caller has claimed a task that never ran, and that is in its queue still, with the queue's
 * reference. */
static void end_unrun(weft_task *task)
{
        weft_pool *pool = task->pool;
        weft__worker *self = weft__worker_self();
        bool shared, visits = !self || self->pool != pool;
        struct weft__counts *counts = weft__counts_self(pool, &shared);
        if (visits)
                weft__pool_enter(pool);
        bool waited = weft__task_is(task, WEFT__DELAYED) && weft__delay_remove(task);
        weft__count(&counts->started, shared);
        if (!waited)
                weft__room_freed(pool);
        unsigned generation = weft__fork_generation();
        int result = weft__task_run(task, -ECANCELED);
        WEFT__PROBE_END(task, result);
        weft__end_if_forked(generation, 0); /* others would be called off, which are the parent's */
        weft__task_tell(task, result);
        if (waited)
                weft_task_unref(task);
        counts =
            weft__counts_self(pool, &shared); /* the destructor may have waited, and migrated */
        weft__count(&counts->cancelled, shared);
        weft__pool_check_drained(pool);
        if (visits)
                weft__pool_leave(pool);
}

/* Cancel one task; its groups are put before what is left to do. */
static int tell_task(weft_task *task, struct weft__group **to_do)
{
        /* Under the lock, with ATTENDED: the task cannot end, so its pool and fiber stay. */
        weft__lock_take(&task->lock);
        unsigned state = atomic_fetch_or_explicit(&task->state, WEFT__CANCEL | WEFT__ATTENDED,
                                                  memory_order_seq_cst); /* X1, T3 */
        unsigned phase = state & WEFT__PHASE;
        bool claimed = phase == WEFT__QUEUED && weft__task_claim(task);
        if (!claimed && phase != WEFT__ENDED) {
                weft__fiber *fiber = /* X1: NULL until the task first begins to wait */
                    atomic_load_explicit(&task->fiber, memory_order_seq_cst);
                if (fiber)
                        weft__wake(&fiber->wait, WEFT__CANCELLED);
        }
        take_groups(task, to_do);
        weft__lock_give(&task->lock);
        if (claimed)
                end_unrun(task);
        return phase == WEFT__ENDED ? -EALREADY : 0;
}

/* Cancel the tasks of one group, each kept by a reference meanwhile. */
static void tell_tasks(struct weft__group *group, struct weft__group **to_do)
{
        weft_task *task;
        while ((task = weft__group_next_untold(group))) {
                tell_task(task, to_do);
                weft_task_unref(task);
        }
}

/* Work off what is left to do. */
static void tell_groups(struct weft__group *to_do)
{
        while (to_do) {
                struct weft__group *group = to_do;
                to_do = group->owned_next;
                tell_tasks(group, &to_do);
                weft__group_let_go(group);
        }
}

void weft__group_tell(struct weft__group *group)
{
        struct weft__group *to_do = NULL;
        tell_tasks(group, &to_do);
        tell_groups(to_do);
}

int weft_task_cancel(weft_task *task)
{
        struct weft__group *to_do = NULL;
        if (!task)
                return -EINVAL;
        if (task->born != weft__fork_generation())
                return -EOWNERDEAD;
        int r = tell_task(task, &to_do);
        tell_groups(to_do);
        return r;
}
