/* SPDX-License-Identifier: MIT
 *
 * Groups: tasks that end together (structured concurrency).
 *
 *   weft_group g;
 *   weft_group_init(&g, pool);
 *   for (size_t i = 0; i < n; i++)
 *           weft_group_spawn(&g, fetch, &item[i]);
 *   int err = weft_group_wait(&g, WEFT_FOREVER);     // 0, or the first error
 *   weft_group_fini(&g);
 *
 * The first task to return an error cancels the others: those that have not started end with
 * -ECANCELED, those that run see weft_cancelled(). A task that ends because of that adds no error
 * of its own. (weft_group_init_until() has other ways for a group to end.) A group may be used from
 * several threads and tasks at once, by its own tasks too (which may spawn into it but must not
 * wait for it). It does not end before its tasks: weft_group_fini() waits for them, and is to be
 * called on every way out.
 *
 * Cancellation goes down. A group belongs to the task that opens it, that is, makes the first spawn
 * into it while it has no tasks. When that task is cancelled the group is, as if by
 * weft_group_cancel(), and so are the groups that its tasks have opened, and so on; so its
 * weft_group_fini() need not wait for long. If the task has been cancelled before it opens the
 * group, the group is cancelled then. A group that is opened outside tasks, or inside a WEFT_SHIELD
 * block, belongs to nobody, nor does one whose owner has ended. (Where tasks that have nothing to
 * do with each other share a group, open it so, or the first of them takes it with it.)
 *
 * Happens-before: what the group's tasks did happens before the return of a weft_group_wait() that
 * does not return -ETIMEDOUT, and of weft_group_fini().
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* In the caller's storage; not to be moved or copied while it is in use. Private. */
typedef struct weft_group {
        uint64_t weft__private[16];
} weft_group;

/* When a group has what it is there for. The rest is cancelled then, and what it returns does not
 * count. */
typedef enum weft_group_until {
        WEFT_ALL_DONE = 0,   /* all tasks have ended, or one with an error */
        WEFT_FIRST_DONE = 1, /* one task has ended, whatever its result: what to wait for first */
        WEFT_FIRST_SUCCESS = 2, /* one task has ended with 0 or more; errors cancel nobody */
} weft_group_until;

/* weft_group_init - make ready, for WEFT_ALL_DONE. The pool is where its tasks will run, NULL as in
 * pool.h. 0; -EINVAL: group is NULL; -ENOMEM: there is no default pool. Never blocks. Since 0.1. */
WEFT_API int weft_group_init(weft_group *group, weft_pool *pool);

/* weft_group_init_until - make ready for one of the ways to end. As weft_group_init(); -EINVAL
 * also: there is no such way. Since 0.1. */
WEFT_API int weft_group_init_until(weft_group *group, weft_pool *pool, weft_group_until until);

/* weft_group_spawn - run fn(arg) as a task of the group, in the caller's context.
 *
 * 0; or as weft_submit(); or -ECANCELED: the group was cancelled, by weft_group_cancel(), by the
 * result of one of its tasks, or with the task that it belongs to. Any thread; never blocks (but
 * for WEFT_BLOCK). Since 0.1. */
WEFT_API int weft_group_spawn(weft_group *group, weft_fn *fn, void *arg);

/* weft_group_spawn_closure - as weft_submit_closure(), into the group. Since 0.1. */
WEFT_API int weft_group_spawn_closure(weft_group *group, weft_fn *fn, const void *args, size_t size,
                                      weft_drop_fn *drop);

/* weft_group_spawn_into - as weft_group_spawn(), and the task's result is stored in *ret_result
 * when it ends, before the group can be done with it: what fn returned, or of a task that never ran
 * what it ended with instead, such as -ECANCELED. So the results of an array of tasks are in the
 * order of the caller's array, however the group ends. If this fails nothing is stored. -EINVAL
 * also: ret_result is NULL. Since 0.1. */
WEFT_API int weft_group_spawn_into(weft_group *group, int *ret_result, weft_fn *fn, void *arg);

/* weft_group_wait - wait until no task of the group is left.
 *
 * Returns the result that has decided: the first error of WEFT_ALL_DONE, the first result of
 * WEFT_FIRST_DONE, the first of 0 or more of WEFT_FIRST_SUCCESS. If there was none: -ECANCELED if
 * the group was cancelled, by weft_group_cancel() or with the task that it belongs to; else 0 for
 * WEFT_ALL_DONE; else the first error, of tasks that have all failed; else -ENOENT: there was no
 * task. The group stays as it is: cancelled groups stay cancelled, others may spawn again.
 * -ETIMEDOUT: the deadline passed first; -ECANCELED also if the calling task was cancelled: then
 * tasks may be left, and weft_group_fini() waits for them. -EDEADLK: called by a task of the group;
 * -ENOMEM: as weft_await(); -EOWNERDEAD: a group of the parent, in a forked child; -EINVAL: NULL.
 * Parks or blocks. Since 0.1. */
WEFT_API int weft_group_wait(weft_group *group, int64_t deadline);

/* weft_group_cancel - cancel the group's tasks, and refuse new ones. 0; -EINVAL: NULL; -EOWNERDEAD:
 * as weft_group_wait(). Runs the destructors of tasks that have not started, as weft_task_cancel()
 * does. Never blocks. Since 0.1. */
WEFT_API int weft_group_cancel(weft_group *group);

/* weft_group_fini - wait for the tasks that are left, whatever it takes: neither cancellation nor
 * an error ends this wait. (To be quick, cancel first; if the task that the group belongs to has
 * been cancelled, that is done. So it is if no stack can be had for the worker to go on with while
 * the calling task waits, since then the others might never begin.) After it the storage is the
 * caller's again; NULL is fine. The pool may have been destroyed before, since that waits for the
 * tasks as well. Returns at once in a forked child. Not to be called by a task of the group. Parks
 * or blocks. Since 0.1. */
WEFT_API void weft_group_fini(weft_group *group);

WEFT_END_DECLS

#endif
