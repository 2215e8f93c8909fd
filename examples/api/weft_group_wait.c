/* SPDX-License-Identifier: MIT
 *
 * The example of weft_group_wait(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int fail(void *unused)
{
        (void)unused;
        return -EBADF;
}

static int sleep_long(void *unused)
{
        (void)unused;
        return weft_sleep_until(WEFT_FOREVER);
}

int main(void)
{
        weft_group group;
        int r = weft_group_init(&group, NULL);
        assert(r == 0);
        r = weft_group_spawn(&group, sleep_long, NULL);
        assert(r == 0);
        r = weft_group_wait(&group, weft_now() + 1000000); /* 1 ms, at most */
        assert(r == -ETIMEDOUT);

        r = weft_group_spawn(&group, fail, NULL);
        assert(r == 0);
        r = weft_group_wait(&group, WEFT_FOREVER);
        assert(r == -EBADF); /* the first error, which has ended the sleeper */
        weft_group_fini(&group);

        r = weft_group_init(&group, NULL);
        assert(r == 0);
        r = weft_group_spawn(&group, sleep_long, NULL);
        assert(r == 0);
        r = weft_group_cancel(&group);
        assert(r == 0);
        r = weft_group_wait(&group, WEFT_FOREVER);
        assert(r == -ECANCELED);
        r = weft_group_spawn(&group, fail, NULL);
        assert(r == -ECANCELED); /* it stays cancelled */
        weft_group_fini(&group);
        return 0;
}
