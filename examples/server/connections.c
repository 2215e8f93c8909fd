/* SPDX-License-Identifier: MIT
 *
 * The connections: see connections.h. A connection's task does one thing after the other, as if
 * there were no others: wait for a request, receive it, handle it, reply, and again. It parks in
 * each of these, so one worker serves hundreds.
 *
 * To end them all, the reading side of every socket is shut: whoever waits for a request finds the
 * end of the stream, whoever serves one finds it after the reply. They are in a list for that.
 */
#include "connections.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers.h"
#include "http.h"
#include "log.h"
#include "request.h"
#include "socket.h"

enum { CONNECTIONS = 800 }; /* at once; those that come then wait in the kernel */

static const int64_t SECOND = 1000000000;

struct connection {
        struct http_stream stream;
        struct connection *previous, *next; /* in the list */
};

static weft_group group;
static weft_semaphore room; /* for so many more */
static int64_t request_time;

/* A pthread mutex will do where nothing waits while it is held. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *list;
static bool ending;

/* ---- the list ---- */

static bool enlist(struct connection *c)
{
        pthread_mutex_lock(&list_lock);
        bool welcome = !ending;
        if (welcome) {
                c->next = list;
                if (list)
                        list->previous = c;
                list = c;
        }
        pthread_mutex_unlock(&list_lock);
        return welcome;
}

static void delist(struct connection *c)
{
        pthread_mutex_lock(&list_lock);
        if (c->previous)
                c->previous->next = c->next;
        else
                list = c->next;
        if (c->next)
                c->next->previous = c->previous;
        pthread_mutex_unlock(&list_lock);
}

static void shut_all(void)
{
        pthread_mutex_lock(&list_lock);
        ending = true;
        for (struct connection *c = list; c; c = c->next)
                shutdown(c->stream.fd, SHUT_RD);
        pthread_mutex_unlock(&list_lock);
}

/* ---- one connection ---- */

/* Make the reply to a request that could not be received as a whole, or names no user. */
static void refuse(struct exchange *x, int status)
{
        x->request.keep_alive = false;
        http_set_reply(&x->reply, status, "%s\n", http_status_str((enum http_status)status));
}

/* Handle and answer the request, in its context: true if there may be another. */
static bool serve(struct http_stream *stream, struct exchange *x, int refusal, int64_t deadline)
{
        int64_t begin = weft_now();
        if (refusal) {
                refuse(x, refusal);
        } else {
                log_line("%s %s", http_method_str(x->request.method), x->request.url);
                WEFT_DEADLINE (deadline)
                        handle(x);
        }
        log_line("%d %s %s, %.1f ms", x->reply.status, http_method_str(x->request.method),
                 x->request.url, (double)(weft_now() - begin) / 1e6);
        return http_send(stream, &x->request, &x->reply, weft_now() + request_time) == 0 &&
               x->request.keep_alive;
}

/* Serve the next request: true if there may be another. */
static bool serve_next(struct http_stream *stream)
{
        struct exchange x = {.reply = {HTTP_STATUS_INTERNAL_SERVER_ERROR, "text/plain", NULL}};
        struct identity who;
        bool again = false;
        int refusal = -ENOMEM;

        if (http_await(stream, weft_now() + 30 * SECOND) < 0)
                return false;
        int64_t deadline = weft_now() + request_time;
        WEFT_DEADLINE (deadline)
                refusal = http_receive(stream, &x.request);
        if (refusal < 0)
                return false;
        if (request_identify(&who, &x.request) < 0 && !refusal)
                refusal = HTTP_STATUS_BAD_REQUEST;
        WEFT_WITH (&request_id, who.id) {
                WEFT_WITH (&request_user, who.user)
                        again = serve(stream, &x, refusal, deadline);
        }
        free(x.reply.body);
        return again;
}

static int connection(void *fd)
{
        struct connection c = {.stream.fd = *(int *)fd};
        if (!enlist(&c))
                return 0;
        /* Between requests it is others' turn, or a client that never lets us wait would keep the
         * worker. */
        while (serve_next(&c.stream) && weft_yield() == 0) {
        }
        http_linger(&c.stream, weft_now() + SECOND);
        delist(&c);
        return 0;
}

/* However it ended, even if it was cancelled before it began. */
static void connection_ended(void *fd)
{
        close(*(int *)fd);
        weft_semaphore_post(&room);
}

/* ---- all of them ---- */

int connections_init(weft_pool *pool, int64_t request_ns)
{
        request_time = request_ns;
        weft_semaphore_init(&room, CONNECTIONS);
        return weft_group_init(&group, pool);
}

/* Accept a client, when there is one and room for it: 0 or -errno. */
static int accept_one(int listener)
{
        int r = weft_semaphore_wait(&room, WEFT_FOREVER);
        if (r < 0)
                return r;
        int fd = socket_accept(listener);
        if (fd < 0) {
                weft_semaphore_post(&room);
                return fd;
        }
        WEFT_SHIELD { /* or the group would be this task's, and be cancelled with it */
                r = weft_group_spawn_closure(&group, connection, &fd, sizeof(fd), connection_ended);
        }
        if (r < 0)
                connection_ended(&fd);
        return r;
}

int connections_accept(void *listener)
{
        int r = 0;
        while (r != -ECANCELED) {
                r = accept_one(*(int *)listener);
                if (r < 0 && r != -ECANCELED) {
                        log_line("cannot accept: %s", strerror(-r));
                        r = weft_sleep_until(weft_now() + SECOND / 10); /* it may pass */
                }
        }
        return 0;
}

void connections_end(int64_t deadline)
{
        shut_all();
        if (weft_group_wait(&group, deadline) == -ETIMEDOUT) {
                log_line("cancelling what is still being served");
                weft_group_cancel(&group);
        }
        weft_group_fini(&group);
}
