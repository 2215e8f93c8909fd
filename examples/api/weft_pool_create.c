/* SPDX-License-Identifier: MIT
 *
 * The example of weft_pool_create(3).
 */
#include <assert.h>
#include <stdatomic.h>
#include <weft/weft.h>

static atomic_int started, stopped, run;

static void on_start(unsigned worker, void *count)
{
        (void)worker;
        atomic_fetch_add((atomic_int *)count, 1);
}

static void on_stop(unsigned worker, void *count)
{
        (void)worker, (void)count;
        atomic_fetch_add(&stopped, 1);
}

static int work(void *unused)
{
        (void)unused;
        return atomic_fetch_add(&run, 1);
}

int main(void)
{
        weft_pool_options options = {.size = sizeof(options), .workers = 2, .name = "db"};
        options.on_start = on_start;
        options.on_stop = on_stop;
        options.hook_arg = &started;
        weft_pool *pool = NULL;
        int r = weft_pool_create(&pool, &options);
        assert(r == 0 && started == 2 && weft_pool_workers(pool) == 2);

        for (int i = 0; i < 100; i++) {
                r = weft_submit(pool, work, NULL);
                assert(r == 0);
        }
        pool = weft_pool_destroy(pool); /* runs them all first */
        assert(pool == NULL && run == 100 && stopped == 2);
        return 0;
}
