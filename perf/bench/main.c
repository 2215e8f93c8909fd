/* SPDX-License-Identifier: MIT
 *
 * weft-perf: measures what weft's operations cost, on request beside other systems, as a table, as
 * JSON and as plots.
 *
 * Exit status: 0; 1 if a check failed, in a case or in a comparison, or with --strict a mark was
 * missed; 2 for an option or a case that does not exist, or a file that cannot be written. That a
 * rival cannot be measured is said, and is no failure.
 */
#include "rivals.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
        struct bench_plan plan;
        bool list, strict;
        bool rivals, named; /* --rivals; some CASE */
        const char *json, *svg;
};

/* With --rivals, "submit" is also the comparison of that name. */
static bool want(struct options *o, const char *name)
{
        char comparison[64];
        snprintf(comparison, sizeof(comparison), "rivals/%s", name);
        bool found = o->rivals && bench_plan_want(&o->plan, comparison);
        return bench_plan_want(&o->plan, name) || found;
}

/* Options come first, wherever they stand. */
static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct options *o = state->input;
        switch (key) {
        case 'q':
                o->plan.quick = true;
                return 0;
        case 'l':
                o->list = true;
                return 0;
        case 's':
                o->strict = true;
                return 0;
        case 'r':
                o->rivals = true;
                return 0;
        case 'j':
                o->json = arg;
                return 0;
        case 'g':
                o->svg = arg;
                return 0;
        case ARGP_KEY_ARG:
                if (!want(o, arg))
                        argp_error(state, "there is no case '%s' (see --list)", arg);
                o->named = true;
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp_option option_table[] = {
    {"rivals", 'r', NULL, 0,
     "Measure weft beside other systems, too: the group rivals, or the CASEs of it that are named",
     0},
    {"quick", 'q', NULL, 0, "Fewer and shorter rounds: to see that all works", 0},
    {"json", 'j', "FILE", 0, "Write the figures to FILE; - is standard output, without the table",
     0},
    {"svg", 'g', "DIR", 0,
     "Plot comparisons and curves into DIR, by gnuplot; where no CASE is named, the group grow is "
     "measured, too",
     0},
    {"list", 'l', NULL, 0, "List the cases, and measure nothing", 0},
    {"strict", 's', NULL, 0, "Exit with status 1 if a mark is missed", 0},
    {0},
};

static const struct argp argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[CASE...]",
    .doc = "Measures what weft's operations cost. A CASE is a case's name or the part before its "
           "slash, which means the whole group; none means all but the groups rivals and grow.",
};

static void choose(struct options *o)
{
        if (!o->named)
                bench_plan_want_usual(&o->plan);
        if (!o->named && o->svg)
                bench_plan_want(&o->plan, "grow");
        if (!o->named && o->rivals)
                bench_plan_want(&o->plan, "rivals");
}

static void list(const struct options *o)
{
        for (size_t i = 0; i < o->plan.n; i++)
                if (o->plan.item[i].wanted || !o->named)
                        printf("%-20s %s\n", o->plan.item[i].name, o->plan.item[i].what);
}

/* What is written is opened before anything is measured, so that a bad name is told at once. */
static FILE *open_json(const struct options *o)
{
        if (!o->json)
                return NULL;
        FILE *f = strcmp(o->json, "-") ? fopen(o->json, "we") : stdout;
        if (!f) {
                fprintf(stderr, "weft-perf: %s: %m\n", o->json);
                exit(2);
        }
        return f;
}

/* ---- running ---- */

static bool failed(const struct options *o, const struct bench_item *i)
{
        if (i->match)
                return bench_match_failed(i->match);
        const struct bench_result *r = &i->result;
        bool missed = false;
        for (size_t f = 0; r->end == BENCH_OK && r->c->figure[f].name; f++)
                missed |= bench_has_mark(r, f) && !bench_met(r, f);
        return r->end == BENCH_WRONG || (o->strict && missed);
}

/* Each kind of table begins with its head. */
static void print_item(FILE *table, const struct bench_item *i, const struct bench_item *previous)
{
        bool first = !previous || !previous->match != !i->match;
        if (first && previous)
                fputc('\n', table);
        if (first && i->match)
                bench_print_match_head(table);
        else if (first)
                bench_print_case_head(table);
        if (i->match)
                bench_print_match(table, i->match);
        else
                bench_print_result(table, &i->result);
}

static int run_wanted(struct options *o, FILE *table)
{
        FILE *progress = isatty(STDERR_FILENO) ? stderr : NULL;
        const struct bench_item *previous = NULL;
        int status = 0;
        for (size_t k = 0; k < o->plan.n; k++) {
                struct bench_item *i = &o->plan.item[k];
                if (!i->wanted)
                        continue;
                if (i->match)
                        bench_match_run(i->match, o->plan.quick, progress);
                else
                        bench_run(i->result.c, o->plan.quick, progress, &i->result);
                if (table)
                        print_item(table, i, previous);
                if (failed(o, i))
                        status = 1;
                previous = i;
        }
        return status;
}

static int run(struct options *o, FILE *json)
{
        FILE *table = json == stdout ? NULL : stdout;
        if (table)
                bench_print_head(table, o->plan.quick);
        int status = run_wanted(o, table);
        if (table) {
                bench_print_foot(table, &o->plan);
                bench_print_lost(table, &o->plan);
                if (fflush(table) == EOF || ferror(table)) {
                        fprintf(stderr, "weft-perf: standard output: cannot write: %m\n");
                        status = 2;
                }
        }
        if (json && (bench_print_json(json, &o->plan) < 0 || fclose(json) == EOF)) {
                fprintf(stderr, "weft-perf: %s: cannot write: %m\n", o->json);
                status = 2;
        }
        return o->svg && bench_plot(o->svg, &o->plan) < 0 ? 2 : status;
}

int main(int argc, char **argv)
{
        static struct options o;
        bench_plan_init(&o.plan);
        argp_err_exit_status = 2;
        argp_program_version = weft_version();
        if (argp_parse(&argp, argc, argv, 0, NULL, &o))
                return 2;
        choose(&o);
        if (o.list) {
                list(&o);
                return 0;
        }
        if (o.svg && bench_plot_ready(o.svg) < 0)
                return 2;
        return run(&o, open_json(&o));
}
