/* SPDX-License-Identifier: MIT
 *
 * Fork and join, and loops in parallel.
 */
#include <pthread.h>
#include <signal.h>
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
static char later[] = "later", before[] = "before", mixed[] = "mixed";

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

static int gets(void *arg)
{
        (void)arg;
        return weft_get(&var) != NULL;
}

/* Not what a program should do; but no job sees another context than its fork's for it. */
static int forks_for_its_caller(void *job)
{
        weft_set(&var, job, NULL);
        weft_fork(job, gets, NULL);
        return 0;
}

static int joins_what_that_forked(void *arg)
{
        weft_job job;
        (void)arg;
        weft_context_run(NULL, forks_for_its_caller, &job, NULL);
        cr_assert_null(weft_get(&var));
        return weft_join(&job) != 1 || weft_get(&var);
}

Test(fork, c1_a_job_that_is_joined_outside_its_frame_keeps_its_context, .timeout = 60)
{
        cr_assert_eq(joins_what_that_forked(NULL), 0);
        weft_pool *pool = begin(1);
        cr_assert_eq(join(spawn(pool, joins_what_that_forked, NULL)), 0);
        weft_pool_destroy(pool);
}

/* ---- frames: a job that runs in its join has one of its own, as any other ---- */

struct within {
        weft_token *outer;
        const char *sees;
        weft_job *self;
        int depth;
};

static int tries_the_outer_token(void *arg)
{
        const struct within *w = arg;
        if (weft_reset(&var, w->outer) != -EPERM || weft_get(&var) != w->sees)
                wrong++;
        int r = weft_join(w->self); /* it runs, here or on another worker than the one that joins */
        if (r != -EINVAL && r != -EPERM)
                wrong++;
        return 0;
}

static int sets_and_leaves(void *arg)
{
        const struct within *w = arg;
        weft_token token;
        if (weft_get(&var) != w->sees || weft_set(&var, "within", &token) != 0 ||
            weft_set(&var, "within, again", NULL) != 0)
                wrong++;
        return 0;
}

/* Each level binds, forks, and has what is below it run in its join; the lowest sets. */
static int goes_down(void *arg)
{
        struct within *w = arg, below = {.sees = w->sees, .depth = w->depth - 1};
        weft_job job;
        if (w->depth == 0)
                return sets_and_leaves(&below);
        weft_fork(&job, goes_down, &below);
        int r = weft_join(&job);
        if (weft_get(&var) != w->sees)
                wrong++;
        return r;
}

static int forks_in_a_bound_frame(void *arg)
{
        weft_token token;
        weft_job job;
        (void)arg;
        weft_set(&var, "outer", &token);
        struct within w = {&token, "outer", &job, 0};
        weft_fork(&job, tries_the_outer_token, &w);
        if (weft_join(&job) != 0)
                wrong++;
        weft_fork(&job, sets_and_leaves, &w);
        if (weft_join(&job) != 0 || weft_get(&var) != w.sees)
                wrong++;
        w.depth = 30;
        if (goes_down(&w) != 0 || weft_get(&var) != w.sees)
                wrong++;
        if (weft_reset(&var, &token) != 0 || weft_get(&var))
                wrong++;
        return 0;
}

Test(fork, c2_c4_a_job_that_runs_in_its_join_has_a_frame_of_its_own, .timeout = 60)
{
        weft_pool *pool = begin(2);
        wrong = 0;
        for (int i = 0; i < 200; i++)
                cr_assert_eq(join(spawn(pool, forks_in_a_bound_frame, NULL)), 0);
        cr_assert_eq(forks_in_a_bound_frame(NULL), 0);
        cr_assert_eq(wrong, 0);
        weft_pool_destroy(pool);
}

static int joins_it(void *job)
{
        return weft_join(job);
}

static int joins_in_another_frame(void *arg)
{
        weft_job a, b;
        (void)arg;
        weft_set(&var, "a's", NULL);
        weft_fork(&a, expects, "a's");
        weft_context *other = weft_context_capture();
        weft_fork(&b, expects, "a's");
        weft_set(&var, later, NULL);
        if (weft_context_run(NULL, joins_it, &b, NULL) != 0 ||
            weft_context_run(other, joins_it, &a, NULL) != 0)
                wrong++;
        weft_context_unref(other);
        return weft_get(&var) != (void *)later;
}

static int swaps_the_context(void *arg)
{
        weft_job job;
        (void)arg;
        weft_set(&var, before, NULL);
        weft_fork(&job, expects, before);
        weft_context *own = weft_context_swap(NULL);
        int r = weft_join(&job);
        weft_context_unref(weft_context_swap(own));
        return r || weft_get(&var) != (void *)before;
}

Test(fork, c1_wherever_a_job_is_joined_it_sees_the_context_of_its_fork, .timeout = 60)
{
        weft_pool *pool = begin(2);
        wrong = 0;
        for (int i = 0; i < 200; i++) {
                cr_assert_eq(join(spawn(pool, joins_in_another_frame, NULL)), 0);
                cr_assert_eq(join(spawn(pool, swaps_the_context, NULL)), 0);
        }
        cr_assert_eq(weft_context_run(NULL, joins_in_another_frame, NULL, NULL), 0);
        cr_assert_eq(weft_context_run(NULL, swaps_the_context, NULL, NULL), 0);
        cr_assert_eq(wrong, 0);
        weft_pool_destroy(pool);
}

static struct value kept;
static weft_var kept_var = WEFT_VAR_INIT("kept", .retain = value_retain, .release = value_release);

static int sees_it_alive(void *arg)
{
        if (weft_get(&kept_var) != arg || value_gone(arg))
                wrong++;
        return weft_set(&kept_var, arg, NULL);
}

static int forks_a_value(void *arg)
{
        weft_token token;
        weft_job a, b;
        weft_set(&kept_var, arg, &token);
        weft_fork(&a, sees_it_alive, arg);
        weft_fork(&b, sees_it_alive, arg);
        weft_reset(&kept_var, &token); /* now only the jobs keep it */
        weft_join(&b);
        if (!weft_task_current() && value_gone(arg)) /* in a pool a may have ended */
                wrong++;
        weft_join(&a);
        return weft_get(&kept_var) != NULL;
}

Test(fork, c7_a_value_goes_with_the_last_job_that_has_it, .timeout = 60)
{
        weft_pool *pool = begin(2);
        wrong = 0;
        for (int i = 0; i < 200; i++) {
                cr_assert_eq(join(spawn(pool, forks_a_value, &kept)), 0);
                cr_assert_eq(forks_a_value(&kept), 0);
        }
        cr_assert_eq(wrong, 0);
        weft_pool_destroy(pool);
        cr_assert(value_gone(&kept), "a binding is left");
}

/* ---- typed jobs ---- */

static long typed_fib(int n);
WEFT_JOB_OF(fib_job, long, typed_fib, int)

static long typed_fib(int n)
{
        if (n < 2)
                return n;
        fib_job a;
        fib_job_fork(&a, n - 1);
        long b = typed_fib(n - 2);
        return fib_job_join(&a) + b;
}

static int runs_typed_fib(void *n)
{
        return (int)typed_fib((int)(intptr_t)n);
}

static double mix(char a, double b, const int *c, short d, unsigned long e, float f)
{
        if (weft_get(&var) != (void *)mixed)
                wrong++;
        weft_yield();
        return a + b + *c + d + (double)e + f;
}
WEFT_JOB_OF(mix_job, double, mix, char, double, const int *, short, unsigned long, float)

static int mixes(void *waits)
{
        int c = 3;
        mix_job a, b;
        weft_set(&var, mixed, NULL);
        mix_job_fork(&a, 1, 2, &c, 4, 5, 6);
        mix_job_fork(&b, 1, 2.5, &c, 4, 5, 6);
        if (waits)
                weft_sleep_until(weft_now() + MS / 10);
        weft_set(&var, "other", NULL);
        return mix_job_join(&b) != 21.5 || mix_job_join(&a) != 21;
}

Test(fork, typed_jobs_pass_what_they_are_given_wherever_they_run, .timeout = 120)
{
        for (unsigned workers = 1; workers <= 3; workers++) {
                weft_pool *pool = begin(workers);
                wrong = 0;
                for (int i = 0; i < 20; i++) {
                        cr_assert_eq(join(spawn(pool, runs_typed_fib, (void *)20)), 6765);
                        cr_assert_eq(join(spawn(pool, mixes, i % 2 ? "" : NULL)), 0);
                }
                cr_assert_eq(wrong, 0);
                weft_pool_destroy(pool);
        }
        cr_assert_eq(typed_fib(15), 610);
        cr_assert_eq(weft_context_run(NULL, mixes, NULL, NULL), 0);
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
        cr_assert_eq(weft_join(&b), -EPERM, "it is nobody's any more");
        cr_assert_eq(weft_join(&a), 1);
        return 0;
}

static int joins(void *job)
{
        return weft_join(job);
}

struct pair {
        weft_job older, newer;
        weft_task *task; /* that has forked them */
};

static int joins_both(void *arg)
{
        struct pair *p = arg;
        /* As a call in its join; or the worker has begun it as a task while that one was parked. */
        int error = weft_task_current() == p->task ? -EINVAL : -EPERM;
        cr_expect_eq(weft_join(&p->newer), error, "it runs right now");
        cr_expect_eq(weft_join(&p->older), error, "its caller's, with a newer one not joined");
        return 2;
}

/* Known to others or not, and begun by one or not: a job that runs in its join is not joined. */
static int forks_what_joins_both(void *how)
{
        struct pair p = {.task = weft_task_current()};
        weft_fork(&p.older, gives, (void *)1);
        weft_fork(&p.newer, joins_both, &p);
        if (*(const char *)how == 'b')
                weft_set(&var, &p, NULL);
        if (*(const char *)how == 'p') { /* parked: the jobs are shown to others */
                weft_task *task;
                cr_assert_eq(weft_spawn(NULL, &task, gives, NULL), 0);
                cr_assert_eq(weft_await(task, WEFT_FOREVER), 0);
                weft_task_unref(task);
        }
        cr_assert_eq(weft_join(&p.newer), 2);
        cr_assert_eq(weft_join(&p.older), 1);
        return 0;
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
        cr_assert_eq(join(spawn(pool, forks_what_joins_both, "")), 0);
        cr_assert_eq(join(spawn(pool, forks_what_joins_both, "bound")), 0);
        cr_assert_eq(join(spawn(pool, forks_what_joins_both, "parked")), 0);
        cr_assert_eq(forks_what_joins_both("bound"), 0, "outside pools");
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
        skip_with_fewer_workers(3);
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

/* Associative and not commutative: a polynomial in 31 of the indices, with how many there are. */
struct polynomial {
        uint64_t value, power;
};

static int appends(size_t from, size_t to, void *partial, void *arg)
{
        struct polynomial *p = partial;
        (void)arg;
        for (size_t i = from; i < to; i++) {
                p->value = p->value * 31 + i;
                p->power *= 31;
        }
        return 0;
}

static void joins_up(void *left, const void *right, void *arg)
{
        struct polynomial *l = left;
        const struct polynomial *r = right;
        (void)arg;
        l->value = l->value * r->power + r->value;
        l->power *= r->power;
}

static int reduces(void *arg)
{
        struct polynomial total = {0, 1}, expected = {0, 1};
        size_t grain = (size_t)(uintptr_t)arg;
        appends(0, 100000, &expected, NULL);
        int r = weft_parallel_reduce(NULL, 0, 100000, grain, appends, joins_up, &total,
                                     sizeof(total), NULL);
        return r ? r : total.value != expected.value || total.power != expected.power;
}

Test(fork, a_reduction_keeps_the_order_of_the_indices, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 4; workers++) {
                weft_pool *pool = begin(workers);
                for (size_t grain = 0; grain < 3000; grain += 1000)
                        for (int i = 0; i < 10; i++)
                                cr_assert_eq(join(spawn(pool, reduces, (void *)grain)), 0);
                weft_pool_destroy(pool);
        }
        cr_assert_eq(reduces((void *)7), 0, "outside pools");
}

static int fails_halfway(size_t from, size_t to, void *partial, void *arg)
{
        (void)arg;
        *(long *)partial += (long)(to - from);
        return to > 500 ? -EIO : 0;
}

static void adds_longs(void *left, const void *right, void *arg)
{
        (void)arg;
        *(long *)left += *(const long *)right;
}

Test(fork, a_reduction_that_fails_leaves_its_result_alone, .timeout = 60)
{
        weft_pool *pool = begin(2);
        long sum = 7;
        char large[257];
        cr_assert_eq(weft_parallel_reduce(pool, 0, 1000, 10, fails_halfway, adds_longs, &sum,
                                          sizeof(sum), NULL),
                     -EIO);
        cr_assert_eq(sum, 7);
        cr_assert_eq(weft_parallel_reduce(pool, 0, 500, 10, fails_halfway, adds_longs, &sum,
                                          sizeof(sum), NULL),
                     0);
        cr_assert_geq(sum, 507);
        cr_assert_eq(weft_parallel_reduce(pool, 0, 1, 1, fails_halfway, adds_longs, large,
                                          sizeof(large), NULL),
                     -EINVAL);
        cr_assert_eq(weft_parallel_reduce(pool, 0, 1, 1, fails_halfway, adds_longs, &sum, 0, NULL),
                     -EINVAL);
        cr_assert_eq(
            weft_parallel_reduce(pool, 0, 1, 1, fails_halfway, NULL, &sum, sizeof(sum), NULL),
            -EINVAL);
        weft_pool_destroy(pool);
}

static int forgets_its_job(void *arg)
{
        static weft_job job; /* so that the test looks at no storage that has gone */
        weft_fork(&job, gives, arg);
        return 0;
}

static int ends_without_a_join(void *arg)
{
        weft_pool *pool = begin(1);
        join(spawn(pool, forgets_its_job, arg));
        return 0;
}

Test(fork, a_task_that_ends_without_its_join_ends_the_process, .timeout = 60)
{
        cr_assert_eq(in_child(ends_without_a_join, NULL), 1000 + SIGABRT);
}
