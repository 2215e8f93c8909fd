/* SPDX-License-Identifier: MIT
 *
 * What a test program does that is linked with the small runner:
 *
 *   PROGRAM [FILTER]    runs the tests whose suite/name matches the shell pattern
 *
 * Prints the failures, which tests took more than 10 s and, last, the line "N passed, N failed, N
 * skipped". Exit 1 if a test failed. Told to end by SIGTERM, it says which test was running.
 */
#include "run.h"

#include <fnmatch.h>
#include <sys/wait.h>
#include <time.h>

enum outcome { PASSED, FAILED, SKIPPED, OUTCOMES };

static double seconds_allowed(const struct run_options *o)
{
        const char *slower = getenv("TEST_SLOWER");

        return (o->timeout > 0 ? o->timeout : 30) * (slower ? atof(slower) : 1);
}

static double seconds_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Why the test failed, or NULL. */
static const char *judge(const struct run_options *o, const struct run_result *r, char *text,
                         size_t size)
{
        int signal = WIFSIGNALED(r->status) ? WTERMSIG(r->status) : 0;

        if (!r->in_time)
                return run_told_to_end() ? "had not ended when the time for all was up"
                                         : "timed out";
        if (r->failures)
                return "failed";
        if (signal != o->signal) {
                snprintf(text, size, "killed by signal %d, not %d", signal, o->signal);
                return text;
        }
        if (!signal && WEXITSTATUS(r->status) != o->exit_code) {
                snprintf(text, size, "exit status %d, not %d", WEXITSTATUS(r->status),
                         o->exit_code);
                return text;
        }
        return NULL;
}

static enum outcome run_one(const struct run_test *test)
{
        struct run_options o = run_options_of(test);
        struct run_result result;
        char text[64];
        const char *why;
        double began = seconds_now();

        if (o.disabled)
                return SKIPPED;
        result = run_test(test, seconds_allowed(&o), NULL);
        if (result.skipped)
                return SKIPPED;
        why = judge(&o, &result, text, sizeof(text));
        if (why)
                fprintf(stderr, "FAIL %s/%s: %s\n", test->suite, test->name, why);
        if (seconds_now() - began > 10)
                fprintf(stderr, "     %s/%s took %.0f s\n", test->suite, test->name,
                        seconds_now() - began);
        if (run_told_to_end())
                exit(1);
        return why ? FAILED : PASSED;
}

int main(int argc, char **argv)
{
        int count[OUTCOMES] = {0};
        char name[256];

        run_begin(NULL);
        for (const struct run_test *t = run_tests(); t; t = t->next) {
                snprintf(name, sizeof(name), "%s/%s", t->suite, t->name);
                if (t->name && (argc < 2 || fnmatch(argv[1], name, 0) == 0))
                        count[run_one(t)]++;
        }
        printf("%d passed, %d failed, %d skipped\n", count[PASSED], count[FAILED], count[SKIPPED]);
        return count[FAILED] ? 1 : 0;
}
