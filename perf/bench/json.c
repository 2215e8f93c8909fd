/* SPDX-License-Identifier: MIT
 *
 * Results for programs: JSON.
 */
#include "rivals.h"

#include <jansson.h>
#include <unistd.h>

static json_t *stat(const struct bench_stat *s)
{
        return json_pack("{s:f, s:f, s:f}", "median", s->median, "min", s->min, "max", s->max);
}

static json_t *figure_of(const struct bench_figure *f, const struct bench_stat *s)
{
        json_t *j = stat(s);
        json_object_set_new(j, "name", json_string(f->name));
        json_object_set_new(j, "unit", json_string(bench_in_name[f->in]));
        return j;
}

/* ---- cases ---- */

static json_t *case_figure(const struct bench_result *r, size_t i)
{
        const struct bench_figure *f = &r->c->figure[i];
        json_t *j = figure_of(f, &r->figure[i]);
        if (f->in == BENCH_NS)
                json_object_set_new(j, "in_u", stat(&r->in_u[i]));
        if (bench_has_mark(r, i))
                json_object_set_new(j, "mark",
                                    json_pack("{s:f, s:s, s:b}", "at_most", f->mark, "unit",
                                              bench_in_name[f->mark_in], "met", bench_met(r, i)));
        if (f->x > 0 || r->c->figure[1].x > 0)
                json_object_set_new(j, "x", json_real(f->x));
        return j;
}

static const char *const end_name[] = {"measured", "skipped", "wrong"};

static json_t *case_of(const struct bench_result *r)
{
        json_t *j = json_pack("{s:s, s:s, s:s, s:i}", "name", r->c->name, "what", r->c->what, "end",
                              end_name[r->end], "vars", (int)r->c->vars);
        if (r->end != BENCH_OK) {
                json_object_set_new(j, "why", json_string(r->error));
                return j;
        }
        json_object_set_new(j, "rounds", json_integer(r->rounds));
        json_object_set_new(j, "u_ns", stat(&r->u));
        json_t *figures = json_array();
        for (size_t i = 0; r->c->figure[i].name; i++)
                if (!bench_left_out(r, i))
                        json_array_append_new(figures, case_figure(r, i));
        json_object_set_new(j, "figures", figures);
        return j;
}

/* ---- comparisons ---- */

static json_t *match_figure(const struct bench_match *m, size_t i, size_t figure)
{
        json_t *j = figure_of(&m->c->figure[figure], &m->system[i].figure[figure]);
        if (bench_match_has_ratio(m, i, figure))
                json_object_set_new(j, "times_weft", stat(&m->system[i].ratio[figure]));
        json_object_set_new(j, "weft_loses", json_boolean(bench_match_lost(m, i, figure)));
        return j;
}

static json_t *system_of(const struct bench_match *m, size_t i)
{
        const struct bench_system *s = &m->system[i];
        json_t *j = json_pack("{s:s, s:s, s:s}", "program", s->program->file, "system", s->name,
                              "end", end_name[s->end]);
        if (s->end != BENCH_OK) {
                json_object_set_new(j, "why", json_string(s->error));
                return j;
        }
        json_object_set_new(j, "rounds", json_integer(s->rounds));
        json_object_set_new(j, "check", json_integer((json_int_t)s->check));
        json_object_set_new(j, "peak_bytes", json_integer((json_int_t)s->peak));
        json_t *figures = json_array();
        for (size_t figure = 0; figure < bench_match_figures(m); figure++)
                json_array_append_new(figures, match_figure(m, i, figure));
        json_object_set_new(j, "figures", figures);
        return j;
}

static json_t *match_of(const struct bench_match *m)
{
        json_t *systems = json_array();
        for (size_t i = 0; i < m->n; i++)
                json_array_append_new(systems, system_of(m, i));
        return json_pack("{s:s, s:s, s:s, s:i, s:I, s:o}", "name", m->name, "case", m->c->name,
                         "what", m->c->what, "workers", (int)m->workers, "size",
                         (json_int_t)m->size, "systems", systems);
}

static json_t *absent(void)
{
        json_t *j = json_array();
        for (const struct bench_program *p = bench_programs; p->file; p++)
                if (!rival_there(p->file))
                        json_array_append_new(j, json_pack("{s:s, s:s, s:s?}", "program", p->file,
                                                           "system", p->system, "package",
                                                           p->package));
        return j;
}

int bench_print_json(FILE *f, const struct bench_plan *p)
{
        json_t *cases = json_array(), *matches = json_array();
        for (size_t i = 0; i < p->n; i++) {
                const struct bench_item *item = &p->item[i];
                if (item->wanted && item->match)
                        json_array_append_new(matches, match_of(item->match));
                else if (item->wanted)
                        json_array_append_new(cases, case_of(&item->result));
        }
        json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:b, s:o, s:o, s:o}", "version", weft_version(),
                              "library", bench_library(), "cpu", bench_cpu_model(), "cpus",
                              (int)sysconf(_SC_NPROCESSORS_ONLN), "quick", p->quick, "cases", cases,
                              "comparisons", matches, "absent", absent());
        int end = j ? json_dumpf(j, f, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;
        json_decref(j);
        return end < 0 || fputc('\n', f) == EOF || fflush(f) == EOF ? -1 : 0;
}
