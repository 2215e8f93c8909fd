/* SPDX-License-Identifier: MIT
 *
 * What the stress programs share: options of the form --name number, a generator of random numbers
 * that a seed determines, and the way to fail, which names the seed.
 */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/weft.h>

/* Under a checker everything takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(WEFT_VALGRIND)
#define STRESS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STRESS_SLOW 1
#endif
#endif
#ifndef STRESS_SLOW
#define STRESS_SLOW 0
#endif

/* Whether qemu-user runs this, as in `make check-aarch64`. */
#ifndef IN_EMULATOR
#define IN_EMULATOR 0
#endif

/* ThreadSanitizer has a thread of its own beside those of the program, and so has qemu-user. */
#if defined(__SANITIZE_THREAD__)
#define STRESS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRESS_TSAN 1
#endif
#endif
#ifndef STRESS_TSAN
#define STRESS_TSAN 0
#endif

/* One of each in programs of several files. */
__attribute__((weak)) uint64_t stress_seed;
__attribute__((weak)) const char *stress_name;

/* The first failure ends the program: what comes after it is not to be trusted. */
static inline void __attribute__((noreturn, format(printf, 4, 5)))
stress_fail(const char *file, int line, const char *condition, const char *format, ...)
{
        char text[512];
        va_list values;
        va_start(values, format);
        vsnprintf(text, sizeof(text), format, values);
        va_end(values);
        dprintf(2, "%s:%d: not true: %s: %s\n%s failed: --seed %" PRIu64 "\n", file, line,
                condition, text, stress_name, stress_seed);
        _exit(1);
}

#define CHECK(condition, ...)                                                                      \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        stress_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                  \
        } while (0)

/* Start a thread that gets neither SIGPROF nor SIGUSR1, which others are to get. */
static inline void stress_start_spared(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
        sigset_t both, before;
        sigemptyset(&both);
        sigaddset(&both, SIGPROF);
        sigaddset(&both, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &both, &before);
        CHECK(pthread_create(ret_thread, NULL, fn, arg) == 0, "the thread");
        pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static inline void stress_on_alarm(int signal)
{
        static const char text[] = "hangs\n";
        (void)signal;
        ssize_t ignored = write(2, text, sizeof(text) - 1);
        (void)ignored;
        abort();
}

/* What comes next hangs if it takes longer than this, or five times as long under a checker. Holds
 * until the next call; 0: no longer. */
static inline void stress_hangs_after(unsigned seconds)
{
        signal(SIGALRM, stress_on_alarm);
        alarm(STRESS_SLOW || IN_EMULATOR ? 5 * seconds : seconds);
}

/* ---- random numbers -------------------------------------------------------------------------- */

struct rng {
        uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
        uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* 0 to below - 1. */
static inline unsigned rng_below(struct rng *r, unsigned below)
{
        return (unsigned)((rng_next(r) >> 32) * below >> 32);
}

static inline bool rng_chance(struct rng *r, unsigned one_in)
{
        return rng_below(r, one_in) == 0;
}

/* A generator of its own for somebody that this one starts. */
static inline struct rng rng_split(struct rng *r)
{
        return (struct rng){rng_next(r)};
}

/* ---- options --------------------------------------------------------------------------------- */

struct stress_option {
        const char *name; /* with its dashes */
        uint64_t *value;
        const char *help;
};

/* Reads the options into their values; --seed is always one of them, chosen from the clock if it is
 * not given, and printed. */
static inline void stress_begin(int argc, char **argv, const struct stress_option *options)
{
        const char *slash = strrchr(argv[0], '/');
        bool help = false;

        stress_name = slash ? slash + 1 : argv[0];
        stress_seed = (uint64_t)weft_now() % 1000000007;
        for (int i = 1; i < argc && !help; i += 2) {
                const struct stress_option *o = options;
                char *end = NULL;
                uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], &end, 10) : 0;
                while (o->name && strcmp(o->name, argv[i]) != 0)
                        o++;
                if (!end || *end || end == argv[i + 1])
                        help = true;
                else if (o->name)
                        *o->value = value;
                else if (strcmp(argv[i], "--seed") == 0)
                        stress_seed = value;
                else
                        help = true;
        }
        if (help) {
                fprintf(stderr, "usage: %s [--seed N]", stress_name);
                for (const struct stress_option *o = options; o->name; o++)
                        fprintf(stderr, " [%s N]", o->name);
                for (const struct stress_option *o = options; o->name; o++)
                        fprintf(stderr, "\n  %-12s %s (%" PRIu64 ")", o->name, o->help, *o->value);
                fprintf(stderr, "\n");
                exit(2);
        }
        printf("%s --seed %" PRIu64, stress_name, stress_seed);
        for (const struct stress_option *o = options; o->name; o++)
                printf(" %s %" PRIu64, o->name, *o->value);
        printf("\n");
        fflush(stdout);
}

/* ---- values that count ----------------------------------------------------------------------- */

/* Not freed before the end, so that a release too many is seen and not undefined. */
struct stress_value {
        atomic_int retained, released;
};

static inline void stress_retain(void *value)
{
        if (value)
                atomic_fetch_add(&((struct stress_value *)value)->retained, 1);
}

static inline void stress_release(void *value)
{
        struct stress_value *v = value;
        if (v)
                CHECK(atomic_fetch_add(&v->released, 1) < atomic_load(&v->retained),
                      "released more often than retained");
}

static inline bool stress_alive(const struct stress_value *v)
{
        return atomic_load(&v->released) < atomic_load(&v->retained);
}

#endif
