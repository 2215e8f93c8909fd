/* SPDX-License-Identifier: MIT
 *
 * Results for people: a table of at most 100 columns.
 */
#include "runner.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

const char *const bench_in_name[] = {
    [BENCH_NOTHING] = "", [BENCH_NS] = "ns",   [BENCH_U] = "u",
    [BENCH_RATIO] = "x",  [BENCH_BYTES] = "B", [BENCH_PERCENT] = "%",
};

bool bench_has_mark(const struct bench_result *r, size_t figure)
{
        return r->c->figure[figure].mark_in != BENCH_NOTHING;
}

/* To the digits that the table shows, so that it never says "1.60, at most 1.60: missed". */
bool bench_met(const struct bench_result *r, size_t figure)
{
        const struct bench_figure *f = &r->c->figure[figure];
        double is = f->mark_in == BENCH_U ? r->in_u[figure].median : r->figure[figure].median;
        return is < f->mark + 0.005;
}

const char *bench_cpu_model(void)
{
        static char line[256];
        FILE *f = fopen("/proc/cpuinfo", "re");
        if (!f)
                return "unknown CPU";
        const char *model = "unknown CPU";
        while (model[0] == 'u' && fgets(line, sizeof(line), f))
                if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
                        model = strchr(line, ':') + 2;
                        line[strcspn(line, "\n")] = 0;
                }
        fclose(f);
        return model;
}

/* A name of the shared library is there to be found by others; one that was linked in is not. */
const char *bench_library(void)
{
        return dlsym(RTLD_DEFAULT, "weft_version") ? "shared" : "static";
}

void bench_print_head(FILE *f, bool quick)
{
        fprintf(f, "weft %s, %s library, %s, %ld CPUs%s\n", weft_version(), bench_library(),
                bench_cpu_model(), sysconf(_SC_NPROCESSORS_ONLN),
                quick ? "; --quick: few rounds, short ones" : "");
        fprintf(f,
                "median, least and most over the rounds; u: one uncontended seq_cst increment\n\n");
}

void bench_print_case_head(FILE *f)
{
        fprintf(f, "%-20s %-26s %8s %8s %8s    %6s  %s\n", "case", "what", "median", "min", "max",
                "in u", "at most");
}

const char *bench_number(char *buffer, size_t size, double v)
{
        int digits = v < 0.1 ? 3 : v < 100 ? 2 : v < 1000 ? 1 : 0;
        snprintf(buffer, size, "%.*f", digits, v);
        return buffer;
}

bool bench_left_out(const struct bench_result *r, size_t figure)
{
        return isnan(r->figure[figure].median);
}

static void print_figure(FILE *f, const struct bench_result *r, size_t i)
{
        const struct bench_figure *fig = &r->c->figure[i];
        const struct bench_stat *s = &r->figure[i];
        char median[32], min[32], max[32], u[32] = "";
        fprintf(f, "%-20s %-26s %8s %8s %8s %s", i ? "" : r->c->name, fig->name,
                bench_number(median, sizeof(median), s->median),
                bench_number(min, sizeof(min), s->min), bench_number(max, sizeof(max), s->max),
                bench_in_name[fig->in]);
        if (fig->in == BENCH_NS)
                fprintf(f, " %6s", bench_number(u, sizeof(u), r->in_u[i].median));
        if (bench_has_mark(r, i))
                fprintf(f, "%*s%g %s %s", fig->in == BENCH_NS ? 2 : 10, "", fig->mark,
                        bench_in_name[fig->mark_in], bench_met(r, i) ? "met" : "missed");
        fputc('\n', f);
}

void bench_print_result(FILE *f, const struct bench_result *r)
{
        if (r->end != BENCH_OK)
                fprintf(f, "%-20s %s: %s\n", r->c->name,
                        r->end == BENCH_SKIP ? "not measured" : "WRONG", r->error);
        else
                for (size_t i = 0; r->c->figure[i].name; i++)
                        if (!bench_left_out(r, i))
                                print_figure(f, r, i);
        fflush(f);
}

void bench_print_foot(FILE *f, const struct bench_plan *p)
{
        struct bench_stat u = {.min = HUGE_VAL};
        for (size_t i = 0; i < p->n; i++) {
                const struct bench_result *r = &p->item[i].result;
                if (!r->rounds)
                        continue;
                u.min = fmin(u.min, r->u.min);
                u.max = fmax(u.max, r->u.max);
        }
        if (u.max > 0)
                fprintf(f, "\nu was %.2f to %.2f ns\n", u.min, u.max);
}
