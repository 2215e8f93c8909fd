/* SPDX-License-Identifier: MIT
 *
 * weft-compare: thread-local against task-local scoping, on real files and a real database.
 *
 * Exits with 0 if the comparison shows what it must (comparison_judge()), with 1 and the reasons if
 * it does not, with 2 and a message for bad usage or an environment that fails: a folder, a disk, a
 * file for the report. Whatever happens, the databases are removed.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/weft.h>

#include "comparison.h"
#include "cost.h"
#include "scratch.h"
#include "shots.h"
#include "terminal.h"
#include "work.h"

#define MOST_WORKERS  256
#define MOST_REQUESTS 256 /* each has a database and both ends of a connection open */
#define PART_FILES    8   /* of a request's files, that arrive at once */

enum { EXIT_SHOWN = 0, EXIT_NOT_SHOWN = 1, EXIT_ENVIRONMENT = 2 };

struct options {
        const char *root;
        const char *json;
        const char *html;
        int workers;
        int requests;
};

static const struct argp_option option_table[] = {
    {"dir", 'd', "DIR", 0, "Tree of files to work on (default: /usr/include)", 0},
    {"workers", 'w', "N", 0, "Worker threads, 1 to 256 (default: as many as processors)", 0},
    {"requests", 'r', "N", 0, "Requests, 3 to 256 (default: 48); every third rolls back", 0},
    {"json", 'j', "FILE", 0,
     "Write the figures as JSON; - for standard output, and the table goes to standard error", 0},
    {"html", 'H', "FILE", 0, "Write one page with the table and timelines", 0},
    {0},
};

static int number(struct argp_state *state, const char *option, const char *text, int least,
                  int most)
{
        char *end;
        errno = 0;
        long value = strtol(text, &end, 10);
        if (errno || end == text || *end || value < least || value > most)
                argp_error(state, "--%s wants a number from %d to %d, not \"%s\"", option, least,
                           most, text);
        return (int)value;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
        struct options *options = state->input;
        switch (key) {
        case 'd':
                options->root = text;
                return 0;
        case 'w':
                options->workers = number(state, "workers", text, 1, MOST_WORKERS);
                return 0;
        case 'r':
                options->requests = number(state, "requests", text, 3, MOST_REQUESTS);
                return 0;
        case 'j':
                options->json = text;
                return 0;
        case 'H':
                options->html = text;
                return 0;
        case ARGP_KEY_ARG:
                argp_error(state, "there is nothing to do with \"%s\"", text);
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse,
    .doc = "Shows, on real files and a real database, what thread-local scoping gets wrong and "
           "task-local scoping gets right."
           "\vExits with 0 if the weft var was wrong nowhere and every hazard was really provoked, "
           "with 1 if not, and with 2 for bad usage or an environment that fails.",
};

/* The files of the reports, opened before the work, so that a bad name fails at once. */
struct outputs {
        FILE *table;
        FILE *json;
        FILE *html;
};

static int outputs_open(struct outputs *outputs, const struct options *options)
{
        bool json_alone = options->json && !strcmp(options->json, "-");
        outputs->table = json_alone ? stderr : stdout;
        if (options->json)
                outputs->json = json_alone ? stdout : fopen(options->json, "we");
        if (options->json && !outputs->json)
                return complain("cannot write %s: %s", options->json, strerror(errno));
        if (options->html)
                outputs->html = fopen(options->html, "we");
        if (options->html && !outputs->html)
                return complain("cannot write %s: %s", options->html, strerror(errno));
        return 0;
}

/* Close, if it is open, and see whether all of it could be written. */
static int output_close(FILE *file, const char *name)
{
        if (!file)
                return 0;
        bool failed = ferror(file);
        if (fclose(file) == 0 && !failed)
                return 0;
        return complain("cannot write %s: %s", name, strerror(errno ? errno : EIO));
}

static int compare_work(struct comparison *c, const struct options *options,
                        const struct scratch *scratch)
{
        for (int s = 0; s < SCOPINGS; s++) {
                struct work work = {
                    .scoping = &scopings[s],
                    .tree = &c->tree,
                    .requests = c->requests,
                    .part = PART_FILES,
                    .workers = (unsigned)options->workers,
                    .folder = scratch->path,
                };
                struct work_result result;
                struct audit *audit = &c->results[s].audit;
                if (work_run(&work, &result) < 0)
                        return -1;
                if (audit_databases(audit, scratch->path, &c->tree, c->requests) < 0)
                        return -1;
                c->workers = result.workers;
                audit->tasks = result.tasks;
                audit->found_none = result.found_none;
                audit->found_other = result.found_other;
                scratch_clear(scratch);
        }
        return 0;
}

static int compare_hazards(struct comparison *c)
{
        progress_stage("hazards", HAZARDS);
        for (int h = 0; h < HAZARDS; h++) {
                progress_show((size_t)h);
                for (int s = 0; s < SCOPINGS; s++)
                        if (hazard_run(&hazards[h], &scopings[s], &c->results[s].hazards[h]) < 0)
                                return -1;
                if (interrupted())
                        return -1;
        }
        progress_clear();
        return 0;
}

static int compare_cost(struct comparison *c)
{
        double ns[SCOPINGS];
        if (cost_measure(ns) < 0)
                return -1;
        for (int s = 0; s < SCOPINGS; s++)
                c->results[s].ns_per_task = ns[s];
        return 0;
}

static int compare(struct comparison *c, const struct options *options,
                   const struct scratch *scratch)
{
        if (compare_work(c, options, scratch) < 0)
                return -1;
        if (compare_hazards(c) < 0)
                return -1;
        return compare_cost(c);
}

static int page(const struct comparison *c, const struct scratch *scratch, FILE *to)
{
        struct trace traces[SHOTS][SCOPINGS] = {0};
        int r = shots_take(traces, &c->tree, c->workers, scratch);
        if (!r)
                r = report_html(c, traces, to);
        for (int i = 0; i < SHOTS; i++)
                for (int s = 0; s < SCOPINGS; s++)
                        trace_free(&traces[i][s]);
        return r;
}

/* EXIT_SHOWN or EXIT_NOT_SHOWN, or -1 and a complaint. */
static int report(const struct comparison *c, const struct options *options,
                  const struct scratch *scratch, struct outputs *outputs)
{
        int failed = report_text(c, outputs->table, isatty(fileno(outputs->table)));
        if (outputs->table == stdout && output_close(stdout, "standard output") < 0)
                return -1;
        if (outputs->json && report_json(c, outputs->json) < 0)
                return complain("cannot write %s: %s", options->json,
                                errno ? strerror(errno) : "out of memory");
        if (output_close(outputs->json, options->json) < 0)
                return -1;
        if (outputs->html && page(c, scratch, outputs->html) < 0)
                return -1;
        if (output_close(outputs->html, options->html) < 0)
                return -1;
        return failed ? EXIT_NOT_SHOWN : EXIT_SHOWN;
}

/* What to exit with. */
static int run(struct comparison *c, const struct options *options)
{
        struct outputs outputs = {0};
        struct scratch scratch;
        if (tree_walk(&c->tree, c->root) < 0)
                return EXIT_ENVIRONMENT;
        if (outputs_open(&outputs, options) < 0)
                return EXIT_ENVIRONMENT;
        if (scratch_create(&scratch) < 0)
                return EXIT_ENVIRONMENT;
        int r = compare(c, options, &scratch);
        if (!r)
                r = report(c, options, &scratch, &outputs);
        scratch_remove(&scratch);
        return r < 0 ? EXIT_ENVIRONMENT : r;
}

int main(int argc, char **argv)
{
        struct options options = {.root = "/usr/include", .requests = 48};
        argp_err_exit_status = EXIT_ENVIRONMENT;
        argp_parse(&argp, argc, argv, 0, NULL, &options);
        interrupts_catch();

        struct comparison comparison = {
            .root = options.root,
            .requests = options.requests,
        };
        int status = run(&comparison, &options);
        progress_clear();
        tree_free(&comparison.tree);
        if (interrupted()) {
                signal(interrupted(), SIG_DFL);
                raise(interrupted());
        }
        return status;
}
