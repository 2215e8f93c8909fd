/* SPDX-License-Identifier: MIT
 *
 * Put before every source of the coverage build: a process that leaves by _exit() or abort(), as
 * the children of fork() in the tests do, and the library where it must not return, writes first
 * what it has covered; so does the copy in which a dump looks around, which leaves past the C
 * library. (What another signal ends is not counted.)
 */
#ifndef TESTS_COVERAGE_LEAVE_H
#define TESTS_COVERAGE_LEAVE_H

#if !defined(__ASSEMBLER__)
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif
void __llvm_profile_initialize_file(void); /* it may not have begun yet: a constructor may leave */
int __llvm_profile_write_file(void);
void __llvm_profile_reset_counters(void);
#ifdef __cplusplus
}
#endif

static inline __attribute__((noreturn)) void coverage_leave(int status)
{
        __llvm_profile_initialize_file();
        __llvm_profile_write_file();
        _exit(status);
}

static inline __attribute__((noreturn)) void coverage_abort(void)
{
        __llvm_profile_initialize_file();
        __llvm_profile_write_file();
        abort();
}

static inline long coverage_exit_group(void)
{
        __llvm_profile_initialize_file();
        __llvm_profile_write_file();
        return __NR_exit_group;
}

/* What destructors do is written last of all, by whichever source's function is linked: counted
 * from when the runtime has written the rest, since what is in the file is added to. Neither is
 * counted itself: each source has its record of it. */
#define COVERAGE_ONCE weak, no_profile_instrument_function
__attribute__((weak)) int coverage_begun, coverage_ended;

__attribute__((COVERAGE_ONCE, constructor(101))) void coverage_begin(void);
__attribute__((COVERAGE_ONCE, constructor(101))) void coverage_begin(void)
{
        if (!coverage_begun++)
                atexit(__llvm_profile_reset_counters); /* before the runtime's, so run after it */
}

__attribute__((COVERAGE_ONCE, destructor(101))) void coverage_end(void);
__attribute__((COVERAGE_ONCE, destructor(101))) void coverage_end(void)
{
        if (!coverage_ended++)
                __llvm_profile_write_file();
}

#define _exit(status) coverage_leave(status)
#undef SYS_exit_group
#define SYS_exit_group coverage_exit_group()
#define abort()        coverage_abort()
#endif

#endif
