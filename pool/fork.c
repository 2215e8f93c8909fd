/* SPDX-License-Identifier: MIT
 *
 * Fork and join, where somebody else wants a job (the rest is inlined: weft/fork.h).
 *
 * The jobs that a task has forked and not joined are a list that only its worker knows
 * (context/calls.c). When another worker has nothing to do it asks (idle.c), and the owner, at its
 * next fork or join, makes a task of the oldest job and puts that into its deque; then the job's
 * own part is only to be waited for. At the join the owner claims that task as a canceller would:
 * if nobody has started it, the job runs as a call, and the task stays in its queue for whoever
 * finds it there and drops it.
 *
 * Invariant: jobs that have become tasks are older than those that have not.
 *
 * Pairings
 *  Q1  feed: asked, full fence, idle.state <-> ask (idle.c): idle.state, full fence, asked: of a
 *      worker that falls idle this is seen, or its request stays
 *
 * A task that forks and joins without end would keep what comes from outside waiting. So its worker
 * is asked then, too, and as long as there is something it steps aside after every FAIR-th join.
 *
 * After Lace (van Dijk and van de Pol, 2014) in keeping jobs private until somebody asks.
 */
#define WEFT__DEFINES 1 /* what is inlined elsewhere is defined here */

#include "fork.h"

#include <weft/fork.h>
#include <weft/suspend.h>

#include "probe.h"
#include "worker.h"

/* So many joins while somebody waits outside: then it has a turn. */
#if defined(WEFT_MODEL)
enum { FAIR = 1 };
#else
enum { FAIR = 61 };
#endif

/* Make a task of the oldest private job: false if there is none, or no memory: then it stays
 * private. */
static bool publish(weft__worker *w)
{
        weft_job *job = weft__calls_oldest();
        if (!job)
                return false;
        const struct weft__closure closure = {.fn = job->weft__fn, .arg = job->weft__arg};
        weft_task *task = weft__task_new(&closure, 2, true); /* for the queue and for the join */
        if (!task)
                return false;
        /* relaxed: nobody else has it yet */
        atomic_fetch_or_explicit(&task->state, WEFT__JOB, memory_order_relaxed);
        task->pool = w->pool;
        task->submitter = weft__task_number(w);
        task->context = job->weft__context;
        job->weft__task = task;
        weft__calls_give_away(job);
        WEFT__PROBE_SUBMIT(w->pool, task->fn, task->arg);
        weft__count(&w->counts.submitted, false);
        weft__room_exceed(w->pool);
        weft__enqueue(w->pool, task);
        return true;
}

static void set_asked(unsigned char asked)
{
        /* relaxed: Q1's fence orders it */
        __atomic_store_n(weft__calls_asked(), asked, __ATOMIC_RELAXED);
}

/* As long as more workers are idle than there are tasks in the deque for them, publish. When there
 * are enough for all, and nothing from outside is left, the request is met. */
static void feed(weft__worker *w)
{
        while (weft__idle_wants(w) && publish(w))
                ;
        if (weft__idle_wants(w) || weft__worker_has_injected(w))
                return;
        set_asked(0);
        weft__idle_relieve(w->pool);
        weft__fence(); /* Q1 <-> ask; I3 <-> injected, press */
        if (weft__idle_wants(w) || weft__worker_has_injected(w) || weft__idle_pressed(w->pool))
                set_asked(1);
}

/* The worker whose task calls; NULL elsewhere: there jobs stay with who forked them. */
static weft__worker *feeder(void)
{
        return weft__fiber_self() ? weft__worker_self() : NULL;
}

void weft__fork_asked(void)
{
        weft__worker *w = feeder();
        if (w)
                feed(w);
}

void weft__fork_publish_all(weft__worker *w)
{
        while (publish(w))
                ;
}

void weft__fork_turn(void)
{
        weft__worker *w = feeder();
        if (!w || ++w->joins < FAIR)
                return;
        w->joins = 0;
        if (weft__worker_has_injected(w))
                weft__park_aside(w);
        else
                feed(w);
}

/* ---- joins ---- */

/* What a job was forked with. It runs in the frame that its caller has made. */
static int call(const weft_job *job)
{
        return job->weft__fn(job->weft__arg);
}

/* Run the newest, whose context is known. It stays in the list until it has returned, so that it
 * cannot join what its caller has forked before it. */
static int call_known(weft_job *job)
{
        weft__calls_run(job);
        weft__fork_asked();
        WEFT__RUNS_HERE(job, weft__plain_ends);
        return call(job);
}

/* A task that its joiner runs, which ends also where an exception goes through the join. */
struct taken_back {
        weft_task *task;
        int result;
        unsigned generation; /* weft__fork_generation() when it began */
};

static void end_taken_back(const struct taken_back *t)
{
        if (t->generation != weft__fork_generation())
                return; /* the job has forked, and in the child the task is in no queue any more */
        weft__task_tell(t->task, t->result);
        weft__count(&weft__worker_self()->counts.run, false);
        weft_task_unref(t->task);
}

static int run_taken_back(weft__worker *w, weft_job *job)
{
        __attribute__((cleanup(end_taken_back))) struct taken_back t = {job->weft__task, -ECANCELED,
                                                                        weft__fork_generation()};
        weft__count(&w->counts.started, false);
        weft__room_freed(w->pool);
        WEFT__PROBE_START(w->pool, t.task, job->weft__fn, job->weft__arg);
        t.result = call_known(job);
        WEFT__PROBE_END(t.task, t.result);
        return t.result;
}

/* Join a job that has become a task: take it back if nobody has begun it, else wait for it. */
static int join_task(weft_job *job)
{
        weft_task *task = job->weft__task;
        weft__worker *w = feeder();
        int r;
        if (weft__task_claim(task))
                return w ? run_taken_back(w, job) : call_known(job); /* the child of a fork */
        weft__calls_pop(job);
        weft__fork_asked();
        if (task->born == weft__fork_generation())
                r = weft__task_await_shielded(task);
        else if (weft_task_result(task, &r) < 0)
                return -EOWNERDEAD;
        weft_task_unref(task);
        return r;
}

/* Run the newest, about which nobody knows anything; but somebody asks for what is older. */
static int join_asked(weft_job *job, uintptr_t link)
{
        weft__calls_become(weft__here_at(), link | WEFT__LINK_RUNNING);
        if (link & WEFT__LINK_TYPED)
                job->weft__arg = job;
        weft__fork_asked();
        if (link & WEFT__LINK_TYPED) {
                WEFT__RUNS_HERE(job, weft__typed_ends);
                return call(job);
        }
        WEFT__RUNS_HERE(job, weft__plain_ends);
        return call(job);
}

int weft__join_slowly(weft_job *job)
{
        if (!job)
                return -EINVAL;
        if (weft__asked_at(weft__here_at()))
                weft__fork_turn();
        uintptr_t newest = weft__calls_newest();
        if (weft__calls_job(newest) != job || newest & WEFT__LINK_RUNNING)
                return weft__calls_include(job) ? -EINVAL : -EPERM;
        if (!(newest & WEFT__LINK_KNOWN))
                return join_asked(job, newest);
        return job->weft__task ? join_task(job) : call_known(job);
}

void weft__join_typed(weft_job *job)
{
        if (weft__join_slowly(job) < 0)
                WEFT__DIE("weft: a job was joined that is not the newest which the task has forked "
                          "and not joined (see weft/fork.h)\n");
}

/* For those who have no compiler that inlines them. */

void weft_fork(weft_job *job, weft_fn *fn, void *arg)
{
        job->weft__fn = fn;
        job->weft__arg = arg;
        weft__fork_link(job, 0);
}

int weft_join(weft_job *job)
{
        if (!weft__join_begins(job, 0))
                return weft__join_slowly(job);
        WEFT__RUNS_HERE(job, weft__plain_ends);
        return call(job);
}
