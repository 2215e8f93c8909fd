/* SPDX-License-Identifier: MIT
 *
 * The worker: functions, and the threads that fetch calls for them and keep those that run alive.
 *
 * A thread for each function asks the server for as many calls as may run, a second at a time, and
 * the server gives each call to one of all workers that ask. The heart is a thread of its own, so
 * that it beats though all of the pool's workers compute.
 */
#include "remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 32, FETCH_MS = 1000, IDLE_LOOK = 5 };

/* ---- functions ---- */

static struct function *function_of(weft_remote *remote, const char *name)
{
        for (unsigned i = 0; i < remote->functions_count; i++)
                if (strcmp(remote->functions[i]->name, name) == 0)
                        return remote->functions[i];
        return NULL;
}

int weft_remote_register(weft_remote *remote, const char *name, weft_remote_fn *fn, void *arg)
{
        if (!remote || !fn || !weft__remote_is_name(name))
                return -EINVAL;
        if (remote->owner != getpid())
                return -EOWNERDEAD;
        struct function *function = calloc(1, sizeof(*function));
        if (!function)
                return -ENOMEM;
        function->remote = remote;
        function->fn = fn;
        function->arg = arg;
        strcpy(function->name, name);
        weft__remote_lock(remote);
        int r = remote->serving || function_of(remote, name) ? -EALREADY
                : remote->functions_count == FUNCTIONS_MAX   ? -ENOMEM
                                                             : 0;
        if (r == 0)
                remote->functions[remote->functions_count++] = function;
        weft__remote_unlock(remote);
        if (r < 0)
                free(function);
        return r;
}

/* ---- fetching ---- */

static bool stopping(weft_remote *remote)
{
        weft__remote_lock(remote);
        bool stopping = remote->stopping;
        weft__remote_unlock(remote);
        return stopping;
}

/* Wait, unless this is the end. */
static void pause_for(weft_remote *remote, int64_t ns)
{
        weft_event_wait(&remote->stop, weft_now() + ns);
}

/* The subscription to the function's consumer, both made if they are missing. */
static bool attach(struct function *function)
{
        weft_remote *remote = function->remote;
        char subject[SUBJECT_SIZE];
        jsErrCode code = 0;
        if (function->pull)
                return true;
        if (weft__remote_connected(remote, weft_now() + SECOND / 2) < 0 ||
            weft__remote_make_consumer(remote, function) < 0)
                return false;
        weft__remote_measure_clock(remote);
        jsSubOptions options;
        jsSubOptions_Init(&options);
        options.Stream = remote->queue;
        options.Consumer = function->name;
        options.ManualAck = true;
        weft__remote_subject(remote, subject, "call", function->name, NULL);
        return js_PullSubscribe(&function->pull, remote->js, subject, function->name, NULL,
                                &options, &code) == NATS_OK;
}

static void detach(struct function *function)
{
        natsSubscription_Destroy(function->pull);
        function->pull = NULL;
        function->idle = 0;
}

/* Slots for a batch, at least one: how many; 0: there are none yet. */
static int take_slots(struct function *function)
{
        int n = 0;
        while (n < BATCH &&
               weft_semaphore_wait(&function->slots, n == 0 ? weft_now() + SECOND / 5 : 0) == 0)
                n++;
        return n;
}

/* Now and then, look whether the consumer is still there for whom nothing comes. */
static void after_idle(struct function *function)
{
        jsErrCode code = 0;
        jsConsumerInfo *info = NULL;
        if (++function->idle < IDLE_LOOK)
                return;
        function->idle = 0;
        weft_remote *remote = function->remote;
        natsStatus status =
            js_GetConsumerInfo(&info, remote->js, remote->queue, function->name, NULL, &code);
        jsConsumerInfo_Destroy(info);
        if (weft__remote_error(status, code) == -ENOENT)
                detach(function);
}

static void fetch(struct function *function, int slots)
{
        natsMsgList list = {0};
        jsErrCode code = 0;
        natsStatus status = natsSubscription_Fetch(&list, function->pull, slots, FETCH_MS, &code);
        int n = status == NATS_OK ? list.Count : 0;
        for (int i = 0; i < n; i++) {
                weft__remote_deliver(function, list.Msgs[i]);
                list.Msgs[i] = NULL;
        }
        natsMsgList_Destroy(&list);
        for (int i = n; i < slots; i++)
                weft_semaphore_post(&function->slots);
        if (n > 0)
                function->idle = 0;
        else if (status == NATS_TIMEOUT)
                after_idle(function);
        else
                detach(function);
}

static void *fetcher(void *arg)
{
        struct function *function = arg;
        weft_remote *remote = function->remote;
        while (!stopping(remote)) {
                int slots = take_slots(function);
                if (slots == 0)
                        continue;
                if (attach(function)) {
                        fetch(function, slots);
                        continue;
                }
                for (int i = 0; i < slots; i++)
                        weft_semaphore_post(&function->slots);
                pause_for(remote, SECOND / 5);
        }
        detach(function);
        nats_ReleaseThreadMemory();
        return NULL;
}

/* ---- the heart ---- */

static void *heart(void *arg)
{
        weft_remote *remote = arg;
        int64_t measured = weft_now();
        for (;;) {
                weft__remote_lock(remote);
                int64_t period = remote->ack_wait / 3;
                bool end = remote->ended;
                weft__remote_unlock(remote);
                if (end)
                        break;
                weft__remote_heartbeat(remote);
                if (weft_now() - measured > 60 * SECOND &&
                    natsConnection_Status(remote->connection) == NATS_CONN_STATUS_CONNECTED) {
                        weft__remote_measure_clock(remote);
                        measured = weft_now();
                }
                weft_event_wait(&remote->still, weft_now() + period);
        }
        nats_ReleaseThreadMemory();
        return NULL;
}

/* ---- serve and stop ---- */

static int begin(weft_remote *remote, unsigned at_once, weft_pool *pool)
{
        weft__remote_lock(remote);
        int r = remote->serving ? -EALREADY : remote->functions_count == 0 ? -EINVAL : 0;
        if (r == 0) {
                remote->serving = true;
                remote->pool = pool;
                for (unsigned i = 0; i < remote->functions_count; i++)
                        weft_semaphore_init(&remote->functions[i]->slots, at_once);
        }
        weft__remote_unlock(remote);
        return r;
}

int weft_remote_serve(weft_remote *remote, weft_pool *pool, unsigned at_once)
{
        if (!remote || at_once == 0 || at_once > 100000)
                return -EINVAL;
        if (remote->owner != getpid())
                return -EOWNERDEAD;
        if (!pool)
                pool = weft_pool_current();
        if (!pool)
                pool = weft_pool_default();
        if (!pool)
                return -ENOMEM;
        int r = begin(remote, at_once, pool);
        if (r < 0)
                return r;
        char subject[SUBJECT_SIZE];
        weft__remote_subject(remote, subject, "cancel", ">", NULL);
        r = weft__remote_subscribe(remote, &remote->cancels, subject, weft__remote_on_cancel);
        if (r == 0)
                r = -pthread_create(&remote->heart, NULL, heart, remote);
        remote->beating = r == 0;
        for (unsigned i = 0; r == 0 && i < remote->functions_count; i++) {
                struct function *function = remote->functions[i];
                r = -pthread_create(&function->thread, NULL, fetcher, function);
                function->fetching = r == 0;
        }
        if (r < 0) /* those that were started end; it cannot serve any more */
                weft_remote_stop(remote, WEFT_CANCEL, WEFT_FOREVER);
        return r;
}

/* Whether the task that calls is that of a function. */
static bool is_own_task(weft_remote *remote)
{
        weft_task *self = weft_task_current();
        bool own = false;
        weft__remote_lock(remote);
        for (weft_remote_call *job = remote->jobs; self && job; job = job->next)
                own |= job->task == self;
        weft__remote_unlock(remote);
        return own;
}

/* For weft_blocking(): within two seconds. */
static int join_fetchers(void *arg)
{
        weft_remote *remote = arg;
        for (unsigned i = 0; i < remote->functions_count; i++) {
                if (remote->functions[i]->fetching)
                        pthread_join(remote->functions[i]->thread, NULL);
                remote->functions[i]->fetching = false;
        }
        return 0;
}

static int join_heart(void *arg)
{
        weft_remote *remote = arg;
        if (remote->beating)
                pthread_join(remote->heart, NULL);
        remote->beating = false;
        natsSubscription_Unsubscribe(remote->cancels);
        natsConnection_FlushTimeout(remote->connection, REQUEST_MS); /* acknowledgements */
        return 0;
}

/* Wait for the threads that fetch, then for what they have fetched. */
static int wait_for_end(weft_remote *remote, int64_t deadline)
{
        int r = weft_blocking(join_fetchers, remote);
        if (r < 0)
                return r;
        weft__remote_lock(remote);
        remote->quiet = true;
        if (remote->running == 0)
                weft_event_set(&remote->drained);
        weft__remote_unlock(remote);
        r = weft_event_wait(&remote->drained, deadline);
        if (r < 0)
                return r;
        weft__remote_lock(remote);
        remote->ended = true;
        weft__remote_unlock(remote);
        weft_event_set(&remote->still);
        return weft_blocking(join_heart, remote);
}

int weft_remote_stop(weft_remote *remote, weft_shutdown how, int64_t deadline)
{
        if (!remote || (how != WEFT_DRAIN && how != WEFT_CANCEL))
                return -EINVAL;
        if (remote->owner != getpid())
                return -EOWNERDEAD;
        if (is_own_task(remote))
                return -EDEADLK;
        weft__remote_lock(remote);
        bool serving = remote->serving;
        remote->stopping = serving;
        remote->abandoning |= serving && how == WEFT_CANCEL;
        weft__remote_unlock(remote);
        if (!serving)
                return 0;
        weft_event_set(&remote->stop);
        if (how == WEFT_CANCEL)
                weft__remote_cancel_all(remote);
        int r = weft_mutex_lock(&remote->ending, deadline);
        if (r < 0)
                return r;
        r = wait_for_end(remote, deadline);
        weft_mutex_unlock(&remote->ending);
        return r;
}
