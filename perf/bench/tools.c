/* SPDX-License-Identifier: MIT
 *
 * What every case may use: the clock, the vars that the runner binds, and how a case says that it
 * cannot be measured here or that the library did something wrong.
 */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

weft_var bench_var[BENCH_VARS] = {[0 ... BENCH_VARS - 1] = WEFT_VAR_INIT("bench")};
static char value[BENCH_VARS];

void *bench_value(size_t i)
{
        return &value[i];
}

enum bench_end bench_skip(struct bench *b, const char *why)
{
        snprintf(b->error, sizeof(b->error), "%s", why);
        return BENCH_SKIP;
}

enum bench_end bench_wrong(struct bench *b, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        vsnprintf(b->error, sizeof(b->error), format, args);
        va_end(args);
        return BENCH_WRONG;
}

void bench_must(bool is, const char *what)
{
        if (is)
                return;
        fprintf(stderr, "weft-perf: cannot %s\n", what);
        exit(1);
}

static int64_t read_clock(clockid_t clock)
{
        struct timespec t;
        clock_gettime(clock, &t);
        return t.tv_sec * BENCH_SECOND + t.tv_nsec;
}

int64_t bench_now(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_cpu_now(void)
{
        return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void bench_sleep(int64_t ns)
{
        struct timespec t = {.tv_sec = ns / BENCH_SECOND, .tv_nsec = ns % BENCH_SECOND};
        nanosleep(&t, NULL);
}

int bench_by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

size_t bench_ops(const struct bench *b, size_t n)
{
        return b->quick ? n / 10 : n;
}

double bench_per(int64_t begin, size_t operations)
{
        return (double)(bench_now() - begin) / (double)operations;
}

double bench_cpu_per(int64_t begin, size_t operations)
{
        return (double)(bench_cpu_now() - begin) / (double)operations;
}
