/* SPDX-License-Identifier: MIT
 *
 * A GLib program: a timeout that fires again and again for ada, the items of a thread pool for
 * grace, and a GTask whose thread and callback are edith's. None of them is told for whom.
 */
#include <stdio.h>
#include <weft/adapt/glib.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int ticks;
static GMainLoop *loop;

static const char *who(void)
{
        return weft_get(&user);
}

static gboolean tick(gpointer unused)
{
        (void)unused;
        printf("tick: %s\n", who());
        return ++ticks < 3 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void store(gpointer note, gpointer unused)
{
        (void)unused;
        printf("%s: %s\n", (char *)note, who());
}

static void count(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
        (void)source;
        (void)data;
        (void)cancellable;
        printf("counts: %s\n", who());
        g_task_return_int(task, 42);
}

static void counted(GObject *source, GAsyncResult *result, gpointer unused)
{
        (void)source;
        (void)unused;
        printf("%d for %s\n", (int)g_task_propagate_int(G_TASK(result), NULL), who());
        g_main_loop_quit(loop);
}

static gboolean begin_count(gpointer unused)
{
        (void)unused;
        if (ticks < 3) /* it is the last to be done */
                return G_SOURCE_CONTINUE;
        GTask *task = weft_glib_task_new(NULL, NULL, counted, NULL);
        weft_glib_task_run_in_thread(task, count);
        g_object_unref(task);
        return G_SOURCE_REMOVE;
}

int main(void)
{
        GThreadPool *pool = weft_glib_thread_pool_new(store, NULL, NULL, 1, TRUE, NULL);
        if (!pool)
                return 1;
        WEFT_WITH (&user, "grace") {
                weft_glib_thread_pool_push(pool, "a note", NULL);
                weft_glib_thread_pool_push(pool, "another", NULL);
        }
        weft_glib_thread_pool_free(pool, FALSE, TRUE);

        loop = g_main_loop_new(NULL, FALSE);
        WEFT_WITH (&user, "ada")
                weft_glib_timeout_add(10, tick, NULL);
        WEFT_WITH (&user, "edith") /* in which the GTask is made, when it fires */
                weft_glib_timeout_add(20, begin_count, NULL);
        g_main_loop_run(loop);
        g_main_loop_unref(loop);
        return 0;
}
