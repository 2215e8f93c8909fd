/* SPDX-License-Identifier: MIT
 *
 * What ran where, in the colours of requests: three requests on two workers, each of which has four
 * things looked up at once, waits for them, and answers. It is written as a page, or with a name
 * that ends in ".json" as a trace for ui.perfetto.dev.
 *
 * record [FILE...]    without one, nothing is kept
 */
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

enum { REQUESTS = 3, PARTS = 4 };

static int write_request(void *value, char *text, size_t size)
{
        return snprintf(text, size, "request %d", *(const int *)value);
}

static weft_var request = WEFT_VAR_INIT("request", .format = write_request);

/* In the context of its request, as is all that it submits. */
static int look_up(void *part)
{
        (void)part;
        return weft_sleep_until(weft_now() + 10000000); /* a database, say */
}

static int serve(void *id)
{
        weft_group parts;
        int r = weft_set(&request, id, NULL);
        if (r < 0 || (r = weft_group_init(&parts, NULL)) < 0)
                return r;
        for (int i = 0; i < PARTS && r == 0; i++)
                r = weft_group_spawn(&parts, look_up, NULL);
        int error = weft_group_wait(&parts, WEFT_FOREVER);
        weft_group_fini(&parts);
        return r < 0 ? r : error;
}

static int write_record(weft_record *record, const char *name)
{
        size_t length = strlen(name);
        int json = length > 5 && !strcmp(name + length - 5, ".json");
        FILE *file = fopen(name, "w");
        if (!file)
                return -1;
        int r = weft_record_write(record, file, json ? WEFT_RECORD_JSON : WEFT_RECORD_PAGE);
        return fclose(file) == 0 ? r : -1;
}

int main(int argc, char **argv)
{
        static int ids[REQUESTS] = {1, 2, 3};
        const weft_pool_options two = {.size = sizeof(two), .workers = 2, .name = "server"};
        const weft_record_options by_request = {.size = sizeof(by_request), .var = &request};
        weft_pool *pool;
        weft_record *record;
        weft_group requests;

        if (weft_pool_create(&pool, &two) < 0 ||
            weft_record_start(pool, &record, &by_request) < 0 ||
            weft_group_init(&requests, pool) < 0)
                return 1;
        int r = 0;
        for (int i = 0; i < REQUESTS; i++)
                r |= weft_group_spawn(&requests, serve, &ids[i]);
        r |= weft_group_wait(&requests, WEFT_FOREVER);
        weft_group_fini(&requests);

        weft_record_stop(record);
        for (int i = 1; i < argc; i++)
                if (write_record(record, argv[i]) < 0) {
                        perror(argv[i]);
                        r = -1;
                }
        weft_record_destroy(record);
        weft_pool_destroy(pool);
        return r < 0;
}
