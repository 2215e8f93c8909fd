/* SPDX-License-Identifier: MIT
 *
 * GLib callbacks that run in the context of their registration: sources of a main loop, items of a
 * GThreadPool, GTasks. Each function does what the one of GLib does whose name it carries, and
 * takes the same arguments.
 *
 *   WEFT_WITH (&user, "ada")
 *           weft_glib_timeout_add(1000, poll_inbox, inbox);  // each time, user is "ada"
 *
 * A callback runs in a frame of its own, which starts from the context that was current at the
 * registration (C1); what it sets is gone when it returns (C2, C6), and so is not there when a
 * source fires again. The destroy notify of its data runs in that context too, last of all.
 *
 * Ownership: whatever is registered holds one reference to the context, and gives it back where
 * GLib drops it: a source when it is destroyed or gets another callback, an item of a pool when it
 * has been run or thrown away, a GTask when it is finalised. Values whose last context that was are
 * released on the thread on which that happens.
 *
 * What GLib is given as user data is the adapter's own. So what finds things by their data
 * (g_source_remove_by_user_data() and its kin, g_async_result_get_user_data(),
 * g_thread_pool_move_to_front(), a sort function) does not find yours: keep the id of the source.
 *
 * Threads: as the function of GLib. Errors: as well; without memory GLib ends the process, and so
 * does a context that cannot cross (weft_context_cross()). GLib
 * 2.70 or later; compile with pkg-config's flags for glib-2.0 and gio-2.0.
 */
#ifndef WEFT_ADAPT_GLIB_H
#define WEFT_ADAPT_GLIB_H

#include <gio/gio.h>
#include <glib.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

/* Private: the current context, as it is on the other side. */
static inline weft_context *weft_glib__cross(void)
{
        weft_context *context = NULL;
        int r = weft_context_cross(WEFT_BORDER_FOREIGN, &context);
        if (r < 0)
                g_error("weft: a context cannot cross to GLib: %s", weft_strerror(r));
        return context;
}

/* ---- sources ---- */

/* Private: the data of a source, freed by its destroy notify. */
struct weft_glib__call {
        weft_context *context;
        GSourceFunc fn;
        void *data;
        GDestroyNotify notify;
};

static inline struct weft_glib__call *weft_glib__call_new(GSourceFunc fn, void *data,
                                                          GDestroyNotify notify)
{
        struct weft_glib__call *call = g_new(struct weft_glib__call, 1);
        call->context = weft_glib__cross();
        call->fn = fn;
        call->data = data;
        call->notify = notify;
        return call;
}

static inline int weft_glib__call_run(void *arg)
{
        struct weft_glib__call *call = (struct weft_glib__call *)arg;
        return call->fn(call->data);
}

static inline int weft_glib__call_notify(void *arg)
{
        struct weft_glib__call *call = (struct weft_glib__call *)arg;
        call->notify(call->data);
        return 0;
}

static inline gboolean weft_glib__dispatched(gpointer arg)
{
        return weft_context_run(((struct weft_glib__call *)arg)->context, weft_glib__call_run, arg,
                                NULL);
}

static inline void weft_glib__dropped(gpointer arg)
{
        struct weft_glib__call *call = (struct weft_glib__call *)arg;
        if (call->notify)
                weft_context_run(call->context, weft_glib__call_notify, call, NULL);
        weft_context_unref(call->context);
        g_free(call);
}

/* weft_glib_source_set_callback - g_source_set_callback(), for any source whose callback is a
 * GSourceFunc proper, attached to any main context, or to none yet. Since 0.1. */
static inline void weft_glib_source_set_callback(GSource *source, GSourceFunc fn, gpointer data,
                                                 GDestroyNotify notify)
{
        g_source_set_callback(source, weft_glib__dispatched, weft_glib__call_new(fn, data, notify),
                              weft_glib__dropped);
}

/* weft_glib_idle_add_full - g_idle_add_full(). Returns the id of the source. Since 0.1. */
static inline guint weft_glib_idle_add_full(gint priority, GSourceFunc fn, gpointer data,
                                            GDestroyNotify notify)
{
        return g_idle_add_full(priority, weft_glib__dispatched,
                               weft_glib__call_new(fn, data, notify), weft_glib__dropped);
}

/* weft_glib_idle_add - g_idle_add(). Since 0.1. */
static inline guint weft_glib_idle_add(GSourceFunc fn, gpointer data)
{
        return weft_glib_idle_add_full(G_PRIORITY_DEFAULT_IDLE, fn, data, NULL);
}

/* weft_glib_timeout_add_full - g_timeout_add_full(); the interval in milliseconds. Since 0.1. */
static inline guint weft_glib_timeout_add_full(gint priority, guint interval, GSourceFunc fn,
                                               gpointer data, GDestroyNotify notify)
{
        return g_timeout_add_full(priority, interval, weft_glib__dispatched,
                                  weft_glib__call_new(fn, data, notify), weft_glib__dropped);
}

/* weft_glib_timeout_add - g_timeout_add(). Since 0.1. */
static inline guint weft_glib_timeout_add(guint interval, GSourceFunc fn, gpointer data)
{
        return weft_glib_timeout_add_full(G_PRIORITY_DEFAULT, interval, fn, data, NULL);
}

/* weft_glib_timeout_add_seconds_full - g_timeout_add_seconds_full(). Since 0.1. */
static inline guint weft_glib_timeout_add_seconds_full(gint priority, guint interval,
                                                       GSourceFunc fn, gpointer data,
                                                       GDestroyNotify notify)
{
        return g_timeout_add_seconds_full(priority, interval, weft_glib__dispatched,
                                          weft_glib__call_new(fn, data, notify),
                                          weft_glib__dropped);
}

/* weft_glib_timeout_add_seconds - g_timeout_add_seconds(). Since 0.1. */
static inline guint weft_glib_timeout_add_seconds(guint interval, GSourceFunc fn, gpointer data)
{
        return weft_glib_timeout_add_seconds_full(G_PRIORITY_DEFAULT, interval, fn, data, NULL);
}

/* ---- thread pools ---- */

/* Private: what the items of a pool have in common. The pool holds one reference, and each item. */
struct weft_glib__workers {
        gatomicrefcount refs;
        GFunc fn;
        void *user_data;
        GDestroyNotify item_free;
};

struct weft_glib__item {
        struct weft_glib__workers *workers;
        weft_context *context;
        void *data;
};

static inline void weft_glib__workers_unref(struct weft_glib__workers *workers)
{
        if (g_atomic_ref_count_dec(&workers->refs))
                g_free(workers);
}

static inline void weft_glib__item_free(struct weft_glib__item *item)
{
        weft_context_unref(item->context);
        weft_glib__workers_unref(item->workers);
        g_free(item);
}

static inline int weft_glib__item_run(void *arg)
{
        struct weft_glib__item *item = (struct weft_glib__item *)arg;
        item->workers->fn(item->data, item->workers->user_data);
        return 0;
}

static inline int weft_glib__item_discard(void *arg)
{
        struct weft_glib__item *item = (struct weft_glib__item *)arg;
        item->workers->item_free(item->data);
        return 0;
}

/* What GLib calls: to run an item, and instead of it when the pool is freed at once. */
static inline void weft_glib__item_taken(gpointer arg, gpointer unused)
{
        struct weft_glib__item *item = (struct weft_glib__item *)arg;
        (void)unused;
        weft_context_run(item->context, weft_glib__item_run, item, NULL);
        weft_glib__item_free(item);
}

static inline void weft_glib__item_dropped(gpointer arg)
{
        struct weft_glib__item *item = (struct weft_glib__item *)arg;
        if (item->workers->item_free)
                weft_context_run(item->context, weft_glib__item_discard, item, NULL);
        weft_glib__item_free(item);
}

/* weft_glib_thread_pool_new - g_thread_pool_new_full(): a pool whose items are run by
 * fn(data, user_data), each in the context in which it was pushed. item_free, or NULL, is run
 * instead, in the same context, for an item that is thrown away.
 *
 * Push to it and free it with the two functions below, and no others; what else GLib has for pools
 * (its limits, its figures) may be used on it. NULL, with error set: no thread could be started.
 * Since 0.1. */
static inline GThreadPool *weft_glib_thread_pool_new(GFunc fn, gpointer user_data,
                                                     GDestroyNotify item_free, gint max_threads,
                                                     gboolean exclusive, GError **error)
{
        struct weft_glib__workers *workers = g_new(struct weft_glib__workers, 1);
        g_atomic_ref_count_init(&workers->refs);
        workers->fn = fn;
        workers->user_data = user_data;
        workers->item_free = item_free;
        GThreadPool *pool = g_thread_pool_new_full(
            weft_glib__item_taken, workers, weft_glib__item_dropped, max_threads, exclusive, error);
        if (!pool)
                weft_glib__workers_unref(workers);
        return pool;
}

/* weft_glib_thread_pool_push - g_thread_pool_push(). FALSE, with error set: no new thread could be
 * started; the item is queued all the same. Since 0.1. */
static inline gboolean weft_glib_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
        struct weft_glib__item *item = g_new(struct weft_glib__item, 1);
        item->workers = (struct weft_glib__workers *)pool->user_data;
        item->context = weft_glib__cross();
        item->data = data;
        g_atomic_ref_count_inc(&item->workers->refs);
        return g_thread_pool_push(pool, item, error);
}

/* weft_glib_thread_pool_free - g_thread_pool_free(). What is thrown away if `immediate` goes when
 * the last item that runs has ended: before return if `wait`. Since 0.1. */
static inline void weft_glib_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
        struct weft_glib__workers *workers = (struct weft_glib__workers *)pool->user_data;
        g_thread_pool_free(pool, immediate, wait);
        weft_glib__workers_unref(workers);
}

/* ---- GTask ---- */

/* Private: what a GTask calls, and where; one for its callback and one for its thread, each kept by
 * the task under a key of its own. */
struct weft_glib__task {
        weft_context *context;
        GAsyncReadyCallback ready;
        void *ready_data;
        GTaskThreadFunc work;

        /* what is handed through weft_context_run(), written by the one who calls it */
        GObject *source;
        GAsyncResult *result;
        void *task_data;
        GCancellable *cancellable;
};

static inline void weft_glib__task_free(gpointer arg)
{
        weft_context_unref(((struct weft_glib__task *)arg)->context);
        g_free(arg);
}

static inline struct weft_glib__task *weft_glib__task_new(void)
{
        struct weft_glib__task *t = g_new0(struct weft_glib__task, 1);
        t->context = weft_glib__cross();
        return t;
}

static inline int weft_glib__task_tell(void *arg)
{
        struct weft_glib__task *t = (struct weft_glib__task *)arg;
        t->ready(t->source, t->result, t->ready_data);
        return 0;
}

static inline void weft_glib__task_ready(GObject *source, GAsyncResult *result, gpointer arg)
{
        struct weft_glib__task *t = (struct weft_glib__task *)arg;
        t->source = source;
        t->result = result;
        weft_context_run(t->context, weft_glib__task_tell, t, NULL);
}

static inline int weft_glib__task_work(void *arg)
{
        struct weft_glib__task *t = (struct weft_glib__task *)arg;
        t->work(G_TASK(t->result), t->source, t->task_data, t->cancellable);
        return 0;
}

static inline void weft_glib__task_thread(GTask *task, gpointer source, gpointer task_data,
                                          GCancellable *cancellable)
{
        struct weft_glib__task *t = (struct weft_glib__task *)g_object_get_qdata(
            G_OBJECT(task), g_quark_from_static_string("weft-glib-task-thread"));
        t->source = (GObject *)source;
        t->result = G_ASYNC_RESULT(task);
        t->task_data = task_data;
        t->cancellable = cancellable;
        weft_context_run(t->context, weft_glib__task_work, t, NULL);
}

/* weft_glib_task_new - g_task_new(): a GTask whose callback runs in the current context, in the
 * main context that is the thread's default one now. Since 0.1. */
static inline GTask *weft_glib_task_new(gpointer source, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer callback_data)
{
        if (!callback)
                return g_task_new(source, cancellable, NULL, NULL);
        struct weft_glib__task *t = weft_glib__task_new();
        t->ready = callback;
        t->ready_data = callback_data;
        GTask *task = g_task_new(source, cancellable, weft_glib__task_ready, t);
        g_object_set_qdata_full(G_OBJECT(task), g_quark_from_static_string("weft-glib-task-ready"),
                                t, weft_glib__task_free);
        return task;
}

/* weft_glib_task_run_in_thread - g_task_run_in_thread(): fn runs in the current context, which need
 * not be that of the task's callback. For any GTask, once. Since 0.1. */
static inline void weft_glib_task_run_in_thread(GTask *task, GTaskThreadFunc fn)
{
        struct weft_glib__task *t = weft_glib__task_new();
        t->work = fn;
        g_object_set_qdata_full(G_OBJECT(task), g_quark_from_static_string("weft-glib-task-thread"),
                                t, weft_glib__task_free);
        g_task_run_in_thread(task, weft_glib__task_thread);
}

WEFT_END_DECLS

#endif
