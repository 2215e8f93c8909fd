/* SPDX-License-Identifier: MIT
 *
 * The deadline in the context (WEFT_DEADLINE in suspend.h), from inside.
 *
 * It is a var as any other, so that it goes wherever contexts go. Until the first WEFT_DEADLINE of
 * the process the var has no key, and that is all that anybody looks at. Afterwards it costs a
 * look-up for each wait and each start of a task, and the clock is read only if it finds something.
 */
#ifndef WEFT_POOL_DEADLINE_H
#define WEFT_POOL_DEADLINE_H

#include <weft/suspend.h>

#include "task.h"

extern weft_var weft__deadline_var;

/* Whether a deadline was ever bound in this process. */
static inline bool weft__deadline_ever(void)
{
        /* relaxed: whoever has a context that binds one has it from a thread that saw the key, or
         * gave it */
        return __atomic_load_n(&weft__deadline_var.weft__key, __ATOMIC_RELAXED);
}

/* When a wait of the caller's ends: at its own deadline, or earlier at that of the context, but for
 * a shielded one. */
static inline int64_t weft__deadline_for(bool shielded, int64_t deadline)
{
        if (shielded || !weft__deadline_ever())
                return deadline;
        int64_t bound = weft_deadline();
        return bound < deadline ? bound : deadline;
}

/* Whether the deadline of the current context has passed. */
static inline bool weft__deadline_passed(void)
{
        int64_t bound = weft__deadline_for(false, WEFT_FOREVER);
        return bound != WEFT_FOREVER && bound <= weft_now();
}

/* Whether the deadline that the context of a task binds has passed, and the task, which is about to
 * start, is one that is then not to be run. */
bool weft__deadline_late(const weft_task *task, void *bound);

/* Whether a task that is about to start is not to be run, since the deadline of its context has
 * passed. Never for jobs, whose parent counts on them, and for callbacks, which tell somebody of an
 * end. */
static inline bool weft__deadline_missed(const weft_task *task)
{
        if (!weft__deadline_ever())
                return false;
        void *bound = weft__context_get(task->context, &weft__deadline_var);
        return bound != weft__deadline_var.fallback && weft__deadline_late(task, bound);
}

#endif
