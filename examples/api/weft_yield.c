/* SPDX-License-Identifier: MIT
 *
 * The example of weft_yield(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static char line[16]; /* of one worker's tasks: no lock is needed */

static int write_twice(void *letter)
{
        strcat(line, letter);
        int r = weft_yield();
        strcat(line, letter);
        return r;
}

static int begin(void *unused)
{
        (void)unused;
        weft_group group;
        int r = weft_group_init(&group, NULL);
        if (r < 0)
                return r;
        r = weft_group_spawn(&group, write_twice, "a");
        if (r == 0)
                r = weft_group_spawn(&group, write_twice, "b");
        if (r == 0)
                r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        return r;
}

int main(void)
{
        weft_pool_options options = {.workers = 1};
        weft_pool *pool = NULL;
        int r = weft_pool_create(&pool, &options);
        assert(r == 0);
        weft_task *t = NULL;
        r = weft_spawn(pool, &t, begin, NULL);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 0);
        weft_task_unref(t);
        weft_pool_destroy(pool);
        assert(strcmp(line, "abab") == 0 || strcmp(line, "baba") == 0);

        r = weft_yield(); /* on any other thread: sched_yield() */
        assert(r == 0);
        return 0;
}
