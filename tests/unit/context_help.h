/* SPDX-License-Identifier: MIT
 *
 * What the tests of contexts share: values that count how often they are retained and released,
 * and ways to run a function on another thread, in a frame of its own, in a forked child.
 *
 * An assertion may only be made on the test's own thread and in its own process, so what runs
 * elsewhere hands its findings back: a thread through its result (NULL: all was well, else the
 * text of what was not), a child through its exit status (0: all was well).
 */
#ifndef CONTEXT_HELP_H
#define CONTEXT_HELP_H

#include <criterion/criterion.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/context.h>

/* A small number as a value. */
#define V(n) ((void *)(intptr_t)(n))

/* Which sanitizer the test is built with. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#elif __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
/* Whether qemu-user runs this, as in `make check-aarch64`. */
#ifndef IN_EMULATOR
#define IN_EMULATOR 0
#endif
#if !defined(WITH_ASAN)
#define WITH_ASAN 0
#endif
#if !defined(WITH_TSAN)
#define WITH_TSAN 0
#endif

/* Give the text of a condition that does not hold to whoever started this thread. */
#define THREAD_CHECK(condition)                                                                    \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        return (void *)#condition;                                                 \
        } while (0)

#define assert_thread_ok(result)                                                                   \
        do {                                                                                       \
                const char *what_ = (result);                                                      \
                cr_assert(!what_, "on the thread: %s", what_ ? what_ : "");                        \
        } while (0)

/* Say what does not hold in a child, and leave it. */
#define CHILD_CHECK(condition)                                                                     \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        dprintf(2, "in the child: line %d: %s\n", __LINE__, #condition);           \
                        _exit(1);                                                                  \
                }                                                                                  \
        } while (0)

/* A value that counts. It is not freed, so that a release too many is seen and not undefined. */
struct counted {
        atomic_int retained;
        atomic_int released;
        pthread_t released_on;
};

static inline void counted_retain(void *value)
{
        struct counted *c = value;
        if (c)
                atomic_fetch_add(&c->retained, 1);
}

static inline void counted_release(void *value)
{
        struct counted *c = value;
        if (!c)
                return;
        c->released_on = pthread_self();
        atomic_fetch_add(&c->released, 1);
}

#define assert_alive(c, retains)                                                                   \
        do {                                                                                       \
                cr_assert_eq(atomic_load(&(c)->retained), (retains));                              \
                cr_assert_eq(atomic_load(&(c)->released), 0);                                      \
        } while (0)

#define assert_gone(c, times)                                                                      \
        do {                                                                                       \
                cr_assert_eq(atomic_load(&(c)->retained), (times));                                \
                cr_assert_eq(atomic_load(&(c)->released), (times));                                \
        } while (0)

/* Run start(arg) on a plain thread to its end; what it returned. */
static inline void *on_thread(void *(*start)(void *), void *arg)
{
        pthread_t thread;
        void *result = (void *)"the thread could not be started";
        if (pthread_create(&thread, NULL, start, arg) == 0)
                pthread_join(thread, &result);
        return result;
}

/* Run body(arg) in a forked child; its exit status, or 1000 + the signal that ended it. A child
 * that hangs is ended by SIGALRM. */
static inline int in_child(int (*body)(void *), void *arg)
{
        pid_t pid = fork();
        if (pid < 0)
                return 2000;
        if (pid == 0) {
                alarm(30);
                _exit(body(arg));
        }
        int status;
        while (waitpid(pid, &status, 0) < 0)
                ;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
