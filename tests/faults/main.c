/* SPDX-License-Identifier: MIT
 *
 * The driver: runs each test of the program again and again, each time with another fault.
 *
 *   PROGRAM [OPTION]... [FILTER]
 *
 * First each test is run without faults, to see which sites it uses and how often. Then for each
 * site, and each use from 1 to N, from there on the powers of two, and the last: that one fails;
 * that and all later ones; from that on every use of every site. Last, sites that were used only
 * after another one had failed (a second way, or a way back) fail as well, with that other one.
 *
 *   --uses N           the N (8)
 *   --patience SECONDS a run that takes so much longer (10) than without faults hangs
 *   --lenient          for tests that know nothing of faults: they may fail by an assertion, but
 *                      not hang, die, or be reported by a sanitizer
 *   --tests N, --most N, --seed N, --brief SECONDS
 *                      so many tests, so many runs, chosen at random, and none of the tests that
 *                      take longer than that
 *   --without FILE     not the tests that are listed there, as SUITE/NAME: WHY
 *   --site PATTERN, --use N
 *                      only faults of these sites, as FILE:LINE, and of this use
 *   --table FILE       a line a site: file:line, function, call, uses, faults, problems
 *   --slow SECONDS     tell which runs took longer than that
 *   --jobs N           so many processes
 *
 * --alone SUITE/NAME runs one test, in this process, with the faults in the shared state.
 */
#include "job.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
        bool lenient;
        unsigned uses, jobs, most, tests, seed, use;
        double patience, brief, slow;
        const char *table, *site, *filter, *without;
} options = {.uses = 8, .patience = 10, .filter = "*"};

static bool early[FAULTS_SITES]; /* used before main() */
static unsigned sites;

/* ---- which runs ---- */

static bool wanted(unsigned site, unsigned use)
{
        char at[256];
        snprintf(at, sizeof(at), "%s:%d", __start_faults_sites[site].file,
                 __start_faults_sites[site].line);
        return (!options.site || fnmatch(options.site, at, 0) == 0) &&
               (!options.use || options.use == use);
}

static void add(struct jobs *jobs, const struct job *calm, unsigned site, unsigned use,
                enum faults_mode mode)
{
        if (!wanted(site, use))
                return;
        struct job *job = jobs_add(jobs, calm->test);
        job->calm = calm;
        job->faults = 1;
        job->fault[0] = (struct faults_fault){site, use, mode};
        job->early = early[site];
        job->seconds = options.patience + 4 * calm->seconds;
}

static void add_faults(struct jobs *jobs, const struct job *calm)
{
        for (unsigned site = 0; site < sites; site++) {
                unsigned uses = early[site] ? 1 : calm->uses[site], step = 1;
                for (unsigned use = 1; use <= uses; use += step) {
                        for (int mode = 0; mode < FAULTS_MODES; mode++)
                                add(jobs, calm, site, use, (enum faults_mode)mode);
                        if (use >= options.uses)
                                step = use + step < uses || use == uses ? use : uses - use;
                }
        }
}

/* Whether the site has failed in any run, and whether it is used in this one, but not in the calm
 * one. */
static bool failed(const struct jobs *jobs, unsigned site)
{
        for (size_t i = 0; i < jobs->count; i++)
                for (unsigned f = 0; f < jobs->job[i].faults; f++)
                        if (jobs->job[i].fault[f].site == site)
                                return true;
        return false;
}

static void add_second_faults(struct jobs *jobs)
{
        size_t count = jobs->count;
        for (unsigned site = 0; site < sites; site++) {
                if (failed(jobs, site))
                        continue;
                for (size_t i = 0; i < count; i++) {
                        struct job *one = &jobs->job[i];
                        if (one->faults != 1 || !one->uses[site] || one->calm->uses[site] ||
                            one->fault[0].mode == FAULTS_ALL)
                                continue;
                        for (int mode = 0; mode < FAULTS_ALL; mode++) {
                                add(jobs, one->calm, site, 1, (enum faults_mode)mode);
                                struct job *both = &jobs->job[jobs->count - 1];
                                both->early = one->early;
                                both->faults = 2;
                                both->fault[1] = one->fault[0];
                        }
                }
        }
}

/* Leave so many of those from `first` on. */
static void choose(struct jobs *jobs, size_t first, unsigned most)
{
        unsigned random = options.seed;
        for (size_t i = first; i < jobs->count && i < first + most; i++) {
                size_t other = i + (size_t)rand_r(&random) % (jobs->count - i);
                struct job job = jobs->job[i];
                jobs->job[i] = jobs->job[other];
                jobs->job[other] = job;
        }
        if (jobs->count > first + most)
                jobs->count = first + most;
}

/* ---- what came of them ---- */

static void write_table(const struct jobs *jobs)
{
        FILE *f = fopen(options.table, "w");
        if (!f) {
                perror(options.table);
                exit(2);
        }
        for (unsigned site = 0; site < sites; site++) {
                const struct faults_site *s = &__start_faults_sites[site];
                unsigned uses = 0;
                unsigned long faults = 0, problems = 0;
                for (size_t i = 0; i < jobs->count; i++) {
                        const struct job *job = &jobs->job[i];
                        uses = job->uses[site] > uses ? job->uses[site] : uses;
                        faults += job->failed[site];
                        problems += *job->problem && job->faults && job->fault[0].site == site;
                }
                fprintf(f, "%s:%d\t%s\t%s\t%u\t%lu\t%lu\n", s->file, s->line, s->function, s->call,
                        uses, faults, problems);
        }
        if (fclose(f) != 0) {
                perror(options.table);
                exit(2);
        }
}

static size_t problems(const struct jobs *jobs)
{
        size_t n = 0;
        for (size_t i = 0; i < jobs->count; i++)
                n += *jobs->job[i].problem != '\0';
        return n;
}

static void tell_slow(const struct jobs *jobs)
{
        char name[256], faults[512];
        for (size_t i = 0; i < jobs->count; i++)
                if (jobs->job[i].seconds > options.slow)
                        printf("%6.1f s %s: %s\n", jobs->job[i].seconds,
                               job_name(&jobs->job[i], name, sizeof(name)),
                               job_faults(&jobs->job[i], faults, sizeof(faults)));
}

/* ---- beginning ---- */

static const struct run_test *named(const char *pattern, const struct run_test *from)
{
        char name[256];
        for (const struct run_test *t = from; t; t = t->next) {
                if (!t->name)
                        continue;
                snprintf(name, sizeof(name), "%s/%s", t->suite, t->name);
                if (fnmatch(pattern, name, 0) == 0)
                        return t;
        }
        return NULL;
}

/* Whether the test is listed in the file of those that are left out. */
static bool left_out(const struct run_test *test)
{
        char line[512], name[256];
        bool found = false;
        FILE *f = options.without ? fopen(options.without, "r") : NULL;
        if (options.without && !f) {
                perror(options.without);
                exit(2);
        }
        size_t length = (size_t)snprintf(name, sizeof(name), "%s/%s: ", test->suite, test->name);
        while (f && !found && fgets(line, sizeof(line), f))
                found = strncmp(line, name, length) == 0;
        if (f)
                fclose(f);
        return found;
}

static void read_options(char **argv)
{
        options.jobs = 2 * (unsigned)sysconf(_SC_NPROCESSORS_ONLN); /* they wait a lot */
        options.seed = (unsigned)time(NULL);
        for (char **a = argv + 1; *a; a++) {
                if (strcmp(*a, "--lenient") == 0)
                        options.lenient = true;
                else if (strncmp(*a, "--", 2) != 0)
                        options.filter = *a;
                else if (!a[1])
                        exit(2);
                else if (strcmp(*a, "--table") == 0)
                        options.table = *++a;
                else if (strcmp(*a, "--patience") == 0)
                        options.patience = atof(*++a);
                else if (strcmp(*a, "--site") == 0)
                        options.site = *++a;
                else if (strcmp(*a, "--use") == 0)
                        options.use = (unsigned)atoi(*++a);
                else if (strcmp(*a, "--uses") == 0)
                        options.uses = (unsigned)atoi(*++a);
                else if (strcmp(*a, "--jobs") == 0)
                        options.jobs = (unsigned)atoi(*++a);
                else if (strcmp(*a, "--slow") == 0)
                        options.slow = atof(*++a);
                else if (strcmp(*a, "--without") == 0)
                        options.without = *++a;
                else if (strcmp(*a, "--brief") == 0)
                        options.brief = atof(*++a);
                else if (strcmp(*a, "--tests") == 0)
                        options.tests = (unsigned)atoi(*++a);
                else if (strcmp(*a, "--most") == 0)
                        options.most = (unsigned)atoi(*++a);
                else if (strcmp(*a, "--seed") == 0)
                        options.seed = (unsigned)atoi(*++a);
                else
                        exit(2);
        }
}

int main(int argc, char **argv)
{
        struct jobs jobs;
        struct faults_state *state = faults_state();
        jobs_program = argv[0];
        if (argc == 3 && strcmp(argv[1], "--alone") == 0) {
                run_begin((struct run_verdict *)state->verdict);
                const struct run_test *test = named(argv[2], run_tests());
                if (test)
                        run_alone(test);
                return 2;
        }
        read_options(argv);
        /* cppcheck-suppress comparePointers ; the linker's, of one section */
        sites = (unsigned)(__stop_faults_sites - __start_faults_sites);
        for (unsigned i = 0; i < sites; i++)
                early[i] = atomic_load(&state->uses[i]) > 0;

        jobs_begin(&jobs, options.lenient);
        for (const struct run_test *t = run_tests(); (t = named(options.filter, t)); t = t->next)
                if (!run_options_of(t).disabled && !left_out(t))
                        jobs_add(&jobs, t)->seconds =
                            options.brief > 0 ? options.brief : 60 + 3 * options.patience;
        if (options.tests)
                choose(&jobs, 0, options.tests);
        size_t calm = jobs.count;
        jobs.brief = options.brief > 0;
        jobs_run(&jobs, 0, options.jobs);
        jobs.brief = false;
        for (size_t i = 0; i < calm; i++)
                if (!*jobs.job[i].problem && !jobs.job[i].left_out)
                        add_faults(&jobs, &jobs.job[i]);
        if (options.most)
                choose(&jobs, calm, options.most);
        printf("%zu runs with a fault are to come\n", jobs.count - calm);
        fflush(stdout);
        jobs_run(&jobs, calm, options.jobs);
        size_t singles = jobs.count;
        if (!options.lenient && !options.site)
                add_second_faults(&jobs);
        jobs_run(&jobs, singles, options.jobs);

        if (options.table)
                write_table(&jobs);
        if (options.slow > 0)
                tell_slow(&jobs);
        size_t bad = problems(&jobs);
        printf("%zu tests, %zu runs with a fault (seed %u), %zu problems\n", calm,
               jobs.count - calm, options.seed, bad);
        return bad ? 1 : 0;
}
