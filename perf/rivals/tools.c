/* SPDX-License-Identifier: MIT
 *
 * See tools.h. A waiting thread sleeps and looks again, so that it takes no processor from what is
 * measured, whatever the system has for waiting.
 */
#include "tools.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
        THREADS_MOST = 256, /* that ever run a task */
        PRODUCERS_MOST = 64,
        LOOK_NS = 20000,
        LULL_NS = 2000000, /* longer than a worker looks for work */
        SETTLE_NS = 20000000,
};

#define SECOND INT64_C(1000000000)

static void sleep_ns(int64_t ns)
{
        struct timespec t = {.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
        nanosleep(&t, NULL);
}

/* ---- counting ---- */

/* Each written by one thread alone; read by whoever waits. */
static struct {
        _Alignas(128) _Atomic uint64_t ticks;
} counter[THREADS_MOST];

static atomic_uint threads;
static _Thread_local _Atomic uint64_t *mine;

static void take_counter(void)
{
        unsigned i = atomic_fetch_add(&threads, 1);
        if (i >= THREADS_MOST) {
                errno = EOVERFLOW;
                rival_fail("count the tasks of so many threads");
        }
        mine = &counter[i].ticks;
}

void rival_tick(void)
{
        if (!mine)
                take_counter();
        uint64_t n = atomic_load_explicit(mine, memory_order_relaxed);
        atomic_store_explicit(mine, n + 1, memory_order_release);
}

uint64_t rival_ticks(void)
{
        uint64_t n = 0;
        for (unsigned i = 0; i < THREADS_MOST; i++)
                n += atomic_load_explicit(&counter[i].ticks, memory_order_acquire);
        return n;
}

uint64_t rival_await_ticks(uint64_t ticks)
{
        int64_t deadline = rival_now() + 30 * SECOND;
        uint64_t n;
        while ((n = rival_ticks()) < ticks && rival_now() < deadline)
                sleep_ns(LOOK_NS);
        return n;
}

/* ---- submitting ---- */

struct producer {
        pthread_t thread;
        rival_submit_fn *submit;
        size_t size;
};

static void *produce(void *arg)
{
        struct producer *p = arg;
        p->submit(p->size);
        return NULL;
}

void rival_submit(struct rival_round *r, unsigned producers, rival_submit_fn *submit)
{
        struct producer p[PRODUCERS_MOST];
        size_t each = r->size / producers;
        uint64_t before = rival_ticks();
        r->begin = rival_now();
        for (unsigned i = 1; i < producers; i++) {
                p[i] = (struct producer){.submit = submit, .size = each};
                if ((errno = pthread_create(&p[i].thread, NULL, produce, &p[i])))
                        rival_fail("start a thread");
        }
        submit(r->size - each * (producers - 1));
        for (unsigned i = 1; i < producers; i++)
                pthread_join(p[i].thread, NULL);
        r->check = rival_await_ticks(before + r->size) - before;
        r->end = rival_now();
}

/* ---- with nothing to do ---- */

static _Atomic int64_t started_at;

void rival_started(void)
{
        atomic_store(&started_at, rival_now());
}

/* ns from start() until the task has started, or -1. */
static double wake(void (*start)(void))
{
        atomic_store(&started_at, 0);
        int64_t begin = rival_now(), at;
        start();
        sleep_ns(LULL_NS);
        while (!(at = atomic_load(&started_at)) && rival_now() < begin + SECOND)
                sleep_ns(LULL_NS);
        return at ? (double)(at - begin) : -1;
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

void rival_wake(struct rival_round *r, void (*start)(void))
{
        double *ns = calloc(r->size, sizeof(*ns));
        if (!ns)
                rival_fail("note the times");
        sleep_ns(SETTLE_NS);
        for (size_t i = 0; i < r->size; i++) {
                ns[i] = wake(start);
                r->check += ns[i] >= 0;
        }
        qsort(ns, r->size, sizeof(*ns), by_value);
        r->figure[0] = ns[r->size / 2];
        r->figure[1] = ns[r->size * 99 / 100];
        r->figures = 2;
        free(ns);
}

static int64_t cpu_now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return t.tv_sec * SECOND + t.tv_nsec;
}

void rival_idle(struct rival_round *r, void (*start)(void))
{
        r->check = wake(start) >= 0;
        sleep_ns(SETTLE_NS);
        int64_t cpu = cpu_now(), begin = rival_now();
        sleep_ns((int64_t)r->size * 1000000);
        r->figure[0] = 100 * (double)(cpu_now() - cpu) / (double)(rival_now() - begin);
}

/* ---- memory ---- */

static size_t resident(void)
{
        unsigned long long all, pages;
        FILE *f = fopen("/proc/self/statm", "re");
        if (!f || fscanf(f, "%llu %llu", &all, &pages) != 2)
                rival_fail("/proc/self/statm");
        fclose(f);
        return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

void rival_queued(struct rival_round *r, void (*shut)(unsigned workers), rival_submit_fn *submit,
                  void (*open)(void))
{
        static size_t at_first; /* in later rounds, memory that has been used may be used again */
        if (!at_first)
                at_first = resident();
        uint64_t before = rival_ticks();
        shut(r->workers);
        submit(r->size);
        size_t now = resident();
        open();
        r->check = rival_await_ticks(before + r->size) - before;
        r->figure[0] = (double)(now - at_first) / (double)r->size;
}

static sem_t opened;
static atomic_uint waiting;

void rival_gate_wait(void)
{
        atomic_fetch_add(&waiting, 1);
        while (sem_wait(&opened) != 0)
                ;
}

void rival_gate_reached(unsigned tasks)
{
        while (atomic_load(&waiting) < tasks)
                sleep_ns(LOOK_NS);
}

void rival_gate_open(unsigned tasks)
{
        atomic_fetch_sub(&waiting, tasks);
        for (unsigned i = 0; i < tasks; i++)
                sem_post(&opened);
}
