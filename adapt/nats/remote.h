/* SPDX-License-Identifier: MIT
 *
 * libweft-nats from inside (weft/adapt/nats.h).
 *
 * Three kinds of threads come together here: tasks, which must not block, so that what libnats
 * does at length goes through weft__remote_blocking(); libnats's own, which deliver replies, calls
 * to cancel and news of the connection; and the worker's two kinds, which may block.
 *
 * Locks: `lock` guards what its part below says, and is held for a few lines, never across a wait
 * or a call of libnats that may block. There is no other, so there is no order.
 *
 * Lifetime: weft_remote_close() frees the remote when `guests`, that is tasks of submits, calls
 * that run and callbacks of libnats that may still come, have gone.
 */
#ifndef WEFT_ADAPT_NATS_REMOTE_H
#define WEFT_ADAPT_NATS_REMOTE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nats/nats.h>
#include <weft/adapt/nats.h>
#include <weft/weft.h>

enum {
        NAME_SIZE = WEFT_REMOTE_NAME_MAX + 1,
        ID_SIZE = WEFT_REMOTE_ID_MAX + 1,
        SUBJECT_SIZE = 160, /* prefix, a word, a name, an id, and dots */
        STREAM_SIZE = NAME_SIZE + 8,
        FUNCTIONS_MAX = 256,
        BUCKETS = 256, /* of calls that are waited for */
        REQUEST_MS = 2000
};

#define SECOND INT64_C(1000000000)

/* A call that a task of this process waits for: submit.c. */
struct submission {
        struct submission *next; /* in its bucket, under lock */
        weft_remote *remote;
        char name[NAME_SIZE], id[ID_SIZE];
        weft_event news; /* answered, or there may be a record, or the remote closes */
        bool sent;       /* the server may have it; the task's own, as the next two */
        bool stored;     /* it has acknowledged it */
        bool doubled;    /* it had it before */
        bool answered;   /* under lock, and the three below with it, until it is true */
        int result;
        weft_remote_data data;   /* until the task moves it to *reply */
        weft_remote_data *reply; /* the caller's, or NULL */
        natsMsg *message;        /* the call: made by the caller, then the task's */
};

/* A function of a worker, with the thread that fetches its calls: serve.c. */
struct function {
        weft_remote *remote;
        char name[NAME_SIZE];
        weft_remote_fn *fn;
        void *arg;
        weft_semaphore slots; /* of calls that may run */
        pthread_t thread;
        bool fetching;          /* there is a thread; who stops joins it */
        natsSubscription *pull; /* the thread's own; NULL: not yet, or lost */
        unsigned idle;          /* fetches in a row without a call */
};

/* A delivery: delivery.c, job.c. Made by the fetching thread, freed with its last reference. */
struct weft_remote_call {
        struct weft_remote_call *next; /* in remote->jobs, under lock */
        unsigned refs;                 /* under lock */
        struct function *function;
        char id[ID_SIZE], client[ID_SIZE];
        char *ack;         /* the subject to acknowledge by; under lock: may be a later one's */
        unsigned delivery; /* from 1 */
        int64_t deadline;  /* of this machine's clock */
        weft_context *context;
        weft_task *task; /* the function's, while there is one; under lock */
        bool conducted;  /* the conductor has begun; its own */
        bool called_off; /* the client's task has ended; under lock */
        weft_remote_data reply;
        size_t size;
        _Alignas(max_align_t) char args[];
};

struct weft_remote {
        pid_t owner;
        char prefix[NAME_SIZE], client[ID_SIZE];
        char queue[STREAM_SIZE], records[STREAM_SIZE]; /* names of streams */
        unsigned replicas, max_deliver;
        int64_t keep;
        int64_t ack_wait; /* under lock; the shortest of the consumers' */

        natsConnection *connection;
        jsCtx *js;
        natsSubscription *replies, *cancels;
        weft_semaphore calls; /* of libnats that may block at once */
        weft_event up;        /* connected, or closed for good: look */

        pthread_mutex_t lock;
        unsigned guests;      /* under lock; weft_remote_close() waits for `alone` */
        bool closing, closed; /* by us; for good, whoever did it */
        bool refused;         /* … for want of rights */
        weft_event alone;
        struct submission *waiting[BUCKETS];
        struct weft_remote_stats stats;

        /* the worker */
        struct function *functions[FUNCTIONS_MAX];
        unsigned functions_count;
        weft_pool *pool;
        bool serving;    /* under lock, as the next five: weft_remote_serve() has been called */
        bool stopping;   /* take no more */
        bool abandoning; /* cancel those that run */
        bool quiet;      /* nobody fetches any more */
        bool ended;      /* … and none runs */
        unsigned running;
        struct weft_remote_call *jobs; /* those that run, under lock */
        weft_mutex ending;             /* one stops at a time */
        weft_event drained;            /* quiet, and running is 0 */
        weft_event stop, still;        /* for the fetching threads; for the heart */
        pthread_t heart;
        bool beating;  /* as fetching */
        int64_t clock; /* the server's minus CLOCK_MONOTONIC, ns; INT64_MIN: unknown; under lock */
};

/* ---- connection.c ---- */

void weft__remote_enter(weft_remote *remote);
void weft__remote_leave(weft_remote *remote);

static inline void weft__remote_lock(weft_remote *remote)
{
        pthread_mutex_lock(&remote->lock);
}

static inline void weft__remote_unlock(weft_remote *remote)
{
        pthread_mutex_unlock(&remote->lock);
}

/* Wait until there is a connection. 0; -ENOTCONN, -EACCES: it is closed for good; -ESHUTDOWN: we
 * are closing; or as weft_event_wait(). */
int weft__remote_connected(weft_remote *remote, int64_t deadline);

/* fn(arg), which calls libnats, off the workers; its result, or as weft_semaphore_wait(). */
int weft__remote_blocking(weft_remote *remote, weft_fn *fn, void *arg);

/* A subscription whose callback may come until it leaves: 0 or -errno. */
int weft__remote_subscribe(weft_remote *remote, natsSubscription **ret, const char *subject,
                           natsMsgHandler handler);

/* ---- message.c ---- */

bool weft__remote_is_name(const char *name);
bool weft__remote_is_id(const char *id);
void weft__remote_random_id(char ret_id[ID_SIZE]);

/* PREFIX.word.name, or PREFIX.word.name.id. Always fits. */
void weft__remote_subject(const weft_remote *remote, char ret[SUBJECT_SIZE], const char *word,
                          const char *name, const char *id);

/* The last two of PREFIX.word.name.id; false: it is none. */
bool weft__remote_read_subject(const char *subject, char ret_name[NAME_SIZE], char ret_id[ID_SIZE]);

/* The headers of the current context: 0; -EMSGSIZE: too many; or as weft_context_inject(). */
int weft__remote_put_context(natsMsg *message);

/* Whether the headers are within bounds. */
bool weft__remote_headers_bounded(natsMsg *message);
/* The context that they carry: 0 or -ENOMEM. */
int weft__remote_get_context(natsMsg *message, weft_context **ret);

int weft__remote_put_number(natsMsg *message, const char *header, int64_t number);
/* false: there is none, or it is no number within the bounds. */
bool weft__remote_get_number(natsMsg *message, const char *header, int64_t least, int64_t greatest,
                             int64_t *ret);
/* An id in a header; false: it is none. */
bool weft__remote_get_id(natsMsg *message, const char *header, char ret[ID_SIZE]);
/* Copy a message's data, with a NUL behind it: 0 or -ENOMEM. */
int weft__remote_get_data(natsMsg *message, weft_remote_data *ret);

/* ---- streams.c: these block; to be called by weft__remote_blocking() or on a thread ---- */

/* -EAGAIN: try again; other errors are for good. */
int weft__remote_error(natsStatus status, jsErrCode code);

/* Have the server make what is missing: 0, or as above. */
int weft__remote_make_streams(weft_remote *remote);
int weft__remote_make_consumer(weft_remote *remote, struct function *function);

/* Store a message under its id: 0; 1: the server had it; or as above. */
int weft__remote_store_call(weft_remote *remote, natsMsg *message);
/* Store a record: 0; -EEXIST: there is one; or as above. */
int weft__remote_store_record(weft_remote *remote, const char *word, const char *name,
                              const char *id, int result, const weft_remote_data *data);
/* Find one: 0 and *ret_result, and the data if ret_data is not NULL; -ENOENT; or as above. */
int weft__remote_find_record(weft_remote *remote, const char *word, const char *name,
                             const char *id, int *ret_result, weft_remote_data *ret_data);

/* Measure the server's clock. */
void weft__remote_measure_clock(weft_remote *remote);

/* ---- submit.c ---- */

void weft__remote_on_reply(natsConnection *connection, natsSubscription *subscription,
                           natsMsg *message, void *arg);
/* The server has said, in this text, that a subject is not to be published to. */
void weft__remote_forbidden(weft_remote *remote, const char *text);
/* All submissions have a look: at records, or at the end of the remote. */
void weft__remote_news(weft_remote *remote);

/* ---- delivery.c ---- */

/* A delivery of the function's: begin, or refuse. Takes over a slot of its; frees the message. */
void weft__remote_deliver(struct function *function, natsMsg *message);
void weft__remote_unref_job(weft_remote_call *job);
/* Say that those that run do so, and look for those that were called off. */
void weft__remote_heartbeat(weft_remote *remote);
void weft__remote_on_cancel(natsConnection *connection, natsSubscription *subscription,
                            natsMsg *message, void *arg);
/* Cancel the tasks of all that run. */
void weft__remote_cancel_all(weft_remote *remote);

/* ---- job.c ---- */

/* Given back: to whoever asks next; to be tried again in a second. */
#define WEFT__REMOTE_NOW   "-NAK"
#define WEFT__REMOTE_LATER "-NAK {\"delay\": 1000000000}"

void weft__remote_acknowledge(weft_remote_call *job, const char *what);
/* All that is to be done for a job, in tasks. */
void weft__remote_conduct(weft_remote_call *job);

#endif
