/* SPDX-License-Identifier: MIT
 *
 * The Chase-Lev deque (see deque.h).
 *
 * Pairings
 *  D1  push, pop: bottom (release) -> steal: bottom (acquire): the slots, and the tasks behind them
 *  D2  pop: bottom, full fence, top <-> steal: top, full fence, bottom: of an owner and a thief who
 *      are after the last task one sees the other, and the compare-and-swap of top decides
 *  D3  grow: ring (release) -> steal: ring (acquire): the copied slots
 *  D4  steal: top (release) -> push: top (acquire): the slot was read, and may be written again.
 *      What breaks without it is a load that reads a store which is made later, and that no model
 *      has (tests/model/README.md).
 */
#include "deque.h"

#include <errno.h>

struct weft__ring {
        struct weft__ring *outgrown; /* the one before, freed with the deque */
        int64_t mask;
        _Atomic(struct weft_task *) slot[];
};

#if defined(WEFT_MODEL)
enum { FIRST_SLOTS = 2 };
#else
enum { FIRST_SLOTS = 256 };
#endif

static size_t ring_size(int64_t slots)
{
        return sizeof(struct weft__ring) + (size_t)slots * sizeof(_Atomic(struct weft_task *));
}

static struct weft__ring *ring_new(int64_t slots, struct weft__ring *outgrown)
{
        struct weft__ring *r = weft__alloc(ring_size(slots));
        if (r) {
                r->outgrown = outgrown;
                r->mask = slots - 1;
        }
        return r;
}

int weft__deque_init(weft__deque *d)
{
        struct weft__ring *r = ring_new(FIRST_SLOTS, NULL);
        if (!r)
                return -ENOMEM;
        atomic_init(&d->top, WEFT__FIRST(UINT32_MAX - 40));
        atomic_init(&d->bottom, WEFT__FIRST(UINT32_MAX - 40));
        atomic_init(&d->ring, r);
        return 0;
}

void weft__deque_fini(weft__deque *d)
{
        /* relaxed: no thread uses it any more */
        struct weft__ring *r = atomic_load_explicit(&d->ring, memory_order_relaxed);
        while (r) {
                struct weft__ring *next = r->outgrown;
                weft__free(r, ring_size(r->mask + 1));
                r = next;
        }
}

/* relaxed, both: D1 publishes the slot, D2 and the compare-and-swap decide who may use what was
 * read */
static struct weft_task *slot_get(struct weft__ring *r, int64_t i)
{
        return atomic_load_explicit(&r->slot[i & r->mask],
                                    memory_order_relaxed); /* relaxed: above */
}

static void slot_put(struct weft__ring *r, int64_t i, struct weft_task *task)
{
        atomic_store_explicit(&r->slot[i & r->mask], task,
                              memory_order_relaxed); /* relaxed: above */
}

static void publish(weft__deque *d, struct weft__ring *r, int64_t bottom, struct weft_task *task)
{
        slot_put(r, bottom, task);
        atomic_store_explicit(&d->bottom, bottom + 1, memory_order_release); /* D1 -> steal */
}

static __attribute__((noinline)) bool grow_and_push(weft__deque *d, struct weft__ring *old,
                                                    int64_t top, int64_t bottom,
                                                    struct weft_task *task)
{
        struct weft__ring *r = ring_new(2 * (old->mask + 1), old);
        if (!r)
                return false;
        for (int64_t i = top; i < bottom; i++)
                slot_put(r, i, slot_get(old, i));
        atomic_store_explicit(&d->ring, r, memory_order_release); /* D3 -> steal */
        publish(d, r, bottom, task);
        return true;
}

bool weft__deque_push(weft__deque *d, struct weft_task *task)
{
        /* relaxed: the owner is the only writer of bottom and ring */
        int64_t bottom = atomic_load_explicit(&d->bottom, memory_order_relaxed);
        struct weft__ring *r =
            atomic_load_explicit(&d->ring, memory_order_relaxed);          /* relaxed: same */
        int64_t top = atomic_load_explicit(&d->top, memory_order_acquire); /* -> D4 */
        if (__builtin_expect(bottom - top > r->mask, 0))
                return grow_and_push(d, r, top, bottom, task);
        publish(d, r, bottom, task);
        return true;
}

/* Of an empty deque what the slot holds is not looked at. */
static inline struct weft_task *pop(weft__deque *d, const struct weft_task *wanted)
{
        /* relaxed: the owner is the only writer of bottom and ring; an old top only looks like more
         * */
        int64_t bottom = atomic_load_explicit(&d->bottom, memory_order_relaxed) - 1;
        int64_t top = atomic_load_explicit(&d->top, memory_order_relaxed); /* relaxed: same */
        if (bottom - top < 0)
                return NULL;
        struct weft__ring *r =
            atomic_load_explicit(&d->ring, memory_order_relaxed); /* relaxed: same */
        struct weft_task *task = slot_get(r, bottom); /* which nobody writes but the owner */
        if (wanted && task != wanted)
                return NULL;

        /* D1 -> steal: a thief may see this store and not that of the push before; the fence orders
         * it before the look at top, D2 <-> steal */
        atomic_store_explicit(&d->bottom, bottom, memory_order_release);
        weft__fence();
        top = atomic_load_explicit(&d->top, memory_order_relaxed); /* relaxed: after D2's fence */

        if (bottom - top > 0)
                return task; /* thieves stop above it: D2 */
        /* The last one, if it is there still: the owner takes it as a thief would. relaxed, both:
         * the exchange alone decides, and what the owner has read only it writes again */
        if (bottom - top < 0 ||
            !atomic_compare_exchange_strong_explicit(&d->top, &top, top + 1, memory_order_relaxed,
                                                     memory_order_relaxed)) /* relaxed: see above */
                task = NULL;
        /* relaxed: the deque is empty, and a thief whose top is old fails at the exchange */
        atomic_store_explicit(&d->bottom, bottom + 1, memory_order_relaxed);
        return task;
}

struct weft_task *weft__deque_pop(weft__deque *d)
{
        return pop(d, NULL);
}

bool weft__deque_pop_if(weft__deque *d, const struct weft_task *newest)
{
        return pop(d, newest) != NULL;
}

struct weft_task *weft__deque_steal(weft__deque *d)
{
        /* relaxed: the fence comes next */
        int64_t top = atomic_load_explicit(&d->top, memory_order_relaxed);
        weft__fence();                                                           /* D2 <-> pop */
        int64_t bottom = atomic_load_explicit(&d->bottom, memory_order_acquire); /* -> D1 */
        if (bottom - top <= 0)
                return NULL;
        struct weft__ring *r = atomic_load_explicit(&d->ring, memory_order_acquire); /* -> D3 */
        struct weft_task *task = slot_get(r, top);
        if (!atomic_compare_exchange_strong_explicit(
                &d->top, &top, top + 1, memory_order_release, /* D4 -> push */
                memory_order_relaxed))                        /* relaxed: it is not used */
                return NULL;
        return task;
}

int64_t weft__deque_length(weft__deque *d)
{
        /* relaxed: bottom is the owner's, and top a hint */
        return atomic_load_explicit(&d->bottom, memory_order_relaxed) -
               atomic_load_explicit(&d->top, memory_order_relaxed);
}

void weft__deque_look(const weft__deque *d, void (*visit)(struct weft_task *task, void *arg),
                      void *arg)
{
        /* relaxed, all: nothing else runs */
        struct weft__ring *r = atomic_load_explicit(&d->ring, memory_order_relaxed);
        int64_t bottom = atomic_load_explicit(&d->bottom, memory_order_relaxed); /* relaxed: same */
        int64_t top = atomic_load_explicit(&d->top, memory_order_relaxed);       /* relaxed: same */
        for (int64_t i = top; i < bottom && i - top <= r->mask; i++)
                visit(slot_get(r, i), arg);
}
