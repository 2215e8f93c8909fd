/* SPDX-License-Identifier: MIT
 *
 * The example of weft_pool_default(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int is_default(void *unused)
{
        (void)unused;
        return weft_pool_current() == weft_pool_default();
}

int main(void)
{
        assert(weft_pool_current() == NULL); /* this is no worker */
        weft_pool *pool = weft_pool_default();
        assert(pool != NULL && pool == weft_pool_default());
        assert(weft_pool_workers(NULL) == weft_pool_workers(pool));
        assert(weft_pool_workers(pool) >= 1);

        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, is_default, NULL);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 1);
        weft_task_unref(t);
        return 0;
}
