/* SPDX-License-Identifier: MIT
 *
 * An atomic operation with another order than the source has, to see whether a model notices
 * (tests/model/weaken). An operation is known by an address in the instruction that calls it; one
 * of an inlined function has several.
 *
 *   --weaken ORDER@ADDRESS,ADDRESS...
 *
 * ORDER is relaxed, acquire, release or acq_rel, and for a fence none; after "not-", it is that of
 * an exchange that is not done.
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

int order_at(const void *site, int order, bool if_not)
{
        if (mc->notes_sites)
                note(site);
        if (if_not == mc->weakened.if_not)
                for (unsigned i = 0; i < mc->weakened.n; i++)
                        if (mc->weakened.site[i] == site)
                                return mc->weakened.order;
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

bool weaken(const char *what)
{
        static const char otherwise[] = "not-";
        mc->weakened.if_not = !strncmp(what, otherwise, sizeof(otherwise) - 1);
        if (mc->weakened.if_not)
                what += sizeof(otherwise) - 1;
        size_t name = strcspn(what, "@");
        mc->weakened.order = order_named(what, name);
        if (mc->weakened.order == NO_FENCE && strncmp(what, "none", name) != 0)
                return false;
        for (what += name; *what == '@' || *what == ',';) {
                char *end;
                if (mc->weakened.n == WEAKENED)
                        return false;
                mc->weakened.site[mc->weakened.n++] = (const char *)strtoul(what + 1, &end, 16) + 1;
                what = end;
        }
        mc->minds_sites = true;
        return !*what && mc->weakened.n;
}
