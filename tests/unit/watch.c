/* SPDX-License-Identifier: MIT
 *
 * The watchdog: what it says of a task that holds its worker, and when all tasks wait; and what it
 * does not take for either.
 */
#include "see_help.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "context/internal.h"

enum { LIMIT_MS = SLOW_BUILD ? 200 : 60 };

/* ---- reports ---- */

static struct {
        pthread_mutex_t lock;
        char text[1 << 16]; /* of all, one after the other */
        atomic_int held, waits;
} reports = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep_report(const char *report, void *arg)
{
        pthread_mutex_lock(&reports.lock);
        size_t n = strlen(reports.text);
        snprintf(reports.text + n, sizeof(reports.text) - n, "%s", report);
        pthread_mutex_unlock(&reports.lock);
        CHECK(arg == &reports);
        sigset_t blocked;
        CHECK(pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0);
        CHECK(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGSEGV));
        if (strstr(report, "has been held for"))
                atomic_fetch_add(&reports.held, 1);
        if (strstr(report, "all tasks wait"))
                atomic_fetch_add(&reports.waits, 1);
}

static void watch(void)
{
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, keep_report, &reports), 0);
}

static bool reported(const char *text)
{
        pthread_mutex_lock(&reports.lock);
        bool is = strstr(reports.text, text);
        pthread_mutex_unlock(&reports.lock);
        if (!is)
                dprintf(2, "not in: %s\n", reports.text);
        return is;
}

/* ---- what tasks do ---- */

static weft_event never;

static weft_event it_begins;

static int waits(void *unused)
{
        (void)unused;
        return weft_event_wait(&never, WEFT_FOREVER);
}

static int blocks(void *go)
{
        plug__wait(go);
        return 0;
}

/* Long enough for whatever there is to be found, twice. */
static void wait_long(void)
{
        usleep(4 * LIMIT_MS * 1000);
}

/* ---- a worker that is held ---- */

static int holds(void *arg)
{
        plug__wait(arg);
        CHECK(weft_sleep_until(in_ms(LIMIT_MS)) == 0); /* so long that it parks */
        plug__wait(arg);
        return 0;
}

Test(watch, names_the_task_that_holds_its_worker_once_each_time, .timeout = 120)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(2);
        weft_task *task = NULL;
        char name[64];
        sem_t go;

        sem_init(&go, 0, 0);
        WEFT_WITH (&user, "ada")
                task = spawn(pool, holds, &go);
        watch();
        cr_expect(reaches(&reports.held, 1));
        snprintf(name, sizeof(name), ", task %p\n", (void *)task);
        cr_expect(reported(name));
        cr_expect(reported("s at least by the task\n"));
        cr_expect(reported("{user=\"ada\"}"));
        wait_long();
        cr_expect_eq(atomic_load(&reports.held), 1);
        sem_post(&go);
        cr_expect(reaches(&reports.held, 2));
        sem_post(&go);
        join(task);
        wait_long();
        cr_expect_eq(atomic_load(&reports.held), 2);
        cr_expect_eq(weft_watch_end(), 0);
        finish(pool);
}

Test(watch, the_name_of_a_pool_makes_no_line, .timeout = 120)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        const weft_pool_options o = {.size = sizeof(o), .workers = 1, .name = "a\nweft: b"};
        weft_pool *pool;
        struct plug plug;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        plug_in(&plug, pool, 1);
        watch();
        cr_expect(reaches(&reports.held, 1));
        cr_expect(reported("weft: worker a\\x0aweft: b-"));
        cr_expect(!strstr(reports.text, "\nweft"));
        cr_expect_eq(weft_watch_end(), 0);
        plug_out(&plug);
        finish(pool);
}

/* Long enough that a machine which is busy has let a worker go on meanwhile. */
enum { LONG_LIMIT_MS = 800 };

static int works_in_parts(void *until)
{
        while (weft_now() < *(int64_t *)until)
                weft_yield();
        return 0;
}

static void compute(int64_t ns)
{
        for (int64_t end = weft_now() + ns; weft_now() < end;)
                ;
}

/* It yields often between two looks of the watchdog, even on a machine that is busy; but so seldom
 * that it has the worker for longer than the limit: only now and then does a yield to nobody go
 * through the loop. */
static int works_and_yields(void *until)
{
        while (weft_now() < *(int64_t *)until) {
                compute(LONG_LIMIT_MS * MS / 40);
                weft_yield();
        }
        return 0;
}

Test(watch, says_nothing_of_one_that_yields_though_nobody_else_is_there, .timeout = 120)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        int64_t until = in_ms(4 * LONG_LIMIT_MS);

        cr_assert_eq(weft_watch_begin(LONG_LIMIT_MS * MS, keep_report, &reports), 0);
        join(spawn(pool, works_and_yields, &until));
        cr_expect_eq(weft_watch_end(), 0);
        cr_expect_eq(atomic_load(&reports.held), 0, "%s", reports.text);
        finish(pool);
}

static int spins_a_little(void *unused)
{
        (void)unused;
        compute(MS);
        return 0;
}

static int submits_others(void *until)
{
        while (weft_now() < *(int64_t *)until)
                join(spawn(NULL, spins_a_little, NULL));
        return 0;
}

static int yields_and_holds(void *go)
{
        for (int i = 0; i < 30; i++) {
                compute(LIMIT_MS * MS / 16);
                weft_yield();
        }
        plug__wait(go);
        return 0;
}

/* So few yields that none goes through the loop, the last of them when it has been asked for. */
Test(watch, names_one_that_holds_its_worker_after_it_has_yielded, .timeout = 120)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        sem_t go;

        sem_init(&go, 0, 0);
        watch();
        weft_task *task = spawn(pool, yields_and_holds, &go);
        cr_expect(reaches(&reports.held, 1));
        sem_post(&go);
        join(task);
        cr_expect_eq(weft_watch_end(), 0);
        finish(pool);
}

Test(watch, says_nothing_of_workers_that_are_busy_with_one_task_after_another, .timeout = 120)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(2);
        int64_t until = in_ms(4 * LONG_LIMIT_MS);

        cr_assert_eq(weft_watch_begin(LONG_LIMIT_MS * MS, keep_report, &reports), 0);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_submit(pool, i ? submits_others : works_in_parts, &until), 0);
        while (weft_now() < until)
                usleep(1000);
        wait_long();
        cr_expect_eq(weft_watch_end(), 0);
        cr_expect_eq(atomic_load(&reports.held), 0, "%s", reports.text);
        cr_expect_eq(atomic_load(&reports.waits), 0);
        finish(pool);
}

/* A limit that is not over yet when it has looked several times. */
enum { FAR_LIMIT_MS = 20000, SEVERAL_LOOKS_MS = 1100 };

static bool looked_several_times(int64_t began)
{
        while (weft_now() < began + SEVERAL_LOOKS_MS * MS)
                usleep(1000);
        return weft_now() < began + FAR_LIMIT_MS * MS;
}

Test(watch, says_nothing_before_the_limit, .timeout = 120)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        int64_t began = weft_now();
        sem_t go;

        sem_init(&go, 0, 0);
        cr_assert_eq(weft_watch_begin(FAR_LIMIT_MS * MS, keep_report, &reports), 0);
        weft_task *task = spawn(pool, blocks, &go);
        if (looked_several_times(began))
                cr_expect_eq(atomic_load(&reports.held), 0, "%s", reports.text);
        sem_post(&go);
        join(task);
        weft_event_init(&never);
        task = spawn(pool, waits, NULL);
        began = weft_now();
        if (looked_several_times(began))
                cr_expect_eq(atomic_load(&reports.waits), 0, "%s", reports.text);
        weft_event_set(&never);
        join(task);
        cr_expect_eq(weft_watch_end(), 0);
        finish(pool);
}

/* ---- all tasks wait ---- */

static int waits_until(void *unused)
{
        (void)unused;
        return weft_event_wait(&never, in_ms(3600 * 1000));
}

static int sleeps(void *unused)
{
        (void)unused;
        return weft_sleep_until(in_ms(3600 * 1000));
}

static int waits_for_pipe(void *fd)
{
        return weft_wait_fd(*(int *)fd, POLLIN, WEFT_FOREVER);
}

static int calls(void *go)
{
        return weft_blocking(blocks, go);
}

Test(watch, suspects_a_deadlock_when_all_tasks_wait, .timeout = 120)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(2), *other = begin(1);
        char text[80];

        weft_event_init(&never);
        watch();
        for (int i = 0; i < 3; i++)
                cr_assert_eq(weft_submit(i ? pool : other, waits, V(0x700 + i)), 0);
        cr_expect(reaches(&reports.waits, 1));
        for (int i = 0; i < 3; i++) {
                snprintf(text, sizeof(text), "arg 0x70%d", i);
                cr_expect(reported(text));
        }
        cr_expect(reported("this is a deadlock"));
        wait_long();
        cr_expect_eq(atomic_load(&reports.waits), 1);
        weft_event_set(&never);
        weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER);
        weft_pool_shutdown(other, WEFT_DRAIN, WEFT_FOREVER);
        wait_long();
        cr_expect_eq(atomic_load(&reports.waits), 1);
        cr_expect_eq(weft_watch_end(), 0);
        finish(other);
        finish(pool);
}

Test(watch, shows_two_hundred_of_those_that_wait, .timeout = 120)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);

        weft_event_init(&never);
        for (int i = 0; i < 207; i++)
                cr_assert_eq(weft_submit(pool, waits, V(0x1000 + i)), 0);
        watch();
        cr_expect(reaches(&reports.waits, 1));
        cr_expect(reported("and 7 more\n"));
        cr_expect_eq(weft_watch_end(), 0);
        int shown = 0;
        for (const char *at = reports.text; (at = strstr(at, ", arg 0x1")); at++)
                shown++;
        cr_expect_eq(shown, 200);
        weft_event_set(&never);
        finish(pool);
}

static int long_text(void *value, char *text, size_t size)
{
        (void)value;
        memset(text, 'x', size - 1);
        text[size - 1] = '\0';
        return (int)size - 1;
}

static atomic_int length_of_report;

static void measure_report(const char *report, void *arg)
{
        (void)arg;
        atomic_store(&length_of_report, (int)strlen(report));
}

/* Of 200 tasks with some 2 KiB of values each. */
Test(watch, a_report_is_cut_where_it_is_too_long, .timeout = 120)
{
        enum { VARS = 8, MOST = 256 * 1024 };
        static weft_var many[VARS];
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);

        weft_event_init(&never);
        for (int i = 0; i < VARS; i++) {
                many[i] = (weft_var)WEFT_VAR_INIT("long", .format = long_text);
                cr_assert_eq(weft_set(&many[i], V(1), NULL), 0);
        }
        for (int i = 0; i < 200; i++)
                cr_assert_eq(weft_submit(pool, waits, NULL), 0);
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, measure_report, NULL), 0);
        while (atomic_load(&length_of_report) == 0)
                usleep(1000);
        cr_expect_eq(weft_watch_end(), 0);
        cr_expect_eq(atomic_load(&length_of_report), MOST - 1);
        weft_event_set(&never);
        finish(pool);
}

/* No descriptor is left when it would look. */
Test(watch, tells_later_of_a_deadlock_that_could_not_be_looked_at, .timeout = 60)
{
        skip_copies_in_emulator();
        struct rlimit before, none;
        weft_pool *pool = begin(1);

        weft_event_init(&never);
        cr_assert_eq(weft_submit(pool, waits, NULL), 0);
        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = 0;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        watch();
        wait_long();
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        cr_expect(reaches(&reports.waits, 1));
        cr_expect_eq(weft_watch_end(), 0);
        weft_event_set(&never);
        finish(pool);
}

/* Nor any memory for the copy. */
Test(watch, tells_later_of_what_a_copy_had_no_memory_to_look_at, .timeout = 60)
{
        skip_copies_in_emulator();
        if (SLOW_BUILD)
                cr_skip_test("it has addresses in reserve, or needs more in a copy");
        weft_pool *pool = begin(1);

        weft_event_init(&never);
        watch();
        wait_long(); /* until its thread has got what it needs */
        cr_assert_eq(weft_submit(pool, waits, NULL), 0);
        usleep(LIMIT_MS * 1000 / 3);
        struct rlimit before = take_addresses();
        int told = atomic_load(&reports.waits); /* 1 if all of this took long */
        wait_long();
        int told_without = atomic_load(&reports.waits);
        cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
        cr_expect_eq(told_without, told);
        cr_expect(reaches(&reports.waits, 1));
        cr_expect_eq(weft_watch_end(), 0);
        weft_event_set(&never);
        finish(pool);
}

/* One test a way: beside tasks that wait for ever, one that something of weft's will wake. */
static void expect_silence(weft_fn *one, void *arg)
{
        weft_pool *pool = begin(2);
        weft_event_init(&never);
        cr_assert_eq(weft_submit(pool, waits, NULL), 0);
        weft_task *task = spawn(pool, one, arg);
        watch();
        wait_long();
        wait_long();
        cr_expect_eq(weft_watch_end(), 0);
        cr_expect_eq(atomic_load(&reports.waits), 0, "%s", reports.text);
        weft_event_set(&never);
        if (one == calls)
                sem_post(arg);
        weft_task_cancel(task);
        join(task);
        finish(pool);
}

Test(watch, suspects_none_while_one_has_a_deadline, .timeout = 60)
{
        skip_copies_in_emulator();
        expect_silence(waits_until, NULL);
}

Test(watch, suspects_none_while_one_sleeps, .timeout = 60)
{
        skip_copies_in_emulator();
        expect_silence(sleeps, NULL);
}

static int sleeps_for_ever(void *unused)
{
        (void)unused;
        return weft_sleep_until(WEFT_FOREVER);
}

Test(watch, suspects_none_while_one_means_to_sleep_for_ever, .timeout = 60)
{
        skip_copies_in_emulator();
        expect_silence(sleeps_for_ever, NULL);
}

Test(watch, suspects_none_while_one_waits_for_a_descriptor, .timeout = 60)
{
        int ends[2];
        skip_copies_in_emulator();
        cr_assert_eq(pipe(ends), 0);
        expect_silence(waits_for_pipe, &ends[0]);
}

Test(watch, suspects_none_while_one_is_in_a_blocking_call, .timeout = 60)
{
        sem_t go;
        skip_copies_in_emulator();
        sem_init(&go, 0, 0);
        expect_silence(calls, &go);
}

Test(watch, suspects_none_while_a_task_has_a_time, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        weft_task *timed;
        weft_event_init(&never);
        cr_assert_eq(weft_submit(pool, waits, NULL), 0);
        cr_assert_eq(weft_spawn_at(pool, &timed, in_ms(3600 * 1000), 0, nothing, NULL), 0);
        watch();
        wait_long();
        wait_long();
        cr_expect_eq(weft_watch_end(), 0);
        cr_expect_eq(atomic_load(&reports.waits), 0, "%s", reports.text);
        weft_task_cancel(timed);
        weft_task_unref(timed);
        weft_event_set(&never);
        finish(pool);
}

static weft_task *_Atomic pair[2];

static int awaits_other(void *which)
{
        weft_event_wait(&never, WEFT_FOREVER);
        return weft_await(atomic_load(&pair[!N(which)]), WEFT_FOREVER);
}

Test(watch, knows_a_circle_of_tasks_that_await_each_other, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(2);
        weft_event_init(&never);
        for (int i = 0; i < 2; i++)
                atomic_store(&pair[i], spawn(pool, awaits_other, V(i)));
        weft_event_set(&never);
        watch();
        cr_expect(reaches(&reports.waits, 1));
        cr_expect(reported("In a circle, which nothing but a cancellation can end: #"));
        cr_expect_eq(weft_watch_end(), 0);
        weft_task_cancel(atomic_load(&pair[0]));
        for (int i = 0; i < 2; i++)
                weft_await(atomic_load(&pair[i]), WEFT_FOREVER);
        for (int i = 0; i < 2; i++)
                weft_task_unref(atomic_load(&pair[i]));
        finish(pool);
}

static weft_task *_Atomic chain[5]; /* each awaits the next; the second one of them is the last's */

static int awaits_next(void *which)
{
        weft_event_wait(&it_begins, WEFT_FOREVER);
        return weft_await(atomic_load(&chain[N(which) == 4 ? 2 : N(which) + 1]), WEFT_FOREVER);
}

static int number_of(const char *text)
{
        int n = 0;
        pthread_mutex_lock(&reports.lock);
        for (const char *at = reports.text; (at = strstr(at, text)); at++)
                n++;
        pthread_mutex_unlock(&reports.lock);
        return n;
}

Test(watch, tells_a_circle_from_a_chain_that_leads_into_it, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(2);
        weft_event_init(&it_begins);
        for (int i = 0; i < 5; i++)
                atomic_store(&chain[i], spawn(pool, awaits_next, V(i)));
        weft_event_set(&it_begins);
        watch();
        cr_expect(reaches(&reports.waits, 1));
        cr_expect_eq(number_of("In a circle"), 1, "%s", reports.text);
        cr_expect_eq(number_of(" awaits #"), 3, "%s", reports.text);
        cr_expect_eq(weft_watch_end(), 0);
        weft_task_cancel(atomic_load(&chain[3]));
        for (int i = 0; i < 5; i++)
                weft_await(atomic_load(&chain[i]), WEFT_FOREVER);
        for (int i = 0; i < 5; i++)
                weft_task_unref(atomic_load(&chain[i]));
        finish(pool);
}

static int awaits(void *task)
{
        return weft_await(task, WEFT_FOREVER);
}

Test(watch, knows_no_circle_where_tasks_await_one_that_waits_for_something_else, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(2);
        weft_task *task[4];
        weft_event_init(&never);
        task[0] = spawn(pool, waits, NULL);
        for (int i = 1; i < 4; i++)
                task[i] = spawn(pool, awaits, task[i / 2]);
        watch();
        cr_expect(reaches(&reports.waits, 1));
        cr_expect_eq(number_of("In a circle"), 0, "%s", reports.text);
        cr_expect_eq(weft_watch_end(), 0);
        weft_event_set(&never);
        for (int i = 4; i--;)
                join(task[i]);
        finish(pool);
}

/* ---- on and off ---- */

static void ends_itself(const char *report, void *arg)
{
        (void)report;
        atomic_store((atomic_int *)arg, weft_watch_end() == -EDEADLK ? 1 : 2);
}

Test(watch, is_on_once_and_not_ended_by_its_report, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        atomic_int ended = 0;
        int threads = threads_before();

        cr_expect_eq(weft_watch_end(), 0);
        cr_expect_eq(weft_watch_begin(0, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, ends_itself, &ended), 0);
        cr_expect_eq(weft_watch_begin(LIMIT_MS * MS, NULL, NULL), -EALREADY);
        weft_event_init(&never);
        cr_assert_eq(weft_submit(pool, waits, NULL), 0);
        cr_expect(reaches(&ended, 1));
        weft_event_set(&never);
        cr_expect_eq(weft_watch_end(), 0);
        cr_expect(threads_become(threads));
        cr_assert_eq(weft_watch_begin(1, NULL, NULL), 0);
        cr_expect_eq(weft_watch_end(), 0);
        finish(pool);
}

static atomic_int caught;

static void on_signal(int signo)
{
        (void)signo;
        atomic_fetch_add(&caught, 1);
}

Test(watch, its_thread_takes_no_signals, .timeout = 60)
{
        struct sigaction action = {.sa_handler = on_signal};
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        cr_assert_eq(sigaction(SIGUSR2, &action, NULL), 0);
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, NULL, NULL), 0);
        cr_assert_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
        cr_assert_eq(kill(getpid(), SIGUSR2), 0);
        wait_long();
        cr_expect_eq(atomic_load(&caught), 0); /* it waits for somebody who takes it */
        cr_assert_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
        cr_expect_eq(atomic_load(&caught), 1);
        cr_expect_eq(weft_watch_end(), 0);
}

static int watches_anew(void *unused)
{
        (void)unused;
        CHILD_CHECK(weft_watch_end() == 0); /* there is none to be waited for */
        CHILD_CHECK(weft_watch_begin(LIMIT_MS * MS, NULL, NULL) == 0);
        CHILD_CHECK(weft_watch_begin(LIMIT_MS * MS, NULL, NULL) == -EALREADY);
        CHILD_CHECK(weft_watch_end() == 0);
        return 0;
}

Test(watch, B1_in_the_child_of_a_fork_it_is_off, .timeout = 60)
{
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, NULL, NULL), 0);
        cr_expect_eq(in_child(watches_anew, NULL), 0);
        cr_expect_eq(weft_watch_begin(LIMIT_MS * MS, NULL, NULL), -EALREADY);
        cr_expect_eq(weft_watch_end(), 0);
}

/* What is read from standard error until `text` was there. */
static bool error_says(int fd, const char *text)
{
        static char said[1 << 16];
        size_t length = 0;
        for (ssize_t n; (n = read(fd, said + length, sizeof(said) - 1 - length)) > 0;) {
                length += (size_t)n;
                if (strstr(said, text))
                        return true;
        }
        return false;
}

Test(watch, without_a_function_reports_go_to_standard_error, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        int ends[2], before = dup(STDERR_FILENO);
        sem_t go;

        sem_init(&go, 0, 0);
        cr_assert_eq(pipe(ends), 0);
        dup2(ends[1], STDERR_FILENO);
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, NULL, NULL), 0);
        weft_task *task = spawn(pool, blocks, &go);
        bool said = error_says(ends[0], "s at least by the task\n");
        cr_expect_eq(weft_watch_end(), 0);
        dup2(before, STDERR_FILENO);
        cr_expect(said);
        sem_post(&go);
        join(task);
        finish(pool);
}

static void *ends_while_cancelled(void *ended)
{
        pthread_cancel(pthread_self());
        *(int *)ended = weft_watch_end();
        pthread_testcancel();
        return NULL;
}

Test(watch, B23_its_end_is_no_point_of_cancellation, .timeout = 60)
{
        pthread_t thread;
        int ended = 1;
        void *result;

        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, NULL, NULL), 0);
        cr_assert_eq(pthread_create(&thread, NULL, ends_while_cancelled, &ended), 0);
        pthread_join(thread, &result);
        cr_expect_eq(result, PTHREAD_CANCELED);
        cr_expect_eq(ended, 0);
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, NULL, NULL), 0);
        cr_expect_eq(weft_watch_end(), 0);
}

static int reports_to_nobody(void *unused)
{
        weft_pool *pool;
        int ends[2];
        (void)unused;
        CHILD_CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
        CHILD_CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
        close(ends[0]);
        CHILD_CHECK(weft_pool_create(&pool, &(weft_pool_options){.workers = 1}) == 0);
        CHILD_CHECK(weft_submit(pool, waits, NULL) == 0);
        CHILD_CHECK(weft_watch_begin(LIMIT_MS * MS, NULL, NULL) == 0);
        wait_long();
        CHILD_CHECK(weft_watch_end() == 0);
        weft_event_set(&never);
        weft_pool_destroy(pool);
        return 0;
}

Test(watch, B36_a_report_into_a_pipe_that_nobody_reads_ends_nothing, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_event_init(&never);
        cr_expect_eq(in_child(reports_to_nobody, NULL), 0);
}

/* Forks once; the child returns to the library. */
static void forks(const char *report, void *pid)
{
        (void)report;
        if (atomic_load((atomic_int *)pid) != 0)
                return;
        pid_t child = fork();
        if (child == 0)
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* should it not end */
        atomic_store((atomic_int *)pid, child);
}

Test(watch, B4_the_child_of_a_report_that_forks_ends_where_that_returns, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        atomic_int pid = 0;
        int status = -1;

        weft_event_init(&never);
        cr_assert_eq(weft_submit(pool, waits, NULL), 0);
        cr_assert_eq(weft_watch_begin(LIMIT_MS * MS, forks, &pid), 0);
        for (int64_t end = in_ms(PATIENCE_MS); atomic_load(&pid) == 0; usleep(1000))
                cr_assert_lt(weft_now(), end, "no report");
        cr_expect_eq(waitpid(atomic_load(&pid), &status, 0), atomic_load(&pid));
        cr_expect_eq(status, 0);
        cr_expect_eq(weft_watch_end(), 0);
        weft_event_set(&never);
        finish(pool);
}
