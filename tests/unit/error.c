/* SPDX-License-Identifier: MIT
 *
 * include/weft/error.h: every code of the table has its name and message, and what is not in the
 * table is told from what is.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <weft/error.h>

Test(error, names_every_code_of_the_table_with_either_sign)
{
#define X(code, message)                                                                           \
        cr_assert_str_eq(weft_err_name(-code), #code);                                             \
        cr_assert_str_eq(weft_err_name(code), #code);
        WEFT_ERRORS(X)
#undef X
}

Test(error, explains_every_code_of_the_table_with_either_sign)
{
#define X(code, message)                                                                           \
        cr_assert_str_eq(weft_strerror(-code), message);                                           \
        cr_assert_str_eq(weft_strerror(code), message);
        WEFT_ERRORS(X)
#undef X
}

Test(error, the_table_names_no_code_twice)
{
        static const int codes[] = {
#define X(code, message) code,
            WEFT_ERRORS(X)
#undef X
        };
        size_t n = sizeof(codes) / sizeof(*codes);
        for (size_t i = 0; i < n; i++)
                for (size_t j = i + 1; j < n; j++)
                        cr_assert(codes[i] != codes[j]);
}

Test(error, zero_is_success_and_has_no_name)
{
        cr_assert_str_eq(weft_strerror(0), "success");
        cr_assert(weft_err_name(0) == NULL);
}

Test(error, a_code_of_the_system_has_its_message_but_no_name)
{
        cr_assert(weft_err_name(-ENOTDIR) == NULL);
        cr_assert_str_eq(weft_strerror(-ENOTDIR), "Not a directory");
}

Test(error, a_code_of_nobody_is_unknown)
{
        cr_assert(weft_err_name(-99999) == NULL);
        cr_assert_str_eq(weft_strerror(-99999), "unknown error");
        cr_assert(weft_err_name(INT_MIN) == NULL);
        cr_assert_str_eq(weft_strerror(INT_MIN), "unknown error");
}

Test(error, asking_does_not_touch_errno)
{
        errno = EXDEV;
        weft_strerror(-99999);
        weft_strerror(-ENOTDIR);
        weft_err_name(-12345);
        cr_assert_eq(errno, EXDEV);
}
