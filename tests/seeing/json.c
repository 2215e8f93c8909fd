/* SPDX-License-Identifier: MIT
 *
 * What weft_stats_write() gives as JSON, read by jansson: a member for each figure, as
 * weft_pool_stats() has it, under names that want escaping. Exit status 0 if all is right.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <weft/weft.h>

static int failures;

#define EXPECT(condition)                                                                          \
        ((condition) ? (void)0                                                                     \
                     : (failures++, (void)fprintf(stderr, "%d: %s\n", __LINE__, #condition)))

static int nothing(void *unused)
{
        (void)unused;
        return 0;
}

static json_t *figures(void)
{
        char *text = NULL;
        size_t length = 0;
        json_error_t error;
        FILE *to = open_memstream(&text, &length);
        EXPECT(weft_stats_write(to, WEFT_STATS_JSON) == 0);
        fclose(to);
        json_t *all = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
        if (!all)
                fprintf(stderr, "line %d: %s\n%s\n", error.line, error.text, text);
        free(text);
        return all;
}

static void expect(const json_t *pool, const char *name, uint64_t value)
{
        const json_t *member = json_object_get(pool, name);
        EXPECT(json_is_integer(member) && (uint64_t)json_integer_value(member) == value);
}

int main(void)
{
        /* Escapes; a character that ends with the name, and one that is cut there. */
        static const char *const names[][2] = {{"web", "web"},
                                               {"\"\\/\t\x7f", "\"\\/??"},
                                               {"abcdefghijklm\xc3\xa9", "abcdefghijklm\xc3\xa9"},
                                               {"abcdefghijklmn\xc3\xa9", "abcdefghijklmn?"},
                                               {"\xed\xa0\x80\xf5", "????"}};
        enum { POOLS = sizeof(names) / sizeof(*names) };
        weft_pool *pool[POOLS];
        json_t *all = figures();
        EXPECT(json_array_size(json_object_get(all, "pools")) == 0);
        json_decref(all);
        for (unsigned i = 0; i < POOLS; i++) {
                weft_pool_options o = {.size = sizeof(o), .workers = 1, .name = names[i][0]};
                weft_group group;
                if (weft_pool_create(&pool[i], &o) < 0 || weft_group_init(&group, pool[i]) < 0)
                        return 1;
                for (unsigned k = 0; k < 10 * i; k++)
                        EXPECT(weft_group_spawn(&group, nothing, NULL) == 0);
                EXPECT(weft_group_wait(&group, WEFT_FOREVER) == 0);
                weft_group_fini(&group);
        }
        all = figures();
        const json_t *pools = json_object_get(all, "pools");
        EXPECT(json_array_size(pools) == POOLS);
        for (unsigned i = 0; i < POOLS; i++) {
                const json_t *one = json_array_get(pools, i);
                const char *name = json_string_value(json_object_get(one, "name"));
                struct weft_pool_stats stats = {.size = sizeof(stats)};
                weft_pool_stats(pool[i], &stats);
                EXPECT(name && strcmp(name, names[i][1]) == 0);
                expect(one, "id", i + 1);
                expect(one, "workers", 1);
                expect(one, "submitted", 10 * i);
                expect(one, "queued", 0);
                expect(one, "cancelled", stats.cancelled);
                expect(one, "stolen", stats.stolen);
                expect(one, "injected", stats.injected);
                expect(one, "parked", stats.parked);
                expect(one, "missed", 0);
                EXPECT(json_is_integer(json_object_get(one, "run")));
                EXPECT(json_is_integer(json_object_get(one, "woken")));
                EXPECT(json_object_size(one) == 12);
        }
        json_decref(all);
        for (unsigned i = 0; i < POOLS; i++)
                weft_pool_destroy(pool[i]);
        return failures != 0;
}
