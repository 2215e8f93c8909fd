/* SPDX-License-Identifier: MIT
 *
 * Mutexes, semaphores, events and channels whose waits park the task, and block any other thread.
 *
 * Each may be used by tasks of any pool and by foreign threads at once. Whoever waits is served in
 * the order of arrival, so nobody starves. Each wait takes a deadline and ends early if the task
 * that waits is cancelled; a wait that ends so has taken nothing:
 *
 *   -ETIMEDOUT  the deadline passed first (one that has passed already makes the call a try)
 *   -ECANCELED  the task that calls has been cancelled
 *   -ENOMEM     no stack could be had for its worker to go on with
 *   -EINVAL     an argument is NULL or out of range
 *   -EOWNERDEAD in the child of a fork: the parent's channel, or a mutex that was held at the fork
 *
 * What is free at once is taken without waiting, by a task that has been cancelled too.
 *
 * Objects in the caller's storage are ready when they are zeroed or initialised, are not to be
 * copied, and need no end: their storage may go when nobody uses or waits for them. (A wait that
 * has been ended by somebody's set or post returns when that one is done with the object, so that
 * an event may lie on the stack of the one who waits.) None of this is async-signal-safe.
 *
 * fork(): in the child nobody waits, and mutexes, semaphores and events are as they were: free or
 * held, so many units, set or not. Who holds a mutex cannot be told there, the parent's thread that
 * is gone or the one that has forked: to take it gives -EOWNERDEAD until it has been unlocked, by
 * whoever knows, or made anew. A channel is the parent's for good, since an item may have been half
 * written: it can be destroyed.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* ---- mutex -------------------------------------------------------------------------------------
 *
 * Held by a task (or thread), across waits too, and not recursive. Unlike a pthread mutex it does
 * not belong to the thread: hold it across weft_await() and the like without a second thought. An
 * unlock hands it to the one that waits longest. Unlock happens before the next lock. */
typedef struct weft_mutex {
        uint64_t weft__private[3];
} weft_mutex;

#define WEFT_MUTEX_INIT                                                                            \
        {                                                                                          \
                {                                                                                  \
                        0                                                                          \
                }                                                                                  \
        }

/* weft_mutex_init - free, whoever held it. Since 0.1. */
WEFT_API void weft_mutex_init(weft_mutex *mutex);

/* weft_mutex_lock - take it, waiting if need be. 0, or as above. To lock what one holds waits for
 * oneself, until the deadline. Parks or blocks. Since 0.1. */
WEFT_API int weft_mutex_lock(weft_mutex *mutex, int64_t deadline);

/* weft_mutex_trylock - take it if it is free. 0; -EAGAIN: it is held; -EOWNERDEAD; -EINVAL. Never
 * waits. Since 0.1. */
WEFT_API int weft_mutex_trylock(weft_mutex *mutex);

/* weft_mutex_unlock - give it up. 0; -EPERM: nobody held it; -EINVAL. Any task or thread may, but
 * it is meant to be the one that took it. Never waits. Since 0.1. */
WEFT_API int weft_mutex_unlock(weft_mutex *mutex);

/* ---- semaphore ---------------------------------------------------------------------------------
 *
 * A count of units. A post happens before the wait that takes its unit. */
typedef struct weft_semaphore {
        uint64_t weft__private[4];
} weft_semaphore;

/* weft_semaphore_init - with so many units. Since 0.1. */
WEFT_API void weft_semaphore_init(weft_semaphore *semaphore, uint64_t units);

/* weft_semaphore_wait - take one unit. 0, or as above. Parks or blocks. Since 0.1. */
WEFT_API int weft_semaphore_wait(weft_semaphore *semaphore, int64_t deadline);

/* weft_semaphore_post - add one unit, or give it to the one that waits longest. 0; -EAGAIN: the
 * count is at its maximum; -EINVAL. Never waits. Since 0.1. */
WEFT_API int weft_semaphore_post(weft_semaphore *semaphore);

/* ---- event -------------------------------------------------------------------------------------
 *
 * Something that has happened, or not yet. A set happens before the return of every wait that it
 * ends. */
typedef struct weft_event {
        uint64_t weft__private[3];
} weft_event;

/* weft_event_init - not set. Since 0.1. */
WEFT_API void weft_event_init(weft_event *event);

/* weft_event_set - it has happened: wake all that wait, and let through all that come. 0 or
 * -EINVAL. Never waits. Since 0.1. */
WEFT_API int weft_event_set(weft_event *event);

/* weft_event_reset - it has not happened, for those that come from now on. 0 or -EINVAL. Since 0.1.
 * */
WEFT_API int weft_event_reset(weft_event *event);

/* weft_event_wait - wait until it is set. 0, or as above. Parks or blocks. Since 0.1. */
WEFT_API int weft_event_wait(weft_event *event, int64_t deadline);

/* ---- channel -----------------------------------------------------------------------------------
 *
 * A queue of up to `capacity` items of one size, first in, first out, between any number of senders
 * and receivers. A send happens before the receive of its item. */
typedef struct weft_channel weft_channel;

/* weft_channel_create - an empty one. item_size in bytes, may be 0; capacity at least 1. 0, and
 * *ret is the caller's to weft_channel_destroy(); -ENOMEM; -EINVAL. Since 0.1. */
WEFT_API int weft_channel_create(weft_channel **ret, size_t item_size, size_t capacity);

/* weft_channel_send - copy an item in, waiting while it is full. 0, or as above; -EPIPE: it has
 * been closed. Parks or blocks. Since 0.1. */
WEFT_API int weft_channel_send(weft_channel *channel, const void *item, int64_t deadline);

/* weft_channel_receive - copy the oldest item out, waiting while it is empty. 0, or as above;
 * -EPIPE: it has been closed and all items have been received. Parks or blocks. Since 0.1. */
WEFT_API int weft_channel_receive(weft_channel *channel, void *ret_item, int64_t deadline);

/* weft_channel_close - no more items: senders get -EPIPE, those that wait too; receivers get what
 * is left. 0; -EALREADY: it is closed already; -EOWNERDEAD; -EINVAL. Since 0.1. */
WEFT_API int weft_channel_close(weft_channel *channel);

/* weft_channel_destroy - free it and the items in it, which nobody uses any more; returns NULL.
 * NULL is fine. Since 0.1. */
WEFT_API weft_channel *weft_channel_destroy(weft_channel *channel);

WEFT_END_DECLS

#endif
