/* SPDX-License-Identifier: MIT
 *
 * Serves two functions to processes of any machine, through NATS JetStream, until SIGTERM or
 * SIGINT; calls that were begun by then are ended. adapt_nats_client calls them. Start as many as
 * there is work for, each with its own pool:
 *
 *   nats-server -js &
 *   adapt_nats_worker nats://localhost:4222
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <weft/adapt/nats.h>
#include <weft/weft.h>

/* Who is greeted is not an argument: it came in the context. */
static int greet(weft_remote_call *call, void *arg)
{
        char text[128];
        const char *user = weft_baggage_get("user");
        (void)arg;
        if (weft_remote_delivery(call) > 1)
                fprintf(stderr, "%s comes again\n", weft_remote_id(call));
        int n = snprintf(text, sizeof(text), "%s, %s", (const char *)weft_remote_args(call, NULL),
                         user ? user : "nobody");
        int r = weft_remote_reply(call, text, strnlen(text, sizeof(text)));
        return r < 0 ? r : n;
}

/* Takes a minute, or until it is told to end. */
static int ponder(weft_remote_call *call, void *arg)
{
        (void)call;
        (void)arg;
        return weft_sleep_until(weft_now() + 60 * INT64_C(1000000000));
}

int main(int argc, char **argv)
{
        weft_remote *remote;
        weft_remote_options options = {.url = argc > 1 ? argv[1] : NULL};
        sigset_t ends;
        int signal;
        sigemptyset(&ends);
        sigaddset(&ends, SIGINT);
        sigaddset(&ends, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &ends, NULL);

        int r = weft_remote_open(&remote, &options);
        if (r < 0) {
                fprintf(stderr, "%s\n", weft_strerror(r));
                return 1;
        }
        weft_remote_register(remote, "greet", greet, NULL);
        weft_remote_register(remote, "ponder", ponder, NULL);
        r = weft_remote_serve(remote, NULL, 16);
        if (r == 0)
                sigwait(&ends, &signal);
        weft_remote_stop(remote, WEFT_DRAIN, WEFT_FOREVER);
        weft_remote_close(remote);
        return r < 0;
}
