/* SPDX-License-Identifier: MIT
 *
 * The example of weft_group_init(3).
 */
#include <assert.h>
#include <weft/weft.h>

/* Asks one of several servers; this one takes so long. */
static int ask(void *milliseconds)
{
        int ms = *(const int *)milliseconds;
        int r = weft_sleep_until(weft_now() + ms * INT64_C(1000000));
        return r < 0 ? r : ms;
}

int main(void)
{
        static const int fast = 1, slow = 60000;
        weft_group all, first;
        int r = weft_group_init(&all, NULL);
        assert(r == 0);
        r = weft_group_spawn(&all, ask, (void *)&fast);
        assert(r == 0);
        r = weft_group_wait(&all, WEFT_FOREVER);
        assert(r == 0); /* all have ended, none with an error */
        weft_group_fini(&all);

        r = weft_group_init_until(&first, NULL, WEFT_FIRST_DONE);
        assert(r == 0);
        r = weft_group_spawn(&first, ask, (void *)&slow);
        assert(r == 0);
        r = weft_group_spawn(&first, ask, (void *)&fast);
        assert(r == 0);
        r = weft_group_wait(&first, WEFT_FOREVER);
        assert(r == 1); /* that of the fast one; the other was cancelled */
        weft_group_fini(&first);
        return 0;
}
