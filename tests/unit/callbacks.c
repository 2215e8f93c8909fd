/* SPDX-License-Identifier: MIT
 *
 * Whatever weft calls may call weft (G37 of docs/guarantees.md): each kind of function that is
 * handed to it submits, waits, cancels, makes and destroys pools, and is told that it cannot end
 * its own. (One that shows a value or counts its references may do less: see weft/context.h.)
 */
#include "pool_help.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <weft/carry.h>
#include <weft/see.h>

static struct {
        weft_pool *own, *other;
        atomic_bool armed;
        atomic_int done;
} p;

/* ---- what each does ---- */

static int waits_for_ever(void *unused)
{
        weft_event never;
        (void)unused;
        weft_event_init(&never);
        return weft_event_wait(&never, WEFT_FOREVER);
}

static void submits(weft_pool *pool)
{
        atomic_int count = 0;
        weft_group g;
        weft_task *t;
        CHECK(weft_group_init(&g, pool) == 0);
        CHECK(weft_group_spawn(&g, count_up, &count) == 0);
        CHECK(weft_group_spawn(&g, count_up, &count) == 0);
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0 && atomic_load(&count) == 2);
        weft_group_fini(&g);
        CHECK(weft_spawn(pool, &t, give, V(7)) == 0);
        CHECK(weft_await(t, WEFT_FOREVER) == 7);
        weft_task_unref(t);
}

static void waits(void)
{
        int fd = eventfd(1, EFD_CLOEXEC);
        CHECK(weft_sleep_until(in_ms(1)) == 0);
        CHECK(weft_wait_fd(fd, POLLIN, WEFT_FOREVER) == POLLIN);
        CHECK(weft_blocking(give, V(5)) == 5);
        close(fd);
}

static void cancels(weft_pool *pool)
{
        weft_task *t;
        CHECK(weft_spawn(pool, &t, waits_for_ever, NULL) == 0);
        CHECK(weft_task_cancel(t) == 0);
        CHECK(weft_await(t, WEFT_FOREVER) == -ECANCELED);
        weft_task_unref(t);
}

static void destroys(void)
{
        weft_pool *made, *own = weft_pool_current();
        CHECK(weft_pool_create(&made, &(weft_pool_options){.workers = 1}) == 0);
        submits(made);
        CHECK(weft_pool_destroy(made) == NULL);
        if (own) {
                CHECK(weft_pool_shutdown(own, WEFT_CANCEL, WEFT_FOREVER) == -EDEADLK);
                CHECK(weft_pool_destroy(own) == own);
        }
}

/* Once: what it submits may inherit what had it called. */
static int acts(void)
{
        if (!atomic_exchange(&p.armed, false))
                return 0;
        submits(p.other);
        waits();
        cancels(p.other);
        destroys();
        atomic_fetch_add(&p.done, 1);
        return 0;
}

/* ---- as each kind of function ---- */

static int as_fn(void *unused)
{
        (void)unused;
        return acts();
}

static void *as_start(void *unused)
{
        acts();
        return unused;
}

static void as_drop(void *unused)
{
        (void)unused;
        acts();
}

static void as_hook(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        acts();
}

static void as_change(void *previous, void *next, void *unused)
{
        (void)previous;
        (void)next;
        (void)unused;
        acts();
}

static int as_hand_on(unsigned border, void *value, void **ret_value)
{
        (void)border;
        (void)value;
        (void)ret_value;
        acts();
        return 1;
}

static int as_visit(const weft_var *var, void *value, void *unused)
{
        (void)var;
        (void)value;
        (void)unused;
        return acts();
}

static int as_encode(const void *value, char *ret_text, size_t size)
{
        (void)value;
        acts();
        return snprintf(ret_text, size, "1");
}

static int as_decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        (void)text;
        (void)length;
        (void)so_far;
        acts();
        *ret_value = V(1);
        return 0;
}

static int as_put(void *unused, const char *name, const char *value)
{
        (void)unused;
        (void)name;
        (void)value;
        return acts();
}

static const char *as_find(void *unused, const char *name, size_t index, size_t *ret_length)
{
        (void)unused;
        acts();
        *ret_length = 1;
        return index == 0 && strcmp(name, "carried") == 0 ? "1" : NULL;
}

static const char *finds(void *unused, const char *name, size_t index, size_t *ret_length)
{
        (void)unused;
        *ret_length = 1;
        return index == 0 && strcmp(name, "carried") == 0 ? "1" : NULL;
}

static int puts_nothing(void *unused, const char *name, const char *value)
{
        (void)unused;
        (void)name;
        (void)value;
        return 0;
}

static int as_range(size_t from, size_t to, void *unused)
{
        (void)from;
        (void)to;
        (void)unused;
        return acts();
}

static void as_report(const char *report, void *unused)
{
        (void)report;
        (void)unused;
        acts();
}

/* ---- where it is called ---- */

static weft_var releasing = WEFT_VAR_INIT("releasing", .release = as_drop);
static weft_var changing = WEFT_VAR_INIT("changing", .on_change = as_change);
static weft_var handed_on = WEFT_VAR_INIT("handed on", .hand_on = as_hand_on);
static weft_var carried = WEFT_VAR_INIT("carried");
static weft_codec codec = {
    .var = &carried, .name = "carried", .encode = as_encode, .decode = as_decode};

static void in_task(void)
{
        cr_assert_eq(join(spawn(p.own, as_fn, NULL)), 0);
}

static void in_task_that_its_submitter_runs(void)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .max_queued = 1, .when_full = WEFT_CALLER};
        weft_pool *pool;
        struct plug plug;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        cr_assert_eq(weft_submit(pool, as_fn, NULL), 0);
        plug_out(&plug);
        finish(pool);
}

static void in_destructor(void)
{
        weft_task *t;
        cr_assert_eq(weft_spawn_closure(p.own, &t, nothing, "", 1, as_drop), 0);
        cr_assert_eq(join(t), 0);
}

static void in_destructor_of_one_that_is_cancelled(void)
{
        struct plug plug;
        weft_pool *pool = begin(1);
        weft_task *t;
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn_closure(pool, &t, nothing, "", 1, as_drop), 0);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(join(t), -ECANCELED);
        plug_out(&plug);
        finish(pool);
}

static void in_destructor_of_a_group_that_is_cancelled(void)
{
        struct plug plug;
        weft_pool *pool = begin(1);
        weft_group g;
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn_closure(&g, nothing, "", 1, as_drop), 0);
        cr_assert_eq(weft_group_cancel(&g), 0);
        plug_out(&plug);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
        weft_group_fini(&g);
        finish(pool);
}

static void in_callback(void)
{
        weft_task *t = spawn(p.own, nothing, NULL);
        cr_assert_eq(weft_task_on_done(t, as_fn, NULL), 0);
        cr_assert_eq(join(t), 0);
}

static void in_callback_of_one_that_is_cancelled(void)
{
        struct plug plug;
        weft_pool *pool = begin(1);
        plug_in(&plug, pool, 1);
        weft_task *t = spawn(pool, nothing, NULL);
        cr_assert_eq(weft_task_on_done(t, as_fn, NULL), 0);
        cr_assert_eq(weft_task_cancel(t), 0);
        plug_out(&plug);
        cr_assert_eq(join(t), -ECANCELED);
        finish(pool);
}

static void in_on_start(void)
{
        run_hooks(as_hook, NULL);
}

static void in_on_stop(void)
{
        run_hooks(NULL, as_hook);
}

static int leaves_bound(void *unused)
{
        (void)unused;
        CHECK(weft_set(&releasing, V(1), NULL) == 0);
        return 0;
}

static void in_release_on_a_worker(void)
{
        cr_assert_eq(join(spawn(p.own, leaves_bound, NULL)), 0);
}

static void in_release_on_a_thread(void)
{
        cr_assert_eq(weft_context_run(NULL, leaves_bound, NULL, NULL), 0);
}

static int changes(void *unused)
{
        (void)unused;
        WEFT_WITH (&changing, V(1))
                return 0;
        return -ENOMEM;
}

static void in_on_change_on_a_worker(void)
{
        cr_assert_eq(join(spawn(p.own, changes, NULL)), 0);
}

static void in_on_change_on_a_thread(void)
{
        cr_assert_eq(changes(NULL), 0);
}

static void in_hand_on(void)
{
        WEFT_WITH (&handed_on, V(1))
                cr_assert_eq(join(spawn(p.own, nothing, NULL)), 0);
}

/* What has a codec, in a context of its own. */
static void with_carried(void (*fn)(weft_context *context))
{
        weft_context *context;
        cr_assert_eq(weft_context_with(NULL, &carried, V(1), &context), 0);
        fn(context);
        weft_context_unref(context);
}

static void visited(weft_context *context)
{
        cr_assert_eq(weft_context_foreach(context, as_visit, NULL), 0);
}

static void in_visit(void)
{
        with_carried(visited);
}

static void encoded(weft_context *context)
{
        cr_assert_eq(weft_context_inject(context, puts_nothing, NULL), 1);
}

static void in_encode(void)
{
        with_carried(encoded);
}

/* The encoder is called before it. */
static int puts_once_encoded(void *unused, const char *name, const char *value)
{
        atomic_store(&p.armed, true);
        return as_put(unused, name, value);
}

static void put(weft_context *context)
{
        atomic_store(&p.armed, false);
        cr_assert_eq(weft_context_inject(context, puts_once_encoded, NULL), 1);
}

static void in_put(void)
{
        with_carried(put);
}

static void in_find(void)
{
        weft_context *context;
        cr_assert_eq(weft_context_extract(NULL, as_find, NULL, &context), 1);
        weft_context_unref(context);
}

static void in_decode(void)
{
        weft_context *context;
        cr_assert_eq(weft_context_extract(NULL, finds, NULL, &context), 1);
        weft_context_unref(context);
}

static void in_bound(void)
{
        weft_bound *bound;
        cr_assert_eq(weft_bind(&bound, as_fn, NULL), 0);
        cr_assert_eq(weft_bound_call(bound), 0);
        weft_bound_free(bound);
}

static int blocks(void *unused)
{
        return weft_blocking(as_fn, unused);
}

static void in_blocking(void)
{
        cr_assert_eq(join(spawn(p.own, blocks, NULL)), 0);
}

static int forks_one(void *unused)
{
        weft_job job;
        weft_fork(&job, as_fn, unused);
        return weft_join(&job);
}

static void in_job(void)
{
        cr_assert_eq(join(spawn(p.own, forks_one, NULL)), 0);
}

static void in_range(void)
{
        cr_assert_eq(weft_parallel_for(p.own, 0, 10, 1, as_range, NULL), 0);
}

static void in_periodic(void)
{
        weft_task *t;
        cr_assert_eq(weft_spawn_every(p.own, &t, 0, MS, 0, as_fn, NULL), 0);
        cr_assert(reaches(&p.done, 1));
        cr_assert_eq(weft_task_cancel(t), 0);
        join(t);
}

static void in_thread(void)
{
        pthread_t thread;
        cr_assert_eq(weft_thread_create(&thread, NULL, as_start, NULL), 0);
        pthread_join(thread, NULL);
}

/* Of a task that holds its worker. */
static void in_report(void)
{
        struct plug plug;
        weft_pool *pool = begin(1);
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_watch_begin(10 * MS, as_report, NULL), 0);
        cr_assert(reaches(&p.done, 1));
        plug_out(&plug);
        cr_assert_eq(weft_watch_end(), 0);
        finish(pool);
}

#define PLACE(name)                                                                                \
        {                                                                                          \
#name, name                                                                        \
        }

static const struct {
        const char *name;
        void (*place)(void);
} places[] = {
    PLACE(in_task),
    PLACE(in_task_that_its_submitter_runs),
    PLACE(in_destructor),
    PLACE(in_destructor_of_one_that_is_cancelled),
    PLACE(in_destructor_of_a_group_that_is_cancelled),
    PLACE(in_callback),
    PLACE(in_callback_of_one_that_is_cancelled),
    PLACE(in_on_start),
    PLACE(in_on_stop),
    PLACE(in_release_on_a_worker),
    PLACE(in_release_on_a_thread),
    PLACE(in_on_change_on_a_worker),
    PLACE(in_on_change_on_a_thread),
    PLACE(in_hand_on),
    PLACE(in_visit),
    PLACE(in_encode),
    PLACE(in_put),
    PLACE(in_find),
    PLACE(in_decode),
    PLACE(in_bound),
    PLACE(in_blocking),
    PLACE(in_job),
    PLACE(in_range),
    PLACE(in_periodic),
    PLACE(in_thread),
    PLACE(in_report),
};

static void in_each_place(weft_pool *own)
{
        p.own = own;
        p.other = begin(1);
        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
                if (IN_EMULATOR && places[i].place == in_report)
                        continue; /* which makes no copy of the process to report from */
                atomic_store(&p.done, 0);
                atomic_store(&p.armed, true);
                places[i].place();
                const char *failed = atomic_load(&first_failed_check);
                cr_assert(!failed, "%s: %s", places[i].name, failed ? failed : "");
                cr_assert(reaches(&p.done, 1), "%s: not done", places[i].name);
        }
        finish(p.other);
        finish(own);
}

Test(callbacks, each_may_submit_wait_cancel_and_destroy, .timeout = 120)
{
        cr_assert_eq(weft_codec_register(&codec), 0);
        in_each_place(begin(2));
}

Test(callbacks, so_may_each_where_tasks_migrate, .timeout = 120)
{
        cr_assert_eq(weft_codec_register(&codec), 0);
        in_each_place(migrating_pool(2));
}
