/* SPDX-License-Identifier: MIT
 *
 * GLib's structured logging: a line has the fields of the task that logs it, and of no other.
 */
#define G_LOG_USE_STRUCTURED 1
#define G_LOG_DOMAIN         "test"

#include <weft/adapt/glib_log.h>
#if !defined(__SANITIZE_ADDRESS__) /* of which the runner has contexts only */
#include <weft/weft.h>
#endif

#include "check.h"

static int number(void *value, char *text, size_t size)
{
        return snprintf(text, size, "%d", (int)(intptr_t)value);
}

static weft_var request = WEFT_VAR_INIT("request", .format = number);

static const struct weft_glib_log_field fields[] = {{"USER", &user}, {"REQUEST", &request}};

/* ---- a writer that keeps the last line of its thread ---- */

enum { WRITTEN = 64 };
static __thread struct {
        int lines;
        char user[WRITTEN], request[WRITTEN], message[WRITTEN];
        int of_user;
} last;

static void keep(char *to, const GLogField *field)
{
        g_strlcpy(to, (const char *)field->value, WRITTEN);
}

static GLogWriterOutput write_down(GLogLevelFlags level, const GLogField *all, gsize n,
                                   gpointer arg)
{
        CHECK(arg == &last.lines || arg == NULL);
        (void)level;
        memset(&last, 0, sizeof(last));
        for (gsize i = 0; i < n; i++) {
                if (strcmp(all[i].key, "USER") == 0) {
                        keep(last.user, &all[i]);
                        last.of_user++;
                }
                if (strcmp(all[i].key, "REQUEST") == 0)
                        keep(last.request, &all[i]);
                if (strcmp(all[i].key, "MESSAGE") == 0)
                        keep(last.message, &all[i]);
        }
        return G_LOG_WRITER_HANDLED;
}

static struct weft_glib_log log_ = {fields, G_N_ELEMENTS(fields), write_down, NULL};

/* Log a line on this thread, and look at it (one call, so that the task stays where it is). */
static __attribute__((noinline)) void line_has(const char *who, const char *which)
{
        g_message("hello");
        CHECK(strcmp(last.message, "hello") == 0);
        CHECK(strcmp(last.user, who) == 0);
        CHECK(strcmp(last.request, which) == 0);
}

/* ---- tests ---- */

static void carries_what_is_bound(void)
{
        line_has("", "");
        WEFT_WITH (&user, ada) {
                line_has(ada, "");
                WEFT_WITH (&request, (void *)(intptr_t)42)
                        line_has(ada, "42");
                WEFT_WITH (&user, NULL)
                        line_has("", "");
        }
        line_has("", "");
}

static void a_field_of_the_line_goes_first(void)
{
        WEFT_WITH (&user, ada) {
                g_log_structured("test", G_LOG_LEVEL_INFO, "USER", grace, "MESSAGE", "%s", "x");
                CHECK(strcmp(last.user, grace) == 0);
        }
        WEFT_WITH (&user, ada) {
                const GLogField own[] = {{"MESSAGE", "x", -1}, {"USER", grace, -1}};
                g_log_structured_array(G_LOG_LEVEL_INFO, own, 2);
                CHECK(strcmp(last.user, grace) == 0);
                CHECK(last.of_user == 1);
                g_log_structured_array(G_LOG_LEVEL_INFO, own, 1);
                CHECK(strcmp(last.user, ada) == 0);
        }
}

#if defined(WEFT_WEFT_H)

struct work {
        char *who;
        int request;
};

static int works(void *arg)
{
        const struct work *work = arg;
        char text[WRITTEN];
        number((void *)(intptr_t)work->request, text, sizeof(text));
        WEFT_WITH (&request, (void *)(intptr_t)work->request) {
                for (int i = 0; i < 100; i++) {
                        line_has(work->who, text);
                        CHECK(weft_yield() == 0);
                }
        }
        line_has(work->who, "");
        return 0;
}

static void tasks(void)
{
        enum { TASKS = 10 };
        const weft_pool_options options = {
            .size = sizeof(options), .workers = 3, .flags = WEFT_MIGRATE};
        struct work work[TASKS];
        weft_pool *pool;
        CHECK(weft_pool_create(&pool, &options) == 0);
        for (int i = 0; i < TASKS; i++) {
                work[i] = (struct work){i % 2 ? ada : grace, i + 1};
                WEFT_WITH (&user, work[i].who)
                        CHECK(weft_submit(pool, works, &work[i]) == 0);
        }
        weft_pool_destroy(pool);
}

#endif

static const struct test tests[] = {
    {"carries_what_is_bound", carries_what_is_bound},
    {"a_field_of_the_line_goes_first", a_field_of_the_line_goes_first},
#if defined(WEFT_WEFT_H)
    {"tasks", tasks},
#endif
};

int main(void)
{
        g_log_set_writer_func(weft_glib_log_writer, &log_, NULL);
        return RUN_TESTS(tests);
}
