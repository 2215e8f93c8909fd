/* SPDX-License-Identifier: MIT
 *
 * weft itself, by its public headers, as any other program would use it. Eight vars are bound by
 * whoever submits, so that every task inherits them; some look whether they did.
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

enum { VARS = 8, LOOKS = 100 };

static weft_var var[VARS] = {[0 ... VARS - 1] = WEFT_VAR_INIT("rival")};
static char value[VARS];
static weft_context *context; /* in which those vars are bound */
static weft_pool *pool;

static void must(int result, const char *what)
{
        errno = -result;
        if (result < 0)
                rival_fail(what);
}

static void up(unsigned workers)
{
        weft_pool_options o = {.size = sizeof(o), .workers = workers, .name = "rival"};
        must(weft_pool_create(&pool, &o), "make a pool");
        for (size_t i = 0; i < VARS; i++) {
                weft_context *next;
                must(weft_context_with(context, &var[i], &value[i], &next), "bind a var");
                weft_context_unref(context);
                context = next;
        }
}

static void down(void)
{
        weft_pool_destroy(pool);
        weft_context_unref(context);
}

/* Tasks: weft_fns. */

static int tick(void *arg)
{
        (void)arg;
        rival_tick();
        return 0;
}

static int started(void *arg)
{
        (void)arg;
        rival_started();
        return 0;
}

static int gate(void *arg)
{
        (void)arg;
        rival_gate_wait();
        return 0;
}

static int look(void *arg)
{
        (void)arg;
        for (size_t i = 0; i < VARS; i++)
                if (weft_get(&var[i]) != &value[i])
                        must(-ENOENT, "find what the submitter had bound");
        rival_tick();
        return 0;
}

/* Called in the context. */

static int submit_ticks(void *size)
{
        int r = 0;
        for (size_t i = 0; i < *(size_t *)size; i++)
                r |= weft_submit(pool, tick, NULL);
        return r;
}

static int submit_one(void *fn)
{
        return weft_submit(pool, *(weft_fn **)fn, NULL);
}

static int submit_looks(void *arg)
{
        (void)arg;
        int r = 0;
        for (int i = 0; i < LOOKS; i++)
                r |= weft_submit(pool, look, NULL);
        return r;
}

static void submit(size_t size)
{
        must(weft_context_run(context, submit_ticks, &size, NULL), "submit");
}

static void check_inheritance(void)
{
        uint64_t before = rival_ticks();
        must(weft_context_run(context, submit_looks, NULL, NULL), "submit");
        rival_await_ticks(before + LOOKS);
}

static void round_submit(struct rival_round *r)
{
        rival_submit(r, 1, submit);
        check_inheritance();
}

static void round_submit4(struct rival_round *r)
{
        rival_submit(r, 4, submit);
        check_inheritance();
}

/* ---- from within ---- */

static int give_back(void *arg)
{
        return (int)(uintptr_t)arg;
}

static int spawn_await(void *arg)
{
        struct rival_round *r = arg;
        r->begin = rival_now();
        for (size_t i = 0; i < r->size; i++) {
                weft_task *task;
                must(weft_spawn(NULL, &task, give_back, (void *)(i & 1023)), "spawn");
                r->check += (uint64_t)weft_await(task, WEFT_FOREVER);
                weft_task_unref(task);
        }
        r->end = rival_now();
        return 0;
}

static int burst(void *arg)
{
        struct rival_round *r = arg;
        weft_group group;
        uint64_t before = rival_ticks();
        int error = 0;
        r->begin = rival_now();
        must(weft_group_init(&group, NULL), "open a group");
        for (size_t i = 0; i < r->size; i++)
                error |= weft_group_spawn(&group, tick, NULL);
        must(error, "spawn");
        must(weft_group_wait(&group, WEFT_FOREVER), "wait for a group");
        weft_group_fini(&group);
        r->end = rival_now();
        r->check = rival_ticks() - before;
        return 0;
}

/* In a task of the pool. */
struct inside {
        weft_fn *fn;
        struct rival_round *r;
};

static int spawn_and_wait_for_it(void *arg)
{
        const struct inside *in = arg;
        weft_task *task;
        int r = weft_spawn(pool, &task, in->fn, in->r);
        if (r < 0)
                return r;
        r = weft_await(task, WEFT_FOREVER);
        weft_task_unref(task);
        return r;
}

static void round_spawn_await(struct rival_round *r)
{
        struct inside in = {spawn_await, r};
        must(weft_context_run(context, spawn_and_wait_for_it, &in, NULL), "spawn and await");
}

static void round_burst(struct rival_round *r)
{
        struct inside in = {burst, r};
        must(weft_context_run(context, spawn_and_wait_for_it, &in, NULL), "run a group");
}

/* ---- with nothing to do, or not doing it ---- */

static void start(void)
{
        weft_fn *fn = started;
        must(weft_context_run(context, submit_one, &fn, NULL), "submit");
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
                must(weft_submit(pool, gate, NULL), "submit");
        rival_gate_reached(workers);
}

static void open_gate(void)
{
        rival_gate_open(weft_pool_workers(pool));
}

static void round_queued(struct rival_round *r)
{
        rival_queued(r, shut, submit, open_gate);
}

static const struct rival_case cases[] = {
    {"submit", round_submit},
    {"submit4", round_submit4},
    {"spawn-await", round_spawn_await},
    {"burst", round_burst},
    {"wake", round_wake},
    {"idle", round_idle},
    {"queued", round_queued},
    {0},
};

int main(int argc, char **argv)
{
        char name[32];
        snprintf(name, sizeof(name), "weft %s", weft_version());
        const struct rival weft = {.name = name, .up = up, .down = down};
        return rival_main(argc, argv, &weft, cases);
}
