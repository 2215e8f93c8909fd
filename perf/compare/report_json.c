/* SPDX-License-Identifier: MIT
 *
 * The comparison as JSON: see comparison.h.
 *
 *   {"scopings": [{"name": s, "ns_per_task": x, "audit": {s: n, ...},
 *                  "hazards": [{"name": s, "wrong": n, "of": n}, ...]}, ...]}
 */
#include "comparison.h"

#include <stdint.h>

#include <jansson.h>

/* To a tenth, as it is shown. */
static double rounded(double ns)
{
        return (double)(int64_t)(ns * 10 + 0.5) / 10;
}

static json_t *audit_of(const struct audit *audit)
{
        json_t *object = json_object();
        for (int f = 0; f < FIGURES; f++) {
                json_int_t n = (json_int_t)figure_of(&figures[f], audit);
                if (json_object_set_new(object, figures[f].key, json_integer(n))) {
                        json_decref(object);
                        return NULL;
                }
        }
        return object;
}

static json_t *hazards_of(const struct tally tallies[HAZARDS])
{
        json_t *list = json_array();
        for (int h = 0; h < HAZARDS; h++) {
                json_t *hazard =
                    json_pack("{s:s, s:I, s:I}", "name", hazards[h].name, "wrong",
                              (json_int_t)tallies[h].wrong, "of", (json_int_t)tallies[h].of);
                if (json_array_append_new(list, hazard)) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

int report_json(const struct comparison *comparison, FILE *to)
{
        json_t *list = json_array();
        int r = 0;
        for (int s = 0; s < SCOPINGS && !r; s++) {
                const struct result *result = &comparison->results[s];
                r = json_array_append_new(
                    list, json_pack("{s:s, s:f, s:o, s:o}", "name", scopings[s].name, "ns_per_task",
                                    rounded(result->ns_per_task), "audit", audit_of(&result->audit),
                                    "hazards", hazards_of(result->hazards)));
        }
        json_t *document = json_pack("{s:o}", "scopings", list);
        if (!r)
                r = json_dumpf(document, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        json_decref(document);
        if (!r && fputc('\n', to) == EOF)
                r = -1;
        return r;
}
