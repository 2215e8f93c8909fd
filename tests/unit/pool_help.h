/* SPDX-License-Identifier: MIT
 *
 * What the tests of the pool share: pools that come and go with a test, a plug that keeps workers
 * busy, values that count their references, and a look at the process's own threads.
 *
 * An assertion may only be made on the test's own thread. A task says CHECK(condition) instead: the
 * first one that does not hold is kept, and finish() or assert_checks() reports it.
 */
#ifndef POOL_HELP_H
#define POOL_HELP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* CPU masks, thread names */
#endif

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(WEFT_VALGRIND)
#include <valgrind/valgrind.h>
#endif

#include <weft/weft.h>

#include "context/knobs.h"

/* For a test that shows what `make check-matrix` takes from it. */
#define skip_when_forced(knob)                                                                     \
        do {                                                                                       \
                if (WEFT__KNOB(knob))                                                              \
                        cr_skip_test("not under this knob of the matrix");                         \
        } while (0)

/* Where everything costs ten times as much, counts are smaller and idle time is not measured. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(WEFT_VALGRIND)
#define SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#ifndef SLOW_BUILD
#define SLOW_BUILD 0
#endif

/* Of tests/faults: nothing that comes after a result that was not expected makes sense. */
#ifndef UNDER_FAULTS
#define UNDER_FAULTS 0
#endif

/* Where what a test does over and over, for what is seen now and then, is done once or twice. */
#define FEW_ROUNDS (SLOW_BUILD || UNDER_FAULTS)

/* How many workers there are where a test asks for so many. */
static inline unsigned workers_of(unsigned asked)
{
        return WEFT__KNOB(workers) ? WEFT__KNOB(workers) : asked;
}

/* For a test that has nothing to show with fewer, or with another number. */
#define skip_with_fewer_workers(n)                                                                 \
        do {                                                                                       \
                if (WEFT__KNOB(workers) && WEFT__KNOB(workers) < (n))                              \
                        cr_skip_test("it wants %d workers", n);                                    \
        } while (0)
#define skip_unless_workers(n)                                                                     \
        do {                                                                                       \
                if (WEFT__KNOB(workers) && WEFT__KNOB(workers) != (n))                             \
                        cr_skip_test("it counts on %d workers", n);                                \
        } while (0)

/* Whether `make coverage` wants to know what runs: then what is slow for another reason is not. */
#ifndef FOR_COVERAGE
#define FOR_COVERAGE 0
#endif

/* Whether qemu-user runs this, as in `make check-aarch64`. Version 7.2 aborts on a thread that is
 * made after a fork of several threads, and says yes to a guard made by madvise but makes none. */
#ifndef IN_EMULATOR
#define IN_EMULATOR 0
#endif

#define skip_guards_in_emulator()                                                                  \
        do {                                                                                       \
                if (IN_EMULATOR)                                                                   \
                        cr_skip_test("the emulator makes no guards");                              \
        } while (0)

#define skip_threads_after_fork_in_emulator()                                                      \
        do {                                                                                       \
                if (IN_EMULATOR)                                                                   \
                        cr_skip_test("the emulator knows no threads after fork()");                \
        } while (0)

/* A small number as a value, and back. */
#define V(n) ((void *)(intptr_t)(n))
#define N(v) ((int)(intptr_t)(v))

#define MS INT64_C(1000000)

/* Where errno is, and which thread runs, now: both are constant for a compiler, which would keep
 * them over a wait. */
static __attribute__((noinline, unused)) int *errno_now(void)
{
        __asm__ volatile("");
        return &errno;
}

static __attribute__((noinline, unused)) pthread_t thread_now(void)
{
        __asm__ volatile("");
        return pthread_self();
}

static inline weft_pool *migrating_pool(unsigned workers)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = workers, .name = "moving", .flags = WEFT_MIGRATE};
        weft_pool *pool;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        return pool;
}

static inline int64_t in_ms(int64_t ms)
{
        return weft_now() + ms * MS;
}

/* ---- checks off the test's own thread -------------------------------------------------------- */

static _Atomic(const char *) first_failed_check;

static inline void check_failed(const char *text)
{
        const char *none = NULL;
#if UNDER_FAULTS
        run_ended(__FILE__, __LINE__, text, " ");
#endif
        atomic_compare_exchange_strong(&first_failed_check, &none, text);
}

#define CHECK(condition) ((condition) ? (void)0 : check_failed(CHECK_AT(__LINE__) #condition))
#define CHECK_AT(line)   CHECK_TEXT(line)
#define CHECK_TEXT(line) "line " #line ": "

#define assert_checks()                                                                            \
        do {                                                                                       \
                const char *failed = atomic_load(&first_failed_check);                             \
                cr_assert(!failed, "on another thread: %s", failed ? failed : "");                 \
        } while (0)

/* ---- pools ----------------------------------------------------------------------------------- */

static inline weft_pool *begin(unsigned workers)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {.size = sizeof(o), .workers = workers};
        int r = weft_pool_create(&pool, &o);
        cr_assert_eq(r, 0, "weft_pool_create: %s", weft_strerror(r));
        return pool;
}

#define finish(pool)                                                                               \
        do {                                                                                       \
                cr_assert_null(weft_pool_destroy(pool));                                           \
                assert_checks();                                                                   \
        } while (0)

/* Have a pool's only worker run these as it starts and as it stops. */
static inline void run_hooks(void (*on_start)(unsigned, void *), void (*on_stop)(unsigned, void *))
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .on_start = on_start, .on_stop = on_stop};
        weft_pool *pool;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        finish(pool);
}

/* Keeps workers of a pool busy, each in a task that blocks its thread, so that what is submitted
 * behind it stays queued. */
struct plug {
        sem_t in, out;
        unsigned workers;
};

static inline void plug__wait(sem_t *s)
{
        while (sem_wait(s) != 0)
                ;
}

/* The same for whoever races with the one that posts. It looks for a while first, so as to go on at
 * once; then it blocks, because the poster may need the processor, or the one turn that valgrind
 * gives to all threads together. */
static inline void wait_awake(sem_t *s)
{
        for (int looks = 0; looks < 1000; looks++)
                if (sem_trywait(s) == 0)
                        return;
        plug__wait(s);
}

static inline int plug__task(void *arg)
{
        struct plug *p = arg;
        sem_post(&p->in);
        plug__wait(&p->out);
        if (WEFT__KNOB(workers))
                sem_post(&p->in);
        return 0;
}

/* One after the other, as a bounded pool takes them. Where the matrix says how many workers there
 * are: as many, whoever the test has counted on. */
static inline void plug_in(struct plug *p, weft_pool *pool, unsigned workers)
{
        sem_init(&p->in, 0, 0);
        sem_init(&p->out, 0, 0);
        p->workers = workers_of(workers);
        for (unsigned i = 0; i < p->workers; i++) {
                cr_assert_eq(weft_submit(pool, plug__task, p), 0);
                plug__wait(&p->in);
        }
}

/* Where the matrix says how many workers there are, others than the test knows of may be late. */
static inline void plug_out(struct plug *p)
{
        for (unsigned i = 0; i < p->workers; i++)
                sem_post(&p->out);
        for (unsigned i = 0; WEFT__KNOB(workers) && i < p->workers; i++)
                plug__wait(&p->in);
}

/* ---- tasks that many tests use --------------------------------------------------------------- */

static inline int nothing(void *arg)
{
        (void)arg;
        return 0;
}

static inline int count_up(void *arg)
{
        atomic_fetch_add((atomic_int *)arg, 1);
        return 0;
}

/* Its result is the number in its argument. */
static inline int give(void *arg)
{
        return N(arg);
}

static inline weft_task *spawn(weft_pool *pool, weft_fn *fn, void *arg)
{
        weft_task *task = NULL;
        int r = weft_spawn(pool, &task, fn, arg);
        cr_assert_eq(r, 0, "weft_spawn: %s", weft_strerror(r));
        return task;
}

/* Its result, and the end of the handle. */
static inline int join(weft_task *task)
{
        int r = weft_await(task, WEFT_FOREVER);
        weft_task_unref(task);
        return r;
}

/* Waits in the plain way, on the test's own thread, until the count is reached. It gives up only to
 * show which wait hung. */
#ifndef PATIENCE_MS
#define PATIENCE_MS (SLOW_BUILD ? 120000 : 20000)
#endif

static inline bool reaches(atomic_int *count, int wanted)
{
        for (int64_t end = in_ms(PATIENCE_MS); atomic_load(count) < wanted;) {
                if (weft_now() > end)
                        return false;
                usleep(200);
        }
        return atomic_load(count) == wanted;
}

/* Until so many waits of its tasks have given their worker away. */
static inline void until_parked(weft_pool *pool, uint64_t wanted)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        for (int64_t end = in_ms(PATIENCE_MS); stats.parked < wanted;) {
                cr_assert_lt(weft_now(), end, "%d tasks do not wait", (int)wanted);
                cr_assert_eq(weft_pool_stats(pool, &stats), 0);
                usleep(200);
        }
}

/* ---- values ---------------------------------------------------------------------------------- */

/* A value that counts. It is not freed, so that a release too many is seen and not undefined. */
struct value {
        atomic_int retained, released;
};

static inline void value_retain(void *value)
{
        if (value)
                atomic_fetch_add(&((struct value *)value)->retained, 1);
}

static inline void value_release(void *value)
{
        if (value)
                atomic_fetch_add(&((struct value *)value)->released, 1);
}

static inline bool value_gone(struct value *v)
{
        return atomic_load(&v->retained) == atomic_load(&v->released);
}

/* ---- the process ----------------------------------------------------------------------------- */

static inline int entries_of(const char *path)
{
        int n = 0;
        DIR *d = opendir(path);
        if (!d)
                return -1;
        for (struct dirent *e; (e = readdir(d));)
                n += e->d_name[0] != '.';
        closedir(d);
        return n;
}

static inline int threads_now(void)
{
        return entries_of("/proc/self/task");
}

static inline void *no_thread(void *arg)
{
        return arg;
}

/* How many threads there are before a test makes its own: a checker may have one of its own as soon
 * as the program has a second. */
static inline int threads_before(void)
{
        pthread_t thread;
        if (pthread_create(&thread, NULL, no_thread, NULL) == 0)
                pthread_join(thread, NULL);
        usleep(20000);
        return threads_now();
}

/* A thread that was joined may be seen in /proc for a moment yet. */
static inline bool threads_become(int wanted)
{
        for (int i = 0; i < 2000 && threads_now() != wanted; i++)
                usleep(1000);
        return threads_now() == wanted;
}

/* Run body(arg) in a forked child, which leaves by exit() if it can; its status, or 1000 + the
 * signal that ended it. A child that hangs is ended by SIGALRM. */
static inline int in_child(int (*body)(void *), void *arg)
{
        fflush(NULL);
        pid_t pid = fork();
        if (pid < 0)
                return 2000;
        if (pid == 0) {
#if defined(WEFT_VALGRIND)
                /* What the parent's other threads held is lost here, as it has to be (C9). */
                VALGRIND_CLO_CHANGE("--leak-check=no");
#endif
                alarm(SLOW_BUILD ? 120 : 20);
                int r = body(arg);
                if (r == 0 && !SLOW_BUILD)
                        exit(0);
                _exit(r); /* a checker would take for leaks what vanished threads held */
        }
        int status;
        while (waitpid(pid, &status, 0) < 0)
                ;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Leave a child that found something wrong. */
#define CHILD_CHECK(condition)                                                                     \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        dprintf(2, "in the child: line %d: %s\n", __LINE__, #condition);           \
                        _exit(1);                                                                  \
                }                                                                                  \
        } while (0)

#endif
