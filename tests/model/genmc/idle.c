/* SPDX-License-Identifier: MIT
 *
 * Sleep and wake, with the lock around it: nobody sleeps for ever while there is a task. The queue
 * is a count here, and the workers do nothing but take from it, search and sleep; whoever takes the
 * last task tells all to stop. So who was forgotten sleeps for ever, which GenMC finds.
 *
 *   CASE 1  one worker, and one who publishes
 *   CASE 2  one worker, and two who publish
 *   CASE 3  two workers, and one who publishes
 *   CASE 4  two of both
 */
#include "client.h"

#include "orders.h"
#include "pool/idle.c"
#include "pool/lock.c"
enum { ORDERS = __COUNTER__, CASES = 1, CASES_LONG = 4 };
#include "futex.h"
#include "stubs.h"

enum { WORKERS = CASE <= 2 ? 1 : 2, TASKS = CASE % 2 ? 1 : 2 };

static _Alignas(weft_pool) char memory[sizeof(weft_pool) + WORKERS * sizeof(weft__worker)];
static weft_pool *const pool = (weft_pool *)memory;
static atomic_uint queue, left = TASKS;
static int content, taken; /* plain: of one task */

/* ---- the rest of the library ---- */

int64_t weft__deque_length(weft__deque *d)
{
        (void)d;
        return 0;
}

bool weft__injector_has_some(weft__injector *q)
{
        (void)q;
        return atomic_load_explicit(&queue, __ATOMIC_RELAXED) != 0;
}

/* ---- who publishes, and who works ---- */

static void *publish(void *i)
{
        if (!i)
                content = 1;
        atomic_fetch_add_explicit(&queue, 1, __ATOMIC_RELEASE);
        weft__full_fence(); /* as the put into the injector has it */
        weft__idle_injected(pool);
        return NULL;
}

static bool take(void)
{
        unsigned n = atomic_load_explicit(&queue, __ATOMIC_RELAXED);
        while (n)
                if (atomic_compare_exchange_strong_explicit(&queue, &n, n - 1, __ATOMIC_ACQUIRE,
                                                            __ATOMIC_RELAXED))
                        return true;
        return false;
}

static void run(weft__worker *w)
{
        weft__idle_found(w);
        if (TASKS == 1) {
                assert(content == 1);
                taken++;
        }
        if (atomic_fetch_sub_explicit(&left, 1, __ATOMIC_ACQ_REL) == 1) {
                atomic_store_explicit(&pool->stop, true, __ATOMIC_RELEASE);
                weft__idle_wake_all(pool);
        }
}

static void *worker(void *i)
{
        weft__worker *w = &pool->worker[(intptr_t)i];
        while (!atomic_load_explicit(&pool->stop, __ATOMIC_ACQUIRE)) {
                bool took = take();
                if (!took && weft__idle_search(w))
                        took = take();
                if (took)
                        run(w);
                else
                        weft__idle_sleep(w, WEFT_FOREVER);
        }
        return NULL;
}

int main(void)
{
        pthread_t thread[WORKERS + TASKS];
        pool->workers = WORKERS;
        atomic_init(&pool->idle.kept_until, WEFT_FOREVER);
        for (unsigned i = 0; i < WORKERS; i++) {
                pool->worker[i].pool = pool;
                pool->worker[i].index = i;
        }
        for (int i = 0; i < WORKERS; i++)
                thread[i] = start(worker, i);
        for (int i = 0; i < TASKS; i++)
                thread[WORKERS + i] = start(publish, i);
        for (int i = 0; i < WORKERS + TASKS; i++)
                join(thread[i]);
        assert(left == 0 && queue == 0 && taken == (TASKS == 1));
        return 0;
}
