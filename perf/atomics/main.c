/* SPDX-License-Identifier: MIT
 *
 * weft-atomics: one case with so many workers; for perf/atomics/run.
 *
 * weft-atomics CASE WORKERS prints, for one operation, the atomic read-modify-writes, the full
 * fences, the shared writes and the shared reads (counter.h). Without arguments: the cases, a line
 * each. Eight vars are bound. Exit status 1 if the library did not do what it should, 2 if there is
 * no such case.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

enum { VARS = 8, MOST_WORKERS = 64 };

static weft_var var[VARS] = {[0 ... VARS - 1] = WEFT_VAR_INIT("atomics")};

static void run(const struct the_case *c, unsigned workers)
{
        struct run r = {.workers = workers};
        weft_pool_options o = {.size = sizeof(o), .workers = workers, .name = "atomics"};
        for (int i = 0; i < VARS; i++)
                must(weft_set(&var[i], &var[i], NULL) == 0);
        must(weft_pool_create(&r.pool, &o) == 0);
        c->run(&r);
        must(weft_pool_destroy(r.pool) == NULL);
        for (int i = 0; i < COUNTED; i++)
                printf(" %.3f", (double)r.counts.of[i] / (double)r.operations);
        printf("\n");
}

int main(int argc, char **argv)
{
        int workers = argc == 3 ? atoi(argv[2]) : 0;
        for (const struct the_case *c = cases; c->name; c++) {
                if (argc == 1)
                        printf("%s\t%s\n", c->name, c->what);
                if (argc == 3 && !strcmp(argv[1], c->name) && workers > 0 &&
                    workers <= MOST_WORKERS) {
                        run(c, (unsigned)workers);
                        return 0;
                }
        }
        if (argc == 1)
                return 0;
        fprintf(stderr, "usage: weft-atomics [CASE WORKERS]\n");
        return 2;
}
