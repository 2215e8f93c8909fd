/* SPDX-License-Identifier: MIT
 *
 * Mutex, semaphore and event: a few words under a lock, and a list of those who wait.
 *
 * All hand over directly: what a waiter waits for is given to it by the one who wakes it, under the
 * lock, so that nobody can come in between. A waiter that left for another reason cannot be woken
 * (weft__wake fails), and the next one is served instead.
 *
 * Pairings
 *  M1  unlock: the mutex's word (release) -> lock (acquire): what the holder did
 */
#include <weft/sync.h>

#include "wait.h"

/* Wait in the list; the caller has linked w under the lock, and given that up. The lock is taken
 * again whatever the reason, since whoever woke us holds it still, and we may return to a caller
 * whose storage it is. */
static int wait_in(weft__lock *lock, weft__waitlist *list, weft__waiter *w, int64_t deadline)
{
        int r = weft__wait_error(weft__wait(w, deadline));
        weft__lock_take(lock);
        weft__waitlist_remove(list, w);
        weft__lock_give(lock);
        return r;
}

/* ---- mutex: free or held by one word, without the lock, while nobody waits ---- */

enum { FREE = 0, HELD = 1, WAITED_FOR = 2 };

struct mutex {
        atomic_uint
            word; /* WAITED_FOR is written under the lock: HELD, and the list may have some */
        weft__lock lock;
        weft__waitlist waiters;
} __attribute__((may_alias));

_Static_assert(sizeof(struct mutex) <= sizeof(weft_mutex), "weft_mutex is too small");

static bool change(struct mutex *m, unsigned from, unsigned to)
{
        /* -> M1 and M1 ->: one function for both directions; relaxed on failure: nothing was taken
         * */
        return atomic_compare_exchange_strong_explicit(&m->word, &from, to, memory_order_acq_rel,
                                                       memory_order_relaxed);
}

void weft_mutex_init(weft_mutex *mutex)
{
        *(struct mutex *)mutex = (struct mutex){0};
}

int weft_mutex_trylock(weft_mutex *mutex)
{
        if (!mutex)
                return -EINVAL;
        return change((struct mutex *)mutex, FREE, HELD) ? 0 : -EAGAIN;
}

int weft_mutex_lock(weft_mutex *mutex, int64_t deadline)
{
        struct mutex *m = (struct mutex *)mutex;
        if (!m)
                return -EINVAL;
        if (change(m, FREE, HELD))
                return 0;
        weft__waiter own, *w = weft__wait_begin(&own, false);
        weft__lock_take(&m->lock);
        while (!change(m, HELD, WAITED_FOR) && !change(m, WAITED_FOR, WAITED_FOR)) {
                if (change(m, FREE, HELD)) {
                        weft__lock_give(&m->lock);
                        return 0;
                }
        }
        weft__waitlist_add(&m->waiters, w);
        weft__lock_give(&m->lock);
        return wait_in(&m->lock, &m->waiters, w, deadline);
}

int weft_mutex_unlock(weft_mutex *mutex)
{
        struct mutex *m = (struct mutex *)mutex;
        if (!m)
                return -EINVAL;
        if (change(m, HELD, FREE))
                return 0;
        weft__lock_take(&m->lock);
        int r = 0;
        /* WAITED_FOR stays for the one who gets it; that one's unlock comes here again. */
        if (!weft__waitlist_wake_one(&m->waiters) && !change(m, WAITED_FOR, FREE))
                r = -EPERM;
        weft__lock_give(&m->lock);
        return r;
}

/* ---- semaphore ---- */

struct semaphore {
        uint64_t units;
        weft__lock lock;
        weft__waitlist waiters;
} __attribute__((may_alias));

_Static_assert(sizeof(struct semaphore) <= sizeof(weft_semaphore), "weft_semaphore is too small");

void weft_semaphore_init(weft_semaphore *semaphore, uint64_t units)
{
        *(struct semaphore *)semaphore = (struct semaphore){.units = units};
}

int weft_semaphore_wait(weft_semaphore *semaphore, int64_t deadline)
{
        struct semaphore *s = (struct semaphore *)semaphore;
        if (!s)
                return -EINVAL;
        weft__waiter own, *w = weft__wait_begin(&own, false);
        weft__lock_take(&s->lock);
        bool free_unit = s->units > 0;
        if (free_unit)
                s->units--;
        else
                weft__waitlist_add(&s->waiters, w);
        weft__lock_give(&s->lock);
        return free_unit ? 0 : wait_in(&s->lock, &s->waiters, w, deadline);
}

int weft_semaphore_post(weft_semaphore *semaphore)
{
        struct semaphore *s = (struct semaphore *)semaphore;
        int r = 0;
        if (!s)
                return -EINVAL;
        weft__lock_take(&s->lock);
        if (s->units == UINT64_MAX)
                r = -EAGAIN;
        else if (!weft__waitlist_wake_one(&s->waiters))
                s->units++;
        weft__lock_give(&s->lock);
        return r;
}

/* ---- event ---- */

struct event {
        bool set;
        weft__lock lock;
        weft__waitlist waiters;
} __attribute__((may_alias));

_Static_assert(sizeof(struct event) <= sizeof(weft_event), "weft_event is too small");

void weft_event_init(weft_event *event)
{
        *(struct event *)event = (struct event){0};
}

int weft_event_set(weft_event *event)
{
        struct event *e = (struct event *)event;
        if (!e)
                return -EINVAL;
        weft__lock_take(&e->lock);
        e->set = true;
        weft__waitlist_wake_all(&e->waiters);
        weft__lock_give(&e->lock);
        return 0;
}

int weft_event_reset(weft_event *event)
{
        struct event *e = (struct event *)event;
        if (!e)
                return -EINVAL;
        weft__lock_take(&e->lock);
        e->set = false;
        weft__lock_give(&e->lock);
        return 0;
}

int weft_event_wait(weft_event *event, int64_t deadline)
{
        struct event *e = (struct event *)event;
        if (!e)
                return -EINVAL;
        weft__waiter own, *w = weft__wait_begin(&own, false);
        weft__lock_take(&e->lock);
        bool set = e->set;
        if (!set)
                weft__waitlist_add(&e->waiters, w);
        weft__lock_give(&e->lock);
        return set ? 0 : wait_in(&e->lock, &e->waiters, w, deadline);
}
