/* SPDX-License-Identifier: MIT
 *
 * The example of weft_glib_log_writer(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/glib_log.h>

static weft_var user = WEFT_VAR_INIT("user");
static int lines, with_user;

/* The last writer: to the journal, say. */
static GLogWriterOutput write_line(GLogLevelFlags level, const GLogField *field, gsize n,
                                   gpointer unused)
{
        (void)level, (void)unused;
        lines++;
        for (gsize i = 0; i < n; i++)
                if (strcmp(field[i].key, "USER") == 0)
                        with_user += strcmp(field[i].value, "ada") == 0;
        return G_LOG_WRITER_HANDLED;
}

int main(void)
{
        static const struct weft_glib_log_field fields[] = {{"USER", &user}};
        static struct weft_glib_log log = {fields, 1, write_line, NULL};
        g_log_set_writer_func(weft_glib_log_writer, &log, NULL);

        g_message("starts");
        WEFT_WITH (&user, "ada")
                g_message("logs in"); /* however deep, in whichever library */
        assert(lines == 2 && with_user == 1);
        return 0;
}
