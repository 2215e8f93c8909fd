/* SPDX-License-Identifier: MIT
 *
 * What the server keeps: the queue of calls, the records, a consumer for each function. All of this
 * asks the server and blocks for its answer, up to two seconds.
 *
 *   PREFIX-calls  PREFIX.call.NAME          the queue: a call is there until it is acknowledged
 *   PREFIX-done   PREFIX.done.NAME.ID       the record of a call: its result; the first one stays
 *                 PREFIX.cancel.NAME.ID     that the client's task has ended, and by which error
 *                 PREFIX.clock.CLIENT       for the clock; the last one stays
 *   not stored    PREFIX.reply.CLIENT       a record, for the client that waits for it
 *
 * A record is found by its subject. That there is but one is the server's doing: it is stored on
 * the condition that the subject has none.
 */
#include "remote.h"

#include <string.h>

int weft__remote_error(natsStatus status, jsErrCode code)
{
        switch ((int)code) {
        case JSStreamWrongLastSequenceErr:
                return -EEXIST;
        case JSNoMessageFoundErr:
        case JSStreamNotFoundErr:
        case JSConsumerNotFoundErr:
                return -ENOENT;
        case JSStreamMessageExceedsMaximumErr:
                return -EMSGSIZE;
        case JSClusterNotAvailErr:
        case JSClusterNotLeaderErr:
        case JSClusterIncompleteErr:
        case JSStreamOfflineErr:
        case JSConsumerOfflineErr:
        case JSNotEnabledErr:
        case 0:
                break;
        default:
                return -EIO;
        }
        switch (status) {
        case NATS_OK:
                return 0;
        case NATS_NOT_FOUND:
                return -ENOENT;
        case NATS_MAX_PAYLOAD:
                return -EMSGSIZE;
        case NATS_NO_MEMORY:
                return -ENOMEM;
        default:
                return -EAGAIN;
        }
}

/* ---- making them ---- */

static int add_stream(weft_remote *remote, jsStreamConfig *config)
{
        jsErrCode code = 0;
        config->Storage = js_FileStorage;
        config->Replicas = remote->replicas;
        natsStatus status = js_AddStream(NULL, remote->js, config, NULL, &code);
        /* One that is there, made in another way, will do. */
        return code == JSStreamNameExistErr ? 0 : weft__remote_error(status, code);
}

int weft__remote_make_streams(weft_remote *remote)
{
        char done[SUBJECT_SIZE], cancel[SUBJECT_SIZE], clock[SUBJECT_SIZE], call[SUBJECT_SIZE];
        weft__remote_subject(remote, call, "call", "*", NULL);
        weft__remote_subject(remote, done, "done", "*", "*");
        weft__remote_subject(remote, cancel, "cancel", "*", "*");
        weft__remote_subject(remote, clock, "clock", "*", NULL);
        jsStreamConfig config;

        jsStreamConfig_Init(&config);
        config.Name = remote->queue;
        config.Subjects = (const char *[]){call};
        config.SubjectsLen = 1;
        config.Retention = js_WorkQueuePolicy;
        /* No longer than a record lasts, or nobody would find what the second one is one of. */
        config.Duplicates = remote->keep < 600 * SECOND ? remote->keep : 600 * SECOND;
        config.MaxMsgSize = WEFT_REMOTE_BYTES_MAX + 2 * WEFT_REMOTE_HEADER_BYTES_MAX;
        int r = add_stream(remote, &config);
        if (r < 0)
                return r;

        jsStreamConfig_Init(&config);
        config.Name = remote->records;
        config.Subjects = (const char *[]){done, cancel, clock};
        config.SubjectsLen = 3;
        config.Retention = js_LimitsPolicy;
        config.MaxAge = remote->keep;
        config.Duplicates = remote->keep < 120 * SECOND ? remote->keep : 120 * SECOND;
        config.MaxMsgsPerSubject = 1;
        config.MaxMsgSize = WEFT_REMOTE_BYTES_MAX + 4096;
        return add_stream(remote, &config);
}

int weft__remote_make_consumer(weft_remote *remote, struct function *function)
{
        char subject[SUBJECT_SIZE];
        jsErrCode code = 0;
        jsConsumerInfo *info = NULL;
        natsStatus status =
            js_GetConsumerInfo(&info, remote->js, remote->queue, function->name, NULL, &code);
        int r = weft__remote_error(status, code);
        if (r == 0 && info->Config && info->Config->AckWait > 0) {
                weft__remote_lock(remote);
                if (info->Config->AckWait < remote->ack_wait)
                        remote->ack_wait = info->Config->AckWait;
                weft__remote_unlock(remote);
        }
        jsConsumerInfo_Destroy(info);
        if (r != -ENOENT)
                return r;

        r = weft__remote_make_streams(remote);
        if (r < 0)
                return r;
        weft__remote_subject(remote, subject, "call", function->name, NULL);
        jsConsumerConfig config;
        jsConsumerConfig_Init(&config);
        config.Durable = function->name;
        config.FilterSubject = subject;
        config.AckPolicy = js_AckExplicit;
        config.AckWait = remote->ack_wait;
        config.MaxDeliver = -1; /* max_deliver is the worker's, who stores why */
        config.MaxAckPending = -1;
        code = 0;
        status = js_AddConsumer(NULL, remote->js, remote->queue, &config, NULL, &code);
        return weft__remote_error(status, code);
}

/* ---- storing ---- */

/* Publish, and make the streams if nobody listens for the subject. */
static int store(weft_remote *remote, natsMsg *message, jsPubOptions *options, jsPubAck **ret_ack)
{
        jsErrCode code = 0;
        natsStatus status = js_PublishMsg(ret_ack, remote->js, message, options, &code);
        int r = weft__remote_error(status, code);
        if (status == NATS_NO_RESPONDERS) {
                int made = weft__remote_make_streams(remote);
                if (made < 0 && made != -ENOENT)
                        r = made;
        }
        return r;
}

int weft__remote_store_call(weft_remote *remote, natsMsg *message)
{
        jsPubAck *ack = NULL;
        int r = store(remote, message, NULL, &ack);
        if (r == 0 && ack && ack->Duplicate)
                r = 1;
        jsPubAck_Destroy(ack);
        return r;
}

int weft__remote_store_record(weft_remote *remote, const char *word, const char *name,
                              const char *id, int result, const weft_remote_data *data)
{
        char subject[SUBJECT_SIZE];
        natsMsg *message = NULL;
        jsPubAck *ack = NULL;
        jsPubOptions options;
        weft__remote_subject(remote, subject, word, name, id);
        if (natsMsg_Create(&message, subject, NULL, data ? data->data : NULL,
                           data ? (int)data->size : 0) != NATS_OK)
                return -ENOMEM;
        int r = weft__remote_put_number(message, "Weft-Result", result);
        if (r < 0) {
                natsMsg_Destroy(message);
                return r;
        }
        jsPubOptions_Init(&options);
        options.ExpectNoMessage = true;
        r = store(remote, message, &options, &ack);
        jsPubAck_Destroy(ack);
        natsMsg_Destroy(message);
        return r;
}

int weft__remote_find_record(weft_remote *remote, const char *word, const char *name,
                             const char *id, int *ret_result, weft_remote_data *ret_data)
{
        char subject[SUBJECT_SIZE];
        natsMsg *message = NULL;
        jsErrCode code = 0;
        int64_t result;
        weft__remote_subject(remote, subject, word, name, id);
        natsStatus status =
            js_GetLastMsg(&message, remote->js, remote->records, subject, NULL, &code);
        int r = weft__remote_error(status, code);
        if (r == 0 &&
            !weft__remote_get_number(message, "Weft-Result", INT32_MIN, INT32_MAX, &result))
                r = -ENOENT;
        if (r == 0 && ret_data)
                r = weft__remote_get_data(message, ret_data);
        if (r == 0)
                *ret_result = (int)result;
        natsMsg_Destroy(message);
        return r;
}

/* ---- the server's clock ---- */

/* A message is stored, and the server asked when that was: between our two times. */
void weft__remote_measure_clock(weft_remote *remote)
{
        char subject[SUBJECT_SIZE];
        natsMsg *message = NULL;
        jsErrCode code = 0;
        weft__remote_subject(remote, subject, "clock", remote->client, NULL);
        int64_t before = weft_now();
        if (js_Publish(NULL, remote->js, subject, NULL, 0, NULL, &code) != NATS_OK)
                return;
        int64_t after = weft_now();
        if (js_GetLastMsg(&message, remote->js, remote->records, subject, NULL, &code) != NATS_OK)
                return;
        int64_t then = natsMsg_GetTime(message);
        natsMsg_Destroy(message);
        weft__remote_lock(remote);
        remote->clock = then - (before + (after - before) / 2);
        weft__remote_unlock(remote);
}
