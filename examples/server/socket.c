/* SPDX-License-Identifier: MIT
 *
 * Sockets: see socket.h.
 *
 * After a wait a task may go on on another thread (WEFT_MIGRATE), and errno belongs to a thread. So
 * each call of the kernel stands together with its errno in a function that does not wait, and that
 * is not inlined: where the two are in one function, a compiler may keep the address of errno over
 * the wait.
 */
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/weft.h>

#define DOES_NOT_WAIT __attribute__((noinline))

static DOES_NOT_WAIT int try_accept(int listener)
{
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static DOES_NOT_WAIT int try_read(int fd, void *buffer, size_t size)
{
        ssize_t n = recv(fd, buffer, size, 0);
        return n < 0 ? -errno : n == 0 ? -EPIPE : (int)n;
}

static DOES_NOT_WAIT int try_write(int fd, struct iovec *part, size_t parts)
{
        struct msghdr message = {.msg_iov = part, .msg_iovlen = parts};
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        return n < 0 ? -errno : (int)n;
}

int socket_listen(int *port)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)*port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted ones inherit it */
        if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
                int error = -errno;
                close(fd);
                return error;
        }
        *port = ntohs(address.sin_port);
        return fd;
}

int socket_accept(int listener)
{
        for (;;) {
                int fd = try_accept(listener), r = 0;
                if (fd == -EAGAIN)
                        r = weft_wait_fd(listener, POLLIN, WEFT_FOREVER);
                else if (fd != -EINTR && fd != -ECONNABORTED)
                        return fd;
                if (r < 0)
                        return r;
        }
}

int socket_read(int fd, void *buffer, size_t size)
{
        for (;;) {
                int n = try_read(fd, buffer, size), r = 0;
                if (n == -EAGAIN)
                        r = weft_wait_fd(fd, POLLIN, WEFT_FOREVER);
                else if (n != -EINTR)
                        return n;
                if (r < 0)
                        return r;
        }
}

int socket_write(int fd, struct iovec *part, size_t parts, int64_t deadline)
{
        while (parts) {
                int n = try_write(fd, part, parts), r = 0;
                if (n == -EAGAIN)
                        r = weft_wait_fd(fd, POLLOUT, deadline);
                else if (n < 0 && n != -EINTR)
                        return n;
                if (r < 0)
                        return r;
                size_t sent = n > 0 ? (size_t)n : 0;
                for (; parts && sent >= part->iov_len; part++, parts--)
                        sent -= part->iov_len;
                if (parts) {
                        part->iov_base = (char *)part->iov_base + sent;
                        part->iov_len -= sent;
                }
        }
        return 0;
}
