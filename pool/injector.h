/* SPDX-License-Identifier: MIT
 *
 * The injector: the queue through which threads outside the pool hand work in.
 *
 * It holds items by value, so that a fire-and-forget task is three words in an array that the
 * worker reads from end to end: nothing is allocated for it, and its cache lines come before they
 * are asked for. (Linked through the tasks, as Vyukov's queue is, each would be a line that the
 * worker waits for: 58 ns a task instead of 30, where it runs on another core.)
 *
 * An item is either such a task, or a pointer to one that has memory of its own.
 *
 * There are several lanes, and a thread always puts into the same one; so several threads seldom
 * meet, and what one thread hands in comes out in its order. A lane is a list of blocks: producers
 * fill the last under one lock, takers empty the first under another that they only ever try, so
 * that whoever finds it held looks for work elsewhere. Each taker goes round the lanes: after one
 * that it has taken from comes the next.
 *
 * Invariants of a lane
 *   taken <= put                       an item is taken once, after it was put
 *   spared - reused blocks are spare   in `spare` and `reusable`
 *   put - taken items lie in the blocks from `first` at `emptied` to `last` at `filled`
 */
#ifndef WEFT_POOL_INJECTOR_H
#define WEFT_POOL_INJECTOR_H

#include <stdbool.h>

#include "lock.h"
#include "task.h"

/* Work, by value. */
typedef struct weft__item {
        weft_fn *fn; /* NULL: arg is a task */
        void *arg;
        weft_context *context; /* a reference */
} weft__item;

static inline weft__item weft__item_of(weft_task *task)
{
        return (weft__item){.arg = task};
}

enum { WEFT__LANES = 8 };

typedef struct weft__lane {
        _Alignas(WEFT__CACHE_LINE) weft__lock putting;
        unsigned filled; /* under putting, both */
        struct weft__block *last;
        struct weft__block *reusable;        /* under putting: spare ones that were fetched */
        atomic_uint reused;                  /* of them; written under putting */
        atomic_uint_least64_t put;           /* written under putting */
        _Atomic(struct weft__block *) spare; /* those that were emptied */

        _Alignas(WEFT__CACHE_LINE) weft__lock taking;
        unsigned emptied; /* under taking, all; `first` before the first put: putting */
        unsigned spared;  /* blocks that became spare */
        struct weft__block *first;
        atomic_uint_least64_t taken; /* written under taking */
} weft__lane;

typedef struct weft__injector {
        atomic_uint used; /* lanes that anybody has put into are below it */
        struct {
                _Alignas(WEFT__CACHE_LINE) weft__lock lock;
                weft_task *first, *last; /* under lock */
                atomic_size_t count;     /* written under lock */
        } late;                          /* tasks for which there was no memory in a lane */
        weft__lane lane[WEFT__LANES];
} weft__injector;

void weft__injector_init(weft__injector *q);
void weft__injector_fini(weft__injector *q); /* what is left in it is dropped */

/* Put an item in, by a thread of this number: false if there is no memory. A full fence is the last
 * thing that it does. */
bool weft__injector_put(weft__injector *q, unsigned thread, const weft__item *item);

/* Put a task in, which cannot fail. The same fence. */
void weft__injector_put_task(weft__injector *q, unsigned thread, weft_task *task);

/* Take up to n items of one lane, the oldest first; how many were taken. *turn is whose turn it is:
 * the taker's own, which goes round the lanes, so that each is taken from in its turn, however much
 * there is in the others. */
unsigned weft__injector_take(weft__injector *q, unsigned *turn, weft__item *ret_items, unsigned n);

/* Show visit all items in it, lane by lane, where nothing else runs: see snapshot.h. */
void weft__injector_look(const weft__injector *q, void (*visit)(const weft__item *item, void *arg),
                         void *arg);

/* Whether there may be an item. Never false while there is one whose put came before a full fence
 * of the caller. */
bool weft__injector_has_some(weft__injector *q);

#endif
