/* SPDX-License-Identifier: MIT
 *
 * The example of weft_semaphore_wait(3).
 */
#include <assert.h>
#include <stdatomic.h>
#include <weft/weft.h>

static weft_semaphore connections;
static atomic_int inside, most;

static int query(void *unused)
{
        (void)unused;
        int r = weft_semaphore_wait(&connections, WEFT_FOREVER);
        if (r < 0)
                return r;
        int n = atomic_fetch_add(&inside, 1) + 1, seen = most;
        while (n > seen && !atomic_compare_exchange_weak(&most, &seen, n))
                ;
        weft_yield();
        atomic_fetch_sub(&inside, 1);
        return weft_semaphore_post(&connections);
}

int main(void)
{
        weft_semaphore_init(&connections, 3);
        weft_group group;
        int r = weft_group_init(&group, NULL);
        assert(r == 0);
        for (int i = 0; i < 100; i++) {
                r = weft_group_spawn(&group, query, NULL);
                assert(r == 0);
        }
        r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        assert(r == 0 && most >= 1 && most <= 3);

        for (int i = 0; i < 3; i++) {
                r = weft_semaphore_wait(&connections, 0); /* a try */
                assert(r == 0);
        }
        r = weft_semaphore_wait(&connections, 0);
        assert(r == -ETIMEDOUT);
        return 0;
}
