/* SPDX-License-Identifier: MIT
 *
 * libuv: queued work, timers and async handles run their callbacks in the context of the
 * registration, every time, and hold it exactly as long as they may be called.
 */
#include <stdlib.h>

#include <weft/adapt/uv.h>

#include "check.h"

static uv_loop_t loop;
static int calls, closed, afters;

static void begin(void)
{
        calls = closed = afters = 0;
        CHECK(uv_loop_init(&loop) == 0);
}

/* Runs what there is as grace, to its end. */
static void end(void)
{
        WEFT_WITH (&user, grace) {
                CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
                CHECK(is(grace));
        }
        CHECK(held() == 0);
        CHECK(uv_loop_close(&loop) == 0);
}

/* In each callback but a work's: as ada, and not for the next one. */
static void look(void)
{
        CHECK(came(ada));
        CHECK(weft_set(&user, grace, NULL) == 0);
}

static void on_close(uv_handle_t *handle)
{
        CHECK(handle->data == &calls);
        look();
        closed++;
}

/* ---- work ---- */

enum { WORKS = 50 };

static char *who[] = {ada, grace, nobody};

static void run_work(uv_work_t *req)
{
        CHECK(is((char *)req->data));
        CHECK(weft_set(&user, ada, NULL) == 0); /* after_work() would find it */
        __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

static void after_work(uv_work_t *req, int status)
{
        CHECK(status == 0);
        CHECK(is((char *)req->data));
        CHECK(weft_set(&user, ada, NULL) == 0);
        afters++;
}

static void work(void)
{
        static weft_uv_work works[WORKS];
        begin();
        for (int i = 0; i < WORKS; i++) {
                works[i].req.data = who[i % 3];
                WEFT_WITH (&user, who[i % 3]) {
                        WEFT_WITH (&kept, ada)
                                CHECK(weft_uv_queue_work(&loop, &works[i], run_work,
                                                         i % 2 ? after_work : NULL) == 0);
                }
        }
        CHECK(held() == WORKS);
        end();
        CHECK(calls == WORKS);
        CHECK(afters == WORKS / 2);
}

/* Its second callback frees it the second time, and queues it anew the first time. */
static void after_again(uv_work_t *req, int status)
{
        weft_uv_work *w = (weft_uv_work *)req;
        after_work(req, status);
        if (afters == 2) {
                free(w);
                return;
        }
        req->data = grace;
        CHECK(weft_set(&user, grace, NULL) == 0);
        CHECK(weft_uv_queue_work(&loop, w, run_work, after_again) == 0);
}

static void work_again(void)
{
        weft_uv_work *w = malloc(sizeof(*w));
        begin();
        w->req.data = ada;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        CHECK(weft_uv_queue_work(&loop, w, run_work, after_again) == 0);
        }
        end();
        CHECK(calls == 2);
        CHECK(afters == 2);
}

static uv_sem_t gate;

static void wait_at_gate(uv_work_t *req)
{
        (void)req;
        uv_sem_wait(&gate);
}

static void after_cancel(uv_work_t *req, int status)
{
        CHECK(status == UV_ECANCELED);
        CHECK(is((char *)req->data));
        afters++;
}

/* Behind as much work as the pool has threads. */
static void work_cancelled(void)
{
        enum { THREADS = 4 };
        static weft_uv_work busy[THREADS], late;
        begin();
        uv_sem_init(&gate, 0);
        for (int i = 0; i < THREADS; i++)
                CHECK(weft_uv_queue_work(&loop, &busy[i], wait_at_gate, NULL) == 0);
        late.req.data = ada;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        CHECK(weft_uv_queue_work(&loop, &late, run_work, after_cancel) == 0);
        }
        CHECK(uv_cancel((uv_req_t *)&late.req) == 0);
        CHECK(held() == 1);
        for (int i = 0; i < THREADS; i++)
                uv_sem_post(&gate);
        end();
        uv_sem_destroy(&gate);
        CHECK(calls == 0);
        CHECK(afters == 1);
}

static void work_refused(void)
{
        static weft_uv_work w;
        begin();
        WEFT_WITH (&kept, ada)
                CHECK(weft_uv_queue_work(&loop, &w, NULL, after_work) == UV_EINVAL);
        CHECK(held() == 0);
        end();
}

/* ---- timers ---- */

static weft_uv_timer timer;

static void on_timer(uv_timer_t *handle)
{
        CHECK(handle->data == &calls);
        CHECK(held() == 1);
        look();
        calls++;
}

static void start_timer(uv_timer_cb fn, uint64_t timeout, uint64_t repeat)
{
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        CHECK(weft_uv_timer_start(&timer, fn, timeout, repeat) == 0);
        }
        CHECK(held() == 1);
}

static void close_timer(void)
{
        WEFT_WITH (&user, ada)
                weft_uv_timer_close(&timer, on_close);
        CHECK(held() == 0);
}

static void begin_timer(void)
{
        begin();
        CHECK(weft_uv_timer_init(&loop, &timer) == 0);
        timer.handle.data = &calls;
}

static void timer_once(void)
{
        begin_timer();
        start_timer(on_timer, 1, 0);
        CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
        CHECK(calls == 1);
        CHECK(held() == 0); /* it is not to fire again */
        close_timer();
        end();
        CHECK(closed == 1);
}

static void closes_third(uv_timer_t *handle)
{
        on_timer(handle);
        CHECK(weft_set(&user, ada, NULL) == 0);
        if (calls == 3)
                weft_uv_timer_close(&timer, on_close);
}

static void timer_repeats(void)
{
        begin_timer();
        start_timer(closes_third, 1, 1);
        end();
        CHECK(calls == 3);
        CHECK(closed == 1);
}

static void stops_third(uv_timer_t *handle)
{
        on_timer(handle);
        if (calls == 3)
                CHECK(weft_uv_timer_stop(&timer) == 0);
}

static void timer_stops(void)
{
        begin_timer();
        start_timer(stops_third, 1, 1);
        CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
        CHECK(calls == 3);
        CHECK(held() == 0);
        weft_uv_timer_close(&timer, NULL);
        end();
}

/* Restarted by itself, it is in the context that it had set. */
static void restarted(uv_timer_t *handle)
{
        CHECK(is(grace));
        (void)handle;
        calls++;
}

static void restarts(uv_timer_t *handle)
{
        on_timer(handle);
        CHECK(weft_uv_timer_start(&timer, restarted, 1, 0) == 0);
}

static void timer_restarts(void)
{
        begin_timer();
        start_timer(restarts, 1, 0);
        CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
        CHECK(calls == 2);
        CHECK(held() == 0);
        weft_uv_timer_close(&timer, NULL);
        end();
}

/* Restarted before it fires, closed before it fires, refused. */
static void timer_replaced(void)
{
        begin_timer();
        start_timer(on_timer, 100000, 0);
        start_timer(on_timer, 100000, 0);
        WEFT_WITH (&kept, grace)
                CHECK(weft_uv_timer_start(&timer, NULL, 1, 1) == UV_EINVAL);
        CHECK(held() == 1);
        uv_timer_set_repeat(&timer.handle, 1);
        CHECK(uv_timer_again(&timer.handle) == 0);
        CHECK(uv_run(&loop, UV_RUN_ONCE) != 0);
        int fired = calls; /* twice, if it took long */
        CHECK(fired >= 1);
        close_timer();
        WEFT_WITH (&kept, grace)
                CHECK(weft_uv_timer_start(&timer, on_timer, 1, 1) == UV_EINVAL);
        CHECK(held() == 0);
        CHECK(weft_uv_timer_stop(&timer) == 0);
        end();
        CHECK(calls == fired);
        CHECK(closed == 1);
}

/* ---- async handles ---- */

static weft_uv_async async;

static void on_async(uv_async_t *handle)
{
        CHECK(handle->data == &calls);
        CHECK(held() == 1);
        look();
        if (++calls < 3) {
                CHECK(uv_async_send(handle) == 0);
                return;
        }
        CHECK(weft_set(&user, ada, NULL) == 0);
        weft_uv_async_close(&async, on_close);
}

static void send_once(void *arg)
{
        (void)arg;
        WEFT_WITH (&user, grace)
                CHECK(uv_async_send(&async.handle) == 0);
}

static void async_sent(void)
{
        uv_thread_t sender;
        begin();
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        CHECK(weft_uv_async_init(&loop, &async, on_async) == 0);
        }
        CHECK(held() == 1);
        async.handle.data = &calls;
        CHECK(uv_thread_create(&sender, send_once, NULL) == 0);
        end();
        CHECK(uv_thread_join(&sender) == 0);
        CHECK(calls == 3);
        CHECK(closed == 1);
}

static void async_unsent(void)
{
        begin();
        WEFT_WITH (&kept, ada) {
                CHECK(weft_uv_async_init(&loop, &async, on_async) == 0);
        }
        weft_uv_async_close(&async, NULL);
        CHECK(held() == 0);
        end();
        CHECK(calls == 0);
}

static const struct test tests[] = {
    {"queued work, and what comes after it", work},
    {"work that is queued anew and freed by its callback", work_again},
    {"work that is cancelled before it runs", work_cancelled},
    {"work that is refused", work_refused},
    {"a timer that fires once", timer_once},
    {"a timer that repeats and closes itself", timer_repeats},
    {"a timer that repeats and stops itself", timer_stops},
    {"a timer that restarts itself", timer_restarts},
    {"a timer that is replaced, run again, closed", timer_replaced},
    {"an async handle", async_sent},
    {"an async handle that is never sent to", async_unsent},
};

int main(void)
{
        int failed = RUN_TESTS(tests);
        uv_library_shutdown();
        return failed;
}
