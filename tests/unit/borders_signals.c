/* SPDX-License-Identifier: MIT
 *
 * Signals at single places (B9, B11 and B13 of docs/borders.md); all of weft under a storm of them
 * is stress/signals, and each wait suspend_borders.c.
 */
#include "pool_help.h"

#include <dirent.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "context/atomics.h"

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

/* ---- a child that is made in a handler ---- */

static weft_var forked_under = WEFT_VAR_INIT("forked under", .fallback = V(1));
static atomic_int children, bad_children;
static pthread_t interrupted[2]; /* the test's own thread, and a worker */

static bool safe_calls_work(void)
{
        int value = N(weft_get(&forked_under));
        void *found = V(value);
        int r = weft_lookup(&forked_under, &found);
        weft_pool_current();
        return value >= 1 && value <= 3 && (r == -ENOENT || found == V(value)) && weft_now() > 0 &&
               weft_version() && strcmp(weft_err_name(-EINVAL), "EINVAL") == 0 &&
               weft_strerror(-EINVAL);
}

/* fork() itself would take locks of the allocator's, which may be held by what is interrupted. */
static void make_child(int signal)
{
        int saved = errno, status = 0;
        (void)signal;
        pid_t pid = _Fork();
        if (pid == 0) {
                if (!safe_calls_work())
                        _exit(1);
                if (atomic_load(&children) % 8 == 0)
                        execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
                _exit(7);
        }
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
                atomic_fetch_add(&bad_children, 1);
        atomic_fetch_add(&children, 1);
        errno = saved;
}

enum { CHILDREN = SLOW_BUILD || UNDER_FAULTS ? 20 : 200 };

/* One after the other, with time between, or nothing but the handler might run. */
static void *interrupts(void *unused)
{
        for (int i = 0; i < CHILDREN; i++) {
                pthread_kill(interrupted[i % 2], SIGUSR1);
                do
                        usleep(500);
                while (atomic_load(&children) == i);
        }
        return unused;
}

static void note_worker(unsigned index, void *unused)
{
        (void)index;
        (void)unused;
        interrupted[1] = pthread_self();
}

static int binds(void *value)
{
        weft_token token;
        CHECK(weft_set(&forked_under, value, &token) == 0);
        CHECK(weft_yield() == 0);
        CHECK(weft_reset(&forked_under, &token) == 0);
        return N(value);
}

Test(borders_signals, B9_a_child_made_in_a_handler_calls_what_is_safe_there, .timeout = 120)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .on_start = note_worker};
        struct sigaction action = {.sa_handler = make_child, .sa_flags = SA_ONSTACK};
        weft_pool *pool;
        pthread_t thread;
#if defined(WEFT_TSAN)
        cr_skip_test("in such a child ThreadSanitizer waits for locks of its own");
#endif
        skip_unless_workers(1);
        interrupted[0] = pthread_self();
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        sigaction(SIGUSR1, &action, NULL);
        cr_assert_eq(pthread_create(&thread, NULL, interrupts, NULL), 0);
        while (atomic_load(&children) < CHILDREN) {
                weft_group g;
                cr_assert_eq(binds(V(2)), 2);
                cr_assert_eq(join(spawn(pool, binds, V(3))), 3);
                cr_assert_eq(weft_group_init(&g, pool), 0);
                for (int i = 0; i < 50; i++)
                        cr_assert_eq(weft_group_spawn(&g, nothing, NULL), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
                weft_group_fini(&g);
        }
        pthread_join(thread, NULL);
        finish(pool);
        cr_assert_eq(atomic_load(&bad_children), 0);
}
