/* SPDX-License-Identifier: MIT
 *
 * The fork/join kernels by weft: jobs of their own types (WEFT_JOB_OF).
 */
#include "../kernels/weft.h"
#include "forkjoin_weft_pool.h"

int main(int argc, char **argv)
{
        return forkjoin_weft_main(argc, argv, ", typed", kernels_weft_typed);
}
