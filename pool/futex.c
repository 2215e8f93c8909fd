/* SPDX-License-Identifier: MIT
 *
 * futex(2), with absolute deadlines.
 */
#include "futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <weft/pool.h>

void weft__futex_wait(atomic_uint *word, unsigned expected, int64_t deadline)
{
        struct timespec at, *until = NULL;
        int saved = errno;
        if (deadline != WEFT_FOREVER) {
                if (deadline < 0)
                        deadline = 0;
                at.tv_sec = deadline / 1000000000;
                at.tv_nsec = deadline % 1000000000;
                until = &at;
        }
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, until, NULL,
                FUTEX_BITSET_MATCH_ANY);
        errno = saved;
}

/* The word may be gone: whoever waited there may have seen what it waited for and gone on. The
 * kernel takes an address here and does not look what is there; tests/run/valgrind.supp says so. */
void weft__futex_wake(atomic_uint *word, int n)
{
        int saved = errno;
        syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
        errno = saved;
}
