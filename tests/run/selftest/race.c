/* SPDX-License-Identifier: MIT
 *
 * A seeded bug, for ThreadSanitizer: two threads that write one variable.
 */
#include <criterion/criterion.h>

#include <pthread.h>

static int shared;

static void *count(void *unused)
{
        for (int i = 0; i < 100000; i++)
                shared++;
        return unused;
}

Test(seeded, race)
{
        pthread_t other;

        cr_assert_eq(pthread_create(&other, NULL, count, NULL), 0);
        count(NULL);
        cr_assert_eq(pthread_join(other, NULL), 0);
        cr_log_info("%d", shared);
}
