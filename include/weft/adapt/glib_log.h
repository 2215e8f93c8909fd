/* SPDX-License-Identifier: MIT
 *
 * GLib's structured logging: log lines carry what the context of their task binds.
 *
 *   static const struct weft_glib_log_field fields[] = {{"USER", &user}, {"REQUEST", &request}};
 *   static struct weft_glib_log log = {fields, 2, g_log_writer_journald, NULL};
 *   g_log_set_writer_func(weft_glib_log_writer, &log, NULL);      // first in main()
 *
 *   WEFT_WITH (&user, "ada")
 *           weft_submit(pool, serve, request);      // g_message() in there, and in libraries that
 *                                                   // it calls, has the field USER=ada
 *
 * The writer asks for the vars when a line is logged, on the thread that logs it; so the fields are
 * those of the task, on whichever thread it goes on, and a line of a thread without context has
 * none. A var that is not set, or bound to NULL, gives no field, and one that the line has a field
 * of that name for gives none beside it.
 *
 * Ownership: the struct and all it names are borrowed, and must live as long as anybody logs; they
 * are only read, on any number of threads. Values are read during the call. The next writer gets
 * the line's fields first, then these. Errors: what the next writer returns. GLib 2.50 or later;
 * compile with pkg-config's flags for glib-2.0.
 */
#ifndef WEFT_ADAPT_GLIB_LOG_H
#define WEFT_ADAPT_GLIB_LOG_H

#include <glib.h>
#include <string.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

/* A field, and the var whose value it has, as its format() writes it, in WEFT_GLIB_LOG_TEXT bytes
 * at most; without one the value itself is a string. */
struct weft_glib_log_field {
        const char *key; /* upper case, digits and _, as the journal wants it */
        const weft_var *var;
};
enum { WEFT_GLIB_LOG_TEXT = 256 };

/* What weft_glib_log_writer() is given as its data. */
struct weft_glib_log {
        const struct weft_glib_log_field *fields;
        gsize n_fields;
        GLogWriterFunc next; /* such as g_log_writer_default */
        gpointer next_data;
};

/* Private: whether the line has it already; the text of a value. */
static inline gboolean weft_glib__logged(const GLogField *fields, gsize n, const char *key)
{
        for (gsize i = 0; i < n; i++)
                if (strcmp(fields[i].key, key) == 0)
                        return TRUE;
        return FALSE;
}

static inline const char *weft_glib__log_text(const weft_var *var, void *value, char *text)
{
        if (!var->format)
                return (const char *)value;
        text[0] = '\0';
        var->format(value, text, WEFT_GLIB_LOG_TEXT);
        return text;
}

/* weft_glib_log_writer - a GLogWriterFunc for g_log_set_writer_func(), with a struct weft_glib_log
 * as its data: hands a line on to the next writer, with what is bound here. Since 0.1. */
static inline GLogWriterOutput weft_glib_log_writer(GLogLevelFlags level, const GLogField *fields,
                                                    gsize n_fields, gpointer data)
{
        const struct weft_glib_log *log = (const struct weft_glib_log *)data;
        GLogField *all = g_newa(GLogField, n_fields + log->n_fields);
        char *text = (char *)g_alloca(log->n_fields * WEFT_GLIB_LOG_TEXT + 1);
        gsize n = n_fields;
        for (gsize i = 0; i < n_fields; i++)
                all[i] = fields[i];
        for (gsize i = 0; i < log->n_fields; i++) {
                const struct weft_glib_log_field *field = &log->fields[i];
                void *value;
                if (weft_lookup(field->var, &value) != 0 || !value ||
                    weft_glib__logged(fields, n_fields, field->key))
                        continue;
                all[n].key = field->key;
                all[n].value =
                    weft_glib__log_text(field->var, value, text + i * WEFT_GLIB_LOG_TEXT);
                all[n].length = -1;
                n++;
        }
        return log->next(level, all, n, log->next_data);
}

WEFT_END_DECLS

#endif
