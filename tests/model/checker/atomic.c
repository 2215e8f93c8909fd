/* SPDX-License-Identifier: MIT
 *
 * Atomic operations, as C11 has them, with these restrictions: a store comes last in the order of
 * its object when it is made (so the stores of an object are in the order of the execution), and a
 * load reads what was stored already. What is left:
 *
 *   a load may read any store but those that are older than one which it must have seen: which
 *   happened before it, or was read or written by what happened before it, or which full fences and
 *   seq_cst make it see;
 *   a read-modify-write reads the newest; one that fails is a load;
 *   an acquiring load of a releasing store, or of what read-modify-writes made of that, makes all
 *   before the store happen before what follows the load; and so with fences on one side or both.
 *
 * Release sequences are those of C++20, without later stores of the same thread: C11 promises more.
 *
 * seq_cst: fences, stores and loads are in one order S, that of the execution. A seq_cst load does
 * not read what is older than the last seq_cst store of its object. A load after a full fence sees
 * the seq_cst stores, and all that came before a full fence, that are before its fence in S; a
 * seq_cst load sees what came before any full fence. Nothing else: a seq_cst operation is no fence,
 * and neither makes what is before it happen before anything.
 *
 * A store cannot be missed for ever: a thread that has read the same old store of an object twice
 * in a row reads something newer the next time.
 */
#include <string.h>

#include "checker.h"

enum { SEQ_CST = __ATOMIC_SEQ_CST, TWICE = 2, AT_ONCE = 16 };

/* ---- objects ---- */

static uint64_t in_memory(const volatile void *p, unsigned size)
{
        uint64_t v = 0;
        memcpy(&v, (const void *)p, size);
        return v;
}

static struct store *new_store(struct location *l, uint64_t value)
{
        if (mc->stores == STORES)
                model_fail("too many stores");
        struct store *s = &mc->store[mc->stores];
        memset(s, 0, sizeof(*s));
        s->value = value;
        s->before = l->newest;
        s->number = l->newest == NEVER ? 0 : mc->store[l->newest].number + 1;
        l->newest = (int)mc->stores++;
        return s;
}

static struct location *location_of(uintptr_t at, unsigned size)
{
        struct grain *g = grain_of(at);
        if (!g)
                model_fail("an atomic object that is not looked after: %s", place_of((void *)at));
        if (!g->located)
                *objects_of(g) = (struct objects){0};
        g->located = true;
        uint16_t *n = &objects_of(g)->location[at % GRAIN];
        if (*n) {
                struct location *l = &mc->location[*n];
                if (l->size != size)
                        model_fail("accesses of different sizes to %s", place_of((void *)at));
                return l;
        }
        if (mc->locations == LOCATIONS)
                model_fail("too many atomic objects");
        *n = (uint16_t)mc->locations++;
        struct location *l = &mc->location[*n];
        memset(l, 0, sizeof(*l));
        l->at = at;
        l->size = (uint8_t)size;
        l->newest = l->look = NEVER;
        new_store(l, in_memory((void *)at, size)); /* of a thread's clock 0: known to all */
        return l;
}

/* It is about to be changed; its memory too, if that is. */
static void keep_location(struct location *l)
{
        if (!mc->epoch || l->kept == mc->epoch)
                return;
        keep(l, sizeof(*l));
        l->kept = mc->epoch;
        grain_of(l->at);
}

/* An object is shared if two of its accesses, of which one writes, are not in order anyhow. */
static void note_sharing(struct location *l, bool writes)
{
        struct thread *t = self();
        clocks met = l->writes > t->now.before;
        if (writes)
                met |= l->reads > t->now.before;
        if (any(met)) {
                size_t bit = offset_of(l->at);
                uint8_t mask = (uint8_t)(1u << bit % 8);
                mc->learned |= !(mc->shared[bit / 8] & mask);
                mc->found_shared[bit / 8] |= mask;
        }
        (writes ? &l->writes : &l->reads)[0][mc->current] = now();
}

static bool known_shared(uintptr_t at)
{
        size_t bit = offset_of(at);
        return bit != SIZE_MAX && mc->shared[bit / 8] & 1u << bit % 8;
}

/* What comes before each operation. */
static struct location *begin(const volatile void *p, unsigned size, bool reads, bool writes,
                              const char *what, const void *site)
{
        uintptr_t at = (uintptr_t)p;
        if (known_shared(at))
                turn(what, site);
        step();
        struct location *l = location_of(at, size);
        note_atomic(at, size, reads, writes, site);
        keep_location(l);
        note_sharing(l, writes);
        return l;
}

/* ---- reading ---- */

static void note_look(struct location *l, unsigned number)
{
        for (int i = l->look; i != NEVER; i = mc->look[i].before)
                if (mc->look[i].thread == mc->current) {
                        if (mc->look[i].number >= number)
                                return;
                        break;
                }
        if (mc->looks == LOOKS)
                model_fail("too many loads");
        struct look *look = &mc->look[mc->looks];
        *look = (struct look){l->look, number, now(), (int8_t)mc->current};
        l->look = (int)mc->looks++;
}

/* The oldest that a load may read, as far as what was looked at before tells. */
static unsigned seen_by_looks(const struct location *l, clocks seen)
{
        unsigned oldest = 0;
        for (int i = l->look; i != NEVER; i = mc->look[i].before) {
                const struct look *look = &mc->look[i];
                if (look->number > oldest && look->clock <= seen[look->thread])
                        oldest = look->number;
        }
        return oldest;
}

/* The stores that a load may read, the newest first; how many. */
static unsigned may_read(const struct location *l, int order, int *ret)
{
        const struct thread *t = self();
        clocks seen = order == SEQ_CST ? join(t->now.seen, mc->sc_before) : t->now.seen;
        const struct store *s = &mc->store[l->newest];
        unsigned n = 1, oldest = 0;
        ret[0] = l->newest;
        if (!mc->stale_left || s->clock <= seen[s->thread])
                return n;
        oldest = seen_by_looks(l, seen);
        while (n < AT_ONCE) {
                if (s->number <= oldest || s->before == NEVER || s->clock <= seen[s->thread] ||
                    (s->sc && (order == SEQ_CST || s->sc < t->fence)))
                        break;
                int before = s->before;
                s = &mc->store[before];
                if (l->again[mc->current].times >= TWICE &&
                    s->number <= l->again[mc->current].number)
                        break;
                ret[n++] = before;
        }
        return n;
}

/* Which of them was read; what the thread knows from now on. */
static const struct store *read_from(struct location *l, int store, int order)
{
        struct thread *t = self();
        const struct store *s = &mc->store[store];
        keep_location(l); /* there was a choice since it was begun */
        if (store != l->newest) {
                bool same = l->again[mc->current].number == s->number;
                l->again[mc->current].times = same ? l->again[mc->current].times + 1 : 1;
                l->again[mc->current].number = s->number;
                if (mc->stale_left > 0)
                        mc->stale_left--;
        }
        note_look(l, s->number);
        learn(acquires(order) ? &t->now : &t->acquired, &s->gives);
        return s;
}

static const char *age_of(const struct location *l, const struct store *s)
{
        return s == &mc->store[l->newest] ? "" : ", which is not the newest";
}

uint64_t atomic_load_at(const volatile void *p, unsigned size, int order, const void *site)
{
        struct location *l = begin(p, size, true, false, "reads", site);
        int of[AT_ONCE];
        unsigned n = may_read(l, order, of);
        const struct store *s = read_from(l, of[choose(n)], order);
        say(site, "reads %s: %#llx%s (%s)", place_of((const void *)p), (unsigned long long)s->value,
            age_of(l, s), order_name(order));
        return s->value;
}

uint64_t newest_value(const void *p, unsigned size)
{
        const struct grain *g = grain_of((uintptr_t)p);
        unsigned n = g && g->located ? objects_of(g)->location[(uintptr_t)p % GRAIN] : 0;
        return n ? mc->store[mc->location[n].newest].value : in_memory(p, size);
}

/* ---- writing ---- */

static void put_store(struct location *l, uint64_t v, int order, bool changes)
{
        struct thread *t = self();
        struct view before = mc->store[l->newest].gives;
        struct store *s = new_store(l, v);
        s->gives = releases(order) ? t->now : t->released;
        if (changes)
                learn(&s->gives, &before);
        s->clock = now();
        s->thread = (int8_t)mc->current;
        if (order == SEQ_CST)
                s->sc = ++mc->sc;
        memcpy((void *)l->at, &v, l->size);
        mc->yielding = 0;
}

void atomic_store_at(volatile void *p, unsigned size, uint64_t v, int order, const void *site)
{
        struct location *l = begin(p, size, false, true, "writes", site);
        put_store(l, v, order, false);
        say(site, "writes %s: %#llx (%s)", place_of((const void *)p), (unsigned long long)v,
            order_name(order));
}

static uint64_t truncated(uint64_t v, unsigned size)
{
        return size == 8 ? v : v & ((UINT64_C(1) << 8 * size) - 1);
}

static uint64_t changed(uint64_t old, enum change change, uint64_t v)
{
        switch (change) {
        case ADD:
                return old + v;
        case SUB:
                return old - v;
        case AND:
                return old & v;
        case OR:
                return old | v;
        case XOR:
                return old ^ v;
        default:
                return v;
        }
}

uint64_t atomic_change_at(volatile void *p, unsigned size, enum change change, uint64_t v,
                          int order, const void *site)
{
        struct location *l = begin(p, size, true, true, "changes", site);
        uint64_t old = read_from(l, l->newest, order)->value;
        uint64_t next = truncated(changed(old, change, v), size);
        put_store(l, next, order, true);
        say(site, "changes %s: %#llx to %#llx (%s)", place_of((const void *)p),
            (unsigned long long)old, (unsigned long long)next, order_name(order));
        return old;
}

bool atomic_exchange_if(volatile void *p, unsigned size, uint64_t *expected, uint64_t v, int order,
                        int order_if_not, bool weak, const void *site)
{
        struct location *l = begin(p, size, true, true, "would change", site);
        int of[AT_ONCE + 1];
        unsigned n = may_read(l, order_if_not, of), kept = 1;
        bool equal = mc->store[l->newest].value == *expected;
        for (unsigned i = 1; i < n; i++)
                if (mc->store[of[i]].value != *expected)
                        of[kept++] = of[i];
        bool may_fail = weak && equal && mc->chances_left;
        unsigned k = choose(kept + may_fail);
        if (k == 0 && equal) {
                read_from(l, l->newest, order);
                put_store(l, v, order, true);
                say(site, "changes %s: %#llx to %#llx (%s)", place_of((const void *)p),
                    (unsigned long long)*expected, (unsigned long long)v, order_name(order));
                return true;
        }
        if (k == kept) {
                mc->chances_left--;
                k = 0;
        }
        const struct store *s = read_from(l, of[k], order_if_not);
        say(site, "does not change %s, but reads %#llx%s (%s)", place_of((const void *)p),
            (unsigned long long)s->value, age_of(l, s), order_name(order_if_not));
        *expected = s->value;
        return false;
}

/* ---- fences ---- */

void fence_at(int order, const void *site)
{
        struct thread *t = self();
        if (order == NO_FENCE)
                return;
        if (order == SEQ_CST)
                turn("has a full fence", site);
        step();
        if (acquires(order))
                learn(&t->now, &t->acquired);
        if (order == SEQ_CST) {
                t->now.seen = join(t->now.seen, mc->sc_before);
                mc->sc_before = t->now.seen;
                t->fence = ++mc->sc;
        }
        if (releases(order))
                t->released = t->now;
        say(site, "has a fence (%s)", order_name(order));
}
