/* SPDX-License-Identifier: MIT
 *
 * The fork/join kernels by weft: weft_fork() and weft_join() of function pointers.
 */
#include "../kernels/weft.h"
#include "forkjoin_weft_pool.h"

int main(int argc, char **argv)
{
        return forkjoin_weft_main(argc, argv, "", kernels_weft);
}
