/* SPDX-License-Identifier: MIT
 *
 * The backstop of sleep and wake (see missed.h).
 *
 * Whoever publishes work may be interrupted before it wakes somebody, and who was woken before it
 * goes on. So only what two looks have seen was missed, if those who should have been woken for it
 * have done nothing meanwhile. Who is off the processor for longer than that looks like a mistake;
 * in test builds, where a second lies between two looks, it is known whether somebody is in the
 * middle (WEFT__UNTOLD), and such a look tells nothing.
 */
#include "missed.h"

#include <stdio.h>
#include <stdlib.h>

#include <weft/suspend.h>

int64_t weft__looks_begin(struct weft__looks *looks, bool keeps)
{
#if defined(WEFT_TEST_HOOKS)
        (void)keeps;
        *looks = (struct weft__looks){.every = 1000000000};
#else
        *looks = (struct weft__looks){.every = keeps ? 10000000000 : WEFT_FOREVER};
#endif
        return looks->every == WEFT_FOREVER ? WEFT_FOREVER : weft_now() + looks->every;
}

#if defined(WEFT_TEST_HOOKS)
void (*weft__missed_hook)(const char *what);

static void tell(const weft__worker *w, const char *what)
{
        if (weft__missed_hook) {
                weft__missed_hook(what);
                return;
        }
        fprintf(stderr, "weft: a wake-up was missed: worker %s-%u slept, and there was %s\n",
                w->pool->name, w->index, what);
        abort();
}
#else
static void tell(const weft__worker *w, const char *what)
{
        (void)w;
        (void)what; /* the figures tell */
}
#endif

static uint64_t progress_of(const weft__worker *w)
{
        /* relaxed, both: seconds lie between two looks */
        return atomic_load_explicit(&w->counts.started, memory_order_relaxed) +
               atomic_load_explicit(&w->parked, memory_order_relaxed); /* relaxed: as above */
}

static bool is_asleep(const weft__worker *w)
{
        /* relaxed: what is meant has been so for long */
        return atomic_load_explicit(&w->parker, memory_order_relaxed) == WEFT__ASLEEP;
}

static bool sleeps_over_inbox(weft__worker *w)
{
        /* relaxed: as above */
        return atomic_load_explicit(&w->inbox, memory_order_relaxed) && is_asleep(w);
}

/* Whether a timer was due by then, and there is no keeper, or it sleeps, and for longer. */
static bool sleeps_over_timer(weft_pool *pool, int64_t then)
{
        int64_t due_at = weft__idle_first_due(pool);
        if (due_at > then)
                return false;
        weft__lock_take(&pool->idle.lock);
        /* relaxed: as above */
        int64_t kept_until = atomic_load_explicit(&pool->idle.kept_until, memory_order_relaxed);
        const weft__worker *keeper = pool->idle.keeper;
        weft__lock_give(&pool->idle.lock);
        return due_at < kept_until && (!keeper || is_asleep(keeper));
}

/* What those who sleep should have been woken for, if it was there, or due, by then; NULL: nothing;
 * and how far those have come who should have been. */
static const char *overlooked(weft_pool *pool, int64_t then, uint64_t *ret_progress)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i < pool->workers; i++) {
                weft__worker *w = &pool->worker[i];
                /* It concerns that one; with its number, so that none is taken for another. */
                *ret_progress = progress_of(w) * pool->workers + i;
                if (sleeps_over_inbox(w))
                        return "a task to be resumed";
                sum += progress_of(w);
        }
        *ret_progress = sum;
        /* relaxed: as above */
        if (atomic_load_explicit(&pool->stop, memory_order_relaxed))
                return "an order to stop";
        if (sleeps_over_timer(pool, then))
                return "a timer that was due";
        return weft__idle_unserved(pool) ? "a task in a queue" : NULL;
}

/* The same, as far as it is certain. */
static const char *seen(weft_pool *pool, int64_t then, uint64_t *ret_progress)
{
#if defined(WEFT__TELLS)
        /* seq_cst, both: as those who count. The ends first: if no more have begun at last, nobody
         * was in the middle since. */
        unsigned told = atomic_load_explicit(&pool->idle.told, memory_order_seq_cst);
        const char *what = overlooked(pool, then, ret_progress);
        weft__full_fence();
        return atomic_load_explicit(&pool->idle.untold, memory_order_seq_cst) == told ? what : NULL;
#else
        return overlooked(pool, then, ret_progress);
#endif
}

bool weft__look_up(weft__worker *w, struct weft__looks *looks, int64_t *next)
{
        uint64_t progress;
        const char *what = seen(w->pool, *next - looks->every, &progress);
        bool missed = what && what == looks->what && progress == looks->progress;
        looks->what = what;
        looks->progress = progress;
        *next = weft_now() + looks->every;
        if (missed) {
                weft__count(&w->missed, false);
                tell(w, what);
        }
        return missed;
}
