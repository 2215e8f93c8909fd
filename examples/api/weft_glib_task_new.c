/* SPDX-License-Identifier: MIT
 *
 * The example of weft_glib_task_new(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/glib.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static GMainLoop *loop;

static void work(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
        (void)source, (void)data, (void)cancellable;
        g_task_return_int(task, strcmp(weft_get(&user), "ada") == 0 ? 42 : 0);
}

static void ready(GObject *source, GAsyncResult *result, gpointer answer)
{
        (void)source;
        if (strcmp(weft_get(&user), "ada") == 0)
                *(gssize *)answer = g_task_propagate_int(G_TASK(result), NULL);
        g_main_loop_quit(loop);
}

int main(void)
{
        gssize answer = 0;
        loop = g_main_loop_new(NULL, FALSE);
        WEFT_WITH (&user, "ada") {
                GTask *task = weft_glib_task_new(NULL, NULL, ready, &answer);
                weft_glib_task_run_in_thread(task, work);
                g_object_unref(task);
        }
        g_main_loop_run(loop);
        assert(answer == 42);
        g_main_loop_unref(loop);
        return 0;
}
