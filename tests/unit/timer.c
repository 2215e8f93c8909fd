/* SPDX-License-Identifier: MIT
 *
 * Tasks that start at a time, once or again and again: when they run, in which context, how they
 * end, what a busy worker does to them; and the heap that they wait in.
 */
#include "pool_help.h"

#include "pool/delay.h"
#include "pool/worker.h"

static const unsigned sizes[] = {1, 2, 4};
static const int64_t LATER = 60000; /* ms: a time that does not come in a test */

/* Wait like a thread outside pools, whoever calls. */
static void pass(int64_t until)
{
        while (weft_now() < until)
                usleep(200);
}

/* The same for times too short to sleep for. */
static void spin(int64_t ns)
{
        for (int64_t until = weft_now() + ns; weft_now() < until;)
                sched_yield();
}

static struct weft_pool_stats stats_of(weft_pool *pool)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        cr_assert_eq(weft_pool_stats(pool, &s), 0);
        return s;
}

static bool none_wait(weft_pool *pool)
{
        for (unsigned i = 0; i < pool->workers; i++)
                if (pool->worker[i].delays.once.root || pool->worker[i].delays.again.root)
                        return false;
        return true;
}

static weft_task *at(weft_pool *pool, int64_t when, weft_fn *fn, void *arg)
{
        weft_task *task = NULL;
        int r = weft_spawn_at(pool, &task, when, 0, fn, arg);
        cr_assert_eq(r, 0, "weft_spawn_at: %s", weft_strerror(r));
        return task;
}

static weft_task *every(weft_pool *pool, int64_t period, weft_fn *fn, void *arg)
{
        weft_task *task = NULL;
        int r = weft_spawn_every(pool, &task, weft_now(), period, 0, fn, arg);
        cr_assert_eq(r, 0, "weft_spawn_every: %s", weft_strerror(r));
        return task;
}

/* ---- the heap -------------------------------------------------------------------------------- */

static uint32_t random_below(uint32_t *seed, uint32_t n)
{
        *seed = *seed * 1664525u + 1013904223u;
        return (uint32_t)((uint64_t)*seed * n >> 32);
}

Test(timer, heap_gives_the_first_whatever_was_added_and_removed, .timeout = 60)
{
        enum { TIMERS = 200, STEPS = SLOW_BUILD ? 20000 : 200000 };
        static weft__timer timer[TIMERS];
        weft__timers heap = {.root = NULL};
        weft__timer unset = {.set = false};
        uint32_t seed = 7;
        for (int step = 0; step < STEPS; step++) {
                /* Now growing, now shrinking, so that it is empty from time to time. */
                bool grows = step / 1000 % 2 == 0;
                weft__timer *t = &timer[random_below(&seed, TIMERS)];
                if (!t->set && (grows || random_below(&seed, 4) == 0)) {
                        t->deadline = random_below(&seed, 50);
                        weft__timers_add(&heap, t);
                } else if (t->set && random_below(&seed, 2)) {
                        weft__timers_remove(&heap, t);
                } else if (heap.root && !grows) {
                        weft__timers_remove(&heap, heap.root);
                }
                weft__timers_remove(&heap, t->set ? &unset : t);
                int64_t first = INT64_MAX;
                for (int i = 0; i < TIMERS; i++)
                        if (timer[i].set && timer[i].deadline < first)
                                first = timer[i].deadline;
                cr_assert_eq(heap.root ? heap.root->deadline : INT64_MAX, first);
        }
}

Test(timer, heap_sorts_any_order, .timeout = 60)
{
        enum { TIMERS = SLOW_BUILD ? 10000 : 200000 };
        weft__timer *timer = calloc(TIMERS, sizeof(*timer));
        uint32_t seed = 3;
        for (int order = 0; order < 3; order++) {
                weft__timers heap = {.root = NULL};
                int64_t last = -1;
                int n = 0;
                for (int i = 0; i < TIMERS; i++) {
                        int any = (int)random_below(&seed, TIMERS);
                        timer[i].deadline = order == 0 ? i : order == 1 ? TIMERS - i : any;
                        weft__timers_add(&heap, &timer[i]);
                }
                for (; heap.root; n++) {
                        cr_assert_geq(heap.root->deadline, last);
                        last = heap.root->deadline;
                        weft__timers_remove(&heap, heap.root);
                }
                cr_assert_eq(n, TIMERS);
                cr_assert_eq(heap.used, 0);
        }
        free(timer);
}

/* ---- once ------------------------------------------------------------------------------------ */

static int note_time(void *place)
{
        atomic_store((_Atomic int64_t *)place, weft_now());
        return 5;
}

static int spawn_and_await(void *place)
{
        weft_task *task;
        int64_t when = in_ms(5);
        CHECK(weft_spawn_at(NULL, &task, when, 0, note_time, place) == 0);
        CHECK(weft_await(task, weft_now()) == -ETIMEDOUT);
        CHECK(weft_await(task, WEFT_FOREVER) == 5);
        CHECK(atomic_load((_Atomic int64_t *)place) >= when);
        weft_task_unref(task);
        return 0;
}

Test(timer, task_runs_at_its_time_and_not_before, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                for (int round = 0; round < 20; round++) {
                        _Atomic int64_t ran = 0;
                        int64_t when = weft_now() + round * MS / 4;
                        weft_task *task = at(pool, when, note_time, &ran);
                        cr_assert_eq(join(task), 5);
                        cr_assert_geq(atomic_load(&ran), when);
                        cr_assert_eq(join(spawn(pool, spawn_and_await, &ran)), 0);
                }
                cr_assert(none_wait(pool));
                finish(pool);
        }
}

Test(timer, times_that_have_passed_mean_now, .timeout = 30)
{
        static const int64_t past[] = {0, -1, INT64_MIN, 1};
        weft_pool *pool = begin(1);
        for (int i = 0; i < 4; i++)
                cr_assert_eq(join(at(pool, past[i], give, V(i + 1))), i + 1);
        finish(pool);
}

Test(timer, without_a_handle_it_runs_all_the_same, .timeout = 30)
{
        weft_pool *pool = begin(2);
        atomic_int count = 0;
        for (int i = 0; i < 100; i++)
                cr_assert_eq(
                    weft_spawn_at(pool, NULL, weft_now() + i * MS / 20, 0, count_up, &count), 0);
        cr_assert(reaches(&count, 100));
        finish(pool);
}

Test(timer, sleeping_pool_is_woken_for_an_earlier_time, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                weft_task *far[8];
                atomic_int count = 0;
                for (int k = 0; k < 8; k++)
                        far[k] = at(pool, in_ms(LATER + k), count_up, &count);
                usleep(20000);
                int64_t begun = weft_now();
                for (int k = 0; k < 8; k++)
                        cr_assert_eq(weft_spawn_at(pool, NULL, in_ms(20 - k), 0, count_up, &count),
                                     0);
                cr_assert(reaches(&count, 8));
                cr_assert_lt(weft_now() - begun, LATER * MS);
                for (int k = 0; k < 8; k++) {
                        cr_assert_eq(weft_task_cancel(far[k]), 0);
                        cr_assert_eq(join(far[k]), -ECANCELED);
                }
                finish(pool);
        }
}

static int add_one(void *count)
{
        count_up(count);
        return 1;
}

Test(timer, it_is_a_task_in_all_else, .timeout = 30)
{
        weft_pool *pool = begin(2);
        atomic_int count = 0;
        struct plug plug;
        plug_in(&plug, pool, 2);
        weft_task *task = at(pool, in_ms(10), add_one, &count);
        int result = 77;
        cr_assert_eq(weft_task_result(task, &result), -EINPROGRESS);
        cr_assert_eq(weft_task_on_done(task, count_up, &count), 0);
        cr_assert_eq(stats_of(pool).queued, 1);
        cr_assert_eq(weft_await(task, 0), -ETIMEDOUT);
        plug_out(&plug);
        cr_assert_eq(weft_await(task, WEFT_FOREVER), 1);
        cr_assert_eq(weft_task_result(task, &result), 0);
        cr_assert_eq(result, 1);
        cr_assert(reaches(&count, 2));
        cr_assert_eq(weft_task_cancel(task), -EALREADY);
        weft_task_unref(task);
        finish(pool);
}

/* ---- context --------------------------------------------------------------------------------- */

static struct value kept;
static weft_var user =
    WEFT_VAR_INIT("user", .fallback = V(9), .retain = value_retain, .release = value_release);

static int user_is(void *expected)
{
        bool right = weft_get(&user) == expected;
        weft_set(&user, NULL, NULL); /* gone with the frame */
        return right;
}

Test(timer, starts_from_the_empty_context_or_the_callers, .timeout = 30)
{
        weft_pool *pool = begin(2);
        weft_task *plain = NULL, *inherits = NULL, *again = NULL, *again_inherits = NULL;
        WEFT_WITH (&user, &kept) {
                int64_t now = weft_now(), ms = MS;
                plain = at(pool, in_ms(2), user_is, V(9));
                cr_assert_eq(weft_spawn_at(pool, &inherits, in_ms(2), WEFT_INHERIT, user_is, &kept),
                             0);
                again = every(pool, ms, user_is, V(9));
                cr_assert_eq(
                    weft_spawn_every(pool, &again_inherits, now, ms, WEFT_INHERIT, user_is, &kept),
                    0);
        }
        cr_assert_eq(join(plain), 1);
        cr_assert_eq(join(inherits), 1);
        pass(in_ms(20));
        cr_assert_eq(weft_task_cancel(again), 0);
        cr_assert_eq(weft_task_cancel(again_inherits), 0);
        cr_assert_eq(join(again), -ECANCELED);
        cr_assert_eq(join(again_inherits), -ECANCELED);
        finish(pool);
        cr_assert(value_gone(&kept));
}

/* The end is what gives the context back, not the last handle. */
Test(timer, cancelled_it_gives_its_context_back_at_once, .timeout = 30)
{
        weft_pool *pool = begin(1);
        for (int periodic = 0; periodic < 2; periodic++) {
                weft_task *task = NULL;
                WEFT_WITH (&user, &kept) {
                        if (periodic)
                                weft_spawn_every(pool, &task, in_ms(LATER), 1, WEFT_INHERIT,
                                                 nothing, NULL);
                        else
                                weft_spawn_at(pool, &task, in_ms(LATER), WEFT_INHERIT, nothing,
                                              NULL);
                }
                cr_assert_not(value_gone(&kept));
                cr_assert_eq(weft_task_cancel(task), 0);
                cr_assert(value_gone(&kept));
                weft_task_unref(task);
        }
        finish(pool);
}

Test(timer, inherited_deadline_holds, .timeout = 30)
{
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        weft_task *late = NULL, *timely = NULL, *again = NULL;
        int64_t soon = in_ms(30);
        WEFT_DEADLINE (soon) {
                cr_assert_eq(weft_spawn_at(pool, &late, soon + MS, WEFT_INHERIT, count_up, &count),
                             0);
                cr_assert_eq(weft_spawn_at(pool, &timely, soon + MS, 0, give, V(3)), 0);
                cr_assert_eq(
                    weft_spawn_every(pool, &again, weft_now(), MS, WEFT_INHERIT, nothing, NULL), 0);
        }
        cr_assert_eq(join(timely), 3);
        cr_assert_eq(join(late), -ETIMEDOUT);
        cr_assert_eq(join(again), -ETIMEDOUT);
        cr_assert_geq(weft_now(), soon);
        cr_assert_eq(atomic_load(&count), 0);
        finish(pool);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static weft_task *untouched;

static int both_give(weft_pool *pool, int expected)
{
        weft_task *mark = (weft_task *)&untouched, *task = mark;
        return weft_spawn_at(pool, &task, 0, 0, nothing, NULL) == expected &&
               weft_spawn_every(pool, &task, 0, 1, 0, nothing, NULL) == expected && task == mark;
}

Test(timer, errors, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *mark = (weft_task *)&untouched, *task = mark;
        cr_assert_eq(weft_spawn_at(pool, &task, 0, 0, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_at(pool, &task, 0, 2, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_at(pool, &task, 0, ~0u, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_every(pool, &task, 0, 1, 0, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_every(pool, &task, 0, 1, 4, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_every(pool, &task, 0, 0, 0, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_every(pool, &task, 0, -1, 0, nothing, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_every(pool, &task, 0, INT64_MIN, 0, nothing, NULL), -EINVAL);
        cr_assert_eq(task, mark);
        cr_assert_eq(stats_of(pool).submitted, 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert(both_give(pool, -ESHUTDOWN));
        finish(pool);
}

static bool refuse_all;

static int refuses(size_t size)
{
        (void)size;
        return refuse_all;
}

Test(timer, without_memory_nothing_is_kept, .timeout = 30)
{
        weft_pool *pool = begin(1);
        pass(in_ms(5));
        weft__alloc_fails = refuses;
        refuse_all = true;
        cr_assert(both_give(pool, -ENOMEM));
        refuse_all = false;
        cr_assert_eq(stats_of(pool).submitted, 0);
        weft_task *task = at(pool, in_ms(10), give, V(2));
        refuse_all = true; /* neither the time nor a cancellation needs memory */
        cr_assert_eq(weft_await(task, WEFT_FOREVER), 2);
        refuse_all = false;
        weft_task *again = every(pool, MS, nothing, NULL);
        refuse_all = true;
        pass(in_ms(10));
        cr_assert_eq(weft_task_cancel(again), 0);
        cr_assert_eq(weft_await(again, WEFT_FOREVER), -ECANCELED);
        refuse_all = false;
        weft__alloc_fails = NULL;
        weft_task_unref(task);
        weft_task_unref(again);
        finish(pool);
}

struct forked {
        weft_pool *pool;
        weft_task *task;
};

static int in_the_child(void *arg)
{
        struct forked *f = arg;
        atomic_int count = 0;
        CHILD_CHECK(both_give(f->pool, -EOWNERDEAD));
        CHILD_CHECK(weft_task_cancel(f->task) == -EOWNERDEAD);
        CHILD_CHECK(weft_await(f->task, WEFT_FOREVER) == -EOWNERDEAD);
        weft_task *task = NULL;
        CHILD_CHECK(weft_spawn_at(NULL, &task, in_ms(1), 0, give, V(4)) == 0);
        CHILD_CHECK(join(task) == 4);
        weft_pool *mine = NULL;
        CHILD_CHECK(weft_pool_create(&mine, NULL) == 0);
        CHILD_CHECK(weft_spawn_every(mine, &task, 0, MS, 0, count_up, &count) == 0);
        CHILD_CHECK(reaches(&count, 2) || atomic_load(&count) > 2);
        CHILD_CHECK(weft_pool_destroy(mine) == NULL);
        CHILD_CHECK(join(task) == -ECANCELED);
        CHILD_CHECK(weft_pool_destroy(f->pool) == NULL);
        return 0;
}

Test(timer, forked_child_has_none_of_its_parents, .timeout = 60)
{
        skip_threads_after_fork_in_emulator();
        weft_pool *pool = begin(2);
        struct forked f = {pool, at(pool, in_ms(LATER), nothing, NULL)};
        cr_assert_eq(in_child(in_the_child, &f), 0);
        cr_assert_eq(weft_task_cancel(f.task), 0);
        weft_task_unref(f.task);
        finish(pool);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static int spawn_and_cancel(void *arg)
{
        weft_pool *pool = arg;
        for (int i = 0; i < 100; i++) {
                weft_task *task = at(pool, in_ms(LATER), nothing, NULL);
                CHECK(weft_task_cancel(task) == 0);
                CHECK(weft_await(task, 0) == -ECANCELED);
                CHECK(weft_task_cancel(task) == -EALREADY);
                weft_task_unref(task);
        }
        return 0;
}

static int cancel_it(void *task)
{
        CHECK(weft_task_cancel(task) == 0);
        return 0;
}

/* By the worker that has it, by another one, by one of another pool, and by a thread. */
Test(timer, cancelled_task_is_gone_from_the_pool_at_once, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]), *other = begin(1);
                cr_assert_eq(spawn_and_cancel(pool), 0);
                cr_assert_eq(join(spawn(pool, spawn_and_cancel, pool)), 0);
                cr_assert_eq(join(spawn(other, spawn_and_cancel, pool)), 0);
                for (int k = 0; k < 20; k++) {
                        weft_task *task = at(pool, in_ms(LATER), nothing, NULL);
                        cr_assert_eq(join(spawn(k % 2 ? pool : other, cancel_it, task)), 0);
                        cr_assert_eq(join(task), -ECANCELED);
                }
                cr_assert(none_wait(pool));
                cr_assert_eq(stats_of(pool).queued, 0);
                finish(pool);
                finish(other);
        }
}

static atomic_int started;

static int start_once(void *arg)
{
        (void)arg;
        atomic_fetch_add(&started, 1);
        return 3;
}

Test(timer, cancel_racing_with_the_time_gives_one_end, .timeout = 120)
{
        enum { ROUNDS = SLOW_BUILD ? 1000 : 5000 };
        for (int i = 0; i < 3; i++) {
                weft_pool_options o = {
                    .size = sizeof(o), .workers = sizes[i], .max_queued = 3, .flags = 0};
                weft_pool *pool;
                int ran = 0;
                cr_assert_eq(weft_pool_create(&pool, &o), 0);
                atomic_store(&started, 0);
                for (int k = 0; k < ROUNDS; k++) {
                        weft_task *task = at(pool, weft_now() + k % 50 * 400, start_once, NULL);
                        spin(k % 7 * 3000);
                        int r = weft_task_cancel(task);
                        int end = weft_await(task, WEFT_FOREVER);
                        cr_assert(end == 3 || (end == -ECANCELED && r == 0), "%d, %d", r, end);
                        ran += end == 3;
                        weft_task_unref(task);
                }
                cr_assert_eq(atomic_load(&started), ran);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
                struct weft_pool_stats s = stats_of(pool);
                cr_assert_eq(s.submitted, ROUNDS);
                cr_assert_eq(s.run, (uint64_t)ran);
                cr_assert_eq(s.cancelled, (uint64_t)(ROUNDS - ran));
                cr_assert_eq(s.queued, 0);
                cr_assert_eq(pool->room.queued, 0);
                finish(pool);
        }
}

/* ---- a bounded pool -------------------------------------------------------------------------- */

Test(timer, takes_no_room_before_its_time, .timeout = 30)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .max_queued = 2};
        weft_pool *pool;
        struct plug plug;
        weft_task *far[10];
        atomic_int count = 0;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        for (int i = 0; i < 10; i++)
                far[i] = at(pool, in_ms(LATER), nothing, NULL);
        plug_in(&plug, pool, 1);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_submit(pool, count_up, &count), -EAGAIN);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(weft_spawn_at(pool, NULL, in_ms(1), 0, count_up, &count), 0);
        pass(in_ms(2));
        for (int i = 0; i < 10; i++) {
                cr_assert_eq(weft_task_cancel(far[i]), 0);
                weft_task_unref(far[i]);
        }
        plug_out(&plug);
        cr_assert(reaches(&count, 12));
        cr_assert_eq(join(at(pool, in_ms(2), give, V(4))), 4);
        plug_in(&plug, pool, 1);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        cr_assert_eq(weft_submit(pool, count_up, &count), -EAGAIN);
        plug_out(&plug);
        finish(pool);
        cr_assert_eq(atomic_load(&count), 14);
}

/* ---- busy workers ---------------------------------------------------------------------------- */

/* Keeps its worker in one task until what it has spawned has run elsewhere. */
static int hold_on(void *arg)
{
        weft_pool *pool = arg;
        atomic_int count = 0;
        usleep(2000);
        for (int i = 0; i < 3; i++) {
                CHECK(weft_spawn_at(pool, NULL, in_ms(5 - i), 0, count_up, &count) == 0);
                CHECK(weft_spawn_at(pool, NULL, in_ms(5 + i), 0, count_up, &count) == 0);
        }
        bool all = reaches(&count, 6);
        CHECK(all);
        if (!all)
                _exit(9); /* they would count in a frame that is gone */
        return 0;
}

static int resubmit_until(void *stop)
{
        if (atomic_load((atomic_int *)stop) == 0)
                weft_submit(NULL, resubmit_until, stop);
        return 0;
}

/* The others sleep, or are busy with short tasks. */
Test(timer, of_a_busy_worker_is_seen_to_by_another, .timeout = 120)
{
        skip_with_fewer_workers(2);
        for (int round = 0; round < 12; round++) {
                weft_pool *pool = begin(sizes[1 + round % 2]);
                atomic_int stop = round % 3 > 0;
                for (int i = 0; !atomic_load(&stop) && i < 2; i++)
                        cr_assert_eq(weft_submit(pool, resubmit_until, &stop), 0);
                for (int i = 0; i < (round % 2 ? 3 : 1); i++) {
                        weft_task *holder = spawn(pool, hold_on, pool);
                        if (round % 4 == 3)
                                cr_assert_eq(join(spawn(pool, nothing, NULL)), 0);
                        cr_assert_eq(join(holder), 0);
                }
                atomic_store(&stop, 1);
                pass(in_ms(2));
                finish(pool);
        }
}

struct parked {
        sem_t in, out;
        weft_event event;
        atomic_int *done;
};

/* First holds a worker, so that another one takes the next of these; then parks there; then holds
 * it again until a timer has run elsewhere. */
static int hold_park_hold(void *arg)
{
        struct parked *p = arg;
        sem_post(&p->in);
        plug__wait(&p->out);
        CHECK(weft_event_wait(&p->event, WEFT_FOREVER) == 0);
        if (!reaches(p->done, 1))
                _exit(9);
        return 0;
}

/* Whichever of the sleeping watches the time: when it is woken for something else, another one
 * does. */
Test(timer, of_a_pool_that_sleeps_are_watched_whoever_is_woken, .timeout = 120)
{
        skip_with_fewer_workers(2);
        for (int round = 0; round < 8; round++) {
                weft_pool *pool = begin(2);
                struct parked p[2];
                weft_task *task[2];
                atomic_int done = 0, never = 1;
                for (int i = 0; i < 2; i++) {
                        sem_init(&p[i].in, 0, 0);
                        sem_init(&p[i].out, 0, 0);
                        weft_event_init(&p[i].event);
                        p[i].done = i == round % 2 ? &done : &never;
                        task[i] = spawn(pool, hold_park_hold, &p[i]);
                        plug__wait(&p[i].in);
                }
                for (int i = 0; i < 2; i++)
                        sem_post(&p[(i + round / 2) % 2].out);
                while (stats_of(pool).parked < 2)
                        usleep(100);
                usleep(20000); /* most likely both sleep */
                cr_assert_eq(weft_spawn_at(pool, NULL, in_ms(60), 0, count_up, &done), 0);
                usleep(5000);
                weft_event_set(&p[round % 2].event);
                cr_assert_eq(join(task[round % 2]), 0);
                weft_event_set(&p[1 - round % 2].event);
                cr_assert_eq(join(task[1 - round % 2]), 0);
                finish(pool);
        }
}

static int sleep_and_tell(void *done)
{
        CHECK(weft_sleep_until(in_ms(30)) == 0);
        return count_up(done);
}

static int hold_until_told(void *done)
{
        if (!reaches(done, 1))
                _exit(9);
        return 0;
}

/* A parked task has its timer with the worker that it parked on, which is then busy. */
Test(timer, of_a_task_that_may_migrate_is_kept_by_another_worker, .timeout = 120)
{
        skip_when_forced(workers); /* one of two is to be left free */
        for (int round = 0; round < 10; round++) {
                weft_pool_options o = {.size = sizeof(o), .workers = 2, .flags = WEFT_MIGRATE};
                weft_pool *pool;
                struct plug plug;
                atomic_int done = 0;
                cr_assert_eq(weft_pool_create(&pool, &o), 0);
                plug_in(&plug, pool, 1);
                weft_task *sleeper = spawn(pool, sleep_and_tell, &done);
                while (stats_of(pool).parked < 1)
                        usleep(100);
                weft_task *holder = spawn(pool, hold_until_told, &done);
                if (round % 2)
                        usleep(40000);
                plug_out(&plug);
                cr_assert_eq(join(holder), 0);
                cr_assert_eq(join(sleeper), 0);
                finish(pool);
        }
}

/* All workers but one are held up one after the other, by tasks that timers start. */
static int hold_until(void *arg)
{
        plug__wait(&((struct plug *)arg)->out);
        return 0;
}

static void hold_some(unsigned workers, int held)
{
        weft_pool *pool = begin(workers);
        struct plug plug;
        atomic_int count = 0;
        sem_init(&plug.out, 0, 0);
        for (int i = 0; i < held; i++)
                cr_assert_eq(weft_spawn_at(pool, NULL, in_ms(5 * i), 0, hold_until, &plug), 0);
        for (int i = 0; i < 40; i++)
                cr_assert_eq(weft_spawn_at(pool, NULL, in_ms(i), 0, count_up, &count), 0);
        cr_assert(reaches(&count, 40));
        for (int i = 0; i < held; i++)
                sem_post(&plug.out);
        finish(pool);
}

Test(timer, one_worker_that_is_left_sees_to_all, .timeout = 60)
{
        skip_with_fewer_workers(4);
        hold_some(4, 3);
}

/* One that is woken to look at the timers, and finds a task first, leaves them to another one. */
Test(timer, of_many_that_sleep_one_sees_to_all, .timeout = 60)
{
        skip_with_fewer_workers(4);
        for (int round = 0; round < 20; round++)
                hold_some(16, 3);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

Test(timer, draining_waits_for_tasks_and_ends_periodic_ones, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                atomic_int once = 0;
                int64_t last = in_ms(30);
                weft_task *again = every(pool, MS, nothing, NULL);
                weft_task *far = NULL;
                cr_assert_eq(weft_spawn_every(pool, &far, in_ms(LATER), 1, 0, nothing, NULL), 0);
                for (int k = 0; k < 20; k++)
                        cr_assert_eq(weft_spawn_at(pool, NULL, last - k * MS, 0, count_up, &once),
                                     0);
                int r = weft_pool_shutdown(pool, WEFT_DRAIN, weft_now());
                cr_assert(r == -ETIMEDOUT || weft_now() >= last);
                cr_assert_eq(join(far), -ECANCELED);
                cr_assert_eq(join(again), -ECANCELED);
                cr_assert(atomic_load(&once) < 20 || weft_now() >= last);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
                cr_assert_geq(weft_now(), last);
                cr_assert_eq(atomic_load(&once), 20);
                finish(pool);
        }
}

Test(timer, cancelling_the_pool_ends_all_at_once, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                weft_task *task[40];
                int64_t begun = weft_now();
                for (int k = 0; k < 40; k++) {
                        WEFT_WITH (&user, &kept) {
                                task[k] = NULL;
                                if (k % 2)
                                        weft_spawn_every(pool, &task[k], in_ms(LATER + k % 7), MS,
                                                         WEFT_INHERIT, nothing, NULL);
                                else
                                        weft_spawn_at(pool, &task[k], in_ms(LATER - k),
                                                      WEFT_INHERIT, nothing, NULL);
                        }
                }
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
                cr_assert_lt(weft_now() - begun, (LATER - 40) * MS);
                for (int k = 0; k < 40; k++)
                        cr_assert_eq(join(task[k]), -ECANCELED);
                cr_assert_eq(stats_of(pool).cancelled, 40);
                cr_assert(value_gone(&kept));
                finish(pool);
        }
}

static void *keep_spawning(void *arg)
{
        weft_pool *pool = arg;
        int r = 0;
        for (int i = 0; r == 0; i++) {
                weft_task *task = NULL;
                int64_t when = i % 3 ? in_ms(LATER) : weft_now() + i % 100 * 1000;
                r = i % 2 ? weft_spawn_every(pool, &task, when, MS, 0, nothing, NULL)
                          : weft_spawn_at(pool, &task, when, 0, nothing, NULL);
                weft_task_unref(task);
        }
        CHECK(r == -ESHUTDOWN);
        return NULL;
}

/* A submit that comes at the same moment is refused or ended, not left behind. */
Test(timer, shutdown_racing_with_spawns_leaves_none, .timeout = 120)
{
        for (int round = 0; round < (SLOW_BUILD ? 5 : 30); round++) {
                weft_pool *pool = begin(sizes[round % 3]);
                pthread_t thread[2];
                for (int i = 0; i < 2; i++)
                        pthread_create(&thread[i], NULL, keep_spawning, pool);
                spin(round % 5 * MS / 4);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
                for (int i = 0; i < 2; i++)
                        pthread_join(thread[i], NULL);
                cr_assert(none_wait(pool));
                struct weft_pool_stats st = stats_of(pool);
                cr_assert_eq(st.submitted, st.run + st.cancelled);
                finish(pool);
        }
}

/* ---- again and again ------------------------------------------------------------------------- */

enum { RUNS = 12 };

struct runs {
        int64_t first, period;
        atomic_int n, within;
        int64_t began[RUNS];
        int result, waits; /* what the last run returns; how long a run waits, in periods / 2 */
};

static int note_run(void *arg)
{
        struct runs *r = arg;
        CHECK(atomic_fetch_add(&r->within, 1) == 0);
        int n = atomic_load(&r->n);
        r->began[n % RUNS] = weft_now();
        if (r->waits)
                weft_sleep_until(weft_now() + r->waits * r->period / 2);
        atomic_fetch_sub(&r->within, 1);
        atomic_store(&r->n, n + 1);
        return n + 1 == RUNS ? r->result : 0;
}

Test(timer, runs_at_first_and_then_every_period, .timeout = 60)
{
        for (int i = 0; i < 6; i++) {
                weft_pool_options o = {
                    .size = sizeof(o), .workers = sizes[i / 2], .flags = i % 2 ? WEFT_MIGRATE : 0};
                weft_pool *pool;
                struct runs r = {.first = in_ms(2), .period = 2 * MS, .result = -EPERM};
                weft_task *task;
                cr_assert_eq(weft_pool_create(&pool, &o), 0);
                cr_assert_eq(weft_spawn_every(pool, &task, r.first, r.period, 0, note_run, &r), 0);
                cr_assert_eq(join(task), -EPERM);
                cr_assert_eq(atomic_load(&r.n), RUNS);
                for (int k = 0; k < RUNS; k++)
                        cr_assert_geq(r.began[k], r.first + k * r.period);
                finish(pool);
        }
}

/* A run that takes two periods and a half: the next one begins on the third. */
Test(timer, long_run_skips_the_times_that_it_missed, .timeout = 60)
{
        for (int i = 0; i < 6; i++) {
                weft_pool_options o = {
                    .size = sizeof(o), .workers = sizes[i / 2], .flags = i % 2 ? WEFT_MIGRATE : 0};
                weft_pool *pool;
                struct runs r = {.first = weft_now(), .period = 2 * MS, .result = -EIO, .waits = 5};
                weft_task *task;
                cr_assert_eq(weft_pool_create(&pool, &o), 0);
                cr_assert_eq(weft_spawn_every(pool, &task, r.first, r.period, 0, note_run, &r), 0);
                cr_assert_eq(join(task), -EIO);
                for (int k = 1; k < RUNS; k++) {
                        int64_t ended = r.began[k - 1] + 5 * MS;
                        int64_t next = r.first + ((ended - r.first) / r.period + 1) * r.period;
                        cr_assert_geq(r.began[k], next, "run %d", k);
                }
                finish(pool);
        }
}

/* From the beginning of time, the runs that were missed are not made up for. */
Test(timer, times_long_past_are_one_run, .timeout = 30)
{
        static const int64_t first[] = {0, -1, INT64_MIN, INT64_MIN + 1};
        weft_pool *pool = begin(1);
        for (int i = 0; i < 4; i++) {
                atomic_int count = 0;
                weft_task *task;
                cr_assert_eq(
                    weft_spawn_every(pool, &task, first[i], INT64_MAX - 1, 0, count_up, &count), 0);
                cr_assert(reaches(&count, 1));
                pass(in_ms(5));
                cr_assert_eq(weft_task_cancel(task), 0);
                cr_assert_eq(join(task), -ECANCELED);
                cr_assert_leq(atomic_load(&count), 2);
        }
        finish(pool);
}

static int give_up_at_three(void *count)
{
        return count_up(count) < 0 || atomic_load((atomic_int *)count) == 3 ? -EBADF : 7;
}

Test(timer, ends_with_the_first_error, .timeout = 30)
{
        weft_pool *pool = begin(2);
        atomic_int count = 0, told = 0;
        weft_task *task = every(pool, MS, give_up_at_three, &count);
        cr_assert_eq(weft_task_on_done(task, count_up, &told), 0);
        cr_assert_eq(weft_await(task, WEFT_FOREVER), -EBADF);
        pass(in_ms(10));
        cr_assert_eq(atomic_load(&count), 3);
        cr_assert(reaches(&told, 1));
        cr_assert_eq(weft_task_cancel(task), -EALREADY);
        weft_task_unref(task);
        cr_assert(none_wait(pool));
        finish(pool);
}

static int cancel_self(void *count)
{
        if (atomic_fetch_add((atomic_int *)count, 1) == 2) {
                CHECK(weft_task_cancel(weft_task_current()) == 0);
                CHECK(weft_cancelled() == -ECANCELED);
        }
        return 0;
}

static int wait_for_ever(void *in)
{
        atomic_fetch_add((atomic_int *)in, 1);
        CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
        usleep(2000);
        atomic_fetch_sub((atomic_int *)in, 1);
        return 6;
}

/* Between two runs, in the middle of one, and by itself. */
Test(timer, cancel_ends_it_after_the_run_that_is_under_way, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                atomic_int count = 0, in = 0;
                weft_task *task = every(pool, LATER * MS, count_up, &count);
                cr_assert(reaches(&count, 1));
                pass(in_ms(1));
                cr_assert_eq(weft_task_cancel(task), 0);
                cr_assert_eq(join(task), -ECANCELED);

                task = every(pool, MS, wait_for_ever, &in);
                cr_assert(reaches(&in, 1));
                cr_assert_eq(weft_task_cancel(task), 0);
                cr_assert_eq(join(task), -ECANCELED);
                cr_assert_eq(atomic_load(&in), 0);

                atomic_store(&count, 0);
                task = every(pool, MS / 10, cancel_self, &count);
                cr_assert_eq(join(task), -ECANCELED);
                cr_assert_eq(atomic_load(&count), 3);
                cr_assert(none_wait(pool));
                finish(pool);
        }
}

/* A run that waited leaves nothing behind that a canceller of a later run could wake by mistake:
 * the fiber that it waited on is that of another task now. */
struct waits_once {
        atomic_int runs, waited;
        sem_t out;
};

static int wait_in_the_first_run(void *arg)
{
        struct waits_once *w = arg;
        if (atomic_fetch_add(&w->runs, 1) == 0) {
                CHECK(weft_sleep_until(in_ms(1)) == 0);
                return count_up(&w->waited);
        }
        plug__wait(&w->out);
        return 0;
}

static int sleep_undisturbed(void *stop)
{
        while (atomic_load((atomic_int *)stop) == 0)
                CHECK(weft_sleep_until(weft_now() + MS / 4) == 0);
        return 0;
}

Test(timer, cancel_wakes_nobody_else, .timeout = 60)
{
        for (int round = 0; round < 20; round++) {
                weft_pool *pool = begin(1);
                struct waits_once w = {.runs = 0};
                atomic_int stop = 0;
                weft_task *sleeper[4];
                sem_init(&w.out, 0, 0);
                weft_task *task = every(pool, 20 * MS, wait_in_the_first_run, &w);
                cr_assert(reaches(&w.waited, 1)); /* from here on the fiber is free for others */
                for (int i = 0; i < 4; i++)
                        sleeper[i] = spawn(pool, sleep_undisturbed, &stop);
                cr_assert(reaches(&w.runs, 2)); /* it holds the worker; the others are parked */
                cr_assert_eq(weft_task_cancel(task), 0);
                sem_post(&w.out);
                cr_assert_eq(join(task), -ECANCELED);
                atomic_store(&stop, 1);
                for (int i = 0; i < 4; i++)
                        cr_assert_eq(join(sleeper[i]), 0);
                finish(pool);
        }
}

static int quick(void *count)
{
        count_up(count);
        return 0;
}

Test(timer, cancel_racing_with_runs_gives_one_end, .timeout = 120)
{
        enum { ROUNDS = SLOW_BUILD ? 500 : 3000 };
        for (int i = 0; i < 3; i++) {
                weft_pool_options o = {.size = sizeof(o), .workers = sizes[i], .max_queued = 3};
                weft_pool *pool;
                static atomic_int count;
                cr_assert_eq(weft_pool_create(&pool, &o), 0);
                for (int k = 0; k < ROUNDS; k++) {
                        weft_task *task;
                        cr_assert_eq(weft_spawn_every(pool, &task, weft_now() + k % 10 * 1000,
                                                      1 + k % 5 * 2000, WEFT_INHERIT, quick,
                                                      &count),
                                     0);
                        spin(k % 9 * 3000);
                        cr_assert_eq(weft_task_cancel(task), 0);
                        cr_assert_eq(weft_await(task, WEFT_FOREVER), -ECANCELED);
                        int now = atomic_load(&count);
                        weft_task_unref(task);
                        if (k % 100 == 0) {
                                spin(50000);
                                cr_assert_eq(atomic_load(&count), now, "it ran after its end");
                        }
                }
                cr_assert(none_wait(pool));
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
                struct weft_pool_stats s = stats_of(pool);
                cr_assert_eq(s.submitted, s.run + s.cancelled);
                cr_assert_eq(s.queued, 0);
                cr_assert_eq(pool->room.queued, 0);
                finish(pool);
        }
}

/* What a run leaves set is gone, and the next one finds what the first one found. */
static weft_var mark = WEFT_VAR_INIT("mark");

static int each_in_its_own_frame(void *count)
{
        CHECK(weft_get(&mark) == V(5));
        CHECK(weft_get(&user) == &kept);
        CHECK(weft_set(&mark, V(6), NULL) == 0);
        CHECK(weft_set(&user, NULL, NULL) == 0);
        return atomic_fetch_add((atomic_int *)count, 1) == 20 ? -1 : 0;
}

Test(timer, each_run_has_a_frame_of_its_own, .timeout = 30)
{
        weft_pool *pool = begin(2);
        atomic_int count = 0;
        weft_task *task = NULL;
        WEFT_WITH (&mark, V(5)) {
                WEFT_WITH (&user, &kept) {
                        cr_assert_eq(weft_spawn_every(pool, &task, 0, MS / 4, WEFT_INHERIT,
                                                      each_in_its_own_frame, &count),
                                     0);
                }
        }
        cr_assert_not(value_gone(&kept));
        cr_assert_eq(weft_await(task, WEFT_FOREVER), -1);
        cr_assert(value_gone(&kept));
        weft_task_unref(task);
        finish(pool);
}

/* The groups of one run are not those of the next. */
static int open_a_group(void *count)
{
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        int r = 0;
        for (int i = 0; i < 3 && r == 0; i++)
                r = weft_group_spawn(&g, count_up, count);
        CHECK(r == 0 || r == -ECANCELED);
        r = weft_group_wait(&g, WEFT_FOREVER);
        weft_group_fini(&g);
        CHECK(r == 0 || r == -ECANCELED);
        return 0;
}

Test(timer, runs_may_open_groups_and_be_cancelled_in_them, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                for (int round = 0; round < 50; round++) {
                        atomic_int count = 0;
                        weft_task *task = every(pool, MS / 20, open_a_group, &count);
                        while (atomic_load(&count) < 12)
                                sched_yield();
                        spin(round * 2000);
                        cr_assert_eq(weft_task_cancel(task), 0);
                        cr_assert_eq(join(task), -ECANCELED);
                }
                finish(pool);
        }
}

Test(timer, draining_waits_for_the_run_that_is_under_way, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                struct runs r = {.first = weft_now(), .period = 20 * MS, .waits = 1};
                weft_task *task;
                cr_assert_eq(weft_spawn_every(pool, &task, r.first, r.period, 0, note_run, &r), 0);
                cr_assert(reaches(&r.within, 1));
                cr_assert_null(weft_pool_destroy(pool));
                cr_assert_eq(atomic_load(&r.within), 0);
                cr_assert_geq(atomic_load(&r.n), 1);
                cr_assert_eq(join(task), -ECANCELED);
                assert_checks();
        }
}

/* ---- many ------------------------------------------------------------------------------------ */

enum { MANY = SLOW_BUILD ? 20000 : 1000000 };

static double cpu_seconds(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

Test(timer, a_million_wait_and_are_cancelled, .timeout = 120)
{
        weft_pool *pool = begin(2);
        weft_task **task = calloc(MANY, sizeof(*task));
        uint32_t seed = 11;
        for (int i = 0; i < MANY; i++)
                task[i] = at(pool, in_ms(LATER * 10 + random_below(&seed, 100000)), nothing, NULL);
        cr_assert_eq(stats_of(pool).queued, MANY);
        if (!SLOW_BUILD) {
                double cpu = 1;
                for (int tries = 0; tries < 10 && cpu >= 0.005; tries++) {
                        pass(in_ms(50)); /* on a busy machine it may not be asleep yet */
                        cpu = cpu_seconds();
                        sleep(1);
                        cpu = cpu_seconds() - cpu;
                }
                cr_assert_lt(cpu, 0.005, "a sleeping pool used %g s of a second", cpu);
        }
        for (int i = 0; i < MANY; i += 2)
                cr_assert_eq(weft_task_cancel(task[i]), 0);
        cr_assert_eq(stats_of(pool).queued, MANY / 2);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
        for (int i = 0; i < MANY; i++)
                cr_assert_eq(join(task[i]), -ECANCELED);
        cr_assert_eq(stats_of(pool).cancelled, MANY);
        cr_assert(none_wait(pool));
        free(task);
        finish(pool);
}

static int spawn_many(void *count)
{
        uint32_t seed = (uint32_t)(uintptr_t)&seed;
        int64_t base = weft_now();
        for (int i = 0; i < MANY / 4; i++)
                CHECK(weft_spawn_at(NULL, NULL, base + random_below(&seed, 100000000), 0, count_up,
                                    count) == 0);
        return 0;
}

Test(timer, a_million_come_due, .timeout = 120)
{
        weft_pool *pool = begin(2);
        static atomic_int count;
        weft_task *spawner[4];
        for (int i = 0; i < 4; i++)
                spawner[i] = spawn(pool, spawn_many, &count);
        for (int i = 0; i < 4; i++)
                cr_assert_eq(join(spawner[i]), 0);
        finish(pool);
        cr_assert_eq(atomic_load(&count), MANY / 4 * 4);
}
