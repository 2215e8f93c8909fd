/* SPDX-License-Identifier: MIT
 *
 * Records that the environment asks for (weft/record.h): WEFT_RECORD and WEFT_RECORD_VAR.
 *
 * The records of pools that live are in a list, under a lock. A pool that is destroyed takes its
 * own out; the end of the process takes all that are left. Both stop a record before they give the
 * lock back, since the one must not free a pool that the other still looks at. In the child of a
 * fork the records are the parent's, and nothing is written.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"
#include "worker.h"

static weft__lock lock;
static weft_record *records; /* under lock; linked by next */
static unsigned made;        /* under lock: how many there were */

void weft__record_pool_made(weft_pool *pool)
{
        const char *file = secure_getenv("WEFT_RECORD");
        weft_record *record;
        if (!file || !*file || weft_record_start(pool, &record, NULL) < 0)
                return;
        const char *var = secure_getenv("WEFT_RECORD_VAR");
        if (var && *var)
                weft__record_by_name(record, var);
        weft__lock_take(&lock);
        record->number = ++made;
        record->next = records;
        records = record;
        weft__lock_give(&lock);
}

/* Take the record of a pool, or with NULL any, out of the list, stopped; NULL: there is none. */
static weft_record *take_stopped(const weft_pool *pool)
{
        weft_record *record;
        weft__lock_take(&lock);
        weft_record **link = &records;
        while (*link && pool && (*link)->pool != pool)
                link = &(*link)->next;
        record = *link;
        if (record) {
                *link = record->next;
                weft_record_stop(record);
        }
        weft__lock_give(&lock);
        return record;
}

/* The file of the n-th record, with the process where %p stands. */
static void write_name(char *name, size_t size, const char *file, unsigned n)
{
        const char *at = strstr(file, "%p");
        size_t length = (size_t)(at ? snprintf(name, size, "%.*s%d%s", (int)(at - file), file,
                                               (int)getpid(), at + 2)
                                    : snprintf(name, size, "%s", file));
        if (n > 1)
                snprintf(name + length, size - length, ".%u", n);
}

static void write_to_file(weft_record *record)
{
        const char *file = secure_getenv("WEFT_RECORD");
        if (!file || record->pool) /* a parent's, which could not be stopped */
                return;
        size_t length = strlen(file);
        bool page = length > 5 && !strcmp(file + length - 5, ".html");
        size_t size = length + 32;
        char *name = weft__alloc(size);
        if (!name)
                return;
        write_name(name, size, file, record->number);
        FILE *to = fopen(name, "we");
        if (!to)
                fprintf(stderr, "weft: cannot write %s: %m\n", name);
        weft__free(name, size);
        if (!to)
                return;
        if (weft_record_write(record, to, page ? WEFT_RECORD_PAGE : WEFT_RECORD_JSON) < 0)
                fputs("weft: no memory to write a record\n", stderr);
        fclose(to);
}

static void end(weft_record *record)
{
        struct weft__kept kept = weft__keep();
        write_to_file(record);
        weft_record_destroy(record);
        weft__give_back(kept);
}

void weft__record_pool_ends(weft_pool *pool)
{
        weft_record *record = take_stopped(pool);
        if (record)
                end(record);
}

__attribute__((destructor)) static void end_all(void)
{
        weft_record *record;
        while ((record = take_stopped(NULL)))
                end(record);
}
