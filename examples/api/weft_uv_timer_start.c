/* SPDX-License-Identifier: MIT
 *
 * The example of weft_uv_timer_start(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/uv.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static weft_uv_timer timer;
static int fired, right, closed;

static void on_close(uv_handle_t *handle)
{
        (void)handle;
        closed = strcmp(weft_get(&user), "ada") == 0;
}

static void on_timer(uv_timer_t *handle)
{
        (void)handle;
        right += strcmp(weft_get(&user), "ada") == 0;
        if (++fired == 3) {
                weft_uv_timer_stop(&timer);
                weft_uv_timer_close(&timer, on_close); /* registered here: for ada */
        }
}

int main(void)
{
        uv_loop_t loop;
        uv_loop_init(&loop);
        int r = weft_uv_timer_init(&loop, &timer);
        assert(r == 0);
        WEFT_WITH (&user, "ada") {
                r = weft_uv_timer_start(&timer, on_timer, 1, 1);
                assert(r == 0);
        }
        r = uv_run(&loop, UV_RUN_DEFAULT);
        assert(r == 0 && fired == 3 && right == 3 && closed);
        uv_loop_close(&loop);
        return 0;
}
