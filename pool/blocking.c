/* SPDX-License-Identifier: MIT
 *
 * Blocking calls off the workers: spare threads that lend themselves to tasks.
 *
 * The task's frame is moved to the spare thread for the call, and back: so what the call sets stays
 * set, and tokens stay good. The request lies on the stack of the task, which waits for it to the
 * end, shielded: a call that blocks cannot be called off.
 *
 * There are at most THREADS of them in a process; each goes when it has been idle for a while.
 * Requests that find all of them at work queue up, first in first out.
 */
#include <errno.h>
#include <string.h>

#include <weft/suspend.h>

#include "futex.h"
#include "worker.h"

enum { THREADS = 64 };
static const int64_t IDLE_NS = 5000000000;

struct request {
        weft_fn *fn;
        void *arg;
        weft__frame frame;
        bool shielded;
        int result;
        weft__waiter *waiter;
        struct request *next;
};

static struct {
        weft__lock lock;
        unsigned threads, idle;
        struct request *first, *last;
        unsigned queued;
        atomic_uint posted; /* counts requests; idle threads sleep on it */
} spare;
static bool child_handled; /* by init(): else a child would wait for its parent's threads */

/* Take a request; NULL when there was none for a while: then the thread is counted out. */
static struct request *next_request(void)
{
        int64_t until = weft_now() + IDLE_NS;
        for (;;) {
                weft__lock_take(&spare.lock);
                /* relaxed: it changes under the lock, and the kernel compares it */
                unsigned seen = atomic_load_explicit(&spare.posted, memory_order_relaxed);
                struct request *r = spare.first;
                bool ends = !r && weft_now() >= until;
                if (r) {
                        spare.first = r->next;
                        spare.queued--;
                } else if (ends) {
                        spare.threads--;
                } else {
                        spare.idle++;
                }
                weft__lock_give(&spare.lock);
                if (r || ends)
                        return r;
                weft__futex_wait(&spare.posted, seen, until);
                weft__lock_take(&spare.lock);
                spare.idle--;
                weft__lock_give(&spare.lock);
        }
}

static void *serve(void *unused)
{
        struct request *r;
        (void)unused;
        weft__memory_begin();
        pthread_setname_np(pthread_self(), "weft-blocking");
        while ((r = next_request())) {
                unsigned generation = weft__fork_generation();
                weft__frame own = weft__frame_exchange(r->frame);
                weft__end_if_forked(generation, 0); /* by a hook of a var */
                weft__shield_exchange(r->shielded);
                WEFT__MUST_RETURN(returned);
                r->result = r->fn(r->arg);
                returned = true;
                weft__end_if_forked(generation, r->result);
                weft__shield_exchange(false);
                r->frame = weft__frame_exchange(own);
                weft__end_if_forked(generation, 0);
                weft__wake(r->waiter, WEFT__DONE); /* the request may be gone from here on */
        }
        return NULL;
}

/* In the child of a fork there are no threads, and nobody waits. */
static void child_begins(void)
{
        memset(&spare, 0, sizeof(spare));
}

__attribute__((constructor(102))) static void init(void)
{
        child_handled = pthread_atfork(NULL, NULL, child_begins) == 0;
}

static int start_thread(void)
{
        pthread_attr_t attr;
        pthread_t thread;
        int r = child_handled ? pthread_attr_init(&attr) : ENOMEM;
        if (r != 0)
                return -r;
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        r = pthread_create(&thread, &attr, serve, NULL);
        pthread_attr_destroy(&attr);
        return -r;
}

/* Queue a request, and see to it that there is a thread for it: 0, or an error with nothing queued.
 * */
static int post(struct request *request)
{
        int r = 0;
        weft__lock_take(&spare.lock);
        request->next = NULL;
        if (spare.first)
                spare.last->next = request;
        else
                spare.first = request;
        spare.last = request;
        spare.queued++;
        if (spare.queued > spare.idle && spare.threads < THREADS) {
                r = start_thread();
                if (r == 0)
                        spare.threads++;
        }
        if (r < 0 && spare.threads) {
                r = 0; /* one of those that there are will come to it */
        } else if (r < 0) {
                spare.first = spare.last = NULL; /* without threads it is the only one */
                spare.queued--;
        }
        /* relaxed: under the lock, which orders all else */
        atomic_fetch_add_explicit(&spare.posted, 1, memory_order_relaxed);
        weft__lock_give(&spare.lock);
        if (r == 0)
                weft__futex_wake(&spare.posted, 1);
        return r;
}

int weft_blocking(weft_fn *fn, void *arg)
{
        weft__waiter own;
        if (!fn)
                return -EINVAL;
        if (!weft__fiber_self())
                return fn(arg);
        struct request request = {.fn = fn,
                                  .arg = arg,
                                  .shielded = weft__shielded(),
                                  .waiter = weft__wait_begin(&own, true)};
        int r = weft__wait_ready();
        if (r < 0)
                return r;
        request.frame = weft__frame_exchange((weft__frame){NULL, 0});
        r = post(&request);
        if (r == 0)
                weft__wait(weft__wait_is_on(request.waiter, WEFT__ON_BLOCKING, &request),
                           WEFT_FOREVER);
        weft__frame_exchange(request.frame);
        return r < 0 ? r : request.result;
}
