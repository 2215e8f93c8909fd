/* SPDX-License-Identifier: MIT
 *
 * WEFT_DEADLINE: a deadline in the context. What binds it and takes it along, which waits it ends,
 * what it does not end, and tasks that are not run because of it.
 */
#include "pool_help.h"

#include <fcntl.h>
#include <poll.h>

#include "context/memory.h"

enum { SOON = SLOW_BUILD ? 60 : 15 }; /* ms: a deadline that passes while one waits */
static const int64_t LATER = 60000;   /* ms: one that does not pass in a test */
static const int64_t PAST = 1;        /* ns */
static const unsigned sizes[] = {1, 2, 4};

/* ---- the block ------------------------------------------------------------------------------- */

Test(deadline, there_is_none_outside_blocks, .timeout = 30)
{
        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
        cr_assert_eq(weft_cancelled(), 0);
        WEFT_DEADLINE (PAST) {
        }
        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
        cr_assert_eq(weft_cancelled(), 0);
        cr_assert_eq(weft_context_size(NULL), 0);
        cr_assert_null(weft_context_capture());
}

static int64_t leave_by(int way, int64_t deadline)
{
        WEFT_DEADLINE (deadline) {
                if (way == 0)
                        return weft_deadline();
                if (way == 1)
                        break;
                if (way == 2)
                        continue;
                if (way == 3)
                        goto out;
        }
out:
        return deadline;
}

Test(deadline, holds_inside_the_block_and_is_undone_on_every_way_out, .timeout = 30)
{
        int64_t later = in_ms(LATER);
        for (int way = 0; way < 5; way++) {
                cr_assert_eq(leave_by(way, later), later);
                cr_assert_eq(weft_deadline(), WEFT_FOREVER);
        }
}

Test(deadline, nested_one_can_only_be_earlier, .timeout = 30)
{
        int64_t base = in_ms(LATER);
        int blocks = 0;
        WEFT_DEADLINE (base) {
                WEFT_DEADLINE (base + 1) {
                        cr_assert_eq(weft_deadline(), base);
                        blocks++;
                }
                WEFT_DEADLINE (WEFT_FOREVER) {
                        cr_assert_eq(weft_deadline(), base);
                        blocks++;
                }
                WEFT_DEADLINE (base - 1) {
                        cr_assert_eq(weft_deadline(), base - 1);
                        WEFT_DEADLINE (base) {
                                cr_assert_eq(weft_deadline(), base - 1);
                                blocks++;
                        }
                }
                cr_assert_eq(weft_deadline(), base);
        }
        cr_assert_eq(blocks, 3);
        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
}

/* Every number is a deadline; one before the beginning of the clock has passed like any other. */
Test(deadline, any_number_will_do, .timeout = 30)
{
        static const int64_t number[] = {WEFT_FOREVER, WEFT_FOREVER - 1, 1, 0, -1, INT64_MIN};
        for (int i = 0; i < 6; i++) {
                int entered = 0;
                WEFT_DEADLINE (number[i]) {
                        entered++;
                        cr_assert_eq(weft_deadline(), number[i] < 0 ? 0 : number[i]);
                        cr_assert_eq(weft_cancelled(), number[i] > 1 ? 0 : -ETIMEDOUT);
                }
                cr_assert_eq(entered, 1);
        }
}

/* The value of any var may be an address of the library; a deadline must not be taken for it. */
Test(deadline, no_deadline_is_taken_for_none, .timeout = 60)
{
        const char *near = (const char *)weft_deadline;
        for (int64_t i = -4000000; i < 4000000; i += SLOW_BUILD ? 97 : 1) {
                int64_t deadline = (int64_t)(intptr_t)near + i, found = 0;
                WEFT_DEADLINE (deadline) {
                        found = weft_deadline();
                }
                cr_assert_eq(found, deadline < 0 ? 0 : deadline); /* valgrind loads it that low */
        }
}

/* When sixteen vars came before it its binding lies in the far part of a context. */
Test(deadline, works_behind_many_vars, .timeout = 30)
{
        enum { MANY = 40 };
        static weft_var many[MANY] = {[0 ... MANY - 1] = WEFT_VAR_INIT("many")};
        weft_pool *pool = begin(1);
        int64_t later = in_ms(LATER);
        for (int i = 0; i < MANY; i++)
                cr_assert_eq(weft_set(&many[i], V(i), NULL), 0);
        WEFT_DEADLINE (later) {
                cr_assert_eq(weft_deadline(), later);
                cr_assert_eq(join(spawn(pool, give, V(3))), 3);
        }
        WEFT_DEADLINE (PAST) {
                cr_assert_eq(weft_sleep_until(later), -ETIMEDOUT);
                WEFT_SHIELD {
                        cr_assert_eq(join(spawn(pool, give, V(3))), -ETIMEDOUT);
                }
        }
        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
        finish(pool);
}

static bool refuse_all;

static int refuses(size_t size)
{
        (void)size;
        return refuse_all;
}

Test(deadline, without_memory_the_else_is_taken, .timeout = 30)
{
        int in = 0, out = 0;
        weft__alloc_fails = refuses;
        for (int round = 0; round < 4; round++) {
                refuse_all = round % 2 == 0;
                WEFT_DEADLINE (PAST) {
                        in++;
                        cr_assert_eq(weft_deadline(), PAST);
                }
                else
                {
                        out++;
                        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
                }
        }
        weft__alloc_fails = NULL;
        cr_assert_eq(in, 2);
        cr_assert_eq(out, 2);
        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
}

static int deadline_in_the_child(void *expected)
{
        CHILD_CHECK(weft_deadline() == *(int64_t *)expected);
        CHILD_CHECK(weft_sleep_until(WEFT_FOREVER) == -ETIMEDOUT);
        return 0;
}

Test(deadline, a_forked_child_has_it, .timeout = 60)
{
        int64_t soon = in_ms(SOON);
        WEFT_DEADLINE (soon) {
                cr_assert_eq(in_child(deadline_in_the_child, &soon), 0);
        }
}

/* ---- what takes it along --------------------------------------------------------------------- */

static int note_deadline(void *place)
{
        *(int64_t *)place = weft_deadline();
        return 0;
}

static void *note_in_thread(void *place)
{
        note_deadline(place);
        return NULL;
}

static int child_notes(void *place)
{
        return join(spawn(NULL, note_deadline, place));
}

Test(deadline, goes_to_children_and_theirs, .timeout = 30)
{
        int64_t later = in_ms(LATER), noted = 0, own = 0, in_group = 0;
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                weft_group g;
                weft_task *task = NULL, *outside = spawn(pool, note_deadline, &own);
                cr_assert_eq(weft_group_init(&g, pool), 0);
                WEFT_DEADLINE (later) {
                        task = spawn(pool, child_notes, &noted);
                        cr_assert_eq(weft_group_spawn(&g, child_notes, &in_group), 0);
                }
                cr_assert_eq(join(task), 0);
                cr_assert_eq(join(outside), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
                weft_group_fini(&g);
                cr_assert_eq(noted, later);
                cr_assert_eq(in_group, later);
                cr_assert_eq(own, WEFT_FOREVER);
                finish(pool);
        }
}

Test(deadline, goes_with_the_context_wherever_that_is_run, .timeout = 30)
{
        static weft_var user = WEFT_VAR_INIT("user");
        int64_t later = in_ms(LATER), noted = 0;
        weft_context *inside = NULL, *derived = NULL;
        weft_bound *bound = NULL;
        pthread_t thread;

        WEFT_DEADLINE (later) {
                inside = weft_context_capture();
                cr_assert_eq(weft_bind(&bound, note_deadline, &noted), 0);
                cr_assert_eq(weft_thread_create(&thread, NULL, note_in_thread, &noted), 0);
                pthread_join(thread, NULL);
                cr_assert_eq(noted, later);
                cr_assert_eq(weft_context_run(NULL, note_deadline, &noted, NULL), 0);
                cr_assert_eq(noted, WEFT_FOREVER, "the empty context has none");
        }
        noted = 0;
        cr_assert_eq(weft_context_run(inside, note_deadline, &noted, NULL), 0);
        cr_assert_eq(noted, later);
        noted = 0;
        cr_assert_eq(weft_bound_call(bound), 0);
        cr_assert_eq(noted, later);
        noted = 0;
        cr_assert_eq(weft_context_with(inside, &user, V(1), &derived), 0);
        cr_assert_eq(weft_context_run(derived, note_deadline, &noted, NULL), 0);
        cr_assert_eq(noted, later);

        /* What is run inside a block but in another context has that one's, earlier or later. */
        WEFT_DEADLINE (PAST) {
                cr_assert_eq(weft_context_run(inside, note_deadline, &noted, NULL), 0);
                cr_assert_eq(noted, later);
                weft_context *outer = weft_context_swap(weft_context_ref(inside));
                cr_assert_eq(weft_deadline(), later);
                weft_context_unref(weft_context_swap(outer));
                cr_assert_eq(weft_deadline(), PAST);
        }
        weft_bound_free(bound);
        weft_context_unref(derived);
        weft_context_unref(inside);
        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
}

static int set_inside(void *place)
{
        WEFT_DEADLINE (PAST) {
                *(weft_context **)place = weft_context_capture();
        }
        return weft_deadline() == WEFT_FOREVER;
}

Test(deadline, of_a_task_is_nothing_to_its_parent, .timeout = 30)
{
        weft_pool *pool = begin(2);
        weft_context *inside = NULL;
        int64_t noted = 0;
        cr_assert_eq(join(spawn(pool, set_inside, &inside)), 1);
        cr_assert_eq(weft_deadline(), WEFT_FOREVER);
        cr_assert_eq(weft_context_run(inside, note_deadline, &noted, NULL), 0);
        cr_assert_eq(noted, PAST);
        weft_context_unref(inside);
        finish(pool);
}

/* ---- the waits ------------------------------------------------------------------------------- */

/* One of each thing to wait for, in a state in which there is nothing to be had; or ready, so that
 * no wait is needed. */
struct things {
        weft_pool *pool, *full; /* the second has one worker, held by the plug, and no room */
        struct plug plug;
        weft_event gate, event;
        weft_task *task;
        weft_group group;
        weft_mutex mutex;
        weft_semaphore semaphore;
        weft_channel *empty, *filled;
        int pipe[2];
};

static int until_told(void *arg)
{
        struct things *t = arg;
        return weft_event_wait(&t->gate, WEFT_FOREVER);
}

static void things_begin(struct things *t, unsigned workers, unsigned flags, bool ready)
{
        weft_pool_options o = {.size = sizeof(o), .workers = workers, .flags = flags};
        *t = (struct things){.pool = NULL};
        cr_assert_eq(weft_pool_create(&t->pool, &o), 0);
        o = (weft_pool_options){
            .size = sizeof(o), .workers = 1, .max_queued = ready ? 2 : 1, .when_full = WEFT_BLOCK};
        cr_assert_eq(weft_pool_create(&t->full, &o), 0);
        plug_in(&t->plug, t->full, 1);
        cr_assert_eq(weft_submit(t->full, nothing, NULL), 0);

        weft_event_init(&t->gate);
        weft_event_init(&t->event);
        weft_mutex_init(&t->mutex);
        weft_semaphore_init(&t->semaphore, ready);
        t->task = spawn(t->pool, until_told, t);
        cr_assert_eq(weft_group_init(&t->group, t->pool), 0);
        if (!ready)
                cr_assert_eq(weft_group_spawn(&t->group, until_told, t), 0);
        int item = 7;
        cr_assert_eq(weft_channel_create(&t->empty, sizeof(item), 1), 0);
        cr_assert_eq(weft_channel_create(&t->filled, sizeof(item), ready ? 2 : 1), 0);
        cr_assert_eq(weft_channel_send(t->filled, &item, 0), 0);
        cr_assert_eq(pipe(t->pipe), 0);
        if (!ready) {
                cr_assert_eq(weft_mutex_trylock(&t->mutex), 0);
                return;
        }
        weft_event_set(&t->gate);
        weft_event_set(&t->event);
        cr_assert_eq(weft_await(t->task, WEFT_FOREVER), 0);
        cr_assert_eq(weft_channel_send(t->empty, &item, 0), 0);
        cr_assert_eq(write(t->pipe[1], "x", 1), 1);
}

static void things_end(struct things *t)
{
        weft_event_set(&t->gate);
        plug_out(&t->plug);
        cr_assert_eq(join(t->task), 0);
        weft_group_fini(&t->group);
        weft_channel_destroy(t->empty);
        weft_channel_destroy(t->filled);
        close(t->pipe[0]);
        close(t->pipe[1]);
        weft_pool_destroy(t->full);
        finish(t->pool);
}

static int on_task(struct things *t, int64_t d)
{
        return weft_await(t->task, d);
}

static int on_group(struct things *t, int64_t d)
{
        return weft_group_wait(&t->group, d);
}

static int on_mutex(struct things *t, int64_t d)
{
        int r = weft_mutex_lock(&t->mutex, d);
        if (r == 0)
                weft_mutex_unlock(&t->mutex);
        return r;
}

static int on_semaphore(struct things *t, int64_t d)
{
        return weft_semaphore_wait(&t->semaphore, d);
}

static int on_event(struct things *t, int64_t d)
{
        return weft_event_wait(&t->event, d);
}

static int on_receive(struct things *t, int64_t d)
{
        int item = 0;
        int r = weft_channel_receive(t->empty, &item, d);
        return r == 0 && item != 7 ? -EIO : r;
}

static int on_send(struct things *t, int64_t d)
{
        int item = 7;
        return weft_channel_send(t->filled, &item, d);
}

static int on_fd(struct things *t, int64_t d)
{
        int r = weft_wait_fd(t->pipe[0], POLLIN, d);
        return r == POLLIN ? 0 : r;
}

static int on_room(struct things *t, int64_t d)
{
        (void)d; /* it takes none */
        return weft_submit(t->full, nothing, NULL);
}

static int on_sleep(struct things *t, int64_t d)
{
        (void)t;
        return weft_sleep_until(d);
}

static int on_turn(struct things *t, int64_t d)
{
        int r;
        (void)t;
        (void)d;
        while ((r = weft_yield()) == 0)
                ;
        return r;
}

static int on_shutdown(struct things *t, int64_t d)
{
        return weft_pool_shutdown(t->full, WEFT_DRAIN, d);
}

enum { READY_WAITS = 9, WAITS = 12 }; /* the first can find what they want at once */

static int (*const waits[WAITS])(struct things *, int64_t) = {
    on_task, on_group, on_mutex, on_semaphore, on_event, on_receive,
    on_send, on_fd,    on_room,  on_sleep,     on_turn,  on_shutdown,
};

/* In a task of the pool, or on the test's own thread. */
static int in_place(bool in_task, struct things *t, weft_fn *fn, void *arg)
{
        return in_task ? join(spawn(t->pool, fn, arg)) : fn(arg);
}

struct all {
        struct things *things;
        int64_t deadline; /* of the context: absolute, or if small, in so many ms from each wait */
        int expected;
};

static int try_all(void *arg)
{
        const struct all *a = arg;
        for (int i = 0; i < (a->expected ? WAITS : READY_WAITS); i++) {
                int64_t d = a->deadline == SOON ? in_ms(SOON) : a->deadline, ended = 0;
                int r = 1;
                WEFT_DEADLINE (d) {
                        r = waits[i](a->things, in_ms(LATER));
                        ended = weft_now();
                }
                if (r != a->expected)
                        fprintf(stderr, "wait %d: %d\n", i, r);
                CHECK(r == a->expected);
                CHECK(!r || ended >= d);
        }
        return 0;
}

static void each_wait(int64_t deadline, bool ready, int expected)
{
        for (int i = 0; i < 6; i++) {
                struct things t;
                things_begin(&t, sizes[i / 2], 0, ready);
                struct all all = {&t, deadline, expected};
                cr_assert_eq(in_place(i % 2, &t, try_all, &all), 0);
                things_end(&t);
        }
}

Test(deadline, ends_every_wait_when_it_passes, .timeout = 120)
{
        each_wait(SOON, false, -ETIMEDOUT);
}

Test(deadline, that_has_passed_ends_every_wait_at_once, .timeout = 120)
{
        int64_t begin_at = weft_now();
        each_wait(PAST, false, -ETIMEDOUT);
        cr_assert_lt(weft_now() - begin_at, LATER * MS);
}

Test(deadline, what_is_free_at_once_is_given_after_it, .timeout = 120)
{
        each_wait(PAST, true, 0);
}

Test(deadline, ends_waits_of_tasks_that_may_go_on_on_any_worker, .timeout = 60)
{
        struct things t;
        things_begin(&t, 2, WEFT_MIGRATE, false);
        struct all all = {&t, SOON, -ETIMEDOUT};
        cr_assert_eq(in_place(true, &t, try_all, &all), 0);
        things_end(&t);
}

/* A wait's own deadline ends it if that is the earlier one, and the context's is none of it. */
static int own_is_earlier(void *arg)
{
        struct things *t = arg;
        WEFT_DEADLINE (in_ms(LATER)) {
                for (int i = 0; i < WAITS; i++) {
                        if (waits[i] == on_room || waits[i] == on_turn || waits[i] == on_sleep)
                                continue;
                        CHECK(waits[i](t, in_ms(1)) == -ETIMEDOUT);
                }
                CHECK(weft_cancelled() == 0);
                CHECK(weft_yield() == 0);
                int64_t own = in_ms(5);
                CHECK(weft_sleep_until(own) == 0);
                CHECK(weft_now() >= own);
        }
        return 0;
}

Test(deadline, of_the_wait_itself_may_be_earlier, .timeout = 60)
{
        for (int i = 0; i < 2; i++) {
                struct things t;
                things_begin(&t, 2, 0, false);
                cr_assert_eq(in_place(i, &t, own_is_earlier, &t), 0);
                things_end(&t);
        }
}

static int sleep_cases(void *unused)
{
        int64_t now = weft_now();
        (void)unused;
        WEFT_DEADLINE (now - 10) {
                CHECK(weft_sleep_until(now - 10) == 0);
                CHECK(weft_sleep_until(now - 11) == 0);
                CHECK(weft_sleep_until(0) == 0);
                CHECK(weft_sleep_until(INT64_MIN) == 0);
                CHECK(weft_sleep_until(now - 9) == -ETIMEDOUT);
                CHECK(weft_sleep_until(in_ms(LATER)) == -ETIMEDOUT);
                CHECK(weft_sleep_until(WEFT_FOREVER) == -ETIMEDOUT);
        }
        return 0;
}

Test(deadline, sleep_tells_which_time_came_first, .timeout = 30)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(sleep_cases(NULL), 0);
        cr_assert_eq(join(spawn(pool, sleep_cases, NULL)), 0);
        finish(pool);
}

/* ---- weft_cancelled, and what is not ended --------------------------------------------------- */

static int compute_until_told(void *unused)
{
        int r;
        (void)unused;
        while ((r = weft_cancelled()) == 0)
                ;
        return r;
}

Test(deadline, weft_cancelled_says_that_it_has_passed, .timeout = 30)
{
        weft_pool *pool = begin(1);
        int64_t soon = in_ms(SOON);
        WEFT_DEADLINE (soon) {
                cr_assert(weft_cancelled() == 0 || weft_now() >= soon);
                weft_task *task = spawn(pool, compute_until_told, NULL);
                cr_assert_eq(compute_until_told(NULL), -ETIMEDOUT);
                cr_assert_geq(weft_now(), soon);
                WEFT_SHIELD {
                        cr_assert_eq(join(task), -ETIMEDOUT);
                }
        }
        finish(pool);
}

static int cancelled_and_late(void *unused)
{
        weft_event never;
        (void)unused;
        weft_event_init(&never);
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        WEFT_DEADLINE (PAST) {
                CHECK(weft_cancelled() == -ECANCELED);
                CHECK(weft_yield() == -ECANCELED);
                CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
                CHECK(weft_event_wait(&never, WEFT_FOREVER) == -ECANCELED);
                WEFT_SHIELD {
                        CHECK(weft_cancelled() == 0);
                        CHECK(weft_deadline() == PAST);
                        CHECK(weft_yield() == 0);
                        CHECK(weft_sleep_until(in_ms(2)) == 0);
                        CHECK(weft_event_wait(&never, in_ms(2)) == -ETIMEDOUT);
                        CHECK(weft_event_wait(&never, 0) == -ETIMEDOUT);
                }
                CHECK(weft_cancelled() == -ECANCELED);
        }
        CHECK(weft_cancelled() == -ECANCELED);
        return 0;
}

Test(deadline, cancellation_comes_before_it, .timeout = 30)
{
        weft_pool *pool = begin(2);
        cr_assert_eq(join(spawn(pool, cancelled_and_late, NULL)), 0);
        finish(pool);
}

static int set_event_later(void *event)
{
        CHECK(weft_sleep_until(in_ms(SOON)) == 0);
        return weft_event_set(event);
}

/* In a task and on a thread; every wait of a shielded section goes on to its end. */
static int shielded_waits(void *arg)
{
        struct things *t = arg;
        weft_task *setter = spawn(t->pool, set_event_later, &t->event);
        WEFT_DEADLINE (PAST) {
                CHECK(weft_event_wait(&t->event, in_ms(LATER)) == -ETIMEDOUT);
                WEFT_SHIELD {
                        CHECK(weft_cancelled() == 0);
                        CHECK(weft_yield() == 0);
                        CHECK(weft_event_wait(&t->event, in_ms(LATER)) == 0);
                        CHECK(weft_sleep_until(in_ms(2)) == 0);
                        CHECK(weft_await(setter, in_ms(LATER)) == 0);
                        CHECK(weft_wait_fd(t->pipe[1], POLLOUT, in_ms(LATER)) == POLLOUT);
                        CHECK(weft_wait_fd(t->pipe[0], POLLIN, in_ms(2)) == -ETIMEDOUT);
                }
                CHECK(weft_cancelled() == -ETIMEDOUT);
        }
        weft_task_unref(setter);
        return 0;
}

Test(deadline, is_nothing_to_a_shielded_section, .timeout = 60)
{
        for (int i = 0; i < 2; i++) {
                struct things t;
                things_begin(&t, 2, 0, false);
                cr_assert_eq(in_place(i, &t, shielded_waits, &t), 0);
                things_end(&t);
        }
}

static int sleep_then_give(void *arg)
{
        WEFT_SHIELD {
                weft_sleep_until(in_ms(SOON));
        }
        return N(arg);
}

static int wait_in_call(void *arg)
{
        *(int64_t *)arg = weft_deadline();
        return weft_sleep_until(WEFT_FOREVER);
}

/* Waits that must not be called off: for what lies on the caller's stack. */
static int structured_waits(void *arg)
{
        weft_pool *pool = arg;
        weft_group g;
        weft_job job;
        int64_t in_call = 0, soon;
        CHECK(weft_group_init(&g, pool) == 0);
        CHECK(weft_group_spawn(&g, sleep_then_give, V(0)) == 0);
        WEFT_DEADLINE (PAST) {
                CHECK(weft_group_wait(&g, WEFT_FOREVER) == -ETIMEDOUT);
                weft_group_fini(&g);
                weft_fork(&job, sleep_then_give, V(5));
                weft_yield();
                CHECK(weft_join(&job) == 5);
        }
        soon = in_ms(SOON);
        WEFT_DEADLINE (soon) {
                CHECK(weft_blocking(wait_in_call, &in_call) == -ETIMEDOUT);
                CHECK(weft_now() >= soon);
                CHECK(in_call == soon);
        }
        return 0;
}

Test(deadline, does_not_end_what_must_not_be_left, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                cr_assert_eq(join(spawn(pool, structured_waits, pool)), 0);
                cr_assert_eq(structured_waits(pool), 0);
                finish(pool);
        }
        weft_pool *pool = begin(1);
        atomic_int count = 0;
        WEFT_DEADLINE (in_ms(LATER)) {
                cr_assert_eq(weft_submit(pool, sleep_then_give, NULL), 0);
                cr_assert_eq(weft_submit(pool, count_up, &count), 0);
        }
        WEFT_DEADLINE (PAST) {
                finish(pool);
        }
        cr_assert_eq(atomic_load(&count), 1);
}

/* ---- tasks that are not run ------------------------------------------------------------------ */

static weft_var tag = WEFT_VAR_INIT("tag");
static atomic_int ran, dropped;

static int runs(void *arg)
{
        atomic_fetch_add(&ran, 1);
        return N(*(void **)arg);
}

static void drops(void *arg)
{
        CHECK(weft_get(&tag) == *(void **)arg);
        CHECK(weft_deadline() != WEFT_FOREVER);
        atomic_fetch_add(&dropped, 1);
}

static struct weft_pool_stats stats_of(weft_pool *pool)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        cr_assert_eq(weft_pool_stats(pool, &s), 0);
        return s;
}

Test(deadline, task_that_is_late_is_not_run_and_its_destructor_is, .timeout = 60)
{
        for (int i = 0; i < 6; i++) {
                weft_pool_options o = {
                    .size = sizeof(o), .workers = sizes[i / 2], .flags = i % 2 ? WEFT_MIGRATE : 0};
                weft_pool *pool;
                struct plug plug;
                weft_task *late = NULL, *timely = NULL;
                cr_assert_eq(weft_pool_create(&pool, &o), 0);
                atomic_store(&ran, 0);
                atomic_store(&dropped, 0);
                plug_in(&plug, pool, o.workers);
                WEFT_WITH (&tag, V(4)) {
                        WEFT_DEADLINE (in_ms(1)) {
                                cr_assert_eq(weft_spawn_closure(pool, &late, runs, &(void *){V(4)},
                                                                sizeof(void *), drops),
                                             0);
                                cr_assert_eq(weft_submit_closure(pool, runs, &(void *){V(4)},
                                                                 sizeof(void *), drops),
                                             0);
                        }
                        WEFT_DEADLINE (in_ms(LATER)) {
                                cr_assert_eq(weft_spawn_closure(pool, &timely, runs,
                                                                &(void *){V(4)}, sizeof(void *),
                                                                drops),
                                             0);
                        }
                }
                cr_assert_eq(weft_sleep_until(in_ms(2)), 0);
                plug_out(&plug);
                cr_assert_eq(join(late), -ETIMEDOUT);
                cr_assert_eq(join(timely), 4);
                cr_assert(reaches(&dropped, 3));
                cr_assert_eq(atomic_load(&ran), 1);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
                struct weft_pool_stats s = stats_of(pool);
                cr_assert_eq(s.cancelled, 2);
                cr_assert_eq(s.run, 1 + plug.workers);
                cr_assert_eq(s.queued, 0);
                finish(pool);
        }
}

/* Room in a bounded pool is given back by it too; and with WEFT_CALLER it is the caller who finds
 * it late. */
Test(deadline, late_task_gives_its_room_back, .timeout = 30)
{
        for (int policy = WEFT_REFUSE; policy <= WEFT_CALLER; policy += 2) {
                weft_pool_options o = {.size = sizeof(o),
                                       .workers = 1,
                                       .max_queued = 1,
                                       .when_full = (weft_when_full)policy};
                weft_pool *pool;
                weft_task *task[2] = {NULL, NULL};
                struct plug plug;
                cr_assert_eq(weft_pool_create(&pool, &o), 0);
                plug_in(&plug, pool, 1);
                WEFT_DEADLINE (PAST) {
                        cr_assert_eq(weft_spawn(pool, &task[0], give, V(1)), 0);
                        cr_assert_eq(weft_spawn(pool, &task[1], give, V(1)),
                                     policy == WEFT_CALLER ? 0 : -EAGAIN);
                        int result = 0;
                        if (task[1])
                                cr_assert_eq(weft_task_result(task[1], &result), 0);
                        cr_assert_eq(result, task[1] ? -ETIMEDOUT : 0);
                }
                plug_out(&plug);
                cr_assert_eq(weft_await(task[0], WEFT_FOREVER), -ETIMEDOUT);
                cr_assert_eq(join(spawn(pool, give, V(6))), 6);
                cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
                cr_assert_eq(stats_of(pool).cancelled, policy == WEFT_CALLER ? 2 : 1);
                weft_task_unref(task[0]);
                weft_task_unref(task[1]);
                finish(pool);
        }
}

Test(deadline, late_task_is_the_error_of_its_group, .timeout = 30)
{
        weft_pool *pool = begin(2);
        weft_group g;
        cr_assert_eq(weft_group_init(&g, pool), 0);
        WEFT_DEADLINE (PAST) {
                cr_assert_eq(weft_group_spawn(&g, nothing, NULL), 0);
        }
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ETIMEDOUT);
        weft_group_fini(&g);
        finish(pool);
}

static int fork_and_join(void *unused)
{
        weft_job job[8];
        int sum = 0;
        (void)unused;
        WEFT_DEADLINE (PAST) {
                for (int i = 0; i < 8; i++)
                        weft_fork(&job[i], give, V(i));
                usleep(1000);
                for (int i = 8; i-- > 0;)
                        sum += weft_join(&job[i]);
        }
        return sum;
}

Test(deadline, jobs_are_run_whatever_the_time, .timeout = 60)
{
        for (int i = 0; i < 3; i++) {
                weft_pool *pool = begin(sizes[i]);
                for (int round = 0; round < 20; round++)
                        cr_assert_eq(join(spawn(pool, fork_and_join, NULL)), 28);
                finish(pool);
        }
}

static int count_late(void *count)
{
        CHECK(weft_cancelled() == -ETIMEDOUT);
        return count_up(count);
}

/* Registered before and after the end of the task that they tell of. */
Test(deadline, callbacks_are_run_whatever_the_time, .timeout = 30)
{
        weft_pool *pool = begin(2);
        struct plug plug;
        atomic_int count = 0;
        plug_in(&plug, pool, 2);
        weft_task *task = spawn(pool, nothing, NULL);
        WEFT_DEADLINE (PAST) {
                for (int i = 0; i < 3; i++)
                        cr_assert_eq(weft_task_on_done(task, count_late, &count), 0);
        }
        plug_out(&plug);
        cr_assert(reaches(&count, 3));
        WEFT_DEADLINE (PAST) {
                cr_assert_eq(weft_task_on_done(task, count_late, &count), 0);
        }
        cr_assert(reaches(&count, 4));
        weft_task_unref(task);
        finish(pool);
}

/* Cancelled while it was queued it says so, though it would have been late as well. */
Test(deadline, task_cancelled_in_its_queue_is_cancelled, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_task *task = NULL;
        plug_in(&plug, pool, 1);
        WEFT_DEADLINE (PAST) {
                task = spawn(pool, nothing, NULL);
        }
        cr_assert_eq(weft_task_cancel(task), 0);
        plug_out(&plug);
        cr_assert_eq(join(task), -ECANCELED);
        finish(pool);
}

/* Whoever wakes a task just when the deadline passes: what was given is not lost. */
static int take_units(void *arg)
{
        struct things *t = arg;
        int taken = 0;
        for (int i = 0; i < 200; i++) {
                int r = 1;
                WEFT_DEADLINE (weft_now() + i % 20 * 10000) {
                        r = weft_semaphore_wait(&t->semaphore, WEFT_FOREVER);
                }
                CHECK(r == 0 || r == -ETIMEDOUT);
                taken += r == 0;
        }
        return taken;
}

Test(deadline, racing_with_what_it_waits_for_loses_nothing, .timeout = 120)
{
        for (int i = 0; i < 3; i++) {
                struct things t;
                weft_task *taker[4];
                int taken = 0, posted = 0;
                things_begin(&t, sizes[i], i == 2 ? WEFT_MIGRATE : 0, false);
                for (int k = 0; k < 4; k++)
                        taker[k] = spawn(t.pool, take_units, &t);
                for (; posted < 400; posted++) {
                        cr_assert_eq(weft_semaphore_post(&t.semaphore), 0);
                        weft_sleep_until(weft_now() + 20000);
                }
                for (int k = 0; k < 4; k++)
                        taken += join(taker[k]);
                while (weft_semaphore_wait(&t.semaphore, 0) == 0)
                        taken++;
                cr_assert_eq(taken, posted);
                things_end(&t);
        }
}
