/* SPDX-License-Identifier: MIT
 *
 * A delivery at the worker, from when it is among the jobs (delivery.c) to the record and the
 * acknowledgement.
 *
 * Two tasks of the pool. The conductor, in the empty context and shielded, asks whether there is a
 * record already, or the call has been called off; has the function run as a task of its own, in
 * the call's context and under its deadline; stores the record, and only then acknowledges. So
 * wherever a worker dies the call is delivered again, and whoever has it next finds the record if
 * it was stored.
 *
 * An acknowledgement is a message to the subject that came with the delivery. Nothing waits for it:
 * one that is lost leads to a delivery that finds the record.
 */
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is to be done with a delivery, besides results that are to be recorded. */
enum { RUN = 1, RECORDED = 2 };

/* ---- acknowledging ---- */

void weft__remote_acknowledge(weft_remote_call *job, const char *what)
{
        weft_remote *remote = job->function->remote;
        weft__remote_lock(remote);
        char *ack = strdup(job->ack);
        weft__remote_unlock(remote);
        if (ack)
                natsConnection_PublishString(remote->connection, ack, what);
        free(ack);
}

/* Tell the client that waits. It finds the record without, but later. */
static void notify(weft_remote_call *job, int result, const weft_remote_data *data)
{
        weft_remote *remote = job->function->remote;
        char subject[SUBJECT_SIZE];
        natsMsg *message = NULL;
        weft__remote_subject(remote, subject, "reply", job->client, NULL);
        if (natsMsg_Create(&message, subject, NULL, data->data, (int)data->size) != NATS_OK)
                return;
        if (natsMsgHeader_Set(message, "Weft-Name", job->function->name) == NATS_OK &&
            natsMsgHeader_Set(message, "Weft-Id", job->id) == NATS_OK &&
            weft__remote_put_number(message, "Weft-Result", result) == 0)
                natsConnection_PublishMsg(remote->connection, message);
        natsMsg_Destroy(message);
}

/* ---- asking and storing, off the workers ---- */

struct asking {
        weft_remote_call *job;
        const char *word;
        int result;
        weft_remote_data data;
};

static int ask(void *arg)
{
        struct asking *a = arg;
        return weft__remote_find_record(a->job->function->remote, a->word, a->job->function->name,
                                        a->job->id, &a->result, &a->data);
}

static int record(void *arg)
{
        struct asking *a = arg;
        return weft__remote_store_record(a->job->function->remote, a->word, a->job->function->name,
                                         a->job->id, a->result, &a->data);
}

static bool abandoned(weft_remote *remote)
{
        weft__remote_lock(remote);
        bool abandoned = remote->abandoning || remote->closed;
        weft__remote_unlock(remote);
        return abandoned;
}

/* Until the server has answered, or nobody is to wait for it any more: then -EAGAIN. */
static int insist(struct asking *asking, weft_fn *fn)
{
        weft_remote *remote = asking->job->function->remote;
        for (;;) {
                int r = weft__remote_connected(remote, weft_now() + SECOND);
                if (r == 0)
                        r = weft__remote_blocking(remote, fn, asking);
                if (r == 0 || r == -ENOENT || r == -EEXIST || r == -EMSGSIZE)
                        return r;
                if (abandoned(remote))
                        return -EAGAIN;
                weft_sleep_until(weft_now() + SECOND / 10);
        }
}

/* Whether to run it: RUN; RECORDED; the result that it has without; -EAGAIN: it is given back. */
static int decide(weft_remote_call *job)
{
        weft_remote *remote = job->function->remote;
        struct asking done = {.job = job, .word = "done"};
        struct asking off = {.job = job, .word = "cancel"};
        int r = insist(&done, ask);
        if (r == 0) {
                notify(job, done.result, &done.data);
                free(done.data.data);
                return RECORDED;
        }
        if (r != -ENOENT)
                return -EAGAIN;
        r = insist(&off, ask);
        free(off.data.data);
        if (r == 0)
                return off.result == -ETIMEDOUT ? -ETIMEDOUT : -ECANCELED;
        if (r != -ENOENT)
                return -EAGAIN;
        if (job->delivery > remote->max_deliver)
                return -ENOTRECOVERABLE;
        return RUN;
}

/* ---- the function's task ---- */

static int function_run(void *arg)
{
        weft_remote_call *job = arg;
        return job->function->fn(job, job->function->arg);
}

struct spawning {
        weft_remote_call *job;
        weft_task *task;
};

static int spawn_in_context(void *arg)
{
        struct spawning *spawning = arg;
        weft_remote *remote = spawning->job->function->remote;
        if (spawning->job->deadline == WEFT_FOREVER)
                return weft_spawn(remote->pool, &spawning->task, function_run, spawning->job);
        int r = -ENOMEM;
        WEFT_DEADLINE (spawning->job->deadline)
                r = weft_spawn(remote->pool, &spawning->task, function_run, spawning->job);
        return r;
}

/* *ret_result is what it has come to; or -EAGAIN: no task could be had. */
static int run(weft_remote_call *job, int *ret_result)
{
        weft_remote *remote = job->function->remote;
        struct spawning spawning = {.job = job};
        int r = weft_context_run(job->context, spawn_in_context, &spawning, NULL);
        if (r < 0)
                return -EAGAIN;
        weft__remote_lock(remote);
        job->task = spawning.task;
        bool cancel = job->called_off || remote->abandoning;
        remote->stats.run++;
        weft__remote_unlock(remote);
        if (cancel)
                weft_task_cancel(spawning.task);
        while (weft_task_result(spawning.task, ret_result) < 0) /* shielded: want of memory */
                weft_await(spawning.task, WEFT_FOREVER);
        weft__remote_lock(remote);
        job->task = NULL;
        weft__remote_unlock(remote);
        weft_task_unref(spawning.task);
        return 0;
}

/* Whether it has ended so because this worker stops, and not because its client has. */
static bool is_interrupted(weft_remote_call *job, int result)
{
        weft_remote *remote = job->function->remote;
        weft__remote_lock(remote);
        bool interrupted = result == -ECANCELED && remote->abandoning && !job->called_off;
        weft__remote_unlock(remote);
        return interrupted;
}

/* ---- the conductor ---- */

static void store_result(weft_remote_call *job, int result)
{
        struct asking done = {.job = job, .word = "done", .result = result, .data = job->reply};
        int r = insist(&done, record);
        if (r == -EMSGSIZE) {
                done.result = -EMSGSIZE;
                done.data = (weft_remote_data){0};
                r = insist(&done, record);
        }
        if (r == 0)
                notify(job, done.result, &done.data);
        if (r == 0 || r == -EEXIST)
                weft__remote_acknowledge(job, "+ACK");
        else
                weft__remote_acknowledge(job, WEFT__REMOTE_NOW);
}

static void conduct(weft_remote_call *job)
{
        weft_remote *remote = job->function->remote;
        int result = decide(job);
        if (result == RECORDED) {
                weft__remote_acknowledge(job, "+ACK");
        } else if (result == -EAGAIN) {
                weft__remote_acknowledge(job, WEFT__REMOTE_NOW);
        } else if (result != RUN) {
                store_result(job, result);
        } else if (run(job, &result) < 0) {
                weft__remote_acknowledge(job, WEFT__REMOTE_LATER);
                return;
        } else if (is_interrupted(job, result)) {
                weft__remote_acknowledge(job, WEFT__REMOTE_NOW);
                return;
        } else {
                store_result(job, result);
                return;
        }
        weft__remote_lock(remote);
        remote->stats.repeated += result == RECORDED;
        remote->stats.given_up += result == -ENOTRECOVERABLE;
        weft__remote_unlock(remote);
}

/* The job is no more among those of this process; its slot is free. */
static void leave(weft_remote_call *job)
{
        struct function *function = job->function;
        weft_remote *remote = function->remote;
        weft__remote_lock(remote);
        weft_remote_call **at = &remote->jobs;
        while (*at != job)
                at = &(*at)->next;
        *at = job->next;
        weft__remote_unlock(remote);
        weft__remote_unref_job(job);
        weft_semaphore_post(&function->slots);
        weft__remote_lock(remote);
        if (--remote->running == 0 && remote->quiet)
                weft_event_set(&remote->drained);
        weft__remote_unlock(remote);
        weft__remote_leave(remote);
}

static int conductor(void *arg)
{
        weft_remote_call *job = *(weft_remote_call **)arg;
        job->conducted = true;
        WEFT_SHIELD
                conduct(job);
        return 0;
}

/* The task's end, or what comes instead: its pool may have cancelled it. */
static void conductor_end(void *arg)
{
        weft_remote_call *job = *(weft_remote_call **)arg;
        if (!job->conducted)
                weft__remote_acknowledge(job, WEFT__REMOTE_LATER);
        leave(job);
}

void weft__remote_conduct(weft_remote_call *job)
{
        if (weft_submit_closure(job->function->remote->pool, conductor, &job, sizeof(job),
                                conductor_end) < 0)
                conductor_end(&job);
}
