/* SPDX-License-Identifier: MIT
 *
 * The example of weft_blocking(3).
 */
#include <assert.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int read_byte(void *fd) /* blocks, until there is one */
{
        char byte = 0;
        if (read(*(int *)fd, &byte, 1) != 1 || strcmp(weft_get(&user), "ada") != 0)
                return -EBADMSG;
        return weft_pool_current() ? -EDEADLK : byte; /* this is no worker */
}

static int task(void *fd)
{
        return weft_blocking(read_byte, fd); /* the worker goes on with others */
}

int main(void)
{
        weft_pool_options options = {.workers = 1};
        weft_pool *pool = NULL;
        weft_task *t = NULL;
        int end[2];
        int r = pipe(end);
        assert(r == 0);
        r = weft_pool_create(&pool, &options);
        assert(r == 0);
        WEFT_WITH (&user, "ada") {
                r = weft_spawn(pool, &t, task, &end[0]);
                assert(r == 0);
        }
        ssize_t n = write(end[1], "y", 1);
        assert(n == 1);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 'y');
        weft_task_unref(t);
        weft_pool_destroy(pool);
        close(end[0]);
        close(end[1]);
        return 0;
}
