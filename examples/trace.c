/* SPDX-License-Identifier: MIT
 *
 * One trace through two services and a program: a shop is asked for an order, asks a stock for each
 * of its lines, in tasks, over a socket, and starts a program that prints the invoice. Nobody hands
 * the trace or the tenant down; they are in the context, and at each border in the headers or in
 * the environment. Exit 0 if everybody has seen the trace that the customer began.
 */
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

enum { LINES = 3, MESSAGE = 1024 };

static const char customer[] = "0af7651916cd43dd8448eb211c80319c";

/* ---- messages: header lines, as HTTP has them, and an empty one ---- */

static int put(void *message, const char *name, const char *value)
{
        char *text = message;
        size_t used = strlen(text);
        int n = snprintf(text + used, MESSAGE - used, "%s: %s\n", name, value);
        return n > 0 && (size_t)n < MESSAGE - used ? 0 : -EMSGSIZE;
}

static const char *find(void *message, const char *name, size_t index, size_t *ret_length)
{
        size_t n = strlen(name);
        for (const char *line = message; *line;) {
                const char *end = strchrnul(line, '\n');
                if (strncasecmp(line, name, n) == 0 && line[n] == ':' && index-- == 0) {
                        *ret_length = (size_t)(end - line) - n - 1;
                        return line + n + 1;
                }
                line = *end ? end + 1 : end;
        }
        return NULL;
}

/* ---- whoever works: says in which trace, for whom ---- */

static int says(const char *who)
{
        char text[WEFT_TRACEPARENT_LENGTH + 1] = "no trace";
        const char *tenant = weft_baggage_get("tenant");
        weft_traceparent_format(weft_trace_parent(weft_get(weft_trace_var())), text);
        printf("%-8s %s %s\n", who, text, tenant ? tenant : "nobody");
        fflush(stdout);
        return tenant && memcmp(text + 3, customer, 32) == 0 ? 0 : -EPROTO;
}

/* Run fn(arg) in a span of its own within the current trace. */
static int in_span(weft_fn *fn, void *arg)
{
        weft_trace *span;
        int r = weft_trace_child(&span, weft_get(weft_trace_var()));
        if (r < 0)
                return r;
        r = -ENOMEM;
        WEFT_WITH (weft_trace_var(), span)
                r = fn(arg);
        weft_trace_unref(span);
        return r;
}

/* Run fn(message) in the context that a message brings. */
static int serve(char *message, weft_fn *fn)
{
        weft_context *came;
        int r = weft_context_extract(NULL, find, message, &came);
        if (r < 0)
                return r;
        r = weft_context_run(came, fn, message, NULL);
        weft_context_unref(came);
        return r;
}

/* ---- the stock: another service, at the other end of a socket ---- */

static int counts(void *message)
{
        (void)message;
        return says("stock");
}

static int stock(void *socket)
{
        char message[MESSAGE] = "";
        int fd = *(const int *)socket;
        weft_wait_fd(fd, POLLIN, WEFT_FOREVER);
        ssize_t n = recv(fd, message, sizeof(message) - 1, 0);
        return n > 0 ? serve(message, counts) : -EIO;
}

/* ---- the shop ---- */

static int asks_stock(void *socket)
{
        char message[MESSAGE] = "";
        weft_context *here = weft_context_capture();
        int r = weft_context_inject(here, put, message);
        weft_context_unref(here);
        if (r >= 0 && send(*(const int *)socket, message, strlen(message), 0) < 0)
                r = -errno;
        return r;
}

static int line(void *socket)
{
        return in_span(asks_stock, socket);
}

static int prints_invoice(void *unused)
{
        char *argv[] = {"trace", "invoice", NULL};
        char **environment;
        pid_t program;
        int status = -1;
        weft_context *here = weft_context_capture();
        int r = weft_context_environ(here, NULL, &environment);
        (void)unused;
        weft_context_unref(here);
        if (r < 0)
                return r;
        r = -posix_spawn(&program, "/proc/self/exe", NULL, NULL, argv, environment);
        weft_environ_free(environment);
        if (r == 0)
                waitpid(program, &status, 0);
        return r < 0 ? r : status;
}

static int order(void *unused)
{
        (void)unused;
        int pair[LINES][2];
        weft_group group;
        int r = weft_group_init(&group, NULL);
        if (r < 0 || (r = says("shop")) < 0)
                return r;
        for (int i = 0; i < LINES; i++) {
                if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair[i]) < 0)
                        abort();
                /* The stock is elsewhere: all it knows is what the message says. */
                weft_context *mine = weft_context_swap(NULL);
                weft_group_spawn(&group, stock, &pair[i][1]);
                weft_context_unref(weft_context_swap(mine));
                weft_group_spawn(&group, line, &pair[i][0]);
        }
        r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        for (int i = 0; i < LINES; i++) {
                close(pair[i][0]);
                close(pair[i][1]);
        }
        return r < 0 ? r : in_span(prints_invoice, NULL);
}

static int request(void *message)
{
        (void)message;
        return in_span(order, NULL);
}

/* ---- the program that prints the invoice ---- */

static int invoice(void *unused)
{
        (void)unused;
        return says("invoice");
}

int main(int argc, char **argv)
{
        char message[MESSAGE];
        if (argc > 1 && strcmp(argv[1], "invoice") == 0) {
                weft_context *came;
                if (weft_context_from_environ(NULL, NULL, &came) < 0)
                        return 1;
                int r = weft_context_run(came, invoice, NULL, NULL);
                weft_context_unref(came);
                return r != 0;
        }
        snprintf(message, sizeof(message),
                 "Host: shop\nTraceparent: 00-%s-b7ad6b7169203331-01\nBaggage: tenant=%%C3%%85se\n",
                 customer);
        return serve(message, request) != 0;
}
