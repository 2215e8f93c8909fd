/* SPDX-License-Identifier: MIT
 *
 * The other processes of this test: servers and workers on loopback, in a directory of the test's.
 * They end with the process that has started them, whatever ends that.
 */
#ifndef TESTS_REMOTE_PROCESSES_H
#define TESTS_REMOTE_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

enum { WORKERS = 3 };

/* Of the test: build/remote/run. Set by processes_init(). */
extern char run_directory[256];
extern char server_url[64];

/* An empty directory, and a port that is free; the program of workers lies beside that one. */
void processes_init(const char *directory, const char *beside);

/* Start the server, or start it again on the same port and store, and wait until it answers. */
void server_start(void);
void server_kill(int signal);

/* Another server, with that configuration: where it is. One at a time. */
const char *other_server_start(const char *config);
void other_server_stop(void);

/* The n-th worker, with its word on the command line, or NULL. */
void worker_start(int n, const char *word);
pid_t worker_pid(int n);
/* Wait for it, and start no other: its exit status, -1 for a signal. */
int worker_kill(int n, int signal);
/* All of them, by SIGTERM: whether each has ended with 0. */
bool workers_stop(void);
/* Whether it has ended by itself; it is forgotten then. */
bool worker_gone(int n);

void processes_end(void);

#endif
