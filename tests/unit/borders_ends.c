/* SPDX-License-Identifier: MIT
 *
 * What leaves a task in another way than by returning (B20 to B27 of docs/borders.md): the end of
 * its thread, longjmp, the end of its stack, of the process. (C++ exceptions: tests/compile.)
 */
#include "pool_help.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/wait.h>

#if defined(__SANITIZE_THREAD__)
#define TSAN_BUILD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN_BUILD 1
#endif
#endif
#ifndef TSAN_BUILD
#define TSAN_BUILD 0
#endif

#define skip_thread_ends()                                                                         \
        do {                                                                                       \
                if (TSAN_BUILD)                                                                    \
                        cr_skip_test("this sanitizer stands no end of a thread on a fiber");       \
        } while (0)

static char said[4096];

/* How a child ended that ran body(arg), and, in `said`, what it wrote to standard error. */
static int child(int (*body)(void *), void *arg)
{
        int ends[2], status;
        cr_assert_eq(pipe(ends), 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                struct rlimit none = {0, 0};
                setrlimit(RLIMIT_CORE, &none);
                signal(SIGABRT, SIG_DFL);
                signal(SIGSEGV, SIG_DFL);
                dup2(ends[1], STDERR_FILENO);
                close(ends[0]);
                close(ends[1]);
#if defined(WEFT_VALGRIND)
                VALGRIND_CLO_CHANGE("--leak-check=no");
#endif
                alarm(SLOW_BUILD ? 60 : 10);
                _exit(body(arg));
        }
        close(ends[1]);
        size_t length = 0;
        for (ssize_t n; (n = read(ends[0], said + length, sizeof(said) - 1 - length)) != 0;)
                length += n > 0 ? (size_t)n : 0;
        said[length] = '\0';
        close(ends[0]);
        while (waitpid(pid, &status, 0) < 0)
                ;
        return status;
}

/* The child did not return: it was ended, with a message, by abort(). */
#define assert_aborts(body, arg)                                                                   \
        do {                                                                                       \
                int status = child((body), (arg));                                                 \
                cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x: %s",    \
                          status, said);                                                           \
                cr_assert_not_null(strstr(said, "weft: a task, or another function that weft "     \
                                                "calls, was left by"),                             \
                                   "%s", said);                                                    \
        } while (0)

static int ends_thread(void *unused)
{
        (void)unused;
        pthread_exit(NULL);
}

/* A point of cancellation of the thread's own. */
static int cancels_itself(void *unused)
{
        (void)unused;
        pthread_cancel(pthread_self());
        pthread_testcancel();
        return 0;
}

static int in_task(void *fn)
{
        weft_pool *pool;
        weft_task *task;
        if (weft_pool_create(&pool, NULL) < 0 || weft_spawn(pool, &task, (weft_fn *)fn, NULL) < 0)
                return 2;
        return weft_await(task, WEFT_FOREVER) < 0;
}

Test(borders_ends, B20_a_task_that_ends_its_thread_ends_the_process, .timeout = 60)
{
        skip_thread_ends();
        assert_aborts(in_task, (void *)ends_thread);
}

static int after_waits(void *unused)
{
        weft_job job;
        weft_sleep_until(in_ms(1));
        weft_fork(&job, ends_thread, unused);
        return weft_join(&job);
}

Test(borders_ends, B20_in_a_job_after_a_wait_as_well, .timeout = 60)
{
        skip_thread_ends();
        assert_aborts(in_task, (void *)after_waits);
}

static atomic_int begun;
static pthread_t worker;

/* Where its thread is cancelled sooner or later. */
static int sleeps_on(void *unused)
{
        (void)unused;
        worker = thread_now();
        atomic_store(&begun, 1);
        while (atomic_load(&begun))
                usleep(100);
        return 0;
}

static int cancels_worker(void *unused)
{
        weft_pool *pool;
        (void)unused;
        if (weft_pool_create(&pool, NULL) < 0 || weft_submit(pool, sleeps_on, NULL) < 0)
                return 2;
        while (!atomic_load(&begun))
                usleep(100);
        pthread_cancel(worker);
        weft_pool_destroy(pool);
        return 0;
}

Test(borders_ends, B21_a_worker_that_is_cancelled_in_a_task_ends_the_process, .timeout = 60)
{
        assert_aborts(cancels_worker, NULL);
}

static void notes_worker(unsigned index, void *unused)
{
        (void)index;
        (void)unused;
        worker = pthread_self();
}

/* Between tasks there is no point of cancellation, nor in what these call. */
static int cancels_idle_worker(void *unused)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .on_start = notes_worker};
        weft_pool *pool;
        weft_task *t;
        (void)unused;
        CHILD_CHECK(weft_pool_create(&pool, &o) == 0);
        usleep(2000);
        pthread_cancel(worker);
        for (int i = 0; i < 3; i++) {
                CHILD_CHECK(weft_spawn(pool, &t, give, V(3)) == 0);
                CHILD_CHECK(weft_await(t, WEFT_FOREVER) == 3);
                weft_task_unref(t);
                usleep(2000);
        }
        CHILD_CHECK(weft_pool_destroy(pool) == NULL);
        return 0;
}

Test(borders_ends, B21_a_worker_that_is_cancelled_between_tasks_goes_on, .timeout = 60)
{
        int status = child(cancels_idle_worker, NULL);
        cr_assert_eq(status, 0, "%#x: %s", status, said);
}

/* ---- wherever else the library calls ---- */

static int in_blocking_thread(void *fn)
{
        return weft_blocking((weft_fn *)fn, NULL);
}

static int in_blocking(void *unused)
{
        weft_pool *pool;
        weft_task *task;
        (void)unused;
        if (weft_pool_create(&pool, NULL) < 0 ||
            weft_spawn(pool, &task, in_blocking_thread, (void *)ends_thread) < 0)
                return 2;
        return weft_await(task, WEFT_FOREVER) < 0;
}

static void hook_ends_thread(unsigned index, void *unused)
{
        (void)index;
        ends_thread(unused);
}

static int in_start(void *unused)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .on_start = hook_ends_thread};
        weft_pool *pool;
        (void)unused;
        return weft_pool_create(&pool, &o);
}

static int in_stop(void *unused)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .on_stop = hook_ends_thread};
        weft_pool *pool;
        (void)unused;
        if (weft_pool_create(&pool, &o) < 0)
                return 2;
        weft_pool_destroy(pool);
        return 0;
}

static int holds_up(void *unused)
{
        (void)unused;
        atomic_store(&begun, 1);
        sleep(1000);
        return 0;
}

static weft_pool *held_up(weft_when_full when_full)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .max_queued = 1, .when_full = when_full};
        weft_pool *pool;
        CHILD_CHECK(weft_pool_create(&pool, &o) == 0);
        CHILD_CHECK(weft_submit(pool, holds_up, NULL) == 0);
        while (!atomic_load(&begun))
                usleep(100);
        return pool;
}

static int in_submitter(void *unused)
{
        weft_pool *pool = held_up(WEFT_CALLER);
        (void)unused;
        CHILD_CHECK(weft_submit(pool, nothing, NULL) == 0);
        return weft_submit(pool, cancels_itself, NULL);
}

static void drop_ends_thread(void *unused)
{
        ends_thread(unused);
}

static int in_destructor(void *unused)
{
        weft_pool *pool = held_up(WEFT_REFUSE);
        weft_task *task;
        (void)unused;
        CHILD_CHECK(weft_spawn_closure(pool, &task, nothing, "", 1, drop_ends_thread) == 0);
        return weft_task_cancel(task);
}

Test(borders_ends, B22_so_does_whatever_else_the_library_calls, .timeout = 60)
{
        assert_aborts(in_blocking, NULL);
        assert_aborts(in_start, NULL);
        assert_aborts(in_stop, NULL);
}

/* While the only worker is held up. */
Test(borders_ends, B22_so_do_a_submitter_that_runs_its_task_and_a_destructor, .timeout = 60)
{
        skip_unless_workers(1);
        assert_aborts(in_submitter, NULL);
        assert_aborts(in_destructor, NULL);
}

/* ---- longjmp ---- */

static __attribute__((noinline)) void jumps(jmp_buf back)
{
        weft_yield();
        longjmp(back, 7);
}

/* Within its function, over waits between the two ends: the stack goes with the task. */
static int jumps_within(void *unused)
{
        jmp_buf back;
        volatile int rounds = 0;
        (void)unused;
        int r = setjmp(back);
        CHECK(r == (rounds ? 7 : 0));
        if (++rounds < 20) {
                CHECK(weft_sleep_until(weft_now() + 50000) == 0);
                CHECK(weft_yield() == 0);
                jumps(back);
        }
        return rounds;
}

Test(borders_ends, B24_longjmp_within_a_task_over_its_waits, .timeout = 60)
{
        weft_pool *pools[] = {begin(2), migrating_pool(2)};
        for (int p = 0; p < 2; p++) {
                weft_task *task[8];
                for (int i = 0; i < 8; i++)
                        task[i] = spawn(pools[p], jumps_within, NULL);
                for (int i = 0; i < 8; i++)
                        cr_assert_eq(join(task[i]), 20);
                finish(pools[p]);
        }
}

/* ---- the end of the stack ---- */

static int runs_over(void *arg)
{
        volatile signed char frame[1000];
        frame[0] = frame[999] = (char)(intptr_t)arg;
        int r = frame[0] < 0 ? 0 : runs_over(arg);
        return r + frame[0] + frame[999];
}

static void runs_over_as_drop(void *unused)
{
        (void)unused;
        runs_over(NULL);
}

static int in_job(void *unused)
{
        weft_job job;
        weft_fork(&job, runs_over, unused);
        return weft_join(&job);
}

static int in_task_destructor(void *unused)
{
        weft_pool *pool;
        (void)unused;
        if (weft_pool_create(&pool, NULL) < 0 ||
            weft_submit_closure(pool, nothing, "", 1, runs_over_as_drop) < 0)
                return 2;
        weft_pool_destroy(pool);
        return 0;
}

static void assert_overflows(int (*body)(void *), void *arg, bool explained)
{
        int status = child(body, arg);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x: %s", status,
                  said);
        cr_assert_eq(strstr(said, "weft: stack overflow in the task") != NULL, explained, "%s",
                     said);
}

Test(borders_ends, B26_a_task_that_runs_over_its_stack_is_named, .timeout = 60)
{
        skip_guards_in_emulator();
        if (SLOW_BUILD)
                cr_skip_test("the checker has its own answer to a stack that is run over");
        assert_overflows(in_task, (void *)runs_over, true);
        assert_overflows(in_task, (void *)in_job, true);
        assert_overflows(in_task_destructor, NULL, true);
}

#if defined(__GNUC__) && !defined(__clang__)
/* One frame that is larger than the stack and its guard, and as -fstack-clash-protection has it
 * touches each of its pages in turn. */
__attribute__((noinline, optimize("stack-clash-protection"))) static int large_frame(void *unused)
{
        volatile char frame[96 * 1024];
        (void)unused;
        frame[0] = 1;
        return frame[0];
}

static int in_small_stack(void *fn)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .stack_size = 64 * 1024};
        weft_pool *pool;
        weft_task *task;
        if (weft_pool_create(&pool, &o) < 0 || weft_spawn(pool, &task, (weft_fn *)fn, NULL) < 0)
                return 2;
        return weft_await(task, WEFT_FOREVER) < 0;
}

Test(borders_ends, B26_a_frame_larger_than_the_guard_is_named_where_its_pages_are_touched,
     .timeout = 60)
{
        skip_guards_in_emulator();
        if (SLOW_BUILD)
                cr_skip_test("the checker has its own answer to a stack that is run over");
        assert_overflows(in_small_stack, (void *)large_frame, true);
}
#endif

static int over_in_blocking(void *unused)
{
        weft_pool *pool;
        weft_task *task;
        (void)unused;
        if (weft_pool_create(&pool, NULL) < 0 ||
            weft_spawn(pool, &task, in_blocking_thread, (void *)runs_over) < 0)
                return 2;
        return weft_await(task, WEFT_FOREVER) < 0;
}

/* On the stacks of threads the system's guard is hit, and weft says nothing. */
Test(borders_ends, B26_a_thread_that_runs_over_its_own_stack_is_the_systems, .timeout = 60)
{
        skip_guards_in_emulator();
        if (SLOW_BUILD)
                cr_skip_test("the checker has its own answer to a stack that is run over");
        assert_overflows(over_in_blocking, NULL, false);
}

/* ---- the end of the process ---- */

static int exits(void *unused)
{
        (void)unused;
        exit(9);
}

static int keeps_busy(void *pool)
{
        weft_submit(pool, keeps_busy, pool);
        weft_submit(pool, nothing, NULL);
        return weft_sleep_until(weft_now() + 1000);
}

static int exits_beside_others(void *fn)
{
        weft_pool *pool;
        if (weft_pool_create(&pool, NULL) < 0)
                return 2;
        for (int i = 0; i < 4; i++)
                CHILD_CHECK(weft_submit(pool, keeps_busy, pool) == 0);
        usleep(1000);
        CHILD_CHECK(weft_submit(pool, (weft_fn *)fn, NULL) == 0);
        sleep(1000);
        return 3;
}

static int exits_in_blocking(void *unused)
{
        (void)unused;
        weft_blocking(exits, NULL);
        CHILD_CHECK(!"there was a thread for it");
        return 0;
}

Test(borders_ends, B27_exit_in_a_task_while_others_run, .timeout = 60)
{
        for (int i = 0; i < (FEW_ROUNDS ? 2 : 10); i++) {
                int status = child(exits_beside_others, (void *)exits);
                cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9, "%#x: %s", status, said);
                status = child(exits_beside_others, (void *)exits_in_blocking);
                cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9, "%#x: %s", status, said);
        }
}

/* ---- messages that cannot be written (B36) ---- */

static int over_with_full_stderr(void *fn)
{
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        if (full < 0 || dup2(full, STDERR_FILENO) < 0)
                return 77;
        return in_task(fn);
}

static int over_with_closed_stderr(void *fn)
{
        close(STDERR_FILENO);
        return in_task(fn);
}

Test(borders_ends, B36_the_process_ends_as_it_would_though_nobody_can_be_told, .timeout = 60)
{
        skip_thread_ends();
        skip_guards_in_emulator();
        int status = child(over_with_full_stderr, (void *)ends_thread);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                cr_skip_test("there is no /dev/full here");
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%#x", status);
        status = child(over_with_closed_stderr, (void *)ends_thread);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%#x", status);
        if (SLOW_BUILD)
                return; /* the checker has its own answer to a stack that is run over */
        status = child(over_with_full_stderr, (void *)runs_over);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%#x", status);
        status = child(over_with_closed_stderr, (void *)runs_over);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%#x", status);
}
