/* SPDX-License-Identifier: MIT
 *
 * A transaction: a handle with a real SQLite database behind it, a file of its own.
 *
 * SQLite has one writer at a time for a database, so each request has a database file of its own:
 * as many transactions as there are requests are open at once, and each commits or rolls back by
 * SQLite's own commit or rollback. The audit reads all the files when the run is over.
 *
 * A handle may be used by any thread at any time between open and close, by the wrong request too:
 * that is what the comparison is about, and it must end in wrong rows, not in a crash. So inserts
 * outside a transaction are SQLite's own autocommit, and to begin or end twice does nothing.
 *
 * Functions return 0 or SQLite's error code: a full disk is SQLITE_FULL or SQLITE_IOERR.
 */
#ifndef COMPARE_TRANSACTION_H
#define COMPARE_TRANSACTION_H

#include <stdbool.h>

#include "tree.h"

struct transaction;

/* The file of the request's database in the folder. */
void transaction_path(char *path, size_t size, const char *folder, int request);

/* Make the request's database, with an empty table, and connect to it. */
int transaction_open(struct transaction **ret, const char *folder, int request);

int transaction_begin(struct transaction *transaction);
int transaction_end(struct transaction *transaction, bool commit);

/* Insert a row {request, file, size, digest}. */
int transaction_insert(struct transaction *transaction, int request, const struct tree_file *file);

/* Disconnect; what is not committed goes. NULL is fine. */
void transaction_close(struct transaction *transaction);

#endif
