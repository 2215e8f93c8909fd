/* SPDX-License-Identifier: MIT
 *
 * Tasks that run in another process, of this machine or another: calls of functions by name,
 * through a queue of NATS JetStream, each in the context of whoever submitted it. A library of its
 * own, libweft-nats, which is linked with libnats.
 *
 *   call       a name, up to 256 KiB of arguments, the context, and an id
 *   client     a process that submits calls
 *   worker     a process that has registered functions and serves them, on its own pool
 *   delivery   a call handed to a worker; there is another if that one does not finish
 *   record     what has become of a call: stored by the server, once for each call, for a day
 *
 * Usage, the worker:
 *
 *   static int add(weft_remote_call *call, void *arg)
 *   {
 *           size_t size;
 *           const char *text = weft_remote_args(call, &size);
 *           …
 *           return sum;                                      // or a negative errno
 *   }
 *
 *   weft_remote *remote;
 *   weft_remote_open(&remote, &(weft_remote_options){.url = "tls://queue.example:4222"});
 *   weft_remote_register(remote, "add", add, NULL);
 *   weft_remote_serve(remote, pool, 16);
 *   …
 *   weft_remote_stop(remote, WEFT_DRAIN, WEFT_FOREVER);
 *   weft_remote_close(remote);
 *
 * and the client, whose weft_await() parks the task that calls, as it does for any other:
 *
 *   weft_task *task;
 *   weft_remote_submit(remote, &task, "add", "2 3", 3, NULL);
 *   int sum = weft_await(task, WEFT_FOREVER);
 *   weft_task_unref(task);
 *
 * A submit gives a task of this process, which stores the call in the queue and is parked until its
 * record comes. Its result is that of the function. So all that goes for tasks goes for it: groups
 * may await it, callbacks follow it, weft_task_cancel() cancels it.
 *
 * Rules (tests carry these numbers)
 *
 *   Z1  A worker is handed only calls of names that it has registered. A call whose names, sizes or
 *       headers are not as below is taken from the queue and dropped, and counted as refused.
 *   Z2  The function runs as a task of the worker's pool, in a context made of what the codecs of
 *       carry.h can read of the call's headers, on the empty context; so only vars cross that have
 *       a codec on both sides, and none whose policy is against a process or a task (C12).
 *   Z3  A call that is stored is delivered until there is a record of it: again if its worker dies,
 *       or is not heard of for ack_wait. While a worker runs it, it says so every third of that,
 *       so a long call is not delivered again.
 *   Z4  A call is identified by its function's name and its id. One that has a record is not run,
 *       however it comes: submitted twice, stored twice, delivered again. Of two results the one
 *       that is stored first is the record, and every client has that.
 *   Z5  A function may still run more than once for one call, at times at once: if its worker died,
 *       or was cut off, between what it did and the record of it; or if an id is submitted again
 *       after more than ten minutes (or keep), and has no record yet. What must be done once is
 *       done with the id in the same step: a row with the id as its key, in the same transaction.
 *       weft_remote_id() is the same at each delivery; so the effect is there once.
 *   Z6  A call that has been delivered max_deliver times and has no record is not run again: the
 *       record is -ENOTRECOVERABLE. So one that kills its workers kills so many and no more.
 *   Z7  Cancelling the client's task, and its deadline, are stored too. One that is queued is then
 *       not begun; in a worker that runs it the task is cancelled; and so for all who submit that
 *       id, as long as records are kept. The client's task ends without waiting for that. If the
 *       server cannot be reached within 2 s nobody is told.
 *   Z8  The deadline of the context goes along as the time that is left. The worker takes off what
 *       the call has spent in the queue, by the server's clock alone: by how much that differs from
 *       its own it measures. So no clocks of two machines are compared, other than of servers.
 *   Z9  A server that is away, at the start too, is waited for, and what was not acknowledged is
 *       sent again with the same id. Only deadlines and cancelling end that.
 *
 * Names of functions: a letter, then letters, digits, '_' and '-', up to 32. Ids: these and in any
 * place, up to 64. Headers: at most 64, of 64 KiB together.
 *
 * Trust: who may publish to PREFIX.call.NAME of the server decides what workers do, and in which
 * context; who may publish to PREFIX.done.> decides what clients are told. docs/remote.md says how
 * to give each the rights that it needs. weft checks forms, bounds and names.
 *
 * Threads: all functions may be called from any thread, in a task or not, and from several at once,
 * but for what is said of weft_remote_close(). None is async-signal-safe. The context of libnats's
 * threads stays empty. In a forked child every call on the parent's gives -EOWNERDEAD, but close,
 * which then does nothing. What can wait takes up to 16 of the threads of weft_blocking().
 */
#ifndef WEFT_ADAPT_NATS_H
#define WEFT_ADAPT_NATS_H

#include <weft/pool.h>

WEFT_BEGIN_DECLS

typedef struct weft_remote weft_remote;
typedef struct weft_remote_call weft_remote_call;

struct __natsOptions; /* natsOptions, of nats.h */

enum {
        WEFT_REMOTE_NAME_MAX = 32,
        WEFT_REMOTE_ID_MAX = 64,
        WEFT_REMOTE_BYTES_MAX = 256 * 1024, /* of arguments, and of a reply */
        WEFT_REMOTE_HEADERS_MAX = 64,
        WEFT_REMOTE_HEADER_BYTES_MAX = 64 * 1024
};

/* Zero everywhere means the defaults; new fields go to the end. What is said of streams and
 * consumers goes for those that are made here: where an administrator has made them, theirs hold,
 * but for max_deliver. */
typedef struct weft_remote_options {
        size_t size; /* sizeof(weft_remote_options), or 0 for the fields of 0.1 */

        const char *url;    /* of servers, with commas; NULL: nats://localhost:4222. With tls://
                               before one of them, none is spoken to without TLS. */
        const char *prefix; /* of subjects and streams; as names of functions; NULL: "weft" */

        /* Called before the connection is made, to set what else libnats can: the certificates
         * that TLS trusts, which are none without that; credentials; a name. Not its callbacks and
         * reconnecting, which are set afterwards. 0, or a negative errno, which weft_remote_open()
         * then returns. */
        int (*configure)(struct __natsOptions *options, void *configure_arg);
        void *configure_arg;

        unsigned replicas;    /* of streams, in a cluster; 0: 1 */
        int64_t keep;         /* ns for which a record is kept; 0: a day */
        int64_t ack_wait;     /* ns, at least 100 ms: see Z3; 0: 30 s */
        unsigned max_deliver; /* see Z6; 0: 5 */
} weft_remote_options;

/* weft_remote_open - make a connection. It need not be there yet when this returns (Z9).
 *
 * 0, and *ret is the caller's to weft_remote_close(); or nothing is left behind: -EINVAL: ret is
 * NULL, an option out of its range, or the url none; -E2BIG: as weft_pool_create(); -EACCES: a
 * server was there, and refused the connection; -ENOMEM; -EIO: libnats could not for another
 * reason; what configure returned; -EAGAIN, as weft_blocking(). Parks or blocks, up to about 2 s.
 * Since 0.1. */
WEFT_API int weft_remote_open(weft_remote **ret, const weft_remote_options *options);

/* weft_remote_close - end it: calls that are waited for end with -ESHUTDOWN (the queue has them all
 * the same), and if it serves that is stopped by WEFT_CANCEL. Returns NULL. NULL is fine. No other
 * call on it may run or follow. Called by one of its functions it does nothing and returns the
 * remote. Parks or blocks. Since 0.1. */
WEFT_API weft_remote *weft_remote_close(weft_remote *remote);

/* ---- the client ---- */

/* What a function has replied besides its result. */
typedef struct weft_remote_data {
        void *data; /* size bytes and a NUL; NULL: nothing */
        size_t size;
} weft_remote_data;

/* weft_remote_submit - call a function by name, in the current context, with a copy of args.
 *
 * 0, and *ret is the caller's to weft_task_unref(): a task of the pool that weft_spawn() takes for
 * NULL. It ends with what the function returned, or -ENOTRECOVERABLE (Z6), or: -ECANCELED,
 * -ETIMEDOUT: this task was cancelled, or its deadline passed (Z7); -EMSGSIZE: arguments and
 * headers, or the reply, are more than the server takes; -EACCES: the server does not let this
 * client publish the call, or refuses it altogether; -EIO: the server cannot store it; -ENOTCONN:
 * libnats has given the connection up; -ESHUTDOWN: the remote is being closed; -ENOMEM. A call
 * of a name that no worker has waits in the queue.
 *
 * reply: NULL, or where the reply is put before the task ends with the function's result, to be
 * given to weft_remote_data_free(); emptied first; must be there until the task has ended.
 *
 * Errors: as weft_spawn(), and as weft_context_inject() of the codecs; -EINVAL also: the name is
 * none; -EMSGSIZE: more than 256 KiB, or the context takes more headers than it may; -EOWNERDEAD.
 * Never blocks. Since 0.1. */
WEFT_API int weft_remote_submit(weft_remote *remote, weft_task **ret, const char *name,
                                const void *args, size_t size, weft_remote_data *reply);

/* weft_remote_submit_once - as weft_remote_submit(), with an id, which says what is one call (Z4):
 * to submit again what may have been submitted before, by this process or another, gives the same
 * record, and does not run it twice. -EINVAL also: the id is none. Since 0.1. */
WEFT_API int weft_remote_submit_once(weft_remote *remote, weft_task **ret, const char *name,
                                     const char *id, const void *args, size_t size,
                                     weft_remote_data *reply);

/* weft_remote_data_free - free a reply, and empty it. NULL is fine. Since 0.1. */
WEFT_API void weft_remote_data_free(weft_remote_data *reply);

/* ---- the worker ---- */

/* Answers a call. Its result is that of the client's task: 0 or more, or a negative errno. Runs as
 * a task of the worker's pool; may wait, spawn, and submit. */
typedef int weft_remote_fn(weft_remote_call *call, void *arg);

/* weft_remote_register - serve a function under a name. arg is borrowed until the remote is closed.
 *
 * 0; -EALREADY: the name is taken, or weft_remote_serve() has been called; -EINVAL: the name is
 * none, or remote or fn NULL; -ENOMEM; -EOWNERDEAD. Since 0.1. */
WEFT_API int weft_remote_register(weft_remote *remote, const char *name, weft_remote_fn *fn,
                                  void *arg);

/* weft_remote_serve - take calls from the queue, at_once of each function at a time, each a task of
 * the pool (NULL as in pool.h). A thread for each function, and one more, wait for the server.
 *
 * 0; -EALREADY: it has been called; -EINVAL: remote is NULL, nothing is registered, at_once is 0 or
 * more than 100000; -EAGAIN: the system refused a thread; -ENOMEM; -ENOTCONN; -EOWNERDEAD. The pool
 * must be there until weft_remote_stop() has returned 0. Never parks. Since 0.1. */
WEFT_API int weft_remote_serve(weft_remote *remote, weft_pool *pool, unsigned at_once);

/* weft_remote_stop - take no more calls, and wait until those that were taken have ended.
 * WEFT_DRAIN: as they do; WEFT_CANCEL: their tasks are cancelled, and calls that end with
 * -ECANCELED for that are given back to the queue for another worker, and so are those whose record
 * cannot be stored.
 *
 * 0: none is left, and again when called again, or if it never served; -ETIMEDOUT: the deadline
 * passed first: call again, with WEFT_CANCEL if it is to be quick; -ECANCELED, -ENOMEM: as
 * weft_await(), as if the deadline had passed; -EINVAL; -EDEADLK: called by one of its functions;
 * -EOWNERDEAD. Parks or blocks. Since 0.1. */
WEFT_API int weft_remote_stop(weft_remote *remote, weft_shutdown how, int64_t deadline);

/* weft_remote_args - the arguments, aligned for any type, with a NUL behind them. Borrowed until
 * the function returns. Never NULL; ret_size may be. Since 0.1. */
WEFT_API const void *weft_remote_args(const weft_remote_call *call, size_t *ret_size);

/* weft_remote_id - the id of the call, given or made up by the client: with the function's name it
 * is the same whenever this call is run (Z5). Borrowed likewise. Since 0.1. */
WEFT_API const char *weft_remote_id(const weft_remote_call *call);

/* weft_remote_delivery - the how-manieth delivery this is, from 1. Since 0.1. */
WEFT_API unsigned weft_remote_delivery(const weft_remote_call *call);

/* weft_remote_reply - what the client is to be given besides the result: a copy of it; the last one
 * counts. 0; -EMSGSIZE: more than 256 KiB; -ENOMEM; -EINVAL. Only while the function runs. Since
 * 0.1. */
WEFT_API int weft_remote_reply(weft_remote_call *call, const void *data, size_t size);

/* ---- figures ---- */

struct weft_remote_stats {
        size_t size;          /* set by the caller: sizeof(struct weft_remote_stats) */
        uint64_t submitted;   /* calls of this client that the server has acknowledged */
        uint64_t answered;    /* … and that have come to a result */
        uint64_t received;    /* deliveries to this worker */
        uint64_t redelivered; /* … of calls that had been delivered before, to whomever */
        uint64_t run;         /* functions that were begun */
        uint64_t repeated;    /* deliveries of calls that had a record, or were running here */
        uint64_t refused;     /* deliveries that were dropped (Z1) */
        uint64_t given_up;    /* calls that had been delivered too often (Z6) */
        uint64_t lost;        /* 1: libnats has given the connection up for good: open another */
};

/* weft_remote_stats - fill in the figures, as weft_pool_stats(). 0; -EINVAL; -EOWNERDEAD. Since
 * 0.1. */
WEFT_API int weft_remote_stats(weft_remote *remote, struct weft_remote_stats *stats);

WEFT_END_DECLS

#endif
