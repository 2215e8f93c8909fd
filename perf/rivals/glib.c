/* SPDX-License-Identifier: MIT
 *
 * GLib's GThreadPool, exclusive: its threads are its own and stay. Its tasks are a pointer each;
 * none can wait for another one.
 */
#include "tools.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>

enum task { TICK = 1, STARTED, GATE }; /* 0 would be no task */

static GThreadPool *pool;

static void run(gpointer task, gpointer unused)
{
        (void)unused;
        switch ((enum task)GPOINTER_TO_INT(task)) {
        case TICK:
                rival_tick();
                return;
        case STARTED:
                rival_started();
                return;
        case GATE:
                rival_gate_wait();
                return;
        }
}

static void up(unsigned workers)
{
        pool = g_thread_pool_new(run, NULL, (gint)workers, TRUE, NULL);
        errno = EAGAIN;
        if (!pool)
                rival_fail("make a pool");
}

static void down(void)
{
        g_thread_pool_free(pool, FALSE, TRUE);
}

static void push(enum task task)
{
        errno = EAGAIN;
        if (!g_thread_pool_push(pool, GINT_TO_POINTER(task), NULL))
                rival_fail("push a task");
}

static void submit(size_t size)
{
        for (size_t i = 0; i < size; i++)
                push(TICK);
}

static void round_submit(struct rival_round *r)
{
        rival_submit(r, 1, submit);
}

static void round_submit4(struct rival_round *r)
{
        rival_submit(r, 4, submit);
}

static void start(void)
{
        push(STARTED);
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
                push(GATE);
        rival_gate_reached(workers);
}

static void open_gate(void)
{
        rival_gate_open((unsigned)g_thread_pool_get_max_threads(pool));
}

static void round_queued(struct rival_round *r)
{
        rival_queued(r, shut, submit, open_gate);
}

static const struct rival_case cases[] = {
    {"submit", round_submit}, {"submit4", round_submit4}, {"wake", round_wake},
    {"idle", round_idle},     {"queued", round_queued},   {0},
};

int main(int argc, char **argv)
{
        char name[64];
        snprintf(name, sizeof(name), "GLib %u.%u.%u", glib_major_version, glib_minor_version,
                 glib_micro_version);
        const struct rival glib = {.name = name, .up = up, .down = down};
        return rival_main(argc, argv, &glib, cases);
}
