/* SPDX-License-Identifier: MIT
 *
 * Comparisons for people: a table of at most 100 columns, then where weft does worse.
 */
#include "rivals.h"

static void print_absent(FILE *f)
{
        for (const struct bench_program *p = bench_programs; p->file; p++)
                if (!rival_there(p->file))
                        fprintf(f, "%s (%s) is left out: %s%s%s\n", p->file, p->system,
                                p->package ? "it wants Debian's " : "it was not built",
                                p->package ? p->package : "",
                                p->package ? "; `make perf` installs it" : "");
}

void bench_print_match_head(FILE *f)
{
        print_absent(f);
        fprintf(f, "%-20s %-21s %-13s %8s %8s %8s    %6s %8s\n", "case", "system", "what", "median",
                "min", "max", "x weft", "peak MiB");
}

static void print_figure(FILE *f, const struct bench_match *m, size_t i, size_t figure)
{
        const struct bench_system *s = &m->system[i];
        const struct bench_stat *v = &s->figure[figure];
        char median[32], min[32], max[32], ratio[32] = "", peak[32] = "";
        if (bench_match_has_ratio(m, i, figure))
                bench_number(ratio, sizeof(ratio), s->ratio[figure].median);
        if (figure == 0)
                snprintf(peak, sizeof(peak), "%.1f", (double)s->peak / 1048576);
        fprintf(f, "%-20s %-21s %-13s %8s %8s %8s %-2s %6s %8s%s\n", i || figure ? "" : m->name,
                figure ? "" : s->name, m->c->figure[figure].name,
                bench_number(median, sizeof(median), v->median),
                bench_number(min, sizeof(min), v->min), bench_number(max, sizeof(max), v->max),
                bench_in_name[m->c->figure[figure].in], ratio, peak,
                bench_match_lost(m, i, figure) ? " *" : "");
}

static void print_system(FILE *f, const struct bench_match *m, size_t i)
{
        const struct bench_system *s = &m->system[i];
        if (s->end == BENCH_OK)
                for (size_t figure = 0; figure < bench_match_figures(m); figure++)
                        print_figure(f, m, i, figure);
        else
                fprintf(f, "%-20s %-21s %s: %s\n", i ? "" : m->name, s->name,
                        s->end == BENCH_WRONG ? "WRONG" : "not measured", s->error);
}

void bench_print_match(FILE *f, const struct bench_match *m)
{
        for (size_t i = 0; i < m->n; i++)
                print_system(f, m, i);
        if (!m->n)
                fprintf(f, "%-20s WRONG: there is no program for it\n", m->name);
        fflush(f);
}

static size_t print_lost_in(FILE *f, const struct bench_match *m)
{
        size_t lost = 0;
        for (size_t i = 0; i < m->n; i++)
                for (size_t figure = 0; figure < bench_match_figures(m); figure++)
                        if (bench_match_lost(m, i, figure) && ++lost)
                                fprintf(f, "  %-20s %-13s %s takes %.2f of what weft does\n",
                                        m->name, m->c->figure[figure].name, m->system[i].name,
                                        m->system[i].ratio[figure].median);
        return lost;
}

void bench_print_lost(FILE *f, const struct bench_plan *p)
{
        size_t lost = 0, matches = 0;
        for (size_t i = 0; i < p->n; i++)
                matches += p->item[i].wanted && p->item[i].match;
        if (!matches)
                return;
        fprintf(f, "\n*: weft loses\n");
        for (size_t i = 0; i < p->n; i++)
                if (p->item[i].wanted && p->item[i].match)
                        lost += print_lost_in(f, p->item[i].match);
        if (!lost)
                fprintf(f, "  nowhere\n");
}
