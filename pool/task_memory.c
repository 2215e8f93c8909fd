/* SPDX-License-Identifier: MIT
 *
 * The memory of tasks, in two sizes: whole ones, and first lines for those that are no more.
 *
 * A thread frees tasks into a list of its own for each size and takes them from there; what it has
 * too many or too few of it exchanges, a batch at a time, with a depot that all share. So tasks
 * that are made on one thread and end on another cost no allocation in the long run, and one lock
 * per batch.
 */
#include "task.h"

#include <pthread.h>

#include "context/internal.h"

enum { CACHE_BATCH = 64, DEPOT_BATCHES = 256, SIZES = 2 /* whole ones, small ones */ };

static _Thread_local struct {
        struct {
                weft_task *first;
                unsigned count;
        } of[SIZES];
        bool enlisted; /* the thread's exit will settle it */
} cache;

static struct {
        weft__lock lock;
        struct {
                unsigned count;
                weft_task *batch[DEPOT_BATCHES]; /* lists of CACHE_BATCH */
        } of[SIZES];
} depot;

static size_t size_of(bool small)
{
        return small ? offsetof(weft_task, waiters) : sizeof(weft_task);
}

static weft_task *next_of(weft_task *task)
{
        /* relaxed: lists of one thread, or under a lock */
        return atomic_load_explicit(&task->next, memory_order_relaxed);
}

static void link_to(weft_task *task, weft_task *next)
{
        atomic_store_explicit(&task->next, next, memory_order_relaxed); /* relaxed: as above */
}

static void free_list(weft_task *task, bool small)
{
        while (task) {
                weft_task *next = next_of(task);
                weft__free(task, size_of(small));
                task = next;
        }
}

/* ---- threads that come and go ---- */

static void cache_exit(void *unused)
{
        (void)unused;
        for (int small = 0; small < SIZES; small++) {
                free_list(cache.of[small].first, small);
                cache.of[small].first = NULL;
                cache.of[small].count = 0;
        }
        cache.enlisted = false; /* a later destructor of the thread may come again */
}

static pthread_key_t cache_key;
static bool cache_key_made;

static void depot_lost(void)
{
        /* In the child of a fork: another thread may have been in the middle of it. What it held
         * stays allocated. */
        memset(&depot, 0, sizeof(depot));
        weft__lock_init(&depot.lock, WEFT__RANK_DEPOT);
}

__attribute__((constructor(102))) static void init(void)
{
        weft__lock_init(&depot.lock, WEFT__RANK_DEPOT);
        cache_key_made = pthread_key_create(&cache_key, cache_exit) == 0 &&
                         pthread_atfork(NULL, NULL, depot_lost) == 0;
}

static bool cache_enlist(void)
{
        if (!cache.enlisted && cache_key_made)
                cache.enlisted = pthread_setspecific(cache_key, &cache) == 0;
        return cache.enlisted;
}

/* ---- taking and giving: from and to the thread's own list, or else slowly ---- */

static weft_task *take_first(bool small)
{
        weft_task *task = cache.of[small].first;
        cache.of[small].first = next_of(task);
        cache.of[small].count--;
        return task;
}

static __attribute__((noinline)) weft_task *take_slowly(bool small)
{
        if (WEFT__CACHES && cache_enlist()) {
                weft__lock_take(&depot.lock);
                if (depot.of[small].count) {
                        cache.of[small].first = depot.of[small].batch[--depot.of[small].count];
                        cache.of[small].count = CACHE_BATCH;
                }
                weft__lock_give(&depot.lock);
        }
        return cache.of[small].first ? take_first(small) : weft__alloc_lines(size_of(small));
}

weft_task *weft__task_memory_take(bool small)
{
        return __builtin_expect(cache.of[small].first != NULL, 1) ? take_first(small)
                                                                  : take_slowly(small);
}

/* Give a batch of this thread's free tasks to the depot, or to the system if that is full. */
static void cache_shed(bool small)
{
        weft_task *batch = cache.of[small].first, *last = batch;
        for (int i = 1; i < CACHE_BATCH; i++)
                last = next_of(last);
        cache.of[small].first = next_of(last);
        cache.of[small].count -= CACHE_BATCH;
        link_to(last, NULL);

        weft__lock_take(&depot.lock);
        if (depot.of[small].count < DEPOT_BATCHES) {
                depot.of[small].batch[depot.of[small].count++] = batch;
                batch = NULL;
        }
        weft__lock_give(&depot.lock);
        free_list(batch, small);
}

static void give_first(weft_task *task, bool small)
{
        link_to(task, cache.of[small].first);
        cache.of[small].first = task;
        cache.of[small].count++;
}

static __attribute__((noinline)) void give_slowly(weft_task *task, bool small)
{
        if (!WEFT__CACHES || !cache_enlist()) {
                weft__free(task, size_of(small));
                return;
        }
        give_first(task, small);
        if (cache.of[small].count >= 2 * CACHE_BATCH)
                cache_shed(small);
}

void weft__task_memory_give(weft_task *task, bool small)
{
        if (__builtin_expect(cache.enlisted && cache.of[small].count < 2 * CACHE_BATCH - 1, 1))
                give_first(task, small);
        else
                give_slowly(task, small);
}
