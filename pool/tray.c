/* SPDX-License-Identifier: MIT
 *
 * The tray (see tray.h).
 */
#include "tray.h"

void weft__tray_fill(weft__tray *t, const weft__item *items, unsigned n)
{
        /* relaxed: the owner is the only writer */
        uint64_t end = atomic_load_explicit(&t->end, memory_order_relaxed);
        for (unsigned i = 0; i < n; i++) {
                /* relaxed, all: Y1 publishes them; a thief that reads them meanwhile is too late,
                 * and will see that by `next` */
                atomic_store_explicit(&t->slot[(end + i) % WEFT__TRAY].fn, items[i].fn,
                                      memory_order_relaxed); /* relaxed: as above */
                atomic_store_explicit(&t->slot[(end + i) % WEFT__TRAY].arg, items[i].arg,
                                      memory_order_relaxed); /* relaxed: as above */
                atomic_store_explicit(&t->slot[(end + i) % WEFT__TRAY].context, items[i].context,
                                      memory_order_relaxed); /* relaxed: as above */
        }
        atomic_store_explicit(&t->end, end + n, memory_order_release); /* Y1 -> take */
}

static weft__item item_at(const weft__tray *t, uint64_t at)
{
        /* relaxed, all: whether they are what they seem the compare-and-swap decides */
        return (weft__item){
            atomic_load_explicit(&t->slot[at % WEFT__TRAY].fn, memory_order_relaxed),
            atomic_load_explicit(&t->slot[at % WEFT__TRAY].arg, memory_order_relaxed),
            atomic_load_explicit(&t->slot[at % WEFT__TRAY].context, memory_order_relaxed)};
}

/* One try, from what next was: true if it was taken; else *next is what it is now. */
static bool try(weft__tray *t, uint64_t *next, weft__item *ret_item)
{
        weft__item item = item_at(t, *next);
        if (!atomic_compare_exchange_strong_explicit(&t->next, next, *next + 1,
                                                     memory_order_release,  /* Y2, Y3 -> */
                                                     memory_order_acquire)) /* -> Y2 */
                return false;
        *ret_item = item;
        return true;
}

bool weft__tray_take(weft__tray *t, weft__item *ret_item)
{
        /* an owner that sees it empty fills the slots anew */
        uint64_t next = atomic_load_explicit(&t->next, memory_order_acquire); /* -> Y2 */
        /* relaxed: the owner's own */
        while (next != atomic_load_explicit(&t->end, memory_order_relaxed))
                if (try(t, &next, ret_item))
                        return true;
        return false;
}

bool weft__tray_steal(weft__tray *t, weft__item *ret_item)
{
        /* With an old one the exchange fails; beside a new one `end` must not be an old one. */
        uint64_t next = atomic_load_explicit(&t->next, memory_order_acquire); /* -> Y3 */
        uint64_t end = atomic_load_explicit(&t->end, memory_order_acquire);   /* -> Y1 */
        return next != end && try(t, &next, ret_item);
}

void weft__tray_look(const weft__tray *t, void (*visit)(const weft__item *item, void *arg),
                     void *arg)
{
        /* relaxed, both: nothing else runs */
        uint64_t next = atomic_load_explicit(&t->next, memory_order_relaxed);
        uint64_t end = atomic_load_explicit(&t->end, memory_order_relaxed); /* relaxed: same */
        for (; next != end && end - next <= WEFT__TRAY; next++) {
                weft__item item = item_at(t, next);
                visit(&item, arg);
        }
}
