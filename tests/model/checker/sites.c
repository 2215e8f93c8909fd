/* SPDX-License-Identifier: MIT
 *
 * An atomic operation with another order than the source has, to see whether a model notices
 * (tests/model/weaken). An operation is known by an address in the instruction that calls it; one
 * of an inlined function has several.
 *
 *   --weaken ORDER@ADDRESS,ADDRESS...[/ORDER@ADDRESS...]...
 *
 * ORDER is relaxed, acquire, release or acq_rel, and for a fence none; after "not-", it is that of
 * an exchange that is not done. What is named with several has what is left of all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"

static void note(const void *site)
{
        unsigned k = (unsigned)((uintptr_t)site * 2654435761u >> 7) % NOTED;
        for (unsigned i = 0; mc->noted[k] != site; k = (k + 1) % NOTED) {
                if (!mc->noted[k]) {
                        mc->noted[k] = site;
                        return;
                }
                if (++i == NOTED)
                        model_fail("too many atomic operations in the program");
        }
}

/* What two orders have in common. */
static int both(int a, int b)
{
        bool acquire = acquires(a) && acquires(b), release = releases(a) && releases(b);
        if (a == NO_FENCE || b == NO_FENCE)
                return NO_FENCE;
        if (acquire && release)
                return a == b ? a : __ATOMIC_ACQ_REL;
        return acquire ? __ATOMIC_ACQUIRE : release ? __ATOMIC_RELEASE : __ATOMIC_RELAXED;
}

int order_at(const void *site, int order, bool if_not)
{
        if (mc->notes_sites)
                note(site);
        for (const struct weakened *w = mc->weakened; w < mc->weakened + mc->weakenings; w++)
                if (w->site == site && w->if_not == if_not)
                        order = both(order, w->order);
        return order;
}

void note_sites(void)
{
        mc->notes_sites = mc->minds_sites = true;
}

void tell_sites(const char *model)
{
        for (unsigned k = 0; k < NOTED; k++) {
                if (mc->noted[k])
                        printf("site %s %p\n", model,
                               (const void *)((const char *)mc->noted[k] - 1));
                mc->noted[k] = NULL;
        }
}

static int order_named(const char *name, size_t length)
{
        static const int orders[] = {__ATOMIC_RELAXED, __ATOMIC_ACQUIRE, __ATOMIC_RELEASE,
                                     __ATOMIC_ACQ_REL};
        for (unsigned i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
                if (strlen(order_name(orders[i])) == length &&
                    !strncmp(order_name(orders[i]), name, length))
                        return orders[i];
        return NO_FENCE;
}

/* One order, and where; what comes behind that, or NULL. */
static const char *weaken_some(const char *what)
{
        static const char otherwise[] = "not-";
        bool if_not = !strncmp(what, otherwise, sizeof(otherwise) - 1);
        if (if_not)
                what += sizeof(otherwise) - 1;
        size_t name = strcspn(what, "@");
        int order = order_named(what, name);
        if (what[name] != '@' || (order == NO_FENCE && strncmp(what, "none", name) != 0))
                return NULL;
        for (what += name; *what == '@' || *what == ',';) {
                char *end;
                if (mc->weakenings == WEAKENED)
                        return NULL;
                mc->weakened[mc->weakenings++] =
                    (struct weakened){(const char *)strtoul(what + 1, &end, 16) + 1, order, if_not};
                what = end;
        }
        return what;
}

bool weaken(const char *what)
{
        mc->minds_sites = true;
        while ((what = weaken_some(what)) && *what == '/')
                what++;
        return what && !*what;
}
