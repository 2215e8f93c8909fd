/* SPDX-License-Identifier: MIT
 *
 * Soak: the balance of each round, and the memory of all of them.
 *
 * Memory is looked at between rounds, when nothing runs: what is allocated, as jemalloc counts it,
 * and what is resident once it has given back what it keeps, but for the stacks of threads, which
 * are as large as they have once been deep. The time is divided into tenths, of each of which the
 * least is kept: what one round leaves in caches comes and goes, what is leaked stays. The first
 * two are for warming up. In the last the least that is allocated may be 2 % above that of the
 * third and fourth, or 32 KiB where that is more: threads that make blocking calls stay for some
 * seconds, with a little each. What is resident may be 1 MiB above: stacks that a pool keeps for
 * reuse hold what they have once been deep, which takes half an hour to settle.
 */
#include "soak.h"

struct balance balance;
atomic_ulong all_tasks, all_refused, all_cancelled, all_dropped;

static pthread_mutex_t sums_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weft_pool_stats sums;   /* of this round's pools */
static struct weft_pool_stats before; /* of the default pool, at the end of the last round */

static struct weft_pool_stats figures(weft_pool *pool)
{
        struct weft_pool_stats f = {.size = sizeof(f)};
        CHECK(weft_pool_stats(pool, &f) == 0, "stats");
        return f;
}

static void add(const struct weft_pool_stats *f, const struct weft_pool_stats *from)
{
        pthread_mutex_lock(&sums_lock);
        sums.submitted += f->submitted - from->submitted;
        sums.run += f->run - from->run;
        sums.cancelled += f->cancelled - from->cancelled;
        pthread_mutex_unlock(&sums_lock);
}

void balance_take(weft_pool *pool)
{
        static const struct weft_pool_stats none;
        struct weft_pool_stats f = figures(pool);
        CHECK(f.submitted == f.run + f.cancelled && f.queued == 0,
              "%" PRIu64 " submitted, %" PRIu64 " run, %" PRIu64 " cancelled, %" PRIu64 " queued",
              f.submitted, f.run, f.cancelled, f.queued);
        CHECK(f.missed == 0, "%" PRIu64 " wake-ups were missed", f.missed);
        add(&f, &none);
}

/* What the default pool has got is callbacks of tasks that had ended, and those who close. */
void balance_take_default(void)
{
        struct weft_pool_stats f;
        while (f = figures(weft_pool_default()), f.submitted != f.run + f.cancelled)
                usleep(100);
        add(&f, &before);
        before = f;
}

/* got is want, and at most loose more. */
static void compare(const char *what, uint64_t got, uint64_t want, uint64_t loose)
{
        CHECK(got >= want && got - want <= loose,
              "%s: the pools say %" PRIu64 ", it should be %" PRIu64 " and up to %" PRIu64 " more",
              what, got, want, loose);
}

void balance_close(void)
{
        struct balance *b = &balance;
        uint64_t accepted = atomic_load(&b->accepted), begun = atomic_load(&b->begun);
        uint64_t jobs = atomic_load(&b->jobs), unseen = atomic_load(&b->unseen);
        compare("submitted", sums.submitted, accepted, jobs + unseen);
        compare("run", sums.run, begun, jobs);
        compare("cancelled", sums.cancelled, accepted - begun, unseen);
        CHECK(atomic_load(&b->closures) == atomic_load(&b->dropped),
              "%lu tasks with destructors, %lu destructors", atomic_load(&b->closures),
              atomic_load(&b->dropped));
        CHECK(atomic_load(&b->boxes) == 0, "%ld values are left", atomic_load(&b->boxes));
        atomic_fetch_add(&all_tasks, accepted);
        atomic_fetch_add(&all_cancelled, sums.cancelled);
        atomic_fetch_add(&all_refused, atomic_load(&b->refused));
        atomic_fetch_add(&all_dropped, atomic_load(&b->dropped));
        memset(b, 0, sizeof(*b));
        memset(&sums, 0, sizeof(sums));
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { TENTHS = 10, WARM = 2, SAMPLES = 2 };
#define TENTH (1000 * MS) /* shorter ones tell nothing */

struct footprint {
        size_t allocated, resident;
};

static struct {
        int64_t begin, tenth, next;
        struct footprint least[TENTHS];
        unsigned samples[TENTHS];
} memory;

/* Of jemalloc; where it is not linked, under a checker, memory is not looked at. */
int mallctl(const char *name, void *old, size_t *old_size, void *now, size_t now_size)
    __attribute__((weak));

static size_t statistic(const char *name)
{
        size_t bytes = 0, size = sizeof(bytes);
        CHECK(mallctl(name, &bytes, &size, NULL, 0) == 0, "%s", name);
        return bytes;
}

/* Without what the allocator has for itself for each thread, since they come and go, and without
 * what threads keep for their next allocation. 4096: of all arenas. */
static size_t allocated(void)
{
        uint64_t epoch = 1;
        mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
        mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
        return statistic("stats.allocated") - statistic("stats.arenas.4096.tcache_bytes") -
               statistic("stats.arenas.4096.internal");
}

static size_t resident(void)
{
        char line[512];
        size_t begin, end, kib, stack = 0, sum = 0;
        bool is_stack = false;
        pthread_attr_t attr;
        FILE *f = fopen("/proc/self/smaps", "r");
        CHECK(f && pthread_getattr_default_np(&attr) == 0, "/proc/self/smaps");
        pthread_attr_getstacksize(&attr, &stack);
        pthread_attr_destroy(&attr);
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "%zx-%zx ", &begin, &end) == 2)
                        is_stack = end - begin == stack;
                else if (!is_stack && sscanf(line, "Anonymous: %zu", &kib) == 1)
                        sum += kib << 10;
        fclose(f);
        return sum;
}

void memory_begin(int64_t nanoseconds)
{
        memory.begin = memory.next = weft_now();
        memory.tenth = nanoseconds / TENTHS + 1;
}

static size_t lesser(size_t a, size_t b)
{
        return a < b ? a : b;
}

void memory_sample(void)
{
        int64_t now = weft_now();
        int64_t tenth = (now - memory.begin) / memory.tenth;
        struct footprint *least = &memory.least[tenth < TENTHS ? tenth : TENTHS - 1];
        unsigned *samples = &memory.samples[tenth < TENTHS ? tenth : TENTHS - 1];
        if (!mallctl || now < memory.next)
                return;
        memory.next = now + 50 * MS;
        size_t bytes = allocated(), pages = resident();
        *least = *samples ? (struct footprint){lesser(least->allocated, bytes),
                                               lesser(least->resident, pages)}
                          : (struct footprint){bytes, pages};
        ++*samples;
}

static void compare_memory(const char *what, size_t warm, size_t end, size_t more)
{
        printf("%s: %zu KiB when warm, %zu KiB at the end, %zu KiB would be too much\n", what,
               warm >> 10, end >> 10, (warm + more) >> 10);
        fflush(stdout);
        CHECK(end <= warm + more, "memory grows: %s", what);
}

static size_t greater(size_t a, size_t b)
{
        return a > b ? a : b;
}

void memory_check(void)
{
        const struct footprint *warm = &memory.least[WARM], *end = &memory.least[TENTHS - 1];
        const unsigned *n = memory.samples;
        if (memory.tenth < TENTH || n[WARM] < SAMPLES || n[WARM + 1] < SAMPLES ||
            n[TENTHS - 1] < SAMPLES)
                return;
        if (warm[1].allocated > warm->allocated)
                warm++;
        compare_memory("allocated", warm->allocated, end->allocated,
                       greater(warm->allocated / 50, 32 << 10));
        compare_memory("resident", warm->resident, end->resident, 1 << 20);
}
