/* SPDX-License-Identifier: MIT
 *
 * The fork/join kernels as cases of a program of rival.h: a system says how it runs a kernel, and
 * all else is done here. Its data is made once, and not timed, nor is its check.
 */
#ifndef WEFT_PERF_FORKJOIN_H
#define WEFT_PERF_FORKJOIN_H

#include "../kernels/kernels.h"
#include "rival.h"

#ifdef __cplusplus
extern "C" {
#endif

struct forkjoin {
        struct rival rival;
        void (*run)(enum kernel_id id, void *data); /* all of the kernel's work, on all workers */
};

int forkjoin_main(int argc, char **argv, const struct forkjoin *system);

#ifdef __cplusplus
}
#endif

#endif
