/* SPDX-License-Identifier: MIT
 *
 * The example of weft_sleep_until(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int nap(void *unused)
{
        (void)unused;
        int64_t begin = weft_now();
        int r = weft_sleep_until(begin + 2000000); /* 2 ms */
        return r < 0 ? r : weft_now() - begin >= 2000000;
}

int main(void)
{
        weft_group group;
        int result[100];
        int r = weft_group_init(&group, NULL);
        assert(r == 0);
        for (int i = 0; i < 100; i++) { /* all sleep at once, and hold up no worker */
                r = weft_group_spawn_into(&group, &result[i], nap, NULL);
                assert(r == 0);
        }
        r = weft_group_wait(&group, WEFT_FOREVER);
        assert(r == 0);
        for (int i = 0; i < 100; i++)
                assert(result[i] == 1);
        weft_group_fini(&group);

        r = weft_sleep_until(0); /* which has passed */
        assert(r == 0);
        return 0;
}
