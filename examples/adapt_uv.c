/* SPDX-License-Identifier: MIT
 *
 * A libuv program: work on libuv's threads for ada and grace, a timer that fires again and again
 * for edith, and an async handle that ends it.
 */
#include <stdio.h>
#include <weft/adapt/uv.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static weft_uv_timer timer;
static weft_uv_async stop;
static int ticks;

static const char *who(void)
{
        return weft_get(&user);
}

static void work(uv_work_t *req)
{
        req->data = weft_get(&user);
}

static void worked(uv_work_t *req, int status)
{
        printf("work of %s, reported to %s: %d\n", (char *)req->data, who(), status);
}

static void tick(uv_timer_t *handle)
{
        (void)handle;
        printf("tick: %s\n", who());
        if (++ticks == 3)
                uv_async_send(&stop.handle);
}

static void stops(uv_async_t *handle)
{
        (void)handle;
        printf("stop: %s\n", who());
        weft_uv_timer_close(&timer, NULL);
        weft_uv_async_close(&stop, NULL);
}

int main(void)
{
        static weft_uv_work first, second;
        uv_loop_t *loop = uv_default_loop();
        int error = weft_uv_timer_init(loop, &timer) < 0;
        WEFT_WITH (&user, "ada") {
                error |= weft_uv_async_init(loop, &stop, stops) < 0;
                error |= weft_uv_queue_work(loop, &first, work, worked) < 0;
        }
        WEFT_WITH (&user, "grace")
                error |= weft_uv_queue_work(loop, &second, work, worked) < 0;
        WEFT_WITH (&user, "edith")
                error |= weft_uv_timer_start(&timer, tick, 10, 10) < 0;
        return error || uv_run(loop, UV_RUN_DEFAULT) || uv_loop_close(loop);
}
