/* SPDX-License-Identifier: MIT
 *
 * GLib: sources, thread pools and GTasks run their callbacks in the context of the registration,
 * every time, and hold it exactly as long as GLib holds their data.
 */
#include <weft/adapt/glib.h>

#include "check.h"

static int calls, notified; /* each from one thread at a time */

static void count_notify(gpointer data)
{
        CHECK(data == ada);
        CHECK(came(ada));
        notified++;
}

static void run_loop_until(const int *count, int n)
{
        while (g_atomic_int_get(count) < n)
                g_main_context_iteration(NULL, TRUE);
}

static void begin(void)
{
        calls = notified = 0;
}

/* ---- sources ---- */

static gboolean look_once(gpointer data)
{
        CHECK(data == ada);
        CHECK(came(ada));
        CHECK(held() == 1);
        CHECK(weft_set(&user, grace, NULL) == 0);
        calls++;
        return G_SOURCE_REMOVE;
}

static gboolean look_thrice(gpointer data)
{
        look_once(data);
        return calls < 3 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* Registered as ada with a kept value, dispatched as grace. */
static void sources(guint (*add)(void), int n)
{
        begin();
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        CHECK(add() != 0);
        }
        CHECK(held() == 1);
        WEFT_WITH (&user, grace) {
                run_loop_until(&calls, n);
                CHECK(is(grace));
        }
        CHECK(calls == n);
        CHECK(held() == 0);
}

static guint add_idle(void)
{
        return weft_glib_idle_add(look_once, ada);
}

static void idle(void)
{
        sources(add_idle, 1);
}

static guint add_idle_full(void)
{
        return weft_glib_idle_add_full(G_PRIORITY_LOW, look_thrice, ada, count_notify);
}

static void idle_repeats(void)
{
        sources(add_idle_full, 3);
        CHECK(notified == 1);
}

static guint add_timeout(void)
{
        return weft_glib_timeout_add(2, look_thrice, ada);
}

static void timeout_repeats(void)
{
        sources(add_timeout, 3);
}

static guint add_timeout_full(void)
{
        return weft_glib_timeout_add_full(G_PRIORITY_HIGH, 2, look_thrice, ada, count_notify);
}

static void timeout_notifies(void)
{
        sources(add_timeout_full, 3);
        CHECK(notified == 1);
}

static guint add_seconds(void)
{
        return weft_glib_timeout_add_seconds(1, look_once, ada);
}

static void timeout_seconds(void)
{
        sources(add_seconds, 1);
}

/* Removed before it could fire: its notify is run in its context, which goes then. */
static void removed(void)
{
        guint id = 0;
        begin();
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        id = weft_glib_timeout_add_seconds_full(G_PRIORITY_DEFAULT, 1000, look_once,
                                                                ada, count_notify);
        }
        CHECK(held() == 1);
        CHECK(g_source_remove(id));
        CHECK(calls == 0);
        CHECK(notified == 1);
        CHECK(held() == 0);
}

static guint own_id;

static gboolean remove_itself(gpointer data)
{
        CHECK(g_source_remove(own_id));
        CHECK(notified == 0); /* not while it runs */
        look_once(data);
        return G_SOURCE_CONTINUE;
}

static guint add_removes_itself(void)
{
        own_id =
            weft_glib_timeout_add_full(G_PRIORITY_DEFAULT, 1, remove_itself, ada, count_notify);
        return own_id;
}

static void removes_itself(void)
{
        sources(add_removes_itself, 1);
        CHECK(notified == 1);
}

/* A source of its own, in the loop of another thread, with a callback that replaces the first. */
static gpointer other_loop(gpointer loop)
{
        CHECK(is(nobody));
        g_main_loop_run((GMainLoop *)loop);
        return NULL;
}

static gboolean look_and_quit(gpointer loop)
{
        CHECK(came(ada));
        CHECK(held() == 1);
        g_main_loop_quit((GMainLoop *)loop);
        return G_SOURCE_REMOVE;
}

static void other_thread(void)
{
        GMainContext *context = g_main_context_new();
        GMainLoop *loop = g_main_loop_new(context, FALSE);
        GSource *source = g_idle_source_new();
        begin();
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        weft_glib_source_set_callback(source, look_once, ada, count_notify);
                CHECK(held() == 1);
                WEFT_WITH (&kept, grace)
                        weft_glib_source_set_callback(source, look_and_quit, loop, NULL);
        }
        CHECK(notified == 1);
        CHECK(held() == 1);
        g_source_attach(source, context);
        g_source_unref(source);
        g_thread_join(g_thread_new("loop", other_loop, loop));
        CHECK(calls == 0);
        CHECK(held() == 0);
        g_main_loop_unref(loop);
        g_main_context_unref(context);
}

/* ---- thread pools ---- */

enum { ITEMS = 200 };

static char *who[] = {ada, grace, nobody};
static int ran, discarded;

static void look_item(gpointer data, gpointer user_data)
{
        CHECK(user_data == &ran);
        CHECK(is((char *)data));
        CHECK(weft_set(&user, nobody, NULL) == 0);
        g_atomic_int_inc(&ran);
}

static void discard_item(gpointer data)
{
        CHECK(is((char *)data));
        g_atomic_int_inc(&discarded);
}

static void push_all(GThreadPool *pool)
{
        for (int i = 0; i < ITEMS; i++)
                WEFT_WITH (&user, who[i % 3]) {
                        WEFT_WITH (&kept, ada)
                                CHECK(weft_glib_thread_pool_push(pool, who[i % 3], NULL));
                }
}

static void pool_items(gboolean exclusive)
{
        ran = discarded = 0;
        GThreadPool *pool =
            weft_glib_thread_pool_new(look_item, &ran, discard_item, 3, exclusive, NULL);
        push_all(pool);
        weft_glib_thread_pool_free(pool, FALSE, TRUE);
        CHECK(ran == ITEMS);
        CHECK(discarded == 0);
        CHECK(held() == 0);
}

static void pool_exclusive(void)
{
        pool_items(TRUE);
}

static void pool_shared(void)
{
        pool_items(FALSE);
}

static GMutex gate;

static void wait_at_gate(gpointer data, gpointer user_data)
{
        g_atomic_int_inc((int *)user_data);
        g_mutex_lock(&gate);
        g_mutex_unlock(&gate);
        CHECK(is((char *)data));
}

/* One runs while the pool is freed, the others are thrown away. */
static void pool_thrown_away(void)
{
        ran = discarded = 0;
        GThreadPool *pool =
            weft_glib_thread_pool_new(wait_at_gate, &ran, discard_item, 1, TRUE, NULL);
        g_mutex_lock(&gate);
        push_all(pool);
        while (g_atomic_int_get(&ran) == 0)
                g_thread_yield();
        CHECK(held() == ITEMS);
        weft_glib_thread_pool_free(pool, TRUE, FALSE);
        g_mutex_unlock(&gate);
        CHECK(becomes_held(0));
        CHECK(ran == 1);
        CHECK(g_atomic_int_get(&discarded) == ITEMS - 1);
}

/* ---- GTask ---- */

static int worked, ready;

static void work(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
        CHECK(source == NULL);
        CHECK(task_data == ada);
        CHECK(cancellable == g_task_get_cancellable(task));
        CHECK(is(grace));
        CHECK(weft_set(&user, nobody, NULL) == 0);
        g_atomic_int_inc(&worked);
        g_task_return_int(task, 7);
}

static void on_ready(GObject *source, GAsyncResult *result, gpointer data)
{
        GError *error = NULL;
        CHECK(source == NULL);
        CHECK(came(ada));
        gssize n = g_task_propagate_int(G_TASK(result), &error);
        CHECK(data == &ready);
        CHECK(error ? g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) : n == 7);
        g_clear_error(&error);
        ready++;
}

/* Made as ada, its thread started as grace. */
static GTask *make_task(GCancellable *cancellable)
{
        GTask *task = NULL;
        worked = ready = notified = 0;
        WEFT_WITH (&kept, ada) {
                WEFT_WITH (&user, ada)
                        task = weft_glib_task_new(NULL, cancellable, on_ready, &ready);
        }
        g_task_set_task_data(task, ada, NULL);
        return task;
}

/* A task goes when its thread and the loop are both done with it. */
static bool loop_becomes_held(int n)
{
        for (int i = 0; i < PATIENCE_MS && held() != n; i++) {
                while (g_main_context_iteration(NULL, FALSE))
                        ;
                g_usleep(1000);
        }
        return held() == n;
}

static void start_task(GTask *task)
{
        WEFT_WITH (&kept, grace) {
                WEFT_WITH (&user, grace)
                        weft_glib_task_run_in_thread(task, work);
        }
        g_object_unref(task);
}

static void task_runs(void)
{
        start_task(make_task(NULL));
        run_loop_until(&ready, 1);
        CHECK(worked == 1);
        CHECK(loop_becomes_held(0));
}

/* GLib runs the thread all the same, and nobody waits for it. */
static void task_cancelled(void)
{
        GCancellable *cancellable = g_cancellable_new();
        GTask *task = make_task(cancellable);
        g_task_set_return_on_cancel(task, TRUE);
        g_cancellable_cancel(cancellable);
        start_task(task);
        run_loop_until(&ready, 1);
        CHECK(loop_becomes_held(0));
        CHECK(ready == 1);
        g_object_unref(cancellable);
}

static gboolean look_int(GTask *task)
{
        g_task_return_int(task, 7);
        return G_SOURCE_REMOVE;
}

/* One that no thread works at, ended by a source of the loop; and one that nobody waits for. */
static void task_alone(void)
{
        GTask *task = make_task(NULL);
        weft_glib_idle_add_full(G_PRIORITY_DEFAULT, G_SOURCE_FUNC(look_int), task, g_object_unref);
        run_loop_until(&ready, 1);
        CHECK(loop_becomes_held(0));
        CHECK(ready == 1);

        WEFT_WITH (&kept, ada)
                task = weft_glib_task_new(NULL, NULL, NULL, NULL);
        CHECK(held() == 0);
        g_task_set_task_data(task, ada, NULL);
        start_task(task);
        CHECK(loop_becomes_held(0));
        CHECK(g_atomic_int_get(&worked) == 1);
}

static const struct test tests[] = {
    {"an idle source", idle},
    {"an idle source that repeats, and its notify", idle_repeats},
    {"a timeout that repeats", timeout_repeats},
    {"a timeout that repeats, and its notify", timeout_notifies},
    {"a timeout of seconds", timeout_seconds},
    {"a source that is removed before it fires", removed},
    {"a source that removes itself", removes_itself},
    {"a source in the loop of another thread", other_thread},
    {"the items of a pool with threads of its own", pool_exclusive},
    {"the items of a pool that shares threads", pool_shared},
    {"the items that a pool throws away", pool_thrown_away},
    {"a GTask: its thread and its callback", task_runs},
    {"a GTask that is cancelled before it runs", task_cancelled},
    {"a GTask without a thread, and one without a callback", task_alone},
};

int main(void)
{
        return RUN_TESTS(tests);
}
