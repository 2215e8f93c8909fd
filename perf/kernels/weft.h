/* SPDX-License-Identifier: MIT
 *
 * The kernels for weft, with weft_fork() and weft_join() of function pointers, and by WEFT_JOB_OF.
 * Used by weft-perf and by the programs that are compared with other systems, so they do the very
 * same. A kernel is run by a task of a pool whose stacks have KERNEL_STACK bytes, with the kernel's
 * data as its argument.
 */
#ifndef WEFT_PERF_KERNELS_WEFT_H
#define WEFT_PERF_KERNELS_WEFT_H

#include <weft/weft.h>

#include "kernels.h"
#include "uts.h"

enum { KERNEL_STACK = UTS_STACK };

extern weft_fn *const kernels_weft[KERNELS], *const kernels_weft_typed[KERNELS];

#endif
