/* SPDX-License-Identifier: MIT
 *
 * What the library asks of the system, as executions have it: futexes, the clock, threads. These
 * stand before the C library's functions of the same names; the library's own source above them is
 * as it is.
 *
 * A futex compares with the newest value, as the kernel does, and is no synchronisation. Which of
 * several that wait is woken is a choice. The clock stands but for waits that time out, and goes on
 * a little with each pause of one that spins.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pool/cpu.h"

#include "checker.h"

/* The C library's headers call the parameters otherwise. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

enum { KEYS = 16, CHILDREN = 8 };

#define SITE __builtin_return_address(0)

static void (*destructor_of[KEYS])(void *);
static unsigned keys;
static void (*child_begins[CHILDREN])(void); /* pthread_atfork() */
static unsigned children;

/* ---- futexes ---- */

static long wait_on(const uint32_t *word, uint32_t expected, const struct timespec *until,
                    const void *site)
{
        turn("waits", site);
        step();
        uint32_t value = (uint32_t)newest_value(word, sizeof(*word));
        if (value != expected) {
                say(site, "need not wait: %s is %#x", place_of(word), value);
                return -1;
        }
        if (mc->chances_left && model_any(2)) {
                mc->chances_left--;
                say(site, "waits on %s, and goes on for no reason", place_of(word));
                return -1;
        }
        int64_t at = until ? (int64_t)until->tv_sec * 1000000000 + until->tv_nsec : 0;
        if (until && at <= mc->clock)
                return -1;
        say(site, "waits on %s while it is %#x%s", place_of(word), expected,
            until ? ", or for its time" : "");
        thread_waits(word, until != NULL, at, site);
        return self()->timed_out ? -1 : 0;
}

static long wake_from(const uint32_t *word, int n, const void *site)
{
        turn("wakes", site);
        step();
        long woken = 0;
        while (woken < n) {
                int of[THREADS];
                unsigned waiting = 0;
                for (int i = 0; i < mc->threads; i++)
                        if (mc->thread[i].phase == WAITS && mc->thread[i].word == word)
                                of[waiting++] = i;
                if (!waiting)
                        break;
                int thread = of[waiting > (unsigned)n ? model_any(waiting) : 0];
                set_phase(thread, READY);
                say(site, "wakes %s on %s", mc->thread[thread].name, place_of(word));
                woken++;
        }
        if (!woken)
                say(site, "wakes nobody on %s", place_of(word));
        return woken;
}

long syscall(long number, ...)
{
        va_list ap;
        va_start(ap, number);
        const uint32_t *word = va_arg(ap, const uint32_t *);
        int operation = va_arg(ap, int);
        uint32_t value = va_arg(ap, uint32_t);
        const struct timespec *until = (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET
                                           ? va_arg(ap, const struct timespec *)
                                           : NULL;
        va_end(ap);
        if (!mc || !mc->runs || number != SYS_futex)
                return -1;
        return (operation & FUTEX_CMD_MASK) == FUTEX_WAKE ? wake_from(word, (int)value, SITE)
                                                          : wait_on(word, value, until, SITE);
}

/* ---- time ---- */

int clock_gettime(clockid_t clock, struct timespec *t)
{
        (void)clock;
        t->tv_sec = mc->clock / 1000000000;
        t->tv_nsec = mc->clock % 1000000000;
        return 0;
}

int sched_yield(void)
{
        if (mc && mc->runs)
                thread_yield(SITE);
        return 0;
}

void weft__model_pause(void)
{
        if (mc && mc->runs)
                thread_pauses(SITE);
}

/* ---- threads ---- */

struct start {
        void *(*fn)(void *arg);
        void *arg;
};

static void begin(void *start)
{
        struct start s = *(struct start *)start;
        s.fn(s.arg);
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
        static struct start starts[THREADS];
        static const char *const name[THREADS] = {"worker 0", "worker 1", "worker 2", "worker 3",
                                                  "worker 4", "worker 5", "worker 6", "worker 7"};
        (void)attr;
        static int workers;
        struct start *s = &starts[workers];
        *s = (struct start){fn, arg};
        int n = thread_start(name[workers++], begin, s);
        mc->thread[n].worker = true;
        say(SITE, "starts %s", mc->thread[n].name);
        *ret = (pthread_t)n;
        return 0;
}

int pthread_join(pthread_t thread, void **ret)
{
        thread_join((int)thread, SITE);
        say(SITE, "has joined %s", mc->thread[thread].name);
        if (ret)
                *ret = NULL;
        return 0;
}

pthread_t pthread_self(void)
{
        return (pthread_t)mc->current;
}

int pthread_key_create(pthread_key_t *ret, void (*destructor)(void *))
{
        if (keys == KEYS)
                return EAGAIN;
        destructor_of[keys] = destructor;
        *ret = keys++;
        return 0;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
        self()->specific[key] = (void *)value;
        return 0;
}

void *pthread_getspecific(pthread_key_t key)
{
        return self()->specific[key];
}

void system_thread_ends(void)
{
        for (unsigned i = 0; i < keys; i++) {
                void *value = self()->specific[i];
                self()->specific[i] = NULL;
                if (value && destructor_of[i])
                        destructor_of[i](value);
        }
}

int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
        (void)prepare;
        (void)parent;
        if (children == CHILDREN)
                return ENOMEM;
        child_begins[children++] = child;
        return 0;
}

void model_fork(void)
{
        if (mc->threads != 1)
                model_fail("a child of a fork begins with one thread");
        for (unsigned i = 0; i < children; i++)
                child_begins[i]();
}

int pthread_setcancelstate(int state, int *ret_old)
{
        (void)state;
        if (ret_old)
                *ret_old = PTHREAD_CANCEL_ENABLE;
        return 0;
}

int pthread_setname_np(pthread_t thread, const char *name)
{
        (void)thread;
        (void)name;
        return 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
