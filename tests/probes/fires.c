/* SPDX-License-Identifier: MIT
 *
 * What tests/probes/run looks at with gdb: one task that waits once, and one that is cancelled
 * before it starts. On one worker, so that what is printed has one order.
 */
#include <stdio.h>

#include <weft/weft.h>

enum { RESULT = 7 };

int waits(void *arg);
int never_runs(void *arg);

int waits(void *arg)
{
        (void)arg;
        weft_sleep_until(weft_now() + 1000000);
        return RESULT;
}

int never_runs(void *arg)
{
        (void)arg;
        return 0;
}

int main(void)
{
        weft_pool *pool;
        weft_task *task, *later;
        const weft_pool_options one = {.size = sizeof(one), .workers = 1};
        if (weft_pool_create(&pool, &one) < 0)
                return 1;
        printf("pool %p\n", (void *)pool);
        fflush(stdout);
        if (weft_spawn(pool, &task, waits, (void *)0x51) < 0 ||
            weft_await(task, WEFT_FOREVER) != RESULT || weft_submit(pool, never_runs, NULL) < 0 ||
            weft_spawn_at(pool, &later, WEFT_FOREVER, 0, never_runs, (void *)0x52) < 0)
                return 1;
        weft_task_cancel(later);
        weft_task_unref(later);
        weft_task_unref(task);
        weft_pool_destroy(pool);
        return 0;
}
