/* SPDX-License-Identifier: MIT
 *
 * Transactions on a SQLite database a request: see transaction.h.
 *
 * The handle's lock covers the connection and its prepared insert, so SQLite's own is left out.
 * Nothing under the lock waits for a task.
 */
#include "transaction.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

struct transaction {
        pthread_mutex_t lock;
        sqlite3 *db;
        sqlite3_stmt *insert;
};

/* Nothing here outlives the run, so there is no need to wait for the disk, nor to keep what a
 * rollback needs in one more file. */
static const char schema[] =
    "PRAGMA synchronous = OFF;"
    "PRAGMA journal_mode = MEMORY;"
    "CREATE TABLE entry(request INTEGER, file TEXT, size INTEGER, digest BLOB)";

void transaction_path(char *path, size_t size, const char *folder, int request)
{
        snprintf(path, size, "%s/request-%03d.db", folder, request);
}

static int connect_to(struct transaction *t, const char *path)
{
        int r = sqlite3_open_v2(
            path, &t->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
        if (!r)
                r = sqlite3_exec(t->db, schema, NULL, NULL, NULL);
        if (!r)
                r = sqlite3_prepare_v2(t->db, "INSERT INTO entry VALUES(?, ?, ?, ?)", -1,
                                       &t->insert, NULL);
        return r;
}

int transaction_open(struct transaction **ret, const char *folder, int request)
{
        char path[PATH_MAX];
        struct transaction *t = calloc(1, sizeof(*t));
        if (!t)
                return SQLITE_NOMEM;
        pthread_mutex_init(&t->lock, NULL);
        transaction_path(path, sizeof(path), folder, request);
        int r = connect_to(t, path);
        if (r) {
                transaction_close(t);
                return r;
        }
        *ret = t;
        return 0;
}

/* Run a statement that begins or ends, unless the connection is in the state it leads to. */
static int turn(struct transaction *t, const char *statement, bool into_transaction)
{
        int r = 0;
        pthread_mutex_lock(&t->lock);
        bool inside = !sqlite3_get_autocommit(t->db);
        if (inside != into_transaction)
                r = sqlite3_exec(t->db, statement, NULL, NULL, NULL);
        pthread_mutex_unlock(&t->lock);
        return r;
}

int transaction_begin(struct transaction *transaction)
{
        return turn(transaction, "BEGIN IMMEDIATE", true);
}

int transaction_end(struct transaction *transaction, bool commit)
{
        return turn(transaction, commit ? "COMMIT" : "ROLLBACK", false);
}

int transaction_insert(struct transaction *t, int request, const struct tree_file *file)
{
        pthread_mutex_lock(&t->lock);
        int r = sqlite3_bind_int(t->insert, 1, request);
        if (!r)
                r = sqlite3_bind_text(t->insert, 2, file->path, -1, SQLITE_STATIC);
        if (!r)
                r = sqlite3_bind_int64(t->insert, 3, (sqlite3_int64)file->size);
        if (!r)
                r = sqlite3_bind_blob(t->insert, 4, file->digest, TREE_DIGEST, SQLITE_STATIC);
        if (!r) {
                sqlite3_step(t->insert);
                r = sqlite3_reset(t->insert); /* gives the step's error, if there was one */
        }
        sqlite3_clear_bindings(t->insert);
        pthread_mutex_unlock(&t->lock);
        return r;
}

void transaction_close(struct transaction *transaction)
{
        if (!transaction)
                return;
        sqlite3_finalize(transaction->insert);
        sqlite3_close(transaction->db);
        pthread_mutex_destroy(&transaction->lock);
        free(transaction);
}
