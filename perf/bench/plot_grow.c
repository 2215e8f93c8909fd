/* SPDX-License-Identifier: MIT
 *
 * The cases of the group grow as curves, a panel for each thing that grows: the median as a line,
 * from the least to the most as a band.
 */
#include "plot.h"

#include <string.h>

#define CURVES_MOST 4

static const struct panel {
        const char *title;
        bool log_y;
        struct {
                const char *of, *label; /* NULL: there is but one, and the title says what */
        } curve[CURVES_MOST + 1];
} panels[] = {
    {"submit + run a task, by tasks in a row", false, {{"grow/tasks", NULL}}},
    {"by vars bound",
     true,
     {{"grow/set-captured", "capture + set + reset + release"},
      {"grow/submit", "submit + run a task"},
      {"grow/set", "set + reset"},
      {"grow/get", "get"}}},
    {"submit + run a task, by workers", false, {{"grow/workers", NULL}}},
    {"submit + run a task, by threads that submit", false, {{"grow/producers", NULL}}},
};

enum { PANELS = sizeof(panels) / sizeof(panels[0]) };

static const char *const colours[CURVES_MOST] = {"#d97706", "#7c3aed", "#2563eb", "#0f766e"};

static const struct bench_result *result_of(const struct bench_plan *p, const char *name)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->item[i].wanted && !p->item[i].match && !strcmp(p->item[i].name, name) &&
                    p->item[i].result.end == BENCH_OK)
                        return &p->item[i].result;
        return NULL;
}

/* Points x, median, min, max. The axis is logarithmic; none bound stands where a half would. */
static void points(FILE *g, const struct bench_result *r, size_t curve)
{
        fprintf(g, "$curve%zu << END\n", curve);
        for (size_t i = 0; r->c->figure[i].name; i++)
                if (!bench_left_out(r, i))
                        fprintf(g, "%g %g %g %g\n", r->c->figure[i].x > 0 ? r->c->figure[i].x : 0.5,
                                r->figure[i].median, r->figure[i].min, r->figure[i].max);
        fprintf(g, "END\n");
}

/* One tic a point. */
static void tics(FILE *g, const struct bench_result *r)
{
        double first = r->c->figure[0].x, last = first;
        fputs("set xtics (", g);
        for (size_t i = 0; r->c->figure[i].name; i++) {
                double x = r->c->figure[i].x;
                if (bench_left_out(r, i))
                        break;
                last = x;
                const char *unit = x >= 1e6 ? " M" : x >= 1e3 ? " k" : "";
                fprintf(g, "%s'%g%s' %g", i ? ", " : "",
                        x >= 1e6   ? x / 1e6
                        : x >= 1e3 ? x / 1e3
                                   : x,
                        unit, x > 0 ? x : 0.5);
        }
        fputs(")\n", g);
        fprintf(g, "set xrange [%g:%g]\n", first > 0 ? first : 0.5, last * 1.01);
}

static void draw(FILE *g, const struct bench_plan *p, const struct panel *panel)
{
        const char *separator = "plot ";
        plot_text(g, "set title ", panel->title, "\n");
        fputs(panel->log_y ? "set logscale y\nset yrange [*:*]\n"
                           : "unset logscale y\nset yrange [0:*]\n",
              g);
        for (size_t i = 0; panel->curve[i].of; i++) {
                const struct bench_result *r = result_of(p, panel->curve[i].of);
                if (!r)
                        continue;
                points(g, r, i);
                tics(g, r);
        }
        for (size_t i = 0; panel->curve[i].of; i++) {
                if (!result_of(p, panel->curve[i].of))
                        continue;
                const char *c = colours[panel->curve[1].of ? i : CURVES_MOST - 1];
                fprintf(g,
                        "%s$curve%zu using 1:3:4 with filledcurves fs solid 0.18 noborder "
                        "lc rgb '%s' notitle, $curve%zu using 1:2 with linespoints pt 7 ps 0.5 "
                        "lw 2 lc rgb '%s' ",
                        separator, i, c, i, c);
                if (panel->curve[i].label)
                        plot_text(g, "title ", panel->curve[i].label, "");
                else
                        fputs("notitle", g);
                separator = ", ";
        }
        fputc('\n', g);
}

static bool has_any(const struct bench_plan *p, const struct panel *panel)
{
        for (size_t i = 0; panel->curve[i].of; i++)
                if (result_of(p, panel->curve[i].of))
                        return true;
        return false;
}

int plot_grow(const char *directory, const struct bench_plan *p)
{
        size_t n = 0;
        for (size_t i = 0; i < PANELS; i++)
                n += has_any(p, &panels[i]);
        if (!n)
                return 0;
        size_t columns = n > 1 ? 2 : 1, rows = (n + 1) / 2;
        FILE *g =
            plot_begin(directory, "grow", (unsigned)(500 * columns), (unsigned)(40 + 320 * rows));
        if (!g)
                return -1;
        plot_panels(g, rows, columns, "What an operation takes, ns");
        fputs("set grid xtics ytics\nset logscale x\nset format y '%g'\n"
              "set key top left reverse Left samplen 2 textcolor rgb '#374151'\n"
              "set lmargin 7\nset rmargin 3\nset tmargin 2.5\n",
              g);
        for (size_t i = 0; i < PANELS; i++)
                if (has_any(p, &panels[i]))
                        draw(g, p, &panels[i]);
        return plot_end(g);
}
