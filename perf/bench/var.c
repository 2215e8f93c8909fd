/* SPDX-License-Identifier: MIT
 *
 * Vars and contexts on one thread: get, lookup, set + reset, capture + release, run, WEFT_WITH, by
 * how many vars are bound, with a thread-local and a pthread key for comparison.
 *
 * Each round goes round all the vars that are bound, so no figure is that of one lucky slot.
 */
#include "bench.h"

#include <pthread.h>

static char other; /* a value that the runner binds to nothing */

/* Before a round of anything that sets: does it, indeed? */
static enum bench_end check_set(struct bench *b)
{
        weft_token token;
        if (weft_set(&bench_var[0], &other, &token) != 0)
                return bench_wrong(b, "set failed");
        void *during = weft_get(&bench_var[0]);
        if (weft_reset(&bench_var[0], &token) != 0)
                return bench_wrong(b, "reset failed");
        if (during != &other || weft_get(&bench_var[0]) != bench_value(0))
                return bench_wrong(b, "set or reset did not do its work");
        return BENCH_OK;
}

static uintptr_t sum_of_values(size_t vars)
{
        uintptr_t sum = 0;
        for (size_t i = 0; i < vars; i++)
                sum += (uintptr_t)bench_value(i);
        return sum;
}

static enum bench_end check_sum(struct bench *b, uintptr_t sum, size_t laps)
{
        if (sum != laps * sum_of_values(b->c->vars))
                return bench_wrong(b, "wrong values were read");
        return BENCH_OK;
}

static enum bench_end round_get(struct bench *b, double *ret)
{
        size_t vars = b->c->vars, laps = bench_ops(b, 4 << 20) / vars;
        uintptr_t sum = 0;
        int64_t begin = bench_cpu_now();
        for (size_t lap = 0; lap < laps; lap++)
                for (size_t i = 0; i < vars; i++)
                        sum += (uintptr_t)weft_get(&bench_var[i]);
        ret[0] = bench_cpu_per(begin, laps * vars);
        return check_sum(b, sum, laps);
}

/* Of vars that nobody has bound: the fallback. */
static enum bench_end round_get_unset(struct bench *b, double *ret)
{
        static weft_var unset = WEFT_VAR_INIT("unset", .fallback = &other);
        size_t n = bench_ops(b, 4 << 20);
        bool wrong = false;
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++)
                wrong |= weft_get(&unset) != &other;
        ret[0] = bench_cpu_per(begin, n);
        return wrong ? bench_wrong(b, "the fallback was not read") : BENCH_OK;
}

static enum bench_end round_lookup(struct bench *b, double *ret)
{
        size_t vars = b->c->vars, laps = bench_ops(b, 4 << 20) / vars;
        uintptr_t sum = 0;
        int failed = 0;
        int64_t begin = bench_cpu_now();
        for (size_t lap = 0; lap < laps; lap++)
                for (size_t i = 0; i < vars; i++) {
                        void *value = NULL;
                        failed |= weft_lookup(&bench_var[i], &value);
                        sum += (uintptr_t)value;
                }
        ret[0] = bench_cpu_per(begin, laps * vars);
        return failed ? bench_wrong(b, "a look-up failed") : check_sum(b, sum, laps);
}

static enum bench_end round_set_reset(struct bench *b, double *ret)
{
        size_t vars = b->c->vars, laps = bench_ops(b, 1 << 20) / vars;
        int failed = 0;
        int64_t begin = bench_cpu_now();
        for (size_t lap = 0; lap < laps; lap++)
                for (size_t i = 0; i < vars; i++) {
                        weft_token token;
                        failed |= weft_set(&bench_var[i], &other, &token);
                        failed |= weft_reset(&bench_var[i], &token);
                }
        ret[0] = bench_cpu_per(begin, laps * vars);
        return failed ? bench_wrong(b, "a set or reset failed") : check_set(b);
}

/* Somebody holds the context each time, so that set has to make a new one. */
static enum bench_end round_set_captured(struct bench *b, double *ret)
{
        size_t vars = b->c->vars, laps = bench_ops(b, 1 << 19) / vars;
        int failed = 0;
        int64_t begin = bench_cpu_now();
        for (size_t lap = 0; lap < laps; lap++)
                for (size_t i = 0; i < vars; i++) {
                        weft_token token;
                        weft_context *held = weft_context_capture();
                        failed |= weft_set(&bench_var[i], &other, &token);
                        failed |= weft_reset(&bench_var[i], &token);
                        weft_context_unref(held);
                }
        ret[0] = bench_cpu_per(begin, laps * vars);
        return failed ? bench_wrong(b, "a set or reset failed") : check_set(b);
}

static enum bench_end round_capture(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 2 << 20);
        weft_context *current = weft_context_capture();
        weft_context_unref(current); /* the frame still holds it */
        bool wrong = false;
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++) {
                weft_context *c = weft_context_capture();
                wrong |= c != current;
                weft_context_unref(c);
        }
        ret[0] = bench_cpu_per(begin, n);
        if (wrong || weft_context_size(current) != b->c->vars)
                return bench_wrong(b, "captured something else than the current context");
        return BENCH_OK;
}

/* With &other in var 0, as the context that it runs in says. */
static int count_other(void *arg)
{
        size_t *count = arg;
        *count += weft_get(&bench_var[0]) == &other;
        return 0;
}

static int count_one(void *arg)
{
        size_t *count = arg;
        (*count)++;
        return 0;
}

static enum bench_end round_run(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 2 << 20), count = 0;
        weft_context *current = weft_context_capture(), *derived;
        int failed = weft_context_with(current, &bench_var[0], &other, &derived);
        weft_context_unref(current);
        if (failed)
                return bench_wrong(b, "cannot derive a context");
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++)
                weft_context_run(derived, count_one, &count, NULL);
        ret[0] = bench_cpu_per(begin, n);
        weft_context_run(derived, count_other, &count, NULL);
        weft_context_unref(derived);
        if (count != n + 1 || weft_get(&bench_var[0]) != bench_value(0))
                return bench_wrong(b, "did not run in the context, or did not come back");
        return BENCH_OK;
}

static enum bench_end round_with(struct bench *b, double *ret)
{
        size_t vars = b->c->vars, laps = bench_ops(b, 1 << 20) / vars, entered = 0;
        int64_t begin = bench_cpu_now();
        for (size_t lap = 0; lap < laps; lap++)
                for (size_t i = 0; i < vars; i++)
                        WEFT_WITH (&bench_var[i], &other) {
                                entered++;
                        }
        ret[0] = bench_cpu_per(begin, laps * vars);
        return entered == laps * vars ? check_set(b) : bench_wrong(b, "a block was not entered");
}

/* ---- for comparison ---- */

static _Thread_local void *thread_local_value;

static enum bench_end round_thread_local(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 4 << 20);
        uintptr_t sum = 0;
        thread_local_value = &other;
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++) {
                sum += (uintptr_t)thread_local_value;
                __asm__ volatile("" ::: "memory"); /* read it again each time */
        }
        ret[0] = bench_cpu_per(begin, n);
        return sum == n * (uintptr_t)&other ? BENCH_OK : bench_wrong(b, "wrong values were read");
}

static enum bench_end round_getspecific(struct bench *b, double *ret)
{
        size_t n = bench_ops(b, 4 << 20);
        uintptr_t sum = 0;
        pthread_key_t key;
        if (pthread_key_create(&key, NULL) != 0)
                return bench_wrong(b, "no pthread key is left");
        pthread_setspecific(key, &other);
        int64_t begin = bench_cpu_now();
        for (size_t i = 0; i < n; i++)
                sum += (uintptr_t)pthread_getspecific(key);
        ret[0] = bench_cpu_per(begin, n);
        pthread_key_delete(key);
        return sum == n * (uintptr_t)&other ? BENCH_OK : bench_wrong(b, "wrong values were read");
}

#define CASE(the_name, n, the_round, figure_name, ...)                                             \
        {                                                                                          \
                .name = "var/" the_name, .vars = n, .round = the_round,                            \
                .figure = {{.name = figure_name, .in = BENCH_NS, ##__VA_ARGS__}},                  \
                .what = figure_name ", " #n " vars bound"                                          \
        }

const struct bench_case bench_var_cases[] = {
    CASE("get-1", 1, round_get, "get"),
    CASE("get-8", 8, round_get, "get", BENCH_MARK(0.6, BENCH_U)),
    CASE("get-16", 16, round_get, "get"),
    CASE("get-64", 64, round_get, "get"),
    CASE("get-256", 256, round_get, "get"),
    CASE("get-unset", 8, round_get_unset, "get of one that is not set"),
    CASE("lookup-8", 8, round_lookup, "lookup"),
    CASE("set-1", 1, round_set_reset, "set + reset"),
    CASE("set-8", 8, round_set_reset, "set + reset", BENCH_MARK(7, BENCH_U)),
    CASE("set-16", 16, round_set_reset, "set + reset"),
    CASE("set-64", 64, round_set_reset, "set + reset"),
    CASE("set-256", 256, round_set_reset, "set + reset"),
    CASE("set-captured-1", 1, round_set_captured, "capture+set+reset+release"),
    CASE("set-captured-8", 8, round_set_captured, "capture+set+reset+release"),
    CASE("set-captured-64", 64, round_set_captured, "capture+set+reset+release"),
    CASE("set-captured-256", 256, round_set_captured, "capture+set+reset+release"),
    CASE("with-8", 8, round_with, "WEFT_WITH"),
    CASE("capture-8", 8, round_capture, "capture + release", BENCH_MARK(1.5, BENCH_U)),
    CASE("capture-256", 256, round_capture, "capture + release"),
    CASE("run-8", 8, round_run, "run of an empty function"),
    CASE("thread-local", 8, round_thread_local, "read of a _Thread_local"),
    CASE("getspecific", 8, round_getspecific, "pthread_getspecific"),
    {0},
};
