/* SPDX-License-Identifier: MIT
 *
 * GLib's log with the fields of the task: store() logs as any library does, and each line has for
 * whom it was. Here the next writer prints them; g_log_writer_journald() would store them.
 */
#define G_LOG_USE_STRUCTURED 1
#define G_LOG_DOMAIN         "example"

#include <stdio.h>
#include <weft/adapt/glib_log.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user");

static GLogWriterOutput print(GLogLevelFlags level, const GLogField *fields, gsize n,
                              gpointer unused)
{
        const char *message = "", *who = "nobody";
        (void)level;
        (void)unused;
        for (gsize i = 0; i < n; i++) {
                if (g_str_equal(fields[i].key, "MESSAGE"))
                        message = fields[i].value;
                if (g_str_equal(fields[i].key, "USER"))
                        who = fields[i].value;
        }
        printf("%s: USER=%s\n", message, who);
        return G_LOG_WRITER_HANDLED;
}

static int store(void *unused)
{
        (void)unused;
        weft_yield();
        g_message("stored");
        return 0;
}

int main(void)
{
        static const struct weft_glib_log_field fields[] = {{"USER", &user}};
        static struct weft_glib_log log = {fields, 1, print, NULL};
        g_log_set_writer_func(weft_glib_log_writer, &log, NULL);
        WEFT_WITH (&user, "ada")
                weft_submit(NULL, store, NULL);
        WEFT_WITH (&user, "grace")
                weft_submit(NULL, store, NULL);
        weft_pool_shutdown(weft_pool_default(), WEFT_DRAIN, WEFT_FOREVER);
        g_message("done");
        return 0;
}
