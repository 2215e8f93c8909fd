/* SPDX-License-Identifier: MIT
 *
 * A comparison as bars: a file for each case, a panel for each figure with each number of workers,
 * a bar for each system, with its least and most as a line through its end. weft is of one colour,
 * the others of a second one, and what does better than weft of a third.
 */
#include "plot.h"

#include <math.h>
#include <string.h>

#define COLUMNS_MOST 4
#define WEFT         0x0f766e
#define RIVAL        0xb6bec9
#define BETTER       0xd97706

/* The matches of one contest that have something to show. */
struct sheet {
        const struct bench_contest *c;
        const struct bench_match *match[COLUMNS_MOST];
        size_t n;
};

static size_t measured(const struct bench_match *m)
{
        size_t n = 0;
        for (size_t i = 0; i < m->n; i++)
                n += m->system[i].end == BENCH_OK;
        return n;
}

static int colour(const struct bench_match *m, size_t i, size_t figure)
{
        if (!m->system[i].program->package)
                return WEFT;
        return bench_match_lost(m, i, figure) ? BETTER : RIVAL;
}

/* "41.65 ns, 3.13 × weft" */
static void label(FILE *g, const struct bench_match *m, size_t i, size_t figure)
{
        char number[32];
        const struct bench_system *s = &m->system[i];
        double v = s->figure[figure].median;
        if (m->c->figure[figure].in == BENCH_NS && v >= 10000)
                fprintf(g, "%s µs", bench_number(number, sizeof(number), v / 1000));
        else
                fprintf(g, "%s %s", bench_number(number, sizeof(number), v),
                        bench_in_name[m->c->figure[figure].in]);
        if (i && bench_match_has_ratio(m, i, figure))
                fprintf(g, ", %s × weft",
                        bench_number(number, sizeof(number), s->ratio[figure].median));
}

/* A line a system: row, name, median, min, max, colour, label. Returns the greatest median. */
static double bar_data(FILE *g, const struct bench_match *m, size_t figure)
{
        double most = 0;
        int row = 0;
        fprintf(g, "$bars << END\n");
        for (size_t i = 0; i < m->n; i++) {
                const struct bench_stat *v = &m->system[i].figure[figure];
                if (m->system[i].end != BENCH_OK)
                        continue;
                most = fmax(most, v->median);
                fprintf(g, "%d \"%s\" %g %g %g %d \"", row++, m->system[i].name, v->median, v->min,
                        v->max, colour(m, i, figure));
                label(g, m, i, figure);
                fprintf(g, "\"\n");
        }
        fprintf(g, "END\n");
        return most > 0 ? most : 1;
}

/* The line from the least to the most is cut where it would push the label out of the panel. */
static void panel(FILE *g, const struct bench_match *m, size_t figure)
{
        char title[80];
        double most = bar_data(g, m, figure);
        snprintf(title, sizeof(title), "%s, %u worker%s", m->c->figure[figure].name, m->workers,
                 m->workers == 1 ? "" : "s");
        plot_text(g, "set title ", title, " offset 0,-0.7\n");
        fprintf(g, "set xrange [0:%g]\nset yrange [%g:-0.6]\n", most * 2.1,
                (double)measured(m) - 0.4);
        fprintf(g, "cut(x) = x < %g ? x : %g\n", most * 1.15, most * 1.15);
        fputs("plot $bars using 3:1:(0):3:($1-0.34):($1+0.34):6:ytic(2) "
              "with boxxyerror fs solid noborder lc rgb variable notitle, "
              "$bars using (cut($4)):1:(cut($5)-cut($4)):(0) with vectors nohead lw 1.4 "
              "lc rgb '#4b5563' notitle, "
              "$bars using (cut($5)):1:7 with labels left offset 0.8,0 "
              "textcolor rgb '#111827' notitle\n",
              g);
}

static bool lost(const struct sheet *s)
{
        for (size_t k = 0; k < s->n; k++)
                for (size_t i = 0; i < s->match[k]->n; i++)
                        for (size_t f = 0; f < bench_match_figures(s->match[k]); f++)
                                if (bench_match_lost(s->match[k], i, f))
                                        return true;
        return false;
}

static int draw(const char *directory, const struct sheet *s)
{
        char name[64], title[160];
        size_t rows = bench_match_figures(s->match[0]), bars = 0;
        for (size_t i = 0; i < s->n; i++)
                bars = measured(s->match[i]) > bars ? measured(s->match[i]) : bars;
        snprintf(name, sizeof(name), "rivals-%s", s->c->name);
        snprintf(title, sizeof(title), "%s%s", s->c->what, lost(s) ? " (orange: weft loses)" : "");
        FILE *g = plot_begin(directory, name, (unsigned)(s->n > 1 ? 1000 : 620),
                             (unsigned)(50 + rows * (50 + 26 * bars)));
        if (!g)
                return -1;
        plot_panels(g, rows, s->n, title);
        fputs("unset xtics\nunset grid\nset lmargin 17\nset rmargin 1\nset tmargin 2\n"
              "set bmargin 0.5\n",
              g);
        for (size_t figure = 0; figure < rows; figure++)
                for (size_t i = 0; i < s->n; i++)
                        panel(g, s->match[i], figure);
        return plot_end(g);
}

int plot_rivals(const char *directory, const struct bench_plan *p)
{
        int end = 0;
        for (const struct bench_contest *c = bench_contests; c->name; c++) {
                struct sheet s = {.c = c};
                for (size_t i = 0; i < p->n && s.n < COLUMNS_MOST; i++) {
                        const struct bench_match *m = p->item[i].match;
                        if (p->item[i].wanted && m && m->c == c && measured(m))
                                s.match[s.n++] = m;
                }
                if (s.n && draw(directory, &s) < 0)
                        end = -1;
        }
        return end;
}
