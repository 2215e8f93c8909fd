/* SPDX-License-Identifier: MIT
 *
 * Blocks as tasks: what they capture is there when they run, their result comes back, and they see
 * the context of whoever submitted them.
 */
#include <weft/weft.h>

#include <stdatomic.h>
#include <stdio.h>

static weft_var who = WEFT_VAR_INIT("who");
static atomic_int sum;

int main(void)
{
        weft_pool *pool;
        weft_task *task;
        int seven = 7, result = 0;

        if (weft_pool_create(&pool, NULL) < 0)
                return 1;
        WEFT_WITH (&who, &seven) {
                weft_submit_block(pool, ^{
                  atomic_fetch_add(&sum, seven + *(int *)weft_get(&who));
                  return 0;
                });
                if (weft_spawn_block(pool, &task, ^{
                      return seven * 6;
                    }) == 0) {
                        result = weft_await(task, WEFT_FOREVER);
                        weft_task_unref(task);
                }
        }
        weft_pool_destroy(pool);
        if (sum == 14 && result == 42)
                return 0;
        fprintf(stderr, "sum %d, result %d\n", sum, result);
        return 1;
}
