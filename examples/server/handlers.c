/* SPDX-License-Identifier: MIT
 *
 * The handlers. Each is handed what the client sent. Who the client is, in which transaction its
 * rows go and until when there is time, all this is in the context, here and in each task that a
 * handler starts.
 *
 * A handler returns 0 with its reply made, or -errno. It need not look after its deadline: a wait
 * that goes beyond it ends with -ETIMEDOUT, and the handler hands that on.
 */
#include "handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

#include "db.h"
#include "log.h"

enum { FAN = 4 };
static const int64_t MS = 1000000;

/* Ask another service, so to speak. */
static int elsewhere(int64_t ms)
{
        return weft_sleep_until(weft_now() + ms * MS);
}

static int note(int part, const char *text)
{
        int row = db_insert(part, text);
        if (row >= 0)
                log_line("noted part %d of %s", part, text);
        return row;
}

/* POST /notes: two rows, and a wait between them. */
static int post_note(void *arg)
{
        struct exchange *x = arg;
        const char *text = x->request.body;
        if (!*text || strlen(text) != x->request.body_size)
                return -EINVAL;
        int first = note(1, text);
        if (first < 0)
                return first;
        int r = elsewhere(2);
        if (r < 0)
                return r;
        int second = note(2, text);
        if (second < 0)
                return second;
        http_set_reply(&x->reply, HTTP_STATUS_OK, "%d %d\n", first, second);
        return 0;
}

/* GET /notes: the user's latest. */
static int get_notes(void *arg)
{
        struct exchange *x = arg;
        char *json;
        int r = db_notes(&json);
        if (r < 0)
                return r;
        http_set_reply(&x->reply, HTTP_STATUS_OK, "%s\n", json);
        x->reply.type = "application/json";
        free(json);
        return 0;
}

/* GET /slow?ms=: a row, and then a long wait. */
static int slow(void *arg)
{
        struct exchange *x = arg;
        char ms[8], text[64] = "slow";
        if (!http_query(&x->request, "ms", ms, sizeof(ms)))
                return -EINVAL;
        http_query(&x->request, "text", text, sizeof(text));
        int r = note(1, text);
        if (r >= 0)
                r = elsewhere(strtol(ms, NULL, 10));
        if (r < 0)
                return r;
        http_set_reply(&x->reply, HTTP_STATUS_OK, "slept %s ms\n", ms);
        return 0;
}

struct piece {
        int part;
        const char *text;
};

static int fetch(void *arg) /* a task of its own, that knows whose it is */
{
        struct piece *piece = arg;
        int r = elsewhere(1);
        return r < 0 ? r : note(piece->part, piece->text);
}

/* GET /fan: fetches several things at once, and notes each. */
static int fan(void *arg)
{
        struct exchange *x = arg;
        char text[64] = "fan";
        struct piece piece[FAN];
        int row[FAN] = {0};
        weft_group pieces;

        http_query(&x->request, "text", text, sizeof(text));
        int r = weft_group_init(&pieces, NULL);
        if (r < 0)
                return r;
        for (int i = 0; i < FAN && r >= 0; i++) {
                piece[i] = (struct piece){i + 1, text};
                r = weft_group_spawn_into(&pieces, &row[i], fetch, &piece[i]);
        }
        if (r < 0)
                weft_group_cancel(&pieces);
        int failed = weft_group_wait(&pieces, WEFT_FOREVER);
        weft_group_fini(&pieces); /* waits for those that are left, if the wait ended early */
        if (r < 0 || failed < 0)
                return r < 0 ? r : failed;
        http_set_reply(&x->reply, HTTP_STATUS_OK, "%d %d %d %d\n", row[0], row[1], row[2], row[3]);
        return 0;
}

static int health(void *arg)
{
        struct exchange *x = arg;
        http_set_reply(&x->reply, HTTP_STATUS_OK, "well\n");
        return 0;
}

/* ---- routes ---- */

static const struct route {
        enum http_method method;
        const char *path;
        weft_fn *handler;
        bool in_transaction;
} routes[] = {
    {HTTP_POST, "/notes", post_note, true}, {HTTP_GET, "/notes", get_notes, true},
    {HTTP_GET, "/slow", slow, true},        {HTTP_GET, "/fan", fan, true},
    {HTTP_GET, "/health", health, false},
};

/* The route of a request, or NULL with the reply that says why not. */
static const struct route *route_of(struct exchange *x)
{
        enum http_method method = x->request.method == HTTP_HEAD ? HTTP_GET : x->request.method;
        http_set_reply(&x->reply, HTTP_STATUS_NOT_FOUND, "no such place\n");
        for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
                if (!http_path_is(&x->request, routes[i].path))
                        continue;
                if (routes[i].method == method)
                        return &routes[i];
                http_set_reply(&x->reply, HTTP_STATUS_METHOD_NOT_ALLOWED, "not by this method\n");
        }
        return NULL;
}

static int status_of(int error)
{
        switch (error) {
        case -EINVAL:
                return HTTP_STATUS_BAD_REQUEST;
        case -ETIMEDOUT:
                return HTTP_STATUS_GATEWAY_TIMEOUT;
        case -ECANCELED: /* the server is about to stop */
        case -EBUSY:
                return HTTP_STATUS_SERVICE_UNAVAILABLE;
        default:
                return HTTP_STATUS_INTERNAL_SERVER_ERROR;
        }
}

void handle(struct exchange *x)
{
        const struct route *route = route_of(x);
        if (!route)
                return;
        int r = route->in_transaction ? db_transaction(route->handler, x) : route->handler(x);
        if (r < 0)
                http_set_reply(&x->reply, status_of(r), "%s\n", weft_strerror(r));
}
