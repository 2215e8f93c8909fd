/* SPDX-License-Identifier: MIT
 *
 * The one way into a pool, whatever the public call.
 */
#ifndef WEFT_POOL_SUBMIT_H
#define WEFT_POOL_SUBMIT_H

#include "task.h"

struct weft__group;

/* Submit a closure in the caller's context, into a group unless that is NULL, with a handle unless
 * ret is NULL. As weft_submit(); or -ECANCELED from a cancelled group. */
int weft__submit(weft_pool *pool, const struct weft__closure *closure, struct weft__group *group,
                 weft_task **ret);

/* Admit a task that is not queued before its time, and takes no room until then: 0, -EOWNERDEAD,
 * -ESHUTDOWN. */
int weft__admit_delayed(weft_pool *pool);

/* Count a task that nobody knows of yet into its group; false if that is cancelled. ret_result is
 * the closure's. */
bool weft__group_join(struct weft__group *group, weft_task *task, int *ret_result);

#endif
