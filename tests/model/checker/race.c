/* SPDX-License-Identifier: MIT
 *
 * Plain accesses. Of each byte is known who wrote it last and who has read it since, and when; an
 * access that does not come after all of them that it conflicts with is a race, whichever of the
 * two came first this time. After Flanagan and Freund, "FastTrack" (PLDI 2009).
 *
 * Memory is looked after in grains of eight bytes, a grain in cells of bytes that were always
 * accessed together. A plain access lies between the steps of its thread: it has the clock of the
 * next one, so that a release that comes before it does not cover it.
 */
#include <string.h>

#include "checker.h"

enum { ALL = (1 << GRAIN) - 1, LARGE = 4096 };

static inline void renew(struct grain *g)
{
        *g = (struct grain){.execution = mc->execution};
        mc->page[(size_t)(g - mc->grain) / PAGE] = mc->execution;
}

struct grain *grain_of(uintptr_t at)
{
        size_t offset = offset_of(at);
        if (offset == SIZE_MAX)
                return NULL;
        struct grain *g = &mc->grain[offset / GRAIN];
        if (g->execution != mc->execution)
                renew(g);
        return g;
}

struct parts *parts_of(const struct grain *g)
{
        return &mc->parts[g - mc->grain];
}

static struct cell *new_cell(struct grain *g, unsigned mask)
{
        if (mc->cells == CELLS)
                model_fail("too much memory is accessed");
        parts_of(g)->cell[g->cells++] = (uint16_t)mc->cells;
        struct cell *c = &mc->cell[mc->cells++];
        memset(c, 0, sizeof(*c));
        c->mask = (uint8_t)mask;
        c->write = g->write;
        c->writer = g->writer;
        return c;
}

/* ---- one cell ---- */

struct access {
        bool plain, reads, writes, frees;
        const void *site;
};

static __attribute__((cold)) void race(uintptr_t at, const char *was, int other,
                                       const struct cell *c, const struct access *a)
{
        say(c->site, "(this is the other side)");
        model_fail("a race over %s: %s %s by %s, and %s by %s", place_of((void *)at),
                   a->plain ? "a plain" : "an atomic",
                   a->frees    ? "free"
                   : a->writes ? "write"
                               : "read",
                   self()->name, was, mc->thread[other].name);
}

static inline void against(uintptr_t at, const char *was, clocks of, const struct cell *c,
                           const struct access *a)
{
        clocks later = others(of > self()->now.before);
        if (__builtin_expect(any(later), 0))
                for (int i = 0; i < mc->threads; i++)
                        if (later[i])
                                race(at, was, i, c, a);
}

static inline void check_cell(uintptr_t at, struct cell *c, const struct access *a)
{
        int16_t clock = (int16_t)(now() + a->plain);
        if (c->writer != mc->current && c->write > self()->now.before[c->writer])
                race(at, "a plain write", c->writer, c, a);
        if (a->writes)
                against(at, "a plain read", c->reads, c, a);
        if (a->plain)
                against(at, "an atomic write", c->atomic_writes, c, a);
        if (a->plain && a->writes)
                against(at, "an atomic read", c->atomic_reads, c, a);
        if (!a->plain) {
                if (a->reads)
                        c->atomic_reads[mc->current] = clock;
                if (a->writes)
                        c->atomic_writes[mc->current] = clock;
        } else if (a->writes) {
                c->write = clock;
                c->writer = (int8_t)mc->current;
                c->reads = c->atomic_reads = c->atomic_writes = (clocks){0};
                c->site = a->site;
        } else {
                c->reads[mc->current] = clock;
                if (!c->site)
                        c->site = a->site;
        }
}

/* ---- one grain ---- */

static inline void access_grain(uintptr_t at, struct grain *g, unsigned mask,
                                const struct access *a)
{
        if (g->freed)
                model_fail("memory that was freed is used: %s", place_of((void *)at));
        unsigned n = g->cells, rest = mask;
        if (!n && mask == ALL && a->plain && a->writes &&
            (g->writer == mc->current || g->write <= self()->now.before[g->writer])) {
                g->write = (int16_t)(now() + 1);
                g->writer = (int8_t)mc->current;
                return;
        }
        for (unsigned i = 0; i < n && rest; i++) {
                struct cell *c = &mc->cell[parts_of(g)->cell[i]];
                unsigned both = c->mask & mask;
                if (!both)
                        continue;
                if (both != c->mask) {
                        struct cell *other = new_cell(g, 0);
                        *other = *c;
                        other->mask = (uint8_t)(c->mask & ~both);
                        c->mask = (uint8_t)both;
                }
                rest &= ~both;
                check_cell(at, c, a);
        }
        if (rest)
                check_cell(at, new_cell(g, rest), a);
}

static void each_grain(uintptr_t at, size_t size, const struct access *a)
{
        uintptr_t end = at + size;
        while (at < end) {
                uintptr_t first = at & ~(uintptr_t)(GRAIN - 1), next = first + GRAIN;
                unsigned from = (unsigned)(at - first);
                unsigned to = end < next ? (unsigned)(end - first) : GRAIN;
                struct grain *g = grain_of(first);
                if (!g)
                        return;
                access_grain(at, g, ((1u << to) - 1) & ~((1u << from) - 1), a);
                if (g->located && a->plain && a->writes)
                        for (unsigned i = from; i < to; i++)
                                parts_of(g)->location[i] = 0; /* it is a new object now */
                if (a->frees)
                        g->freed = true;
                at = next;
        }
}

/* What is accessed again by the same thread, which has done nothing since that others see. */
static inline bool is_known(uintptr_t at, size_t size, bool writes)
{
        size_t offset = offset_of(at);
        unsigned first = at % GRAIN;
        if (offset == SIZE_MAX || first + size > GRAIN)
                return false;
        struct grain *g = &mc->grain[offset / GRAIN];
        if (g->execution != mc->execution || g->freed || g->located || g->cells != 1)
                return false;
        const struct cell *c = &mc->cell[parts_of(g)->cell[0]];
        unsigned mask = ((1u << size) - 1) << first;
        int16_t clock = (int16_t)(now() + 1);
        if (c->mask != mask)
                return false;
        return writes ? c->write == clock && c->writer == mc->current && !any(c->reads)
                      : c->reads[mc->current] == clock;
}

void plain_access(uintptr_t at, size_t size, bool writes, const void *site)
{
        if (size <= GRAIN && is_known(at, size, writes))
                return;
        each_grain(at, size, &(struct access){.plain = true, .writes = writes, .site = site});
}

void note_atomic(uintptr_t at, unsigned size, bool reads, bool writes, const void *site)
{
        each_grain(at, size, &(struct access){.reads = reads, .writes = writes, .site = site});
}

/* The grain there, if something was noted of it in this execution. */
static struct grain *touched(uintptr_t at)
{
        size_t offset = offset_of(at);
        struct grain *g = offset == SIZE_MAX ? NULL : &mc->grain[offset / GRAIN];
        return g && g->execution == mc->execution ? g : NULL;
}

/* The grain after that one; or after its page, if none in there was touched. */
static uintptr_t next_touched(uintptr_t at)
{
        size_t n = offset_of(at) / GRAIN;
        return mc->page[n / PAGE] == mc->execution ? at + GRAIN : at + (PAGE - n % PAGE) * GRAIN;
}

/* Of much memory only what was touched is known to be free. */
void free_range(uintptr_t at, size_t size, const void *site)
{
        const struct access frees = {.plain = true, .writes = true, .frees = true, .site = site};
        if (size < LARGE) {
                each_grain(at, size, &frees);
                return;
        }
        for (uintptr_t end = at + size; at < end; at = next_touched(at))
                if (touched(at))
                        each_grain(at, GRAIN, &frees);
}

void forget_range(uintptr_t at, size_t size)
{
        for (uintptr_t end = at + size; at < end; at = next_touched(at)) {
                struct grain *g = touched(at);
                if (g)
                        g->execution = 0;
        }
}
