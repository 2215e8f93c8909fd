/* SPDX-License-Identifier: MIT
 *
 * The example of weft_glib_idle_add(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/glib.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static GMainLoop *loop;
static int fired, right, dropped;

static gboolean once(gpointer name)
{
        fired++;
        right += strcmp(weft_get(&user), name) == 0;
        if (fired == 7)
                g_main_loop_quit(loop);
        return G_SOURCE_REMOVE;
}

static void drop(gpointer name)
{
        dropped += strcmp(weft_get(&user), name) == 0;
}

int main(void)
{
        loop = g_main_loop_new(NULL, FALSE);
        GSource *source = g_idle_source_new();
        WEFT_WITH (&user, "ada") {
                weft_glib_idle_add(once, "ada");
                weft_glib_idle_add_full(G_PRIORITY_DEFAULT, once, "ada", drop);
                weft_glib_timeout_add(1, once, "ada");
                weft_glib_timeout_add_full(G_PRIORITY_DEFAULT, 1, once, "ada", drop);
                weft_glib_timeout_add_seconds(0, once, "ada");
        }
        WEFT_WITH (&user, "grace") {
                weft_glib_timeout_add_seconds_full(G_PRIORITY_DEFAULT, 0, once, "grace", drop);
                weft_glib_source_set_callback(source, once, "grace", drop);
        }
        g_source_attach(source, NULL);
        g_source_unref(source);
        g_main_loop_run(loop);
        assert(fired == 7 && right == 7 && dropped == 4);
        g_main_loop_unref(loop);
        return 0;
}
