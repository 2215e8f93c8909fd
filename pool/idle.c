/* SPDX-License-Identifier: MIT
 *
 * Sleep and wake: an event count of who sleeps and who searches (see worker.h).
 *
 * Why no wake-up is lost. A publisher makes work visible, has a full fence, and reads the count. A
 * worker counts itself as sleeping and no longer as searching, has a full fence, and looks at every
 * queue once more. In the one order of full fences either the publisher's comes first, and the
 * worker sees the work; or the worker's does, and the publisher sees it asleep and, unless somebody
 * searches, wakes it. If it sees somebody search it leaves the work to that one, who either finds
 * it, or goes to sleep itself later, by the same steps.
 *
 * For the same reason one that goes to sleep need not look at the queues while somebody searches.
 * And one that sees work then is a searcher again: there may be more of it, which publishers have
 * left to it while it was counted as one.
 *
 * Workers that are busy come to the injector when they next take a task. One whose task forks and
 * joins meanwhile must be asked to look (press): by whoever puts something in, or by the last
 * searcher, to whom others have left it. Also while somebody searches, since that one may have no
 * processor for a while.
 *
 * A searcher that finds something takes itself out of the count; if it was the last one it then has
 * a full fence, looks whether there is more, and if so wakes another in its place. So one publisher
 * wakes one worker, and the rest follow while there is more. At most half of the workers search at
 * once.
 *
 * Pairings
 *  I1  notify: work, full fence, state <-> sleep, found: state, full fence, work
 *  H1  hurry, hand_over: due_at or kept_until, full fence, the other <-> sleep: kept_until, full
 *      fence, due_at: a timer that is due earlier is slept for, or wakes the keeper
 *  Q2  a worker begins: asked (release, worker.c) -> ask (acquire): its thread-locals
 *  I3  injected: the item, full fence, pressed <-> feed (fork.c): pressed, full fence, the item;
 *      press: pressed, full fence, asked <-> feed: asked, full fence, pressed: a busy worker is
 *      asked to look, or does
 */
#include <sched.h>

#include <weft/suspend.h>

#include "futex.h"
#include "missed.h"

enum { SLEEPING = 1 << 16, SEARCHING = 1, SEARCHING_MASK = SLEEPING - 1 };

static unsigned state_of(weft_pool *pool)
{
        /* relaxed: ordered by I1's fences where it matters, else a hint */
        return atomic_load_explicit(&pool->idle.state, memory_order_relaxed);
}

static bool should_wake(unsigned state)
{
        return state >= SLEEPING && (state & SEARCHING_MASK) == 0;
}

bool weft__idle_wants(weft__worker *w)
{
        unsigned state = w ? state_of(w->pool) : 0;
        return state && state / SLEEPING + (state & SEARCHING_MASK) > weft__deque_length(&w->deque);
}

static void wake(weft__worker *w)
{
        /* relaxed: why it was woken it sees under the lock, or at the latest after the fence with
         * which it would sleep again (I1, P2) */
        if (atomic_exchange_explicit(&w->parker, WEFT__NOTIFIED, memory_order_relaxed) ==
            WEFT__ASLEEP)
                weft__futex_wake(&w->parker, 1);
}

/* Wake the one that went to sleep last, as a searcher. */
static void wake_one(weft_pool *pool)
{
        weft__lock_take(&pool->idle.lock);
        weft__worker *w = should_wake(state_of(pool)) ? pool->idle.asleep : NULL;
        if (w) {
                pool->idle.asleep = w->next_asleep;
                w->listed = false;
                w->searching = true;
                /* seq_cst, here and below: no model tells it from acq_rel, since I1 has its fences.
                 * It stays, as it is the same instruction on x86-64 and on ARMv8. */
                atomic_fetch_add_explicit(&pool->idle.state, (unsigned)SEARCHING - SLEEPING,
                                          memory_order_seq_cst);
        }
        weft__lock_give(&pool->idle.lock);
        if (w)
                wake(w);
}

void weft__idle_notify(weft_pool *pool)
{
        weft__fence(); /* I1 <-> sleep */
        if (should_wake(state_of(pool)))
                wake_one(pool);
}

void weft__idle_ask(weft__worker *w)
{
        unsigned char *asked = atomic_load_explicit(&w->asked, memory_order_acquire); /* -> Q2 */
        /* relaxed, both: the sleeper's fence orders it, Q1 <-> feed; a searcher asks again. The
         * thread's end is ordered by R3. Looked at first, since the line is the owner's. */
        if (asked && !__atomic_load_n(asked, __ATOMIC_RELAXED))
                __atomic_store_n(asked, 1, __ATOMIC_RELAXED); /* relaxed: as above */
}

static void ask_all(weft_pool *pool, const weft__worker *but)
{
        for (unsigned i = 0; i < pool->workers; i++)
                if (&pool->worker[i] != but)
                        weft__idle_ask(&pool->worker[i]);
}

bool weft__idle_pressed(weft_pool *pool)
{
        /* relaxed: I3's fences order it */
        return atomic_load_explicit(&pool->idle.pressed, memory_order_relaxed);
}

static void set_pressed(weft_pool *pool, bool pressed)
{
        /* relaxed: as above */
        atomic_store_explicit(&pool->idle.pressed, pressed, memory_order_relaxed);
}

/* Something is in the injector, and workers are busy, perhaps each with a task that forks and joins
 * without end. So each is asked to look, once: a worker that is asked stays so until it has seen
 * the injector empty, and then takes back that all are. */
static void press(weft_pool *pool)
{
        if (weft__idle_pressed(pool) || !weft__worker_threads_hold(pool))
                return;
        set_pressed(pool, true);
        weft__fence(); /* I3 <-> feed */
        ask_all(pool, NULL);
        weft__worker_threads_let_go(pool);
}

void weft__idle_relieve(weft_pool *pool)
{
        if (weft__idle_pressed(pool))
                set_pressed(pool, false);
}

static bool some_are_busy(weft_pool *pool)
{
        unsigned state = state_of(pool);
        return state / SLEEPING + (state & SEARCHING_MASK) < pool->workers;
}

void weft__idle_injected(weft_pool *pool)
{
        if (should_wake(state_of(pool)))
                wake_one(pool);
        if (some_are_busy(pool))
                press(pool); /* I3 <-> feed */
}

void weft__idle_wake(weft__worker *w)
{
        /* relaxed: P2's fence is the caller's */
        if (atomic_load_explicit(&w->parker, memory_order_relaxed) == WEFT__ASLEEP)
                wake(w);
}

/* See to it that one watches the time, and looks at it now. If none does, of those that sleep, it
 * is one from here on, not only when it sleeps again: what it finds before that may take it long.
 * (If none sleeps, whoever is awake will look before it does.) */
static void wake_keeper(weft_pool *pool)
{
        weft__lock_take(&pool->idle.lock);
        weft__worker *w = pool->idle.keeper;
        if (!w) {
                w = pool->idle.keeper = pool->idle.asleep;
                if (w)
                        w->keeps = true;
        }
        weft__lock_give(&pool->idle.lock);
        if (w)
                weft__idle_wake(w);
}

void weft__idle_hurry(weft_pool *pool, int64_t when)
{
        weft__fence(); /* H1 <-> sleep */
        /* relaxed: after the fence */
        if (state_of(pool) < SLEEPING ||
            when >= atomic_load_explicit(&pool->idle.kept_until, memory_order_relaxed))
                return;
        wake_keeper(pool);
}

int64_t weft__idle_first_due(const weft_pool *pool)
{
        int64_t first = WEFT_FOREVER;
        for (unsigned i = 0; i < pool->workers; i++) {
                int64_t delayed = weft__delay_due_at(&pool->worker[i]);
                int64_t parked = pool->migrate ? weft__park_due_at(&pool->worker[i]) : WEFT_FOREVER;
                first = delayed < first ? delayed : first;
                first = parked < first ? parked : first;
        }
        return first;
}

/* By the keeper. */
static void keep_until(weft_pool *pool, int64_t until)
{
        /* relaxed: H1's fence is the caller's, where it matters */
        atomic_store_explicit(&pool->idle.kept_until, until, memory_order_relaxed);
}

/* The keeper has something else to do: one that sleeps takes its place, if there is anything to
 * wait for. */
static void hand_over(weft__worker *w)
{
        weft_pool *pool = w->pool;
        weft__lock_take(&pool->idle.lock);
        pool->idle.keeper = NULL;
        w->keeps = false;
        keep_until(pool, WEFT_FOREVER);
        bool others = pool->idle.asleep;
        weft__lock_give(&pool->idle.lock);
        if (!others)
                return;
        weft__fence(); /* H1 <-> hurry */
        if (weft__idle_first_due(pool) != WEFT_FOREVER)
                wake_keeper(pool);
}

void weft__idle_wake_all(weft_pool *pool)
{
        weft__fence(); /* I1 <-> sleep, for the flags that the caller has set */
        for (unsigned i = 0; i < pool->workers; i++)
                weft__idle_wake(&pool->worker[i]);
}

bool weft__idle_search(weft__worker *w)
{
        weft_pool *pool = w->pool;
        if (!w->searching && 2 * (state_of(pool) & SEARCHING_MASK) < pool->workers) {
                /* seq_cst: no model tells it from acq_rel, see wake_one() */
                atomic_fetch_add_explicit(&pool->idle.state, SEARCHING, memory_order_seq_cst);
                w->searching = true;
        }
        return w->searching;
}

/* After I1's fence: is there a task in any queue? */
static bool has_tasks(weft_pool *pool)
{
        if (weft__injector_has_some(&pool->injector))
                return true;
        for (unsigned i = 0; i < pool->workers; i++)
                if (weft__deque_has_some(&pool->worker[i].deque) ||
                    weft__tray_has_some(&pool->worker[i].tray))
                        return true;
        return false;
}

static __attribute__((noinline)) void found(weft__worker *w)
{
        WEFT__UNTOLD(w->pool);
        if (w->keeps)
                hand_over(w);
        if (!w->searching)
                return;
        w->searching = false;
        /* seq_cst: no model tells it from acq_rel, see wake_one() */
        unsigned state =
            atomic_fetch_sub_explicit(&w->pool->idle.state, SEARCHING, memory_order_seq_cst) -
            SEARCHING;
        if (state && !should_wake(state))
                return;
        weft__fence(); /* I1 <-> notify, injected */
        if (!state && weft__injector_has_some(&w->pool->injector))
                press(w->pool);
        else if (state && has_tasks(w->pool))
                wake_one(w->pool);
}

void weft__idle_found(weft__worker *w)
{
        if (w->searching || w->keeps)
                found(w);
}

bool weft__idle_unserved(weft_pool *pool)
{
        return !(state_of(pool) & SEARCHING_MASK) && has_tasks(pool);
}

/* After I1's fence: is there anything that this worker should stay awake for? */
static bool sees_work(weft__worker *w)
{
        weft_pool *pool = w->pool;
        /* relaxed, all: ordered by the fence; what they lead to is read again in the loop */
        if (atomic_load_explicit(&w->inbox, memory_order_relaxed) || /* P2 <-> unpark */
            atomic_load_explicit(&pool->stop, memory_order_relaxed))
                return true;
        if (state_of(pool) & SEARCHING_MASK)
                return false; /* see above: that one looks for us too */
        return has_tasks(pool);
}

/* Leave the list of the sleeping, to search or not, if nobody has taken us from it. */
static void get_up(weft__worker *w, bool searches)
{
        weft_pool *pool = w->pool;
        weft__lock_take(&pool->idle.lock);
        if (w->listed) {
                weft__worker **link = &pool->idle.asleep;
                while (*link != w)
                        link = &(*link)->next_asleep;
                *link = w->next_asleep;
                w->listed = false;
                w->searching = searches;
                /* seq_cst: no model tells it from acq_rel, see wake_one() */
                atomic_fetch_sub_explicit(&pool->idle.state,
                                          (unsigned)SLEEPING - (searches ? SEARCHING : 0),
                                          memory_order_seq_cst);
        }
        if (w->keeps)
                keep_until(pool, INT64_MIN);
        weft__lock_give(&pool->idle.lock);
        /* relaxed: a late wake of a worker that is awake does nothing */
        atomic_store_explicit(&w->parker, WEFT__AWAKE, memory_order_relaxed);
}

/* ---- sleep ---- */

static bool woken_before(weft__worker *w, int64_t deadline)
{
        /* relaxed: see wake() */
        while (atomic_load_explicit(&w->parker, memory_order_relaxed) == WEFT__ASLEEP) {
                weft__futex_wait(&w->parker, WEFT__ASLEEP, deadline);
                if (deadline != WEFT_FOREVER && weft_now() >= deadline)
                        return false;
        }
        return true;
}

/* Until it is woken, until deadline, or until it should have been woken: a model is to see who
 * sleeps for ever. */
static void doze(weft__worker *w, bool keeps, int64_t deadline)
{
#if defined(WEFT_MODEL)
        (void)keeps;
        woken_before(w, deadline);
#else
        struct weft__looks looks;
        int64_t next = weft__looks_begin(&looks, keeps);
        while (!woken_before(w, next < deadline ? next : deadline) && next < deadline) {
                if (weft__look_up(w, &looks, &next)) {
                        weft__idle_wake_all(w->pool);
                        return;
                }
        }
#endif
}

/* Say that we sleep, and look once more; false, and awake again, if there is something. */
static bool lie_down(weft__worker *w, bool *ret_keeps, int64_t *deadline)
{
        weft_pool *pool = w->pool;
        WEFT__UNTOLD(pool);
        /* relaxed: ordered by the fence below */
        atomic_store_explicit(&w->parker, WEFT__ASLEEP, memory_order_relaxed);
        weft__lock_take(&pool->idle.lock);
        w->next_asleep = pool->idle.asleep;
        pool->idle.asleep = w;
        w->listed = true;
        /* seq_cst: no model tells it from acq_rel, see wake_one() */
        atomic_fetch_add_explicit(&pool->idle.state,
                                  (unsigned)SLEEPING - (w->searching ? SEARCHING : 0),
                                  memory_order_seq_cst);
        w->searching = false;
        if (!pool->idle.keeper) {
                pool->idle.keeper = w;
                w->keeps = true;
        }
        const bool keeps = w->keeps;
        if (keeps)
                keep_until(pool, WEFT_FOREVER);
        weft__lock_give(&pool->idle.lock);

        weft__fence(); /* I1 <-> notify, P2 <-> unpark, H1 <-> hurry, Q1 <-> feed */
        ask_all(pool, w);
        if (keeps) {
                int64_t first = weft__idle_first_due(pool);
                *deadline = first < *deadline ? first : *deadline;
                keep_until(pool, *deadline);
        }
        *ret_keeps = keeps;
        if (!sees_work(w))
                return true;
        get_up(w, true);
        return false;
}

void weft__idle_sleep(weft__worker *w, int64_t deadline)
{
        bool keeps;
        /* This runs nobody's code, since between tasks the bank holds no cells (frame.c): a release
         * function could take long, while others leave work to us if we search, or line up a fiber
         * here, for which we look no more. */
        weft__context_settle();
        weft__pool_check_drained(w->pool);
        if (!lie_down(w, &keeps, &deadline)) {
                sched_yield(); /* what we saw may belong to a thread that was interrupted */
                return;
        }
        doze(w, keeps, deadline);
        /* relaxed: read for the figures only */
        if (atomic_load_explicit(&w->parker, memory_order_relaxed) == WEFT__NOTIFIED)
                weft__count(&w->woken, false);
        get_up(w, false);
}
