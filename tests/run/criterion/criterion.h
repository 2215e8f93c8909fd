/* SPDX-License-Identifier: MIT
 *
 * A stand-in for <criterion/criterion.h>: the same test files, built against tests/run/run.c, for
 * the runs that Criterion cannot do (it dies under ThreadSanitizer, and exits 0 on what
 * LeakSanitizer and valgrind find). `make check` uses Criterion itself; `make check-asan` and its
 * kin put this directory first on the include path. So a test file may use what is here, and
 * nothing else of Criterion:
 *
 *   Test(suite, name, ...) { }       options: .description, .init, .fini, .timeout (seconds),
 *                                    .exit_code, .signal, .disabled
 *   TestSuite(suite, ...)            the same options, for every test of the suite that lacks them
 *   cr_assert(c), cr_assert_not(c), cr_assert_null(p), cr_assert_not_null(p)
 *   cr_assert_eq(a, b), _neq, _lt, _leq, _gt, _geq
 *   cr_assert_str_eq(a, b), cr_assert_str_neq, cr_assert_arr_eq(a, b, bytes), cr_assert_arr_neq
 *   cr_assert_fail(), cr_skip_test(), cr_log_info(f, ...), cr_log_warn, cr_log_error
 *
 * Each assertion takes a printf format, a literal, and its values after its own arguments, and has
 * a cr_expect_ form that goes on after a failure. Assertions may be used on any thread.
 *
 * Each test runs in a process of its own, one at a time, for 30 s at most unless .timeout says
 * otherwise. Under a checker that makes programs slower, all timeouts are stretched by
 * $TEST_SLOWER.
 */
#ifndef TESTS_RUN_CRITERION_H
#define TESTS_RUN_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run_options {
        const char *description;
        void (*init)(void), (*fini)(void);
        double timeout; /* seconds; 0: the default */
        int exit_code;  /* what the test must exit with */
        int signal;     /* what it must be killed by, or 0 */
        bool disabled;
};

struct run_test {
        const char *suite, *name; /* name is NULL: the options of the suite */
        void (*function)(void);
        struct run_options options;
        struct run_test *next;
};

void run_register(struct run_test *test);
void run_failed(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void run_ended(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));
void run_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void run_log(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The tests of a file register themselves before main(), in the file's order. */
#define Test(suite_, name_, ...)                                                                   \
        static void suite_##_##name_##_body(void);                                                 \
        __attribute__((constructor)) static void suite_##_##name_##_register(void)                 \
        {                                                                                          \
                static struct run_test test = {                                                    \
                    .suite = #suite_,                                                              \
                    .name = #name_,                                                                \
                    .function = suite_##_##name_##_body,                                           \
                    .options = {__VA_ARGS__},                                                      \
                };                                                                                 \
                run_register(&test);                                                               \
        }                                                                                          \
        static void suite_##_##name_##_body(void)

#define TestSuite(suite_, ...)                                                                     \
        __attribute__((constructor)) static void suite_##_suite_register(void)                     \
        {                                                                                          \
                static struct run_test suite = {.suite = #suite_, .options = {__VA_ARGS__}};       \
                run_register(&suite);                                                              \
        }                                                                                          \
        struct run_test /* takes the semicolon */

/* The space makes a format of no message, which -Wformat accepts. */
#define RUN_CHECK(failure, good, what, ...)                                                        \
        ((good) ? (void)0 : failure(__FILE__, __LINE__, what, " " __VA_ARGS__))
#define RUN_OP(failure, a, op, b, ...) RUN_CHECK(failure, (a)op(b), #a " " #op " " #b, __VA_ARGS__)
#define RUN_STR(failure, a, op, b, ...)                                                            \
        RUN_CHECK(failure, strcmp((a), (b)) op 0, #a " " #op " " #b " (strings)", __VA_ARGS__)
#define RUN_ARR(failure, a, op, b, size, ...)                                                      \
        RUN_CHECK(failure, memcmp((a), (b), (size)) op 0, #a " " #op " " #b " (bytes)", __VA_ARGS__)

#define cr_assert(c, ...)               RUN_CHECK(run_ended, !!(c), #c, __VA_ARGS__)
#define cr_assert_not(c, ...)           RUN_CHECK(run_ended, !(c), "!(" #c ")", __VA_ARGS__)
#define cr_assert_null(p, ...)          RUN_OP(run_ended, p, ==, NULL, __VA_ARGS__)
#define cr_assert_not_null(p, ...)      RUN_OP(run_ended, p, !=, NULL, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)         RUN_OP(run_ended, a, ==, b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)        RUN_OP(run_ended, a, !=, b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)         RUN_OP(run_ended, a, <, b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)        RUN_OP(run_ended, a, <=, b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)         RUN_OP(run_ended, a, >, b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)        RUN_OP(run_ended, a, >=, b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)     RUN_STR(run_ended, a, ==, b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)    RUN_STR(run_ended, a, !=, b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...)  RUN_ARR(run_ended, a, ==, b, n, __VA_ARGS__)
#define cr_assert_arr_neq(a, b, n, ...) RUN_ARR(run_ended, a, !=, b, n, __VA_ARGS__)
#define cr_assert_fail(...)             RUN_CHECK(run_ended, false, "reached", __VA_ARGS__)

#define cr_expect(c, ...)               RUN_CHECK(run_failed, !!(c), #c, __VA_ARGS__)
#define cr_expect_not(c, ...)           RUN_CHECK(run_failed, !(c), "!(" #c ")", __VA_ARGS__)
#define cr_expect_null(p, ...)          RUN_OP(run_failed, p, ==, NULL, __VA_ARGS__)
#define cr_expect_not_null(p, ...)      RUN_OP(run_failed, p, !=, NULL, __VA_ARGS__)
#define cr_expect_eq(a, b, ...)         RUN_OP(run_failed, a, ==, b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...)        RUN_OP(run_failed, a, !=, b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...)         RUN_OP(run_failed, a, <, b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...)        RUN_OP(run_failed, a, <=, b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...)         RUN_OP(run_failed, a, >, b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...)        RUN_OP(run_failed, a, >=, b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)     RUN_STR(run_failed, a, ==, b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...)    RUN_STR(run_failed, a, !=, b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, n, ...)  RUN_ARR(run_failed, a, ==, b, n, __VA_ARGS__)
#define cr_expect_arr_neq(a, b, n, ...) RUN_ARR(run_failed, a, !=, b, n, __VA_ARGS__)
#define cr_expect_fail(...)             RUN_CHECK(run_failed, false, "reached", __VA_ARGS__)

#define cr_skip_test(...) run_skip(" " __VA_ARGS__)
#define cr_log_info(...)  run_log("info", __VA_ARGS__)
#define cr_log_warn(...)  run_log("warn", __VA_ARGS__)
#define cr_log_error(...) run_log("error", __VA_ARGS__)

#endif
