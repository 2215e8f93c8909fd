/* SPDX-License-Identifier: MIT
 *
 * The example of weft_stats_write(3).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static int contains(weft_stats_format format, const char *what)
{
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);
        int r = weft_stats_write(to, format);
        fclose(to);
        int found = r == 0 && strstr(text, what) != NULL;
        free(text);
        return found;
}

int main(void)
{
        weft_pool_options options = {.workers = 1, .name = "web"};
        weft_pool *pool = NULL;
        int r = weft_pool_create(&pool, &options);
        assert(r == 0);
        int text = contains(WEFT_STATS_TEXT, "web");
        int json = contains(WEFT_STATS_JSON, "\"name\":\"web\"");
        int prometheus = contains(WEFT_STATS_PROMETHEUS, "pool=\"web\"");
        assert(text && json && prometheus);
        r = weft_stats_write(NULL, WEFT_STATS_JSON);
        assert(r == -EINVAL);
        weft_pool_destroy(pool);
        return 0;
}
