/* SPDX-License-Identifier: MIT
 *
 * The requests of examples/server without their sockets: each is answered, whatever fails; what was
 * answered by 200 is in the database as a whole, and what was not is not there at all.
 */
#include "tests/faults/scene.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "examples/server/db.h"
#include "examples/server/handlers.h"
#include "examples/server/log.h"
#include "examples/server/request.h"

enum { REQUESTS = 6, SHARDS = 8 };

static const struct kind {
        enum http_method method;
        const char *url;
        int rows;
} kinds[REQUESTS] = {{HTTP_POST, "/notes", 2},    {HTTP_GET, "/fan?text=x", 4},
                     {HTTP_GET, "/slow?ms=1", 1}, {HTTP_GET, "/notes", 0},
                     {HTTP_POST, "/notes", 2},    {HTTP_GET, "/health", 0}};

static struct request {
        const struct kind *kind;
        struct exchange x;
        struct identity who;
} requests[REQUESTS];

static int serves(void *arg)
{
        struct request *r = arg;
        WEFT_WITH (&request_id, r->who.id) {
                WEFT_WITH (&request_user, r->who.user) {
                        WEFT_DEADLINE (scene_ms(5000))
                                handle(&r->x);
                }
        }
        return 0;
}

static int rows_of(const char *folder, const char *id)
{
        int n = 0;
        for (int i = 0; i < SHARDS; i++) {
                sqlite3 *db;
                sqlite3_stmt *count;
                char path[300];
                snprintf(path, sizeof(path), "%s/notes-%d.db", folder, i);
                cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
                cr_assert_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM note WHERE request = ?",
                                                -1, &count, NULL),
                             SQLITE_OK);
                sqlite3_bind_text(count, 1, id, -1, SQLITE_STATIC);
                cr_assert_eq(sqlite3_step(count), SQLITE_ROW);
                n += sqlite3_column_int(count, 0);
                sqlite3_finalize(count);
                sqlite3_close(db);
        }
        return n;
}

static void ask(int i)
{
        struct request *r = &requests[i];
        memset(r, 0, sizeof(*r));
        r->kind = &kinds[i];
        r->x.request.method = kinds[i].method;
        snprintf(r->x.request.url, sizeof(r->x.request.url), "%s", kinds[i].url);
        strcpy(r->x.request.body, "text");
        r->x.request.body_size = 4;
        cr_assert_eq(
            http_parser_parse_url(kinds[i].url, strlen(kinds[i].url), 0, &r->x.request.part), 0);
        snprintf(r->who.id, sizeof(r->who.id), "request-%d", i);
        snprintf(r->who.user, sizeof(r->who.user), "%s", i % 2 ? "ada" : "bob");
}

static void serve_all(const char *folder)
{
        weft_task *task[REQUESTS];
        weft_pool *pool = scene_pool(2, WEFT_MIGRATE);
        if (!pool)
                return;
        for (int i = 0; i < REQUESTS; i++) {
                ask(i);
                if (TRY(weft_spawn(pool, &task[i], serves, &requests[i]), -ENOMEM) < 0)
                        task[i] = NULL;
        }
        for (int i = 0; i < REQUESTS; i++) {
                if (!task[i])
                        continue;
                MUST(weft_await(task[i], WEFT_FOREVER));
                weft_task_unref(task[i]);
                int status = requests[i].x.reply.status;
                cr_assert(status == 200 || scene_disturbed(), "%d", status);
                free(requests[i].x.reply.body);
        }
        weft_pool_destroy(pool);
        for (int i = 0; i < REQUESTS; i++) {
                bool done = task[i] && requests[i].x.reply.status == 200;
                cr_assert_eq(rows_of(folder, requests[i].who.id), done ? kinds[i].rows : 0, "%s",
                             kinds[i].url);
        }
}

SCENE(database, server)
{
        char folder[200];
        scene_folder(folder, sizeof(folder));
        cr_assert_eq(log_open("/dev/null"), 0);
        if (TRY(db_open(folder), -ENOMEM, -EIO) == 0)
                serve_all(folder);
        db_close();
        scene_folder_remove(folder);
}
