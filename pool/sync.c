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

/* Give up the lock, having found what was asked for, or wait in the list for it. */
static int found_or_wait(bool found, weft__lock *lock, weft__waitlist *list, weft__waiter *w,
                         int64_t deadline)
{
        int r = found ? 0 : weft__wait_in(list, lock, w, deadline);
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
        bool got = false;
        while (!got && !change(m, HELD, WAITED_FOR) && !change(m, WAITED_FOR, WAITED_FOR))
                got = change(m, FREE, HELD);
        return found_or_wait(got, &m->lock, &m->waiters, w, deadline);
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
        return found_or_wait(free_unit, &s->lock, &s->waiters, w, deadline);
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
        return found_or_wait(e->set, &e->lock, &e->waiters, w, deadline);
}
