/* SPDX-License-Identifier: MIT
 *
 * Compiled before each file that uses a database (-include): what it asks of SQLite, and of the
 * allocator, goes through sqlite.c, which lets it fail when it is told to.
 */
#ifndef TESTS_FAULTS_SQLITE_H
#define TESTS_FAULTS_SQLITE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "inject.h"

typedef const struct faults_site faults_site_at;

int faults_open_v2(faults_site_at *at, const char *path, sqlite3 **ret, int flags, const char *vfs);
int faults_exec(faults_site_at *at, sqlite3 *db, const char *sql,
                int (*row)(void *, int, char **, char **), void *arg, char **ret_message);
int faults_prepare(faults_site_at *at, sqlite3 *db, const char *sql, int size, sqlite3_stmt **ret,
                   const char **ret_rest);
int faults_step(faults_site_at *at, sqlite3_stmt *statement);
int faults_reset(sqlite3_stmt *statement);
int faults_finalize(sqlite3_stmt *statement);
int faults_close_db(sqlite3 *db);

#if !defined(FAULTS_NO_MACROS)
#define sqlite3_open(path, ret)                                                                    \
        faults_open_v2(FAULTS_SITE("sqlite3_open"), path, ret,                                     \
                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL)
#define sqlite3_open_v2(...)        faults_open_v2(FAULTS_SITE("sqlite3_open_v2"), __VA_ARGS__)
#define sqlite3_exec(...)           faults_exec(FAULTS_SITE("sqlite3_exec"), __VA_ARGS__)
#define sqlite3_prepare_v2(...)     faults_prepare(FAULTS_SITE("sqlite3_prepare_v2"), __VA_ARGS__)
#define sqlite3_step(statement)     faults_step(FAULTS_SITE("sqlite3_step"), statement)
#define sqlite3_reset(statement)    faults_reset(statement)
#define sqlite3_finalize(statement) faults_finalize(statement)
#define sqlite3_close(db)           faults_close_db(db)

/* With the call that does it when it does not fail. */
#define FAULTS_OR(call, error, failed, works)                                                      \
        (faults_fails(FAULTS_SITE(call), error) ? (failed) : (works))
#define sqlite3_bind_text(...)                                                                     \
        FAULTS_OR("sqlite3_bind_text", 0, SQLITE_NOMEM, sqlite3_bind_text(__VA_ARGS__))
#define sqlite3_bind_blob(...)                                                                     \
        FAULTS_OR("sqlite3_bind_blob", 0, SQLITE_NOMEM, sqlite3_bind_blob(__VA_ARGS__))
#define sqlite3_bind_int(...)                                                                      \
        FAULTS_OR("sqlite3_bind_int", 0, SQLITE_NOMEM, sqlite3_bind_int(__VA_ARGS__))
#define sqlite3_bind_int64(...)                                                                    \
        FAULTS_OR("sqlite3_bind_int64", 0, SQLITE_NOMEM, sqlite3_bind_int64(__VA_ARGS__))
#define sqlite3_column_text(...)                                                                   \
        FAULTS_OR("sqlite3_column_text", 0, NULL, sqlite3_column_text(__VA_ARGS__))
#define sqlite3_mprintf(...) FAULTS_OR("sqlite3_mprintf", 0, NULL, sqlite3_mprintf(__VA_ARGS__))

#define malloc(size)    FAULTS_OR("malloc", ENOMEM, NULL, malloc(size))
#define calloc(n, size) FAULTS_OR("calloc", ENOMEM, NULL, calloc(n, size))
#undef strdup
#define strdup(text)   FAULTS_OR("strdup", ENOMEM, NULL, strdup(text))
#define vasprintf(...) FAULTS_OR("vasprintf", ENOMEM, -1, vasprintf(__VA_ARGS__))
#endif

#endif
