/* SPDX-License-Identifier: MIT
 *
 * No depth limit: ten million jobs forked in a loop before the first is joined, in memory of the
 * caller's own; each runs once, in the context of its fork, and none is lost, whether or not others
 * take some. The same of fewer jobs whose task waits meanwhile, so that all are shown to others.
 * And recursion through joins without end: it has the stack's end, and the process dies of that
 * with SIGSEGV and a message, as of any other recursion.
 */
#include "stress.h"

#include <sys/resource.h>
#include <sys/wait.h>

static uint64_t jobs = STRESS_SLOW || IN_EMULATOR ? 200000 : 10000000;

static weft_var var = WEFT_VAR_INIT("var", .retain = stress_retain, .release = stress_release);
static struct stress_value value[2];

/* The jobs in a row, and how often each has run; for one task at a time. */
struct row {
        weft_job *job;
        unsigned char *runs;
        uint64_t n;
        bool waits;
};

/* Of its counter of runs the high bit says which value was bound at the fork. */
static int run_once(void *runs)
{
        unsigned char *r = runs;
        struct stress_value *v = weft_get(&var);
        CHECK(v == &value[*r >> 7], "the context of another one");
        CHECK((*r & 127) == 0, "a job ran twice");
        ++*r;
        return (int)(*r >> 7);
}

/* Rows of a thousand jobs with the one value and with the other. */
static int fork_row(void *arg)
{
        struct row *w = arg;
        for (uint64_t i = 0; i < w->n; i++) {
                bool second = i / 1000 % 2;
                if (i % 1000 == 0)
                        CHECK(weft_set(&var, &value[second], NULL) == 0, "set");
                w->runs[i] = second ? 128 : 0;
                weft_fork(&w->job[i], run_once, &w->runs[i]);
        }
        if (w->waits)
                CHECK(weft_sleep_until(weft_now() + 1000000) == 0, "sleep");
        for (uint64_t i = w->n; i-- > 0;) {
                int r = weft_join(&w->job[i]);
                CHECK(r == (int)(i / 1000 % 2) && (w->runs[i] & 127) == 1, "job %" PRIu64 ": %d", i,
                      r);
        }
        return 9;
}

static void on_pool(unsigned workers, struct row *w)
{
        weft_pool_options o = {.size = sizeof(o), .workers = workers};
        weft_pool *pool;
        weft_task *task;
        int64_t begin = weft_now();
        CHECK(weft_pool_create(&pool, &o) == 0, "pool");
        CHECK(weft_spawn(pool, &task, fork_row, w) == 0, "spawn");
        CHECK(weft_await(task, WEFT_FOREVER) == 9, "await");
        weft_task_unref(task);
        weft_pool_destroy(pool);
        for (int i = 0; i < 2; i++)
                CHECK(!stress_alive(&value[i]), "a value is kept");
        printf("%" PRIu64 " jobs, %u workers%s: %" PRId64 " ms\n", w->n, workers,
               w->waits ? ", shown to all" : "", (weft_now() - begin) / 1000000);
        fflush(stdout);
}

/* ---- recursion ---- */

static int join_without_end(void *arg)
{
        weft_job job;
        weft_fork(&job, join_without_end, arg);
        return weft_join(&job) + 1;
}

static void recurse(int standard_error)
{
        struct rlimit none = {0, 0};
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .stack_size = 128 * 1024};
        weft_pool *pool;
        setrlimit(RLIMIT_CORE, &none);
        dup2(standard_error, STDERR_FILENO);
        if (weft_pool_create(&pool, &o) < 0 || weft_submit(pool, join_without_end, NULL) < 0)
                _exit(1);
        weft_pool_destroy(pool);
        _exit(0);
}

/* In a child, before there is any pool here. */
static void run_over_the_stack(void)
{
        char text[4096];
        size_t length = 0;
        int ends[2], status;
        CHECK(pipe(ends) == 0, "pipe");
        pid_t pid = fork();
        CHECK(pid >= 0, "fork");
        if (pid == 0)
                recurse(ends[1]);
        close(ends[1]);
        for (ssize_t n; (n = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0;)
                length += (size_t)n;
        text[length] = '\0';
        close(ends[0]);
        CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x: %s", status, text);
        CHECK(strstr(text, "stack overflow"), "%s", text);
        printf("recursion without end: %s", text);
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {{"--jobs", &jobs, "forked in a loop"},
                                                {NULL, NULL, NULL}};
        stress_begin(argc, argv, options);
        stress_hangs_after(120);
        if (STRESS_SLOW + IN_EMULATOR == 0) /* those have their own handlers and stacks */
                run_over_the_stack();
        struct row w = {.job = malloc(jobs * sizeof(*w.job)), .runs = malloc(jobs)};
        if (!w.job || !w.runs) {
                printf("no memory for %" PRIu64 " jobs\n", jobs);
                return 77;
        }
        for (unsigned workers = 1; workers <= 2; workers++) {
                w.n = jobs;
                w.waits = false;
                on_pool(workers, &w);
                w.n = jobs / 100;
                w.waits = true;
                on_pool(workers, &w);
        }
        free(w.job);
        free(w.runs);
        return 0;
}
