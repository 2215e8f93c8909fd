/* SPDX-License-Identifier: MIT
 *
 * weft-perf: measures what weft's operations cost, as a table and on request as JSON.
 *
 * Exit status: 0; 1 if a case's check failed, or with --strict a mark was missed; 2 for an option
 * or a case that does not exist, or a file that cannot be written.
 */
#include "runner.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CASES_MOST 128

static const struct bench_case *const tables[] = {
    bench_var_cases,   bench_shared_cases,  bench_submit_cases, bench_task_cases,
    bench_fork_cases,  bench_park_cases,    bench_switch_cases, bench_wake_cases,
    bench_timer_cases, bench_inherit_cases, bench_memory_cases,
};

struct options {
        bool quick, list, strict;
        const char *json;
        size_t n; /* cases to run, in the order of the tables */
        const struct bench_case *run[CASES_MOST];
        bool wanted[CASES_MOST];
};

/* All cases, in order. */
static size_t all_cases(const struct bench_case **ret)
{
        size_t n = 0;
        for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
                for (const struct bench_case *c = tables[t]; c && c->name; c++)
                        ret[n++] = c;
        return n;
}

/* "var/get-8" is that case, "var" every case of the group. */
static bool names(const char *arg, const char *name)
{
        size_t length = strlen(arg);
        return !strncmp(arg, name, length) && (name[length] == 0 || name[length] == '/');
}

static bool want(struct options *o, const char *arg)
{
        const struct bench_case *all[CASES_MOST];
        size_t n = all_cases(all);
        bool found = false;
        for (size_t i = 0; i < n; i++)
                if (names(arg, all[i]->name))
                        found = o->wanted[i] = true;
        return found;
}

static void choose(struct options *o)
{
        const struct bench_case *all[CASES_MOST];
        size_t n = all_cases(all);
        bool any = memchr(o->wanted, 1, sizeof(o->wanted)) != NULL;
        for (size_t i = 0; i < n; i++)
                if (o->wanted[i] || !any)
                        o->run[o->n++] = all[i];
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct options *o = state->input;
        switch (key) {
        case 'q':
                o->quick = true;
                return 0;
        case 'l':
                o->list = true;
                return 0;
        case 's':
                o->strict = true;
                return 0;
        case 'j':
                o->json = arg;
                return 0;
        case ARGP_KEY_ARG:
                if (!want(o, arg))
                        argp_error(state, "there is no case '%s' (see --list)", arg);
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp_option option_table[] = {
    {"quick", 'q', NULL, 0, "Fewer and shorter rounds: to see that all works", 0},
    {"json", 'j', "FILE", 0, "Write the figures to FILE; - is standard output, without the table",
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
           "slash, which means the whole group; none means all.",
};

static void list(const struct options *o)
{
        for (size_t i = 0; i < o->n; i++)
                printf("%-20s %s\n", o->run[i]->name, o->run[i]->what);
}

static bool failed(const struct options *o, const struct bench_result *r)
{
        bool missed = false;
        for (size_t i = 0; r->end == BENCH_OK && r->c->figure[i].name; i++)
                missed |= bench_has_mark(r, i) && !bench_met(r, i);
        return r->end == BENCH_WRONG || (o->strict && missed);
}

/* The file for the JSON: opened before anything is measured, so that a bad name is told at once. */
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

static int run_all(const struct options *o, FILE *json)
{
        static struct bench_result result[CASES_MOST];
        FILE *table = json == stdout ? NULL : stdout;
        FILE *progress = isatty(STDERR_FILENO) ? stderr : NULL;
        int status = 0;
        if (table)
                bench_print_head(table, o->quick);
        for (size_t i = 0; i < o->n; i++) {
                bench_run(o->run[i], o->quick, progress, &result[i]);
                if (table)
                        bench_print_result(table, &result[i]);
                if (failed(o, &result[i]))
                        status = 1;
        }
        if (table) {
                bench_print_foot(table, result, o->n);
                if (fflush(table) == EOF || ferror(table)) {
                        fprintf(stderr, "weft-perf: standard output: cannot write: %m\n");
                        status = 2;
                }
        }
        if (json && (bench_print_json(json, o->quick, result, o->n) < 0 || fclose(json) == EOF)) {
                fprintf(stderr, "weft-perf: %s: cannot write: %m\n", o->json);
                return 2;
        }
        return status;
}

int main(int argc, char **argv)
{
        struct options o = {0};
        argp_err_exit_status = 2;
        argp_program_version = weft_version();
        if (argp_parse(&argp, argc, argv, 0, NULL, &o))
                return 2;
        choose(&o);
        if (o.list)
                list(&o);
        return o.list ? 0 : run_all(&o, open_json(&o));
}
