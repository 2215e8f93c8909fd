/* SPDX-License-Identifier: MIT
 *
 * The small test runner behind tests/run/criterion/criterion.h: what it offers is told there.
 *
 * One process per test, forked from a parent with one thread, which waits for it, and kills it and
 * its children at the timeout. What the test found is written to memory shared with the parent, so
 * it holds even if the test is killed; the rest is the exit status, by which the sanitizers report.
 * The test ends by exit(), so that LeakSanitizer looks at it.
 */
#include "run.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(WEFT_VALGRIND)
#include <valgrind/valgrind.h>
#endif

static struct run_test *tests;
static struct run_test **tests_end = &tests;
static struct run_verdict *verdict;
static bool told_to_end;

const struct run_test *run_tests(void)
{
        return tests;
}

void run_begin(struct run_verdict *memory)
{
        verdict = memory;
        if (!verdict)
                verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (verdict == MAP_FAILED) {
                perror("mmap");
                exit(2);
        }
}

bool run_told_to_end(void)
{
        return told_to_end;
}

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

struct run_options run_options_of(const struct run_test *test)
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

/* A process that a test forks has lost what the test's other threads held; that is no leak. (Under
 * the sanitizers, it is to leave by _exit().) */
static void forget_leaks(void)
{
#if defined(WEFT_VALGRIND)
        VALGRIND_CLO_CHANGE("--leak-check=no");
#endif
}

_Noreturn void run_alone(const struct run_test *test)
{
        struct run_options o = run_options_of(test);

        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_atfork(NULL, NULL, forget_leaks);
        if (o.init)
                o.init();
        test->function();
        if (o.fini)
                o.fini();
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

struct run_result run_test(const struct run_test *test, double seconds, void (*first)(void))
{
        struct run_result result = {.in_time = true};
        sigset_t signals, mask;
        pid_t child;

        atomic_store(&verdict->failures, 0);
        atomic_store(&verdict->skipped, 0);
        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, &mask);
        fflush(NULL);
        child = fork();
        if (child < 0) {
                perror("fork");
                exit(2);
        }
        if (child == 0) {
                sigprocmask(SIG_SETMASK, &mask, NULL);
                if (first)
                        first();
                run_alone(test);
        }
        result.in_time = wait_for(child, seconds, &signals, &result.status);
        sigprocmask(SIG_SETMASK, &mask, NULL);
        result.failures = atomic_load(&verdict->failures);
        result.skipped = atomic_load(&verdict->skipped);
        return result;
}
