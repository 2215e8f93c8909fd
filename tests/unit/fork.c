/* SPDX-License-Identifier: MIT
 *
 * Fork and join, and loops in parallel.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool_help.h"

static weft_var var = WEFT_VAR_INIT("var");

struct fib {
        long n, result;
};

static int fib(void *arg)
{
        struct fib *f = arg;
        if (f->n < 2) {
                f->result = f->n;
                return 0;
        }
        struct fib a = {f->n - 1, 0}, b = {f->n - 2, 0};
        weft_job job;
        weft_fork(&job, fib, &a);
        fib(&b);
        if (weft_join(&job) != 0)
                return -EIO;
        f->result = a.result + b.result;
        return 0;
}

Test(fork, fib_is_right_on_any_number_of_workers_and_on_a_thread, .timeout = 120)
{
        for (unsigned workers = 1; workers <= 4; workers++) {
                weft_pool *pool = begin(workers);
                struct fib f = {20, 0};
                cr_assert_eq(join(spawn(pool, fib, &f)), 0);
                cr_assert_eq(f.result, 6765);
                weft_pool_destroy(pool);
        }
        struct fib f = {15, 0};
        cr_assert_eq(fib(&f), 0);
        cr_assert_eq(f.result, 610);
}

/* ---- C1, C2: contexts ---- */

static int wrong;

static int expects(void *value)
{
        if (weft_get(&var) != value)
                wrong++;
        weft_set(&var, "the job's own", NULL);
        return 0;
}

static int set_fork_reset_join(void *waits)
{
        weft_token token;
        weft_job a, b, c;
        weft_set(&var, "one", &token);
        weft_fork(&a, expects, "one");
        weft_set(&var, "two", NULL);
        weft_fork(&b, expects, "two");
        weft_reset(&var, &token); /* the contexts that a and b started from are theirs alone now */
        weft_fork(&c, expects, NULL);
        if (waits)
                weft_yield();
        if (weft_get(&var))
                wrong++;
        return weft_join(&c) || weft_join(&b) || weft_join(&a) || weft_get(&var);
}

Test(fork, c1_a_job_starts_from_the_context_of_its_fork, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 4; workers++) {
                weft_pool *pool = begin(workers);
                wrong = 0;
                for (int i = 0; i < 500; i++)
                        cr_assert_eq(join(spawn(pool, set_fork_reset_join, i % 2 ? "" : NULL)), 0);
                cr_assert_eq(wrong, 0);
                weft_pool_destroy(pool);
        }
        cr_assert_eq(set_fork_reset_join(NULL), 0);
        cr_assert_eq(wrong, 0);
}

/* ---- order, errors, parking ---- */

static int gives(void *result)
{
        return (int)(long)result;
}

static int joins_out_of_order(void *arg)
{
        weft_job a, b;
        (void)arg;
        weft_fork(&a, gives, (void *)1);
        weft_fork(&b, gives, (void *)-5);
        cr_assert_eq(weft_join(NULL), -EINVAL);
        cr_assert_eq(weft_join(&a), -EINVAL);
        cr_assert_eq(weft_join(&b), -5);
        cr_assert_eq(weft_join(&b), -EINVAL);
        cr_assert_eq(weft_join(&a), 1);
        return 0;
}

static int joins(void *job)
{
        return weft_join(job);
}

static int has_its_job_joined_by_another_task(void *arg)
{
        weft_job job;
        weft_task *task;
        (void)arg;
        weft_fork(&job, gives, (void *)3);
        cr_assert_eq(weft_spawn(NULL, &task, joins, &job), 0);
        cr_assert_eq(weft_await(task, WEFT_FOREVER), -EPERM);
        weft_task_unref(task);
        return weft_join(&job);
}

Test(fork, joins_in_the_wrong_order_or_place_are_told, .timeout = 60)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(join(spawn(pool, joins_out_of_order, NULL)), 0);
        cr_assert_eq(joins_out_of_order(NULL), 0, "outside pools");
        cr_assert_eq(join(spawn(pool, has_its_job_joined_by_another_task, NULL)), 3);
        weft_pool_destroy(pool);
}

static weft_event event;

static int sets_the_event(void *arg)
{
        (void)arg;
        return weft_event_set(&event);
}

static int waits_for_its_own_job(void *arg)
{
        weft_job job;
        (void)arg;
        weft_fork(&job, sets_the_event, NULL);
        int r = weft_event_wait(&event, weft_now() + 5000 * MS); /* parks: the job is shown */
        return weft_join(&job) < 0 ? -EIO : r;
}

Test(fork, a_task_that_parks_lets_others_have_its_jobs, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_event_init(&event);
        cr_assert_eq(join(spawn(pool, waits_for_its_own_job, NULL)), 0);
        weft_pool_destroy(pool);
}

static int started(void *count)
{
        ++*(atomic_int *)count;
        return 0;
}

/* Whether both began before they were joined, within so many ms. */
static int forks_and_computes(void *ms)
{
        int64_t end = weft_now() + (intptr_t)ms * MS;
        atomic_int began = 0;
        weft_job b, c;
        weft_fork(&b, started, &began);
        weft_fork(&c, started, &began);
        while (began < 2 && weft_now() < end)
                ;
        bool both = began == 2;
        weft_join(&c);
        weft_join(&b);
        return both;
}

Test(fork, coarse_jobs_are_not_stranded_while_workers_are_idle, .timeout = 60)
{
        if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
                cr_skip_test("needs two processors");
        weft_pool *pool = begin(3);
        bool both = false;
        /* The machine may be busy: each time it gets longer for it. */
        for (intptr_t ms = 50; ms < 10000 && !both; ms *= 2) {
                weft_sleep_until(weft_now() + 20 * MS); /* the other workers go to sleep */
                both = join(spawn(pool, forks_and_computes, (void *)ms));
        }
        cr_assert(both, "they wait for their join while workers are idle");
        weft_pool_destroy(pool);
}

enum { MANY = 1000000 };

static int adds(void *sum)
{
        ++*(atomic_long *)sum;
        return 0;
}

static int forks_many(void *arg)
{
        atomic_long sum = 0;
        weft_job *job = malloc(MANY * sizeof(*job));
        (void)arg;
        for (long i = 0; i < MANY; i++)
                weft_fork(&job[i], adds, &sum);
        for (long i = MANY - 1; i >= 0; i--)
                if (weft_join(&job[i]) != 0)
                        return -EIO;
        free(job);
        return sum == MANY ? 0 : -ERANGE;
}

Test(fork, a_million_jobs_deep, .timeout = 120)
{
        for (unsigned workers = 1; workers <= 2; workers++) {
                weft_pool *pool = begin(workers);
                cr_assert_eq(join(spawn(pool, forks_many, NULL)), 0);
                struct weft_pool_stats s = {.size = sizeof(s)};
                weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER);
                weft_pool_stats(pool, &s);
                cr_assert_eq(s.submitted, s.run);
                weft_pool_destroy(pool);
        }
}

/* ---- loops ---- */

static atomic_uchar hit[100000];
static atomic_int calls;

static int hits(size_t from, size_t to, void *arg)
{
        if (weft_get(&var) != arg)
                return -EPERM;
        weft_set(&var, "the body's own", NULL);
        calls++;
        for (size_t i = from; i < to; i++)
                hit[i]++;
        return 0;
}

struct loop {
        size_t begin, end, grain;
};

static int loops(void *arg)
{
        const struct loop *l = arg;
        return weft_parallel_for(NULL, l->begin, l->end, l->grain, hits, weft_get(&var));
}

Test(fork, a_loop_does_each_index_once_in_the_callers_context, .timeout = 60)
{
        const struct loop loop[] = {
            {0, 100000, 7}, {3, 99999, 1000}, {5, 5, 1}, {0, 100000, 0}, {0, 1, 50}};
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                weft_pool *pool = begin(workers);
                for (size_t k = 0; k < sizeof(loop) / sizeof(*loop); k++) {
                        const struct loop *l = &loop[k];
                        for (int inside = 0; inside < 2; inside++) {
                                memset((void *)hit, 0, sizeof(hit));
                                WEFT_WITH (&var, "the loop's") {
                                        int r = inside ? join(spawn(pool, loops, (void *)l))
                                                       : weft_parallel_for(pool, l->begin, l->end,
                                                                           l->grain, hits,
                                                                           "the loop's");
                                        cr_assert_eq(r, 0);
                                }
                                for (size_t i = 0; i < 100000; i++)
                                        cr_assert_eq(hit[i], i >= l->begin && i < l->end);
                        }
                }
                weft_pool_destroy(pool);
        }
}

static int fails_at_500(size_t from, size_t to, void *arg)
{
        (void)arg;
        calls++;
        return from <= 500 && 500 < to ? -ENOENT : 0;
}

Test(fork, a_loop_stops_at_the_first_error, .timeout = 60)
{
        weft_pool *pool = begin(1);
        calls = 0;
        cr_assert_eq(weft_parallel_for(pool, 0, 1000000, 10, fails_at_500, NULL), -ENOENT);
        cr_assert_lt(calls, 100);
        cr_assert_eq(weft_parallel_for(pool, 1, 0, 1, fails_at_500, NULL), -EINVAL);
        cr_assert_eq(weft_parallel_for(pool, 0, 1, 1, NULL, NULL), -EINVAL);
        weft_pool_destroy(pool);
}
