/* SPDX-License-Identifier: MIT
 *
 * The example of weft_uv_async_init(3).
 */
#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <weft/adapt/uv.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static weft_uv_async async;
static int called;

static void on_sent(uv_async_t *handle)
{
        (void)handle;
        called = strcmp(weft_get(&user), "ada") == 0;
        weft_uv_async_close(&async, NULL);
}

static void *sender(void *unused)
{
        (void)unused;
        uv_async_send(&async.handle); /* from any thread */
        return NULL;
}

int main(void)
{
        uv_loop_t loop;
        pthread_t thread;
        uv_loop_init(&loop);
        WEFT_WITH (&user, "ada") {
                int r = weft_uv_async_init(&loop, &async, on_sent);
                assert(r == 0);
        }
        int r = pthread_create(&thread, NULL, sender, NULL);
        assert(r == 0);
        r = uv_run(&loop, UV_RUN_DEFAULT);
        assert(r == 0 && called);
        pthread_join(thread, NULL);
        uv_loop_close(&loop);
        return 0;
}
