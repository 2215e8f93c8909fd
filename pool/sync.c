/* SPDX-License-Identifier: MIT
 *
 * Mutex, semaphore and event: a few words under a lock, and a list of those who wait.
 *
 * All hand over directly: what a waiter waits for is given to it by the one who wakes it, under the
 * lock, so that nobody can come in between. A waiter that left for another reason cannot be woken
 * (weft__wake fails), and the next one is served instead.
 *
 * After a fork: those who wait in the parent are in no list of the child's. A mutex says in which
 * process it was taken.
 *
 * Pairings
 *  M1  unlock: the mutex's word (release) -> lock (acquire): what the holder did
 */
#include <weft/sync.h>

#include "wait.h"

static void take(weft__lock *lock, weft__waitlist *list) WEFT__TAKES(*lock);

static void take(weft__lock *lock, weft__waitlist *list)
{
        if (weft__lock_take(lock))
                *list = (weft__waitlist){NULL, NULL}; /* they are in the parent */
}

/* Give up the lock, having found what was asked for, or wait in the list for it. */
static int found_or_wait(bool found, weft__lock *lock, weft__waitlist *list, weft__waiter *w,
                         int64_t deadline) WEFT__GIVES(*lock);

static int found_or_wait(bool found, weft__lock *lock, weft__waitlist *list, weft__waiter *w,
                         int64_t deadline)
{
        int r = found ? 0 : weft__wait_in(list, lock, w, deadline);
        weft__lock_give(lock);
        return r;
}

/* ---- mutex: free or held by one word, without the lock, while nobody waits ---- */

enum { FREE = 0, HELD = 1, WAITED_FOR = 2, STATE_BITS = 2 };

struct mutex {
        atomic_uint word; /* FREE, or a state and above it the number of forks before. WAITED_FOR is
                             written under the lock: HELD, and the list may have some */
        weft__lock lock;
        weft__waitlist waiters;
} __attribute__((may_alias));

_Static_assert(sizeof(struct mutex) <= sizeof(weft_mutex), "weft_mutex is too small");

static unsigned word_of(unsigned state)
{
        return state == FREE ? FREE : weft__fork_generation() << STATE_BITS | state;
}

static bool change(struct mutex *m, unsigned from, unsigned to)
{
        from = word_of(from);
        to = word_of(to);
        /* -> M1 and M1 ->: one function for both directions; relaxed on failure: nothing was taken
         * */
        return atomic_compare_exchange_strong_explicit(&m->word, &from, to, memory_order_acq_rel,
                                                       memory_order_relaxed);
}

/* Whether it is held, but was taken in a process that this one was forked from. Once it is not it
 * never will be. */
static bool held_before_fork(struct mutex *m, unsigned *ret_word)
{
        /* relaxed: only one who gives it up goes on from it, by an exchange */
        *ret_word = atomic_load_explicit(&m->word, memory_order_relaxed);
        return *ret_word != FREE && *ret_word >> STATE_BITS != weft__fork_generation();
}

void weft_mutex_init(weft_mutex *mutex)
{
        *(struct mutex *)mutex = (struct mutex){0};
}

int weft_mutex_trylock(weft_mutex *mutex)
{
        struct mutex *m = (struct mutex *)mutex;
        unsigned word;
        if (!m)
                return -EINVAL;
        if (change(m, FREE, HELD))
                return 0;
        return held_before_fork(m, &word) ? -EOWNERDEAD : -EAGAIN;
}

int weft_mutex_lock(weft_mutex *mutex, int64_t deadline)
{
        struct mutex *m = (struct mutex *)mutex;
        unsigned word;
        if (!m)
                return -EINVAL;
        if (change(m, FREE, HELD))
                return 0;
        if (held_before_fork(m, &word))
                return -EOWNERDEAD;
        weft__waiter own, *w = weft__wait_begin(&own, false);
        take(&m->lock, &m->waiters);
        bool got = false;
        while (!got && !change(m, HELD, WAITED_FOR) && !change(m, WAITED_FOR, WAITED_FOR))
                got = change(m, FREE, HELD);
        weft__wait_is_on(w, WEFT__ON_MUTEX, m);
        return found_or_wait(got, &m->lock, &m->waiters, w, deadline);
}

int weft_mutex_unlock(weft_mutex *mutex)
{
        struct mutex *m = (struct mutex *)mutex;
        unsigned word;
        if (!m)
                return -EINVAL;
        if (change(m, HELD, FREE))
                return 0;
        /* M1 ->, or in vain, as nobody takes it here; relaxed on failure: looked at again below */
        if (held_before_fork(m, &word) &&
            atomic_compare_exchange_strong_explicit(&m->word, &word, FREE, memory_order_release,
                                                    memory_order_relaxed)) /* relaxed: same */
                return 0;
        take(&m->lock, &m->waiters);
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
        take(&s->lock, &s->waiters);
        bool free_unit = s->units > 0;
        if (free_unit)
                s->units--;
        weft__wait_is_on(w, WEFT__ON_SEMAPHORE, s);
        return found_or_wait(free_unit, &s->lock, &s->waiters, w, deadline);
}

int weft_semaphore_post(weft_semaphore *semaphore)
{
        struct semaphore *s = (struct semaphore *)semaphore;
        int r = 0;
        if (!s)
                return -EINVAL;
        take(&s->lock, &s->waiters);
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
        take(&e->lock, &e->waiters);
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
        take(&e->lock, &e->waiters);
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
        take(&e->lock, &e->waiters);
        weft__wait_is_on(w, WEFT__ON_EVENT, e);
        return found_or_wait(e->set, &e->lock, &e->waiters, w, deadline);
}
