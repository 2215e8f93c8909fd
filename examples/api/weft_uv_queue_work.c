/* SPDX-License-Identifier: MIT
 *
 * The example of weft_uv_queue_work(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/uv.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static int worked, ended;

static void work(uv_work_t *req) /* on a thread of libuv's */
{
        worked = strcmp(weft_get(&user), req->data) == 0;
        weft_set(&user, "eve", NULL); /* for this call alone */
}

static void after(uv_work_t *req, int status) /* on the loop's */
{
        ended = status == 0 && strcmp(weft_get(&user), req->data) == 0;
}

int main(void)
{
        uv_loop_t loop;
        weft_uv_work request = {.req.data = "ada"};
        uv_loop_init(&loop);
        WEFT_WITH (&user, "ada") {
                int r = weft_uv_queue_work(&loop, &request, work, after);
                assert(r == 0);
        }
        int r = uv_run(&loop, UV_RUN_DEFAULT);
        assert(r == 0 && worked && ended);
        uv_loop_close(&loop);
        return 0;
}
