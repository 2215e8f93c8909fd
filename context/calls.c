/* SPDX-License-Identifier: MIT
 *
 * Calls that were forked and are not joined, as far as contexts go (see inline.h for the list).
 *
 * A fork does not note the context, and a call that runs in its join has no frame of its own: both
 * are in what is current, as long as that does not change. Before it does (weft__frame_own), or
 * before a call is shown to another thread, everything that is not known yet is made known, from
 * the oldest on:
 *
 *   a call that waits   gets a reference to the context that is current
 *   a call that runs    puts the current frame aside in its job, and gets a frame of its own
 *
 * So each call costs that at most once, and most cost nothing: nobody sets a variable in them, and
 * nobody takes them. How old calls are must not matter for the stack, so the way down leaves the
 * way back in the jobs.
 *
 * Invariants
 *   a link is KNOWN       =>  so are all older ones
 *   a link is not KNOWN   =>  the context of its job's fork is the current one
 *   oldest                    the oldest of the known that neither runs nor was given away, or NULL
 *
 * All of it is the thread's own.
 */

#include <weft/fork.h>

#include "internal.h"
#include "thread.h"

uintptr_t weft__calls_newest(void)
{
        return weft__thread.here.calls;
}

unsigned char *weft__calls_asked(void)
{
#if defined(WEFT_MODEL)
        return weft__model_asked();
#else
        return &weft__thread.here.asked;
#endif
}

/* Note for one job what the link to it says, and what is current. */
static void know(struct weft__thread *t, weft_job *job, uintptr_t link)
{
        job->weft__context = t->here.context;
        weft_context_ref(t->here.context); /* for the job, or if it runs for its new frame */
        job->weft__frame = t->here.frame;
        job->weft__task = NULL;
        if (link & WEFT__LINK_TYPED)
                job->weft__arg = job;
        if (link & WEFT__LINK_RUNNING)
                t->here.frame = 0;
        else if (!t->oldest)
                t->oldest = job;
}

void weft__calls_know(void)
{
        struct weft__thread *t = &weft__thread;
        uintptr_t link = t->here.calls;
        weft_job *above = NULL;
        for (; !(link & WEFT__LINK_KNOWN); link = above->weft__below) {
                weft_job *job = weft__calls_job(link);
                job->weft__above = above;
                above = job;
        }
        if (weft__calls_job(link))
                weft__calls_job(link)->weft__above = above;
        for (weft_job *job = above; job; job = above) {
                above = job->weft__above;
                uintptr_t *to = above ? &above->weft__below : &t->here.calls;
                know(t, job, *to);
                *to |= WEFT__LINK_KNOWN;
        }
}

weft_job *weft__calls_oldest(void)
{
        struct weft__thread *t = &weft__thread;
        weft__frame_own(t);
        return t->oldest;
}

void weft__calls_give_away(weft_job *oldest)
{
        struct weft__thread *t = &weft__thread;
        weft_job *newest = weft__calls_job(t->here.calls), *job = oldest;
        uintptr_t link = WEFT__LINK_RUNNING;
        while (job != newest && link & WEFT__LINK_RUNNING) {
                job = job->weft__above;
                link = job == newest ? t->here.calls : job->weft__above->weft__below;
        }
        t->oldest = link & WEFT__LINK_RUNNING ? NULL : job;
}

static void no_longer_waits(struct weft__thread *t, const weft_job *newest)
{
        if (t->oldest == newest)
                t->oldest = NULL;
}

void weft__calls_run(weft_job *newest)
{
        struct weft__thread *t = &weft__thread;
        no_longer_waits(t, newest);
        t->here.calls |= WEFT__LINK_RUNNING;
        weft__frame around = weft__frame_enter(newest->weft__context);
        newest->weft__context = around.context;
        newest->weft__frame = around.id;
}

void weft__calls_pop(weft_job *newest)
{
        struct weft__thread *t = &weft__thread;
        no_longer_waits(t, newest);
        t->here.calls = newest->weft__below;
}

bool weft__calls_include(const weft_job *job)
{
        const weft_job *each = weft__calls_job(weft__thread.here.calls);
        while (each && each != job)
                each = weft__calls_job(each->weft__below);
        return each;
}

void weft__calls_left(void)
{
        WEFT__DIE(
            "weft: a function has returned without joining what it forked (see weft/fork.h)\n");
}

void weft__call_ends_slowly(weft_job *job)
{
        struct weft__thread *t = &weft__thread;
        if (weft__calls_job(t->here.calls) != job)
                weft__calls_left();
        t->here.calls = job->weft__below;
        weft__frame_leave((weft__frame){job->weft__context, job->weft__frame});
}

uintptr_t weft__here_address(void)
{
        return (uintptr_t)&weft__thread.here;
}
