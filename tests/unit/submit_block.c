/* SPDX-License-Identifier: MIT
 *
 * Blocks as tasks: weft_submit_block() and weft_spawn_block(). Skipped where the compiler has no
 * blocks (anything but clang -fblocks).
 */
#include "pool_help.h"

#if defined(__BLOCKS__)

static weft_var who = WEFT_VAR_INIT("who");

Test(submit_block, runs_with_what_it_captured_and_in_the_context_of_the_submit, .timeout = 30)
{
        weft_pool *pool = begin(1);
        __block atomic_int sum = 0;
        int number = 40;

        WEFT_WITH (&who, V(2)) {
                cr_assert_eq(weft_submit_block(pool,
                                               ^{
                                                 sum += number + N(weft_get(&who));
                                                 return 0;
                                               }),
                             0);
        }
        number = 0;
        finish(pool);
        cr_assert_eq(atomic_load(&sum), 42);
}

Test(submit_block, spawned_block_gives_its_result, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;
        int number = 41;

        cr_assert_eq(weft_spawn_block(pool, &t,
                                      ^{
                                        return number + 1;
                                      }),
                     0);
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 42);
        weft_task_unref(t);
        finish(pool);
}

Test(submit_block, no_block_is_an_error, .timeout = 30)
{
        weft_pool *pool = begin(1);
        weft_task *t;

        cr_assert_eq(weft_submit_block(pool, NULL), -EINVAL);
        cr_assert_eq(weft_spawn_block(pool, &t, NULL), -EINVAL);
        finish(pool);
}

#else

Test(submit_block, needs_a_compiler_with_blocks, .timeout = 30)
{
        cr_skip_test("built without blocks");
}

#endif
