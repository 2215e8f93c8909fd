/* SPDX-License-Identifier: MIT
 *
 * The notes, and the transaction that a request makes of all it does to them.
 *
 * The handle of the transaction is a context variable: db_insert() and db_notes() work in the
 * transaction of whoever called, however many functions and tasks away it was begun.
 */
#ifndef DB_H
#define DB_H

#include <weft/weft.h>

/* Open, and make where it is missing, the database in a directory that exists. 0 or -errno. */
int db_open(const char *directory);
void db_close(void);

/* Run fn(arg) in a transaction of the current user's: committed if fn returns 0 or more, rolled
 * back if it returns an error, which is handed on. All tasks that fn starts and that use the
 * transaction must have ended when it returns. Parks. */
int db_transaction(weft_fn *fn, void *arg);

/* Add a note of the current request's and user's: its row number, or -errno. Any number of tasks of
 * the request may do so at once. Parks. */
int db_insert(int part, const char *text);

/* The current user's latest notes as JSON, to be freed: 0 or -errno. Parks. */
int db_notes(char **ret_json);

#endif
