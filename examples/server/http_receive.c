/* SPDX-License-Identifier: MIT
 *
 * Receiving a request: http_parser finds its parts, in whatever pieces they arrive; the callbacks
 * here copy those that this server uses. The parser is paused at the end of each request and begun
 * anew for the next.
 *
 * To wait for the rest of a request parks this task, and its worker serves other connections. There
 * is no deadline to be seen here, because it is in the context.
 */
#include "http.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <weft/weft.h>

#include "socket.h"

/* A request while it is being received. */
struct reading {
        struct http_request *request;
        int refusal; /* a status, or 0 */
        bool head_complete, complete;
        bool in_value; /* of a header field, not in its name */
        char name[16]; /* of that field, cut */
        char *value;   /* where its value goes, or NULL */
};

/* ---- what the parser finds ---- */

static struct reading *reading_of(http_parser *parser)
{
        return parser->data;
}

static int refuse(struct reading *reading, int status)
{
        reading->refusal = status;
        return -1; /* which ends the parser */
}

/* Append to a string in size bytes, as much as fits. */
static void append(char *string, size_t size, const char *at, size_t length)
{
        size_t used = strlen(string), room = size - 1 - used;
        if (length > room)
                length = room;
        memcpy(string + used, at, length);
        string[used + length] = '\0';
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
        struct reading *reading = reading_of(parser);
        if (strlen(reading->request->url) + length >= MAX_URL)
                return refuse(reading, HTTP_STATUS_URI_TOO_LONG);
        append(reading->request->url, MAX_URL, at, length);
        return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t length)
{
        struct reading *reading = reading_of(parser);
        if (reading->in_value)
                reading->name[0] = '\0';
        reading->in_value = false;
        append(reading->name, sizeof(reading->name), at, length);
        return 0;
}

static char *place_of_value(const struct reading *reading)
{
        struct http_request *request = reading->request;
        if (reading->head_complete)
                return NULL; /* a trailer: not to be trusted with anything */
        return !strcasecmp(reading->name, "host")          ? request->host
               : !strcasecmp(reading->name, "traceparent") ? request->traceparent
               : !strcasecmp(reading->name, "x-user")      ? request->user
                                                           : NULL;
}

static int on_header_value(http_parser *parser, const char *at, size_t length)
{
        struct reading *reading = reading_of(parser);
        if (!reading->in_value) {
                reading->value = place_of_value(reading);
                if (reading->value && *reading->value) /* sent twice: a list, as HTTP has it */
                        append(reading->value, MAX_FIELD, ",", 1);
        }
        reading->in_value = true;
        if (reading->value)
                append(reading->value, MAX_FIELD, at, length);
        return 0;
}

static int on_headers_complete(http_parser *parser)
{
        struct reading *reading = reading_of(parser);
        struct http_request *request = reading->request;
        bool has_length = parser->flags & F_CONTENTLENGTH;

        reading->head_complete = true;
        request->method = parser->method;
        request->keep_alive = http_should_keep_alive(parser);
        parser->upgrade = 0; /* an offer, which need not be taken up */
        if (parser->http_major != 1)
                return refuse(reading, HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
        if (parser->http_minor > 0 && !*request->host)
                return refuse(reading, HTTP_STATUS_BAD_REQUEST);
        if (http_parser_parse_url(request->url, strlen(request->url),
                                  request->method == HTTP_CONNECT, &request->part))
                return refuse(reading, HTTP_STATUS_BAD_REQUEST);
        if (has_length && parser->content_length > MAX_BODY)
                return refuse(reading, HTTP_STATUS_PAYLOAD_TOO_LARGE);
        return 0;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
        struct reading *reading = reading_of(parser);
        struct http_request *request = reading->request;
        if (length > MAX_BODY - request->body_size) /* in chunks, whose sum nobody announced */
                return refuse(reading, HTTP_STATUS_PAYLOAD_TOO_LARGE);
        memcpy(request->body + request->body_size, at, length);
        request->body_size += length;
        request->body[request->body_size] = '\0';
        return 0;
}

static int on_message_complete(http_parser *parser)
{
        reading_of(parser)->complete = true;
        http_parser_pause(parser, 1); /* the next request stays in the stream */
        return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- receiving ---- */

int http_await(struct http_stream *stream, int64_t deadline)
{
        int r = stream->begin < stream->end ? 0 : weft_wait_fd(stream->fd, POLLIN, deadline);
        return r < 0 ? r : 0;
}

int http_receive(struct http_stream *stream, struct http_request *request)
{
        struct reading reading = {.request = request};
        http_parser parser;

        http_parser_set_max_header_size(MAX_HEAD);
        http_parser_init(&parser, HTTP_REQUEST);
        parser.data = &reading;
        while (!reading.complete) {
                if (stream->begin == stream->end) {
                        int n = socket_read(stream->fd, stream->in, sizeof(stream->in));
                        if (n < 0)
                                return n == -ETIMEDOUT ? HTTP_STATUS_REQUEST_TIMEOUT : n;
                        stream->begin = 0;
                        stream->end = (size_t)n;
                }
                stream->begin += http_parser_execute(&parser, &settings, stream->in + stream->begin,
                                                     stream->end - stream->begin);
                enum http_errno error = HTTP_PARSER_ERRNO(&parser);
                if (reading.refusal)
                        return reading.refusal;
                if (error == HPE_HEADER_OVERFLOW)
                        return HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
                if (error != HPE_OK && error != HPE_PAUSED)
                        return HTTP_STATUS_BAD_REQUEST;
        }
        return 0;
}
