/* SPDX-License-Identifier: MIT
 *
 * The client: a call is a task that stores it in the queue, and waits for its record.
 *
 * The record comes by itself, as a message of the worker's. What that misses is found by asking the
 * server: when the connection is there again, and from time to time, more and more seldom, for
 * workers that die between storing a record and telling of it.
 */
#include "remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- those that wait ---- */

static struct submission **bucket_of(weft_remote *remote, const char *name, const char *id)
{
        uint32_t hash = 2166136261u; /* FNV-1a */
        for (; *name; name++)
                hash = (hash ^ (unsigned char)*name) * 16777619u;
        for (; *id; id++)
                hash = (hash ^ (unsigned char)*id) * 16777619u;
        return &remote->waiting[hash % BUCKETS];
}

static void link_in(struct submission *s)
{
        struct submission **bucket = bucket_of(s->remote, s->name, s->id);
        weft__remote_lock(s->remote);
        s->next = *bucket;
        *bucket = s;
        weft__remote_unlock(s->remote);
}

static void unlink_from(struct submission *s)
{
        struct submission **at = bucket_of(s->remote, s->name, s->id);
        weft__remote_lock(s->remote);
        while (*at != s)
                at = &(*at)->next;
        *at = s->next;
        s->remote->stats.submitted += s->stored;
        s->remote->stats.answered += s->answered;
        weft__remote_unlock(s->remote);
}

/* Under the lock. The data become the submission's. */
static void answer(struct submission *s, int result, weft_remote_data *data)
{
        s->answered = true;
        s->result = result;
        s->data = *data;
        *data = (weft_remote_data){0};
        weft_event_set(&s->news);
}

static bool is_answered(struct submission *s)
{
        weft__remote_lock(s->remote);
        bool answered = s->answered;
        weft__remote_unlock(s->remote);
        return answered;
}

void weft__remote_on_reply(natsConnection *connection, natsSubscription *subscription,
                           natsMsg *message, void *arg)
{
        weft_remote *remote = arg;
        char name[ID_SIZE], id[ID_SIZE];
        int64_t result;
        (void)connection;
        (void)subscription;
        if (weft__remote_get_id(message, "Weft-Name", name) && weft__remote_is_name(name) &&
            weft__remote_get_id(message, "Weft-Id", id) &&
            weft__remote_get_number(message, "Weft-Result", INT32_MIN, INT32_MAX, &result) &&
            natsMsg_GetDataLength(message) <= WEFT_REMOTE_BYTES_MAX) {
                weft__remote_lock(remote);
                for (struct submission *s = *bucket_of(remote, name, id); s; s = s->next) {
                        weft_remote_data data;
                        /* Without memory it stays with the record, which is asked for later. */
                        if (strcmp(s->id, id) == 0 && strcmp(s->name, name) == 0 && !s->answered &&
                            weft__remote_get_data(message, &data) == 0)
                                answer(s, (int)result, &data);
                }
                weft__remote_unlock(remote);
        }
        natsMsg_Destroy(message);
}

/* What a call does with each that waits. */
static void each(weft_remote *remote, void (*visit)(struct submission *, const void *),
                 const void *arg)
{
        weft__remote_lock(remote);
        for (size_t i = 0; i < BUCKETS; i++)
                for (struct submission *s = remote->waiting[i]; s; s = s->next)
                        visit(s, arg);
        weft__remote_unlock(remote);
}

static void tell(struct submission *s, const void *unused)
{
        (void)unused;
        weft_event_set(&s->news);
}

void weft__remote_news(weft_remote *remote)
{
        each(remote, tell, NULL);
}

static void forbid(struct submission *s, const void *text)
{
        char subject[SUBJECT_SIZE], quoted[SUBJECT_SIZE + 2];
        weft__remote_subject(s->remote, subject, "call", s->name, NULL);
        snprintf(quoted, sizeof(quoted), "\"%s\"", subject);
        if (!s->answered && strstr(text, quoted))
                answer(s, -EACCES, &(weft_remote_data){0});
}

void weft__remote_forbidden(weft_remote *remote, const char *text)
{
        each(remote, forbid, text);
}

/* ---- storing the call ---- */

/* In the caller's context, of which so much crosses as may leave the process (C12). */
static int make_message(struct submission *s, const void *args, size_t size)
{
        char subject[SUBJECT_SIZE], key[NAME_SIZE + ID_SIZE];
        weft__remote_subject(s->remote, subject, "call", s->name, NULL);
        snprintf(key, sizeof(key), "%s.%s", s->name, s->id);
        if (natsMsg_Create(&s->message, subject, NULL, args, (int)size) != NATS_OK ||
            natsMsgHeader_Set(s->message, "Nats-Msg-Id", key) != NATS_OK ||
            natsMsgHeader_Set(s->message, "Weft-Id", s->id) != NATS_OK ||
            natsMsgHeader_Set(s->message, "Weft-Client", s->remote->client) != NATS_OK)
                return -ENOMEM;
        /* Written again when it is sent; here, so that it is counted. */
        if (weft_deadline() != WEFT_FOREVER &&
            weft__remote_put_number(s->message, "Weft-Left", INT64_MAX) < 0)
                return -ENOMEM;
        return weft__remote_put_context(s->message);
}

static int send_message(void *arg)
{
        struct submission *s = arg;
        return weft__remote_store_call(s->remote, s->message);
}

/* Once, with the time that is left as of now: as weft__remote_store_call(). */
static int try_to_send(struct submission *s)
{
        int64_t deadline = weft_deadline();
        int r = 0;
        if (deadline != WEFT_FOREVER)
                r = weft__remote_put_number(s->message, "Weft-Left", deadline - weft_now());
        if (r < 0)
                return r;
        s->sent = true; /* or so it may be */
        r = weft__remote_blocking(s->remote, send_message, s);
        return r == -ENOENT ? -EAGAIN : r;
}

/* Until the server has it, whatever that takes. */
static int send_call(struct submission *s)
{
        for (;;) {
                int r = weft__remote_connected(s->remote, WEFT_FOREVER);
                if (r == 0)
                        r = try_to_send(s);
                if (r != -EAGAIN || is_answered(s))
                        return r;
                r = weft_sleep_until(weft_now() + SECOND / 10);
                if (r < 0)
                        return r;
        }
}

/* ---- waiting for the record ---- */

struct looking {
        struct submission *submission;
        int result;
        weft_remote_data data;
};

static int find_record(void *arg)
{
        struct looking *looking = arg;
        struct submission *s = looking->submission;
        return weft__remote_find_record(s->remote, "done", s->name, s->id, &looking->result,
                                        &looking->data);
}

static void look_for_record(struct submission *s)
{
        struct looking looking = {.submission = s};
        if (weft__remote_blocking(s->remote, find_record, &looking) < 0)
                return;
        weft__remote_lock(s->remote);
        if (!s->answered)
                answer(s, looking.result, &looking.data);
        weft__remote_unlock(s->remote);
        free(looking.data.data);
}

/* Clear the news, but for the answer, which stays. */
static bool still_waiting(struct submission *s)
{
        weft__remote_lock(s->remote);
        bool waiting = !s->answered;
        if (waiting)
                weft_event_reset(&s->news);
        weft__remote_unlock(s->remote);
        return waiting;
}

static int wait_for_record(struct submission *s)
{
        int64_t pause = s->doubled ? SECOND / 20 : 2 * SECOND;
        while (still_waiting(s)) {
                int r = weft__remote_connected(s->remote, WEFT_FOREVER);
                if (r < 0)
                        return r;
                r = weft_event_wait(&s->news, weft_now() + pause);
                if (r < 0 && (r != -ETIMEDOUT || weft_cancelled() < 0))
                        return r;
                if (!is_answered(s))
                        look_for_record(s);
                pause = pause < 30 * SECOND ? 2 * pause : pause;
        }
        return 0;
}

/* ---- the end of the task before there is one ---- */

struct calling_off {
        struct submission *submission;
        int reason;
};

static int store_end(void *arg)
{
        struct calling_off *off = arg;
        struct submission *s = off->submission;
        return weft__remote_store_record(s->remote, "cancel", s->name, s->id, off->reason, NULL);
}

/* Unless there is a result after all, those that might run it are told. */
static void call_off(struct submission *s, int reason)
{
        int64_t until = weft_now() + 2 * SECOND;
        WEFT_SHIELD {
                while (!is_answered(s) && weft__remote_connected(s->remote, until) == 0) {
                        int r = weft__remote_blocking(s->remote, store_end,
                                                      &(struct calling_off){s, reason});
                        if (r == -EAGAIN && weft_now() < until)
                                continue;
                        if (!is_answered(s))
                                look_for_record(s);
                        break;
                }
        }
}

/* ---- the task ---- */

static int submission_run(void *arg)
{
        struct submission *s = *(struct submission **)arg;
        link_in(s);
        int r = send_call(s);
        s->doubled = r == 1;
        s->stored = r >= 0;
        if (r >= 0)
                r = wait_for_record(s);
        bool called_off = s->sent && (r == -ECANCELED || r == -ETIMEDOUT);
        if (called_off)
                call_off(s, r);
        unlink_from(s);
        /* What the function came to because of that is not news. */
        if (!s->answered || (called_off && (s->result == -ECANCELED || s->result == -ETIMEDOUT)))
                return r;
        if (s->reply) {
                *s->reply = s->data;
                s->data = (weft_remote_data){0};
        }
        return s->result;
}

static void submission_drop(void *arg)
{
        struct submission *s = *(struct submission **)arg;
        weft_remote *remote = s->remote;
        natsMsg_Destroy(s->message);
        free(s->data.data);
        free(s);
        weft__remote_leave(remote);
}

static int submit(weft_remote *remote, weft_task **ret, const char *name, const char *id,
                  const void *args, size_t size, weft_remote_data *reply)
{
        if (!remote || !ret || (!args && size > 0) || !weft__remote_is_name(name))
                return -EINVAL;
        if (size > WEFT_REMOTE_BYTES_MAX)
                return -EMSGSIZE;
        if (remote->owner != getpid())
                return -EOWNERDEAD;
        struct submission *s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->remote = remote;
        s->reply = reply;
        weft_event_init(&s->news);
        strcpy(s->name, name);
        strcpy(s->id, id);
        weft__remote_enter(remote);
        int r = make_message(s, args, size);
        if (r == 0 && reply)
                *reply = (weft_remote_data){0};
        if (r == 0)
                r = weft_spawn_closure(NULL, ret, submission_run, &s, sizeof(s), submission_drop);
        if (r < 0)
                submission_drop(&s);
        return r;
}

int weft_remote_submit(weft_remote *remote, weft_task **ret, const char *name, const void *args,
                       size_t size, weft_remote_data *reply)
{
        char id[ID_SIZE];
        weft__remote_random_id(id);
        return submit(remote, ret, name, id, args, size, reply);
}

int weft_remote_submit_once(weft_remote *remote, weft_task **ret, const char *name, const char *id,
                            const void *args, size_t size, weft_remote_data *reply)
{
        if (!weft__remote_is_id(id))
                return -EINVAL;
        return submit(remote, ret, name, id, args, size, reply);
}

void weft_remote_data_free(weft_remote_data *reply)
{
        if (!reply)
                return;
        free(reply->data);
        *reply = (weft_remote_data){0};
}
