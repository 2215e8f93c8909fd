/* SPDX-License-Identifier: MIT
 *
 * Put before every source of the coverage build: a process that leaves by _exit() or abort(), as
 * the children of fork() in the tests do, and the library where it must not return, writes first
 * what it has covered. (What another signal ends is not counted.)
 */
#ifndef TESTS_COVERAGE_LEAVE_H
#define TESTS_COVERAGE_LEAVE_H

#if !defined(__ASSEMBLER__)
#include <stdlib.h>
#include <unistd.h>

void __llvm_profile_initialize_file(void); /* it may not have begun yet: a constructor may leave */
int __llvm_profile_write_file(void);

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

#define _exit(status) coverage_leave(status)
#define abort()       coverage_abort()
#endif

#endif
