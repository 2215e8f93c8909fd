/* SPDX-License-Identifier: MIT
 *
 * fork(), in a task and outside: the child is told that the parent's pool is not there, and makes
 * one of its own; and if the library could not see to that, there is no pool to begin with.
 */
#include "tests/faults/scene.h"

#include <poll.h>
#include <sys/wait.h>

static int nothing(void *unused)
{
        (void)unused;
        return 0;
}

static int waits_for(void *fd)
{
        int r =
            TRY(weft_wait_fd(*(int *)fd, POLLIN, scene_ms(5)) == -ETIMEDOUT ? 0 : -EPROTO, -EPROTO);
        return r;
}

/* What it does wrong, as an exit status. */
static int child(weft_pool *pool, int fd)
{
        weft_task *task;
        if (weft_pool_current() || weft_submit(pool, nothing, NULL) != -EOWNERDEAD)
                return 1;
        weft_pool *mine = scene_pool(1, 0);
        if (!mine)
                return 0;
        if (TRY(weft_spawn(mine, &task, waits_for, &fd), -ENOMEM) == 0) {
                weft_await(task, WEFT_FOREVER);
                weft_task_unref(task);
        }
        return weft_pool_destroy(mine) ? 2 : 0;
}

struct forked {
        weft_pool *pool;
        int fd;
};

static int forks(void *arg)
{
        const struct forked *f = arg;
        int status;
        waits_for((void *)&f->fd); /* so that there is an instance of epoll */
        pid_t pid = fork();
        if (pid == 0)
                _exit(child(f->pool, f->fd));
        cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
        cr_assert_eq(status, 0);
        return 0;
}

SCENE(forks, in_a_task_and_outside)
{
        int ends[2];
        weft_task *task;
        struct forked f = {.pool = scene_pool(2, 0)};
        if (!f.pool)
                return;
        cr_assert_eq(pipe(ends), 0);
        f.fd = ends[0];
        if (TRY(weft_spawn(f.pool, &task, forks, &f), -ENOMEM) == 0) {
                MUST(weft_await(task, WEFT_FOREVER));
                weft_task_unref(task);
        }
        forks(&f);
        scene_usable(f.pool);
        weft_pool_destroy(f.pool);
        close(ends[0]);
        close(ends[1]);
}
