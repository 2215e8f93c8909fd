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
 * of its own. A group may be used from several threads and tasks at once, by its own tasks too
 * (which may spawn into it but must not wait for it). It does not end before its tasks:
 * weft_group_fini() waits for them.
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

/* weft_group_init - make ready. The pool is where its tasks will run, NULL as in pool.h. 0;
 * -EINVAL: group is NULL; -ENOMEM: there is no default pool. Never blocks. Since 0.1. */
WEFT_API int weft_group_init(weft_group *group, weft_pool *pool);

/* weft_group_spawn - run fn(arg) as a task of the group, in the caller's context.
 *
 * 0; or as weft_submit(); or -ECANCELED: the group was cancelled, by weft_group_cancel() or by an
 * error of one of its tasks. Any thread; never blocks (but for WEFT_BLOCK). Since 0.1. */
WEFT_API int weft_group_spawn(weft_group *group, weft_fn *fn, void *arg);

/* weft_group_spawn_closure - as weft_submit_closure(), into the group. Since 0.1. */
WEFT_API int weft_group_spawn_closure(weft_group *group, weft_fn *fn, const void *args, size_t size,
                                      weft_drop_fn *drop);

/* weft_group_wait - wait until no task of the group is left.
 *
 * Returns the first error that a task returned; else -ECANCELED if weft_group_cancel() was called;
 * else 0. The group stays as it is: cancelled groups stay cancelled, others may spawn again.
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
 * an error ends this wait. (To be quick, cancel first.) After it the storage is the caller's again;
 * NULL is fine. The pool may have been destroyed before, since that waits for the tasks as well.
 * Returns at once in a forked child. Not to be called by a task of the group. Parks or blocks.
 * Since 0.1. */
WEFT_API void weft_group_fini(weft_group *group);

WEFT_END_DECLS

#endif
