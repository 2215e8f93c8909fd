/* SPDX-License-Identifier: MIT
 *
 * Sleep and wake by itself, with workers that do nothing but take from the injector, steal, search
 * and sleep: whatever is published is taken, though nobody is woken in vain for ever. Whoever takes
 * the last task tells all to stop; so a wake-up that is lost leaves everybody asleep.
 */
#include <string.h>

#include "checker/model.h"

#include "pool/futex.h"
#include "pool/worker.h"

enum { WORKERS = 3, TASKS = 4 };

static weft_pool *pool;
static weft_task task[TASKS];
static int taken[TASKS]; /* plain: by whoever took it */
static atomic_uint left; /* tasks that nobody has taken */

static void make(unsigned workers, unsigned tasks)
{
        size_t size = sizeof(weft_pool) + workers * sizeof(weft__worker);
        pool = weft__alloc_lines(size);
        memset(pool, 0, size);
        pool->workers = workers;
        weft__injector_init(&pool->injector);
        atomic_init(&pool->idle.kept_until, WEFT_FOREVER);
        for (unsigned i = 0; i < workers; i++) {
                weft__worker *w = &pool->worker[i];
                model_check(weft__deque_init(&w->deque) == 0);
                w->pool = pool;
                w->index = i;
                atomic_init(&w->timers.due_at, WEFT_FOREVER);
                atomic_init(&w->delays.due_at, WEFT_FOREVER);
        }
        atomic_init(&left, tasks);
        model_name(&pool->idle.state, sizeof(unsigned), "idle.state");
        model_name(&pool->idle.lock, sizeof(weft__lock), "idle.lock");
        model_name(&pool->stop, sizeof(bool), "stop");
        model_name(&pool->injector, sizeof(pool->injector), "injector");
        for (unsigned i = 0; i < workers; i++) {
                static const char *const parker[WORKERS] = {"parker 0", "parker 1", "parker 2"};
                static const char *const deque[WORKERS] = {"deque 0", "deque 1", "deque 2"};
                model_name(&pool->worker[i].parker, sizeof(unsigned), parker[i]);
                model_name(&pool->worker[i].deque, sizeof(weft__deque), deque[i]);
        }
}

static void publish(void *i)
{
        weft__injector_put_task(&pool->injector, (unsigned)(intptr_t)i, &task[(intptr_t)i]);
        weft__idle_injected(pool);
}

static void stop(void)
{
        atomic_store_explicit(&pool->stop, true, memory_order_release);
        weft__idle_wake_all(pool);
}

static bool stopped(void)
{
        return atomic_load_explicit(&pool->stop, memory_order_acquire);
}

/* One for which the worker needs nobody. */
static void run(weft__worker *w, weft_task *t)
{
        weft__idle_found(w);
        taken[t - task]++;
        if (atomic_fetch_sub_explicit(&left, 1, memory_order_acq_rel) == 1)
                stop();
}

static weft_task *steal(weft__worker *victim)
{
        weft__item item;
        weft_task *t =
            weft__deque_has_some(&victim->deque) ? weft__deque_steal(&victim->deque) : NULL;
        if (!t && weft__tray_has_some(&victim->tray) && weft__tray_steal(&victim->tray, &item))
                t = item.arg;
        return t;
}

/* As a worker does: of what is in the injector all but the first go to the tray, and others are
 * told. */
static weft_task *find(weft__worker *w)
{
        weft__item batch[WEFT__BATCH];
        weft_task *t = weft__deque_pop(&w->deque);
        if (t)
                return t;
        if (weft__tray_take(&w->tray, &batch[0]))
                return batch[0].arg;
        unsigned turn = 0, n = weft__injector_take(&pool->injector, &turn, batch, WEFT__BATCH);
        if (n > 1) {
                weft__tray_fill(&w->tray, batch + 1, n - 1);
                weft__idle_notify(pool);
        }
        if (n)
                return batch[0].arg;
        for (unsigned i = 0; w->searching && i < pool->workers; i++)
                if (&pool->worker[i] != w && (t = steal(&pool->worker[i])))
                        return t;
        return NULL;
}

static void work(weft__worker *w)
{
        while (!stopped()) {
                weft_task *t = find(w);
                if (!t && weft__idle_search(w))
                        t = find(w);
                if (t)
                        run(w, t);
                else
                        weft__idle_sleep(w, WEFT_FOREVER);
        }
}

static void worker(void *i)
{
        work(&pool->worker[(intptr_t)i]);
}

static void start_workers(unsigned n)
{
        static const char *const name[] = {"worker 0", "worker 1", "worker 2"};
        for (unsigned i = 0; i < n; i++)
                model_start(name[i], worker, (void *)(intptr_t)i);
}

static void end(int tasks)
{
        model_join_all();
        for (int i = 0; i < tasks; i++)
                model_check(taken[i] == 1);
        for (unsigned i = 0; i < pool->workers; i++)
                weft__deque_fini(&pool->worker[i].deque);
        weft__injector_fini(&pool->injector);
        weft__free(pool, sizeof(weft_pool) + pool->workers * sizeof(weft__worker));
}

MODEL(idle_one_task, .preemptions = 4, .stale = 3)
{
        make(1, 1);
        start_workers(1);
        publish((void *)0);
        end(1);
}

MODEL(idle_two_tasks, .stale = 2)
{
        make(1, 2);
        start_workers(1);
        publish((void *)0);
        publish((void *)1);
        end(2);
}

MODEL(idle_two_publish, .preemptions = 3, .stale = 1)
{
        make(1, 2);
        start_workers(1);
        model_start("publishes", publish, (void *)1);
        publish((void *)0);
        end(2);
}

MODEL(idle_two_workers, .stale = 1)
{
        make(2, 1);
        start_workers(2);
        publish((void *)0);
        end(1);
}

MODEL(idle_two_workers_two_tasks, .stale = 1)
{
        make(2, 2);
        start_workers(2);
        publish((void *)0);
        publish((void *)1);
        end(2);
}

MODEL(idle_three_workers, .stale = 1)
{
        make(3, 1);
        start_workers(3);
        publish((void *)0);
        end(1);
}

/* A waits for a task that it has put into its own deque: somebody else has to be awake for it. */
static atomic_uint second_ran;

static void waits_for_second(void *unused)
{
        weft__worker *w = &pool->worker[0];
        (void)unused;
        model_check(weft__deque_push(&w->deque, &task[0]));
        weft__idle_notify(pool);
        while (!atomic_load_explicit(&second_ran, memory_order_acquire))
                weft__futex_wait(&second_ran, 0, WEFT_FOREVER);
        work(w);
}

static void runs_second(void *unused)
{
        weft__worker *w = &pool->worker[1];
        (void)unused;
        while (!stopped()) {
                weft_task *t = find(w);
                if (!t && weft__idle_search(w))
                        t = find(w);
                if (!t) {
                        weft__idle_sleep(w, WEFT_FOREVER);
                        continue;
                }
                atomic_store_explicit(&second_ran, 1, memory_order_release);
                weft__futex_wake(&second_ran, 1);
                run(w, t);
        }
}

MODEL(idle_pushed_to_the_own_deque, .preemptions = 3, .stale = 2)
{
        make(2, 1);
        model_start("worker 0", waits_for_second, NULL);
        model_start("worker 1", runs_second, NULL);
        end(1);
}

/* Two tasks are published, and the first waits for the second: who finds the first while searching
 * sees to it that somebody else is awake. */
static void works_and_waits(void *i)
{
        weft__worker *w = &pool->worker[(intptr_t)i];
        while (!stopped()) {
                weft_task *t = find(w);
                if (!t && weft__idle_search(w))
                        t = find(w);
                if (!t) {
                        weft__idle_sleep(w, WEFT_FOREVER);
                        continue;
                }
                weft__idle_found(w);
                while (t == &task[0] && !atomic_load_explicit(&second_ran, memory_order_acquire))
                        weft__futex_wait(&second_ran, 0, WEFT_FOREVER);
                if (t == &task[1]) {
                        atomic_store_explicit(&second_ran, 1, memory_order_release);
                        weft__futex_wake(&second_ran, 1);
                }
                run(w, t);
        }
}

static void start_those_who_wait(void)
{
        model_start("worker 0", works_and_waits, (void *)0);
        model_start("worker 1", works_and_waits, (void *)1);
}

/* They come from two lanes, so whoever takes the first leaves the second. */
MODEL(idle_the_first_waits_for_the_second, .stale = 1)
{
        make(2, 2);
        start_those_who_wait();
        publish((void *)0);
        publish((void *)1);
        end(2);
}

/* Both come from one lane, so whoever takes the first may have the second in its tray. */
MODEL(idle_the_second_lies_in_a_tray, .stale = 1)
{
        make(2, 2);
        weft__injector_put_task(&pool->injector, 0, &task[0]);
        start_those_who_wait();
        weft__injector_put_task(&pool->injector, 0, &task[1]);
        weft__idle_injected(pool);
        end(2);
}

/* Whoever slept until a timer was due is awake for it, and may be so for long. One that is set just
 * now is left to who keeps the time, by whoever sets it; or to another one that sleeps, by who kept
 * it. */
enum { EARLIER = 1000, LATER = 2000 }; /* ns from the beginning */

static atomic_uint first_fired, second_fired;

static void set_due(unsigned worker, int64_t when)
{
        /* relaxed: H1's fence */
        atomic_store_explicit(&pool->worker[worker].delays.due_at, when, memory_order_relaxed);
}

static void tell(atomic_uint *word)
{
        atomic_store_explicit(word, 1, memory_order_release);
        weft__futex_wake(word, 1);
}

static void wait_for(atomic_uint *word)
{
        while (!atomic_load_explicit(word, memory_order_acquire))
                weft__futex_wait(word, 0, WEFT_FOREVER);
}

static bool fire(unsigned worker)
{
        bool is_due = weft__delay_due_at(&pool->worker[worker]) <= weft_now();
        if (is_due)
                set_due(worker, WEFT_FOREVER);
        return is_due;
}

static void keeps_time(void *i)
{
        weft__worker *w = &pool->worker[(intptr_t)i];
        while (!stopped()) {
                if (fire(0)) {
                        tell(&first_fired);
                        weft__idle_found(w);
                        wait_for(&second_fired);
                } else if (fire(1)) {
                        tell(&second_fired);
                        stop();
                } else {
                        weft__idle_sleep(w, WEFT_FOREVER);
                }
        }
}

MODEL(idle_a_timer_while_the_keeper_goes, .stale = 1, .prompt = true)
{
        make(2, 0);
        int64_t beginning = weft_now();
        set_due(0, beginning + EARLIER);
        model_start("worker 0", keeps_time, (void *)0);
        model_start("worker 1", keeps_time, (void *)1);
        wait_for(&first_fired);
        set_due(1, beginning + LATER);
        weft__idle_hurry(pool, beginning + LATER);
        end(0);
}

/* Nothing but a stop. */
MODEL(idle_stop, .preemptions = 3, .stale = 3)
{
        make(1, 1);
        start_workers(1);
        stop();
        end(0);
}

MODEL(idle_stop_two, .stale = 2)
{
        make(2, 1);
        start_workers(2);
        stop();
        end(0);
}
