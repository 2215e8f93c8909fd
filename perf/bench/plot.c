/* SPDX-License-Identifier: MIT
 *
 * Runs gnuplot, and says how all plots look.
 */
#include "plot.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

int bench_plot_ready(const char *directory)
{
        if (system("command -v gnuplot >/dev/null 2>&1") != 0) {
                fprintf(stderr, "weft-perf: --svg needs gnuplot: the package gnuplot-nox\n");
                return -1;
        }
        if (mkdir(directory, 0777) < 0 && errno != EEXIST) {
                fprintf(stderr, "weft-perf: %s: %m\n", directory);
                return -1;
        }
        return 0;
}

void plot_text(FILE *g, const char *before, const char *text, const char *after)
{
        fprintf(g, "%s'", before);
        for (; *text; text++)
                fprintf(g, *text == '\'' ? "''" : "%c", *text);
        fprintf(g, "'%s", after);
}

FILE *plot_begin(const char *directory, const char *name, unsigned width, unsigned height)
{
        char path[512];
        FILE *g = popen("gnuplot", "we");
        if (!g) {
                fprintf(stderr, "weft-perf: gnuplot: %m\n");
                return NULL;
        }
        snprintf(path, sizeof(path), "%s/%s.svg", directory, name);
        fprintf(g,
                "set terminal svg size %u,%u font 'Helvetica,Arial,sans-serif,13' "
                "background '#ffffff'\n",
                width, height);
        plot_text(g, "set output ", path, "\n");
        fputs("set encoding utf8\n"
              "set border 0 lc rgb '#6b7280'\n"
              "set grid xtics lt 1 lw 0.7 lc rgb '#e5e7eb'\n"
              "set tics nomirror scale 0 textcolor rgb '#374151'\n"
              "set title textcolor rgb '#111827'\n",
              g);
        return g;
}

void plot_panels(FILE *g, size_t rows, size_t columns, const char *title)
{
        fprintf(g, "set multiplot layout %zu,%zu ", rows, columns);
        plot_text(g, "title ", title, " font ',15' textcolor rgb '#111827'\n");
}

int plot_end(FILE *g)
{
        fputs("unset multiplot\n", g);
        bool lost = ferror(g);
        if (pclose(g) == 0 && !lost)
                return 0;
        fprintf(stderr, "weft-perf: gnuplot failed\n");
        return -1;
}

int bench_plot(const char *directory, const struct bench_plan *p)
{
        int rivals = plot_rivals(directory, p), grow = plot_grow(directory, p);
        return rivals < 0 || grow < 0 ? -1 : 0;
}
