/* SPDX-License-Identifier: MIT
 *
 * A pool for the kernels, and a context with eight vars that every job inherits: one looks, each
 * round, whether it has.
 */
#include "forkjoin_weft_pool.h"

#include <errno.h>
#include <stdio.h>

#include "../kernels/weft.h"

enum { VARS = 8 };

static weft_var var[VARS] = {[0 ... VARS - 1] = WEFT_VAR_INIT("rival")};
static char value[VARS];
static weft_pool *pool;
static weft_fn *const *kernel_of;

static void must(int result, const char *what)
{
        errno = -result;
        if (result < 0)
                rival_fail(what);
}

static void up(unsigned workers)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = workers, .name = "rival", .stack_size = KERNEL_STACK};
        must(weft_pool_create(&pool, &o), "make a pool");
        for (int i = 0; i < VARS; i++)
                must(weft_set(&var[i], &value[i], NULL), "bind a var");
}

static void down(void)
{
        weft_pool_destroy(pool);
}

static int look(void *arg)
{
        (void)arg;
        for (int i = 0; i < VARS; i++)
                if (weft_get(&var[i]) != &value[i])
                        return -ENOENT;
        return 0;
}

struct root {
        enum kernel_id id;
        void *data;
};

static int root(void *arg)
{
        const struct root *r = arg;
        weft_job job;
        weft_fork(&job, look, NULL);
        int result = kernel_of[r->id](r->data);
        int looked = weft_join(&job);
        return result < 0 ? result : looked;
}

static void run(enum kernel_id id, void *data)
{
        struct root r = {id, data};
        weft_task *task;
        must(weft_spawn(pool, &task, root, &r), "spawn");
        must(weft_await(task, WEFT_FOREVER), "run in the context of the fork");
        weft_task_unref(task);
}

int forkjoin_weft_main(int argc, char **argv, const char *form, weft_fn *const kernel[KERNELS])
{
        char full[64];
        snprintf(full, sizeof(full), "weft %s%s", weft_version(), form);
        const struct forkjoin weft = {.rival = {.name = full, .up = up, .down = down}, .run = run};
        kernel_of = kernel;
        return forkjoin_main(argc, argv, &weft);
}
