/* SPDX-License-Identifier: MIT
 *
 * The other half of HTTP: what a handler asks of a request that has been received, and sending the
 * reply. A client that takes its reply slowly makes this task wait, not its worker.
 */
#include "http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <weft/weft.h>

#include "request.h"
#include "socket.h"

bool http_path_is(const struct http_request *request, const char *path)
{
        size_t length = request->part.field_data[UF_PATH].len;
        return request->part.field_set & 1U << UF_PATH && length == strlen(path) &&
               !memcmp(request->url + request->part.field_data[UF_PATH].off, path, length);
}

bool http_query(const struct http_request *request, const char *name, char *value, size_t size)
{
        if (!(request->part.field_set & 1U << UF_QUERY))
                return false;
        const char *at = request->url + request->part.field_data[UF_QUERY].off;
        const char *end = at + request->part.field_data[UF_QUERY].len;
        size_t name_length = strlen(name);
        while (at < end) {
                size_t length = 0;
                while (at + length < end && at[length] != '&')
                        length++;
                if (length > name_length && !memcmp(at, name, name_length) &&
                    at[name_length] == '=' && length - name_length <= size) {
                        length -= name_length + 1;
                        memcpy(value, at + name_length + 1, length);
                        value[length] = '\0';
                        return true;
                }
                at += length + 1;
        }
        return false;
}

/* ---- sending ---- */

void http_set_reply(struct http_reply *reply, int status, const char *format, ...)
{
        va_list args;
        free(reply->body);
        *reply = (struct http_reply){.status = status, .type = "text/plain"};
        va_start(args, format);
        if (vasprintf(&reply->body, format, args) < 0)
                reply->body = NULL; /* the status alone will have to do */
        va_end(args);
}

int http_send(struct http_stream *stream, const struct http_request *request,
              const struct http_reply *reply, int64_t deadline)
{
        char head[512], date[64];
        size_t size = reply->body ? strlen(reply->body) : 0;
        time_t now = time(NULL);
        struct tm tm;

        strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", gmtime_r(&now, &tm));
        int length = snprintf(head, sizeof(head),
                              "HTTP/1.1 %d %s\r\n"
                              "Date: %s\r\n"
                              "Content-Type: %s\r\n"
                              "Content-Length: %zu\r\n"
                              "Connection: %s\r\n"
                              "traceparent: %s\r\n\r\n",
                              reply->status, http_status_str((enum http_status)reply->status), date,
                              reply->type, size, request->keep_alive ? "keep-alive" : "close",
                              (const char *)weft_get(&request_id));
        struct iovec part[] = {{head, (size_t)length}, {reply->body, size}};
        bool head_only = request->method == HTTP_HEAD || !size;
        return socket_write(stream->fd, part, head_only ? 1 : 2, deadline);
}

void http_linger(struct http_stream *stream, int64_t deadline)
{
        shutdown(stream->fd, SHUT_WR);
        WEFT_DEADLINE (deadline) {
                while (socket_read(stream->fd, stream->in, sizeof(stream->in)) > 0 &&
                       weft_yield() == 0) {
                }
        }
}
