/* SPDX-License-Identifier: MIT
 *
 * The statistics of a pool: each figure is exact when the pool is idle, and the structure may be
 * shorter or longer than the library's own.
 */
#include "pool_help.h"

#include <stddef.h>

static struct weft_pool_stats stats_of(weft_pool *pool)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        cr_assert_eq(weft_pool_stats(pool, &s), 0);
        return s;
}

/* The figures of a pool as soon as all that it accepted has ended. */
static struct weft_pool_stats when_idle(weft_pool *pool)
{
        for (int64_t end = in_ms(20000); weft_now() < end; usleep(500)) {
                struct weft_pool_stats s = stats_of(pool);
                if (s.run + s.cancelled == s.submitted && s.queued == 0) {
                        usleep(20000);
                        return stats_of(pool);
                }
        }
        return stats_of(pool);
}

Test(pool_stats, new_pool_has_done_nothing, .timeout = 30)
{
        weft_pool *pool = begin(2);
        struct weft_pool_stats s = stats_of(pool);
        cr_assert_eq(s.submitted, 0);
        cr_assert_eq(s.run, 0);
        cr_assert_eq(s.cancelled, 0);
        cr_assert_eq(s.stolen, 0);
        cr_assert_eq(s.injected, 0);
        cr_assert_eq(s.parked, 0);
        cr_assert_eq(s.queued, 0);
        finish(pool);
}

Test(pool_stats, counts_what_outsiders_submitted, .timeout = 30)
{
        weft_pool *pool = begin(2);
        for (int i = 0; i < 1000; i++)
                cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        struct weft_pool_stats s = when_idle(pool);
        cr_assert_eq(s.submitted, 1000);
        cr_assert_eq(s.run, 1000);
        cr_assert_eq(s.injected, 1000);
        cr_assert_eq(s.cancelled, 0);
        cr_assert_eq(s.queued, 0);
        cr_assert_eq(s.parked, 0);
        finish(pool);
}

Test(pool_stats, counts_what_is_queued_now_and_what_was_cancelled, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_task *task[10];

        plug_in(&plug, pool, 1);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_spawn(pool, &task[i], nothing, NULL), 0);
        struct weft_pool_stats s = stats_of(pool);
        cr_assert_eq(s.submitted, 10 + plug.workers);
        cr_assert_eq(s.queued, 10);
        cr_assert_eq(s.run, 0);
        for (int i = 0; i < 4; i++)
                cr_assert_eq(weft_task_cancel(task[i]), 0);
        s = stats_of(pool);
        cr_assert_eq(s.queued, 6);
        cr_assert_eq(s.cancelled, 4);
        plug_out(&plug);
        s = when_idle(pool);
        cr_assert_eq(s.submitted, 10 + plug.workers);
        cr_assert_eq(s.run, 6 + plug.workers);
        cr_assert_eq(s.cancelled, 4);
        cr_assert_eq(s.queued, 0);
        for (int i = 0; i < 10; i++)
                weft_task_unref(task[i]);
        finish(pool);
}

struct spread {
        atomic_int count;
        int tasks;
};

/* Keeps its own worker busy until others have run all that it submitted. */
static int let_others_run(void *arg)
{
        struct spread *s = arg;
        for (int i = 0; i < s->tasks; i++)
                CHECK(weft_submit(NULL, count_up, &s->count) == 0);
        CHECK(reaches(&s->count, s->tasks));
        return 0;
}

Test(pool_stats, counts_what_was_stolen, .timeout = 30)
{
        skip_with_fewer_workers(2);
        weft_pool *pool = begin(2);
        struct spread spread = {.tasks = 100};

        cr_assert_eq(weft_submit(pool, let_others_run, &spread), 0);
        cr_assert(reaches(&spread.count, 100));
        struct weft_pool_stats s = when_idle(pool);
        cr_assert_eq(s.submitted, 101);
        cr_assert_eq(s.run, 101);
        cr_assert_eq(s.injected, 1);
        cr_assert_eq(s.stolen, 100);
        finish(pool);
}

static int yield_once(void *arg)
{
        (void)arg;
        return weft_yield();
}

static int await_a_child(void *arg)
{
        weft_task *t;
        (void)arg;
        CHECK(weft_spawn(NULL, &t, nothing, NULL) == 0);
        CHECK(weft_await(t, WEFT_FOREVER) == 0);
        weft_task_unref(t);
        return 0;
}

Test(pool_stats, counts_tasks_that_waited, .timeout = 30)
{
        skip_unless_workers(1);
        weft_pool *pool = begin(1);

        for (int i = 0; i < 5; i++)
                cr_assert_eq(weft_submit(pool, await_a_child, NULL), 0);
        cr_assert_eq(weft_submit(pool, yield_once, NULL), 0);
        struct weft_pool_stats s = when_idle(pool);
        cr_assert_eq(s.submitted, 11);
        cr_assert_eq(s.run, 11);
        cr_assert_geq(s.parked, 5);
        finish(pool);
}

Test(pool_stats, counts_wake_ups_of_a_sleeping_pool, .timeout = 30)
{
        weft_pool *pool = begin(2);
        atomic_int count = 0;

        for (int i = 1; i <= 5; i++) {
                usleep(50000); /* all workers are asleep */
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
                cr_assert(reaches(&count, i));
        }
        struct weft_pool_stats s = when_idle(pool);
        cr_assert_geq(s.woken, 5);
        cr_assert_leq(s.woken, 5 * 2);
        finish(pool);
}

Test(pool_stats, is_exact_after_shutdown, .timeout = 60)
{
        for (int round = 0; round < 50; round++) {
                weft_pool *pool = begin(1 + (unsigned)round % 3);
                weft_task *t;
                int cancelled;
                for (int i = 0; i < 50; i++)
                        cr_assert_eq(weft_submit(pool, await_a_child, NULL), 0);
                cr_assert_eq(weft_spawn(pool, &t, nothing, NULL), 0);
                weft_task_cancel(t);
                cancelled = weft_await(t, WEFT_FOREVER) == -ECANCELED;
                struct weft_pool_stats s = when_idle(pool);
                cr_assert_eq(s.submitted, 101);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
                s = stats_of(pool);
                cr_assert_eq(s.submitted, 101);
                cr_assert_eq(s.cancelled, (uint64_t)cancelled);
                cr_assert_eq(s.run, 101 - (uint64_t)cancelled);
                cr_assert_eq(s.queued, 0);
                weft_task_unref(t);
                finish(pool);
        }
}

Test(pool_stats, no_pool_means_the_default_pool, .timeout = 30)
{
        weft_task *t;
        cr_assert_eq(weft_spawn(NULL, &t, nothing, NULL), 0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        cr_assert_eq(stats_of(NULL).submitted, 1);
}

/* ---- the structure --------------------------------------------------------------------------- */

Test(pool_stats, shorter_structure_is_not_overrun, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct weft_pool_stats s;
        size_t full = sizeof(s), first = offsetof(struct weft_pool_stats, submitted);

        cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        when_idle(pool);
        for (size_t size = first + 8; size <= full; size += 8) {
                memset(&s, 0xa5, sizeof(s));
                s.size = size;
                cr_assert_eq(weft_pool_stats(pool, &s), 0);
                cr_assert_eq(s.submitted, 1);
                for (size_t i = size; i < full; i++)
                        cr_assert_eq(((unsigned char *)&s)[i], 0xa5, "byte %zu of %zu", i, size);
        }
        finish(pool);
}

Test(pool_stats, longer_structure_is_filled_up_with_zeros, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct {
                struct weft_pool_stats known;
                unsigned char tail[24], beyond;
        } s;

        memset(&s, 0xa5, sizeof(s));
        s.known.size = offsetof(__typeof__(s), beyond);
        cr_assert_eq(weft_pool_stats(pool, &s.known), 0);
        for (size_t i = 0; i < sizeof(s.tail); i++)
                cr_assert_eq(s.tail[i], 0);
        cr_assert_eq(s.beyond, 0xa5);
        finish(pool);
}

Test(pool_stats, structure_without_room_for_a_figure_is_refused, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct weft_pool_stats s;

        cr_assert_eq(weft_pool_stats(pool, NULL), -EINVAL);
        for (size_t size = 0; size < offsetof(struct weft_pool_stats, submitted) + 8; size++) {
                memset(&s, 0xa5, sizeof(s));
                s.size = size;
                cr_assert_eq(weft_pool_stats(pool, &s), -EINVAL, "size %zu", size);
                cr_assert_eq(s.submitted, UINT64_C(0xa5a5a5a5a5a5a5a5));
        }
        finish(pool);
}
