/* SPDX-License-Identifier: MIT
 *
 * Plain accesses. Of each byte is known when each thread last wrote and read it; an access that
 * does not come after all of those by others that it conflicts with is a race, whichever of the two
 * came first this time. A plain write of a whole grain forgets what came before it: who comes after
 * the write comes after that too. After Flanagan and Freund, "FastTrack" (PLDI 2009).
 *
 * Memory is looked after in grains of eight bytes. Each thread has a row for each grain that it has
 * come to: four vectors, of a clock for each byte. A plain access lies between the steps of its
 * thread: it has the clock of the next one, so that a release that comes before it does not cover
 * it.
 */
#include <string.h>

#include "checker.h"

enum { ALL = (1 << GRAIN) - 1, PAGE_BYTES = PAGE * GRAIN };

/* The grain is about to be changed, or the thread's row of it. */
static __attribute__((noinline)) void keep_grain(struct grain *g)
{
        size_t n = (size_t)(g - mc->grain);
        keep(&mc->row[mc->current][n], sizeof(struct row));
        if ((g->kept ^ mc->keeps) >> THREADS) {
                keep(g, sizeof(*g));
                if (g->located)
                        keep(&mc->objects[n], sizeof(struct objects));
                if (n < REGION / GRAIN)
                        keep(mc->region + n * GRAIN, GRAIN);
                g->kept = mc->keeps;
        }
        g->kept |= mc->keeps;
}

static inline void may_keep_grain(struct grain *g)
{
        if (mc->epoch && (g->kept & mc->matters) != mc->keeps)
                keep_grain(g);
}

static inline void keep_page(struct page *p)
{
        if (mc->epoch && p->kept != mc->epoch) {
                keep(p, sizeof(*p));
                p->kept = mc->epoch;
        }
}

static __attribute__((noinline)) void begin_page(struct page *p)
{
        keep_page(p);
        *p = (struct page){.execution = mc->execution, .kept = p->kept};
}

static __attribute__((noinline)) void touch(struct page *p, struct grain *g, uint64_t bit)
{
        keep_page(p);
        may_keep_grain(g);
        p->touched |= bit;
        *g = (struct grain){
            .write = p->write, .writer = p->writer, .freed = p->freed, .kept = g->kept};
        g->newest[p->writer] = p->write;
}

/* NULL: not looked after. */
static inline struct grain *grain_at(uintptr_t at)
{
        size_t offset = offset_of(at);
        if (offset == SIZE_MAX)
                return NULL;
        size_t n = offset / GRAIN;
        struct page *p = &mc->page[n / PAGE];
        struct grain *g = &mc->grain[n];
        uint64_t bit = UINT64_C(1) << n % PAGE;
        if (__builtin_expect(p->execution != mc->execution, 0))
                begin_page(p);
        if (__builtin_expect(!(p->touched & bit), 0))
                touch(p, g, bit);
        may_keep_grain(g);
        return g;
}

struct grain *grain_of(uintptr_t at)
{
        return grain_at(at);
}

static inline struct row *row_of(const struct grain *g, int thread)
{
        return &mc->row[thread][g - mc->grain];
}

/* ---- what races ---- */

struct access {
        bool plain, reads, writes, frees;
        const void *site;
};

/* All ones where a byte is in the mask. */
static inline per_byte bytes_of(unsigned mask)
{
        static const per_byte bit = {1, 2, 4, 8, 16, 32, 64, 128};
        return ((int16_t)mask & bit) == bit;
}

static __attribute__((cold)) void race(uintptr_t at, const struct grain *g, const char *was,
                                       int other, const struct access *a)
{
        say(mc->side[other][g - mc->grain], "(this is the other side)");
        model_fail("a race over %s: %s %s by %s, and %s by %s", place_of((void *)at),
                   a->plain ? "a plain" : "an atomic",
                   a->frees    ? "free"
                   : a->writes ? "write"
                               : "read",
                   self()->name, was, mc->thread[other].name);
}

/* Others have come to the grain, and that is not known to have happened before: were it these
 * bytes? */
static __attribute__((noinline)) void look_closer(uintptr_t at, const struct grain *g,
                                                  unsigned mask, const struct access *a)
{
        per_byte bytes = bytes_of(mask);
        clocks before = self()->now.before;
        for (int other = 0; other < mc->threads; other++) {
                const struct row *r = row_of(g, other);
                if (other == mc->current)
                        continue;
                if (g->writer == other && g->write > before[other])
                        race(at, g, "a plain write", other, a);
                if (!(g->rows >> other & 1))
                        continue;
                if (any((r->write > before[other]) & bytes))
                        race(at, g, "a plain write", other, a);
                if (a->writes && any((r->read > before[other]) & bytes))
                        race(at, g, "a plain read", other, a);
                if (a->plain && any((r->atomic_write > before[other]) & bytes))
                        race(at, g, "an atomic write", other, a);
                if (a->plain && a->writes && any((r->atomic_read > before[other]) & bytes))
                        race(at, g, "an atomic read", other, a);
        }
}

/* ---- one grain ---- */

static inline void written_whole(struct grain *g, int16_t clock)
{
        g->write = clock;
        g->writer = (int8_t)mc->current;
        g->rows = 0;
}

static inline void begin_row(struct grain *g, struct row *r)
{
        g->rows |= (uint8_t)(1u << mc->current);
        *r = (struct row){0};
}

static inline __attribute__((always_inline)) void check_grain(uintptr_t at, const struct grain *g,
                                                              unsigned mask, const struct access *a)
{
        clocks newest = g->newest;
        if (__builtin_expect(g->freed, 0))
                model_fail("memory that was freed is used: %s", place_of((void *)at));
        if (a->plain && g->located)
                newest = join(newest, objects_of(g)->newest);
        if (__builtin_expect(any(others(newest > self()->now.before)), 0))
                look_closer(at, g, mask, a);
}

static inline __attribute__((always_inline)) void access_grain(uintptr_t at, struct grain *g,
                                                               unsigned mask,
                                                               const struct access *a)
{
        const struct thread *t = self();
        int me = mc->current;
        unsigned mine = 1u << me;
        check_grain(at, g, mask, a);
        if (__builtin_expect(mc->tracing, 0) && (a->writes || !(g->rows & mine)))
                mc->side[me][g - mc->grain] = a->site;
        int16_t clock = (int16_t)(t->now.before[me] + a->plain);
        (a->plain ? &g->newest : &objects_of(g)->newest)[0][me] = clock;
        if (a->plain && a->writes && mask == ALL) {
                written_whole(g, clock);
                return;
        }
        per_byte bytes = bytes_of(mask), set = clock & bytes;
        struct row *r = row_of(g, me);
        if (!(g->rows & mine))
                begin_row(g, r);
        if (a->plain && a->writes)
                r->write = (r->write & ~bytes) | set;
        if (a->plain && !a->writes)
                r->read = (r->read & ~bytes) | set;
        if (!a->plain && a->writes)
                r->atomic_write = (r->atomic_write & ~bytes) | set;
        if (!a->plain && a->reads)
                r->atomic_read = (r->atomic_read & ~bytes) | set;
}

/* It is a new object now. */
static inline void forget_objects(const struct grain *g, unsigned mask)
{
        if (__builtin_expect(!g->located, 1))
                return;
        for (unsigned i = 0; i < GRAIN; i++)
                if (mask >> i & 1)
                        objects_of(g)->location[i] = 0;
}

static inline __attribute__((always_inline)) void plain_at(uintptr_t at, unsigned size, bool writes,
                                                           const void *site)
{
        const struct access a = {.plain = true, .writes = writes, .site = site};
        unsigned mask = ((1u << size) - 1) << at % GRAIN;
        struct grain *g = grain_at(at);
        if (!g)
                return;
        access_grain(at, g, mask, &a);
        if (writes)
                forget_objects(g, mask);
}

void note_atomic(uintptr_t at, unsigned size, bool reads, bool writes, const void *site)
{
        const struct access a = {.reads = reads, .writes = writes, .site = site};
        access_grain(at, grain_at(at), ((1u << size) - 1) << at % GRAIN, &a);
}

/* ---- ranges ---- */

/* The page that begins there; NULL if none does, or it does not end before the range does. */
static inline struct page *whole_page(uintptr_t at, uintptr_t end)
{
        size_t offset = offset_of(at);
        if (offset == SIZE_MAX || offset % PAGE_BYTES || end - at < PAGE_BYTES)
                return NULL;
        struct page *p = &mc->page[offset / PAGE_BYTES];
        if (p->execution != mc->execution)
                begin_page(p);
        return p;
}

/* A page is written: what was touched of it one by one, and then there is nothing to be known but
 * that. */
static void write_page(uintptr_t at, struct page *p, bool frees, const void *site)
{
        const struct access a = {.plain = true, .writes = true, .frees = frees, .site = site};
        if (p->freed)
                model_fail("memory that was freed is used: %s", place_of((void *)at));
        if (p->writer != mc->current && p->write > self()->now.before[p->writer])
                race(at, grain_at(at), "a plain write", p->writer, &a);
        keep_page(p);
        if (offset_of(at) < REGION && !frees)
                keep((void *)at, PAGE_BYTES);
        for (; p->touched; p->touched &= p->touched - 1) {
                size_t n = (size_t)__builtin_ctzll(p->touched);
                check_grain(at + n * GRAIN, &mc->grain[offset_of(at) / GRAIN + n], ALL, &a);
        }
        p->write = (int16_t)(now() + 1);
        p->writer = (int8_t)mc->current;
        p->freed = frees;
}

/* It is not written any more, but forgotten: nothing else of it need be kept. */
static void free_grain(uintptr_t at, const void *site)
{
        size_t offset = offset_of(at), n = offset / GRAIN;
        if (offset == SIZE_MAX)
                return;
        const struct page *p = &mc->page[n / PAGE];
        struct grain *g = &mc->grain[n];
        if (p->execution != mc->execution || !(p->touched >> n % PAGE & 1))
                g = grain_at(at);
        check_grain(at, g, ALL,
                    &(struct access){.plain = true, .writes = true, .frees = true, .site = site});
        keep(g, sizeof(*g));
        g->freed = true;
}

static void write_range(uintptr_t at, size_t size, const void *site)
{
        uintptr_t end = at + size;
        while (at < end) {
                unsigned n = at % GRAIN || end - at < GRAIN ? 1 : GRAIN;
                struct page *p = mc->tracing ? NULL : whole_page(at, end);
                if (p)
                        write_page(at, p, false, site);
                else
                        plain_at(at, n, true, site);
                at += p ? PAGE_BYTES : n;
        }
}

static void read_range(uintptr_t at, size_t size, const void *site)
{
        uintptr_t end = at + size;
        while (at < end) {
                unsigned n = at % GRAIN || end - at < GRAIN ? 1 : GRAIN;
                plain_at(at, n, false, site);
                at += n;
        }
}

static __attribute__((noinline)) void access_slowly(uintptr_t at, size_t size, bool writes,
                                                    const void *site)
{
        if (at % GRAIN + size > GRAIN) {
                if (writes)
                        write_range(at, size, site);
                else
                        read_range(at, size, site);
        } else {
                plain_at(at, (unsigned)size, writes, site);
        }
}

/* Most accesses are of a grain that has been touched, and come after all that others did to it. */
void plain_access(uintptr_t at, size_t size, bool writes, const void *site)
{
        size_t offset = at - (uintptr_t)mc->region, n = offset / GRAIN;
        const struct thread *t = self();
        unsigned mine = 1u << mc->current;
        if (offset >= REGION) {
                if (offset_of(at) != SIZE_MAX)
                        access_slowly(at, size, writes, site);
                return;
        }
        const struct page *p = &mc->page[n / PAGE];
        struct grain *g = &mc->grain[n];
        if (at % GRAIN + size > GRAIN || p->execution != mc->execution ||
            !(p->touched >> n % PAGE & 1) || g->freed || (writes && g->located) || mc->tracing) {
                access_slowly(at, size, writes, site);
                return;
        }
        clocks newest = g->located ? join(g->newest, objects_of(g)->newest) : g->newest;
        if (__builtin_expect(any(others(newest > t->now.before)), 0)) {
                access_slowly(at, size, writes, site);
                return;
        }
        may_keep_grain(g);
        int16_t clock = (int16_t)(t->now.before[mc->current] + 1);
        g->newest[mc->current] = clock;
        if (writes && size == GRAIN) {
                written_whole(g, clock);
                return;
        }
        per_byte bytes = bytes_of(((1u << size) - 1) << at % GRAIN);
        struct row *r = &mc->row[mc->current][n];
        if (!(g->rows & mine))
                begin_row(g, r);
        per_byte *of = writes ? &r->write : &r->read;
        *of = (*of & ~bytes) | (clock & bytes);
}

/* Nothing else begins in its last grain. */
void free_range(uintptr_t at, size_t size, const void *site)
{
        uintptr_t end = (at + size + GRAIN - 1) & ~(uintptr_t)(GRAIN - 1);
        while (at < end) {
                struct page *p = mc->tracing ? NULL : whole_page(at, end);
                if (p)
                        write_page(at, p, true, site);
                else
                        free_grain(at, site);
                at += p ? PAGE_BYTES : GRAIN;
        }
}

static void renew(struct grain *g)
{
        *g = (struct grain){.kept = g->kept};
}

void forget_range(uintptr_t at, size_t size)
{
        uintptr_t end = at + size;
        while (at < end) {
                struct page *p = whole_page(at, end);
                if (p)
                        begin_page(p);
                else
                        renew(grain_at(at));
                at += p ? PAGE_BYTES : GRAIN;
        }
}
