/* SPDX-License-Identifier: MIT
 *
 * The clients of a run: who the requests come from, over a connection (a pair of sockets) each.
 *
 * A request comes in parts, and a part names some of the request's files. The server answers when
 * it has begun the request, when it is done with a part, and when it has ended the request. The
 * clients are one thread and go in step: none sends its next part before the server has answered
 * all of them the last. So all requests are open from the first part to the last, each run has the
 * same shape, and no request ends while another is in its middle.
 */
#ifndef COMPARE_CLIENTS_H
#define COMPARE_CLIENTS_H

#include <pthread.h>
#include <stddef.h>

struct connection {
        int client, server; /* the two ends of it */
};

struct clients {
        size_t files; /* of the tree */
        size_t part;  /* how many files a part has at most */
        int requests;
        struct connection *connections; /* one a request */
        pthread_t thread;
        int error; /* the thread's */
};

/* Files of the tree, by their index: those before end. */
struct part {
        size_t begin, end;
};

/* How many parts each request has: at least one. */
size_t clients_parts(size_t files, int requests, size_t part);

/* Make the connections: clients->connections. 0 or -errno; to be closed anyway. */
int clients_open(struct clients *clients);
void clients_close(struct clients *clients);

/* Start sending, and wait until all is answered. 0 or -errno. */
int clients_start(struct clients *clients);
int clients_wait(struct clients *clients);

/* Break all connections off, so that nobody waits any more. Any thread. */
void clients_hang_up(const struct clients *clients);

/* The server's side. Wait for the next part of a request: 1; or 0: it was the last, or somebody
 * hung up; or -errno. Parks the task. */
int connection_receive(const struct connection *connection, struct part *ret);

/* 0 or -errno. Does not wait. */
int connection_answer(const struct connection *connection);

#endif
