/* SPDX-License-Identifier: MIT
 *
 * The example of weft_pool_shutdown(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int waits_for_ever(void *unused)
{
        (void)unused;
        return weft_sleep_until(WEFT_FOREVER);
}

int main(void)
{
        weft_pool *pool = NULL;
        weft_task *t = NULL;
        int r = weft_pool_create(&pool, NULL);
        assert(r == 0);
        r = weft_spawn(pool, &t, waits_for_ever, NULL);
        assert(r == 0);

        r = weft_pool_shutdown(pool, WEFT_DRAIN, weft_now() + 10000000);
        assert(r == -ETIMEDOUT); /* after 10 ms */
        r = weft_submit(pool, waits_for_ever, NULL);
        assert(r == -ESHUTDOWN);
        r = weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER);
        assert(r == 0);

        int result = 0;
        r = weft_task_result(t, &result); /* the handle is good still */
        assert(r == 0 && result == -ECANCELED);
        weft_task_unref(t);
        weft_pool_destroy(pool);
        return 0;
}
