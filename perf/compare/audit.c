/* SPDX-License-Identifier: MIT
 *
 * The audit: see audit.h.
 *
 * A database in memory takes the truth (`truth`: every file, its request, whether that rolls back)
 * and, attached one after the other, the rows of every request's database (`found`: with the
 * request whose database it was). Each figure is then one query.
 */
#include "audit.h"

#include <limits.h>

#include <sqlite3.h>

#include "share.h"
#include "terminal.h"
#include "transaction.h"

static const char schema[] =
    "CREATE TABLE truth(file TEXT PRIMARY KEY, owner INTEGER, rolled_back INTEGER,"
    "                   size INTEGER, digest BLOB) WITHOUT ROWID;"
    "CREATE TABLE database(id INTEGER PRIMARY KEY, rolled_back INTEGER);"
    "CREATE TABLE found(database INTEGER, request INTEGER, file TEXT, size INTEGER, digest BLOB);"
    "CREATE INDEX found_file ON found(file)";

/* Parameters: path, request, whether it rolls back, request. */
static const char take[] = "ATTACH %Q AS run;"
                           "INSERT INTO database VALUES(%d, %d);"
                           "INSERT INTO found SELECT %d, * FROM run.entry;"
                           "DETACH run";

static const char count_expected[] = "SELECT count(*) FROM truth WHERE NOT rolled_back";

static const char count_rows[] = "SELECT count(*) FROM found";

static const char count_wrong_request[] =
    "SELECT count(*) FROM found JOIN truth USING(file)"
    " WHERE found.request <> truth.owner OR found.database <> truth.owner";

static const char count_outlived_rollback[] =
    "SELECT count(*) FROM found JOIN truth USING(file) JOIN database ON database.id = database"
    " WHERE truth.rolled_back OR database.rolled_back";

static const char count_wrong_digest[] =
    "SELECT count(*) FROM found JOIN truth USING(file)"
    " WHERE found.size <> truth.size OR found.digest <> truth.digest";

static const char count_lost[] =
    "SELECT count(*) FROM truth WHERE NOT rolled_back AND NOT EXISTS("
    " SELECT 1 FROM found WHERE found.file = truth.file"
    "  AND found.request = truth.owner AND found.database = truth.owner)";

static int put_truth(sqlite3 *db, const struct tree *tree, int requests)
{
        sqlite3_stmt *insert;
        int r =
            sqlite3_prepare_v2(db, "INSERT INTO truth VALUES(?, ?, ?, ?, ?)", -1, &insert, NULL);
        for (size_t i = 0; !r && i < tree->count; i++) {
                const struct tree_file *file = &tree->files[i];
                int owner = share_owner(tree->count, requests, i);
                r = sqlite3_bind_text(insert, 1, file->path, -1, SQLITE_STATIC);
                if (!r)
                        r = sqlite3_bind_int(insert, 2, owner);
                if (!r)
                        r = sqlite3_bind_int(insert, 3, share_rolls_back(owner));
                if (!r)
                        r = sqlite3_bind_int64(insert, 4, (sqlite3_int64)file->size);
                if (!r)
                        r = sqlite3_bind_blob(insert, 5, file->digest, TREE_DIGEST, SQLITE_STATIC);
                if (!r) {
                        sqlite3_step(insert);
                        r = sqlite3_reset(insert);
                }
        }
        sqlite3_finalize(insert);
        return r;
}

static int take_database(sqlite3 *db, const char *folder, int request)
{
        char path[PATH_MAX];
        transaction_path(path, sizeof(path), folder, request);
        char *sql = sqlite3_mprintf(take, path, request, share_rolls_back(request), request);
        int r = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(sql);
        return r;
}

static int count(sqlite3 *db, const char *query, size_t *ret)
{
        sqlite3_stmt *statement;
        int r = sqlite3_prepare_v2(db, query, -1, &statement, NULL);
        if (!r && sqlite3_step(statement) == SQLITE_ROW)
                *ret = (size_t)sqlite3_column_int64(statement, 0);
        if (!r)
                r = sqlite3_reset(statement);
        sqlite3_finalize(statement);
        return r;
}

static int count_all(sqlite3 *db, struct audit *audit)
{
        const struct {
                const char *query;
                size_t *figure;
        } figures[] = {
            {count_expected, &audit->expected},
            {count_rows, &audit->rows},
            {count_wrong_request, &audit->wrong_request},
            {count_outlived_rollback, &audit->outlived_rollback},
            {count_wrong_digest, &audit->wrong_digest},
            {count_lost, &audit->lost},
        };
        int r = 0;
        for (size_t i = 0; !r && i < sizeof(figures) / sizeof(*figures); i++)
                r = count(db, figures[i].query, figures[i].figure);
        return r;
}

int audit_databases(struct audit *audit, const char *folder, const struct tree *tree, int requests)
{
        sqlite3 *db = NULL;
        int r = sqlite3_open(":memory:", &db);
        if (!r)
                r = sqlite3_exec(db, schema, NULL, NULL, NULL);
        if (!r)
                r = put_truth(db, tree, requests);
        for (int request = 1; !r && request <= requests; request++)
                r = take_database(db, folder, request);
        if (!r)
                r = count_all(db, audit);
        if (r)
                complain("the audit failed: %s", sqlite3_errmsg(db));
        sqlite3_close(db);
        return r ? -1 : 0;
}
