/* SPDX-License-Identifier: MIT
 *
 * libuv's pool. Requests are the caller's memory and go through a loop, which belongs to one
 * thread, so that each thread that submits has its own and runs it until all its requests are done;
 * nothing is called back then. No task can wait for another one.
 */
#include "tools.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static unsigned pool_size;

/* Of the main thread. */
static uv_loop_t loop;
static uv_work_t gate[64];

static uv_work_t *request; /* those of a round: the caller's memory, used again in the next */
static atomic_size_t taken;

static void must(int result, const char *what)
{
        errno = -result;
        if (result < 0)
                rival_fail(what);
}

static void up(unsigned workers)
{
        char text[16];
        snprintf(text, sizeof(text), "%u", workers);
        setenv("UV_THREADPOOL_SIZE", text, 1);
        pool_size = workers;
        must(uv_loop_init(&loop), "make a loop");
}

static void down(void)
{
        must(uv_loop_close(&loop), "close the loop");
        free(request);
}

static void tick(uv_work_t *unused)
{
        (void)unused;
        rival_tick();
}

static void started(uv_work_t *unused)
{
        (void)unused;
        rival_started();
}

static void wait_at_gate(uv_work_t *unused)
{
        (void)unused;
        rival_gate_wait();
}

/* Room for the requests of a round. */
static void make_requests(size_t size)
{
        if (!request)
                request = malloc(size * sizeof(*request));
        if (!request)
                rival_fail("make requests");
        atomic_store(&taken, 0);
}

static void queue(uv_loop_t *l, size_t size)
{
        uv_work_t *r = &request[atomic_fetch_add(&taken, size)];
        for (size_t i = 0; i < size; i++)
                must(uv_queue_work(l, &r[i], tick, NULL), "queue work");
}

static void submit_by_loop_of_its_own(size_t size)
{
        uv_loop_t own;
        must(uv_loop_init(&own), "make a loop");
        queue(&own, size);
        uv_run(&own, UV_RUN_DEFAULT);
        must(uv_loop_close(&own), "close a loop");
}

static void round_submit(struct rival_round *r)
{
        make_requests(r->size);
        rival_submit(r, 1, submit_by_loop_of_its_own);
}

static void round_submit4(struct rival_round *r)
{
        make_requests(r->size);
        rival_submit(r, 4, submit_by_loop_of_its_own);
}

static void start(void)
{
        static uv_work_t r;
        must(uv_queue_work(&loop, &r, started, NULL), "queue work");
        uv_run(&loop, UV_RUN_DEFAULT);
}

static void round_wake(struct rival_round *r)
{
        rival_wake(r, start);
}

static void round_idle(struct rival_round *r)
{
        rival_idle(r, start);
}

static void shut(unsigned workers)
{
        for (unsigned i = 0; i < workers; i++)
                must(uv_queue_work(&loop, &gate[i], wait_at_gate, NULL), "queue work");
        rival_gate_reached(workers);
}

static void submit_and_leave(size_t size)
{
        queue(&loop, size);
}

static void open_gate(void)
{
        rival_gate_open(pool_size);
        uv_run(&loop, UV_RUN_DEFAULT);
}

static void round_queued(struct rival_round *r)
{
        make_requests(r->size);
        rival_queued(r, shut, submit_and_leave, open_gate);
}

static const struct rival_case cases[] = {
    {"submit", round_submit}, {"submit4", round_submit4}, {"wake", round_wake},
    {"idle", round_idle},     {"queued", round_queued},   {0},
};

int main(int argc, char **argv)
{
        char name[64];
        snprintf(name, sizeof(name), "libuv %s", uv_version_string());
        const struct rival libuv = {.name = name, .up = up, .down = down};
        return rival_main(argc, argv, &libuv, cases);
}
