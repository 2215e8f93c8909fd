/* SPDX-License-Identifier: MIT
 *
 * weft_stats_write: the figures of all pools as text, and in Prometheus' format as its description
 * has it. (As JSON: tests/seeing, with a parser that is not ours.)
 */
#include "pool_help.h"

#include "context/memory.h"

#include <ctype.h>
#include <inttypes.h>

static char *written(weft_stats_format format)
{
        char *text = NULL;
        size_t length = 0;
        FILE *to = open_memstream(&text, &length);
        cr_assert_eq(weft_stats_write(to, format), 0);
        fclose(to);
        return text;
}

static weft_pool *named(const char *name, unsigned workers)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {.size = sizeof(o), .workers = workers, .name = name};
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        return pool;
}

static void run_some(weft_pool *pool, int n)
{
        for (int i = 0; i < n; i++)
                join(spawn(pool, nothing, NULL));
}

/* ---- Prometheus ---- */

struct sample {
        char metric[80], pool[80], id[20];
        uint64_t value;
};

/* A label's value, with what is escaped in it; where it ends, or NULL. */
static const char *quoted(const char *at, char *to, size_t size)
{
        if (*at++ != '"')
                return NULL;
        for (; *at && *at != '"' && size > 1; at++, size--) {
                if (*at == '\\' && !strchr("\\\"n", *++at))
                        return NULL;
                *to++ = *at == 'n' && at[-1] == '\\' ? '\n' : *at;
        }
        *to = '\0';
        return *at == '"' ? at + 1 : NULL;
}

static bool is_name(const char *name)
{
        if (!isalpha((unsigned char)*name) && *name != '_' && *name != ':')
                return false;
        return name[strspn(name,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")] ==
               '\0';
}

static bool parse(const char *line, struct sample *s)
{
        int at = 0;
        char *end;
        if (sscanf(line, "%79[^{]{pool=%n", s->metric, &at) != 1 || !at || !is_name(s->metric))
                return false;
        const char *rest = quoted(line + at, s->pool, sizeof(s->pool));
        if (!rest || strncmp(rest, ",id=", 4) != 0)
                return false;
        rest = quoted(rest + 4, s->id, sizeof(s->id));
        if (!rest || strncmp(rest, "} ", 2) != 0)
                return false;
        s->value = strtoull(rest + 2, &end, 10);
        return end > rest + 2 && !*end;
}

/* The samples of a text in which each family is described once, then given, and nothing else; how
 * many, or -1. */
static int parse_all(char *text, struct sample *samples, int most)
{
        char family[80] = "", kind[20] = "", seen[4096] = "", *save = NULL;
        int n = 0;
        if (!*text || text[strlen(text) - 1] != '\n')
                return -1;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char word[80], key[84];
                if (sscanf(line, "# HELP %79s %*s", word) == 1) {
                        snprintf(key, sizeof(key), " %s ", word);
                        if (strstr(seen, key))
                                return -1;
                        strcat(seen, key);
                        snprintf(family, sizeof(family), "%s", word);
                        *kind = '\0';
                } else if (sscanf(line, "# TYPE %79s %19s", word, kind) == 2) {
                        bool total = strlen(word) > 6 && !strcmp(word + strlen(word) - 6, "_total");
                        if (strcmp(word, family) != 0 ||
                            strcmp(kind, total ? "counter" : "gauge") != 0)
                                return -1;
                } else {
                        if (n == most || !*kind || !parse(line, &samples[n]) ||
                            strcmp(samples[n].metric, family) != 0)
                                return -1;
                        n++;
                }
        }
        return n;
}

static int64_t value_in(const struct sample *samples, int n, const char *metric, const char *pool)
{
        for (int i = 0; i < n; i++)
                if (!strcmp(samples[i].metric, metric) && !strcmp(samples[i].pool, pool))
                        return (int64_t)samples[i].value;
        return -1;
}

Test(figures, for_prometheus_are_families_with_a_sample_for_each_pool, .timeout = 30)
{
        skip_when_forced(workers);
        weft_pool *web = named("web", 2), *db = named("a \"b\\\n\xc3", 1);
        struct sample samples[64];
        struct plug plug;

        run_some(web, 7);
        run_some(db, 3);
        plug_in(&plug, db, 1);
        for (int i = 0; i < 5; i++)
                cr_assert_eq(weft_submit(db, nothing, NULL), 0);
        char *text = written(WEFT_STATS_PROMETHEUS);
        int n = parse_all(text, samples, 64);
        cr_assert(n > 0 && n % 2 == 0, "%d", n);
        cr_expect_eq(value_in(samples, n, "weft_workers", "web"), 2);
        cr_expect_eq(value_in(samples, n, "weft_tasks_submitted_total", "web"), 7);
        cr_expect_eq(value_in(samples, n, "weft_tasks_queued", "web"), 0);
        cr_expect_eq(value_in(samples, n, "weft_worker_wakeups_missed_total", "web"), 0);
        cr_expect_eq(value_in(samples, n, "weft_tasks_submitted_total", "a \"b\\??"), 9);
        cr_expect_eq(value_in(samples, n, "weft_tasks_queued", "a \"b\\??"), 5);
        cr_expect_str_eq(samples[0].id, "1");
        cr_expect_str_eq(samples[1].id, "2");
        free(text);
        plug_out(&plug);
        finish(db);
        finish(web);
}

Test(figures, as_text_are_a_line_for_each_pool, .timeout = 30)
{
        skip_when_forced(workers);
        char *text = written(WEFT_STATS_TEXT);
        cr_expect_str_eq(text, "");
        free(text);
        weft_pool *web = named("web", 2), *db = named("web", 1);
        run_some(db, 3);
        text = written(WEFT_STATS_TEXT);
        cr_expect_eq(strncmp(text, "pool 1 \"web\": 2 workers, 0 submitted, ", 38), 0, "%s", text);
        char *second = strchr(text, '\n');
        cr_assert_not_null(second);
        cr_expect_eq(strncmp(second + 1, "pool 2 \"web\": 1 workers, 3 submitted, ", 38), 0);
        cr_expect_eq(strlen(strchr(second + 1, '\n')), 1);
        free(text);
        finish(db);
        finish(web);
}

static int figures_of_child(void *unused)
{
        (void)unused;
        char *text = written(WEFT_STATS_TEXT);
        CHILD_CHECK(*text == '\0');
        free(text);
        return 0;
}

Test(figures, are_of_the_pools_of_this_process, .timeout = 60)
{
        weft_pool *pool = named("web", 1);
        cr_expect_eq(in_child(figures_of_child, NULL), 0);
        finish(pool);
}

static int fails(size_t size)
{
        (void)size;
        return true;
}

Test(figures, that_cannot_be_written_are_an_error, .timeout = 30)
{
        weft_pool *pool = begin(1);
        FILE *full = fopen("/dev/full", "w");
        cr_assert_not_null(full);
        cr_expect_eq(weft_stats_write(NULL, WEFT_STATS_TEXT), -EINVAL);
        cr_expect_eq(weft_stats_write(full, (weft_stats_format)3), -EINVAL);
        cr_expect_eq(weft_stats_write(full, WEFT_STATS_JSON), -EIO);
        weft__alloc_fails = fails;
        cr_expect_eq(weft_stats_write(full, WEFT_STATS_JSON), -ENOMEM);
        weft__alloc_fails = NULL;
        fclose(full);
        finish(pool);
}
