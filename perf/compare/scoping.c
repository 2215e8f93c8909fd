/* SPDX-License-Identifier: MIT
 *
 * The four scopings: see scoping.h.
 *
 * The thread-local ones share one pair of thread-locals, which is all that "set by the submitter"
 * and "set in the worker" are: they differ in who calls set. Carrying by hand is what a careful
 * programmer writes around every job of a pool that knows nothing of contexts. The weft vars need
 * nothing around a job at all.
 */
#include "scoping.h"

#include <stdint.h>

static _Thread_local struct scope thread_scope;

static weft_var current_request = WEFT_VAR_INIT("request");
static weft_var current_transaction = WEFT_VAR_INIT("transaction");

/* noinline: the address of a thread-local must not be kept across a wait of the caller. */
static __attribute__((noinline)) void thread_set(struct scope scope)
{
        thread_scope = scope;
}

static __attribute__((noinline)) struct scope thread_get(void)
{
        return thread_scope;
}

static void hand_prepare(struct job *job)
{
        job->carried = thread_get();
}

static struct scope hand_enter(const struct job *job)
{
        struct scope saved = thread_get();
        thread_set(job->carried);
        return saved;
}

static void hand_leave(struct scope saved)
{
        thread_set(saved);
}

static void var_set(struct scope scope)
{
        weft_set(&current_request, (void *)(intptr_t)scope.request, NULL);
        weft_set(&current_transaction, scope.transaction, NULL);
}

static struct scope var_get(void)
{
        return (struct scope){
            .request = (int)(intptr_t)weft_get(&current_request),
            .transaction = weft_get(&current_transaction),
        };
}

const struct scoping scopings[SCOPINGS] = {
    [BY_SUBMITTER] =
        {
            .name = "thread-local set by the submitter",
            .heading = {"_Thread_local", "set by the", "submitter"},
            .job_size = offsetof(struct job, carried),
            .set = thread_set,
            .get = thread_get,
        },
    [IN_WORKER] =
        {
            .name = "thread-local set in the worker",
            .heading = {"_Thread_local", "set in the", "worker"},
            .job_size = offsetof(struct job, carried),
            .set_in_worker = true,
            .set = thread_set,
            .get = thread_get,
        },
    [BY_HAND] =
        {
            .name = "thread-local carried by hand",
            .heading = {"_Thread_local", "carried by", "hand"},
            .job_size = sizeof(struct job),
            .set = thread_set,
            .get = thread_get,
            .prepare = hand_prepare,
            .enter = hand_enter,
            .leave = hand_leave,
        },
    [WEFT_VAR] =
        {
            .name = "weft var",
            .heading = {"", "", "weft var"},
            .job_size = offsetof(struct job, carried),
            .set = var_set,
            .get = var_get,
        },
};

static int run_job(void *arg)
{
        const struct job *job = arg;
        if (!job->scoping->enter)
                return job->fn(job->arg);
        struct scope saved = job->scoping->enter(job);
        int result = job->fn(job->arg);
        job->scoping->leave(saved);
        return result;
}

int scoping_spawn(const struct scoping *scoping, weft_group *group, weft_fn *fn, void *arg)
{
        struct job job = {.scoping = scoping, .fn = fn, .arg = arg};
        if (scoping->prepare)
                scoping->prepare(&job);
        return weft_group_spawn_closure(group, run_job, &job, scoping->job_size, NULL);
}
