/* SPDX-License-Identifier: MIT
 *
 * Results for people, a table of at most 100 columns, and for programs, JSON.
 */
#include "runner.h"

#include <dlfcn.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const char *const in_name[] = {
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

static const char *cpu_model(void)
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
static const char *library(void)
{
        return dlsym(RTLD_DEFAULT, "weft_version") ? "shared" : "static";
}

void bench_print_head(FILE *f, bool quick)
{
        fprintf(f, "weft %s, %s library, %s, %ld CPUs%s\n", weft_version(), library(), cpu_model(),
                sysconf(_SC_NPROCESSORS_ONLN), quick ? "; --quick: few rounds, short ones" : "");
        fprintf(f,
                "median, least and most over the rounds; u: one uncontended seq_cst increment\n\n");
        fprintf(f, "%-20s %-26s %8s %8s %8s    %6s  %s\n", "case", "what", "median", "min", "max",
                "in u", "at most");
}

/* Four digits or so, whatever the size. */
static const char *number(char *buffer, size_t size, double v)
{
        int digits = v < 100 ? 2 : v < 1000 ? 1 : 0;
        snprintf(buffer, size, "%.*f", digits, v);
        return buffer;
}

static void print_figure(FILE *f, const struct bench_result *r, size_t i)
{
        const struct bench_figure *fig = &r->c->figure[i];
        const struct bench_stat *s = &r->figure[i];
        char median[32], min[32], max[32], u[32] = "";
        fprintf(f, "%-20s %-26s %8s %8s %8s %s", i ? "" : r->c->name, fig->name,
                number(median, sizeof(median), s->median), number(min, sizeof(min), s->min),
                number(max, sizeof(max), s->max), in_name[fig->in]);
        if (fig->in == BENCH_NS)
                fprintf(f, " %6s", number(u, sizeof(u), r->in_u[i].median));
        if (bench_has_mark(r, i))
                fprintf(f, "%*s%g %s %s", fig->in == BENCH_NS ? 2 : 10, "", fig->mark,
                        in_name[fig->mark_in], bench_met(r, i) ? "met" : "missed");
        fputc('\n', f);
}

void bench_print_result(FILE *f, const struct bench_result *r)
{
        if (r->end != BENCH_OK)
                fprintf(f, "%-20s %s: %s\n", r->c->name,
                        r->end == BENCH_SKIP ? "not measured" : "WRONG", r->error);
        else
                for (size_t i = 0; r->c->figure[i].name; i++)
                        print_figure(f, r, i);
        fflush(f);
}

void bench_print_foot(FILE *f, const struct bench_result *r, size_t n)
{
        struct bench_stat u = {.min = HUGE_VAL};
        for (size_t i = 0; i < n; i++) {
                if (r[i].end != BENCH_OK)
                        continue;
                u.min = fmin(u.min, r[i].u.min);
                u.max = fmax(u.max, r[i].u.max);
        }
        if (u.max > 0)
                fprintf(f, "\nu was %.2f to %.2f ns\n", u.min, u.max);
}

static json_t *json_stat(const struct bench_stat *s)
{
        return json_pack("{s:f, s:f, s:f}", "median", s->median, "min", s->min, "max", s->max);
}

static json_t *json_figure(const struct bench_result *r, size_t i)
{
        const struct bench_figure *fig = &r->c->figure[i];
        json_t *j = json_stat(&r->figure[i]);
        json_object_set_new(j, "name", json_string(fig->name));
        json_object_set_new(j, "unit", json_string(in_name[fig->in]));
        if (fig->in == BENCH_NS)
                json_object_set_new(j, "in_u", json_stat(&r->in_u[i]));
        if (bench_has_mark(r, i))
                json_object_set_new(j, "mark",
                                    json_pack("{s:f, s:s, s:b}", "at_most", fig->mark, "unit",
                                              in_name[fig->mark_in], "met", bench_met(r, i)));
        return j;
}

static json_t *json_result(const struct bench_result *r)
{
        static const char *const end[] = {"measured", "skipped", "wrong"};
        json_t *j = json_pack("{s:s, s:s, s:s, s:i}", "name", r->c->name, "what", r->c->what, "end",
                              end[r->end], "vars", (int)r->c->vars);
        if (r->end != BENCH_OK) {
                json_object_set_new(j, "why", json_string(r->error));
                return j;
        }
        json_object_set_new(j, "rounds", json_integer(r->rounds));
        json_object_set_new(j, "u_ns", json_stat(&r->u));
        json_t *figures = json_array();
        for (size_t i = 0; r->c->figure[i].name; i++)
                json_array_append_new(figures, json_figure(r, i));
        json_object_set_new(j, "figures", figures);
        return j;
}

int bench_print_json(FILE *f, bool quick, const struct bench_result *r, size_t n)
{
        json_t *cases = json_array();
        for (size_t i = 0; i < n; i++)
                json_array_append_new(cases, json_result(&r[i]));
        json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:b, s:o}", "version", weft_version(),
                              "library", library(), "cpu", cpu_model(), "cpus",
                              (int)sysconf(_SC_NPROCESSORS_ONLN), "quick", quick, "cases", cases);
        int end = j ? json_dumpf(j, f, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;
        json_decref(j);
        return end < 0 || fputc('\n', f) == EOF || fflush(f) == EOF ? -1 : 0;
}
