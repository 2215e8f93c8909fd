/* SPDX-License-Identifier: MIT
 *
 * What the comparison must show, or it fails: see comparison.h.
 */
#include "comparison.h"

#include <stddef.h>

const struct figure figures[FIGURES] = {
    {"rows to expect", "expected", offsetof(struct audit, expected), false},
    {"rows found", "rows", offsetof(struct audit, rows), false},
    {"rows under the wrong request", "wrong_request", offsetof(struct audit, wrong_request), true},
    {"rows lost", "lost", offsetof(struct audit, lost), true},
    {"rows that outlived a rollback", "outlived_rollback",
     offsetof(struct audit, outlived_rollback), true},
    {"rows with another digest", "wrong_digest", offsetof(struct audit, wrong_digest), true},
    {"tasks", "tasks", offsetof(struct audit, tasks), false},
    {"tasks that found no request", "found_none", offsetof(struct audit, found_none), true},
    {"tasks that found another's", "found_other", offsetof(struct audit, found_other), true},
};

size_t figure_of(const struct figure *figure, const struct audit *audit)
{
        return *(const size_t *)((const char *)audit + figure->offset);
}

static int judge_weft_var(const struct result *result, FILE *to, const char *prefix)
{
        int failed = 0;
        for (int f = 0; f < FIGURES; f++) {
                size_t n = figure_of(&figures[f], &result->audit);
                if (!figures[f].is_fault || !n)
                        continue;
                fprintf(to, "%sthe weft var is wrong: %s: %zu\n", prefix, figures[f].name, n);
                failed++;
        }
        if (result->audit.rows != result->audit.expected) {
                fprintf(to, "%sthe weft var is wrong: %zu rows to expect, %zu found\n", prefix,
                        result->audit.expected, result->audit.rows);
                failed++;
        }
        for (int h = 0; h < HAZARDS; h++) {
                struct tally tally = result->hazards[h];
                if (!tally.wrong && tally.of)
                        continue;
                fprintf(to, "%sthe weft var is wrong: %s: %zu of %zu readings\n", prefix,
                        hazards[h].name, tally.wrong, tally.of);
                failed++;
        }
        return failed;
}

static int judge_provoked(const struct result *result, int scoping, FILE *to, const char *prefix)
{
        int failed = 0;
        for (int h = 0; h < HAZARDS; h++) {
                if (!(hazards[h].provoked_in & (1u << scoping)) || result->hazards[h].wrong)
                        continue;
                fprintf(to, "%snot provoked: \"%s\" with the %s: none of %zu readings is wrong\n",
                        prefix, hazards[h].name, scopings[scoping].name, result->hazards[h].of);
                failed++;
        }
        return failed;
}

/* Of more requests than workers some share a worker, and each of them is in the middle of its
 * transaction while the other ones run there: a task of one that ran before the last must find the
 * wrong request. With fewer requests it may be that no two of them meet. */
static int judge_work(const struct comparison *c, int scoping, FILE *to, const char *prefix)
{
        const struct audit *audit = &c->results[scoping].audit;
        if (scoping == WEFT_VAR || (unsigned)c->requests <= c->workers)
                return 0;
        if (audit->found_none || audit->found_other)
                return 0;
        fprintf(to, "%snot provoked: each of %zu tasks found its request with the %s\n", prefix,
                audit->tasks, scopings[scoping].name);
        return 1;
}

int comparison_judge(const struct comparison *comparison, FILE *to, const char *prefix)
{
        int failed = judge_weft_var(&comparison->results[WEFT_VAR], to, prefix);
        for (int s = 0; s < SCOPINGS; s++) {
                failed += judge_work(comparison, s, to, prefix);
                failed += judge_provoked(&comparison->results[s], s, to, prefix);
        }
        return failed;
}
