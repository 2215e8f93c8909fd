/* SPDX-License-Identifier: MIT
 *
 * The fork/join kernels: well-known programs that split their work in two or more until little is
 * left. What they compute is written once, here: a header a kernel has its data, how a piece of it
 * is split and what a last piece costs; its .c file has the serial form. What differs from system
 * to system is only how a part is handed to others and waited for: a file a system, which is a
 * table of functions in the order of enum kernel_id (weft.h, ../rivals/forkjoin_*).
 *
 * No kernel has a cut-off other than its own last pieces, which are the same for every system: fib,
 * nqueens, uts and skynet go down to single nodes, cilksort to 2,048 elements, matmul to blocks of
 * 32 x 32, irregular to leaves whose work is uneven.
 */
#ifndef WEFT_PERF_KERNELS_H
#define WEFT_PERF_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum kernel_id {
        KERNEL_FIB,
        KERNEL_NQUEENS,
        KERNEL_UTS_T1,
        KERNEL_UTS_T3,
        KERNEL_CILKSORT,
        KERNEL_MATMUL,
        KERNEL_SKYNET,
        KERNEL_IRREGULAR,
        KERNELS,
};

struct kernel {
        const char *name;
        size_t size;      /* the usual one: 50 to 200 ms of work, but for uts-t3 (see uts.h) */
        size_t quick;     /* one of a few ms, to see that all works */
        size_t published; /* the size that others publish the result of; 0: none */
        uint64_t result;  /* that result */

        void *(*make)(size_t size);    /* the data; NULL: there is no such size. Freed by free() */
        void (*ready)(void *data);     /* before each run; not timed */
        void (*serial)(void *data);    /* the work, as plain calls */
        uint64_t (*check)(void *data); /* after each run: what it computed; not timed */
};

extern const struct kernel kernels[KERNELS];

#ifdef __cplusplus
}
#endif

#endif
