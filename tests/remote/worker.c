/* SPDX-License-Identifier: MIT
 *
 * A worker for tests/remote/check.c: worker URL PREFIX DIR [careless]. Writes down each thing that
 * it does in DIR/runs. SIGTERM: stops by draining, SIGINT: by cancelling. A careless one does not
 * ask whether it has applied a call before.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/adapt/nats.h>

#include "order.h"

static const char *directory;
static int runs = -1;
static bool careless;

static int number_of(weft_remote_call *call)
{
        return atoi(weft_remote_args(call, NULL));
}

/* One write a line, so that those of several workers do not mix. */
static void note(weft_remote_call *call, const char *function, const char *event)
{
        char line[256], trace[WEFT_TRACEPARENT_LENGTH + 1] = "00-none-";
        weft_traceparent_format(weft_trace_parent(weft_get(weft_trace_var())), trace);
        int n =
            snprintf(line, sizeof(line), RUN_WRITE, function, weft_remote_id(call), (int)getpid(),
                     weft_remote_delivery(call), event, (int)(intptr_t)weft_get(&order_var), trace);
        if (write(runs, line, (size_t)n) != n)
                abort();
}

/* The effect is a file whose name is the id: made once, whoever tries. The call takes a while
 * longer, every tenth a second, in which this process may be killed. */
static int charge(weft_remote_call *call, void *arg)
{
        char path[512], suffix[32] = "";
        (void)arg;
        if (careless)
                snprintf(suffix, sizeof(suffix), ".%d.%u", (int)getpid(),
                         weft_remote_delivery(call));
        snprintf(path, sizeof(path), "%s/applied/%s%s", directory, weft_remote_id(call), suffix);
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        note(call, "charge", fd >= 0 ? "applied" : "again");
        if (fd >= 0) {
                dprintf(fd, "%d\n", (int)(intptr_t)weft_get(&order_var));
                close(fd);
        }
        int number = number_of(call);
        weft_sleep_until(weft_now() + (number % 10 == 0 ? 1000 : 80) * INT64_C(1000000));
        return 2 * number;
}

static int echo(weft_remote_call *call, void *arg)
{
        size_t size;
        const void *args = weft_remote_args(call, &size);
        (void)arg;
        note(call, "echo", weft_get(&secret_var) || weft_get(&private_var) ? "leak" : "run");
        int r = weft_remote_reply(call, args, size);
        return r < 0 ? r : (int)size;
}

static int fail(weft_remote_call *call, void *arg)
{
        (void)arg;
        note(call, "fail", "run");
        return -number_of(call);
}

static int deep(void *arg)
{
        return weft_sleep_until(weft_now() + *(int *)arg * INT64_C(1000000));
}

/* In a task of its own, so that cancelling has to go down to it. */
static int rest(weft_remote_call *call, void *arg)
{
        int ms = number_of(call);
        weft_group group;
        (void)arg;
        note(call, "rest", "begin");
        weft_group_init(&group, NULL);
        weft_group_spawn(&group, deep, &ms);
        int r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        note(call, "rest",
             r == 0            ? "rested"
             : r == -ECANCELED ? "cancelled"
             : r == -ETIMEDOUT ? "late"
                               : "other");
        return r;
}

/* Computes, on every worker of the pool. */
static int compute_here(void *until)
{
        while (weft_now() < *(int64_t *)until)
                ;
        return 0;
}

static int compute(weft_remote_call *call, void *arg)
{
        int64_t until = weft_now() + number_of(call) * INT64_C(1000000);
        weft_group group;
        (void)arg;
        note(call, "compute", "run");
        weft_group_init(&group, NULL);
        for (unsigned i = 0; i < weft_pool_workers(NULL); i++)
                weft_group_spawn(&group, compute_here, &until);
        int r = weft_group_wait(&group, WEFT_FOREVER);
        weft_group_fini(&group);
        return r;
}

static int die(weft_remote_call *call, void *arg)
{
        (void)arg;
        note(call, "die", "run");
        raise(SIGKILL);
        return 0;
}

/* How many ms are left. */
static int left(weft_remote_call *call, void *arg)
{
        (void)arg;
        note(call, "left", "run");
        int64_t deadline = weft_deadline();
        return deadline == WEFT_FOREVER ? 0 : (int)((deadline - weft_now()) / 1000000);
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                weft_remote_fn *fn;
        } functions[] = {{"charge", charge}, {"echo", echo},       {"fail", fail}, {"rest", rest},
                         {"die", die},       {"compute", compute}, {"left", left}};
        char path[512];
        sigset_t ends;
        weft_pool *pool;
        weft_remote *remote;
        if (argc < 4)
                return 2;
        directory = argv[3];
        careless = argc > 4 && strcmp(argv[4], "careless") == 0;
        snprintf(path, sizeof(path), "%s/runs", directory);
        runs = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigaddset(&ends, SIGINT);
        pthread_sigmask(SIG_BLOCK, &ends, NULL);

        weft_remote_options options = {.url = argv[1],
                                       .prefix = argv[2],
                                       .ack_wait = ACK_WAIT_MS * INT64_C(1000000),
                                       .max_deliver = MAX_DELIVER};
        weft_pool_options two = {.workers = 2};
        if (runs < 0 || weft_codec_register(&order_codec) < 0 ||
            weft_codec_register(&private_codec) < 0 || weft_pool_create(&pool, &two) < 0 ||
            weft_remote_open(&remote, &options) < 0)
                return 1;
        for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
                if (weft_remote_register(remote, functions[i].name, functions[i].fn, NULL) < 0)
                        return 1;
        if (weft_remote_serve(remote, pool, 8) < 0)
                return 1;
        int signal = 0;
        sigwait(&ends, &signal);
        int r = weft_remote_stop(remote, signal == SIGTERM ? WEFT_DRAIN : WEFT_CANCEL,
                                 weft_now() + 20000 * INT64_C(1000000));
        weft_remote_close(remote);
        weft_pool_destroy(pool);
        close(runs);
        return r < 0;
}
