/* SPDX-License-Identifier: MIT
 *
 * weft's programs of the fork/join kernels, a program for each form of fork and join: they differ
 * in the table of functions alone, and have the pool in common, and the vars that are bound.
 */
#ifndef WEFT_PERF_FORKJOIN_WEFT_POOL_H
#define WEFT_PERF_FORKJOIN_WEFT_POOL_H

#include <weft/weft.h>

#include "forkjoin.h"

/* The program: what is added to weft's name for the form ("", ", typed"), and its functions in the
 * order of enum kernel_id. */
int forkjoin_weft_main(int argc, char **argv, const char *form, weft_fn *const kernel[KERNELS]);

#endif
