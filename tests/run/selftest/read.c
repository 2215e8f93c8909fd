/* SPDX-License-Identifier: MIT
 *
 * A seeded bug, for AddressSanitizer and for valgrind: a read of memory that was freed.
 */
#include <criterion/criterion.h>

static char *volatile freed;

Test(seeded, read)
{
        freed = calloc(1, 100);
        free(freed);
        cr_log_info("%d", freed[50]);
}
