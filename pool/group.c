/* SPDX-License-Identifier: MIT
 *
 * Groups (see group.h): their tasks, what they come to, and waiting for it. How a cancellation goes
 * down from a group is in cancel.c. Everything is under the group's lock but for cancelling a task,
 * which may run its destructor.
 */
#include "group.h"

#include <sched.h>

#include "submit.h"
#include "worker.h"

_Static_assert(sizeof(struct weft__group) <= sizeof(weft_group), "weft_group is too small");
_Static_assert(_Alignof(struct weft__group) <= _Alignof(weft_group), "weft_group is misaligned");

static struct weft__group *inside(weft_group *group)
{
        return (struct weft__group *)group;
}

int weft_group_init_until(weft_group *group, weft_pool *pool, weft_group_until until)
{
        if (!group || until > WEFT_FIRST_SUCCESS)
                return -EINVAL;
        pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        *inside(group) =
            (struct weft__group){.pool = pool, .generation = pool->generation, .until = until};
        weft__lock_init(&inside(group)->lock, WEFT__RANK_GROUP);
        return 0;
}

int weft_group_init(weft_group *group, weft_pool *pool)
{
        return weft_group_init_until(group, pool, WEFT_ALL_DONE);
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

/* ---- the tasks come and go ---- */

bool weft__group_join(struct weft__group *group, weft_task *task, int *ret_result)
{
        if (ret_result)
                task->ret_result = ret_result;
        weft__lock_take(&group->lock);
        if (!group->live && !weft__group_cancelled(group))
                weft__group_open(group);
        bool joined = !weft__group_cancelled(group);
        if (joined) {
                group->live++;
                task->group = group;
                list_add(&group->untold, task);
        }
        weft__lock_give(&group->lock);
        return joined;
}

static void leave(struct weft__group *group) WEFT__GIVES(group->lock);

static void leave(struct weft__group *group)
{
        if (--group->live == 0)
                weft__waitlist_wake_all(&group->waiters);
        weft__lock_give(&group->lock); /* the group may be gone from here on */
}

void weft__group_left(struct weft__group *group, weft_task *task)
{
        weft__lock_take(&group->lock);
        list_remove(list_of(group, task), task);
        leave(group);
}

void weft__group_let_go(struct weft__group *group)
{
        weft__lock_take(&group->lock);
        leave(group);
}

weft_task *weft__group_next_untold(struct weft__group *group)
{
        weft__lock_take(&group->lock);
        weft_task *task = group->untold;
        if (task) {
                list_remove(&group->untold, task);
                list_add(&group->told, task);
                weft_task_ref(task);
        }
        weft__lock_give(&group->lock);
        return task;
}

void weft__group_judge(struct weft__group *group, int result)
{
        weft_group_until until = group->until;
        weft__lock_take(&group->lock);
        bool counts = !weft__group_cancelled(group);
        bool decides =
            counts && (until == WEFT_FIRST_DONE || (result >= 0) == (until == WEFT_FIRST_SUCCESS));
        if (decides || (counts && !group->outcome))
                group->outcome = result;
        group->decided |= decides;
        weft__lock_give(&group->lock);
        if (decides)
                weft__group_tell(group);
}

int weft_group_cancel(weft_group *public_group)
{
        struct weft__group *group = inside(public_group);
        if (!group)
                return -EINVAL;
        if (group->generation != weft__fork_generation())
                return -EOWNERDEAD;
        weft__lock_take(&group->lock);
        group->asked = true;
        group->live++; /* tasks that end meanwhile do not end the group under us */
        weft__lock_give(&group->lock);
        weft__group_tell(group);
        weft__group_let_go(group);
        return 0;
}

/* ---- spawning ---- */

/* In the child of a fork the pool may have been destroyed there. */
static int spawn(struct weft__group *group, const struct weft__closure *closure)
{
        if (group->generation != weft__fork_generation())
                return -EOWNERDEAD;
        return weft__submit(group->pool, closure, group, NULL);
}

WEFT__TELLS_PLACE int weft_group_spawn(weft_group *group, weft_fn *fn, void *arg)
{
        const struct weft__closure closure = {.fn = fn, .arg = arg, .site = WEFT__CALLED_FROM};
        return group ? spawn(inside(group), &closure) : -EINVAL;
}

WEFT__TELLS_PLACE int weft_group_spawn_into(weft_group *group, int *ret_result, weft_fn *fn,
                                            void *arg)
{
        const struct weft__closure closure = {.fn = fn,
                                              .arg = arg,
                                              .flags = WEFT__RESULT,
                                              .ret_result = ret_result,
                                              .site = WEFT__CALLED_FROM};
        return group && ret_result ? spawn(inside(group), &closure) : -EINVAL;
}

WEFT__TELLS_PLACE int weft_group_spawn_closure(weft_group *group, weft_fn *fn, const void *args,
                                               size_t size, weft_drop_fn *drop)
{
        const struct weft__closure closure =
            weft__closure_of_copy(fn, args, size, drop, WEFT__CALLED_FROM);
        return group ? spawn(inside(group), &closure) : -EINVAL;
}

/* ---- waiting ---- */

/* What a group without tasks has come to. */
static int outcome_of(const struct weft__group *group)
{
        if (group->decided)
                return group->outcome;
        if (group->asked)
                return -ECANCELED;
        if (group->until == WEFT_ALL_DONE)
                return 0;
        return group->outcome ? group->outcome : -ENOENT;
}

/* Wait until no task is left. The caller holds the group's lock, and holds it afterwards. */
static int group_wait(struct weft__group *group, const weft_task *self, weft__waiter *w,
                      int64_t deadline) WEFT__NEEDS(group->lock);

static int group_wait(struct weft__group *group, const weft_task *self, weft__waiter *w,
                      int64_t deadline)
{
        int r = 0;
        if (group->live)
                r = weft__wait_in(&group->waiters, &group->lock,
                                  weft__wait_is_on(w, WEFT__ON_GROUP, group), deadline);
        if (!group->live) {
                r = outcome_of(group);
                if (group->owner)
                        weft__group_disown(group, self);
        }
        return r;
}

int weft_group_wait(weft_group *public_group, int64_t deadline)
{
        struct weft__group *group = inside(public_group);
        const weft_task *self = weft__task_self();
        if (!group)
                return -EINVAL;
        if (group->generation != weft__fork_generation())
                return -EOWNERDEAD;
        if (self && weft__task_group(self) == group)
                return -EDEADLK;
        weft__waiter own, *w = weft__wait_begin(&own, false);
        weft__lock_take(&group->lock);
        int r = group_wait(group, self, w, deadline);
        weft__lock_give(&group->lock);
        return r;
}

void weft_group_fini(weft_group *public_group)
{
        struct weft__group *group = inside(public_group);
        const weft_task *self = weft__task_self();
        if (!group || group->generation != weft__fork_generation())
                return;
        weft__lock_take(&group->lock);
        bool over = !group->live && !group->owner; /* as a wait has left it */
        weft__lock_give(&group->lock);
        /* A cancellation of the task alone has come to the group already, and ends only the first
         * wait; one of the task's pool comes from here. */
        for (bool shielded = false; !over; shielded = true) {
                weft__waiter own, *w = weft__wait_begin(&own, shielded);
                weft__lock_take(&group->lock);
                int r = group_wait(group, self, w, WEFT_FOREVER);
                over = !group->live;
                bool ours = group->owner && group->owner == self;
                weft__lock_give(&group->lock);
                /* Without memory for a stack the task cannot wait: what is left is cancelled, which
                 * needs none, and the worker is lent to the others meanwhile. */
                if (!over && (r == -ENOMEM || (r == -ECANCELED && ours)))
                        weft_group_cancel(public_group);
                if (!over && r == -ENOMEM)
                        sched_yield();
        }
}
