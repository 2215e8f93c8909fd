/* SPDX-License-Identifier: MIT
 *
 * The example of weft_pool_stats(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int nothing(void *unused)
{
        (void)unused;
        return 0;
}

int main(void)
{
        weft_pool *pool = NULL;
        int r = weft_pool_create(&pool, NULL);
        assert(r == 0);
        for (int i = 0; i < 1000; i++) {
                r = weft_submit(pool, nothing, NULL);
                assert(r == 0);
        }
        r = weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER);
        assert(r == 0);

        struct weft_pool_stats stats = {.size = sizeof(stats)};
        r = weft_pool_stats(pool, &stats);
        assert(r == 0);
        assert(stats.submitted == 1000 && stats.run == 1000);
        assert(stats.cancelled == 0 && stats.queued == 0 && stats.missed == 0);
        weft_pool_destroy(pool);
        return 0;
}
