/* SPDX-License-Identifier: MIT
 *
 * Signals at single places (B11 and B13 of docs/borders.md); all of weft under a storm of them is
 * stress/signals, and each wait suspend_borders.c.
 */
#include "pool_help.h"

#include <dirent.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

/* ---- close() that is interrupted ---- */

static _Thread_local int interrupted_fd = -1;

/* As Linux does it: when a signal interrupts close(), the descriptor is gone all the same. */
int close(int fd)
{
        int r = (int)syscall(SYS_close, fd);
        if (r == 0 && fd == interrupted_fd) {
                errno = EINTR;
                return -1;
        }
        return r;
}

Test(borders_signals, B11_what_was_interrupted_while_it_was_closed_is_closed, .timeout = 30)
{
        interrupted_fd = eventfd(0, EFD_CLOEXEC);
        errno = EDOM;
        cr_assert_eq(weft_close(interrupted_fd), 0);
        cr_assert_eq(errno, EDOM);
        cr_assert_eq(weft_close(interrupted_fd), -EBADF);
        interrupted_fd = -1;
}

/* ---- masks ---- */

static int blocks_usr2(void *unused)
{
        sigset_t now;
        (void)unused;
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        return sigismember(&now, SIGUSR2);
}

static int in_a_spare_thread(void *unused)
{
        return weft_blocking(blocks_usr2, unused);
}

static int has_waited_for_fd(void *fd)
{
        return weft_wait_fd(N(fd), POLLIN, in_ms(2));
}

/* Of this thread of the process: whether it blocks SIGUSR2. */
static bool thread_blocks_usr2(const char *thread)
{
        char path[300], text[256];
        unsigned long long blocked = 0;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
        FILE *f = fopen(path, "re");
        while (f && fgets(text, sizeof(text), f))
                if (sscanf(text, "SigBlk: %llx", &blocked) == 1)
                        break;
        if (f)
                fclose(f);
        return blocked >> (SIGUSR2 - 1) & 1;
}

static bool all_others_block_usr2(void)
{
        DIR *threads = opendir("/proc/self/task");
        bool all = threads;
        char self[24];
        snprintf(self, sizeof(self), "%d", (int)getpid());
        for (struct dirent *e; threads && (e = readdir(threads));)
                if (e->d_name[0] != '.' && strcmp(e->d_name, self) != 0)
                        all &= thread_blocks_usr2(e->d_name);
        if (threads)
                closedir(threads);
        return all;
}

Test(borders_signals, B13_threads_of_a_pool_have_the_mask_of_who_creates_it, .timeout = 30)
{
        sigset_t usr2, before;
        int fd = eventfd(0, EFD_CLOEXEC);
        sigemptyset(&usr2);
        sigaddset(&usr2, SIGUSR2);
        weft_pool *without = begin(1);
        cr_assert_eq(join(spawn(without, blocks_usr2, NULL)), 0);
        finish(without);
        pthread_sigmask(SIG_BLOCK, &usr2, &before);
        weft_pool *pool = begin(2);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        cr_assert_eq(join(spawn(pool, blocks_usr2, NULL)), 1);
        cr_assert_eq(join(spawn(pool, in_a_spare_thread, NULL)), 1);
        cr_assert_eq(join(spawn(pool, has_waited_for_fd, V(fd))), -ETIMEDOUT);
#if !SLOW_BUILD
        cr_assert(IN_EMULATOR || all_others_block_usr2());
#else
        (void)all_others_block_usr2; /* the checker has threads of its own */
#endif
        finish(pool);
        close(fd);
}
