/* SPDX-License-Identifier: MIT
 *
 * A server of notes, to show how one is built on weft: options, start, and stop.
 *
 *   main           this
 *   connections    a task for each client, and their end
 *   http           receiving requests, sending replies
 *   socket         the calls of the kernel that may have to wait
 *   request        whose request it is: its id and user, in the context
 *   handlers       what is done for a request, within the deadline in the context
 *   db             the transaction in the context
 *   log            lines under the id and user in the context
 *
 * SIGTERM or SIGINT stops it: requests that have been received get a second more, what is left is
 * cancelled and rolled back, and the exit status is 0.
 */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weft/weft.h>

#include "connections.h"
#include "db.h"
#include "log.h"
#include "socket.h"

static const int64_t MS = 1000000, GRACE_MS = 1000;

/* ---- options ---- */

struct options {
        int port, workers, deadline_ms;
        const char *database, *log;
};

static const struct argp_option option_table[] = {
    {"port", 'p', "N", 0, "Listen there; 0, the default, takes a free port and prints it", 0},
    {"workers", 'w', "N", 0, "Threads that serve (default: as many as there are CPUs)", 0},
    {"database", 'd', "DIRECTORY", 0, "Where the notes are kept (default: here)", 0},
    {"deadline-ms", 't', "N", 0, "What a request may take (default: 2000)", 0},
    {"log", 'l', "FILE", 0, "Append the log to FILE (default: standard error)", 0},
    {0},
};

static int number(struct argp_state *state, const char *text, long min, long max)
{
        char *end;
        errno = 0;
        long n = strtol(text, &end, 10);
        if (errno || end == text || *end || n < min || n > max)
                argp_error(state, "%s is not a number from %ld to %ld", text, min, max);
        return (int)n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
        struct options *o = state->input;
        switch (key) {
        case 'p':
                o->port = number(state, arg, 0, 65535);
                return 0;
        case 'w':
                o->workers = number(state, arg, 1, 1024);
                return 0;
        case 'd':
                o->database = arg;
                return 0;
        case 't':
                o->deadline_ms = number(state, arg, 1, 1000000);
                return 0;
        case 'l':
                o->log = arg;
                return 0;
        case ARGP_KEY_ARG:
                argp_error(state, "what is %s?", arg);
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp parser = {
    option_table, parse_option, NULL, "Serves notes over HTTP on 127.0.0.1.", NULL, NULL, NULL};

/* ---- starting and stopping ---- */

/* Accept and serve until there is something to read from the descriptor of signals. */
static int run(weft_pool *pool, int listener, int signals)
{
        weft_task *acceptor;
        int r = weft_spawn(pool, &acceptor, connections_accept, &listener);
        if (r < 0)
                return r;
        r = weft_wait_fd(signals, POLLIN, WEFT_FOREVER);
        log_line("stopping");
        weft_task_cancel(acceptor);
        weft_await(acceptor, WEFT_FOREVER);
        weft_task_unref(acceptor);
        connections_end(weft_now() + GRACE_MS * MS);
        return r < 0 ? r : 0;
}

static int failed(const char *what, int error)
{
        fprintf(stderr, "server: %s: %s\n", what, strerror(-error));
        return 1;
}

int main(int argc, char **argv)
{
        struct options o = {.deadline_ms = 2000, .database = "."};
        weft_pool *pool;
        sigset_t stop;

        argp_parse(&parser, argc, argv, 0, NULL, &o);
        sigemptyset(&stop);
        sigaddset(&stop, SIGTERM);
        sigaddset(&stop, SIGINT);
        sigprocmask(SIG_BLOCK, &stop, NULL); /* for the workers too, which inherit the mask */
        int signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals < 0)
                return failed("signals", -errno);

        int r = log_open(o.log);
        if (r < 0)
                return failed(o.log, r);
        r = db_open(o.database);
        if (r < 0)
                return failed(o.database, r);
        int listener = socket_listen(&o.port);
        if (listener < 0)
                return failed("cannot listen", listener);
        weft_pool_options options = {.size = sizeof(options),
                                     .workers = (unsigned)o.workers,
                                     .name = "server",
                                     .flags = WEFT_MIGRATE}; /* go on on whichever is free */
        r = weft_pool_create(&pool, &options);
        if (r < 0)
                return failed("cannot start the pool", r);
        r = connections_init(pool, o.deadline_ms * MS);
        if (r < 0)
                return failed("cannot start", r);

        printf("listening on 127.0.0.1:%d\n", o.port);
        fflush(stdout);
        r = run(pool, listener, signals);
        close(listener);
        weft_pool_destroy(pool);
        db_close();
        return r < 0 ? failed("stopped by an error", r) : 0;
}
