/* SPDX-License-Identifier: MIT
 *
 * The connection: options, its coming and going, its end; and the way to calls that block.
 *
 * libnats connects again by itself, for ever. What it tells comes late and on a thread of its own;
 * so `up` only says when to look, and natsConnection_Status() what is.
 */
#include "remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- guests ---- */

void weft__remote_enter(weft_remote *remote)
{
        weft__remote_lock(remote);
        remote->guests++;
        weft__remote_unlock(remote);
}

/* The event is set under the lock, which weft_remote_close() takes before it frees both. */
void weft__remote_leave(weft_remote *remote)
{
        weft__remote_lock(remote);
        if (--remote->guests == 0)
                weft_event_set(&remote->alone);
        weft__remote_unlock(remote);
}

/* ---- news of the connection, on a thread of libnats ---- */

static void on_up(natsConnection *connection, void *arg)
{
        weft_remote *remote = arg;
        (void)connection;
        weft_event_set(&remote->up);
        weft__remote_news(remote);
}

static void on_down(natsConnection *connection, void *arg)
{
        weft_remote *remote = arg;
        if (natsConnection_Status(connection) != NATS_CONN_STATUS_CONNECTED)
                weft_event_reset(&remote->up);
}

/* What a server has said that was there. */
static bool is_refused(natsConnection *connection)
{
        const char *text = NULL;
        natsStatus last = natsConnection_GetLastError(connection, &text);
        return last == NATS_CONNECTION_AUTH_FAILED || last == NATS_NOT_PERMITTED;
}

static void on_closed(natsConnection *connection, void *arg)
{
        weft_remote *remote = arg;
        bool refused = is_refused(connection);
        weft__remote_lock(remote);
        remote->closed = true;
        remote->refused = refused;
        weft__remote_unlock(remote);
        weft_event_set(&remote->up);
        weft__remote_news(remote);
        weft__remote_leave(remote);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus error,
                     void *arg)
{
        const char *text = NULL;
        (void)subscription;
        if (error == NATS_NOT_PERMITTED &&
            natsConnection_GetLastError(connection, &text) == NATS_NOT_PERMITTED && text)
                weft__remote_forbidden(arg, text);
}

static void on_subscription_end(void *remote)
{
        weft__remote_leave(remote);
}

int weft__remote_subscribe(weft_remote *remote, natsSubscription **ret, const char *subject,
                           natsMsgHandler handler)
{
        weft__remote_enter(remote);
        natsStatus status =
            natsConnection_Subscribe(ret, remote->connection, subject, handler, remote);
        if (status == NATS_OK)
                status = natsSubscription_SetOnCompleteCB(*ret, on_subscription_end, remote);
        if (status == NATS_OK)
                return 0;
        weft__remote_leave(remote);
        return status == NATS_NO_MEMORY ? -ENOMEM : -ENOTCONN;
}

/* ---- waiting for it ---- */

static int closed_for_good(weft_remote *remote)
{
        weft__remote_lock(remote);
        int r = remote->closing   ? -ESHUTDOWN
                : !remote->closed ? 0
                : remote->refused ? -EACCES
                                  : -ENOTCONN;
        weft__remote_unlock(remote);
        return r;
}

int weft__remote_connected(weft_remote *remote, int64_t deadline)
{
        for (;;) {
                int r = closed_for_good(remote);
                if (r < 0)
                        return r;
                if (natsConnection_Status(remote->connection) == NATS_CONN_STATUS_CONNECTED)
                        return 0;
                int64_t now = weft_now();
                if (deadline <= now)
                        return -ETIMEDOUT;
                int64_t look = now + SECOND / 2;
                r = weft_event_wait(&remote->up, deadline < look ? deadline : look);
                if (r == 0) /* what it told may be older than the state */
                        r = weft_sleep_until(now + SECOND / 100);
                if (r < 0 && (r != -ETIMEDOUT || weft_cancelled() < 0))
                        return r;
        }
}

int weft__remote_blocking(weft_remote *remote, weft_fn *fn, void *arg)
{
        int r = weft_semaphore_wait(&remote->calls, WEFT_FOREVER);
        if (r < 0)
                return r;
        r = weft_blocking(fn, arg);
        weft_semaphore_post(&remote->calls);
        return r;
}

/* ---- open ---- */

static int read_options(weft_remote *remote, const weft_remote_options *given,
                        weft_remote_options *ret)
{
        weft_remote_options options = {0};
        if (given) {
                size_t size = given->size ? given->size : sizeof(options);
                for (size_t i = sizeof(options); i < size; i++)
                        if (((const char *)given)[i])
                                return -E2BIG;
                memcpy(&options, given, size < sizeof(options) ? size : sizeof(options));
        }
        if (!options.url)
                options.url = "nats://localhost:4222";
        if (!options.prefix)
                options.prefix = "weft";
        remote->replicas = options.replicas ? options.replicas : 1;
        remote->max_deliver = options.max_deliver ? options.max_deliver : 5;
        remote->keep = options.keep ? options.keep : 24 * 3600 * SECOND;
        remote->ack_wait = options.ack_wait ? options.ack_wait : 30 * SECOND;
        if (!weft__remote_is_name(options.prefix) || remote->replicas > 5 ||
            remote->keep < SECOND || remote->ack_wait < SECOND / 10)
                return -EINVAL;
        *ret = options;
        return 0;
}

static bool asks_for_tls(const char *url)
{
        return strncmp(url, "tls://", 6) == 0;
}

/* As far as its scheme says: libnats takes others for nats, and until late in 2025 tls, too. */
static bool is_url(const char *url)
{
        return !strstr(url, "://") || strncmp(url, "nats://", 7) == 0 || asks_for_tls(url);
}

/* The servers of a list with commas, which is taken apart. */
static natsStatus set_servers(natsOptions *options, char *urls)
{
        const char *servers[64];
        int n = 0;
        bool tls = false;
        char *rest = NULL;
        for (char *url = strtok_r(urls, ", ", &rest); url; url = strtok_r(NULL, ", ", &rest)) {
                if (n == 64 || !is_url(url))
                        return NATS_INVALID_ARG;
                tls |= asks_for_tls(url);
                servers[n++] = url;
        }
        natsStatus s = n ? natsOptions_SetServers(options, servers, n) : NATS_INVALID_ARG;
        return s || !tls ? s : natsOptions_SetSecure(options, true);
}

static natsStatus set_options(natsOptions *options, weft_remote *remote)
{
        natsStatus s = natsOptions_SetAllowReconnect(options, true);
        s = s ? s : natsOptions_SetMaxReconnect(options, -1);
        s = s ? s : natsOptions_SetReconnectWait(options, 200);
        s = s ? s : natsOptions_SetReconnectJitter(options, 100, 200);
        s = s ? s : natsOptions_SetFailRequestsOnDisconnect(options, true);
        s = s ? s : natsOptions_SetRetryOnFailedConnect(options, true, on_up, remote);
        s = s ? s : natsOptions_SetReconnectedCB(options, on_up, remote);
        s = s ? s : natsOptions_SetDisconnectedCB(options, on_down, remote);
        s = s ? s : natsOptions_SetClosedCB(options, on_closed, remote);
        return s ? s : natsOptions_SetErrorHandler(options, on_error, remote);
}

static int error_of(natsStatus status)
{
        switch (status) {
        case NATS_OK:
        case NATS_NOT_YET_CONNECTED:
                return 0;
        case NATS_NO_MEMORY:
                return -ENOMEM;
        case NATS_INVALID_ARG:
        case NATS_ADDRESS_MISSING:
                return -EINVAL;
        case NATS_CONNECTION_AUTH_FAILED:
        case NATS_NOT_PERMITTED:
                return -EACCES;
        default:
                return -EIO;
        }
}

struct opening {
        weft_remote *remote;
        const weft_remote_options *options;
};

/* For weft_blocking(): it waits for a server. */
static int connect_to(void *arg)
{
        struct opening *opening = arg;
        weft_remote *remote = opening->remote;
        const weft_remote_options *o = opening->options;
        natsOptions *options = NULL;
        char *urls = strdup(o->url);
        int r = urls ? error_of(natsOptions_Create(&options)) : -ENOMEM;
        if (r == 0)
                r = error_of(set_servers(options, urls));
        if (r == 0 && o->configure)
                r = o->configure(options, o->configure_arg);
        if (r >= 0)
                r = error_of(set_options(options, remote));
        if (r == 0) {
                remote->guests = 1; /* on_closed */
                natsStatus status = natsConnection_Connect(&remote->connection, options);
                r = error_of(status);
                if (r < 0)
                        remote->guests = 0;
                if (status == NATS_NOT_YET_CONNECTED)
                        r = is_refused(remote->connection) ? -EACCES : 0;
        }
        natsOptions_Destroy(options);
        free(urls);
        return r;
}

static int make_ready(weft_remote *remote)
{
        char subject[SUBJECT_SIZE];
        jsOptions options;
        jsOptions_Init(&options);
        options.Wait = REQUEST_MS;
        natsStatus s = natsConnection_JetStream(&remote->js, remote->connection, &options);
        if (s != NATS_OK)
                return error_of(s);
        weft__remote_subject(remote, subject, "reply", remote->client, NULL);
        return weft__remote_subscribe(remote, &remote->replies, subject, weft__remote_on_reply);
}

static weft_remote *create(void)
{
        weft_remote *remote = calloc(1, sizeof(*remote));
        if (!remote)
                return NULL;
        pthread_mutex_init(&remote->lock, NULL);
        weft_semaphore_init(&remote->calls, 16);
        weft_event_init(&remote->up);
        weft_event_init(&remote->alone);
        weft_event_init(&remote->drained);
        weft_event_init(&remote->stop);
        weft_event_init(&remote->still);
        weft_mutex_init(&remote->ending);
        weft__remote_random_id(remote->client);
        remote->owner = getpid();
        remote->clock = INT64_MIN;
        return remote;
}

/* What is left when there are no guests. */
static void destroy(weft_remote *remote)
{
        natsSubscription_Destroy(remote->replies);
        natsSubscription_Destroy(remote->cancels);
        jsCtx_Destroy(remote->js);
        natsConnection_Destroy(remote->connection);
        for (unsigned i = 0; i < remote->functions_count; i++)
                free(remote->functions[i]);
        pthread_mutex_destroy(&remote->lock);
        free(remote);
}

int weft_remote_open(weft_remote **ret, const weft_remote_options *given)
{
        weft_remote_options options;
        weft_remote *remote = ret ? create() : NULL;
        if (!remote)
                return ret ? -ENOMEM : -EINVAL;
        int r = read_options(remote, given, &options);
        if (r == 0) {
                strcpy(remote->prefix, options.prefix);
                snprintf(remote->queue, sizeof(remote->queue), "%s-calls", options.prefix);
                snprintf(remote->records, sizeof(remote->records), "%s-done", options.prefix);
                r = weft_blocking(connect_to, &(struct opening){remote, &options});
        }
        if (r == 0 && natsConnection_Status(remote->connection) == NATS_CONN_STATUS_CONNECTED)
                weft_event_set(&remote->up);
        if (r == 0)
                r = make_ready(remote);
        if (r < 0) {
                if (remote->connection)
                        weft_remote_close(remote);
                else
                        destroy(remote);
                return r;
        }
        *ret = remote;
        return 0;
}

/* ---- close ---- */

static int close_connection(void *connection)
{
        natsConnection_Close(connection);
        return 0;
}

weft_remote *weft_remote_close(weft_remote *remote)
{
        if (!remote || remote->owner != getpid())
                return NULL;
        WEFT_SHIELD {
                int r = weft_remote_stop(remote, WEFT_CANCEL, WEFT_FOREVER);
                for (; r < 0; r = weft_remote_stop(remote, WEFT_CANCEL, WEFT_FOREVER)) {
                        if (r == -EDEADLK)
                                return remote;
                        weft_yield();
                }
                weft__remote_lock(remote);
                remote->closing = true;
                weft__remote_unlock(remote);
                weft_event_set(&remote->up);
                weft__remote_news(remote);
                while (weft_blocking(close_connection, remote->connection) < 0)
                        weft_yield();
                while (weft_event_wait(&remote->alone, WEFT_FOREVER) < 0)
                        weft_yield();
                weft__remote_lock(remote); /* the last guest has left it */
                weft__remote_unlock(remote);
        }
        destroy(remote);
        return NULL;
}

int weft_remote_stats(weft_remote *remote, struct weft_remote_stats *stats)
{
        if (!remote || !stats || stats->size < offsetof(struct weft_remote_stats, answered))
                return -EINVAL;
        if (remote->owner != getpid())
                return -EOWNERDEAD;
        size_t size = stats->size;
        weft__remote_lock(remote);
        struct weft_remote_stats now = remote->stats;
        now.lost = remote->closed;
        weft__remote_unlock(remote);
        memset(stats, 0, size);
        memcpy(stats, &now, size < sizeof(now) ? size : sizeof(now));
        stats->size = size;
        return 0;
}
