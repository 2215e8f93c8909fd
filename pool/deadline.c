/* SPDX-License-Identifier: MIT
 *
 * The deadline in the context (see deadline.h).
 *
 * The var's value is the deadline itself, as the complement of its ns: no address has its highest
 * bit set, so no deadline is mistaken for the one that says "unset" in a map. Where a pointer is
 * too short for that, the value is a copy of the deadline on the heap, which goes with the binding.
 */
#include "deadline.h"

enum { BOXED = sizeof(void *) < sizeof(int64_t) };

static void box_free(void *box)
{
        weft__free(box, sizeof(int64_t));
}

static const int64_t forever = WEFT_FOREVER;

weft_var weft__deadline_var =
    WEFT_VAR_INIT("weft deadline", .release = BOXED ? box_free : NULL,
                  .fallback = BOXED ? (void *)&forever : (void *)(uintptr_t)~WEFT_FOREVER);

/* false: no memory. */
static bool value_of(int64_t deadline, void **ret_value)
{
        if (!BOXED) {
                *ret_value = (void *)(uintptr_t)~deadline;
                return true;
        }
        int64_t *box = weft__alloc(sizeof(*box));
        if (!box)
                return false;
        *box = deadline;
        *ret_value = box;
        return true;
}

static int64_t deadline_of(void *value)
{
        return BOXED ? *(int64_t *)value : ~(int64_t)(uintptr_t)value;
}

int64_t weft_deadline(void)
{
        return deadline_of(weft_get(&weft__deadline_var));
}

bool weft__deadline_late(const weft_task *task, void *bound)
{
        if (weft__task_is(task, WEFT__JOB | WEFT__CALLBACK))
                return false;
        int64_t deadline = deadline_of(bound);
        return deadline != WEFT_FOREVER && deadline <= weft_now();
}

struct weft__with weft__deadline_begin(int64_t deadline)
{
        int64_t outer = weft_deadline();
        void *value;
        if (deadline > outer)
                deadline = outer;
        if (!value_of(deadline < 0 ? 0 : deadline, &value))
                return (struct weft__with){.var = NULL, .once = 1};
        struct weft__with with = weft__with_begin(&weft__deadline_var, value);
        if (BOXED && !with.var)
                box_free(value);
        return with;
}
