/* SPDX-License-Identifier: MIT
 *
 * The list of the kernels, with the results that are published: see kernels.h.
 */
#include "kernels.h"

#include "cilksort.h"
#include "fib.h"
#include "irregular.h"
#include "matmul.h"
#include "nqueens.h"
#include "skynet.h"
#include "uts.h"

const struct kernel kernels[KERNELS] = {
    [KERNEL_FIB] = {"fib", 33, 25, 40, 102334155, fib_make, fib_ready, fib_serial, fib_check},
    [KERNEL_NQUEENS] = {"nqueens", 12, 9, 12, 14200, nqueens_make, nqueens_ready, nqueens_serial,
                        nqueens_check},
    [KERNEL_UTS_T1] = {"uts-t1", 9, 6, 10, 4130071, uts_make_t1, uts_ready, uts_serial, uts_check},
    [KERNEL_UTS_T3] = {"uts-t3", 2000, 100, 2000, 4112897, uts_make_t3, uts_ready, uts_serial,
                       uts_check},
    [KERNEL_CILKSORT] = {"cilksort", 1 << 20, 1 << 16, 0, 0, cilksort_make, cilksort_ready,
                         cilksort_serial, cilksort_check},
    [KERNEL_MATMUL] = {"matmul", 1024, 256, 0, 0, matmul_make, matmul_ready, matmul_serial,
                       matmul_check},
    [KERNEL_SKYNET] = {"skynet", 10000000, 100000, 1000000, 499999500000, skynet_make, skynet_ready,
                       skynet_serial, skynet_check},
    [KERNEL_IRREGULAR] = {"irregular", 300000, 20000, 0, 0, irregular_make, irregular_ready,
                          irregular_serial, irregular_check},
};
