/* SPDX-License-Identifier: MIT
 *
 * The database: see db.h.
 *
 * SQLite lets one transaction write to a file at a time. So the notes are in several files, each
 * user's in one of them, and each file has one connection. A request takes its turn on it by a
 * weft_mutex that it holds from BEGIN to the end, across all its waits: those behind it are parked
 * tasks, not blocked threads, and each gives up at its own deadline.
 *
 * Which calls may be made on a worker? BEGIN and INSERT only change pages that SQLite keeps in
 * memory, and take some ten microseconds: less than handing them to another thread and back. COMMIT
 * writes, and now and then syncs; a read may have to wait for the disk. These go through
 * weft_blocking(), which runs them on a thread of its own but in the request's context.
 */
#include "db.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "request.h"

enum { SHARDS = 8 };

struct shard {
        weft_mutex turn; /* held for a transaction */
        weft_mutex call; /* held to use a prepared statement: a request's tasks may come at once */
        sqlite3 *db;
        sqlite3_stmt *insert, *latest;
};

static struct shard shards[SHARDS];
static weft_var transaction = WEFT_VAR_INIT("transaction"); /* a struct shard with one begun */

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;" /* a power failure may take the last ones, but nothing by half */
    "CREATE TABLE IF NOT EXISTS note"
    " (id INTEGER PRIMARY KEY, request TEXT NOT NULL, user TEXT NOT NULL, part INTEGER,"
    "  text TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS note_user ON note (user)";

static const char insert[] = "INSERT INTO note (request, user, part, text) VALUES (?, ?, ?, ?)";

static const char latest[] =
    "SELECT json_group_array(json_object('request', request, 'part', part, 'text', text)) "
    "FROM (SELECT * FROM note WHERE user = ? ORDER BY id DESC LIMIT 20)";

/* ---- opening and closing ---- */

/* What SQLite said, as an error of ours. */
static int result_of(struct shard *s, int sqlite)
{
        if (sqlite == SQLITE_OK || sqlite == SQLITE_ROW || sqlite == SQLITE_DONE)
                return 0;
        log_line("database: %s", s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(sqlite));
        return sqlite == SQLITE_NOMEM ? -ENOMEM : sqlite == SQLITE_BUSY ? -EBUSY : -EIO;
}

int db_open(const char *directory)
{
        for (int i = 0; i < SHARDS; i++) {
                struct shard *s = &shards[i];
                char path[PATH_MAX];
                snprintf(path, sizeof(path), "%s/notes-%d.db", directory, i);
                int r = sqlite3_open(path, &s->db);
                if (!r)
                        r = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
                if (!r)
                        r = sqlite3_prepare_v2(s->db, insert, -1, &s->insert, NULL);
                if (!r)
                        r = sqlite3_prepare_v2(s->db, latest, -1, &s->latest, NULL);
                if (r)
                        return result_of(s, r);
        }
        return 0;
}

void db_close(void)
{
        for (int i = 0; i < SHARDS; i++) {
                sqlite3_finalize(shards[i].insert);
                sqlite3_finalize(shards[i].latest);
                sqlite3_close(shards[i].db);
        }
}

/* ---- transactions ---- */

static struct shard *shard_of(const char *user)
{
        unsigned hash = 2166136261U; /* FNV-1a */
        for (; *user; user++)
                hash = (hash ^ (unsigned char)*user) * 16777619U;
        return &shards[hash % SHARDS];
}

struct command {
        struct shard *shard;
        const char *sql;
        bool ran;
        int result;
};

static int execute(void *arg)
{
        struct command *c = arg;
        c->ran = true;
        c->result = result_of(c->shard, sqlite3_exec(c->shard->db, c->sql, NULL, NULL, NULL));
        return c->result;
}

/* Commit or roll back. This is decided, so nothing in it is to be called off by the deadline or a
 * cancellation, which may be why it is done. */
static int end(struct shard *s, const char *sql)
{
        struct command c = {.shard = s, .sql = sql};
        WEFT_SHIELD {
                weft_blocking(execute, &c);
        }
        if (!c.ran) /* no thread was to be had for it */
                execute(&c);
        return c.result;
}

int db_transaction(weft_fn *fn, void *arg)
{
        struct shard *s = shard_of(weft_get(&request_user));
        int r = weft_mutex_lock(&s->turn, WEFT_FOREVER);
        if (r < 0)
                return r;
        if (!sqlite3_get_autocommit(s->db)) /* the last one could not even be rolled back */
                end(s, "ROLLBACK");
        struct command begin = {.shard = s, .sql = "BEGIN IMMEDIATE"};
        r = execute(&begin);
        if (r == 0) {
                r = -ENOMEM; /* if the block cannot be entered */
                WEFT_WITH (&transaction, s)
                        r = fn(arg);
                if (r >= 0)
                        r = end(s, "COMMIT");
                if (r < 0)
                        end(s, "ROLLBACK");
        }
        weft_mutex_unlock(&s->turn);
        return r;
}

/* ---- in a transaction ---- */

/* The current transaction's connection, for one call; or NULL and *ret_error. */
static struct shard *enter(int *ret_error)
{
        struct shard *s = weft_get(&transaction);
        int r = s ? weft_mutex_lock(&s->call, WEFT_FOREVER) : -EPERM;
        if (r < 0)
                *ret_error = r;
        return r < 0 ? NULL : s;
}

int db_insert(int part, const char *text)
{
        int r;
        struct shard *s = enter(&r);
        if (!s)
                return r;
        r = sqlite3_bind_text(s->insert, 1, weft_get(&request_id), -1, SQLITE_STATIC);
        if (!r)
                r = sqlite3_bind_text(s->insert, 2, weft_get(&request_user), -1, SQLITE_STATIC);
        if (!r)
                r = sqlite3_bind_int(s->insert, 3, part);
        if (!r)
                r = sqlite3_bind_text(s->insert, 4, text, -1, SQLITE_STATIC);
        r = result_of(s, r ? r : sqlite3_step(s->insert));
        if (r == 0)
                r = (int)(sqlite3_last_insert_rowid(s->db) & INT_MAX);
        sqlite3_reset(s->insert);
        sqlite3_clear_bindings(s->insert);
        weft_mutex_unlock(&s->call);
        return r;
}

struct reading {
        struct shard *shard;
        char *json;
};

static int read_latest(void *arg) /* on a thread for blocking calls: the user is known there too */
{
        struct reading *reading = arg;
        sqlite3_stmt *query = reading->shard->latest;
        int r = sqlite3_bind_text(query, 1, weft_get(&request_user), -1, SQLITE_STATIC);
        r = result_of(reading->shard, r ? r : sqlite3_step(query));
        const char *json = r == 0 ? (const char *)sqlite3_column_text(query, 0) : NULL;
        if (json)
                reading->json = strdup(json);
        sqlite3_reset(query);
        sqlite3_clear_bindings(query);
        return r < 0 || reading->json ? r : -ENOMEM;
}

int db_notes(char **ret_json)
{
        int r;
        struct reading reading = {.shard = enter(&r)};
        if (!reading.shard)
                return r;
        r = weft_blocking(read_latest, &reading);
        weft_mutex_unlock(&reading.shard->call);
        if (r == 0)
                *ret_json = reading.json;
        return r;
}
