/* SPDX-License-Identifier: MIT
 *
 * SQLite as it fails: a connection that could not be opened must be closed all the same; a
 * statement whose step failed says so again when it is reset; a COMMIT that fails leaves the
 * transaction open. Connections and statements are counted until they are given back.
 */
#define FAULTS_NO_MACROS 1
#include "sqlite.h"

#include <pthread.h>

enum { KEPT = 256 };

/* What is open, and for which site it is counted; a statement also whether its step failed. */
static struct {
        const void *what;
        faults_site_at *at;
        int error;
} kept[KEPT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock: the place of what is kept, or a free one for NULL. */
static int place_of(const void *what)
{
        int i = 0;
        while (i < KEPT && kept[i].what != what)
                i++;
        if (i == KEPT) {
                fprintf(stderr, "faults: what is closed was not open, or too much is\n");
                abort();
        }
        return i;
}

static void keep(faults_site_at *at, const void *what)
{
        if (!what)
                return;
        pthread_mutex_lock(&lock);
        int i = place_of(NULL);
        kept[i].what = what;
        kept[i].at = at;
        kept[i].error = 0;
        pthread_mutex_unlock(&lock);
        faults_made(at);
}

static void forget(const void *what)
{
        if (!what)
                return;
        pthread_mutex_lock(&lock);
        int i = place_of(what);
        faults_gone(kept[i].at);
        kept[i].what = NULL;
        pthread_mutex_unlock(&lock);
}

/* Exchange the error of a statement's last step. */
static int error_becomes(sqlite3_stmt *statement, int error)
{
        pthread_mutex_lock(&lock);
        int i = place_of(statement), earlier = kept[i].error;
        kept[i].error = error;
        pthread_mutex_unlock(&lock);
        return earlier;
}

int faults_open_v2(faults_site_at *at, const char *path, sqlite3 **ret, int flags, const char *vfs)
{
        bool fails = faults_fails(at, 0);
        int r = sqlite3_open_v2(path, ret, flags, vfs);
        keep(at, *ret);
        return fails ? SQLITE_CANTOPEN : r;
}

int faults_close_db(sqlite3 *db)
{
        int r = sqlite3_close(db);
        if (r == SQLITE_OK)
                forget(db);
        return r;
}

int faults_exec(faults_site_at *at, sqlite3 *db, const char *sql,
                int (*row)(void *, int, char **, char **), void *arg, char **ret_message)
{
        return faults_fails(at, 0) ? SQLITE_FULL : sqlite3_exec(db, sql, row, arg, ret_message);
}

int faults_prepare(faults_site_at *at, sqlite3 *db, const char *sql, int size, sqlite3_stmt **ret,
                   const char **ret_rest)
{
        *ret = NULL;
        int r =
            faults_fails(at, 0) ? SQLITE_NOMEM : sqlite3_prepare_v2(db, sql, size, ret, ret_rest);
        keep(at, *ret);
        return r;
}

int faults_step(faults_site_at *at, sqlite3_stmt *statement)
{
        int r = faults_fails(at, 0) ? SQLITE_IOERR : 0;
        error_becomes(statement, r);
        return r ? r : sqlite3_step(statement);
}

int faults_reset(sqlite3_stmt *statement)
{
        int error = error_becomes(statement, 0), r = sqlite3_reset(statement);
        return error ? error : r;
}

int faults_finalize(sqlite3_stmt *statement)
{
        forget(statement);
        return sqlite3_finalize(statement);
}
