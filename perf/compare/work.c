/* SPDX-License-Identifier: MIT
 *
 * The work under comparison: see work.h.
 *
 * An outside thread hands in the requests, as an acceptor would. A request's task opens its
 * transaction, waits for the rest of its request to arrive, submits a task for each file of its
 * share, waits for them, and commits or rolls back. The rest arrives when every request has begun,
 * so all transactions are open at once, each run has the same shape, and nothing is left to luck.
 * Neither it nor the files' tasks are told which request and which transaction these are
 * about: struct item has a file, and scoping->get() gives the rest. (One exception, which
 * is the point of it: where the value is set in the worker, the request's task is what sets it.)
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
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>
#include <weft/weft.h>

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

        weft_pool *network; /* whose one task ends when the rest of the requests has arrived */
        weft_task *rest;
        sem_t rest_arrives;
        struct request *requests;
        struct item *items;

        atomic_int begun; /* requests */
        atomic_size_t done;
        atomic_size_t found_none;
        atomic_bool stop;

        pthread_mutex_t lock;
        char failed[256]; /* what the environment did first, or empty */
};

/* Nobody is to wait for what will not come. */
static void stop(struct run *run)
{
        atomic_store_explicit(&run->stop, true, memory_order_relaxed);
        sem_post(&run->rest_arrives);
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

static void count_task(struct run *run, bool lost)
{
        atomic_fetch_add_explicit(&run->done, 1, memory_order_relaxed);
        if (lost)
                atomic_fetch_add_explicit(&run->found_none, 1, memory_order_relaxed);
}

static int owner_of(const struct item *item)
{
        const struct work *work = item->run->work;
        return share_owner(work->tree->count, work->requests,
                           (size_t)(item->file - work->tree->files));
}

static int file_task(void *arg)
{
        const struct item *item = arg;
        struct run *run = item->run;
        struct tree_file row = {.path = item->file->path};
        int64_t begin = weft_now();

        if (stopped(run))
                return 0;
        int error = tree_hash(row.path, &row.size, row.digest);
        if (error) { /* it could be read a moment ago */
                fail(run, row.path, strerror(-error));
                return 0;
        }
        struct scope now = run->work->scoping->get();
        if (!is_lost(now))
                fail_sqlite(run, "cannot insert a row",
                            transaction_insert(now.transaction, now.request, &row));
        count_task(run, is_lost(now));
        if (run->work->trace)
                trace_add(run->work->trace, begin, SPAN_FILE, owner_of(item), now.request);
        return 0;
}

static void run_share(struct request *request)
{
        struct run *run = request->run;
        const struct work *work = run->work;
        size_t from = share_begin(work->tree->count, work->requests, request->id);
        size_t to = share_begin(work->tree->count, work->requests, request->id + 1);
        weft_group files;

        fail_weft(run, "cannot make a group", weft_group_init(&files, NULL));
        for (size_t i = from; i < to && !stopped(run); i++)
                fail_weft(run, "cannot submit a task",
                          scoping_spawn(work->scoping, &files, file_task, &run->items[i]));
        fail_weft(run, "cannot wait for the files' tasks", weft_group_wait(&files, WEFT_FOREVER));
        weft_group_fini(&files);
}

/* A turn of a request: what it does between its waits, with what is current then. Whether it found
 * anything. */
static bool take_turn(struct request *request, enum span_kind turn)
{
        struct run *run = request->run;
        int64_t begin = weft_now();
        struct scope now = run->work->scoping->get();
        bool commit = !share_rolls_back(request->id);

        if (!is_lost(now) && turn == SPAN_OPEN)
                fail_sqlite(run, "cannot begin a transaction", transaction_begin(now.transaction));
        if (!is_lost(now) && turn == SPAN_END)
                fail_sqlite(run, "cannot end a transaction",
                            transaction_end(now.transaction, commit));
        trace_add(run->work->trace, begin, turn, request->id, now.request);
        return !is_lost(now);
}

static void wait_for_rest(struct run *run)
{
        int before = atomic_fetch_add_explicit(&run->begun, 1, memory_order_relaxed);
        if (before + 1 == run->work->requests)
                sem_post(&run->rest_arrives);
        fail_weft(run, "cannot wait", weft_await(run->rest, WEFT_FOREVER));
}

static int request_task(void *arg)
{
        struct request *request = arg;
        struct run *run = request->run;
        const struct scoping *scoping = run->work->scoping;

        if (scoping->set_in_worker)
                scoping->set((struct scope){request->id, request->transaction});
        bool found = take_turn(request, SPAN_OPEN);
        wait_for_rest(run);
        found &= take_turn(request, SPAN_SUBMIT);
        run_share(request);
        found &= take_turn(request, SPAN_END);
        count_task(run, !found);
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

static int network_task(void *arg)
{
        struct run *run = arg;
        sem_wait(&run->rest_arrives);
        return 0;
}

static void accept_and_wait(struct run *run)
{
        pthread_t acceptor;
        int r = pthread_create(&acceptor, NULL, accept_requests, run);
        if (r) {
                fail(run, "cannot start a thread", strerror(r));
                return;
        }
        pthread_join(acceptor, NULL);
        wait_for_end(run);
}

/* With both pools there, until they are to be destroyed. */
static void serve_in_pools(struct run *run)
{
        int r = weft_spawn(run->network, &run->rest, network_task, run);
        if (!r)
                r = weft_group_init(&run->group, run->pool);
        if (r) {
                fail_weft(run, "cannot start the work", r);
                return;
        }
        run->workers = weft_pool_workers(run->pool);
        accept_and_wait(run);
        weft_group_fini(&run->group);
}

static void serve(struct run *run)
{
        weft_pool_options options = {
            .size = sizeof(options),
            .workers = run->work->workers,
            .name = "compare",
            .on_start = trace_lane,
        };
        weft_pool_options network = {.size = sizeof(network), .workers = 1, .name = "network"};
        int r = weft_pool_create(&run->pool, &options);
        if (!r)
                r = weft_pool_create(&run->network, &network);
        if (r)
                fail_weft(run, "cannot start a pool", r);
        else
                serve_in_pools(run);
        weft_pool_destroy(run->pool);
        weft_pool_destroy(run->network);
        weft_task_unref(run->rest);
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
        return 0;
}

int work_run(const struct work *work, struct work_result *ret)
{
        struct run run = {.work = work, .lock = PTHREAD_MUTEX_INITIALIZER};
        int result;

        sem_init(&run.rest_arrives, 0, 0);
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
                        serve(&run);
                close_transactions(&run);
                result = report(&run, ret);
        }
        free(run.items);
        free(run.requests);
        sem_destroy(&run.rest_arrives);
        return result;
}
