/* SPDX-License-Identifier: MIT
 *
 * Groups (see group.h). Everything is under the group's lock but for cancelling a task, which may
 * run its destructor: the lock is given up for each, and the task kept by a reference.
 */
#include "group.h"

#include "submit.h"
#include "worker.h"

_Static_assert(sizeof(struct weft__group) <= sizeof(weft_group), "weft_group is too small");
_Static_assert(_Alignof(struct weft__group) <= _Alignof(weft_group), "weft_group is misaligned");

static struct weft__group *inside(weft_group *group)
{
        return (struct weft__group *)group;
}

int weft_group_init(weft_group *group, weft_pool *pool)
{
        if (!group)
                return -EINVAL;
        pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        *inside(group) = (struct weft__group){.pool = pool, .generation = pool->generation};
        return 0;
}

/* ---- the lists of tasks ---- */

static void list_add(weft_task **list, weft_task *task)
{
        task->group_before = NULL;
        task->group_next = *list;
        if (*list)
                (*list)->group_before = task;
        *list = task;
}

static void list_remove(weft_task **list, weft_task *task)
{
        if (task->group_before)
                task->group_before->group_next = task->group_next;
        else
                *list = task->group_next;
        if (task->group_next)
                task->group_next->group_before = task->group_before;
}

static weft_task **list_of(struct weft__group *group, weft_task *task)
{
        /* The first of a list has nothing before it; the others need not be told apart. */
        return group->untold == task ? &group->untold : &group->told;
}

bool weft__group_join(struct weft__group *group, weft_task *task)
{
        weft__lock_take(&group->lock);
        bool joined = !group->cancelled;
        if (joined) {
                group->live++;
                task->group = group;
                list_add(&group->untold, task);
        }
        weft__lock_give(&group->lock);
        return joined;
}

void weft__group_left(struct weft__group *group, weft_task *task)
{
        weft__lock_take(&group->lock);
        list_remove(list_of(group, task), task);
        if (--group->live == 0)
                weft__waitlist_wake_all(&group->waiters);
        weft__lock_give(&group->lock); /* the group may be gone from here on */
}

/* ---- cancelling ---- */

static void cancel_all(struct weft__group *group)
{
        for (;;) {
                weft__lock_take(&group->lock);
                weft_task *task = group->untold;
                if (task) {
                        list_remove(&group->untold, task);
                        list_add(&group->told, task);
                        weft_task_ref(task);
                }
                weft__lock_give(&group->lock);
                if (!task)
                        return;
                weft_task_cancel(task);
                weft_task_unref(task);
        }
}

void weft__group_failed(struct weft__group *group, int result)
{
        if (result >= 0)
                return;
        weft__lock_take(&group->lock);
        bool first = !group->cancelled;
        if (first) {
                group->error = result;
                group->cancelled = true;
        }
        weft__lock_give(&group->lock);
        if (first)
                cancel_all(group);
}

int weft_group_cancel(weft_group *public_group)
{
        struct weft__group *group = inside(public_group);
        if (!group)
                return -EINVAL;
        if (group->generation != weft__fork_generation())
                return -EOWNERDEAD;
        weft__lock_take(&group->lock);
        group->cancelled = true;
        group->asked = true;
        group->live++; /* tasks that end meanwhile do not end the group under us */
        weft__lock_give(&group->lock);
        cancel_all(group);
        weft__lock_take(&group->lock);
        if (--group->live == 0)
                weft__waitlist_wake_all(&group->waiters);
        weft__lock_give(&group->lock);
        return 0;
}

/* ---- spawning ---- */

int weft_group_spawn(weft_group *group, weft_fn *fn, void *arg)
{
        const struct weft__closure closure = {.fn = fn, .arg = arg};
        if (!group)
                return -EINVAL;
        return weft__submit(inside(group)->pool, &closure, inside(group), NULL);
}

int weft_group_spawn_closure(weft_group *group, weft_fn *fn, const void *args, size_t size,
                             weft_drop_fn *drop)
{
        const struct weft__closure closure = {
            .fn = fn, .args = args, .size = size, .copies = true, .drop = drop};
        if (!group)
                return -EINVAL;
        return weft__submit(inside(group)->pool, &closure, inside(group), NULL);
}

/* ---- waiting ---- */

static int group_wait(struct weft__group *group, int64_t deadline, bool shielded)
{
        weft__waiter own, *w = weft__wait_begin(&own, shielded);
        int r = 0;
        weft__lock_take(&group->lock);
        if (group->live) {
                weft__waitlist_add(&group->waiters, w);
                weft__lock_give(&group->lock);
                r = weft__wait_error(weft__wait(w, deadline));
                weft__lock_take(&group->lock);
                weft__waitlist_remove(&group->waiters, w);
        }
        if (!group->live)
                r = group->error ? group->error : group->asked ? -ECANCELED : 0;
        weft__lock_give(&group->lock);
        return r;
}

int weft_group_wait(weft_group *group, int64_t deadline)
{
        const weft_task *self = weft__task_self();
        if (!group)
                return -EINVAL;
        if (inside(group)->generation != weft__fork_generation())
                return -EOWNERDEAD;
        if (self && weft__task_group(self) == inside(group))
                return -EDEADLK;
        return group_wait(inside(group), deadline, false);
}

void weft_group_fini(weft_group *public_group)
{
        struct weft__group *group = inside(public_group);
        if (!group || group->generation != weft__fork_generation())
                return;
        /* Without memory for a stack the task cannot wait: what is left is cancelled, which needs
         * none, and the worker is lent to the others meanwhile. */
        for (;;) {
                group_wait(group, WEFT_FOREVER, true);
                weft__lock_take(&group->lock);
                bool over = group->live == 0;
                weft__lock_give(&group->lock);
                if (over)
                        return;
                weft_group_cancel(public_group);
                sched_yield();
        }
}
