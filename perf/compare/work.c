/* SPDX-License-Identifier: MIT
 *
 * The work under comparison: see work.h.
 *
 * An outside thread hands in the requests, as an acceptor would. A request's task begins its
 * transaction and then waits, again and again, for the next part of the request to arrive at its
 * connection; for each it submits a task a file, waits for them, and answers; in the end it commits
 * or rolls back. A file's task has the file read and hashed by a thread that may block, which is
 * another wait, and inserts a row. So each transaction stays open over waits of several tasks, and
 * between them other requests' tasks run on the same worker. As the clients go in step (clients.h),
 * every request is in the middle of its transaction while all the others are: nothing is left to
 * luck.
 *
 * Where do transactions stay meanwhile? A connection to a database has one transaction at a time,
 * so a server takes a connection from its pool of them when a transaction begins, and gives it back
 * when that has ended. Who uses it in between must use it one after the other: the connection has a
 * lock, for a statement and not for longer, as no wait may come while a thread's lock is held. Here
 * each request has such a connection (transaction.h), and a database file too, because SQLite has
 * one writer at a time: in a common file the second request could not even begin.
 *
 * Neither a request's task after its beginning nor the files' tasks are told which request and
 * which transaction these are about: struct item has a file, and scoping->get() gives the rest.
 * (One exception, which is the point of it: where the value is set in the worker, the request's
 * task is what sets it. Whose a task really is, struct record knows, for the record alone.)
 *
 * The run owns the transactions and keeps all of them open until every task has ended, because
 * a wrong scoping uses a request's transaction at any time.
 *
 * Its atomics are relaxed: `stop` is a hint to end early (what failed is under the lock), and the
 * counters are read after the group's wait, or only for the progress bar.
 */
#include "work.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>
#include <weft/weft.h>

#include "clients.h"
#include "share.h"
#include "terminal.h"

#define POLL_NS INT64_C(100000000)

struct run;

struct request {
        struct run *run;
        int id;
        struct transaction *transaction; /* the run's; for the acceptor and, in one scoping, set */
};

struct item {
        struct run *run;
        const struct tree_file *file;
};

struct run {
        const struct work *work;
        weft_pool *pool;
        unsigned workers;
        weft_group group; /* of the requests */

        struct clients clients;
        struct request *requests;
        struct item *items;

        atomic_size_t done;
        atomic_size_t found_none;
        atomic_size_t found_other;
        atomic_bool stop;

        pthread_mutex_t lock;
        char failed[256]; /* what the environment did first, or empty */
};

/* Nobody is to wait for what will not come. */
static void stop(struct run *run)
{
        atomic_store_explicit(&run->stop, true, memory_order_relaxed);
        clients_hang_up(&run->clients);
}

static void fail(struct run *run, const char *doing, const char *why)
{
        pthread_mutex_lock(&run->lock);
        if (!run->failed[0])
                snprintf(run->failed, sizeof(run->failed), "%s: %s", doing, why);
        pthread_mutex_unlock(&run->lock);
        stop(run);
}

static void fail_sqlite(struct run *run, const char *doing, int code)
{
        if (code)
                fail(run, doing, sqlite3_errstr(code));
}

static void fail_weft(struct run *run, const char *doing, int code)
{
        if (code < 0)
                fail(run, doing, weft_strerror(code));
}

static bool stopped(struct run *run)
{
        return atomic_load_explicit(&run->stop, memory_order_relaxed);
}

/* Who found nothing has nothing to write to. */
static bool is_lost(struct scope now)
{
        return !now.request || !now.transaction;
}

/* A task is cut into stretches by its waits. At the beginning of each it looks for what is current
 * and goes by that to the stretch's end; how that went is for the record. */
struct record {
        struct run *run;
        unsigned task;
        int whose; /* request */
        bool found_none, found_other;

        int64_t begin; /* of this stretch */
        int found;     /* request */
};

static struct scope stretch_begin(struct record *record)
{
        record->begin = weft_now();
        struct scope now = record->run->work->scoping->get();
        record->found = now.request;
        if (is_lost(now))
                record->found_none = true;
        else if (now.request != record->whose)
                record->found_other = true;
        return now;
}

static void stretch_end(const struct record *record, enum span_kind kind)
{
        trace_add(record->run->work->trace, &(struct span){
                                                .begin = record->begin,
                                                .kind = kind,
                                                .task = record->task,
                                                .whose = record->whose,
                                                .found = record->found,
                                            });
}

/* The task ends. */
static void record_task(const struct record *record)
{
        struct run *run = record->run;
        atomic_fetch_add_explicit(&run->done, 1, memory_order_relaxed);
        if (record->found_none)
                atomic_fetch_add_explicit(&run->found_none, 1, memory_order_relaxed);
        else if (record->found_other)
                atomic_fetch_add_explicit(&run->found_other, 1, memory_order_relaxed);
}

/* Requests are the tasks from 1 on, and the files' are those behind. */
static struct record record_of_item(const struct item *item)
{
        const struct work *work = item->run->work;
        size_t file = (size_t)(item->file - work->tree->files);
        return (struct record){
            .run = item->run,
            .task = (unsigned)(file + 1) + (unsigned)work->requests,
            .whose = share_owner(work->tree->count, work->requests, file),
        };
}

struct reading {
        struct tree_file file;
        int error;
};

/* On a thread that may block. */
static int read_file(void *arg)
{
        struct reading *reading = arg;
        reading->error = tree_hash(reading->file.path, &reading->file.size, reading->file.digest);
        return 0;
}

static int file_task(void *arg)
{
        const struct item *item = arg;
        struct run *run = item->run;
        struct reading reading = {.file = {.path = item->file->path}};
        struct record record = record_of_item(item);

        if (stopped(run))
                return 0;
        stretch_begin(&record);
        stretch_end(&record, SPAN_READ);
        fail_weft(run, "cannot read a file", weft_blocking(read_file, &reading));
        if (reading.error) /* it could be read a moment ago */
                fail(run, reading.file.path, strerror(-reading.error));
        if (stopped(run))
                return 0;
        struct scope now = stretch_begin(&record);
        if (!is_lost(now))
                fail_sqlite(run, "cannot insert a row",
                            transaction_insert(now.transaction, now.request, &reading.file));
        stretch_end(&record, SPAN_INSERT);
        record_task(&record);
        return 0;
}

static void answer(const struct request *request)
{
        const struct clients *clients = &request->run->clients;
        int r = connection_answer(&clients->connections[request->id - 1]);
        if (r < 0)
                fail(request->run, "cannot answer a client", strerror(-r));
}

static void begin_transaction(const struct request *request, struct record *record)
{
        struct scope now = stretch_begin(record);
        if (!is_lost(now))
                fail_sqlite(request->run, "cannot begin a transaction",
                            transaction_begin(now.transaction));
        answer(request);
        stretch_end(record, SPAN_BEGIN);
}

static void end_transaction(const struct request *request, struct record *record)
{
        struct scope now = stretch_begin(record);
        bool commit = !share_rolls_back(request->id);
        if (!is_lost(now))
                fail_sqlite(request->run, "cannot end a transaction",
                            transaction_end(now.transaction, commit));
        answer(request);
        stretch_end(record, SPAN_END);
}

static void serve_part(const struct request *request, struct record *record, struct part part)
{
        struct run *run = request->run;
        weft_group files;

        stretch_begin(record);
        fail_weft(run, "cannot make a group", weft_group_init(&files, NULL));
        for (size_t i = part.begin; i < part.end && !stopped(run); i++)
                fail_weft(run, "cannot submit a task",
                          scoping_spawn(run->work->scoping, &files, file_task, &run->items[i]));
        stretch_end(record, SPAN_SUBMIT);
        fail_weft(run, "cannot wait for the files' tasks", weft_group_wait(&files, WEFT_FOREVER));
        weft_group_fini(&files);

        stretch_begin(record);
        answer(request);
        stretch_end(record, SPAN_ANSWER);
}

static int request_task(void *arg)
{
        const struct request *request = arg;
        struct run *run = request->run;
        const struct scoping *scoping = run->work->scoping;
        const struct connection *connection = &run->clients.connections[request->id - 1];
        struct record record = {.run = run, .task = (unsigned)request->id, .whose = request->id};
        struct part part;
        int r;

        if (scoping->set_in_worker)
                scoping->set((struct scope){request->id, request->transaction});
        begin_transaction(request, &record);
        while ((r = connection_receive(connection, &part)) > 0)
                serve_part(request, &record, part);
        if (r < 0)
                fail(run, "cannot receive from a client", strerror(-r));
        if (stopped(run))
                return 0;
        end_transaction(request, &record);
        record_task(&record);
        return 0;
}

/* The outside thread. */
static void *accept_requests(void *arg)
{
        struct run *run = arg;
        const struct scoping *scoping = run->work->scoping;
        for (int i = 0; i < run->work->requests && !stopped(run); i++) {
                struct request *request = &run->requests[i];
                if (!scoping->set_in_worker)
                        scoping->set((struct scope){request->id, request->transaction});
                fail_weft(run, "cannot submit a request",
                          scoping_spawn(scoping, &run->group, request_task, request));
        }
        return NULL;
}

static void open_transactions(struct run *run)
{
        for (int i = 0; i < run->work->requests; i++) {
                struct request *request = &run->requests[i];
                *request = (struct request){.run = run, .id = i + 1};
                int r = transaction_open(&request->transaction, run->work->folder, request->id);
                if (r) {
                        fail_sqlite(run, "cannot make a database", r);
                        return;
                }
        }
}

static void close_transactions(struct run *run)
{
        for (int i = 0; i < run->work->requests; i++)
                transaction_close(run->requests[i].transaction);
}

static void wait_for_end(struct run *run)
{
        int r;
        while ((r = weft_group_wait(&run->group, weft_now() + POLL_NS)) == -ETIMEDOUT) {
                if (interrupted())
                        stop(run);
                size_t done = atomic_load_explicit(&run->done, memory_order_relaxed);
                progress_show(done);
        }
        fail_weft(run, "cannot wait for the requests", r);
}

/* All requests are in: let their clients go on. */
static void serve_clients(struct run *run)
{
        int r = clients_start(&run->clients);
        if (r) {
                fail(run, "cannot start a thread", strerror(-r));
                wait_for_end(run);
                return;
        }
        wait_for_end(run);
        r = clients_wait(&run->clients);
        if (r && !stopped(run))
                fail(run, "a client failed", strerror(-r));
}

static void accept_and_serve(struct run *run)
{
        pthread_t acceptor;
        int r = pthread_create(&acceptor, NULL, accept_requests, run);
        if (r) {
                fail(run, "cannot start a thread", strerror(r));
                return;
        }
        pthread_join(acceptor, NULL);
        serve_clients(run);
}

static void serve(struct run *run)
{
        weft_pool_options options = {
            .size = sizeof(options),
            .workers = run->work->workers,
            .name = "compare",
            .on_start = trace_lane,
        };
        int r = weft_pool_create(&run->pool, &options);
        if (!r)
                r = weft_group_init(&run->group, run->pool);
        if (r) {
                fail_weft(run, "cannot start a pool", r);
        } else {
                run->workers = weft_pool_workers(run->pool);
                accept_and_serve(run);
                weft_group_fini(&run->group);
        }
        weft_pool_destroy(run->pool);
}

static void open_clients(struct run *run)
{
        run->clients = (struct clients){
            .files = run->work->tree->count,
            .part = run->work->part,
            .requests = run->work->requests,
        };
        int r = clients_open(&run->clients);
        if (r)
                fail(run, "cannot make a connection", strerror(-r));
}

static int report(const struct run *run, struct work_result *ret)
{
        progress_clear();
        if (interrupted())
                return -1;
        if (run->failed[0])
                return complain("%s", run->failed);
        ret->workers = run->workers;
        ret->tasks = run->work->tree->count + (size_t)run->work->requests;
        ret->found_none = atomic_load_explicit(&run->found_none, memory_order_relaxed);
        ret->found_other = atomic_load_explicit(&run->found_other, memory_order_relaxed);
        return 0;
}

int work_run(const struct work *work, struct work_result *ret)
{
        struct run run = {.work = work, .lock = PTHREAD_MUTEX_INITIALIZER};
        int result;

        progress_stage(work->scoping->name, work->tree->count + (size_t)work->requests);
        run.requests = calloc((size_t)work->requests, sizeof(*run.requests));
        run.items = calloc(work->tree->count, sizeof(*run.items));
        if (!run.requests || !run.items) {
                result = complain("out of memory");
        } else {
                for (size_t i = 0; i < work->tree->count; i++)
                        run.items[i] = (struct item){&run, &work->tree->files[i]};
                open_transactions(&run);
                if (!stopped(&run))
                        open_clients(&run);
                if (!stopped(&run))
                        serve(&run);
                clients_close(&run.clients);
                close_transactions(&run);
                result = report(&run, ret);
        }
        free(run.items);
        free(run.requests);
        return result;
}
