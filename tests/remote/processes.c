/* SPDX-License-Identifier: MIT
 *
 * Servers and workers: see processes.h.
 */
#include "processes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/weft.h>

char run_directory[256];
char server_url[64];

static char worker_program[256];
static int port, other_port;
static pid_t server, other_server;
static pid_t workers[WORKERS];

static void give_up(const char *what)
{
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        processes_end();
        exit(1);
}

static int free_port(void)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                give_up("a free port");
        close(fd);
        return ntohs(address.sin_port);
}

static bool answers(int at)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)at),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool r = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        return r;
}

/* Start a program whose output goes to a file there. */
static pid_t start(char *const argv[], const char *log)
{
        char path[320];
        snprintf(path, sizeof(path), "%s/%s", run_directory, log);
        pid_t parent = getpid();
        pid_t pid = fork();
        if (pid < 0)
                give_up(argv[0]);
        if (pid > 0)
                return pid;
        int fd = open(path, O_CREAT | O_APPEND | O_WRONLY, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
                execvp(argv[0], argv);
        _exit(127);
}

static void wait_for_port(int at)
{
        for (int i = 0; i < 500 && !answers(at); i++)
                weft_sleep_until(weft_now() + 20000000);
        if (!answers(at))
                give_up("nats-server does not answer");
}

static int end(pid_t *pid, int signal)
{
        int status = 0;
        if (*pid <= 0)
                return 0;
        kill(*pid, signal);
        waitpid(*pid, &status, 0);
        *pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void processes_init(const char *directory, const char *beside)
{
        char path[320];
        const char *slash = strrchr(beside, '/');
        int length = slash ? (int)(slash - beside) + 1 : 0;
        snprintf(worker_program, sizeof(worker_program), "%.*sworker", length, beside);
        snprintf(run_directory, sizeof(run_directory), "%s", directory);
        snprintf(path, sizeof(path), "%s/applied", directory);
        if (mkdir(directory, 0700) < 0 || mkdir(path, 0700) < 0)
                give_up(directory);
        port = free_port();
        snprintf(server_url, sizeof(server_url), "nats://127.0.0.1:%d", port);
}

void server_start(void)
{
        char number[16], store[320];
        snprintf(number, sizeof(number), "%d", port);
        snprintf(store, sizeof(store), "%s/store", run_directory);
        server = start(
            (char *[]){"nats-server", "-js", "-a", "127.0.0.1", "-p", number, "-sd", store, NULL},
            "server.log");
        wait_for_port(port);
}

void server_kill(int signal)
{
        end(&server, signal);
}

const char *other_server_start(const char *config)
{
        static char url[64];
        char number[16], store[320];
        other_port = free_port();
        snprintf(url, sizeof(url), "127.0.0.1:%d", other_port);
        snprintf(number, sizeof(number), "%d", other_port);
        snprintf(store, sizeof(store), "%s/other", run_directory);
        other_server = start((char *[]){"nats-server", "-js", "-a", "127.0.0.1", "-p", number,
                                        "-sd", store, "-c", (char *)config, NULL},
                             "other.log");
        wait_for_port(other_port);
        return url;
}

void other_server_stop(void)
{
        end(&other_server, SIGKILL);
}

void worker_start(int n, const char *word)
{
        workers[n] =
            start((char *[]){worker_program, server_url, "test", run_directory, (char *)word, NULL},
                  "workers.log");
}

pid_t worker_pid(int n)
{
        return workers[n];
}

int worker_kill(int n, int signal)
{
        return end(&workers[n], signal);
}

bool workers_stop(void)
{
        bool well = true;
        for (int n = 0; n < WORKERS; n++)
                kill(workers[n], SIGTERM);
        for (int n = 0; n < WORKERS; n++)
                well &= end(&workers[n], SIGTERM) == 0;
        return well;
}

bool worker_gone(int n)
{
        if (workers[n] > 0 && waitpid(workers[n], NULL, WNOHANG) != workers[n])
                return false;
        workers[n] = 0;
        return true;
}

void processes_end(void)
{
        for (int n = 0; n < WORKERS; n++)
                end(&workers[n], SIGKILL);
        end(&server, SIGKILL);
        end(&other_server, SIGKILL);
}
