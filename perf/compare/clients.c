/* SPDX-License-Identifier: MIT
 *
 * The clients, and both ends of a connection: see clients.h.
 *
 * A message is a packet: a part from the client, a byte from the server. Each side has at most one
 * on its way, so no send ever waits.
 */
#include "clients.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/suspend.h>

#include "share.h"

size_t clients_parts(size_t files, int requests, size_t part)
{
        size_t most = (files + (size_t)requests - 1) / (size_t)requests; /* files of a request */
        size_t parts = (most + part - 1) / part;
        return parts ? parts : 1;
}

int clients_open(struct clients *clients)
{
        clients->connections = calloc((size_t)clients->requests, sizeof(*clients->connections));
        if (!clients->connections)
                return -ENOMEM;
        for (int i = 0; i < clients->requests; i++)
                clients->connections[i] = (struct connection){-1, -1};
        for (int i = 0; i < clients->requests; i++) {
                int ends[2];
                if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                        return -errno;
                clients->connections[i] = (struct connection){ends[0], ends[1]};
        }
        return 0;
}

void clients_close(struct clients *clients)
{
        for (int i = 0; clients->connections && i < clients->requests; i++) {
                if (clients->connections[i].client < 0)
                        continue;
                close(clients->connections[i].client);
                close(clients->connections[i].server);
        }
        free(clients->connections);
}

void clients_hang_up(const struct clients *clients)
{
        for (int i = 0; clients->connections && i < clients->requests; i++)
                if (clients->connections[i].client >= 0)
                        shutdown(clients->connections[i].client, SHUT_RDWR);
}

static int all_answered(const struct clients *clients)
{
        for (int i = 0; i < clients->requests; i++) {
                char answer;
                ssize_t got;
                do
                        got = recv(clients->connections[i].client, &answer, sizeof(answer), 0);
                while (got < 0 && errno == EINTR);
                if (got <= 0)
                        return got ? -errno : -ECONNRESET;
        }
        return 0;
}

/* The part may be empty, if the request has fewer files than others. */
static int send_part(const struct clients *clients, int request, size_t index)
{
        size_t begin = share_begin(clients->files, clients->requests, request);
        size_t end = share_begin(clients->files, clients->requests, request + 1);
        struct part part = {begin + index * clients->part, begin + (index + 1) * clients->part};
        if (part.begin > end)
                part.begin = end;
        if (part.end > end)
                part.end = end;
        const struct connection *connection = &clients->connections[request - 1];
        return send(connection->client, &part, sizeof(part), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int send_all(const struct clients *clients)
{
        size_t parts = clients_parts(clients->files, clients->requests, clients->part);
        int r = all_answered(clients); /* each has been begun */
        for (size_t i = 0; i < parts && !r; i++) {
                for (int request = 1; request <= clients->requests && !r; request++)
                        r = send_part(clients, request, i);
                if (!r)
                        r = all_answered(clients);
        }
        for (int i = 0; i < clients->requests && !r; i++)
                if (shutdown(clients->connections[i].client, SHUT_WR) < 0)
                        r = -errno;
        return r ? r : all_answered(clients);
}

static void *run_clients(void *arg)
{
        struct clients *clients = arg;
        clients->error = send_all(clients);
        if (clients->error)
                clients_hang_up(clients);
        return NULL;
}

int clients_start(struct clients *clients)
{
        return -pthread_create(&clients->thread, NULL, run_clients, clients);
}

int clients_wait(struct clients *clients)
{
        pthread_join(clients->thread, NULL);
        return clients->error;
}

int connection_receive(const struct connection *connection, struct part *ret)
{
        int r = weft_wait_fd(connection->server, POLLIN, WEFT_FOREVER);
        if (r < 0)
                return r;
        ssize_t got = recv(connection->server, ret, sizeof(*ret), MSG_DONTWAIT);
        return got < 0 ? -errno : got > 0;
}

int connection_answer(const struct connection *connection)
{
        return send(connection->server, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
