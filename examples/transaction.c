/* SPDX-License-Identifier: MIT
 *
 * A database transaction as a context variable: sql() runs in the transaction of whoever called,
 * however many tasks away that was, and no function hands it down.
 *
 * Two shops, each with a SQLite database of its own, take an order at the same time, on the same
 * threads. Each line of an order is a task. Oslo's order has a line that its database refuses, so
 * all of it is rolled back; Lisbon's is untouched by that. Exit 0 if the databases say so too.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <weft/weft.h>

enum { LINES = 100 };

struct shop {
        const char *name;
        sqlite3 *db;
        int line[LINES]; /* what is ordered; nobody has number 0 */
};

static weft_var transaction = WEFT_VAR_INIT("transaction"); /* an sqlite3 with one begun */

static int sql(const char *format, int number)
{
        sqlite3 *db = weft_get(&transaction);
        char *text = db ? sqlite3_mprintf(format, number) : NULL;
        int r = text ? sqlite3_exec(db, text, NULL, NULL, NULL) : SQLITE_ERROR;
        sqlite3_free(text);
        return r == SQLITE_OK ? 0 : r == SQLITE_CONSTRAINT ? -ERANGE : -EIO;
}

/* Run fn(arg) in a transaction on db: all that it does, in all the tasks that it starts and waits
 * for, or nothing. */
static int in_transaction(sqlite3 *db, weft_fn *fn, void *arg)
{
        int r = -ENOMEM; /* if the block cannot be entered */
        WEFT_WITH (&transaction, db) {
                r = sql("BEGIN", 0);
                if (r < 0)
                        return r; /* the binding is undone on this way out as well */
                r = fn(arg);
                if (r < 0)
                        sql("ROLLBACK", 0);
                else
                        r = sql("COMMIT", 0);
        }
        return r;
}

static int reserve(void *line)
{
        return sql("INSERT INTO reserved VALUES (%d)", *(const int *)line);
}

static int order(void *arg)
{
        struct shop *shop = arg;
        weft_group lines;
        int r = weft_group_init(&lines, NULL);
        if (r < 0)
                return r;
        for (int i = 0; i < LINES && r == 0; i++)
                r = weft_group_spawn(&lines, reserve, &shop->line[i]);
        if (r < 0)
                weft_group_cancel(&lines);
        r = weft_group_wait(&lines, WEFT_FOREVER); /* the first error of a line, or -ECANCELED */
        weft_group_fini(&lines);
        return r;
}

static int serve(void *arg)
{
        struct shop *shop = arg;
        return in_transaction(shop->db, order, shop);
}

static int count(sqlite3 *db)
{
        sqlite3_stmt *rows = NULL;
        int n = -1;
        if (sqlite3_prepare_v2(db, "SELECT count(*) FROM reserved", -1, &rows, NULL) == SQLITE_OK &&
            sqlite3_step(rows) == SQLITE_ROW)
                n = sqlite3_column_int(rows, 0);
        sqlite3_finalize(rows);
        return n;
}

static int shop_open(struct shop *shop)
{
        for (int i = 0; i < LINES; i++)
                shop->line[i] = i + 1;
        if (sqlite3_open(":memory:", &shop->db) != SQLITE_OK)
                return -EIO;
        const char *table = "CREATE TABLE reserved (item INTEGER CHECK (item > 0))";
        return sqlite3_exec(shop->db, table, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

int main(void)
{
        struct shop shops[] = {{.name = "Lisbon"}, {.name = "Oslo"}};
        weft_task *task[2] = {NULL, NULL};
        int result[2], rows[2];
        weft_pool *pool;

        if (weft_pool_create(&pool, NULL) < 0 || shop_open(&shops[0]) < 0 ||
            shop_open(&shops[1]) < 0)
                return 1;
        shops[1].line[LINES / 2] = 0;

        for (int i = 0; i < 2; i++)
                weft_spawn(pool, &task[i], serve, &shops[i]);
        for (int i = 0; i < 2; i++) {
                result[i] = weft_await(task[i], WEFT_FOREVER);
                rows[i] = count(shops[i].db);
                printf("%s: %s (%s), %d rows\n", shops[i].name,
                       result[i] < 0 ? "rolled back" : "committed", weft_strerror(result[i]),
                       rows[i]);
                weft_task_unref(task[i]);
        }
        weft_pool_destroy(pool);
        for (int i = 0; i < 2; i++)
                sqlite3_close(shops[i].db);
        return !(result[0] == 0 && rows[0] == LINES && result[1] == -ERANGE && rows[1] == 0);
}
