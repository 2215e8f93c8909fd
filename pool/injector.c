/* SPDX-License-Identifier: MIT
 *
 * The injector (see injector.h). The lanes are two-lock queues after Michael and Scott, "Simple,
 * Fast, and Practical Non-Blocking and Blocking Concurrent Queue Algorithms" (PODC 1996), with
 * arrays for nodes.
 *
 * Pairings
 *  J1  put: put (release) -> take: put (acquire): the items, and the blocks that they are in
 *  J2  take: spare (release) -> put: spare (acquire exchange): the blocks are read no more
 */
#include "injector.h"

#include <string.h>

#if defined(WEFT_MODEL)
enum { SLOTS = 2 };
#else
enum { SLOTS = 85 }; /* so that a block is 2 KiB */
#endif

/* Spare blocks that a lane keeps, so that nothing is allocated while no more than 21,760 tasks wait
 * in it; where errors are looked for, enough to use one again. */
enum { KEPT = WEFT__CACHES ? 256 : 1 };

struct weft__block {
        struct weft__block *next; /* written before anything is put into that one */
        weft__item slot[SLOTS];
};

void weft__injector_init(weft__injector *q)
{
        memset(q, 0, sizeof(*q));
        weft__lock_init(&q->late.lock, WEFT__RANK_LANE);
        for (unsigned i = 0; i < WEFT__LANES; i++) {
                weft__lock_init(&q->lane[i].putting, WEFT__RANK_LANE);
                weft__lock_init(&q->lane[i].taking, WEFT__RANK_LANE);
                atomic_init(&q->lane[i].put, WEFT__FIRST(UINT64_MAX - 100));
                atomic_init(&q->lane[i].taken, WEFT__FIRST(UINT64_MAX - 100));
        }
}

static void blocks_free(struct weft__block *first)
{
        while (first) {
                struct weft__block *next = first->next;
                weft__free(first, sizeof(*first));
                first = next;
        }
}

void weft__injector_fini(weft__injector *q)
{
        for (weft__lane *lane = q->lane; lane < q->lane + WEFT__LANES; lane++) {
                blocks_free(lane->first);
                blocks_free(lane->reusable);
                /* relaxed: nobody else uses it any more */
                blocks_free(atomic_load_explicit(&lane->spare, memory_order_relaxed));
        }
}

/* ---- putting ---- */

/* Under putting: a spare block, or NULL. */
static struct weft__block *reuse(weft__lane *lane)
{
        if (!lane->reusable)
                lane->reusable =
                    atomic_exchange_explicit(&lane->spare, NULL, memory_order_acquire); /* -> J2 */
        struct weft__block *block = lane->reusable;
        if (block) {
                lane->reusable = block->next;
                /* relaxed, both: written under the lock only; for others an estimate */
                unsigned reused = atomic_load_explicit(&lane->reused, memory_order_relaxed);
                atomic_store_explicit(&lane->reused, reused + 1,
                                      memory_order_relaxed); /* relaxed: as above */
        }
        return block;
}

/* Under putting: a block with room at the end of the lane; false when there is no memory. */
static bool make_room(weft__lane *lane)
{
        if (lane->last && lane->filled < SLOTS)
                return true;
        struct weft__block *block = reuse(lane);
        if (!block)
                block = weft__alloc(sizeof(*block));
        if (!block)
                return false;
        block->next = NULL;
        if (lane->last)
                lane->last->next = block;
        else
                lane->first = block;
        lane->last = block;
        lane->filled = 0;
        return true;
}

static void use_lane(weft__injector *q, unsigned index)
{
        /* relaxed: the fence of the put comes after it; a number that only grows */
        unsigned used = atomic_load_explicit(&q->used, memory_order_relaxed);
        while (used <= index && !atomic_compare_exchange_weak_explicit(
                                    &q->used, &used, index + 1, memory_order_relaxed,
                                    memory_order_relaxed)) /* relaxed: as above */
                ;
}

bool weft__injector_put(weft__injector *q, unsigned thread, const weft__item *item)
{
        unsigned index = thread % WEFT__LANES;
        weft__lane *lane = &q->lane[index];
        use_lane(q, index);
        weft__lock_take(&lane->putting);
        bool room = make_room(lane);
        if (room) {
                lane->last->slot[lane->filled++] = *item;
                /* relaxed: written under the lock only */
                uint64_t put = atomic_load_explicit(&lane->put, memory_order_relaxed);
                atomic_store_explicit(&lane->put, put + 1, memory_order_release); /* J1 -> take */
        }
        weft__lock_give(&lane->putting);
        weft__fence(); /* I1 <-> sleep (idle.c) */
        return room;
}

void weft__injector_put_task(weft__injector *q, unsigned thread, weft_task *task)
{
        const weft__item item = weft__item_of(task);
        if (weft__injector_put(q, thread, &item))
                return;
        /* relaxed: under the lock */
        atomic_store_explicit(&task->next, NULL, memory_order_relaxed);
        weft__lock_take(&q->late.lock);
        if (q->late.first) /* relaxed: under the lock */
                atomic_store_explicit(&q->late.last->next, task, memory_order_relaxed);
        else
                q->late.first = task;
        q->late.last = task;
        /* relaxed: taken under the lock, and looked at after I1's fence */
        atomic_fetch_add_explicit(&q->late.count, 1, memory_order_relaxed);
        weft__lock_give(&q->late.lock);
        weft__fence(); /* I1 <-> sleep (idle.c) */
}

/* ---- taking ---- */

/* How many items are in a lane: exact under taking, but for those being put. */
static uint64_t length(weft__lane *lane)
{
        /* relaxed: taken is read first, so that it is not beyond put; takers read it exactly */
        uint64_t taken = atomic_load_explicit(&lane->taken, memory_order_relaxed);
        return atomic_load_explicit(&lane->put, memory_order_acquire) - taken; /* -> J1 */
}

/* Under taking: a block is empty. Whoever puts takes all of the spare ones at once, so that a block
 * is never seen to come back while it is pushed. */
static void spare(weft__lane *lane, struct weft__block *empty)
{
        /* relaxed: an estimate */
        if (lane->spared - atomic_load_explicit(&lane->reused, memory_order_relaxed) >= KEPT) {
                weft__free(empty, sizeof(*empty));
                return;
        }
        lane->spared++;
        /* relaxed: only pushed under */
        struct weft__block *first = atomic_load_explicit(&lane->spare, memory_order_relaxed);
        do
                empty->next = first;
        while (!atomic_compare_exchange_weak_explicit(&lane->spare, &first, empty,
                                                      memory_order_release,   /* J2 -> put */
                                                      memory_order_relaxed)); /* relaxed: retry */
}

/* Under taking: the first block is empty, and there is an item after it. */
static void next_block(weft__lane *lane)
{
        struct weft__block *empty = lane->first;
        lane->first = empty->next;
        lane->emptied = 0;
        spare(lane, empty);
}

static unsigned take_from(weft__lane *lane, weft__item *ret_items, unsigned n)
{
        if (!length(lane) || !weft__lock_try(&lane->taking))
                return 0;
        uint64_t there = length(lane);
        if (n > there)
                n = (unsigned)there;
        for (unsigned i = 0; i < n; i++) {
                if (lane->emptied == SLOTS)
                        next_block(lane);
                ret_items[i] = lane->first->slot[lane->emptied++];
        }
        /* relaxed, both: written under the lock only; others compare it */
        uint64_t taken = atomic_load_explicit(&lane->taken, memory_order_relaxed);
        atomic_store_explicit(&lane->taken, taken + n,
                              memory_order_relaxed); /* relaxed: as above */
        weft__lock_give(&lane->taking);
        return n;
}

static unsigned take_late(weft__injector *q, weft__item *ret_item)
{
        /* relaxed: a count that is seen late is seen at the next look, or after I1's fence */
        if (!atomic_load_explicit(&q->late.count, memory_order_relaxed))
                return 0;
        weft__lock_take(&q->late.lock);
        weft_task *task = q->late.first;
        if (task) {
                /* relaxed, both: under the lock */
                q->late.first = atomic_load_explicit(&task->next, memory_order_relaxed);
                atomic_fetch_sub_explicit(&q->late.count, 1, memory_order_relaxed);
                *ret_item = weft__item_of(task);
        }
        weft__lock_give(&q->late.lock);
        return task != NULL;
}

unsigned weft__injector_take(weft__injector *q, unsigned *turn, weft__item *ret_items, unsigned n)
{
        /* relaxed: after I1's fence where it matters */
        unsigned used = atomic_load_explicit(&q->used, memory_order_relaxed), first = *turn;
        for (unsigned i = 0; i <= used; i++) {
                unsigned at = (first + i) % (used + 1);
                unsigned taken =
                    at < used ? take_from(&q->lane[at], ret_items, n) : take_late(q, ret_items);
                if (taken) {
                        *turn = at + 1;
                        return taken;
                }
        }
        return 0;
}

bool weft__injector_has_some(weft__injector *q)
{
        /* relaxed, both: with the callers' fences */
        unsigned used = atomic_load_explicit(&q->used, memory_order_relaxed);
        for (unsigned i = 0; i < used; i++)
                if (length(&q->lane[i]))
                        return true;
        return atomic_load_explicit(&q->late.count, memory_order_relaxed) != 0; /* relaxed: same */
}

/* ---- looking ---- */

static void look_at_lane(const weft__lane *lane, void (*visit)(const weft__item *item, void *arg),
                         void *arg)
{
        const struct weft__block *block = lane->first;
        unsigned at = lane->emptied;
        /* relaxed, both: nothing else runs */
        uint64_t n = atomic_load_explicit(&lane->put, memory_order_relaxed) -
                     atomic_load_explicit(&lane->taken, memory_order_relaxed); /* relaxed: same */
        for (; n && block; n--) {
                if (at == SLOTS) {
                        block = block->next;
                        at = 0;
                }
                if (block)
                        visit(&block->slot[at++], arg);
        }
}

void weft__injector_look(const weft__injector *q, void (*visit)(const weft__item *item, void *arg),
                         void *arg)
{
        for (unsigned i = 0; i < WEFT__LANES; i++)
                look_at_lane(&q->lane[i], visit, arg);
        for (weft_task *task = q->late.first; task;) {
                const weft__item item = weft__item_of(task);
                visit(&item, arg);
                /* relaxed: nothing else runs */
                task = atomic_load_explicit(&task->next, memory_order_relaxed);
        }
}
