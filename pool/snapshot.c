/* SPDX-License-Identifier: MIT
 *
 * Copies of the process to look at (see snapshot.h).
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(WEFT_VALGRIND)
#include <valgrind/valgrind.h>
#endif

#include "context/internal.h"

#include "pools.h"

#if defined(WEFT_TEST_HOOKS)
int weft__copy_patience_ms = 5000;
#else
enum { weft__copy_patience_ms = 5000 };
#endif

/* ---- in the copy ---- */

enum { NO_MEMORY = 99 }; /* the status of a copy */

static sigjmp_buf *step_back; /* of the innermost step; NULL: there is none */

/* The calls below go past the C library, and past tools that watch it: what they hold is held. */

static __attribute__((noreturn)) void end(int status)
{
#if defined(WEFT_VALGRIND)
        VALGRIND_ENABLE_ERROR_REPORTING; /* it wants both to be there */
#endif
        for (;;)
                (syscall)(SYS_exit_group, status);
}

void weft__out_flush(weft__out *out)
{
        for (size_t done = 0; done < out->used;) {
                long n = (syscall)(SYS_write, out->fd, out->text + done, out->used - done);
                if (n < 0)
                        end(0); /* nobody reads it any more */
                done += (size_t)n;
        }
        out->used = 0;
}

static void add(weft__out *out, const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                if (out->used == sizeof(out->text))
                        weft__out_flush(out);
                out->text[out->used++] = text[i];
        }
}

void weft__out_print(weft__out *out, const char *format, ...)
{
        char text[512];
        va_list values;
        va_start(values, format);
        int n = vsnprintf(text, sizeof(text), format, values);
        va_end(values);
        if (n > 0)
                add(out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void weft__out_quoted(weft__out *out, const char *text, size_t length)
{
        for (size_t i = 0, n; i < length; i += n ? n : 1) {
                n = weft__text_character(text + i, length - i);
                if (!n)
                        weft__out_print(out, "\\x%02x", (unsigned char)text[i]);
                else if (text[i] == '"' || text[i] == '\\')
                        weft__out_print(out, "\\%c", text[i]);
                else
                        add(out, text + i, n);
        }
}

void weft__out_name(weft__out *out, const char *name)
{
        weft__out_quoted(out, name, strlen(name));
}

bool weft__copy_try(void (*step)(void *arg), void *arg)
{
        sigjmp_buf here, *volatile before = step_back;
        volatile bool done = false;
        if (sigsetjmp(here, 0) == 0) {
                step_back = &here;
                step(arg);
                done = true;
        }
        step_back = before;
        return done;
}

void weft__copy_give_up(void)
{
        siglongjmp(*step_back, 1);
}

void *weft__copy_memory(size_t size)
{
        long at = (syscall)(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
        return at == -1 ? NULL : (void *)at;
}

void weft__copy_no_memory(weft__out *out)
{
        weft__out_flush(out);
        end(NO_MEMORY);
}

static void on_crash(int signal)
{
        if (step_back)
                siglongjmp(*step_back, 1);
        end(128 + signal);
}

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};

/* All signals are blocked: those of the terminal and of the program are for the original. */
static void catch_crashes(void)
{
        struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
        sigset_t set;
        sigemptyset(&set);
        for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++) {
                sigaction(crashes[i], &action, NULL);
                sigaddset(&set, crashes[i]);
        }
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

#if defined(WEFT_TSAN)
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
#endif

/* To the tools what the copy sees would be races with threads that are not in it, leaks of what
 * those held, and perhaps uses of what was about to be freed. */
static void quiet_tools(void)
{
#if defined(WEFT_TSAN)
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
#if defined(WEFT_VALGRIND)
        VALGRIND_CLO_CHANGE("--leak-check=no");
        VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

static void begin(int fd, weft__copy_fn *look, void *arg)
{
        weft__out out = {.fd = fd};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* A connection that the program closes meanwhile is to be closed. Standard error stays, for
         * the tools. */
        if (fd > 3)
                (syscall)(SYS_close_range, 3L, fd - 1L, 0L);
        (syscall)(SYS_close_range, fd + 1L, 0L + UINT_MAX, 0L);
        quiet_tools();
        catch_crashes();
        look(&out, arg);
        weft__out_flush(&out);
        end(0);
}

/* ---- in the original ---- */

/* With no signal at its end: who waits for any child does not see this one. */
pid_t(weft__copy_process)(void)
{
        long pid = (syscall)(SYS_clone, 0L, NULL, NULL, NULL, 0L);
        return pid < 0 ? -errno : (pid_t)pid;
}

/* Read to the end: 0, -ETIMEDOUT or -errno. */
static int hand_on(int fd, weft__sink_fn *sink, void *arg)
{
        char text[4096];
        for (;;) {
                const struct timespec patience = {weft__copy_patience_ms / 1000,
                                                  weft__copy_patience_ms % 1000 * 1000000};
                struct pollfd p = {.fd = fd, .events = POLLIN};
                int ready = ppoll(&p, 1, &patience, NULL);
                if (ready < 0 && errno == EINTR)
                        continue;
                if (ready <= 0)
                        return ready ? -errno : -ETIMEDOUT;
                ssize_t n = read(fd, text, sizeof(text));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return 0;
                sink(text, (size_t)n, arg);
        }
}

static int see_off(pid_t pid, int r)
{
        int status = 0;
        if (r < 0)
                kill(pid, SIGKILL);
        while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
                ;
        if (r < 0 || status == 0)
                return r;
        return WIFEXITED(status) && WEXITSTATUS(status) == NO_MEMORY ? -ENOMEM : -EFAULT;
}

int weft__snapshot(weft__copy_fn *look, void *look_arg, weft__sink_fn *sink, void *sink_arg)
{
        int ends[2];
        sigset_t all, before;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        weft__pools_hold();
        pid_t pid = weft__copy_process();
        if (pid == 0)
                begin(ends[1], look, look_arg);
        weft__pools_let_go();
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        close(ends[1]);
        int r = pid < 0 ? pid : see_off(pid, hand_on(ends[0], sink, sink_arg));
        close(ends[0]);
        return r;
}
