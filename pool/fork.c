/* SPDX-License-Identifier: MIT
 *
 * Fork and join.
 *
 * The jobs of a task that nobody else knows of are a list through the jobs themselves, newest
 * first, which hangs on the fiber. When a worker has nothing to do, the owner, at its next fork or
 * join, makes a task of the oldest of them and puts that into its deque; then the job's own part is
 * only to be waited for. At the join the owner claims that task as a canceller would: if nobody has
 * started it, the job runs as a call, and the task stays in its queue for whoever finds it there
 * and drops it.
 *
 * Invariant: in the list, jobs that have become tasks lie below those that have not, since the
 * oldest go first. `fiber->oldest_private` is the lowest one without a task, or NULL.
 *
 * After Lace (van Dijk and van de Pol, 2014) in keeping jobs private until somebody asks.
 */
#include "fork.h"

#include <weft/fork.h>
#include <weft/suspend.h>

#include "worker.h"

/* Make a task of the oldest private job: false if there is none, or no memory: then it stays
 * private. */
static bool publish(weft__worker *w)
{
        weft_job *job = w->fiber->oldest_private;
        if (!job)
                return false;
        const struct weft__closure closure = {.fn = job->weft__fn, .arg = job->weft__arg};
        weft_task *task = weft__task_new(&closure, 2, true); /* for the queue and for the join */
        if (!task)
                return false;
        /* relaxed: nobody else has it yet */
        atomic_fetch_or_explicit(&task->state, WEFT__JOB, memory_order_relaxed);
        task->pool = w->pool;
        task->context = job->weft__context;
        job->weft__task = task;
        w->fiber->oldest_private = job == w->fiber->jobs ? NULL : job->weft__above;
        weft__count(&w->counts.submitted, false);
        weft__room_exceed(w->pool);
        weft__enqueue(w->pool, task);
        return true;
}

/* As long as more workers are idle than there are tasks in the deque for them, publish. */
static void feed(weft__worker *w)
{
        while (weft__idle_wants(w) && publish(w))
                ;
}

void weft__fork_publish_all(weft__worker *w)
{
        while (publish(w))
                ;
}

/* Outside tasks: the jobs of this thread that are not joined, newest first. */
static _Thread_local weft_job *outside;

/* The fiber of the task that calls, or something of this thread's own outside tasks. */
static void *owner_self(weft__worker *w)
{
        return w && w->fiber && w->fiber->task ? (void *)w->fiber : &outside;
}

void weft_fork(weft_job *job, weft_fn *fn, void *arg)
{
        weft__worker *w = weft__worker_self();
        void *owner = owner_self(w);
        *job = (weft_job){.weft__fn = fn,
                          .weft__arg = arg,
                          .weft__context = weft_context_capture(),
                          .weft__owner = owner};
        if (owner == &outside) {
                job->weft__below = outside;
                outside = job;
                return;
        }
        weft__fiber *fiber = w->fiber;
        job->weft__below = fiber->jobs;
        if (fiber->jobs)
                fiber->jobs->weft__above = job;
        fiber->jobs = job;
        if (!fiber->oldest_private)
                fiber->oldest_private = job;
        feed(w);
}

/* Run a job as a call. */
static int call(const weft_job *job)
{
        WEFT__FRAME(job->weft__context);
        return job->weft__fn(job->weft__arg);
}

/* Join a job that has become a task: take it back if nobody has begun it, else wait for it. */
static int join_task(weft__worker *w, const weft_job *job)
{
        weft_task *task = job->weft__task;
        int r;
        if (weft__task_claim(task)) {
                weft__count(&w->counts.started, false);
                weft__room_freed(w->pool);
                r = call(job);
                weft__task_tell(task, r);
                weft__count(&weft__worker_self()->counts.run, false);
        } else {
                r = weft__task_await_shielded(task);
        }
        weft_task_unref(task);
        return r;
}

int weft_join(weft_job *job)
{
        weft__worker *w = weft__worker_self();
        void *owner = owner_self(w);
        if (!job || !job->weft__fn)
                return -EINVAL;
        if (job->weft__owner != owner)
                return -EPERM;
        int r;
        if (owner == &outside) {
                if (outside != job)
                        return -EINVAL;
                outside = job->weft__below;
                r = call(job);
        } else {
                weft__fiber *fiber = w->fiber;
                if (fiber->jobs != job)
                        return -EINVAL;
                fiber->jobs = job->weft__below;
                if (fiber->oldest_private == job)
                        fiber->oldest_private = NULL;
                feed(w);
                r = job->weft__task ? join_task(w, job) : call(job);
        }
        job->weft__fn = NULL;
        return r;
}
