/* SPDX-License-Identifier: MIT
 *
 * Tests of parts of weft-compare that a run of it cannot show: that its audit finds each kind of
 * wrong row in databases that were doctored, and that its judgement fails.
 *
 *   parts               the names of the cases
 *   parts CASE FOLDER   run that one; databases are made in the folder. Exit 0 or 1
 *
 * The tree has six files, a to f, and there are three requests: 1 has a and b, 2 has c and d, 3 has
 * e and f and rolls back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/compare/audit.h"
#include "perf/compare/comparison.h"
#include "perf/compare/share.h"
#include "perf/compare/transaction.h"

#define check(condition)                                                                           \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                     \
                        exit(1);                                                                   \
                }                                                                                  \
        } while (0)

enum { REQUESTS = 3, FILES = 6 };

static struct tree_file files[FILES] = {
    {.path = "a", .size = 1}, {.path = "b", .size = 2}, {.path = "c", .size = 3},
    {.path = "d", .size = 4}, {.path = "e", .size = 5}, {.path = "f", .size = 6},
};
static struct tree tree = {.files = files, .count = FILES};
static const char *folder;
static struct transaction *transactions[REQUESTS + 1]; /* from 1 */

static void open_all(void)
{
        for (int r = 1; r <= REQUESTS; r++) {
                check(transaction_open(&transactions[r], folder, r) == 0);
                check(transaction_begin(transactions[r]) == 0);
        }
}

static void insert(int transaction, int request, int file)
{
        check(transaction_insert(transactions[transaction], request, &files[file]) == 0);
}

/* The right rows, but for some files. */
static void insert_all_but(int skip, int skip_too)
{
        for (int f = 0; f < FILES; f++) {
                int owner = share_owner(FILES, REQUESTS, (size_t)f);
                if (f != skip && f != skip_too)
                        insert(owner, owner, f);
        }
}

static void end_all(void)
{
        for (int r = 1; r <= REQUESTS; r++)
                check(transaction_end(transactions[r], !share_rolls_back(r)) == 0);
}

static void close_all(void)
{
        for (int r = 1; r <= REQUESTS; r++)
                transaction_close(transactions[r]);
}

/* Close the databases, and see what the audit counts. */
static void audit_finds(size_t rows, size_t wrong_request, size_t outlived_rollback,
                        size_t wrong_digest, size_t lost)
{
        struct audit audit = {0};
        close_all();
        check(audit_databases(&audit, folder, &tree, REQUESTS) == 0);
        check(audit.expected == 4);
        check(audit.rows == rows);
        check(audit.wrong_request == wrong_request);
        check(audit.outlived_rollback == outlived_rollback);
        check(audit.wrong_digest == wrong_digest);
        check(audit.lost == lost);
}

static void right_rows_are_right(void)
{
        open_all();
        insert_all_but(-1, -1);
        end_all();
        audit_finds(4, 0, 0, 0, 0);
}

static void a_row_under_anothers_id(void)
{
        open_all();
        insert_all_but(0, -1);
        insert(1, 2, 0);
        end_all();
        audit_finds(4, 1, 0, 0, 1);
}

static void a_row_in_anothers_transaction(void)
{
        open_all();
        insert_all_but(0, -1);
        insert(2, 1, 0);
        end_all();
        audit_finds(4, 1, 0, 0, 1);
}

static void a_row_that_was_never_written(void)
{
        open_all();
        insert_all_but(0, 5); /* f is of the request that rolls back: it is not missed */
        end_all();
        audit_finds(3, 0, 0, 0, 1);
}

static void rows_that_were_never_committed(void)
{
        open_all();
        insert_all_but(-1, -1);
        check(transaction_end(transactions[2], true) == 0);
        audit_finds(2, 0, 0, 0, 2); /* closing rolled 1 back */
}

static void rows_rolled_back_for_another(void)
{
        open_all();
        insert_all_but(-1, -1);
        check(transaction_end(transactions[1], false) == 0);
        end_all();
        audit_finds(2, 0, 0, 0, 2);
}

static void rows_that_somebody_else_committed(void)
{
        open_all();
        insert_all_but(-1, -1);
        check(transaction_end(transactions[3], true) == 0);
        end_all();
        audit_finds(6, 0, 2, 0, 0);
}

static void a_row_that_came_after_the_rollback(void)
{
        open_all();
        insert_all_but(5, -1);
        end_all();
        insert(3, 3, 5);
        audit_finds(5, 0, 1, 0, 0);
}

static void a_row_that_hid_from_its_rollback(void)
{
        open_all();
        insert_all_but(5, -1);
        insert(1, 1, 5);
        end_all();
        audit_finds(5, 1, 1, 0, 0);
}

static void a_row_of_another_content(void)
{
        struct tree_file changed = files[0];
        changed.digest[TREE_DIGEST - 1] ^= 1;
        open_all();
        insert_all_but(0, -1);
        check(transaction_insert(transactions[1], 1, &changed) == 0);
        end_all();
        audit_finds(4, 0, 0, 1, 0);
}

static void a_database_that_is_not_there(void)
{
        struct audit audit = {0};
        check(audit_databases(&audit, folder, &tree, REQUESTS) == -1);
}

/* ---- the judgement ---- */

static struct comparison as_it_should_be(void)
{
        struct comparison c = {.requests = REQUESTS, .workers = 2};
        for (int s = 0; s < SCOPINGS; s++) {
                c.results[s].audit = (struct audit){.expected = 4, .rows = 4, .tasks = 9};
                c.results[s].audit.found_other = s == WEFT_VAR ? 0 : 1;
                for (int h = 0; h < HAZARDS; h++) {
                        bool provoked = hazards[h].provoked_in & (1u << s);
                        c.results[s].hazards[h] = (struct tally){provoked ? 8 : 0, 8};
                }
        }
        return c;
}

/* How many expectations fail, and that as many sentences say so. */
static int judged(const struct comparison *c)
{
        char text[4096] = "";
        FILE *memory = fmemopen(text, sizeof(text), "w");
        check(memory);
        int failed = comparison_judge(c, memory, "");
        fclose(memory);
        int lines = 0;
        for (const char *at = text; (at = strchr(at, '\n')); at++)
                lines++;
        check(lines == failed);
        return failed;
}

static void what_should_be_is_accepted(void)
{
        struct comparison c = as_it_should_be();
        check(judged(&c) == 0);
}

static void a_fault_of_the_weft_var_fails(void)
{
        for (int f = 0; f < FIGURES; f++) {
                if (!figures[f].is_fault)
                        continue;
                struct comparison c = as_it_should_be();
                *(size_t *)((char *)&c.results[WEFT_VAR].audit + figures[f].offset) = 1;
                check(judged(&c) == 1);
        }
}

static void a_surplus_row_of_the_weft_var_fails(void)
{
        struct comparison c = as_it_should_be();
        c.results[WEFT_VAR].audit.rows++;
        check(judged(&c) == 1);
}

static void a_hazard_of_the_weft_var_fails(void)
{
        for (int h = 0; h < HAZARDS; h++) {
                struct comparison c = as_it_should_be();
                c.results[WEFT_VAR].hazards[h].wrong = 1;
                check(judged(&c) == 1);
                c.results[WEFT_VAR].hazards[h] = (struct tally){0, 0}; /* nothing was read */
                check(judged(&c) == 1);
        }
}

static void a_hazard_that_is_not_provoked_fails(void)
{
        for (int h = 0; h < HAZARDS; h++) {
                int columns = 0;
                for (int s = 0; s < SCOPINGS; s++) {
                        struct comparison c = as_it_should_be();
                        if (!c.results[s].hazards[h].wrong)
                                continue;
                        c.results[s].hazards[h].wrong = 0;
                        check(judged(&c) == 1);
                        columns++;
                }
                check(columns > 0); /* each hazard is expected somewhere */
        }
}

static void work_in_which_no_thread_local_was_wrong_fails(void)
{
        for (int s = 0; s < SCOPINGS; s++) {
                struct comparison c = as_it_should_be();
                if (s == WEFT_VAR)
                        continue;
                c.results[s].audit.found_other = 0;
                check(judged(&c) == 1);
                c.results[s].audit.found_none = 1;
                check(judged(&c) == 0);
        }
}

static void requests_that_need_not_meet_prove_nothing(void)
{
        struct comparison c = as_it_should_be();
        for (int s = 0; s < SCOPINGS; s++)
                c.results[s].audit.found_other = 0;
        c.workers = REQUESTS;
        check(judged(&c) == 0);
}

#define CASE(name)                                                                                 \
        {                                                                                          \
#name, name                                                                        \
        }

static const struct {
        const char *name;
        void (*run)(void);
} cases[] = {
    CASE(right_rows_are_right),
    CASE(a_row_under_anothers_id),
    CASE(a_row_in_anothers_transaction),
    CASE(a_row_that_was_never_written),
    CASE(rows_that_were_never_committed),
    CASE(rows_rolled_back_for_another),
    CASE(rows_that_somebody_else_committed),
    CASE(a_row_that_came_after_the_rollback),
    CASE(a_row_that_hid_from_its_rollback),
    CASE(a_row_of_another_content),
    CASE(a_database_that_is_not_there),
    CASE(what_should_be_is_accepted),
    CASE(a_fault_of_the_weft_var_fails),
    CASE(a_surplus_row_of_the_weft_var_fails),
    CASE(a_hazard_of_the_weft_var_fails),
    CASE(a_hazard_that_is_not_provoked_fails),
    CASE(work_in_which_no_thread_local_was_wrong_fails),
    CASE(requests_that_need_not_meet_prove_nothing),
};

int main(int argc, char **argv)
{
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                if (argc < 3) {
                        puts(cases[i].name);
                } else if (!strcmp(argv[1], cases[i].name)) {
                        folder = argv[2];
                        cases[i].run();
                        return 0;
                }
        }
        return argc < 3 ? 0 : 1;
}
