/* SPDX-License-Identifier: MIT
 *
 * The transactions of perf/compare: what was committed is there, what failed is not, and an audit
 * that could not be made says so.
 */
#include "tests/faults/scene.h"

#include <stdio.h>
#include <stdlib.h>

#include "perf/compare/audit.h"
#include "perf/compare/share.h"
#include "perf/compare/transaction.h"

enum { REQUESTS = 3, FILES = 6 };

static struct tree_file files[FILES] = {
    {.path = "a", .size = 1}, {.path = "b", .size = 2}, {.path = "c", .size = 3},
    {.path = "d", .size = 4}, {.path = "e", .size = 5}, {.path = "f", .size = 6},
};
static const struct tree tree = {.files = files, .count = FILES};

/* As TRY, for what gives an error of SQLite's. */
static bool works(int r)
{
        return TRY(r == 0 ? 0 : -EIO, -EIO) == 0;
}

/* The rows that it must have: all of its own, or none. -1: it could not be opened. */
static int transact(const char *folder, int request)
{
        struct transaction *t;
        int rows = 0;
        bool good = works(transaction_open(&t, folder, request));
        if (!good)
                return -1;
        good = works(transaction_begin(t));
        for (int f = 0; good && f < FILES; f++)
                if (share_owner(FILES, REQUESTS, (size_t)f) == request) {
                        good = works(transaction_insert(t, request, &files[f]));
                        rows++;
                }
        bool commits = good && !share_rolls_back(request);
        good = works(transaction_end(t, commits));
        transaction_close(t);
        return commits && good ? rows : 0;
}

SCENE(database, compare)
{
        char folder[200];
        struct audit audit = {0};
        int rows = 0, opened = 0;
        scene_folder(folder, sizeof(folder));
        for (int r = 1; r <= REQUESTS; r++) {
                int n = transact(folder, r);
                opened += n >= 0;
                rows += n > 0 ? n : 0;
        }
        if (opened == REQUESTS && works(audit_databases(&audit, folder, &tree, REQUESTS))) {
                cr_assert_eq((int)audit.rows, rows);
                cr_assert_eq((int)audit.expected, 4);
                cr_assert_eq((int)audit.lost, 4 - rows);
                cr_assert_eq(audit.wrong_request + audit.outlived_rollback + audit.wrong_digest, 0);
        }
        scene_folder_remove(folder);
}
