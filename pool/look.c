/* SPDX-License-Identifier: MIT
 *
 * Finding all tasks (see look.h).
 */
#include "look.h"

#include <weft/suspend.h>

#include "pools.h"

struct place {
        struct weft__view *view;
        const weft_pool *pool;
        const weft__worker *worker;
};

struct pair {
        struct weft__view *view;
        const struct weft__seen *of;
};

/* ---- one task ---- */

static struct weft__seen *add(const struct place *at)
{
        struct weft__view *view = at->view;
        if (view->count == view->room) {
                view->partly = true;
                weft__copy_give_up();
        }
        struct weft__seen *s = &view->seen[view->count++];
        *s = (struct weft__seen){.pool = at->pool, .until = WEFT_FOREVER};
        return s;
}

static struct weft__seen *add_task(const struct place *at, const weft_task *task)
{
        if (task->pool != at->pool)
                weft__copy_give_up(); /* a link has led astray */
        struct weft__seen *s = add(at);
        s->task = task;
        s->fn = task->fn;
        s->arg = task->arg;
        s->submitter = task->submitter;
        s->cancelled = weft__task_is(task, WEFT__CANCEL);
        return s;
}

static unsigned phase(const weft_task *task)
{
        /* relaxed: nothing else runs */
        return atomic_load_explicit(&task->state, memory_order_relaxed) & WEFT__PHASE;
}

/* ---- those that have begun ---- */

static void see_running(void *arg)
{
        const struct place *at = arg;
        const weft__worker *w = at->worker;
        const weft__fiber *fiber = w->fiber;
        if (!fiber || !fiber->task)
                return;
        struct weft__seen *s = add_task(at, fiber->task);
        s->doing = WEFT__RUNS;
        s->worker = w;
        s->id = fiber->id;
        s->since = w->clock;
        s->context = w->here->context;
        s->by = fiber->handover;
}

static void see_fiber(char *high, void *arg)
{
        const struct place *at = arg;
        const weft__fiber *fiber = weft__fiber_at(high);
        if (!fiber->task || fiber == fiber->home->fiber)
                return;
        struct weft__seen *s = add_task(at, fiber->task);
        /* relaxed: nothing else runs */
        unsigned state = atomic_load_explicit(&fiber->wait.state, memory_order_relaxed);
        s->doing = weft__wait_over(state) ? WEFT__RESUMES : WEFT__WAITS;
        s->worker = fiber->home;
        s->id = fiber->id;
        s->context = fiber->aside.frame.context;
        s->by = fiber->handover;
        if (s->doing == WEFT__RESUMES)
                return;
        s->on = fiber->wait.on;
        s->what = fiber->wait.what;
        s->since = fiber->since;
        if (fiber->wait.timer.set)
                s->until = fiber->wait.timer.deadline;
}

static void see_fibers(void *arg)
{
        const struct place *at = arg;
        weft__stacks_look(&at->pool->stacks, see_fiber, arg);
}

/* ---- those that have not ---- */

static void see_queued(weft_task *task, void *arg)
{
        /* One that is to be resumed is found on its stack; one that was cancelled is only left
         * here. */
        if (weft__task_is(task, WEFT__READY) || phase(task) != WEFT__QUEUED)
                return;
        struct weft__seen *s = add_task(arg, task);
        s->doing = WEFT__BEGINS;
        s->context = task->context;
}

static void see_item(const weft__item *item, void *arg)
{
        if (!item->fn) {
                see_queued(item->arg, arg);
                return;
        }
        struct weft__seen *s = add(arg);
        s->doing = WEFT__BEGINS;
        s->fn = item->fn;
        s->arg = item->arg;
        s->context = item->context;
}

static void see_delayed(weft__timer *timer, void *arg)
{
        const weft_task *task =
            (const weft_task *)((const char *)timer - offsetof(weft_task, delay.timer));
        if (phase(task) != WEFT__QUEUED)
                return;
        struct weft__seen *s = add_task(arg, task);
        s->doing = WEFT__DELAYS;
        s->until = timer->deadline;
        s->context = task->context;
}

static void see_deque(void *arg)
{
        weft__deque_look(&((const struct place *)arg)->worker->deque, see_queued, arg);
}

static void see_tray(void *arg)
{
        weft__tray_look(&((const struct place *)arg)->worker->tray, see_item, arg);
}

static void see_injector(void *arg)
{
        weft__injector_look(&((const struct place *)arg)->pool->injector, see_item, arg);
}

static void see_delays(void *arg)
{
        const weft__delays *d = &((const struct place *)arg)->worker->delays;
        weft__timers_look(&d->once, see_delayed, arg);
        weft__timers_look(&d->again, see_delayed, arg);
}

/* ---- pools ---- */

static void look_at(struct weft__view *view, const weft_pool *pool)
{
        static void (*const of_worker[])(void *) = {see_running, see_deque, see_tray, see_delays};
        struct place at = {.view = view, .pool = pool};
        view->partly |= !weft__copy_try(see_fibers, &at);
        view->partly |= !weft__copy_try(see_injector, &at);
        for (unsigned i = 0; i < pool->workers; i++) {
                at.worker = &pool->worker[i];
                for (size_t k = 0; k < sizeof(of_worker) / sizeof(*of_worker); k++)
                        view->partly |= !weft__copy_try(of_worker[k], &at);
        }
}

/* How many tasks there are, as far as the counts say. */
static uint64_t alive(const weft_pool *pool)
{
        uint64_t n = 0;
        for (unsigned i = 0; i < pool->workers + WEFT__STRIPES; i++) {
                const struct weft__counts *c = i < pool->workers
                                                   ? &pool->worker[i].counts
                                                   : &pool->stripe[i - pool->workers].counts;
                /* relaxed, all: nothing else runs */
                n += atomic_load_explicit(&c->submitted, memory_order_relaxed);
                n -= atomic_load_explicit(&c->run, memory_order_relaxed);       /* relaxed: same */
                n -= atomic_load_explicit(&c->cancelled, memory_order_relaxed); /* relaxed: same */
                n -= atomic_load_explicit(&c->refused, memory_order_relaxed);   /* relaxed: same */
        }
        return n;
}

/* ---- between tasks ---- */

/* From numbers, and from tasks, to what was seen of them: two tables with open addressing, twice as
 * large as need be. */
static size_t place_of(const struct weft__view *view, uint32_t key)
{
        return key * 0x9e3779b1u & view->mask;
}

static uint32_t key_of(const weft_task *task)
{
        return (uint32_t)((uintptr_t)task / WEFT__CACHE_LINE);
}

static void put(struct weft__view *view, struct weft__seen **table, uint32_t key,
                struct weft__seen *s)
{
        size_t at = place_of(view, key);
        while (table[at])
                at = (at + 1) & view->mask;
        table[at] = s;
}

static bool make_tables(struct weft__view *view)
{
        size_t slots = 64;
        while (slots < 2 * view->count)
                slots *= 2;
        view->mask = slots - 1;
        view->by_id = weft__copy_memory(slots * sizeof(*view->by_id));
        view->by_task = weft__copy_memory(slots * sizeof(*view->by_task));
        if (!view->by_id || !view->by_task)
                return false;
        for (struct weft__seen *s = view->seen; s < view->seen + view->count; s++) {
                if (s->id)
                        put(view, view->by_id, s->id, s);
                if (s->task)
                        put(view, view->by_task, key_of(s->task), s);
        }
        return true;
}

struct weft__seen *weft__look_for(const struct weft__view *view, const weft_task *task)
{
        size_t at = place_of(view, key_of(task));
        while (view->by_task[at] && view->by_task[at]->task != task)
                at = (at + 1) & view->mask;
        return view->by_task[at];
}

/* One that has handed over looks as if it was ready; but it waits for the other one. */
static void see_handover(void *arg)
{
        const struct pair *pair = arg;
        const weft_task *from = pair->of->by->from->task;
        struct weft__seen *s = weft__look_for(pair->view, from);
        if (!s || s->doing != WEFT__RESUMES)
                return;
        s->doing = WEFT__WAITS;
        s->on = WEFT__ON_TASK;
        s->what = pair->of->task;
}

static void see_handovers(struct weft__view *view)
{
        struct pair pair = {.view = view};
        for (pair.of = view->seen; pair.of < view->seen + view->count; pair.of++)
                if (pair.of->by)
                        view->partly |= !weft__copy_try(see_handover, &pair);
}

static struct weft__seen *submitter_of(const struct weft__view *view, const struct weft__seen *of)
{
        if (!of->submitter)
                return NULL;
        size_t at = place_of(view, of->submitter);
        while (view->by_id[at] &&
               (view->by_id[at]->id != of->submitter || view->by_id[at]->pool != of->pool))
                at = (at + 1) & view->mask;
        return view->by_id[at];
}

static void make_tree(struct weft__view *view)
{
        struct weft__seen **last_root = &view->first_root;
        for (struct weft__seen *s = view->seen; s < view->seen + view->count; s++) {
                s->parent = submitter_of(view, s);
                if (!s->parent) {
                        *last_root = s;
                        last_root = &s->next;
                        continue;
                }
                if (s->parent->last_child)
                        s->parent->last_child->next = s;
                else
                        s->parent->first_child = s;
                s->parent->last_child = s;
        }
}

bool weft__look(struct weft__view *ret)
{
        enum { MORE = 1024 }; /* for those that come while the copy is made */
        *ret = (struct weft__view){.room = MORE, .now = weft_now()};
        for (const weft_pool *pool = weft__pools_next(NULL); pool; pool = weft__pools_next(pool))
                if ((int64_t)alive(pool) > 0)
                        ret->room += alive(pool);
        ret->seen = weft__copy_memory(ret->room * sizeof(*ret->seen));
        if (!ret->seen)
                return false;
        for (const weft_pool *pool = weft__pools_next(NULL); pool; pool = weft__pools_next(pool))
                look_at(ret, pool);
        if (!make_tables(ret))
                return false;
        see_handovers(ret);
        make_tree(ret);
        return true;
}
