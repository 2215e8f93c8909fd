/* SPDX-License-Identifier: MIT
 *
 * fork() in the middle of everything: a parent whose tasks run, wait and are queued and whose
 * threads take and give up all there is over and over (begin_parent() to end_parent()), and a child
 * that calls every public function (calls_everything()). tests/compile holds the calls against
 * weft.map.
 */
#ifndef FORK_HELP_H
#define FORK_HELP_H

#include "pool_help.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define NO_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define NO_FORK 1
#endif
#endif
#ifndef NO_FORK
#define NO_FORK 0
#endif

#define skip_without_fork()                                                                        \
        do {                                                                                       \
                if (NO_FORK)                                                                       \
                        cr_skip_test(                                                              \
                            "this sanitizer stands no threads, or no memory, after fork()");       \
                skip_threads_after_fork_in_emulator();                                             \
        } while (0)

static weft_var a = WEFT_VAR_INIT("a", .fallback = V(-1));

/* What parent and child share. */
static struct {
        atomic_int strays;   /* tasks of the parent that have run in a child */
        atomic_int handlers; /* of atexit() that have run in one */
        atomic_int releases;
} * shared;

static pid_t parent;

/* In each task of the parent's that is not to be run in the child. */
static void note_stray(void)
{
        if (getpid() != parent)
                atomic_fetch_add(&shared->strays, 1);
}

/* Where a child hangs, it says in which line. */
static volatile int line;

static void on_alarm(int signal)
{
        (void)signal;
        dprintf(2, "in the child: hangs in line %d\n", line);
        _exit(1);
}

#define SEE(condition)                                                                             \
        do {                                                                                       \
                line = __LINE__;                                                                   \
                CHILD_CHECK(condition);                                                            \
        } while (0)

/* ---- the parent ---- */

static struct {
        weft_pool *pool, *bounded, *idle;
        weft_task *hammers[2], *holder, *queued, *ended, *timed, *periodic;
        weft_group group;
        weft_mutex held, hammered;
        weft_semaphore semaphore;
        weft_event event;
        weft_channel *channel, *hammered_channel;
        weft_bound *bound;
        weft_record *record;
        int fd;
        atomic_int stop;
        pthread_t thread[2];
        struct plug plug;
} p;

/* Waits with the mutex, in the group's pool. */
static int holds(void *unused)
{
        (void)unused;
        CHECK(weft_mutex_lock(&p.held, WEFT_FOREVER) == 0);
        CHECK(weft_event_wait(&p.event, WEFT_FOREVER) == 0);
        CHECK(weft_mutex_unlock(&p.held) == 0);
        note_stray();
        return 0;
}

static int waits_for_mutex(void *unused)
{
        (void)unused;
        CHECK(weft_mutex_lock(&p.held, WEFT_FOREVER) == 0);
        CHECK(weft_mutex_unlock(&p.held) == 0);
        note_stray();
        return 0;
}

static int waits_for_unit(void *unused)
{
        (void)unused;
        CHECK(weft_semaphore_wait(&p.semaphore, WEFT_FOREVER) == 0);
        note_stray();
        return 0;
}

static int waits_for_item(void *unused)
{
        int item;
        (void)unused;
        CHECK(weft_channel_receive(p.channel, &item, WEFT_FOREVER) == 0);
        note_stray();
        return 0;
}

static int waits_for_fd(void *unused)
{
        (void)unused;
        CHECK(weft_wait_fd(p.fd, POLLIN, WEFT_FOREVER) == POLLIN);
        note_stray();
        return 0;
}

static int strays(void *unused)
{
        (void)unused;
        note_stray();
        return 0;
}

static void *mutex_in_thread(void *unused)
{
        waits_for_mutex(unused);
        return NULL;
}

static int sleeps_in_thread(void *unused)
{
        (void)unused;
        usleep(300);
        return 0;
}

/* Takes and gives up everything over and over. */
static int hammers(void *unused)
{
        (void)unused;
        for (int i = 0, item = 0; !atomic_load(&p.stop); i++) {
                weft_task *t, *timed;
                weft_group g;
                CHECK(weft_mutex_lock(&p.hammered, WEFT_FOREVER) == 0);
                CHECK(weft_set(&a, V(i), NULL) == 0);
                CHECK(weft_mutex_unlock(&p.hammered) == 0);
                CHECK(weft_channel_send(p.hammered_channel, &i, WEFT_FOREVER) == 0);
                CHECK(weft_channel_receive(p.hammered_channel, &item, WEFT_FOREVER) == 0);
                CHECK(weft_submit(p.pool, strays, NULL) == 0);
                CHECK(weft_spawn(p.pool, &t, strays, NULL) == 0);
                CHECK(weft_task_on_done(t, strays, NULL) == 0);
                CHECK(weft_await(t, WEFT_FOREVER) == 0);
                weft_task_unref(t);
                CHECK(weft_spawn_at(p.pool, &timed, in_ms(i % 50), 0, strays, NULL) == 0);
                CHECK(weft_group_init(&g, p.pool) == 0);
                CHECK(weft_group_spawn(&g, strays, NULL) == 0);
                CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0);
                weft_group_fini(&g);
                weft_task_cancel(timed);
                weft_task_unref(timed);
                if (i % 10 == 0)
                        CHECK(weft_blocking(sleeps_in_thread, NULL) == 0);
        }
        return 0;
}

static void *hammers_in_thread(void *unused)
{
        hammers(unused);
        return NULL;
}

static void begin_parent(void)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .max_queued = 1};
        shared =
            mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq((void *)shared, MAP_FAILED);
        parent = getpid();
        p.pool = begin(2);
        p.idle = begin(2);
        cr_assert_eq(weft_record_start(p.pool, &p.record, NULL), 0);
        cr_assert_eq(weft_pool_create(&p.bounded, &o), 0);
        plug_in(&p.plug, p.bounded, 1);
        cr_assert_eq(weft_channel_create(&p.channel, sizeof(int), 1), 0);
        cr_assert_eq(weft_channel_create(&p.hammered_channel, sizeof(int), 8), 0);
        p.fd = eventfd(0, EFD_CLOEXEC);
        cr_assert_eq(weft_set(&a, V(40), NULL), 0);
        cr_assert_eq(weft_bind(&p.bound, give, V(8)), 0);
        p.ended = spawn(p.idle, give, V(42));
        cr_assert_eq(weft_await(p.ended, WEFT_FOREVER), 42);
        p.queued = spawn(p.bounded, strays, NULL);
        p.holder = spawn(p.pool, holds, NULL);
        while (weft_mutex_trylock(&p.held) == 0) {
                weft_mutex_unlock(&p.held);
                sched_yield();
        }
        cr_assert_eq(weft_group_init(&p.group, p.pool), 0);
        cr_assert_eq(weft_group_spawn(&p.group, waits_for_mutex, NULL), 0);
        cr_assert_eq(weft_group_spawn(&p.group, waits_for_unit, NULL), 0);
        cr_assert_eq(weft_group_spawn(&p.group, waits_for_item, NULL), 0);
        cr_assert_eq(weft_group_spawn(&p.group, waits_for_fd, NULL), 0);
        cr_assert_eq(weft_spawn_at(p.pool, &p.timed, WEFT_FOREVER, 0, strays, NULL), 0);
        cr_assert_eq(weft_spawn_every(p.pool, &p.periodic, 0, MS, 0, strays, NULL), 0);
        p.hammers[0] = spawn(p.pool, hammers, NULL);
        p.hammers[1] = spawn(NULL, hammers, NULL);
        cr_assert_eq(pthread_create(&p.thread[0], NULL, mutex_in_thread, NULL), 0);
        cr_assert_eq(pthread_create(&p.thread[1], NULL, hammers_in_thread, NULL), 0);
        usleep(2000);
}

static void end_parent(void)
{
        int item = 1;
        atomic_store(&p.stop, 1);
        plug_out(&p.plug);
        cr_assert_eq(weft_event_set(&p.event), 0);
        cr_assert_eq(weft_semaphore_post(&p.semaphore), 0);
        cr_assert_eq(weft_channel_send(p.channel, &item, WEFT_FOREVER), 0);
        cr_assert_eq(eventfd_write(p.fd, 1), 0);
        cr_assert_eq(weft_task_cancel(p.timed), 0);
        cr_assert_eq(weft_task_cancel(p.periodic), 0);
        for (int i = 0; i < 2; i++) {
                pthread_join(p.thread[i], NULL);
                cr_assert_eq(join(p.hammers[i]), 0);
        }
        cr_assert_eq(weft_group_wait(&p.group, WEFT_FOREVER), 0, "the parent goes on");
        weft_group_fini(&p.group);
        cr_assert_eq(join(p.holder), 0);
        cr_assert_eq(join(p.queued), 0);
        cr_assert_eq(join(p.ended), 42);
        cr_assert_eq(join(p.timed), -ECANCELED);
        cr_assert_eq(join(p.periodic), -ECANCELED);
        weft_bound_free(p.bound);
        cr_assert_eq(weft_record_stop(p.record), 0);
        finish(p.pool);
        finish(p.idle);
        finish(p.bounded);
        weft_channel_destroy(p.channel);
        weft_channel_destroy(p.hammered_channel);
        weft_record_destroy(p.record);
        close(p.fd);
        cr_assert_eq(atomic_load(&shared->strays), 0, "the child ran tasks of the parent's");
}

/* ---- the child: every call ---- */

static void drop(void *args)
{
        (void)args;
        SEE(!"a refused submit dropped its arguments");
}

static int sees_a(void *arg)
{
        return N(weft_get(&a)) + N(arg);
}

static int counts(const weft_var *var, void *value, void *arg)
{
        (void)var;
        (void)value;
        ++*(int *)arg;
        return 0;
}

static void *sees_a_in_thread(void *arg)
{
        (void)arg;
        return weft_get(&a);
}

static void calls_contexts(void)
{
        static weft_var own = WEFT_VAR_INIT("own");
        weft_context *here, *with, *after;
        weft_bound *bound;
        weft_token token;
        pthread_t thread;
        void *value;
        int n = 0;
        SEE(weft_context_empty() == NULL);
        SEE(weft_set(&a, V(40), NULL) == 0 && weft_get(&a) == V(40));
        SEE(weft_lookup(&a, &value) == 0 && value == V(40));
        SEE(weft_set(&own, V(1), &token) == 0 && weft_get(&own) == V(1));
        SEE(weft_token_old(&token, &value) == -ENOENT);
        SEE(weft_reset(&own, &token) == 0 && weft_get(&own) == NULL);
        weft_token_drop(&token);
        WEFT_WITH (&own, V(2)) {
                SEE(weft_get(&own) == V(2));
        }
        here = weft_context_capture();
        SEE(weft_context_ref(here) == here && weft_context_unref(here) == NULL);
        SEE(weft_context_cross(WEFT_BORDER_TASK, &with) == 0);
        weft_context_unref(with);
        SEE(weft_explain(&own, NULL, 0) > 0 && weft_explain_record(false) != -ENOMEM);
        SEE(weft_context_with(here, &own, V(3), &with) == 0);
        SEE(weft_context_lookup(with, &own, &value) == 0 && value == V(3));
        SEE(weft_context_size(with) == weft_context_size(here) + 1);
        SEE(weft_context_foreach(with, counts, &n) == 0 && n == (int)weft_context_size(with));
        SEE(!weft_context_equal(here, with));
        SEE(weft_context_run(with, sees_a, V(1), &after) == 41);
        weft_context_unref(after);
        after = weft_context_swap(weft_context_ref(with));
        SEE(weft_get(&own) == V(3));
        weft_context_unref(weft_context_swap(after));
        weft_context_unref(with);
        weft_context_unref(here);
        SEE(weft_bind(&bound, sees_a, V(2)) == 0 && weft_bound_call(bound) == 42);
        SEE(weft_bound_free(bound) == NULL);
        SEE(weft_bound_call(p.bound) == 8);
        SEE(weft_thread_create(&thread, NULL, sees_a_in_thread, NULL) == 0);
        SEE(pthread_join(thread, &value) == 0 && value == V(40));
        weft_var_fini(&own);
        SEE(weft_strerror(-EOWNERDEAD) && weft_err_name(-EOWNERDEAD) && weft_version());
}

static void calls_seeing(void)
{
        FILE *null = fopen("/dev/null", "w");
        SEE(null && (weft_dump(null) == 0 || IN_EMULATOR));
        SEE(weft_dump_on_signal(SIGUSR2, fileno(null)) == 0 && weft_dump_on_signal(0, -1) == 0);
        SEE(weft_stats_write(null, WEFT_STATS_JSON) == 0);
        SEE(weft_watch_begin(1000 * MS, NULL, NULL) == 0 && weft_watch_end() == 0);
        fclose(null);
}

static int put_header(void *arg, const char *name, const char *value)
{
        (void)name;
        (void)value;
        ++*(int *)arg;
        return 0;
}

static const char *find_header(void *arg, const char *name, size_t index, size_t *ret_length)
{
        (void)name;
        (void)index;
        *ret_length = 0;
        return arg;
}

static int encode_own(const void *value, char *ret_text, size_t size)
{
        (void)value;
        return snprintf(ret_text, size, "own");
}

static int decode_own(const char *text, size_t length, void *so_far, void **ret_value)
{
        (void)length;
        (void)so_far;
        *ret_value = (void *)text;
        return 0;
}

static int sees_member(const weft_baggage_member *member, void *arg)
{
        (void)arg;
        return member->value[0];
}

static void calls_traces(void)
{
        weft_traceparent ids;
        weft_trace *trace, *other;
        char text[WEFT_TRACESTATE_LENGTH + 1];
        SEE(weft_trace_child(&trace, NULL) == 0);
        SEE(weft_traceparent_format(weft_trace_parent(trace), text) == 55);
        SEE(weft_traceparent_parse(&ids, text, 55) == 0);
        SEE(weft_tracestate_parse("a=1", 3, text) == 3);
        SEE(weft_trace_create(&other, &ids, text) == 0 && weft_trace_state(other)[0] == 'a');
        SEE(weft_trace_ref(trace) == trace && weft_trace_unref(trace) == NULL);
        weft_trace_unref(other);
        SEE(weft_trace_with_state(&other, trace, "b", "2") == 0);
        SEE(weft_set(weft_trace_var(), other, NULL) == 0);
        weft_trace_unref(other);
        weft_trace_unref(trace);
}

static void calls_baggage(void)
{
        weft_baggage *baggage, *more;
        weft_baggage_member member;
        char text[16];
        SEE(weft_baggage_set("c", "3", NULL, NULL) == 0 && weft_baggage_get("c")[0] == '3');
        SEE(weft_get(weft_baggage_var()) != NULL);
        SEE(weft_baggage_parse("d=4", 3, &baggage) == 0);
        SEE(weft_baggage_with(baggage, "e", "5", NULL, &more) == 0);
        SEE(weft_baggage_lookup(more, "e", &member) == 0);
        SEE(weft_baggage_foreach(more, sees_member, NULL) == '4');
        SEE(weft_baggage_format(more, text, sizeof(text)) == 7);
        SEE(weft_baggage_ref(more) == more && weft_baggage_unref(more) == NULL);
        weft_baggage_unref(more);
        weft_baggage_unref(baggage);
}

static void carries_contexts(void)
{
        static weft_codec own = {
            .var = &a, .name = "own", .encode = encode_own, .decode = decode_own};
        weft_context *here, *came;
        char bytes[512];
        char **environment;
        int n = 0;
        calls_traces();
        calls_baggage();
        SEE(weft_codec_register(&own) == 0);
        here = weft_context_capture();
        SEE(weft_context_inject(here, put_header, &n) == 4 && n == 4);
        SEE(weft_context_extract(here, find_header, NULL, &came) == 0 && came == here);
        weft_context_unref(came);
        SEE(weft_context_environ(here, NULL, &environment) == 4);
        SEE(weft_context_from_environ(NULL, environment, &came) == 4);
        weft_context_unref(came);
        SEE(weft_environ_free(environment) == NULL);
        n = weft_context_to_bytes(here, bytes, sizeof(bytes));
        SEE(n > 0 && weft_context_from_bytes(NULL, bytes, (size_t)n, &came) == 4);
        weft_context_unref(came);
        weft_context_unref(here);
}

static void submits_to(weft_pool *pool)
{
        weft_task *t = NULL;
        char args[64] = "";
        SEE(weft_submit(pool, strays, NULL) == -EOWNERDEAD);
        SEE(weft_submit_copy(pool, strays, args, 64) == -EOWNERDEAD);
        SEE(weft_submit_closure(pool, strays, args, 64, drop) == -EOWNERDEAD);
        SEE(weft_spawn(pool, &t, strays, NULL) == -EOWNERDEAD && !t);
        SEE(weft_spawn_closure(pool, &t, strays, args, 64, drop) == -EOWNERDEAD && !t);
        SEE(weft_spawn_at(pool, &t, 0, 0, strays, NULL) == -EOWNERDEAD && !t);
        SEE(weft_spawn_every(pool, &t, 0, MS, 0, strays, NULL) == -EOWNERDEAD && !t);
}

static int no_body(size_t from, size_t to, void *arg)
{
        (void)from;
        (void)to;
        (void)arg;
        note_stray();
        return 0;
}

static int adds(size_t from, size_t to, void *partial, void *arg)
{
        (void)arg;
        for (; from < to; from++)
                *(long *)partial += (long)from;
        return 0;
}

static void combines(void *left, const void *right, void *arg)
{
        (void)arg;
        *(long *)left += *(const long *)right;
}

static void calls_records(void)
{
        weft_record *record = NULL;
        SEE(weft_record_start(p.idle, &record, NULL) == -EOWNERDEAD && !record);
        SEE(weft_record_stop(p.record) == -EOWNERDEAD);
        SEE(weft_record_write(p.record, stderr, WEFT_RECORD_JSON) == -EINPROGRESS);
        SEE(weft_record_dropped(p.record) == 0);
        SEE(weft_record_destroy(p.record) == NULL);
}

static void calls_dead_pools(void)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        weft_pool *pools[] = {p.pool, p.idle, p.bounded};
        weft_group g;
        long sum = 0;
        int result = 0;
        for (int i = 0; i < 3; i++) {
                submits_to(pools[i]);
                SEE(weft_pool_workers(pools[i]) == workers_of(pools[i] == p.bounded ? 1 : 2));
                SEE(weft_pool_stats(pools[i], &stats) == 0);
                SEE(weft_pool_shutdown(pools[i], WEFT_DRAIN, WEFT_FOREVER) == -EOWNERDEAD);
                SEE(weft_pool_shutdown(pools[i], WEFT_CANCEL, 0) == -EOWNERDEAD);
                SEE(weft_parallel_for(pools[i], 0, 9, 1, no_body, NULL) == -EOWNERDEAD);
                SEE(weft_parallel_reduce(pools[i], 0, 9, 1, adds, combines, &sum, sizeof(sum),
                                         NULL) == -EOWNERDEAD);
        }
        weft_task *tasks[] = {p.holder, p.queued, p.timed, p.periodic};
        for (int i = 0; i < 4; i++) {
                SEE(weft_await(tasks[i], WEFT_FOREVER) == -EOWNERDEAD);
                SEE(weft_await(tasks[i], 0) == -EOWNERDEAD);
                SEE(weft_task_result(tasks[i], &result) == -EINPROGRESS);
                SEE(weft_task_cancel(tasks[i]) == -EOWNERDEAD);
                SEE(weft_task_on_done(tasks[i], strays, NULL) == -EOWNERDEAD);
                SEE(weft_task_ref(tasks[i]) == tasks[i]);
                SEE(weft_task_unref(tasks[i]) == NULL);
        }
        SEE(weft_await(p.ended, WEFT_FOREVER) == 42);
        SEE(weft_task_result(p.ended, &result) == 0 && result == 42);
        SEE(weft_group_spawn(&p.group, strays, NULL) == -EOWNERDEAD);
        SEE(weft_group_spawn_into(&p.group, &result, strays, NULL) == -EOWNERDEAD);
        SEE(weft_group_spawn_closure(&p.group, strays, "x", 1, drop) == -EOWNERDEAD);
        SEE(weft_group_wait(&p.group, WEFT_FOREVER) == -EOWNERDEAD);
        SEE(weft_group_cancel(&p.group) == -EOWNERDEAD);
        weft_group_fini(&p.group);
        SEE(weft_group_init_until(&g, p.pool, WEFT_FIRST_DONE) == 0);
        SEE(weft_group_spawn(&g, strays, NULL) == -EOWNERDEAD);
        weft_group_fini(&g);
        calls_records();
}

static int locks_often(void *count)
{
        for (int i = 0; i < 50; i++) {
                SEE(weft_mutex_lock(&p.hammered, WEFT_FOREVER) == 0);
                ++*(int *)count;
                if (i % 10 == 0)
                        SEE(weft_yield() == 0);
                SEE(weft_mutex_unlock(&p.hammered) == 0);
        }
        return 0;
}

static void calls_objects(void)
{
        weft_channel *channel;
        weft_group g;
        int item = 0, count = 0, r;
        SEE(weft_mutex_trylock(&p.held) == -EOWNERDEAD);
        SEE(weft_mutex_lock(&p.held, WEFT_FOREVER) == -EOWNERDEAD);
        SEE(weft_mutex_unlock(&p.held) == 0);
        SEE(weft_mutex_unlock(&p.held) == -EPERM);
        SEE(weft_mutex_lock(&p.held, WEFT_FOREVER) == 0);
        SEE(weft_mutex_lock(&p.held, in_ms(1)) == -ETIMEDOUT);
        SEE(weft_mutex_unlock(&p.held) == 0);
        r = weft_mutex_lock(&p.hammered, WEFT_FOREVER);
        SEE(r == 0 || r == -EOWNERDEAD);
        weft_mutex_init(&p.hammered);
        SEE(weft_group_init(&g, NULL) == 0);
        for (int i = 0; i < 4; i++)
                SEE(weft_group_spawn(&g, locks_often, &count) == 0);
        SEE(weft_group_wait(&g, WEFT_FOREVER) == 0 && count == 200);
        weft_group_fini(&g);

        SEE(weft_semaphore_wait(&p.semaphore, in_ms(1)) == -ETIMEDOUT);
        SEE(weft_semaphore_post(&p.semaphore) == 0); /* those who waited are not here */
        SEE(weft_semaphore_wait(&p.semaphore, WEFT_FOREVER) == 0);
        weft_semaphore_init(&p.semaphore, 1);
        SEE(weft_semaphore_wait(&p.semaphore, 0) == 0);

        SEE(weft_event_wait(&p.event, in_ms(1)) == -ETIMEDOUT);
        SEE(weft_event_set(&p.event) == 0 && weft_event_wait(&p.event, WEFT_FOREVER) == 0);
        SEE(weft_event_reset(&p.event) == 0 && weft_event_wait(&p.event, 0) == -ETIMEDOUT);
        weft_event_init(&p.event);

        SEE(weft_channel_send(p.channel, &item, WEFT_FOREVER) == -EOWNERDEAD);
        SEE(weft_channel_receive(p.channel, &item, WEFT_FOREVER) == -EOWNERDEAD);
        SEE(weft_channel_close(p.channel) == -EOWNERDEAD);
        SEE(weft_channel_destroy(p.channel) == NULL);
        SEE(weft_channel_destroy(p.hammered_channel) == NULL);
        SEE(weft_channel_create(&channel, sizeof(item), 1) == 0);
        SEE(weft_channel_send(channel, &item, WEFT_FOREVER) == 0);
        SEE(weft_channel_receive(channel, &item, WEFT_FOREVER) == 0);
        SEE(weft_channel_close(channel) == 0 && weft_channel_destroy(channel) == NULL);
}

static void calls_waits(void)
{
        weft_job job;
        int fd = eventfd(1, EFD_CLOEXEC);
        SEE(weft_pool_current() == NULL && weft_task_current() == NULL);
        SEE(weft_now() > 0 && weft_yield() == 0 && weft_cancelled() == 0);
        SEE(weft_deadline() == WEFT_FOREVER);
        SEE(weft_sleep_until(in_ms(1)) == 0);
        SEE(weft_wait_fd(fd, POLLIN, WEFT_FOREVER) == POLLIN);
        SEE(weft_wait_fd(p.fd, POLLIN, in_ms(1)) == -ETIMEDOUT);
        SEE(weft_close(fd) == 0);
        SEE(weft_close(fd) == -EBADF);
        SEE(weft_blocking(sees_a, V(3)) == 43);
        WEFT_DEADLINE (in_ms(1)) {
                SEE(weft_sleep_until(in_ms(20000)) == -ETIMEDOUT);
                WEFT_SHIELD {
                        SEE(weft_cancelled() == 0);
                }
        }
        weft_fork(&job, sees_a, V(4));
        SEE(weft_join(&job) == 44);
}

/* Parks, waits for a descriptor, and blocks, on a pool of the child's own. */
static int does_all(void *fd)
{
        SEE(weft_sleep_until(in_ms(1)) == 0);
        SEE(weft_wait_fd(N(fd), POLLIN, WEFT_FOREVER) == POLLIN);
        SEE(weft_wait_fd(p.fd, POLLIN, in_ms(1)) == -ETIMEDOUT);
        SEE(weft_blocking(sees_a, V(3)) == 43);
        return N(weft_get(&a));
}

static int releases_nothing(void *arg)
{
        return N(arg);
}

static void uses(weft_pool *pool)
{
        weft_task *t, *timed;
        long sum = 0;
        int fd = eventfd(1, EFD_CLOEXEC);
        SEE(weft_spawn(pool, &t, does_all, V(fd)) == 0);
        SEE(weft_await(t, WEFT_FOREVER) == 40);
        SEE(weft_task_on_done(t, releases_nothing, NULL) == 0);
        SEE(weft_spawn_at(pool, &timed, in_ms(1), WEFT_INHERIT, sees_a, V(5)) == 0);
        SEE(weft_await(timed, WEFT_FOREVER) == 45);
        SEE(weft_parallel_reduce(pool, 0, 1000, 1, adds, combines, &sum, sizeof(sum), NULL) == 0);
        SEE(sum == 499500);
        weft_task_unref(t);
        weft_task_unref(timed);
        close(fd);
}

static void calls_everything(bool destroys)
{
        weft_pool *own;
        signal(SIGALRM, on_alarm);
        alarm(SLOW_BUILD ? 100 : 20);
        calls_contexts();
        carries_contexts();
        calls_seeing();
        calls_waits();
        calls_dead_pools();
        calls_objects();
        SEE(weft_task_on_done(p.ended, releases_nothing, NULL) == 0);
        SEE(weft_pool_create(&own, &(weft_pool_options){.workers = 2}) == 0);
        uses(own);
        SEE(weft_pool_default() != NULL);
        uses(NULL);
        SEE(weft_pool_shutdown(own, WEFT_DRAIN, WEFT_FOREVER) == 0);
        SEE(weft_pool_destroy(own) == NULL);
        if (destroys) {
                SEE(weft_pool_destroy(p.pool) == NULL);
                SEE(weft_pool_destroy(p.idle) == NULL);
                SEE(weft_pool_destroy(p.bounded) == NULL);
                SEE(weft_group_spawn(&p.group, strays, NULL) == -EOWNERDEAD);
        }
}

static void note_handler(void)
{
        atomic_fetch_add(&shared->handlers, 1);
}

#endif
