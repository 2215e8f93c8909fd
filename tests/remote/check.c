/* SPDX-License-Identifier: MIT
 *
 * Calls of functions in other processes (weft/adapt/nats.h), against a real server and three worker
 * processes on loopback: check DIRECTORY [careless]. Tells of each test as it goes; last line "N
 * passed, N failed, N skipped". Careless: only the test in which processes are killed, with workers
 * that apply a call again when it is delivered again: that test must fail then.
 *
 * This process is the client. What workers do they write down in DIRECTORY/runs; the tests read
 * that. No test depends on how fast anything is, but for a patience of 30 s.
 */
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <nats/nats.h>
#include <weft/adapt/nats.h>

#include "order.h"
#include "processes.h"

#define MS INT64_C(1000000)

enum { PATIENCE_MS = 30000, JOBS = 600 };

static weft_pool *pool;
static weft_remote *remote;
static int faults; /* of the test that runs */

static void expect(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void expect(bool good, const char *format, ...)
{
        va_list args;
        if (good || faults++ >= 5)
                return;
        va_start(args, format);
        printf("        not so: ");
        vprintf(format, args);
        printf("\n");
        va_end(args);
}

/* ---- calls ---- */

static void submit(weft_task **ret, const char *name, const char *id, const char *args,
                   weft_remote_data *reply)
{
        size_t size = strlen(args);
        int r = id ? weft_remote_submit_once(remote, ret, name, id, args, size, reply)
                   : weft_remote_submit(remote, ret, name, args, size, reply);
        if (r < 0) {
                printf("        %s: submit: %s\n", name, weft_strerror(r));
                faults++;
                *ret = NULL;
        }
}

static int await(weft_task *task)
{
        int r = weft_await(task, weft_now() + PATIENCE_MS * MS);
        weft_task_unref(task);
        return r;
}

static int call(const char *name, const char *id, const char *args)
{
        weft_task *task;
        submit(&task, name, id, args, NULL);
        return await(task);
}

/* ---- what the workers have written ---- */

/* Visit each line; how many. */
static int runs(void (*visit)(const struct run *, void *), void *arg)
{
        char path[320], line[512];
        struct run run;
        int n = 0;
        snprintf(path, sizeof(path), "%s/runs", run_directory);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, RUN_READ, run.function, run.id, &run.pid, &run.delivery, run.event,
                           &run.order, run.trace) == 7) {
                        n++;
                        visit(&run, arg);
                }
        if (file)
                fclose(file);
        return n;
}

struct count {
        const char *id, *event;
        int n;
};

static void count_run(const struct run *run, void *arg)
{
        struct count *count = arg;
        count->n += (!count->id || strcmp(run->id, count->id) == 0) &&
                    (!count->event || strcmp(run->event, count->event) == 0);
}

/* Lines of a call, and with an event, unless these are NULL. */
static int runs_of(const char *id, const char *event)
{
        struct count count = {id, event, 0};
        runs(count_run, &count);
        return count.n;
}

static bool come_to(const char *id, const char *event, int n)
{
        int64_t until = weft_now() + PATIENCE_MS * MS;
        while (runs_of(id, event) < n && weft_now() < until)
                weft_sleep_until(weft_now() + 5 * MS);
        return runs_of(id, event) >= n;
}

/* ---- tests ---- */

/* The first submit is made before there is a server. */
static const char *worker_word; /* NULL, or "careless" */

static void server_away(void)
{
        weft_task *task;
        weft_remote_data reply = {NULL, 7};
        weft_remote_options options = {.url = server_url, .prefix = "test"};
        int r = weft_remote_open(&remote, &options);
        expect(r == 0, "open: %d", r);
        if (r < 0)
                return;
        submit(&task, "echo", NULL, "hello", &reply);
        expect(reply.size == 0, "the reply is not emptied");
        weft_sleep_until(weft_now() + 100 * MS);
        server_start();
        for (int n = 0; n < WORKERS; n++)
                worker_start(n, worker_word);
        r = await(task);
        expect(r == 5, "echo gives %d", r);
        expect(reply.data && strcmp(reply.data, "hello") == 0, "the reply is %s",
               reply.data ? (char *)reply.data : "none");
        weft_remote_data_free(&reply);
}

static int await_in_task(void *unused)
{
        weft_task *tasks[8];
        int sum = 0;
        (void)unused;
        for (int i = 0; i < 8; i++)
                submit(&tasks[i], "echo", NULL, &"12345678"[i], NULL);
        for (int i = 0; i < 8; i++)
                sum += await(tasks[i]);
        return sum;
}

static void parked_meanwhile(void)
{
        struct weft_pool_stats before = {.size = sizeof(before)}, after = {.size = sizeof(after)};
        weft_task *task;
        weft_pool_stats(pool, &before);
        weft_spawn(pool, &task, await_in_task, NULL);
        int r = await(task);
        weft_pool_stats(pool, &after);
        expect(r == 36, "8 calls of a task: %d", r);
        expect(after.parked > before.parked, "no task was parked");
        expect(call("fail", NULL, "42") == -42, "the function's error does not come back");
}

static weft_traceparent trace_of(int order)
{
        weft_traceparent parent = {.trace_id = {1}, .flags = WEFT_TRACE_SAMPLED};
        memcpy(parent.trace_id + 8, &order, sizeof(order));
        memset(parent.span_id, 7, sizeof(parent.span_id));
        return parent;
}

/* A call in the context of that order. */
static void submit_order(weft_task **ret, const char *name, const char *id, int order)
{
        char args[16];
        weft_trace *trace = NULL;
        weft_traceparent parent = trace_of(order);
        snprintf(args, sizeof(args), "%d", order);
        weft_trace_create(&trace, &parent, NULL);
        WEFT_WITH (&order_var, (void *)(intptr_t)order)
                WEFT_WITH (&secret_var, &faults)
                        WEFT_WITH (&private_var, &faults)
                                WEFT_WITH (weft_trace_var(), trace)
                                        submit(ret, name, id, args, NULL);
        weft_trace_unref(trace);
}

struct contexts {
        int first, count;
        bool seen[JOBS + 1];
};

/* An id ends with the order. */
static void check_context(const struct run *run, void *arg)
{
        struct contexts *contexts = arg;
        char text[WEFT_TRACEPARENT_LENGTH + 1];
        const char *digits = strrchr(run->id, '-');
        int order = digits ? atoi(digits + 1) : 0;
        if (order < contexts->first || order >= contexts->first + contexts->count)
                return;
        weft_traceparent parent = trace_of(order);
        weft_traceparent_format(&parent, text);

        expect(run->order == order, "%s ran for order %d", run->id, run->order);
        expect(strcmp(run->trace, text) == 0, "%s ran in trace %s, not %s", run->id, run->trace,
               text);
        expect(strcmp(run->event, "leak") != 0, "%s saw what must not cross", run->id);
        contexts->seen[order - contexts->first] = true;
}

static void check_contexts(int first, int count)
{
        struct contexts contexts = {.first = first, .count = count};
        runs(check_context, &contexts);
        for (int i = 0; i < count; i++)
                expect(contexts.seen[i], "order %d never ran", first + i);
}

/* Z2 */
static void own_context(void)
{
        weft_task *tasks[20];
        char id[32];
        for (int i = 0; i < 20; i++) {
                snprintf(id, sizeof(id), "echo-%d", 1001 + i);
                submit_order(&tasks[i], "echo", id, 1001 + i);
        }
        for (int i = 0; i < 20; i++)
                expect(await(tasks[i]) == 4, "order %d", 1001 + i);
        check_contexts(1001, 20);
}

/* Files of DIR/applied that begin with an id. */
static int applied(const char *id)
{
        char path[320];
        size_t length = strlen(id);
        int n = 0;
        snprintf(path, sizeof(path), "%s/applied", run_directory);
        DIR *directory = opendir(path);
        for (struct dirent *entry; directory && (entry = readdir(directory));)
                n += strncmp(entry->d_name, id, length) == 0 &&
                     (entry->d_name[length] == '\0' || entry->d_name[length] == '.');
        if (directory)
                closedir(directory);
        return n;
}

static void count_redelivered(const struct run *run, void *n)
{
        *(int *)n += strcmp(run->function, "charge") == 0 && run->delivery > 1;
}

/* The last call of a process that takes a second. */
struct last {
        int pid, order;
};

static void find_last(const struct run *run, void *arg)
{
        struct last *last = arg;
        if (run->pid == last->pid && strcmp(run->function, "charge") == 0 && run->order % 10 == 0)
                last->order = run->order;
}

/* Kill a worker when it has applied a call, and not ended it: which. */
static int kill_in_the_middle(int n, weft_task **tasks)
{
        int64_t until = weft_now() + PATIENCE_MS * MS;
        struct last last = {worker_pid(n), 0};
        for (int before = 0; weft_now() < until; before = last.order) {
                int result;
                runs(find_last, &last);
                if (last.order != before && before != 0 &&
                    weft_task_result(tasks[last.order - 1], &result) < 0)
                        break;
                weft_sleep_until(weft_now() + 5 * MS);
        }
        worker_kill(n, SIGKILL);
        return last.order;
}

static bool all_ended(weft_task **tasks, int n)
{
        int unused, ended = 0;
        for (int i = 0; i < n; i++)
                ended += weft_task_result(tasks[i], &unused) == 0;
        return ended == n;
}

/* Z3, Z4, Z5, Z9: a worker is killed in the middle of its jobs, and when what it had has come to
 * others the server is killed, too, and started again. */
static void killed_in_the_middle(void)
{
        static weft_task *tasks[JOBS];
        char id[32];
        for (int i = 0; i < JOBS; i++) {
                snprintf(id, sizeof(id), "charge-%d", i + 1);
                submit_order(&tasks[i], "charge", id, i + 1);
        }
        expect(come_to(NULL, "applied", JOBS / 4), "a quarter is not reached");
        int killed = kill_in_the_middle(1, tasks);
        expect(!all_ended(tasks, JOBS), "all had ended before");
        printf("        %d of %d applied, a worker killed in the middle of number %d\n",
               runs_of(NULL, "applied"), JOBS, killed);
        snprintf(id, sizeof(id), "charge-%d", killed);
        expect(come_to(id, NULL, 2), "%s is not delivered again", id);
        expect(worker_word || runs_of(id, "again") >= 1, "%s was not applied before", id);
        expect(!all_ended(tasks, JOBS), "all had ended before the server did");
        printf("        %d of %d applied, the server killed and started again\n",
               runs_of(NULL, "applied"), JOBS);
        server_kill(SIGKILL);
        weft_sleep_until(weft_now() + 300 * MS);
        server_start();
        for (int i = 0; i < JOBS; i++) {
                int r = await(tasks[i]);
                expect(r == 2 * (i + 1), "job %d ended with %d", i + 1, r);
        }
        int again = 0;
        runs(count_redelivered, &again);
        printf("        redelivered: %d, found applied already: %d\n", again,
               runs_of(NULL, "again"));
        expect(again > 0, "nothing was delivered again");
        for (int i = 0; i < JOBS; i++) {
                snprintf(id, sizeof(id), "charge-%d", i + 1);
                int n = applied(id);
                expect(n == 1, "%s was applied %d times", id, n);
        }
        check_contexts(1, JOBS);
        worker_start(1, NULL);
}

/* The connection of somebody who does not use weft. */
static natsConnection *stranger(void)
{
        natsConnection *connection = NULL;
        expect(natsConnection_ConnectTo(&connection, server_url) == NATS_OK, "no connection");
        return connection;
}

struct header {
        const char *name, *value;
};

/* A call as that one would write it, which the server stores. */
static void publish(natsConnection *connection, const char *name, const void *data, size_t size,
                    const struct header *headers)
{
        char subject[64];
        natsMsg *message = NULL, *answer = NULL;
        snprintf(subject, sizeof(subject), "test.call.%s", name);
        natsMsg_Create(&message, subject, NULL, data, (int)size);
        for (; headers->name; headers++)
                natsMsgHeader_Add(message, headers->name, headers->value);
        expect(natsConnection_RequestMsg(&answer, connection, message, 5000) == NATS_OK,
               "the server does not store it");
        natsMsg_Destroy(answer);
        natsMsg_Destroy(message);
}

/* Z4: submitted twice at once, again later, and stored twice. */
static void same_id(void)
{
        weft_task *first, *second;
        submit(&first, "rest", "same", "300", NULL);
        submit(&second, "rest", "same", "300", NULL);
        expect(await(first) == 0 && await(second) == 0, "two at once");
        expect(call("rest", "same", "300") == 0, "again");
        expect(runs_of("same", "begin") == 1, "it ran %d times", runs_of("same", "begin"));

        natsConnection *connection = stranger();
        publish(connection, "rest", "5", 1,
                (struct header[]){{"Weft-Id", "same"}, {"Weft-Client", "x"}, {NULL, NULL}});
        publish(connection, "rest", "5", 1,
                (struct header[]){{"Weft-Id", "other"}, {"Weft-Client", "x"}, {NULL, NULL}});
        natsConnection_Destroy(connection);
        expect(come_to("other", "rested", 1), "what a stranger has stored does not run");
        expect(runs_of("same", "begin") == 1, "it ran %d times", runs_of("same", "begin"));
}

/* Z3: longer than the server waits, and with every worker of the pool computing. */
static void long_calls(void)
{
        char ms[16];
        weft_task *rests, *computes;
        snprintf(ms, sizeof(ms), "%d", 2 * ACK_WAIT_MS + ACK_WAIT_MS / 2);
        submit(&rests, "rest", "long", ms, NULL);
        snprintf(ms, sizeof(ms), "%d", ACK_WAIT_MS + ACK_WAIT_MS / 3);
        submit(&computes, "compute", "busy", ms, NULL);
        expect(await(rests) == 0, "the long one");
        expect(await(computes) == 0, "the busy one");
        expect(runs_of("long", "begin") == 1, "the long one ran %d times",
               runs_of("long", "begin"));
        expect(runs_of("busy", "run") == 1, "the busy one ran %d times", runs_of("busy", "run"));
}

/* Z7: one that runs, deep in a group of its own; and one that is queued behind others. */
static void cancelling(void)
{
        weft_task *runs_now, *full[WORKERS * 8], *queued;
        char id[32];
        submit(&runs_now, "rest", "cancel-me", "20000", NULL);
        expect(come_to("cancel-me", "begin", 1), "it does not begin");
        expect(weft_task_cancel(runs_now) == 0, "cancel");
        expect(await(runs_now) == -ECANCELED, "its result");
        expect(come_to("cancel-me", "cancelled", 1), "the worker's task is not cancelled");

        for (int i = 0; i < WORKERS * 8; i++) {
                snprintf(id, sizeof(id), "full-%d", i);
                submit(&full[i], "rest", id, "20000", NULL);
        }
        for (int i = 0; i < WORKERS * 8; i++) {
                snprintf(id, sizeof(id), "full-%d", i);
                expect(come_to(id, "begin", 1), "%s does not begin", id);
        }
        submit(&queued, "rest", "queued", "1", NULL);
        weft_sleep_until(weft_now() + 100 * MS);
        weft_task_cancel(queued);
        expect(await(queued) == -ECANCELED, "the queued one's result");
        for (int i = 0; i < WORKERS * 8; i++)
                weft_task_cancel(full[i]);
        for (int i = 0; i < WORKERS * 8; i++)
                expect(await(full[i]) == -ECANCELED, "one of those before it");
        expect(call("rest", NULL, "1") == 0, "one behind it");
        expect(runs_of("queued", NULL) == 0, "what was cancelled in the queue has run");
}

/* Z8 */
static void deadlines(void)
{
        weft_task *task = NULL;
        WEFT_DEADLINE (weft_now() + 5000 * MS) {
                int ms = call("left", NULL, "");
                expect(ms > 3000 && ms <= 5000, "of 5000 ms %d are left", ms);
        }
        expect(call("left", NULL, "") == 0, "there is a deadline where there is none");
        WEFT_DEADLINE (weft_now() + 600 * MS)
                submit(&task, "rest", "deadline", "20000", NULL);
        int r = await(task);
        expect(r == -ETIMEDOUT, "its result is %d", r);
        /* By its own deadline, or told of the client's, whichever came first. */
        expect(come_to("deadline", NULL, 2), "the worker's task goes on");
        expect(runs_of("deadline", "rested") == 0, "it was let go on");
        /* A worker alone, whose client is gone, and that is not told. */
        natsConnection *connection = stranger();
        publish(connection, "rest", "20000", 5,
                (struct header[]){{"Weft-Id", "alone"},
                                  {"Weft-Client", "x"},
                                  {"Weft-Left", "400000000"},
                                  {NULL, NULL}});
        natsConnection_Destroy(connection);
        expect(come_to("alone", "late", 1), "the worker does not hold the deadline by itself");
}

/* The time in the queue counts: nobody serves for a while. */
static void deadline_in_the_queue(void)
{
        natsConnection *connection = stranger();
        expect(workers_stop(), "a worker does not end well");
        publish(connection, "left", "", 0,
                (struct header[]){{"Weft-Id", "waited"},
                                  {"Weft-Client", "x"},
                                  {"Weft-Left", "500000000"},
                                  {NULL, NULL}});
        publish(connection, "left", "", 0,
                (struct header[]){{"Weft-Id", "in-time"},
                                  {"Weft-Client", "x"},
                                  {"Weft-Left", "60000000000"},
                                  {NULL, NULL}});
        natsConnection_Destroy(connection);
        weft_sleep_until(weft_now() + 700 * MS);
        for (int n = 0; n < WORKERS; n++)
                worker_start(n, NULL);
        int ms = call("left", "in-time", "");
        expect(ms > 30000 && ms <= 59300, "of 60000 ms, 700 of them in the queue, %d are left", ms);
        expect(call("left", "waited", "") == -ETIMEDOUT, "its record");
        expect(runs_of("waited", NULL) == 0, "it ran after its deadline");
}

/* Z6 */
static void poison(void)
{
        weft_task *task;
        submit(&task, "die", "poison", "", NULL);
        int64_t until = weft_now() + PATIENCE_MS * MS;
        for (int result; weft_task_result(task, &result) < 0 && weft_now() < until;) {
                for (int n = 0; n < WORKERS; n++)
                        if (worker_gone(n))
                                worker_start(n, NULL);
                weft_sleep_until(weft_now() + 20 * MS);
        }
        expect(await(task) == -ENOTRECOVERABLE, "its result");
        expect(runs_of("poison", "run") == MAX_DELIVER, "it killed %d workers",
               runs_of("poison", "run"));
        for (int n = 0; n < WORKERS; n++)
                if (worker_gone(n))
                        worker_start(n, NULL);
}

/* Z1: none of these runs, and none keeps others from it. */
static void malformed(void)
{
        static char large[WEFT_REMOTE_BYTES_MAX + 1];
        struct header many[WEFT_REMOTE_HEADERS_MAX + 2] = {{"Weft-Id", "m1"}, {"Weft-Client", "x"}};
        natsConnection *connection = stranger();
        for (int i = 2; i <= WEFT_REMOTE_HEADERS_MAX; i++)
                many[i] = (struct header){"X-Many", "y"};
        publish(connection, "echo", "", 0, (struct header[]){{NULL, NULL}});
        publish(connection, "echo", "", 0, (struct header[]){{"Weft-Id", "m2"}, {NULL, NULL}});
        publish(connection, "echo", "", 0,
                (struct header[]){{"Weft-Id", "m.3"}, {"Weft-Client", "x"}, {NULL, NULL}});
        publish(connection, "echo", "", 0,
                (struct header[]){{"Weft-Id", "m4"}, {"Weft-Client", "x.>"}, {NULL, NULL}});
        publish(connection, "echo", large, sizeof(large),
                (struct header[]){{"Weft-Id", "m5"}, {"Weft-Client", "x"}, {NULL, NULL}});
        publish(connection, "echo", "", 0, many);
        publish(connection, "nobody", "", 0,
                (struct header[]){{"Weft-Id", "m6"}, {"Weft-Client", "x"}, {NULL, NULL}});
        /* This one runs, without what cannot be read. */
        publish(connection, "echo", "", 0,
                (struct header[]){{"Weft-Id", "m-7"},
                                  {"Weft-Client", "x"},
                                  {"traceparent", "00-zz"},
                                  {"Order", "7"},
                                  {"secret", "1"},
                                  {"Weft-Left", "9999999999999999999999"},
                                  {NULL, NULL}});
        natsConnection_Destroy(connection);
        expect(call("echo", NULL, "still there") == 11, "an honest one behind them");
        expect(come_to("m-7", "run", 1), "the one that is only odd");
        for (int i = 1; i <= 6; i++) {
                char id[8], dotted[8];
                snprintf(id, sizeof(id), "m%d", i);
                snprintf(dotted, sizeof(dotted), "m.%d", i);
                expect(runs_of(id, NULL) + runs_of(dotted, NULL) == 0, "%s ran", id);
        }
        weft_task *task;
        expect(weft_remote_submit(remote, &task, "a.b", "", 0, NULL) == -EINVAL, "a name");
        expect(weft_remote_submit(remote, &task, "2b", "", 0, NULL) == -EINVAL, "a name");
        expect(weft_remote_submit_once(remote, &task, "a", "*", "", 0, NULL) == -EINVAL, "an id");
        expect(weft_remote_submit(remote, &task, "a", large, sizeof(large), NULL) == -EMSGSIZE,
               "too much");
}

/* Those that are none; and one that asks for TLS, of a server that has none. */
static void urls(void)
{
        static const char *const none[] = {"garbage://::",
                                           "http://localhost",
                                           "://localhost",
                                           "nats://localhost:port",
                                           "nats://localhost,ws://localhost",
                                           "",
                                           ", "};
        weft_remote *mine = remote, *other = NULL;
        for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
                int r = weft_remote_open(&other, &(weft_remote_options){.url = none[i]});
                expect(r == -EINVAL && !other, "\"%s\" gives %d", none[i], r);
        }
        char url[2 * sizeof(server_url)];
        snprintf(url, sizeof(url), "%s,tls%s", server_url, strchr(server_url, ':'));
        expect(weft_remote_open(&other, &(weft_remote_options){.url = url}) == 0, "open %s", url);
        remote = other;
        expect(call("echo", NULL, "in the open") == -ENOTCONN, "it was spoken to without TLS");
        remote = mine;
        weft_remote_close(other);
}

/* A stop drains: what runs is run to its end; by cancelling it goes to another worker. */
static void stopping(void)
{
        weft_task *drained, *moved;
        submit(&drained, "rest", "drained", "700", NULL);
        expect(come_to("drained", "begin", 1), "it does not begin");
        expect(workers_stop(), "a worker does not end well");
        expect(runs_of("drained", "rested") == 1, "the workers did not wait for it");
        expect(await(drained) == 0, "its result");

        worker_start(0, NULL);
        submit(&moved, "rest", "moved", "1500", NULL);
        expect(come_to("moved", "begin", 1), "it does not begin");
        worker_start(1, NULL);
        int64_t before = weft_now();
        expect(worker_kill(0, SIGINT) == 0, "the worker does not end well");
        expect(runs_of("moved", "cancelled") == 1, "its task is not cancelled");
        expect(come_to("moved", "begin", 2), "it goes to no other");
        expect(weft_now() - before < (ACK_WAIT_MS + 3000) * MS, "it was not given back");
        expect(await(moved) == 0, "its result");
        for (int n = 0; n < WORKERS; n += 2)
                worker_start(n, NULL);
}

static int rights_echo(weft_remote_call *call, void *arg)
{
        size_t size;
        const void *args = weft_remote_args(call, &size);
        (void)arg;
        return weft_remote_reply(call, args, size) < 0 ? -EIO : (int)size;
}

/* What a server that asks for rights lets through: docs/remote.md. */
static void rights(void)
{
        const char *at = other_server_start("tests/remote/rights.conf");
        char url[128];
        weft_remote *honest = NULL, *worker = NULL, *mine = remote;
        snprintf(url, sizeof(url), "nats://client:wrong@%s", at);
        weft_remote_options options = {.url = url, .prefix = "test"};
        int r = weft_remote_open(&honest, &options);
        expect(r == -EACCES, "a wrong password gives %d", r);

        snprintf(url, sizeof(url), "nats://worker:p@%s", at);
        expect(weft_remote_open(&worker, &options) == 0, "the worker's");
        snprintf(url, sizeof(url), "nats://client:p@%s", at);
        expect(weft_remote_open(&honest, &options) == 0, "the client's");
        expect(weft_remote_register(worker, "echo", rights_echo, NULL) == 0, "register");
        expect(weft_remote_register(worker, "echo", rights_echo, NULL) == -EALREADY, "twice");
        expect(weft_remote_serve(worker, pool, 4) == 0, "serve");
        remote = worker;
        expect(call("echo", NULL, "ab") == 2, "the worker's own"); /* all is made then */
        remote = honest;
        expect(call("echo", NULL, "abc") == 3, "what it may call");
        expect(call("other", NULL, "abc") == -EACCES, "what it may not");
        remote = mine;
        struct weft_remote_stats stats = {.size = sizeof(stats)};
        weft_remote_stats(worker, &stats);
        expect(stats.run == 2 && stats.received == 2, "the worker's figures");
        weft_remote_close(worker);
        weft_remote_close(honest);
        other_server_stop();
}

/* Those that are waited for end when it is closed. */
static void closing(void)
{
        weft_task *task;
        struct weft_remote_stats stats = {.size = sizeof(stats)};
        submit(&task, "rest", NULL, "20000", NULL);
        weft_sleep_until(weft_now() + 200 * MS);
        weft_remote_stats(remote, &stats);
        expect(stats.answered > JOBS && stats.submitted >= stats.answered, "the client's figures");
        expect(weft_remote_close(remote) == NULL, "close");
        expect(await(task) == -ESHUTDOWN, "what was waited for");
        remote = NULL;
}

/* ---- running ---- */

static const struct {
        const char *name;
        void (*run)(void);
        bool when_careless;
} tests[] = {
    {"a server that is away at first (Z9)", server_away, true},
    {"awaited by a task, which is parked", parked_meanwhile, false},
    {"each in its own context (Z2)", own_context, false},
    {"a worker and the server killed (Z3, Z4, Z5, Z9)", killed_in_the_middle, true},
    {"one id, one run (Z4)", same_id, false},
    {"long calls are not delivered again (Z3)", long_calls, false},
    {"cancelling (Z7)", cancelling, false},
    {"deadlines (Z8)", deadlines, false},
    {"the time in the queue (Z8)", deadline_in_the_queue, false},
    {"a call that kills its workers (Z6)", poison, false},
    {"what is malformed (Z1)", malformed, false},
    {"urls", urls, false},
    {"stopping", stopping, false},
    {"rights", rights, false},
    {"closing", closing, false},
};

int main(int argc, char **argv)
{
        int passed = 0, failed = 0;
        bool careless = argc > 2;
        if (argc < 2)
                return 2;
        worker_word = argc > 2 ? argv[2] : NULL;
        setvbuf(stdout, NULL, _IOLBF, 0);
        processes_init(argv[1], argv[0]);
        weft_pool_options two = {.workers = 2};
        if (weft_codec_register(&order_codec) < 0 || weft_codec_register(&private_codec) < 0 ||
            weft_pool_create(&pool, &two) < 0)
                return 2;
        for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
                if (careless && !tests[i].when_careless)
                        continue;
                int64_t begin = weft_now();
                faults = 0;
                tests[i].run();
                printf("%-6s %-50s %6.1f s\n", faults ? "FAIL" : "ok", tests[i].name,
                       (double)(weft_now() - begin) / 1e9);
                failed += faults > 0;
                passed += faults == 0;
                if (!remote && i == 0)
                        break;
        }
        if (remote)
                weft_remote_close(remote);
        weft_pool_destroy(pool);
        processes_end();
        printf("%d passed, %d failed, 0 skipped\n", passed, failed);
        return failed > 0;
}
