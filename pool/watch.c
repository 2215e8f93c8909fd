/* SPDX-License-Identifier: MIT
 *
 * The watchdog (see weft/see.h): one thread that looks at all workers now and then.
 *
 * It reads nothing of them but counts and whether they sleep, all atomic. A worker that leaves a
 * task counts that: the task has ended, waits, or was set aside. So of one that is awake with the
 * same counts twice, whatever task it had after the first look it has still. (After the first: one
 * that a worker goes on with is not counted.) And if all sleep, with the same counts for a while,
 * while there are tasks, then all of them wait. What they are, and what for, is seen in a copy of
 * the process (look.h).
 *
 * It is asked to end by a flag, with which nothing comes (stop).
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/see.h>
#include <weft/suspend.h>

#include "dump.h"
#include "futex.h"
#include "pools.h"

enum { LOOKS = 4, REPORT_MOST = 256 * 1024, TASKS_MOST = 200 };
static const int64_t SOONEST = 1000000, LATEST = 250000000; /* ns between two looks */

/* What was seen of a worker. */
struct worker_seen {
        uint64_t moves; /* counts that change when it leaves a task */
        int64_t since;  /* it has been awake with these since; 0: it is not, or was seen so once */
        unsigned tick;  /* of its loop, once it was asked for */
        bool once, asked, told;
};

struct pool_seen {
        unsigned number, workers;
        bool there;
        struct pool_seen *next;
        struct worker_seen worker[];
};

/* What was seen of all. */
struct all_seen {
        uint64_t moves;
        uint64_t alive; /* tasks */
        bool asleep;    /* all workers are */
        int64_t since;  /* it has been so, with tasks; 0: it is not so */
        bool told;
};

enum state { OFF = 0, ON, ENDING };

static struct {
        weft__lock lock;
        enum state state; /* in the process of this generation; under lock, both */
        unsigned generation;
        pthread_t thread;
        atomic_uint stop;

        /* const while it is on */
        int64_t limit;
        weft_watch_fn *report;
        void *arg;
} watch;

/* ---- reports ---- */

struct text {
        char *at;
        size_t length, size;
};

static void append(const char *piece, size_t length, void *arg)
{
        struct text *t = arg;
        size_t room = t->size - 1 - t->length;
        if (length > room)
                length = room;
        memcpy(t->at + t->length, piece, length);
        t->length += length;
        t->at[t->length] = '\0';
}

static void hand_out(const char *text)
{
        unsigned generation = weft__fork_generation();
        WEFT__MUST_RETURN(returned);
        if (watch.report)
                watch.report(text, watch.arg);
        else
                weft__dump_to_fd(text, strlen(text), STDERR_FILENO);
        returned = true;
        weft__end_if_forked(generation, 0);
}

/* Look in a copy, and hand on what it has found: 1, or 0 if that is nothing; or there was no copy
 * to be had this time, -errno. */
static int tell(weft__copy_fn *look, void *arg)
{
        struct text t = {weft__alloc(REPORT_MOST), 0, REPORT_MOST};
        if (!t.at)
                return -ENOMEM;
        int r = weft__snapshot(look, arg, append, &t);
        if (t.length) {
                hand_out(t.at);
                r = 1;
        }
        weft__free(t.at, REPORT_MOST);
        return r;
}

/* ---- a worker that is held ---- */

struct held {
        unsigned pool, worker; /* numbers */
        int64_t for_ns;
        unsigned tick; /* of its loop, which a yield is too, when this was seen before */
};

static const weft__worker *worker_of(const struct held *held)
{
        for (weft_pool *pool = weft__pools_next(NULL); pool; pool = weft__pools_next(pool))
                if (pool->number == held->pool && held->worker < pool->workers)
                        return &pool->worker[held->worker];
        return NULL;
}

static void look_at_tick(weft__out *out, void *held)
{
        const weft__worker *w = worker_of(held);
        if (w && w->fiber && w->fiber->task)
                weft__out_print(out, "%u", w->tick);
}

static void look_at_held(weft__out *out, void *arg)
{
        const struct held *held = arg;
        const weft__worker *w = worker_of(held);
        struct weft__view view;
        if (!w || w->tick != held->tick)
                return;
        if (!weft__look(&view))
                weft__copy_no_memory(out);
        for (const struct weft__seen *s = view.seen; s < view.seen + view.count; s++) {
                if (s->doing != WEFT__RUNS || s->worker != w)
                        continue;
                weft__out_print(out, "weft: worker ");
                weft__dump_worker(out, w);
                weft__out_print(out, " has been held for %" PRId64 ".%03d s at least by the task\n",
                                held->for_ns / 1000000000, (int)(held->for_ns / 1000000 % 1000));
                weft__dump_task(out, &view, s, 1);
        }
}

/* Take its tick; false if there is no task on it, or no copy to be had. */
static bool ask_tick(struct held *held)
{
        char digits[16] = "";
        struct text t = {digits, 0, sizeof(digits)};
        if (weft__snapshot(look_at_tick, held, append, &t) < 0 || !t.length)
                return false;
        held->tick = (unsigned)strtoul(digits, NULL, 10);
        return true;
}

static bool is_asleep(const weft__worker *w)
{
        /* relaxed: what matters is that it was so at some moment */
        return atomic_load_explicit(&w->parker, memory_order_relaxed) == WEFT__ASLEEP;
}

static uint64_t count(const atomic_uint_least64_t *n)
{
        /* relaxed: as above; a count that is seen late is seen at the next look */
        return atomic_load_explicit(n, memory_order_relaxed);
}

static uint64_t moves_of(const weft__worker *w)
{
        const struct weft__counts *c = &w->counts;
        return count(&c->started) + count(&c->run) + count(&c->cancelled) + count(&w->parked);
}

static void look_at_worker(const weft__worker *w, struct worker_seen *seen, int64_t now)
{
        uint64_t moves = moves_of(w);
        bool same = seen->once && moves == seen->moves && !is_asleep(w);
        if (same && !seen->since)
                seen->since = now;
        if (!same)
                *seen = (struct worker_seen){.moves = moves, .once = !is_asleep(w)};
}

/* Whoever has been so for long enough is looked at twice: one that yields in between, with nothing
 * else there to go on with, holds up nobody, and is as one that has only been seen now. */
static void tell_held(struct pool_seen *pool, int64_t now)
{
        for (unsigned i = 0; i < pool->workers; i++) {
                struct worker_seen *seen = &pool->worker[i];
                if (!seen->since || seen->told || now - seen->since < watch.limit)
                        continue;
                struct held held = {pool->number, i, now - seen->since, seen->tick};
                if (seen->asked) {
                        int r = tell(look_at_held, &held);
                        seen->told = r > 0;
                        if (r == 0)
                                *seen = (struct worker_seen){.moves = seen->moves, .once = true};
                } else if (ask_tick(&held)) {
                        seen->asked = true;
                        seen->tick = held.tick;
                }
        }
}

/* ---- everything waits ---- */

/* Whether only a task, or a thread outside pools, can end this wait. */
static bool is_stuck(const struct weft__seen *s)
{
        return s->doing == WEFT__WAITS && s->until == WEFT_FOREVER && s->on != WEFT__ON_TIME &&
               s->on != WEFT__ON_FD && s->on != WEFT__ON_BLOCKING;
}

/* The task whose end this one awaits. */
static struct weft__seen *awaited(const struct weft__view *view, const struct weft__seen *s)
{
        return s->on == WEFT__ON_TASK ? weft__look_for(view, s->what) : NULL;
}

static void print_circle(weft__out *out, const struct weft__view *view,
                         const struct weft__seen *one)
{
        const struct weft__seen *at = one;
        weft__out_print(out, "In a circle, which nothing but a cancellation can end: ");
        do {
                weft__out_print(out, "#%08" PRIx32 " awaits ", at->id);
                at = awaited(view, at);
        } while (at != one);
        weft__out_print(out, "#%08" PRIx32 "\n", one->id);
}

/* From each task that no walk has come to, a walk along those that are awaited; one that comes to
 * itself has found a circle. */
static void print_circles(weft__out *out, const struct weft__view *view)
{
        for (size_t i = 0; i < view->count; i++) {
                struct weft__seen *at = &view->seen[i];
                while (at && !at->walk) {
                        at->walk = i + 1;
                        at = awaited(view, at);
                }
                if (at && at->walk == i + 1)
                        print_circle(out, view, at);
        }
}

static void look_at_stuck(weft__out *out, void *alive)
{
        struct weft__view view;
        size_t shown = 0;
        if (!weft__look(&view))
                weft__copy_no_memory(out);
        if (view.partly || view.count != *(uint64_t *)alive)
                return;
        for (const struct weft__seen *s = view.seen; s < view.seen + view.count; s++)
                if (!is_stuck(s))
                        return;
        weft__out_print(out,
                        "weft: all tasks wait, and nothing of weft's can wake one: no task runs "
                        "or is ready, none has a time, a deadline or a descriptor. If no "
                        "thread outside the pools will, this is a deadlock.\n");
        print_circles(out, &view);
        for (; shown < view.count && shown < TASKS_MOST; shown++)
                weft__dump_task(out, &view, &view.seen[shown], 0);
        if (shown < view.count)
                weft__out_print(out, "and %zu more\n", view.count - shown);
}

/* ---- looking ---- */

static void add_counts(struct all_seen *all, const struct weft__counts *c)
{
        uint64_t submitted = count(&c->submitted), refused = count(&c->refused);
        uint64_t ended = count(&c->run) + count(&c->cancelled) + refused;
        all->alive += submitted - ended;
        all->moves += submitted + count(&c->started) + ended;
}

/* That of a pool, or a new one; NULL if there is no memory. */
static struct pool_seen *find(struct pool_seen **list, const weft_pool *pool)
{
        struct pool_seen *p = *list;
        while (p && p->number != pool->number)
                p = p->next;
        if (p)
                return p;
        p = weft__alloc_zeroed(sizeof(*p) + pool->workers * sizeof(*p->worker));
        if (!p)
                return NULL;
        p->number = pool->number;
        p->workers = pool->workers;
        p->next = *list;
        *list = p;
        return p;
}

static void forget_gone(struct pool_seen **link)
{
        struct pool_seen *p;
        while ((p = *link)) {
                if (p->there) {
                        p->there = false;
                        link = &p->next;
                        continue;
                }
                *link = p->next;
                weft__free(p, sizeof(*p) + p->workers * sizeof(*p->worker));
        }
}

static void look_at_pool(const weft_pool *pool, struct pool_seen *seen, struct all_seen *all,
                         int64_t now)
{
        for (unsigned i = 0; i < pool->workers; i++) {
                const weft__worker *w = &pool->worker[i];
                if (seen)
                        look_at_worker(w, &seen->worker[i], now);
                all->asleep &= is_asleep(w);
                all->moves += moves_of(w);
                add_counts(all, &w->counts);
        }
        for (unsigned i = 0; i < WEFT__STRIPES; i++)
                add_counts(all, &pool->stripe[i].counts);
}

static void look_at_all(struct pool_seen **pools, struct all_seen *all)
{
        int64_t now = weft_now();
        struct all_seen is = {.asleep = true};
        weft__pools_hold();
        for (weft_pool *pool = weft__pools_next(NULL); pool; pool = weft__pools_next(pool)) {
                struct pool_seen *seen = find(pools, pool);
                if (seen)
                        seen->there = true;
                look_at_pool(pool, seen, &is, now);
        }
        weft__pools_let_go();
        for (struct pool_seen *p = *pools; p; p = p->next)
                if (p->there)
                        tell_held(p, now);
        forget_gone(pools);

        if (!is.asleep || !is.alive || is.moves != all->moves || is.alive != all->alive) {
                *all = is;
                return;
        }
        if (!all->since)
                all->since = now;
        if (!all->told && now - all->since >= watch.limit)
                all->told = tell(look_at_stuck, &all->alive) >= 0; /* what has to move for more */
}

static void *watch_all(void *unused)
{
        struct pool_seen *pools = NULL;
        struct all_seen all = {.moves = 0};
        int64_t pause = watch.limit / LOOKS;
        pause = pause < SOONEST ? SOONEST : pause > LATEST ? LATEST : pause;
        (void)unused;
        weft__memory_begin();
        pthread_setname_np(pthread_self(), "weft-watch");
        /* relaxed: nothing comes with it; the kernel looks at it again before the thread sleeps */
        while (!atomic_load_explicit(&watch.stop, memory_order_relaxed)) {
                look_at_all(&pools, &all);
                weft__futex_wait(&watch.stop, 0, weft_now() + pause);
        }
        for (struct pool_seen *p = pools; p; p = p->next)
                p->there = false;
        forget_gone(&pools);
        return NULL;
}

/* ---- on and off ---- */

/* Under the lock. */
static enum state state_now(void)
{
        return watch.generation == weft__fork_generation() ? watch.state : OFF;
}

static void become(enum state state)
{
        watch.state = state;
        watch.generation = weft__fork_generation();
}

static int start(void)
{
        sigset_t all, before;
        /* relaxed: the thread is not there yet */
        atomic_store_explicit(&watch.stop, 0, memory_order_relaxed);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int r = pthread_create(&watch.thread, NULL, watch_all, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -r;
}

int weft_watch_begin(int64_t limit, weft_watch_fn *report, void *arg)
{
        if (limit <= 0)
                return -EINVAL;
        weft__lock_take(&watch.lock);
        int r = state_now() == OFF ? 0 : -EALREADY;
        if (r == 0) {
                watch.limit = limit;
                watch.report = report;
                watch.arg = arg;
                r = start();
                become(r == 0 ? ON : OFF);
        }
        weft__lock_give(&watch.lock);
        return r;
}

static void join(pthread_t thread)
{
        atomic_store_explicit(&watch.stop, 1, memory_order_relaxed); /* relaxed: as read */
        weft__futex_wake(&watch.stop, 1);
        struct weft__kept kept = weft__keep();
        pthread_join(thread, NULL);
        weft__give_back(kept);
}

int weft_watch_end(void)
{
        weft__lock_take(&watch.lock);
        enum state state = state_now();
        pthread_t thread = watch.thread;
        int r = state != OFF && pthread_equal(thread, pthread_self()) ? -EDEADLK : 0;
        bool ours = state == ON && r == 0;
        if (ours)
                become(ENDING);
        weft__lock_give(&watch.lock);
        if (!ours)
                return r;
        join(thread);
        weft__lock_take(&watch.lock);
        become(OFF);
        weft__lock_give(&watch.lock);
        return 0;
}
