/* SPDX-License-Identifier: MIT
 *
 * The checker from inside: all that it knows is in one structure, `mc`, which lies outside the
 * program's own data, since that is put back to its beginning before each execution.
 *
 *   main.c      options, the exploration of one model after the other, what is printed
 *   choice.c    the choices of an execution: depth first, at random, or as given
 *   thread.c    threads as coroutines: whose turn it is, who waits for what
 *   atomic.c    atomic operations: what a load may read, and what it learns from it
 *   race.c      plain accesses: races, use after free
 *   memory.c    the allocator, and stacks for fibers
 *   past.c      going back to where executions part
 *   system.c    what the library asks of the system: futexes, the clock, threads
 *   tsan.c      where instrumented code comes in
 *   sites.c     one atomic operation with another order than the source has
 *   trace.c     an execution in words
 *
 * Only the first two and the last run on the stack of the program; the rest on those of the threads
 * of an execution.
 */
#ifndef WEFT_TESTS_MODEL_CHECKER_H
#define WEFT_TESTS_MODEL_CHECKER_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "model.h"

enum {
        THREADS = 8,
        STACK = 64 * 1024,        /* of a thread */
        FIBER_STACK = 16 * 1024,  /* of a fiber of the library's */
        REGION = 2 * 1024 * 1024, /* all that threads share but for static variables */
        STATICS = 64 * 1024,
        GRAIN = 8, /* bytes of memory that are looked after together */
        GRAINS = (REGION + STATICS) / GRAIN,
        PAGE = 64, /* grains */
        LOCATIONS = 4096,
        STORES = 65536,
        LOOKS = 65536,
        CHOICES = 65536,
        BLOCKS = 1024,
        STACKS = 64,
        NAMES = 64,
        NOTED = 4096,
        WEAKENED = 1024,
        STEPS = 30000, /* of one thread in one execution: what a clock can count */
        NEVER = -1,
        TLS = 4096,
        REASON = 2048,
};

/* ---- clocks ---- */

/* Of each thread, how far it has come. */
typedef int16_t clocks __attribute__((vector_size(2 * THREADS)));

static inline clocks join(clocks a, clocks b)
{
#ifdef __SSE2__
        return (clocks)_mm_max_epi16((__m128i)a, (__m128i)b);
#else
        clocks more = a > b;
        return (a & more) | (b & ~more);
#endif
}

/* What is known of others: `before` is what happened before, by which races are judged; `seen` is
 * what can no longer be missed, which is that and what full fences add. */
struct view {
        clocks before, seen;
};

/* Whether any of them is not 0, of what is all ones or 0: what comparisons come to. */
static inline bool any(clocks c)
{
#ifdef __SSE2__
        return _mm_movemask_epi8((__m128i)c);
#else
        typedef uint64_t halves __attribute__((vector_size(2 * THREADS)));
        halves h = (halves)c;
        return h[0] | h[1];
#endif
}

static inline void learn(struct view *v, const struct view *of)
{
        v->before = join(v->before, of->before);
        v->seen = join(v->seen, of->seen);
}

/* ---- atomic objects ---- */

struct store {
        uint64_t value;
        struct view gives; /* to those who read it and acquire */
        int before;        /* the one before it in the order of this object, or NEVER */
        unsigned number;   /* in that order */
        unsigned sc;       /* in the order of all that is seq_cst, or 0 */
        int16_t clock;     /* of the thread that made it */
        int8_t thread;
};

/* A thread has read or written an object: it will not read anything older again, nor will anybody
 * to whom this happened before. */
struct look {
        int before; /* the look before it at this object, or NEVER */
        unsigned number;
        int16_t clock;
        int8_t thread;
};

struct location {
        uintptr_t at;
        uint8_t size;
        int newest; /* store */
        int look;   /* the newest */
        struct {
                unsigned number, times;
        } again[THREADS];     /* the same old store, read again and again */
        clocks reads, writes; /* the last of each thread, to see whether they meet */
        uint64_t kept;        /* when: see past.c */
};

/* ---- plain memory ---- */

/* A clock of each byte of a grain. */
typedef int16_t per_byte __attribute__((vector_size(2 * GRAIN)));

/* When a thread last accessed the bytes of a grain. */
struct row {
        per_byte write, read, atomic_write, atomic_read;
};

/* The rows lie apart, and the more so what only atomic objects have: much memory is only written as
 * a whole. */
struct grain {
        clocks newest; /* of what each thread has done to it since it was last written as a whole */
        int16_t write; /* that write, */
        int8_t writer; /* and whose it was */
        uint8_t rows;  /* who has accessed it since, a bit each */
        bool freed;
        bool located;  /* there are, or were, atomic objects: see struct objects */
        uint64_t kept; /* when, and whose rows, a bit each: see past.c */
};

struct objects {
        clocks newest;            /* of atomic operations on any of it */
        uint16_t location[GRAIN]; /* the atomic object that begins at this byte, or 0 */
};

struct page {
        unsigned execution; /* in which the rest is valid */
        int16_t write;      /* of all of it, before any of what was touched: as in a grain */
        int8_t writer;
        bool freed;
        uint64_t touched; /* the grains that are valid, a bit each */
        uint64_t kept;    /* when: see past.c */
};

struct block {
        char *p;
        size_t size;
        bool freed;
};

/* ---- threads ---- */

struct stack {
        char *low, *high;
        char *lowest; /* that was seen to be used */
};

enum phase { UNUSED = 0, READY, WAITS, JOINS, ENDED };

struct thread {
        const char *name;
        void (*fn)(void *arg);
        void *arg;
        enum phase phase;
        bool worker;   /* started by the library */
        uint8_t ran;   /* who has run since it last did, a bit each; */
        uint8_t after; /* and who is to run before it does again */
        bool timed;    /* WAITS: until `until` at the latest */
        bool timed_out;
        const void *word; /* WAITS: the futex */
        int64_t until;
        int joined;                          /* JOINS: the thread */
        const void *site;                    /* where it waits */
        struct view now, acquired, released; /* by fences: from relaxed loads, for relaxed stores */
        unsigned fence;                      /* its last full fence in the order of seq_cst */
        void *sp;
        char *stack;
        struct weft__fiber *fiber; /* that it begins on */
        void *specific[16];        /* pthread_setspecific() */
        unsigned alone;            /* how often it has spun with nobody else to go on, */
        unsigned spun, spun_at;    /* or without a store by anybody */
        int priority;              /* of a random execution */
        char tls[TLS];             /* while it does not run */
};

/* ---- all of it ---- */

struct choice {
        uint16_t of, taken;
};

enum mode { DEPTH_FIRST, RANDOM, GIVEN };

struct checker {
        /* what is explored */
        const struct model *model;
        enum mode mode;
        int preemptions, stale, chances; /* the bounds; NEVER: none */
        bool tracing;
        unsigned execution;      /* its number; also the stamp of what is valid */
        unsigned run, looked_at; /* how many were run; and had been when the time was looked at */
        unsigned seen;
        unsigned long long in_all;
        uint64_t rng;
        bool learned;     /* that some object is shared, after it was passed without a choice */
        bool minds_sites; /* sites.c is asked for the order of each atomic operation */
        bool notes_sites;
        const void *noted[NOTED]; /* sites, by a hash of their address */
        struct weakened {
                const void *site;
                int order;
                bool if_not;
        } weakened[WEAKENED];
        unsigned weakenings;
        struct choice choice[CHOICES];
        unsigned choices, given; /* made in this execution; recorded */

        /* past.c */
        uint64_t epochs;  /* how often something was marked, or gone back to */
        uint64_t epoch;   /* the last time; 0: nothing is marked */
        uint64_t keeps;   /* `kept` of a grain that need not be kept again, */
        uint64_t matters; /* and which of its bits */
        char *log, *log_end;
        bool anew;    /* nothing is to be marked */
        bool marking; /* the thread that runs was left for that */
        void *resume; /* where the thread that runs goes on */

        /* this execution */
        bool runs;
        int current;
        struct thread *self; /* that one, */
        clocks others;       /* and all ones for the others */
        int threads;
        unsigned ready;    /* who is READY, a bit each; */
        unsigned timed;    /* WAITS for a time; */
        unsigned yielding; /* spins: others first; */
        unsigned owing;    /* has `after` */
        int preemptions_left, stale_left, chances_left;
        unsigned steps;
        unsigned change_at[4];
        int64_t clock;
        unsigned sc;      /* how many seq_cst operations there were */
        clocks sc_before; /* what full fences have published */
        unsigned locations, stores, looks, blocks, names;
        unsigned worked; /* steps, of all threads */
        char *heap;
        struct stack stack[STACKS];
        unsigned stacks, stack_now;
        struct thread thread[THREADS]; /* from here on see past.c */
        struct location location[LOCATIONS];
        struct store store[STORES];
        struct look look[LOOKS];
        struct block block[BLOCKS];
        char *heap_first, *heap_end;
        struct grain grain[GRAINS];
        struct objects objects[GRAINS];
        struct row row[THREADS][GRAINS];
        const void *side[THREADS][GRAINS]; /* where it last wrote, or first read; in a trace */
        struct page page[GRAINS / PAGE];
        /* A bit a byte: what is known to be shared, and what was found to be since. */
        uint8_t shared[(REGION + STATICS) / 8], found_shared[(REGION + STATICS) / 8];
        struct {
                uintptr_t at;
                size_t size;
                const char *name;
        } name[NAMES];

        /* the machine */
        char *region, *statics, *statics_end, *statics_kept;
        char *tls;
        size_t tls_size;
        char *tls_first; /* its content at the start of a thread */
        void *sp;        /* of the driver */
        jmp_buf crash;
        bool failed;
        char reason[REASON];
};

extern struct checker *mc;

static inline struct thread *self(void)
{
        return mc->self;
}

static inline void set_current(int thread)
{
        mc->current = thread;
        mc->self = &mc->thread[thread];
        mc->others = ~(clocks){0};
        mc->others[thread] = 0;
        mc->matters = ~UINT64_C(0xff) | 1u << thread;
        mc->keeps = mc->epoch << 8 | 1u << thread;
}

static inline int16_t now(void)
{
        return self()->now.before[mc->current];
}

/* ---- choice.c ---- */

unsigned choose(unsigned of);
unsigned choose_or(unsigned of, unsigned wish);
bool next_execution(void); /* depth first: whether there is another one */
unsigned random_below(unsigned n);

/* ---- thread.c ---- */

void threads_begin(void);
void threads_make(void); /* once */
void set_phase(int thread, enum phase phase);
int thread_start(const char *name, void (*fn)(void *arg), void *arg);
void thread_join(int thread, const void *site);
void turn(const char *what, const void *site); /* the thread that calls may be left here */
void thread_yield(const void *site);
void thread_waits(const void *word, bool timed, int64_t until, const void *site);
void thread_pauses(const void *site); /* spins, and a little time passes */
void run_threads(void);               /* until all have ended, or one failed */
void step(void);                      /* the clock of the thread goes on */

/* ---- atomic.c ---- */

static inline bool acquires(int order)
{
        return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME ||
               order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static inline bool releases(int order)
{
        return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

enum change { ADD, SUB, AND, OR, XOR, EXCHANGE };

uint64_t atomic_load_at(const volatile void *p, unsigned size, int order, const void *site);
void atomic_store_at(volatile void *p, unsigned size, uint64_t v, int order, const void *site);
uint64_t atomic_change_at(volatile void *p, unsigned size, enum change change, uint64_t v,
                          int order, const void *site);
bool atomic_exchange_if(volatile void *p, unsigned size, uint64_t *expected, uint64_t v, int order,
                        int order_if_not, bool weak, const void *site);
void fence_at(int order, const void *site);
uint64_t newest_value(const void *p, unsigned size); /* as the kernel sees it */

/* Of all threads but the one that runs. */
static inline clocks others(clocks c)
{
        return c & mc->others;
}

enum { NO_FENCE = -1 };

/* ---- past.c ---- */

void past_make(void);
void past_forget(void);
void past_may_mark(void);
void past_mark(void);
bool past_go_back(void);
void stack_new(char *low, size_t size);
void stack_seen(char *sp);

/* What was at `at` before it was changed: in the log after its content. */
struct kept {
        void *at;
        size_t size;
};

static inline __attribute__((always_inline)) void keep(void *at, size_t size)
{
        /* cppcheck-suppress ctuuninitvar ; what is there is kept, whatever it is */
        const struct kept kept = {at, size};
        char *to = mc->log;
        if (!mc->epoch)
                return;
        if (to + size + sizeof(kept) > mc->log_end) {
                past_forget(); /* the next execution begins at its beginning */
                return;
        }
        memcpy(to, at, size);
        memcpy(to + size, &kept, sizeof(kept));
        mc->log = to + size + sizeof(kept);
}

/* ---- sites.c ---- */

/* What an atomic operation is done with there instead; if_not: when an exchange is not done. */
int order_at(const void *site, int order, bool if_not);
bool weaken(const char *what); /* as --weaken has it; false: it does not make sense */
void note_sites(void);
void tell_sites(const char *model); /* and forget them */

/* ---- race.c ---- */

struct grain *grain_of(uintptr_t at); /* NULL: not looked after */
void plain_access(uintptr_t at, size_t size, bool writes, const void *site);
void note_atomic(uintptr_t at, unsigned size, bool reads, bool writes, const void *site);
void forget_range(uintptr_t at, size_t size); /* new memory */
void free_range(uintptr_t at, size_t size, const void *site);

static inline struct objects *objects_of(const struct grain *g)
{
        return &mc->objects[g - mc->grain];
}

static inline size_t offset_of(uintptr_t at)
{
        size_t in_region = at - (uintptr_t)mc->region;
        if (in_region < REGION)
                return in_region;
        size_t in_statics = at - (uintptr_t)mc->statics;
        return in_statics < STATICS ? REGION + in_statics : SIZE_MAX;
}

/* ---- memory.c ---- */

void memory_make(void);
void memory_begin(void);
void memory_end(void); /* everything freed? */

char *model_memory(size_t size, size_t align); /* that is not counted */
void model_memory_new(char *p, size_t size);
void model_memory_gone(char *p, size_t size);

/* ---- fakes.c ---- */

void fakes_thread_ends(void); /* the thread that calls, and what it had */

/* A fiber that begins in entry on that stack. */
struct weft__fiber *fiber_on(char *low, size_t size, void (*entry)(struct weft__fiber *));

/* ---- system.c ---- */

void system_thread_ends(void);

/* ---- trace.c ---- */

void tell(const void *site, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define say(...) (__builtin_expect(mc->tracing, 0) ? tell(__VA_ARGS__) : (void)0)
const char *place_of(const void *p);
const char *order_name(int order);
void print_trace(void);
void trace_forget(void);

#endif
