/* SPDX-License-Identifier: MIT
 *
 * Sockets that tasks wait for: every call but the first tries, and parks the task while there is
 * nothing to be had. All return 0 or more, or -errno.
 */
#ifndef SOCKET_H
#define SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A socket that listens on the loopback interface; *port 0 becomes one that was free. */
int socket_listen(int *port);

/* The socket of the next client. Ends when the task is cancelled. */
int socket_accept(int listener);

/* Read what there is, at least a byte: how many; -EPIPE: no more will come. Until the deadline of
 * the context. */
int socket_read(int fd, void *buffer, size_t size);

/* Send all of the parts, which are used up. */
int socket_write(int fd, struct iovec *part, size_t parts, int64_t deadline);

#endif
