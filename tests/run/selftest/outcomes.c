/* SPDX-License-Identifier: MIT
 *
 * One test for each way in which a test can end, in three suites by what it must be counted as.
 * tests/run/suite runs this file against Criterion and against tests/run/run.c and compares the
 * counts: it would notice a runner that takes a failure for a success, and that the two differ.
 */
#include <criterion/criterion.h>

#include <signal.h>
#include <unistd.h>

Test(passes, asserts)
{
        cr_assert(true);
        cr_assert_eq(1, 1, "%d is %d", 1, 1);
        cr_expect_str_eq("a", "a");
}

Test(passes, exit_code, .exit_code = 3)
{
        exit(3);
}

Test(passes, signal, .signal = SIGTERM)
{
        raise(SIGTERM);
}

static int prepared;

static void prepare(void)
{
        prepared = 1;
}

Test(passes, init, .init = prepare)
{
        cr_assert_eq(prepared, 1);
}

Test(fails, assert)
{
        cr_assert(false);
}

Test(fails, assert_with_text)
{
        cr_assert_lt(2, 1, "text %d", 1);
}

Test(fails, strings)
{
        cr_assert_str_eq("a", "b");
}

Test(fails, expect)
{
        cr_expect_null("");
        cr_expect(true);
}

Test(fails, crash)
{
        raise(SIGKILL);
}

Test(fails, exit_code_missing, .exit_code = 3)
{
        cr_assert(true);
}

Test(fails, exit_code_unexpected)
{
        exit(1);
}

Test(fails, signal_missing, .signal = SIGTERM)
{
        cr_assert(true);
}

Test(fails, timeout, .timeout = 0.2)
{
        for (;;)
                pause();
}

Test(skips, by_itself)
{
        cr_skip_test("because");
}

Test(skips, disabled, .disabled = true)
{
        cr_assert(false);
}
