/* SPDX-License-Identifier: MIT
 *
 * libuv callbacks that run in the context of their registration: queued work, timers, async
 * handles.
 *
 *   static weft_uv_timer timer;                      // &timer.handle is the uv_timer_t
 *   weft_uv_timer_init(loop, &timer);
 *   WEFT_WITH (&user, "ada")
 *           weft_uv_timer_start(&timer, on_timer, 1000, 1000);  // each time, user is "ada"
 *
 * Each type below is the one of libuv, as its first and only public member, with what the adapter
 * needs behind it. Callbacks are those of libuv, and are given that member; its `data` is yours.
 * What is not here is called on the member itself (uv_timer_set_repeat, uv_async_send, uv_unref,
 * uv_cancel), but a timer or async handle is started, stopped and closed by the functions here,
 * which hold and give back its context.
 *
 * A callback runs in a frame of its own, which starts from the context that was current at its
 * registration (C1); what it sets is gone when it returns (C2, C6). A close callback is registered
 * by the close.
 *
 * Ownership: the storage is the caller's, to be kept until the last callback has been called, as
 * for libuv; that one may free it. It holds one reference to the context: work until its second
 * callback has returned; a timer until it is stopped, restarted or closed, or has fired and is not
 * to fire again; an async handle until it is closed. Values go on the thread of the loop.
 *
 * Threads: all on the loop's thread, as in libuv, but for uv_async_send(&async.handle), which may
 * be called from any. Errors: those of libuv, which are negative errnos, and those of
 * weft_context_cross(); nothing is held after one. A close cannot fail: if the context cannot
 * cross, its callback runs in the empty one.
 */
#ifndef WEFT_ADAPT_UV_H
#define WEFT_ADAPT_UV_H

#include <uv.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

/* ---- work ---- */

typedef struct weft_uv_work {
        uv_work_t req;
        weft_context *weft__context;
        uv_work_cb weft__work;
        uv_after_work_cb weft__after; /* or NULL */
        int weft__status;
} weft_uv_work;

/* Private: the current context for a callback that cannot be refused; the empty one, rather, where
 * it cannot cross. */
static inline weft_context *weft_uv__cross(void)
{
        weft_context *context;
        return weft_context_cross(WEFT_BORDER_FOREIGN, &context) == 0 ? context : NULL;
}

/* Private. */
static inline int weft_uv__work_run(void *arg)
{
        weft_uv_work *work = (weft_uv_work *)arg;
        work->weft__work(&work->req);
        return 0;
}

static inline int weft_uv__work_after(void *arg)
{
        weft_uv_work *work = (weft_uv_work *)arg;
        work->weft__after(&work->req, work->weft__status);
        return 0;
}

static inline void weft_uv__work_taken(uv_work_t *req)
{
        weft_uv_work *work = (weft_uv_work *)req;
        weft_context_run(work->weft__context, weft_uv__work_run, work, NULL);
}

static inline void weft_uv__work_ended(uv_work_t *req, int status)
{
        weft_uv_work *work = (weft_uv_work *)req;
        weft_context *context =
            work->weft__context; /* the callback may queue it anew, or free it */
        work->weft__context = NULL;
        work->weft__status = status;
        if (work->weft__after)
                weft_context_run(context, weft_uv__work_after, work, NULL);
        weft_context_unref(context);
}

/* weft_uv_queue_work - uv_queue_work(): `run` on a thread of libuv's pool, then `after` (or NULL)
 * on the loop's, both in the current context, and neither sees what the other sets. Work that has
 * not begun is cancelled with uv_cancel((uv_req_t *)&work->req): only `after` runs then, with
 * UV_ECANCELED. 0; UV_EINVAL: run is NULL. Since 0.1. */
static inline int weft_uv_queue_work(uv_loop_t *loop, weft_uv_work *work, uv_work_cb run,
                                     uv_after_work_cb after)
{
        if (!run)
                return UV_EINVAL;
        int r = weft_context_cross(WEFT_BORDER_FOREIGN, &work->weft__context);
        if (r < 0)
                return r;
        work->weft__work = run;
        work->weft__after = after;
        r = uv_queue_work(loop, &work->req, weft_uv__work_taken, weft_uv__work_ended);
        if (r < 0)
                work->weft__context = weft_context_unref(work->weft__context);
        return r;
}

/* ---- timers ---- */

typedef struct weft_uv_timer {
        uv_timer_t handle;
        weft_context *weft__context; /* of the callback; of the close, once it is closed */
        uv_timer_cb weft__fired;
        uv_close_cb weft__closed;
} weft_uv_timer;

/* Private. The field is emptied first: a release function may start the timer. */
static inline void weft_uv__timer_drop(weft_uv_timer *timer)
{
        weft_context *context = timer->weft__context;
        timer->weft__context = NULL;
        weft_context_unref(context);
}

static inline int weft_uv__timer_fire(void *arg)
{
        weft_uv_timer *timer = (weft_uv_timer *)arg;
        timer->weft__fired(&timer->handle);
        return 0;
}

static inline int weft_uv__timer_close(void *arg)
{
        weft_uv_timer *timer = (weft_uv_timer *)arg;
        timer->weft__closed((uv_handle_t *)&timer->handle);
        return 0;
}

static inline void weft_uv__timer_fired(uv_timer_t *handle)
{
        weft_uv_timer *timer = (weft_uv_timer *)handle;
        weft_context_run(timer->weft__context, weft_uv__timer_fire, timer, NULL);
        uv_handle_t *h = (uv_handle_t *)handle;
        if (!uv_is_active(h) && !uv_is_closing(h))
                weft_uv__timer_drop(timer);
}

static inline void weft_uv__timer_closed(uv_handle_t *handle)
{
        weft_uv_timer *timer = (weft_uv_timer *)handle;
        weft_context *context = timer->weft__context; /* the callback may free the timer */
        weft_context_run(context, weft_uv__timer_close, timer, NULL);
        weft_context_unref(context);
}

/* weft_uv_timer_init - uv_timer_init(). Since 0.1. */
static inline int weft_uv_timer_init(uv_loop_t *loop, weft_uv_timer *timer)
{
        timer->weft__context = NULL;
        return uv_timer_init(loop, &timer->handle);
}

/* weft_uv_timer_start - uv_timer_start(), for a callback in the current context, each time that it
 * fires, after uv_timer_again() too. Times in milliseconds; repeat 0: once. Started already, it is
 * restarted, in the current context from here on. 0; UV_EINVAL: fn is NULL, or the timer is closed;
 * it is left as it was. Since 0.1. */
static inline int weft_uv_timer_start(weft_uv_timer *timer, uv_timer_cb fn, uint64_t timeout,
                                      uint64_t repeat)
{
        if (!fn)
                return UV_EINVAL;
        weft_context *context;
        int r = weft_context_cross(WEFT_BORDER_FOREIGN, &context);
        if (r < 0)
                return r;
        r = uv_timer_start(&timer->handle, weft_uv__timer_fired, timeout, repeat);
        if (r < 0) {
                weft_context_unref(context);
                return r;
        }
        weft_context *previous = timer->weft__context;
        timer->weft__context = context;
        timer->weft__fired = fn;
        weft_context_unref(previous);
        return 0;
}

/* weft_uv_timer_stop - uv_timer_stop(). It gives back the context: uv_timer_again() on it would
 * call back in the empty one, so start it anew. 0. Since 0.1. */
static inline int weft_uv_timer_stop(weft_uv_timer *timer)
{
        int r = uv_timer_stop(&timer->handle);
        if (!uv_is_closing((uv_handle_t *)&timer->handle))
                weft_uv__timer_drop(timer);
        return r;
}

/* weft_uv_timer_close - uv_close(); fn, or NULL, is called in the current context. Since 0.1. */
static inline void weft_uv_timer_close(weft_uv_timer *timer, uv_close_cb fn)
{
        weft_context *previous = timer->weft__context;
        timer->weft__context = fn ? weft_uv__cross() : NULL;
        timer->weft__closed = fn;
        uv_close((uv_handle_t *)&timer->handle, fn ? weft_uv__timer_closed : NULL);
        weft_context_unref(previous);
}

/* ---- async handles ---- */

typedef struct weft_uv_async {
        uv_async_t handle;
        weft_context *weft__context; /* of the callback; of the close, once it is closed */
        uv_async_cb weft__sent;
        uv_close_cb weft__closed;
} weft_uv_async;

/* Private. */
static inline int weft_uv__async_call(void *arg)
{
        weft_uv_async *async = (weft_uv_async *)arg;
        async->weft__sent(&async->handle);
        return 0;
}

static inline int weft_uv__async_close(void *arg)
{
        weft_uv_async *async = (weft_uv_async *)arg;
        async->weft__closed((uv_handle_t *)&async->handle);
        return 0;
}

static inline void weft_uv__async_sent(uv_async_t *handle)
{
        weft_uv_async *async = (weft_uv_async *)handle;
        weft_context_run(async->weft__context, weft_uv__async_call, async, NULL);
}

static inline void weft_uv__async_closed(uv_handle_t *handle)
{
        weft_uv_async *async = (weft_uv_async *)handle;
        weft_context *context = async->weft__context; /* the callback may free the handle */
        weft_context_run(context, weft_uv__async_close, async, NULL);
        weft_context_unref(context);
}

/* weft_uv_async_init - uv_async_init(), for a callback (or NULL) in the current context. Not in
 * that of who sends: libuv makes one call of many sends, which may come from as many contexts. To
 * carry the sender's, hand over a weft_bound with your data. Since 0.1. */
static inline int weft_uv_async_init(uv_loop_t *loop, weft_uv_async *async, uv_async_cb fn)
{
        async->weft__context = NULL;
        async->weft__sent = fn;
        int r = fn ? weft_context_cross(WEFT_BORDER_FOREIGN, &async->weft__context) : 0;
        if (r < 0)
                return r;
        r = uv_async_init(loop, &async->handle, fn ? weft_uv__async_sent : NULL);
        if (r < 0)
                async->weft__context = weft_context_unref(async->weft__context);
        return r;
}

/* weft_uv_async_close - uv_close(); fn, or NULL, is called in the current context. Since 0.1. */
static inline void weft_uv_async_close(weft_uv_async *async, uv_close_cb fn)
{
        weft_context *previous = async->weft__context;
        async->weft__context = fn ? weft_uv__cross() : NULL;
        async->weft__closed = fn;
        uv_close((uv_handle_t *)&async->handle, fn ? weft_uv__async_closed : NULL);
        weft_context_unref(previous);
}

WEFT_END_DECLS

#endif
