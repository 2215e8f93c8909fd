/* SPDX-License-Identifier: MIT
 *
 * A seeded bug, for UndefinedBehaviorSanitizer: a signed sum that overflows.
 */
#include <criterion/criterion.h>

#include <limits.h>

static volatile int most = INT_MAX;

Test(seeded, overflow)
{
        int next = most + 1;

        cr_log_info("%d", next);
}
