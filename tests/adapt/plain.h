/* SPDX-License-Identifier: MIT
 *
 * The executors' own functions in place of the adapters', to be included after those: what the
 * tests have to find fault with.
 */
#ifndef TESTS_ADAPT_PLAIN_H
#define TESTS_ADAPT_PLAIN_H

#define weft_thread_create(...) (-pthread_create(__VA_ARGS__))
#define weft_thrd_create        thrd_create

#define weft_glib_source_set_callback      g_source_set_callback
#define weft_glib_idle_add                 g_idle_add
#define weft_glib_idle_add_full            g_idle_add_full
#define weft_glib_timeout_add              g_timeout_add
#define weft_glib_timeout_add_full         g_timeout_add_full
#define weft_glib_timeout_add_seconds      g_timeout_add_seconds
#define weft_glib_timeout_add_seconds_full g_timeout_add_seconds_full
#define weft_glib_task_new                 g_task_new
#define weft_glib_task_run_in_thread       g_task_run_in_thread
#define weft_glib_thread_pool_new          g_thread_pool_new_full
#define weft_glib_thread_pool_push         g_thread_pool_push
#define weft_glib_thread_pool_free         g_thread_pool_free

#define weft_uv_queue_work(loop, work, run, after) uv_queue_work(loop, &(work)->req, run, after)
#define weft_uv_timer_init(loop, timer)            uv_timer_init(loop, &(timer)->handle)
#define weft_uv_timer_start(timer, fn, after, repeat)                                              \
        uv_timer_start(&(timer)->handle, fn, after, repeat)
#define weft_uv_timer_stop(timer)           uv_timer_stop(&(timer)->handle)
#define weft_uv_timer_close(timer, fn)      uv_close((uv_handle_t *)&(timer)->handle, fn)
#define weft_uv_async_init(loop, async, fn) uv_async_init(loop, &(async)->handle, fn)
#define weft_uv_async_close(async, fn)      uv_close((uv_handle_t *)&(async)->handle, fn)

/* Those that follow a var follow nothing. */
#if defined(WEFT_ADAPT_LOCALE_H)
#undef WEFT_LOCALE_INIT
#undef WEFT_LOCALE_OWNED_INIT
#define WEFT_LOCALE_INIT       WEFT_VAR_INIT
#define WEFT_LOCALE_OWNED_INIT WEFT_VAR_INIT
#endif
#if defined(WEFT_ADAPT_GLIB_LOG_H)
static inline GLogWriterOutput plain_writer(GLogLevelFlags level, const GLogField *fields, gsize n,
                                            gpointer data)
{
        const struct weft_glib_log *log = (const struct weft_glib_log *)data;
        return log->next(level, fields, n, log->next_data);
}
#define weft_glib_log_writer plain_writer
#endif

#undef WEFT_OMP_IN
#undef WEFT_OMP_TAKE
#define WEFT_OMP_IN(context)   for (int in = ((void)(context), 1); in; in = 0)
#define WEFT_OMP_TAKE(context) for (int in = (weft_context_unref(context), 1); in; in = 0)

#endif
