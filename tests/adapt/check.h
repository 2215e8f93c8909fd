/* SPDX-License-Identifier: MIT
 *
 * What the tests of the adapters share: tests that are counted, the vars that they bind, and the
 * account of what is retained and released. Plain C that C++ takes too.
 *
 * A program ends with run_tests(), whose last line tests/adapt/run reads. With PLAIN=1 it is built
 * against plain.h, the library's own functions in place of the adapter's, and must fail.
 */
#ifndef TESTS_ADAPT_CHECK_H
#define TESTS_ADAPT_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weft/context.h>

#define MAYBE_UNUSED __attribute__((unused))

/* A plain var, and one whose values are counted. */
MAYBE_UNUSED static char ada[] = "ada";
static char nobody[] = "nobody";
MAYBE_UNUSED static char grace[] = "grace";
static weft_var user = WEFT_VAR_INIT("user", .fallback = nobody);

static int retained, released; /* from any thread */

static inline void retain(void *value)
{
        (void)value;
        __atomic_add_fetch(&retained, 1, __ATOMIC_SEQ_CST);
}

static inline void release(void *value)
{
        (void)value;
        __atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST);
}

MAYBE_UNUSED static weft_var kept = WEFT_VAR_INIT("kept", .retain = retain, .release = release);

/* One that is bound where a test begins, and that no adapter lets through. */
static weft_var stays = WEFT_VAR_INIT("stays", .drop_at = WEFT_BORDER_THREAD | WEFT_BORDER_FOREIGN);

static inline bool is(const char *who)
{
        return strcmp((const char *)weft_get(&user), who) == 0;
}

/* On the other side: that one came here, and what had to stay did not. */
MAYBE_UNUSED static inline bool came(const char *who)
{
        return is(who) && !weft_get(&stays);
}

/* Where it fails anyway, nobody wants to wait for it. */
#if defined(PLAIN)
enum { PATIENCE_MS = 50 };
#else
enum { PATIENCE_MS = 20000 };
#endif

/* How often values are bound that have not been released. */
static inline int held(void)
{
        return __atomic_load_n(&retained, __ATOMIC_SEQ_CST) -
               __atomic_load_n(&released, __ATOMIC_SEQ_CST);
}

/* The same when it has become n, or after a while: a thread that ends in its own time gives back
 * its context a little later than what it did. */
static inline bool becomes_held(int n)
{
        for (int i = 0; i < PATIENCE_MS && held() != n; i++) {
                struct timespec millisecond = {0, 1000000};
                nanosleep(&millisecond, NULL);
        }
        return held() == n;
}

static int failures_here;

/* From any thread; the first that fails in a test is shown. */
#define CHECK(condition)                                                                           \
        do {                                                                                       \
                if (!(condition) &&                                                                \
                    __atomic_fetch_add(&failures_here, 1, __ATOMIC_SEQ_CST) == 0) {                \
                        printf("FAIL: %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);     \
                }                                                                                  \
        } while (0)

struct test {
        const char *name;
        void (*fn)(void);
};

/* Each with nothing bound and nothing held, before and after. */
static inline int run_tests(const struct test *tests, int n)
{
        int failed = 0;
        alarm(180);
        for (int i = 0; i < n; i++) {
                failures_here = 0;
                CHECK(weft_set(&stays, nobody, NULL) == 0);
                tests[i].fn();
                CHECK(becomes_held(0));
                CHECK(is(nobody));
                retained = released = 0;
                if (failures_here) {
                        printf("FAIL: %s\n", tests[i].name);
                        failed++;
                }
        }
        printf("%d passed, %d failed, 0 skipped\n", n - failed, failed);
        return failed != 0;
}

#define RUN_TESTS(tests) run_tests(tests, (int)(sizeof(tests) / sizeof((tests)[0])))

#if defined(PLAIN)
#include "plain.h"
#endif

#endif
