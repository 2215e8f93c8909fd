/* SPDX-License-Identifier: MIT
 *
 * The example of weft_wait_fd(3).
 */
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <weft/weft.h>

static int reader(void *fd)
{
        char byte = 0;
        int r = weft_wait_fd(*(int *)fd, POLLIN, WEFT_FOREVER);
        if (r < 0)
                return r;
        return read(*(int *)fd, &byte, 1) == 1 ? byte : -EBADMSG;
}

int main(void)
{
        int end[2];
        weft_task *t = NULL;
        int r = pipe2(end, O_NONBLOCK | O_CLOEXEC);
        assert(r == 0);
        r = weft_wait_fd(end[0], POLLIN, weft_now() + 1000000);
        assert(r == -ETIMEDOUT); /* nothing came within 1 ms */

        r = weft_spawn(NULL, &t, reader, &end[0]);
        assert(r == 0);
        ssize_t n = write(end[1], "x", 1);
        assert(n == 1);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 'x');
        weft_task_unref(t);

        r = weft_wait_fd(end[1], POLLIN | POLLOUT, WEFT_FOREVER);
        assert(r == POLLOUT);
        r = weft_close(end[0]);
        assert(r == 0);
        r = weft_close(end[1]);
        assert(r == 0);
        r = weft_close(-1);
        assert(r == -EBADF);
        return 0;
}
