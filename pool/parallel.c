/* SPDX-License-Identifier: MIT
 *
 * Loops in parallel: a range is worked off a grain at a time, and half of what is left is forked
 * off whenever a worker has nothing to do. So a loop that nobody helps with costs a look a grain,
 * and one that others help with is split as often as they come. After Tzannes, Caragea, Barua and
 * Vishkin, "Lazy Binary Splitting" (PPoPP 2010).
 *
 * A loop that reduces does the same, and adds up: each half that was forked off begins with the
 * neutral element, in the stack of who forked it, and is added when it is joined, to what comes
 * before it.
 */
#include <string.h>

#include <weft/fork.h>

#include "fork.h"
#include "submit.h"
#include "worker.h"

enum { LARGEST = 256 }; /* bytes of a partial result, of which each split has one on its stack */

struct loop {
        int (*body)(size_t from, size_t to, void *arg);
        int (*reducing)(size_t from, size_t to, void *partial, void *arg); /* instead of body */
        void (*combine)(void *left, const void *right, void *arg);
        const void *neutral;
        size_t size; /* of a partial result; 0: there is none */
        void *arg;
        size_t grain;
        atomic_int error; /* the first; 0 for none */
};

struct range {
        struct loop *loop;
        size_t begin, end;
        void *partial;
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
static int call(const struct loop *loop, size_t from, size_t to, void *partial)
{
        WEFT__FRAME(weft_context_capture());
        WEFT__MUST_RETURN(returned); /* other ranges, and what they use of it, are below it */
        int r = loop->size ? loop->reducing(from, to, partial, loop->arg)
                           : loop->body(from, to, loop->arg);
        returned = true;
        return r;
}

static int work_off(void *range);

/* Fork the upper half off. */
static __attribute__((noinline)) void split(const struct range *r)
{
        struct loop *loop = r->loop;
        _Alignas(16) char partial[LARGEST];
        size_t middle = r->begin + (r->end - r->begin) / 2;
        struct range upper = {loop, middle, r->end, partial};
        struct range lower = {loop, r->begin, middle, r->partial};
        weft_job job;
        if (loop->size)
                memcpy(partial, loop->neutral, loop->size);
        weft_fork(&job, work_off, &upper);
        weft__fork_asked(); /* it is meant for somebody who has nothing to do */
        work_off(&lower);
        note(loop, weft_join(&job)); /* an error: a worker had it when this process was forked */
        if (loop->size && !error_of(loop))
                loop->combine(r->partial, partial, loop->arg);
}

static int work_off(void *range)
{
        struct range r = *(struct range *)range;
        struct loop *loop = r.loop;
        while (r.begin < r.end && !error_of(loop)) {
                size_t left = r.end - r.begin;
                if (left > loop->grain && weft__idle_wants(weft__worker_self())) {
                        split(&r);
                        return 0;
                }
                if (weft__asked_at(weft__here_at()))
                        weft__fork_turn();
                size_t to = left > loop->grain ? r.begin + loop->grain : r.end;
                note(loop, call(loop, r.begin, to, r.partial));
                r.begin = to;
        }
        return 0;
}

/* In a task of the pool the caller takes part; elsewhere it waits for one that does. */
static int run(weft_pool *pool, size_t begin, size_t end, struct loop *loop, void *result)
{
        pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        if (!loop->grain)
                loop->grain = (end - begin) / (8 * (size_t)pool->workers) + 1;
        struct range all = {loop, begin, end, result};
        if (weft__task_self() && weft_pool_current() == pool) {
                work_off(&all);
                return error_of(loop);
        }
        const struct weft__closure closure = {.fn = work_off, .arg = &all, .whole = true};
        weft_task *task;
        int r = weft__submit(pool, &closure, NULL, &task);
        if (r < 0)
                return r;
        note(loop, weft__task_await_shielded(task));
        weft_task_unref(task);
        return error_of(loop);
}

int weft_parallel_for(weft_pool *pool, size_t begin, size_t end, size_t grain,
                      int (*body)(size_t from, size_t to, void *arg), void *arg)
{
        struct loop loop = {.body = body, .arg = arg, .grain = grain};
        return body && begin <= end ? run(pool, begin, end, &loop, NULL) : -EINVAL;
}

int weft_parallel_reduce(weft_pool *pool, size_t begin, size_t end, size_t grain,
                         int (*body)(size_t from, size_t to, void *partial, void *arg),
                         void (*combine)(void *left, const void *right, void *arg), void *result,
                         size_t size, void *arg)
{
        _Alignas(16) char neutral[LARGEST], total[LARGEST];
        if (!body || !combine || !result || begin > end || size == 0 || size > LARGEST)
                return -EINVAL;
        memcpy(neutral, result, size);
        memcpy(total, result, size);
        struct loop loop = {.reducing = body,
                            .combine = combine,
                            .neutral = neutral,
                            .size = size,
                            .arg = arg,
                            .grain = grain};
        int r = run(pool, begin, end, &loop, total);
        if (r == 0)
                memcpy(result, total, size);
        return r;
}
