/* SPDX-License-Identifier: MIT
 *
 * A seeded bug, for AddressSanitizer's leak check and for valgrind: memory that nothing points at.
 */
#include <criterion/criterion.h>

static void *volatile kept;

Test(seeded, leak)
{
        for (int i = 0; i < 100; i++)
                kept = malloc(1000);
        free(kept);
        kept = NULL;
}
