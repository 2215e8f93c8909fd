/* SPDX-License-Identifier: MIT
 *
 * The example of weft_record_start(3).
 */
#include <assert.h>
#include <stdio.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user");

static int waits_a_moment(void *unused)
{
        (void)unused;
        return weft_sleep_until(weft_now() + 1000000);
}

int main(void)
{
        weft_pool *pool = NULL;
        weft_record *record = NULL;
        const weft_record_options o = {.size = sizeof(o), .var = &user};
        int r = weft_pool_create(&pool, NULL);
        assert(r == 0);
        r = weft_record_start(pool, &record, &o);
        assert(r == 0);

        for (intptr_t i = 1; i <= 10; i++) {
                r = weft_set(&user, (void *)i, NULL);
                assert(r == 0);
                r = weft_submit(pool, waits_a_moment, NULL);
                assert(r == 0);
        }
        r = weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER);
        assert(r == 0);

        r = weft_record_stop(record);
        assert(r == 0 && weft_record_dropped(record) == 0);
        r = weft_record_write(record, stdout, WEFT_RECORD_JSON);
        assert(r == 0);
        weft_record_destroy(record);
        weft_pool_destroy(pool);
        return 0;
}
