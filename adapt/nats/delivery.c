/* SPDX-License-Identifier: MIT
 *
 * Deliveries at the worker: from the message to a job, which a task of job.c then sees through; and
 * what befalls the jobs of this process meanwhile.
 *
 * A message is read here, on the thread that has fetched it, and is gone then: libnats's messages
 * are not for two threads. A job has all that is needed of it.
 */
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- references ---- */

static void destroy(weft_remote_call *job)
{
        weft_context_unref(job->context);
        free(job->reply.data);
        free(job->ack);
        free(job);
}

void weft__remote_unref_job(weft_remote_call *job)
{
        weft_remote *remote = job->function->remote;
        weft__remote_lock(remote);
        bool last = --job->refs == 0;
        weft__remote_unlock(remote);
        if (last)
                destroy(job);
}

/* The jobs of this process, a reference to each; NULL: there are none, or no memory. */
static weft_remote_call **all_jobs(weft_remote *remote, size_t *ret_n)
{
        size_t n = 0;
        weft__remote_lock(remote);
        for (weft_remote_call *job = remote->jobs; job; job = job->next)
                n++;
        weft_remote_call **jobs = n > 0 ? calloc(n, sizeof(*jobs)) : NULL;
        n = 0;
        for (weft_remote_call *job = jobs ? remote->jobs : NULL; job; job = job->next) {
                job->refs++;
                jobs[n++] = job;
        }
        weft__remote_unlock(remote);
        *ret_n = n;
        return jobs;
}

/* ---- the message ---- */

/* What is left until the deadline, less what the call has spent with the server. */
static int64_t deadline_of(weft_remote *remote, natsMsg *message, int64_t stored)
{
        int64_t left, now = weft_now();
        if (!weft__remote_get_number(message, "Weft-Left", INT64_MIN, INT64_MAX, &left))
                return WEFT_FOREVER;
        weft__remote_lock(remote);
        int64_t clock = remote->clock;
        weft__remote_unlock(remote);
        int64_t age = clock == INT64_MIN ? 0 : now + clock - stored;
        if (age < 0)
                age = 0;
        int64_t deadline;
        if (__builtin_sub_overflow(left, age, &deadline) ||
            __builtin_add_overflow(now, deadline, &deadline))
                return left < 0 ? 0 : WEFT_FOREVER;
        return deadline < 0 ? 0 : deadline;
}

/* NULL: it is none, and *ret_refused says whether for its form, or for want of memory. */
static weft_remote_call *read_message(struct function *function, natsMsg *message,
                                      bool *ret_refused)
{
        int size = natsMsg_GetDataLength(message);
        jsMsgMetaData *meta = NULL;
        char id[ID_SIZE], client[ID_SIZE];
        *ret_refused = true;
        if (size < 0 || size > WEFT_REMOTE_BYTES_MAX || !weft__remote_headers_bounded(message) ||
            !weft__remote_get_id(message, "Weft-Id", id) ||
            !weft__remote_get_id(message, "Weft-Client", client))
                return NULL;
        *ret_refused = false;
        if (natsMsg_GetMetaData(&meta, message) != NATS_OK)
                return NULL;
        weft_remote_call *job = calloc(1, sizeof(*job) + (size_t)size + 1);
        if (job) {
                job->refs = 1;
                job->function = function;
                strcpy(job->id, id);
                strcpy(job->client, client);
                job->delivery = (unsigned)meta->NumDelivered;
                job->deadline = deadline_of(function->remote, message, meta->Timestamp);
                job->size = (size_t)size;
                if (size > 0)
                        memcpy(job->args, natsMsg_GetData(message), (size_t)size);
                job->ack = strdup(natsMsg_GetReply(message));
                if (!job->ack || weft__remote_get_context(message, &job->context) < 0) {
                        destroy(job);
                        job = NULL;
                }
        }
        jsMsgMetaData_Destroy(meta);
        return job;
}

/* That of this process, under the lock; NULL: it has none. */
static weft_remote_call *job_of(weft_remote *remote, const char *name, const char *id)
{
        weft_remote_call *job = remote->jobs;
        while (job && (strcmp(job->function->name, name) != 0 || strcmp(job->id, id) != 0))
                job = job->next;
        return job;
}

/* Among those of this process; false: it is there already, and is acknowledged by this delivery. */
static bool link_in(weft_remote_call *job)
{
        weft_remote *remote = job->function->remote;
        weft__remote_lock(remote);
        weft_remote_call *twin = job_of(remote, job->function->name, job->id);
        if (twin) {
                char *ack = twin->ack;
                twin->ack = job->ack;
                job->ack = ack;
                remote->stats.repeated++;
        } else {
                job->next = remote->jobs;
                remote->jobs = job;
                remote->running++;
                remote->guests++;
        }
        remote->stats.received++;
        remote->stats.redelivered += job->delivery > 1;
        weft__remote_unlock(remote);
        return !twin;
}

/* One that there is no use for: its slot is free. */
static void send_back(struct function *function, natsMsg *message, const char *what)
{
        const char *reply = natsMsg_GetReply(message);
        if (reply)
                natsConnection_PublishString(function->remote->connection, reply, what);
        weft_semaphore_post(&function->slots);
        natsMsg_Destroy(message);
}

void weft__remote_deliver(struct function *function, natsMsg *message)
{
        weft_remote *remote = function->remote;
        bool refused = false;
        weft__remote_lock(remote);
        bool stopping = remote->stopping;
        weft__remote_unlock(remote);
        weft_remote_call *job = stopping ? NULL : read_message(function, message, &refused);
        if (!job) {
                weft__remote_lock(remote);
                remote->stats.received++;
                remote->stats.refused += refused;
                weft__remote_unlock(remote);
                send_back(function, message,
                          refused    ? "+TERM"
                          : stopping ? WEFT__REMOTE_NOW
                                     : WEFT__REMOTE_LATER);
                return;
        }
        natsMsg_Destroy(message);
        if (!link_in(job)) {
                weft__remote_unref_job(job);
                weft_semaphore_post(&function->slots);
        } else {
                weft__remote_conduct(job);
        }
}

/* ---- while it runs ---- */

/* Mark it, if its client did that, and cancel the function's task. Takes over a reference. */
static void cancel(weft_remote_call *job, bool called_off)
{
        weft_remote *remote = job->function->remote;
        weft__remote_lock(remote);
        job->called_off |= called_off;
        weft_task *task = weft_task_ref(job->task);
        weft__remote_unlock(remote);
        weft_task_cancel(task);
        weft_task_unref(task);
        weft__remote_unref_job(job);
}

/* The second loop is for those whose message to cancel was lost. */
void weft__remote_heartbeat(weft_remote *remote)
{
        size_t n;
        weft_remote_call **jobs = all_jobs(remote, &n);
        for (size_t i = 0; i < n; i++)
                weft__remote_acknowledge(jobs[i], "+WPI");
        bool asking = true;
        for (size_t i = 0; i < n; i++) {
                int result;
                int r = -EAGAIN;
                asking = asking &&
                         natsConnection_Status(remote->connection) == NATS_CONN_STATUS_CONNECTED;
                if (asking)
                        r = weft__remote_find_record(remote, "cancel", jobs[i]->function->name,
                                                     jobs[i]->id, &result, NULL);
                asking = r != -EAGAIN;
                if (r == 0)
                        cancel(jobs[i], true);
                else
                        weft__remote_unref_job(jobs[i]);
        }
        free(jobs);
}

void weft__remote_on_cancel(natsConnection *connection, natsSubscription *subscription,
                            natsMsg *message, void *arg)
{
        weft_remote *remote = arg;
        char name[NAME_SIZE], id[ID_SIZE];
        weft_remote_call *job = NULL;
        (void)connection;
        (void)subscription;
        if (weft__remote_read_subject(natsMsg_GetSubject(message), name, id)) {
                weft__remote_lock(remote);
                job = job_of(remote, name, id);
                if (job)
                        job->refs++;
                weft__remote_unlock(remote);
        }
        if (job)
                cancel(job, true);
        natsMsg_Destroy(message);
}

void weft__remote_cancel_all(weft_remote *remote)
{
        size_t n;
        weft_remote_call **jobs = all_jobs(remote, &n);
        for (size_t i = 0; i < n; i++)
                cancel(jobs[i], false);
        free(jobs);
}

/* ---- what the function asks ---- */

const void *weft_remote_args(const weft_remote_call *call, size_t *ret_size)
{
        if (ret_size)
                *ret_size = call->size;
        return call->args;
}

const char *weft_remote_id(const weft_remote_call *call)
{
        return call->id;
}

unsigned weft_remote_delivery(const weft_remote_call *call)
{
        return call->delivery;
}

int weft_remote_reply(weft_remote_call *call, const void *data, size_t size)
{
        if (!call || (!data && size > 0))
                return -EINVAL;
        if (size > WEFT_REMOTE_BYTES_MAX)
                return -EMSGSIZE;
        char *copy = size > 0 ? malloc(size) : NULL;
        if (size > 0 && !copy)
                return -ENOMEM;
        if (copy)
                memcpy(copy, data, size);
        free(call->reply.data);
        call->reply = (weft_remote_data){copy, size};
        return 0;
}
