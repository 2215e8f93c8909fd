/* SPDX-License-Identifier: MIT
 *
 * The small test runner behind tests/run/criterion/criterion.h: what it offers is told there.
 *
 *   PROGRAM [FILTER]    runs the tests whose suite/name matches the shell pattern
 *
 * One process per test, forked from a parent with one thread, which waits for it, and kills it and
 * its children at the timeout. What the test found is written to memory shared with the parent, so
 * it holds even if the test is killed; the rest is the exit status, by which the sanitizers report.
 * The test ends by exit(), so that LeakSanitizer looks at it. Prints the failures, which tests took
 * more than 10 s and, last, the line "N passed, N failed, N skipped". Exit 1 if a test failed. Told
 * to end by SIGTERM, it says which test was running.
 */
#include <criterion/criterion.h>

#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(WEFT_VALGRIND)
#include <valgrind/valgrind.h>
#endif

enum outcome { PASSED, FAILED, SKIPPED, OUTCOMES };

/* Written by the test's process, read by the parent when that has ended. */
struct verdict {
        atomic_int failures;
        atomic_int skipped;
};

static struct run_test *tests;
static struct run_test **tests_end = &tests;
static struct verdict *verdict;
static bool told_to_end;

void run_register(struct run_test *test)
{
        *tests_end = test;
        tests_end = &test->next;
}

/* One write, so that threads do not mix their lines. */
__attribute__((format(printf, 2, 0))) static void say(const char *head, const char *format,
                                                      va_list values)
{
        char text[1024];

        vsnprintf(text, sizeof(text), format, values);
        fprintf(stderr, "%s%s\n", head, text);
}

static _Noreturn void leave(void)
{
        fflush(NULL);
        _exit(0);
}

/* Say it, in a function that takes a format and its values. */
#define TELL(head, format)                                                                         \
        do {                                                                                       \
                va_list values;                                                                    \
                va_start(values, format);                                                          \
                say(head, format, values);                                                         \
                va_end(values);                                                                    \
        } while (0)

static const char *where(char *head, size_t size, const char *file, int line, const char *what)
{
        atomic_fetch_add(&verdict->failures, 1);
        snprintf(head, size, "    %s:%d: not true: %s:", file, line, what);
        return head;
}

void run_failed(const char *file, int line, const char *what, const char *format, ...)
{
        char head[512];

        TELL(where(head, sizeof(head), file, line, what), format);
}

void run_ended(const char *file, int line, const char *what, const char *format, ...)
{
        char head[512];

        TELL(where(head, sizeof(head), file, line, what), format);
        leave();
}

void run_skip(const char *format, ...)
{
        TELL("    skipped:", format);
        atomic_store(&verdict->skipped, 1);
        leave();
}

void run_log(const char *level, const char *format, ...)
{
        char head[64];

        snprintf(head, sizeof(head), "    %s: ", level);
        TELL(head, format);
}

/* What the test does not say itself, its suite may say for it. */
static struct run_options options_of(const struct run_test *test)
{
        struct run_options o = test->options;

        for (const struct run_test *s = tests; s; s = s->next) {
                if (s->name || strcmp(s->suite, test->suite) != 0)
                        continue;
                o.init = o.init ? o.init : s->options.init;
                o.fini = o.fini ? o.fini : s->options.fini;
                o.timeout = o.timeout > 0 ? o.timeout : s->options.timeout;
                o.exit_code = o.exit_code ? o.exit_code : s->options.exit_code;
                o.signal = o.signal ? o.signal : s->options.signal;
                o.disabled = o.disabled || s->options.disabled;
        }
        return o;
}

static double seconds_allowed(const struct run_options *o)
{
        const char *slower = getenv("TEST_SLOWER");

        return (o->timeout > 0 ? o->timeout : 30) * (slower ? atof(slower) : 1);
}

/* A process that a test forks has lost what the test's other threads held; that is no leak. (Under
 * the sanitizers, it is to leave by _exit().) */
static void forget_leaks(void)
{
#if defined(WEFT_VALGRIND)
        VALGRIND_CLO_CHANGE("--leak-check=no");
#endif
}

static _Noreturn void run_here(const struct run_test *test, const struct run_options *o,
                               const sigset_t *mask)
{
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_atfork(NULL, NULL, forget_leaks);
        sigprocmask(SIG_SETMASK, mask, NULL);
        if (o->init)
                o->init();
        test->function();
        if (o->fini)
                o->fini();
        exit(0);
}

static double seconds_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Wait until the child ends, or kill it at the timeout or when the runner is told to end: false.
 * Both signals are blocked. */
static bool wait_for(pid_t child, double seconds, const sigset_t *signals, int *ret_status)
{
        double end = seconds_now() + seconds, rest;
        struct timespec left;

        while (waitpid(child, ret_status, WNOHANG) == 0) {
                rest = end - seconds_now();
                if (rest <= 0 || told_to_end) {
                        kill(-child, SIGKILL);
                        waitpid(child, ret_status, 0);
                        return false;
                }
                left.tv_sec = (time_t)rest;
                left.tv_nsec = (long)((rest - (double)left.tv_sec) * 1e9);
                told_to_end = sigtimedwait(signals, NULL, &left) == SIGTERM;
        }
        return true;
}

/* Why the test failed, or NULL. */
static const char *judge(const struct run_options *o, bool in_time, int status, char *text,
                         size_t size)
{
        int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

        if (!in_time)
                return told_to_end ? "had not ended when the time for all was up" : "timed out";
        if (atomic_load(&verdict->failures))
                return "failed";
        if (signal != o->signal) {
                snprintf(text, size, "killed by signal %d, not %d", signal, o->signal);
                return text;
        }
        if (!signal && WEXITSTATUS(status) != o->exit_code) {
                snprintf(text, size, "exit status %d, not %d", WEXITSTATUS(status), o->exit_code);
                return text;
        }
        return NULL;
}

static enum outcome run_one(const struct run_test *test)
{
        struct run_options o = options_of(test);
        sigset_t signals, mask;
        char text[64];
        const char *why;
        double began;
        bool in_time;
        int status = 0;
        pid_t child;

        if (o.disabled)
                return SKIPPED;
        atomic_store(&verdict->failures, 0);
        atomic_store(&verdict->skipped, 0);
        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, &mask);
        fflush(NULL);
        began = seconds_now();
        child = fork();
        if (child < 0) {
                perror("fork");
                exit(2);
        }
        if (child == 0)
                run_here(test, &o, &mask);
        in_time = wait_for(child, seconds_allowed(&o), &signals, &status);
        sigprocmask(SIG_SETMASK, &mask, NULL);

        if (atomic_load(&verdict->skipped))
                return SKIPPED;
        why = judge(&o, in_time, status, text, sizeof(text));
        if (why)
                fprintf(stderr, "FAIL %s/%s: %s\n", test->suite, test->name, why);
        if (seconds_now() - began > 10)
                fprintf(stderr, "     %s/%s took %.0f s\n", test->suite, test->name,
                        seconds_now() - began);
        if (told_to_end)
                exit(1);
        return why ? FAILED : PASSED;
}

int main(int argc, char **argv)
{
        int count[OUTCOMES] = {0};
        char name[256];

        verdict =
            mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (verdict == MAP_FAILED) {
                perror("mmap");
                return 2;
        }
        for (const struct run_test *t = tests; t; t = t->next) {
                snprintf(name, sizeof(name), "%s/%s", t->suite, t->name);
                if (t->name && (argc < 2 || fnmatch(argv[1], name, 0) == 0))
                        count[run_one(t)]++;
        }
        printf("%d passed, %d failed, %d skipped\n", count[PASSED], count[FAILED], count[SKIPPED]);
        return count[FAILED] ? 1 : 0;
}
