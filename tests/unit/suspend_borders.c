/* SPDX-License-Identifier: MIT
 *
 * Waits at the borders of the thread and the process: signals that interrupt a thread while it
 * waits, or a task while it is switched; threads that are cancelled in a wait; fork() while tasks
 * are parked. The waits are those of wait_kinds.h.
 */
#include "wait_kinds.h"

#include <sys/time.h>

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static weft_var var = WEFT_VAR_INIT("var");

/* Those for which a thread outside pools waits. */
static bool for_threads(const struct kind *kind)
{
        return kind->bring && (kind->timed || kind->unstoppable) && kind->make != make_nothing;
}

static struct scene scene_of(const struct kind *kind, weft_pool *other)
{
        struct scene s = {.kind = kind, .other = other, .fd = -1};
        sem_init(&s.hold, 0, 0);
        sem_init(&s.held, 0, 0);
        return s;
}

struct waiting {
        struct scene scene;
        int64_t deadline;
        atomic_bool begun, ended;
        bool kept_errno;
        void *bound;
        sem_t cancelled;
        sem_t left; /* the block was left */
};

/* ---- signals ---- */

static atomic_int interrupts;

static void on_signal(int signal)
{
        (void)signal;
        atomic_fetch_add(&interrupts, 1);
}

static void *wait_with_signals(void *arg)
{
        struct waiting *w = arg;
        struct scene *s = &w->scene;
        s->deadline = w->deadline;
        atomic_store(&w->begun, true);
        errno = EDOM;
        s->result = s->kind->wait(s, w->deadline);
        w->kept_errno = errno == EDOM;
        atomic_store(&w->ended, true);
        return NULL;
}

static void interrupt_a_wait(const struct kind *kind, weft_pool *other, bool timed)
{
        struct waiting w = {.scene = scene_of(kind, other)};
        struct scene *s = &w.scene;
        pthread_t thread;
        kind->make(s);
        w.deadline = timed ? in_ms(30) : in_ms(60000);
        atomic_store(&interrupts, 0);
        cr_assert_eq(pthread_create(&thread, NULL, wait_with_signals, &w), 0);
        while (!atomic_load(&w.begun))
                sched_yield();
        for (int sent = 0; timed ? !atomic_load(&w.ended) : sent < 50; sent++) {
                int before = atomic_load(&interrupts);
                cr_assert_eq(pthread_kill(thread, SIGUSR1), 0);
                /* Not for long: ThreadSanitizer calls the handler after the wait. */
                for (int64_t end = in_ms(2); atomic_load(&interrupts) == before &&
                                             !atomic_load(&w.ended) && weft_now() < end;)
                        sched_yield();
        }
        if (!timed) {
                cr_assert(!atomic_load(&w.ended), "%s: ended by a signal with %d", kind->name,
                          s->result);
                kind->bring(s);
                atomic_store(&s->finished, true);
        }
        cr_assert_eq(pthread_join(thread, NULL), 0);
        cr_assert_eq(s->result, timed ? kind->late : kind->done, "%s: %d", kind->name, s->result);
        cr_assert(!timed || weft_now() >= w.deadline);
        cr_assert(w.kept_errno, "%s", kind->name);
        kind->look(s);
        assert_checks();
}

Test(suspend_signals, B11_no_wait_of_a_thread_is_ended_by_them, .timeout = 60)
{
        weft_pool *other = begin(1);
        struct sigaction sa = {.sa_handler = on_signal}; /* without SA_RESTART */
        sigaction(SIGUSR1, &sa, NULL);
        for (size_t i = 0; i < KINDS; i++) {
                if (!for_threads(&kinds[i]))
                        continue;
                interrupt_a_wait(&kinds[i], other, false);
                if (kinds[i].timed)
                        interrupt_a_wait(&kinds[i], other, true);
        }
        finish(other);
}

enum { TASKS = 20 };

static char mark[TASKS + 1]; /* the tasks' values point here */
static atomic_int looks, wrong, values_seen, seen[TASKS];

/* At any instant, in the middle of a switch as well, there is a context of somebody's. */
static void on_profile(int signal)
{
        (void)signal;
        char *value = weft_get(&var);
        atomic_fetch_add(&looks, 1);
        if (!value)
                return;
        if (value < mark || value >= mark + TASKS)
                atomic_store(&wrong, 1);
        else
                atomic_fetch_add(&seen[value - mark], 1);
        atomic_fetch_add(&values_seen, 1);
}

/* On a busy machine there is little processor time in a second, and few looks. */
static bool goes_on(int64_t end)
{
        return weft_now() < (atomic_load(&values_seen) > 0 ? end : end + 10000 * MS);
}

static int waits_until(void *number)
{
        int64_t end = in_ms(SLOW_BUILD ? 1500 : 600);
        char *value = mark + N(number);
        CHECK(weft_set(&var, value, NULL) == 0);
        for (int i = 0; goes_on(end); i++) {
                volatile double x = N(number), y = x / 3;
                CHECK((i % 50 ? weft_yield() : weft_sleep_until(weft_now() + 20000)) == 0);
                CHECK(weft_get(&var) == value);
                CHECK(x / 3 == y);
        }
        return 0;
}

static void profile(unsigned flags)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 2, .flags = flags};
        weft_pool *pool;
        struct sigaction sa = {.sa_handler = on_profile, .sa_flags = SA_RESTART};
        struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
        int tasks_seen = 0;
        skip_when_forced(delays); /* the time of a processor is what is measured */
        sigaction(SIGPROF, &sa, NULL);
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        cr_assert_eq(setitimer(ITIMER_PROF, &often, NULL), 0);
        for (int i = 0; i < TASKS; i++)
                cr_assert_eq(weft_submit(pool, waits_until, V(i)), 0);
        finish(pool);
        setitimer(ITIMER_PROF, &never, NULL);
        for (int i = 0; i < TASKS; i++)
                tasks_seen += atomic_load(&seen[i]) > 0;
        cr_assert(!atomic_load(&wrong));
        cr_assert_gt(atomic_load(&looks), 0);
        cr_assert_gt(tasks_seen, 0);
}

Test(suspend_signals, B12_a_profiler_sees_a_context_at_every_instant, .timeout = 60)
{
        profile(0);
}

Test(suspend_signals, a_profiler_sees_a_context_while_tasks_migrate, .timeout = 60)
{
        profile(WEFT_MIGRATE);
}

/* ---- threads that are cancelled ---- */

static void note_left(void *arg)
{
        struct waiting *w = arg;
        w->bound = weft_get(&var);
        sem_post(&w->left);
}

/* Waits, and is cancelled meanwhile. */
static void *wait_and_be_cancelled(void *arg)
{
        struct waiting *w = arg;
        struct scene *s = &w->scene;
        s->result = 1234;
        pthread_cleanup_push(note_left, w);
        WEFT_WITH (&var, V(9)) {
                atomic_store(&w->begun, true);
                int r = s->kind->wait(s, WEFT_FOREVER);
                s->result = r;
                pthread_testcancel();
        }
        cr_assert(atomic_load(&w->begun), "no memory to bind");
        pthread_cleanup_pop(0);
        return NULL;
}

static void cancel_in_a_wait(const struct kind *kind, weft_pool *other)
{
        struct waiting w = {.scene = scene_of(kind, other)};
        struct scene *s = &w.scene;
        bool at_once = kind->make == make_fd; /* the one that is a point of cancellation */
        pthread_t thread;
        void *end;
        sem_init(&w.left, 0, 0);
        kind->make(s);
        cr_assert_eq(pthread_create(&thread, NULL, wait_and_be_cancelled, &w), 0);
        while (!atomic_load(&w.begun))
                sched_yield();
        usleep(1000); /* likely enough it waits by now; it makes no difference to the outcome */
        cr_assert_eq(pthread_cancel(thread), 0);
        if (!at_once) {
                usleep(1000);
                cr_assert_neq(sem_trywait(&w.left), 0, "%s: left early", kind->name);
                kind->bring(s);
                atomic_store(&s->finished, true);
        }
        cr_assert_eq(pthread_join(thread, &end), 0);
        cr_assert_eq(end, PTHREAD_CANCELED, "%s", kind->name);
        cr_assert_eq(s->result, at_once ? 1234 : kind->done, "%s: %d", kind->name, s->result);
        cr_assert_eq(sem_trywait(&w.left), 0);
        cr_assert_null(w.bound, "%s: the block was not left", kind->name);
        kind->look(s);
        assert_checks();
}

Test(suspend_borders, B23_a_thread_that_is_cancelled_ends_its_wait_first, .timeout = 60)
{
        weft_pool *other = begin(1);
        for (size_t i = 0; i < KINDS; i++)
                if (for_threads(&kinds[i]))
                        cancel_in_a_wait(&kinds[i], other);
        finish(other);
}

struct ends_pool {
        weft_pool *pool;
        sem_t stops, go;
};

static void hold_the_end(unsigned worker, void *arg)
{
        struct ends_pool *e = arg;
        (void)worker;
        if (!e->pool)
                return; /* it could not be made whole */
        sem_post(&e->stops);
        plug__wait(&e->go);
}

static void *end_pool(void *arg)
{
        struct ends_pool *e = arg;
        cr_assert_eq(weft_pool_shutdown(e->pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        pthread_testcancel();
        return NULL;
}

/* The one that joins the workers must not leave the others waiting for it. */
Test(suspend_borders, B23_a_pool_ends_though_the_thread_that_ends_it_is_cancelled, .timeout = 60)
{
        struct ends_pool e = {.pool = NULL};
        weft_pool_options o = {
            .size = sizeof(o), .workers = 2, .on_stop = hold_the_end, .hook_arg = &e};
        pthread_t thread;
        void *end;
        sem_init(&e.stops, 0, 0);
        sem_init(&e.go, 0, 0);
        cr_assert_eq(weft_pool_create(&e.pool, &o), 0);
        cr_assert_eq(pthread_create(&thread, NULL, end_pool, &e), 0);
        plug__wait(&e.stops);
        cr_assert_eq(pthread_cancel(thread), 0);
        for (unsigned i = 0; i < workers_of(2); i++)
                sem_post(&e.go);
        cr_assert_eq(pthread_join(thread, &end), 0);
        cr_assert_eq(end, PTHREAD_CANCELED);
        cr_assert_eq(weft_pool_shutdown(e.pool, WEFT_DRAIN, in_ms(20000)), 0);
        cr_assert_null(weft_pool_destroy(e.pool));
}

struct closes {
        int fd;
        weft_pool *pool;
        int closed, created;
};

static void *close_while_cancelled(void *arg)
{
        struct closes *c = arg;
        pthread_cancel(pthread_self());
        c->closed = weft_close(c->fd);
        c->created = weft_pool_create(&c->pool, NULL);
        pthread_testcancel();
        return NULL;
}

static int waits_for_fd(void *fd)
{
        return weft_wait_fd(N(fd), POLLIN, WEFT_FOREVER);
}

Test(suspend_borders, B23_weft_close_and_pool_create_are_no_points_of_cancellation, .timeout = 60)
{
        weft_pool *pool = begin(1);
        struct closes c = {.fd = eventfd(0, EFD_CLOEXEC), .closed = 1, .created = 1};
        int other = eventfd(0, EFD_CLOEXEC);
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        pthread_t thread;
        void *end;
        weft_task *task = spawn(pool, waits_for_fd, V(c.fd));
        int r;
        do {
                sched_yield();
                cr_assert_eq(weft_pool_stats(pool, &stats), 0);
                cr_assert_eq(weft_task_result(task, &r), -EINPROGRESS);
        } while (!stats.parked);
        cr_assert_eq(pthread_create(&thread, NULL, close_while_cancelled, &c), 0);
        cr_assert_eq(pthread_join(thread, &end), 0);
        cr_assert_eq(end, PTHREAD_CANCELED);
        cr_assert_eq(c.closed, 0);
        cr_assert_eq(c.created, 0);
        cr_assert_eq(weft_await(task, in_ms(20000)), -EBADF);
        weft_task_unref(task);

        task = spawn(pool, waits_for_fd, V(other));
        cr_assert_eq(eventfd_write(other, 1), 0);
        cr_assert_eq(weft_await(task, in_ms(20000)), POLLIN);
        weft_task_unref(task);
        close(other);
        finish(c.pool);
        finish(pool);
}

/* ---- fork ---- */

enum { PARKED = 5 };

static struct {
        weft_pool *pool;
        weft_task *task[PARKED];
        weft_event event;
        weft_mutex mutex;
        weft_channel *channel;
        int fd;
        bool by_task;
        int child;
} forks;

static int parks(void *how)
{
        int item, r;
        CHECK(weft_set(&var, V(N(how) + 50), NULL) == 0);
        switch (N(how)) {
        case 0: /* with the mutex held */
                CHECK(weft_mutex_lock(&forks.mutex, WEFT_FOREVER) == 0);
                r = weft_event_wait(&forks.event, WEFT_FOREVER);
                CHECK(weft_mutex_unlock(&forks.mutex) == 0);
                break;
        case 1:
                r = weft_mutex_lock(&forks.mutex, WEFT_FOREVER);
                CHECK(weft_mutex_unlock(&forks.mutex) == 0);
                break;
        case 2:
                r = weft_channel_receive(forks.channel, &item, in_ms(1000000));
                break;
        case 3:
                r = weft_wait_fd(forks.fd, POLLIN, WEFT_FOREVER) == POLLIN ? 0 : -EIO;
                break;
        default:
                r = weft_await(forks.task[0], WEFT_FOREVER);
        }
        CHECK(weft_get(&var) == V(N(how) + 50));
        return r;
}

static int sleeps_and_gives(void *number)
{
        return weft_sleep_until(in_ms(1)) == 0 ? N(number) : -EIO;
}

static int in_the_child(void *unused)
{
        weft_pool *own;
        weft_task *t;
        (void)unused;
        for (int i = 0; i < PARKED; i++) {
                CHILD_CHECK(weft_await(forks.task[i], WEFT_FOREVER) == -EOWNERDEAD);
                CHILD_CHECK(weft_task_cancel(forks.task[i]) == -EOWNERDEAD);
        }
        CHILD_CHECK(weft_mutex_trylock(&forks.mutex) == -EOWNERDEAD);
        CHILD_CHECK(weft_pool_create(&own, &(weft_pool_options){.workers = 2}) == 0);
        CHILD_CHECK(weft_spawn(own, &t, sleeps_and_gives, V(4)) == 0);
        CHILD_CHECK(weft_await(t, in_ms(20000)) == 4);
        weft_task_unref(t);
        weft_pool_destroy(own);
        if (!forks.by_task) /* else it is the stack that we run on */
                CHILD_CHECK(weft_pool_destroy(forks.pool) == NULL);
        return 0;
}

static int forks_in_task(void *unused)
{
        (void)unused;
        forks.child = in_child(in_the_child, NULL);
        return weft_sleep_until(in_ms(1));
}

static void fork_beside_parked_tasks(bool by_task)
{
        int item = 1;
        memset(&forks, 0, sizeof(forks));
        forks.by_task = by_task;
        forks.pool = begin(1);
        forks.fd = eventfd(0, EFD_CLOEXEC);
        cr_assert_eq(weft_channel_create(&forks.channel, sizeof(item), 1), 0);
        for (int i = 0; i < PARKED; i++) {
                forks.task[i] = spawn(forks.pool, parks, V(i));
                until_parked(forks.pool, (unsigned)i + 1);
        }
        /* Until the worker sleeps: a sanitizer does not take its own locks before a fork, and the
         * child would wait for what the worker held of them. */
        usleep(50000);
        if (by_task)
                cr_assert_eq(join(spawn(forks.pool, forks_in_task, NULL)), 0);
        else
                forks.child = in_child(in_the_child, NULL);
        cr_assert_eq(forks.child, 0);

        cr_assert_eq(weft_event_set(&forks.event), 0);
        cr_assert_eq(weft_channel_send(forks.channel, &item, WEFT_FOREVER), 0);
        cr_assert_eq(eventfd_write(forks.fd, 1), 0);
        for (int i = 0; i < PARKED; i++)
                cr_assert_eq(weft_await(forks.task[i], WEFT_FOREVER), 0);
        for (int i = 0; i < PARKED; i++)
                weft_task_unref(forks.task[i]);
        weft_channel_destroy(forks.channel);
        close(forks.fd);
        finish(forks.pool);
}

Test(suspend_borders, C9_fork_beside_tasks_that_are_parked, .timeout = 60)
{
        skip_threads_after_fork_in_emulator();
        fork_beside_parked_tasks(false);
}

Test(suspend_borders, C9_fork_in_a_task_beside_others_that_are_parked, .timeout = 60)
{
        skip_threads_after_fork_in_emulator();
        fork_beside_parked_tasks(true);
}
