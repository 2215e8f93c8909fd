/* SPDX-License-Identifier: MIT
 *
 * HTTP/1.1 over a non-blocking socket: receive one request, send one reply.
 *
 * Bytes that came after the end of a request stay in the stream, so a client may send the next one
 * before it has the answer (pipelining). What a client can make the server keep is bounded by the
 * sizes below. How long it can make the server wait is not said here: each wait of http_receive()
 * ends at the deadline that the caller has put into the context.
 */
#ifndef HTTP_H
#define HTTP_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_URL = 1024, MAX_HEAD = 8192, MAX_BODY = 4096, MAX_FIELD = 128 };

struct http_stream {
        int fd;
        size_t begin, end; /* of what has been read and not been parsed */
        char in[4096];
};

struct http_request {
        enum http_method method;
        char url[MAX_URL];
        struct http_parser_url part; /* where in it path and query lie */
        char host[MAX_FIELD], traceparent[MAX_FIELD], user[MAX_FIELD]; /* "": not sent */
        char body[MAX_BODY + 1];                                       /* ends with a NUL */
        size_t body_size;
        bool keep_alive;
};

struct http_reply {
        int status;
        const char *type;
        char *body; /* from malloc */
};

/* Wait for the first byte of the next request: 0; or -errno, -EPIPE if none will come. */
int http_await(struct http_stream *stream, int64_t deadline);

/* Receive a request. 0; or the status of the reply that refuses it, after which the stream is of no
 * more use; or -errno: there is nobody to reply to. */
int http_receive(struct http_stream *stream, struct http_request *request);

/* Send the reply to a request, with the current request's id. 0 or -errno. */
int http_send(struct http_stream *stream, const struct http_request *request,
              const struct http_reply *reply, int64_t deadline);

/* Say that nothing more will be sent, and wait a moment for the client to say the same. To close
 * with something unread would make the kernel throw away the reply on its way. */
void http_linger(struct http_stream *stream, int64_t deadline);

bool http_path_is(const struct http_request *request, const char *path);

/* Find NAME=VALUE in the query: false if it is not there, or does not fit. */
bool http_query(const struct http_request *request, const char *name, char *value, size_t size);

/* Make this the reply, in the place of what was there. */
void http_set_reply(struct http_reply *reply, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
