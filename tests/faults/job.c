/* SPDX-License-Identifier: MIT
 *
 * Running the driver's jobs: see job.h. What a test writes to standard error is shown only if
 * something was wrong with it.
 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *jobs_program;

_Static_assert(sizeof(struct run_verdict) == 2 * sizeof(atomic_int), "the state has room for it");

static const char *const mode_names[FAULTS_MODES] = {"once", "for ever", "all from there"};

/* ---- jobs ---- */

void jobs_begin(struct jobs *jobs, bool lenient)
{
        *jobs = (struct jobs){.room = 60000, .lenient = lenient};
        jobs->job = mmap(NULL, jobs->room * sizeof(*jobs->job), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (jobs->job == MAP_FAILED) {
                perror("faults: memory for jobs");
                exit(2);
        }
}

struct job *jobs_add(struct jobs *jobs, const struct run_test *test)
{
        if (jobs->count == jobs->room) {
                fprintf(stderr, "faults: too many jobs\n");
                exit(2);
        }
        struct job *job = &jobs->job[jobs->count++];
        job->test = test;
        job->seconds = 20;
        return job;
}

const char *job_name(const struct job *job, char *text, size_t size)
{
        snprintf(text, size, "%s/%s", job->test->suite, job->test->name);
        return text;
}

const char *job_faults(const struct job *job, char *text, size_t size)
{
        size_t used = 0;
        text[0] = '\0';
        for (unsigned i = 0; i < job->faults && used < size; i++) {
                const struct faults_fault *f = &job->fault[i];
                const struct faults_site *site = &__start_faults_sites[f->site];
                used += (size_t)snprintf(text + used, size - used, "%s%s:%d (%s) %s, use %u, %s",
                                         i ? " and " : "", site->file, site->line, site->function,
                                         site->call, f->use, mode_names[f->mode]);
        }
        return text;
}

/* ---- judging ---- */

static bool is_fault(const struct job *job, const struct run_result *r,
                     const struct faults_state *state, bool lenient)
{
        struct run_options o = run_options_of(job->test);
        int signal = WIFSIGNALED(r->status) ? WTERMSIG(r->status) : 0;
        int code = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 0;
        char *problem = ((struct job *)job)->problem;
        size_t size = sizeof(job->problem);

        if (!r->in_time)
                snprintf(problem, size, "hangs");
        else if (signal && signal != o.signal)
                snprintf(problem, size, "died by signal %d", signal);
        else if (code && code != o.exit_code)
                snprintf(problem, size, "exit status %d", code);
        else if (r->failures && (!lenient || !job->faults))
                snprintf(problem, size, "an assertion does not hold");
        else if (!lenient && !state->told)
                snprintf(problem, size, "did not come to its end");
        for (unsigned i = 0; !lenient && job->calm && !*problem && i < FAULTS_SITES; i++)
                if (state->live[i] > job->calm->live[i])
                        snprintf(problem, size, "%ld leaked of what was made at %s:%d (%s)",
                                 state->live[i] - job->calm->live[i], __start_faults_sites[i].file,
                                 __start_faults_sites[i].line, __start_faults_sites[i].function);
        return *problem;
}

/* ---- running ---- */

static struct job *current;
static int log_file;

static void quietly(void)
{
        dup2(log_file, STDERR_FILENO);
        dup2(log_file, STDOUT_FILENO);
}

/* In the process of the test. */
static void first(void)
{
        char name[256];
        quietly();
        if (!current->early)
                return;
        execl("/proc/self/exe", jobs_program, "--alone", job_name(current, name, sizeof(name)),
              (char *)NULL);
        _exit(127);
}

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void show(const struct job *job)
{
        char name[256], faults[512], text[4096];
        ssize_t n = pread(log_file, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        printf("FAIL %s: %s\n     %s\n%s", job_name(job, name, sizeof(name)), job->problem,
               job_faults(job, faults, sizeof(faults)), text);
        fflush(stdout);
}

static void run(struct job *job, struct faults_state *state, const struct jobs *jobs)
{
        memset((void *)state, 0, sizeof(*state));
        memcpy(state->fault, job->fault, sizeof(job->fault));
        state->faults = job->faults;
        state->for_good = job->early;
        state->calm = !job->calm;
        if (job->calm)
                memcpy(state->expected, job->calm->live, sizeof(state->expected));
        if (ftruncate(log_file, 0) < 0 || lseek(log_file, 0, SEEK_SET) < 0)
                perror("faults: log");
        current = job;
        double began = now();
        struct run_result r = run_test(job->test, job->seconds, first);
        if (run_told_to_end())
                _exit(1);
        job->seconds = now() - began;
        for (unsigned i = 0; i < FAULTS_SITES; i++) {
                job->uses[i] = atomic_load(&state->uses[i]);
                job->failed[i] = atomic_load(&state->failed[i]);
                job->live[i] = state->live[i];
        }
        job->left_out = !r.in_time && jobs->brief;
        if (!job->left_out && is_fault(job, &r, state, jobs->lenient))
                show(job);
}

static _Noreturn void work(struct jobs *jobs, size_t first_job, atomic_size_t *next)
{
        struct faults_state *state = faults_share();
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        run_begin((struct run_verdict *)state->verdict);
        log_file = memfd_create("log", MFD_CLOEXEC);
        for (size_t i; (i = first_job + atomic_fetch_add(next, 1)) < jobs->count;)
                run(&jobs->job[i], state, jobs);
        exit(0);
}

void jobs_run(struct jobs *jobs, size_t first_job, unsigned processes)
{
        int status, bad = 0;
        atomic_size_t *next =
            mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (next == MAP_FAILED) {
                perror("faults: memory");
                exit(2);
        }
        fflush(NULL);
        for (unsigned i = 0; i < processes; i++)
                if (fork() == 0)
                        work(jobs, first_job, next);
        while (wait(&status) > 0)
                bad |= status;
        munmap(next, sizeof(*next));
        if (bad) {
                fprintf(stderr, "faults: a process of the driver failed\n");
                exit(2);
        }
}
