/* SPDX-License-Identifier: MIT
 *
 * The programs of compared systems as processes: started, told to play a round, reaped. One that is
 * not in its turn is stopped by a signal, so that what it does between rounds (some spin) costs the
 * others nothing. One that does not answer in time is killed; all are if the runner goes.
 */
#include "rivals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_WITHIN (60 * BENCH_SECOND)

/* rivals/FILE beside this program. */
static const char *path_of(const char *file)
{
        static char path[512];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = 0;
        char *slash = strrchr(path, '/');
        size_t length = slash ? (size_t)(slash + 1 - path) : 0;
        snprintf(path + length, sizeof(path) - length, "rivals/%s", file);
        return path;
}

bool rival_there(const char *file)
{
        return access(path_of(file), X_OK) == 0;
}

static int failed(struct rival *p, const char *what)
{
        snprintf(p->why, sizeof(p->why), "%s: %s", what, strerror(errno));
        return -1;
}

/* In the child, after fork(). */
static void become(const char *path, char **argv, int fd, pid_t parent)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
                execv(path, argv);
        _exit(127);
}

static int launch(struct rival *p, const char *file, char **argv)
{
        int fd[2];
        const char *path = path_of(file);
        *p = (struct rival){.fd = -1};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
                return failed(p, "socketpair");
        pid_t self = getpid();
        p->pid = fork();
        if (p->pid == 0)
                become(path, argv, fd[1], self);
        close(fd[1]);
        p->fd = fd[0];
        if (p->pid > 0)
                return 0;
        close(fd[0]);
        return failed(p, "fork");
}

/* Wait for a program that ends; 0 if it ends well. */
static int reap(struct rival *p)
{
        int status;
        close(p->fd);
        while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (WIFSIGNALED(status))
                snprintf(p->why, sizeof(p->why), "ended by signal %d, %s", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status))
                snprintf(p->why, sizeof(p->why), "ended with status %d", WEXITSTATUS(status));
        return p->why[0] ? -1 : 0;
}

static int give_up(struct rival *p, const char *why)
{
        char kept[sizeof(p->why)];
        snprintf(kept, sizeof(kept), "%s", why);
        kill(p->pid, SIGKILL);
        reap(p);
        memcpy(p->why, kept, sizeof(kept));
        return -1;
}

/* What a program says. */
struct text {
        char *at;
        size_t n, size;
};

/* Read some more of it: how much; 0 at its end; -1: none came in time, and the program was killed.
 */
static ssize_t read_more(struct rival *p, struct text *t, int64_t deadline)
{
        struct pollfd ready = {.fd = p->fd, .events = POLLIN};
        int64_t left = (deadline - bench_now()) / 1000000;
        int r = left > 0 ? poll(&ready, 1, (int)left) : 0;
        if (r < 0 && errno == EINTR)
                return read_more(p, t, deadline);
        if (r <= 0)
                return give_up(p, "gave no answer in time");
        if (t->n == t->size - 1)
                return give_up(p, "said too much");
        ssize_t got = read(p->fd, t->at + t->n, t->size - 1 - t->n);
        t->n += got > 0 ? (size_t)got : 0;
        t->at[t->n] = 0;
        return got > 0 ? got : 0;
}

/* Read until it closes its output, and reap it. */
static int read_all(struct rival *p, struct text *t)
{
        int64_t deadline = bench_now() + ANSWER_WITHIN;
        ssize_t got;
        while ((got = read_more(p, t, deadline)) > 0)
                ;
        return got < 0 ? -1 : reap(p);
}

/* Read until a line is complete. */
static int read_line(struct rival *p, struct text *t)
{
        int64_t deadline = bench_now() + ANSWER_WITHIN;
        while (!t->n || t->at[t->n - 1] != '\n') {
                ssize_t got = read_more(p, t, deadline);
                if (got < 0)
                        return -1;
                if (got == 0 && reap(p) == 0)
                        snprintf(p->why, sizeof(p->why), "ended before it answered");
                if (got == 0)
                        return -1;
        }
        return 0;
}

int rival_ask(struct rival *p, const char *file, char names[RIVAL_NAMES])
{
        char *argv[] = {(char *)file, NULL};
        struct text t = {.at = names, .size = RIVAL_NAMES};
        names[0] = 0;
        return launch(p, file, argv) < 0 ? -1 : read_all(p, &t);
}

int rival_start(struct rival *p, const char *file, const char *name, unsigned workers, size_t size)
{
        char workers_text[16], size_text[24];
        char *argv[] = {(char *)file, (char *)name, workers_text, size_text, NULL};
        snprintf(workers_text, sizeof(workers_text), "%u", workers);
        snprintf(size_text, sizeof(size_text), "%zu", size);
        return launch(p, file, argv);
}

/* The figures of "CHECK FIGURE...". */
static size_t figures_of(char *text, double *ret)
{
        size_t n = 0;
        for (char *end; n < BENCH_FIGURES; text = end, n++) {
                ret[n] = strtod(text, &end);
                if (end == text)
                        break;
        }
        return n;
}

int rival_play(struct rival *p, struct rival_answer *ret)
{
        char line[256] = "", *figures;
        struct text t = {.at = line, .size = sizeof(line)};
        kill(p->pid, SIGCONT);
        send(p->fd, "\n", 1, MSG_NOSIGNAL); /* if it is gone, there will be no answer */
        if (read_line(p, &t) < 0)
                return -1;
        kill(p->pid, SIGSTOP);
        ret->check = strtoull(line, &figures, 10);
        ret->figures = figures_of(figures, ret->figure);
        return ret->figures ? 0 : give_up(p, "gave an answer that is none");
}

size_t rival_peak(const struct rival *p)
{
        char path[40], line[128];
        unsigned long long kib = 0;
        snprintf(path, sizeof(path), "/proc/%d/status", (int)p->pid);
        FILE *f = fopen(path, "re");
        while (f && !kib && fgets(line, sizeof(line), f))
                if (!strncmp(line, "VmHWM:", 6))
                        kib = strtoull(line + 6, NULL, 10);
        if (f)
                fclose(f);
        return (size_t)kib * 1024;
}

int rival_stop(struct rival *p)
{
        char rest[64];
        struct text t = {.at = rest, .size = sizeof(rest)};
        kill(p->pid, SIGCONT);
        shutdown(p->fd, SHUT_WR);
        return read_all(p, &t);
}
