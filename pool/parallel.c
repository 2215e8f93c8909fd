/* SPDX-License-Identifier: MIT
 *
 * Loops in parallel: a range is worked off a grain at a time, and half of what is left is forked
 * off whenever a worker has nothing to do. So a loop that nobody helps with costs a look a grain,
 * and one that others help with is split as often as they come. After Tzannes, Caragea, Barua and
 * Vishkin, "Lazy Binary Splitting" (PPoPP 2010).
 */
#include <weft/fork.h>

#include "worker.h"

struct loop {
        int (*body)(size_t from, size_t to, void *arg);
        void *arg;
        size_t grain;
        atomic_int error; /* the first; 0 for none */
};

struct range {
        struct loop *loop;
        size_t begin, end;
};

static int error_of(struct loop *loop)
{
        /* relaxed: an error that is seen late only lets a few more ranges run */
        return atomic_load_explicit(&loop->error, memory_order_relaxed);
}

static void note(struct loop *loop, int result)
{
        int none = 0;
        if (result < 0)
                /* relaxed: a hint, until it is read again after the joins */
                atomic_compare_exchange_strong_explicit(&loop->error, &none, result,
                                                        memory_order_relaxed,
                                                        memory_order_relaxed); /* relaxed: same */
}

/* One range in a frame of its own. */
static int call(const struct loop *loop, size_t from, size_t to)
{
        WEFT__FRAME(weft_context_capture());
        return loop->body(from, to, loop->arg);
}

static int work_off(void *range)
{
        struct range r = *(struct range *)range;
        struct loop *loop = r.loop;
        while (r.begin < r.end && !error_of(loop)) {
                size_t left = r.end - r.begin;
                if (left > loop->grain && weft__idle_wants(weft__worker_self())) {
                        struct range upper = {loop, r.begin + left / 2, r.end};
                        struct range lower = {loop, r.begin, upper.begin};
                        weft_job job;
                        weft_fork(&job, work_off, &upper);
                        work_off(&lower);
                        weft_join(&job);
                        return 0;
                }
                size_t to = left > loop->grain ? r.begin + loop->grain : r.end;
                note(loop, call(loop, r.begin, to));
                r.begin = to;
        }
        return 0;
}

int weft_parallel_for(weft_pool *pool, size_t begin, size_t end, size_t grain,
                      int (*body)(size_t from, size_t to, void *arg), void *arg)
{
        if (!body || begin > end)
                return -EINVAL;
        pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        if (!grain)
                grain = (end - begin) / (8 * (size_t)pool->workers) + 1;
        struct loop loop = {.body = body, .arg = arg, .grain = grain};
        struct range all = {&loop, begin, end};
        if (weft__task_self() && weft_pool_current() == pool) {
                work_off(&all);
                return error_of(&loop);
        }
        weft_task *task;
        int r = weft_spawn(pool, &task, work_off, &all);
        if (r < 0)
                return r;
        note(&loop, weft__task_await_shielded(task));
        weft_task_unref(task);
        return error_of(&loop);
}
