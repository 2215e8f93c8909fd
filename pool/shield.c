/* SPDX-License-Identifier: MIT
 *
 * Sections that are not called off (WEFT_SHIELD in suspend.h).
 *
 * Whether one is open is kept where the task is: in its fiber, so that it travels with the task, or
 * outside pools in the thread. A block puts back what it found, not one less, so that one that was
 * left by longjmp() ends with the block around it, or with the task.
 *
 * What obeys it: weft__wait_begin() shields the wait, weft_cancelled() gives 0, and a group that is
 * opened gets no owner (group.c). The mark of a cancellation stays in the task, so that whatever
 * comes after the block sees it.
 */
#include <weft/suspend.h>

#include "worker.h"

static __attribute__((noinline)) bool *place(void)
{
        static _Thread_local bool outside;
        weft__worker *w = weft__worker_self();
        return w && w->fiber ? &w->fiber->shielded : &outside;
}

bool weft__shielded(void)
{
        return *place();
}

bool weft__shield_exchange(bool shielded)
{
        bool *p = place(), before = *p;
        *p = shielded;
        return before;
}

struct weft__shield weft__shield_begin(void)
{
        return (struct weft__shield){.outer = weft__shield_exchange(true), .once = 1};
}

void weft__shield_end(struct weft__shield *shield)
{
        weft__shield_exchange(shield->outer);
}
