/* SPDX-License-Identifier: MIT
 *
 * Waiting for file descriptors, and blocking calls off the workers.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_help.h"

static weft_var var = WEFT_VAR_INIT("var");

struct wait {
        int fd;
        short events;
        int64_t deadline;
};

static int wait_for(void *arg)
{
        const struct wait *w = arg;
        return weft_wait_fd(w->fd, w->events, w->deadline);
}

/* ---- descriptors ---- */

static int echo(void *fd_as_pointer)
{
        int fd = (int)(long)fd_as_pointer;
        char c;
        for (;;) {
                int r = weft_wait_fd(fd, POLLIN, WEFT_FOREVER);
                if (r < 0)
                        return r;
                ssize_t n = read(fd, &c, 1);
                if (n <= 0)
                        return 0;
                c++;
                if (weft_wait_fd(fd, POLLOUT, WEFT_FOREVER) < 0 || write(fd, &c, 1) != 1)
                        return -EIO;
        }
}

Test(suspend_fds, one_worker_serves_many_connections_in_turn, .timeout = 60)
{
        enum { CONNECTIONS = 100, ROUNDS = 10 };
        weft_pool *pool = begin(1);
        weft_task *task[CONNECTIONS];
        int fd[CONNECTIONS][2];
        for (int i = 0; i < CONNECTIONS; i++) {
                cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd[i]), 0);
                task[i] = spawn(pool, echo, (void *)(long)fd[i][1]);
        }
        for (int round = 0; round < ROUNDS; round++) {
                for (int i = 0; i < CONNECTIONS; i++) {
                        char c = (char)i;
                        cr_assert_eq(write(fd[i][0], &c, 1), 1);
                }
                for (int i = CONNECTIONS - 1; i >= 0; i--) {
                        char c;
                        cr_assert_eq(read(fd[i][0], &c, 1), 1);
                        cr_assert_eq(c, (char)(i + 1));
                }
        }
        for (int i = 0; i < CONNECTIONS; i++) {
                close(fd[i][0]);
                cr_assert_eq(join(task[i]), 0);
                close(fd[i][1]);
        }
        weft_pool_destroy(pool);
}

Test(suspend_fds, two_tasks_wait_for_one_descriptor_for_different_things, .timeout = 60)
{
        weft_pool *pool = begin(1);
        int fd[2];
        char block[4096] = {0};
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
        while (write(fd[0], block, sizeof(block)) > 0)
                ;
        struct wait in = {fd[0], POLLIN, WEFT_FOREVER}, out = {fd[0], POLLOUT, WEFT_FOREVER};
        weft_task *reader = spawn(pool, wait_for, &in), *writer = spawn(pool, wait_for, &out);
        weft_task *second = spawn(pool, wait_for, &in);
        int result;
        weft_sleep_until(weft_now() + 10 * MS);
        cr_assert_eq(write(fd[1], "x", 1), 1);
        cr_assert_eq(join(reader), POLLIN);
        cr_assert_eq(join(second), POLLIN);
        cr_assert_eq(weft_task_result(writer, &result), -EINPROGRESS);
        while (read(fd[1], block, sizeof(block)) > 0)
                ;
        cr_assert_eq(join(writer), POLLOUT);
        weft_pool_destroy(pool);
}

Test(suspend_fds, a_wait_ends_by_deadline_cancellation_hang_up_and_close, .timeout = 60)
{
        weft_pool *pool = begin(1);
        int fd[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        struct wait shortly = {fd[0], POLLIN, weft_now() + 5 * MS};
        struct wait in = {fd[0], POLLIN, WEFT_FOREVER};

        cr_assert_eq(join(spawn(pool, wait_for, &shortly)), -ETIMEDOUT);
        cr_assert_eq(weft_wait_fd(fd[0], POLLIN, weft_now() + 2 * MS), -ETIMEDOUT);
        cr_assert_eq(weft_wait_fd(fd[0], POLLOUT, 0), POLLOUT);

        weft_task *task = spawn(pool, wait_for, &in);
        weft_sleep_until(weft_now() + 5 * MS);
        weft_task_cancel(task);
        cr_assert_eq(join(task), -ECANCELED);

        task = spawn(pool, wait_for, &in);
        weft_sleep_until(weft_now() + 5 * MS);
        close(fd[1]);
        cr_assert_eq(join(task), POLLIN | POLLHUP);
        close(fd[0]);

        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        in.fd = fd[0];
        task = spawn(pool, wait_for, &in);
        weft_sleep_until(weft_now() + 5 * MS);
        cr_assert_eq(weft_close(fd[0]), 0);
        cr_assert_eq(join(task), -EBADF);
        cr_assert_eq(weft_close(fd[0]), -EBADF);
        cr_assert_eq(join(spawn(pool, wait_for, &in)), -EBADF);
        close(fd[1]);
        weft_pool_destroy(pool);
}

Test(suspend_fds, a_number_that_was_closed_and_used_again_ends_the_old_wait, .timeout = 60)
{
        weft_pool *pool = begin(1);
        int old[2], new[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, old), 0);
        struct wait in = {old[0], POLLIN, WEFT_FOREVER};
        weft_task *task = spawn(pool, wait_for, &in);
        until_parked(pool, 1);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, new), 0);
        cr_assert_eq(dup2(new[0], old[0]), old[0]);
        weft_task *later = spawn(pool, wait_for, &in);
        cr_assert_eq(join(task), -EBADF);
        cr_assert_eq(write(new[1], "x", 1), 1);
        cr_assert_eq(join(later), POLLIN);
        weft_pool_destroy(pool);
}

/* The kernel keeps what was registered as long as a duplicate is open, and reports it. */
Test(suspend_fds, the_file_that_a_number_was_is_not_taken_for_the_one_that_it_is, .timeout = 60)
{
        weft_pool *pool = begin(1);
        int old[2], new[2], kept;
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, old), 0);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, new), 0);
        cr_assert_geq(kept = dup(old[0]), 0);
        struct wait in = {old[0], POLLIN, WEFT_FOREVER};
        weft_task *task = spawn(pool, wait_for, &in);
        until_parked(pool, 1);
        cr_assert_eq(dup2(new[0], old[0]), old[0]);
        struct wait shortly = {old[0], POLLIN, weft_now() + 200 * MS};
        weft_task *later = spawn(pool, wait_for, &shortly);
        cr_assert_eq(join(task), -EBADF);
        cr_assert_eq(write(old[1], "x", 1), 1);
        cr_assert_eq(join(later), -ETIMEDOUT);
        weft_pool_destroy(pool);
        close(kept);
}

Test(suspend_fds, a_file_that_is_back_at_its_number_is_waited_for, .timeout = 60)
{
        weft_pool *pool = begin(1);
        int fd[2], kept;
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        cr_assert_geq(kept = dup(fd[0]), 0);
        struct wait in = {fd[0], POLLIN, WEFT_FOREVER};
        weft_task *task = spawn(pool, wait_for, &in);
        until_parked(pool, 1);
        close(fd[0]);
        weft_task_cancel(task);
        cr_assert_eq(join(task), -ECANCELED);
        cr_assert_eq(dup2(kept, fd[0]), fd[0]);
        task = spawn(pool, wait_for, &in);
        until_parked(pool, 2);
        cr_assert_eq(write(fd[1], "x", 1), 1);
        cr_assert_eq(join(task), POLLIN);
        weft_pool_destroy(pool);
        close(kept);
}

Test(suspend_fds, bad_arguments_are_told, .timeout = 60)
{
        weft_pool *pool = begin(1);
        struct wait bad_fd = {-1, POLLIN, 0}, closed = {1000, POLLIN, 0}, none = {0, 0, 0};
        struct wait other = {0, POLLNVAL, 0};
        cr_assert_eq(join(spawn(pool, wait_for, &bad_fd)), -EBADF);
        cr_assert_eq(join(spawn(pool, wait_for, &closed)), -EBADF);
        cr_assert_eq(join(spawn(pool, wait_for, &none)), -EINVAL);
        cr_assert_eq(join(spawn(pool, wait_for, &other)), -EINVAL);
        cr_assert_eq(weft_blocking(NULL, NULL), -EINVAL);
        weft_pool_destroy(pool);
}

/* ---- blocking calls ---- */

static atomic_int blocked, most_blocked;

static int sleeps(void *arg)
{
        int n = ++blocked, most = most_blocked;
        while (n > most && !atomic_compare_exchange_weak(&most_blocked, &most, n))
                ;
        usleep(20000);
        blocked--;
        weft_set(&var, arg, NULL);
        return weft_task_current() ? -1 : 7;
}

static int calls_it(void *arg)
{
        weft_token token;
        weft_set(&var, "mine", &token);
        pthread_t before = pthread_self();
        int r = weft_blocking(sleeps, arg);
        cr_assert(pthread_equal(before, pthread_self()));
        cr_assert_eq(weft_get(&var), arg); /* it ran in this task's frame */
        cr_assert_eq(weft_reset(&var, &token), 0);
        cr_assert_null(weft_get(&var));
        return r;
}

Test(suspend_blocking, calls_overlap_on_one_worker_each_in_its_tasks_frame, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_task *task[40];
        for (long i = 0; i < 40; i++)
                task[i] = spawn(pool, calls_it, (void *)(i + 1));
        for (int i = 0; i < 40; i++)
                cr_assert_eq(join(task[i]), 7);
        cr_assert_gt(most_blocked, 1);
        cr_assert_eq(weft_blocking(sleeps, NULL), 7); /* outside a task: a plain call */
        weft_pool_destroy(pool);
}

enum { MOST_THREADS = 64, CALLS = 100 };

static atomic_int calling, most_calling;

static int calls_for_long(void *gate)
{
        int n = atomic_fetch_add(&calling, 1) + 1, most = atomic_load(&most_calling);
        while (n > most && !atomic_compare_exchange_weak(&most_calling, &most, n))
                ;
        plug__wait(gate);
        atomic_fetch_sub(&calling, 1);
        return 7;
}

static int has_it_called(void *gate)
{
        return weft_blocking(calls_for_long, gate);
}

Test(suspend_blocking, calls_beyond_64_queue_up_and_idle_threads_end, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_task *task[CALLS];
        sem_t gate;
        sem_init(&gate, 0, 0);
        int threads = entries_of("/proc/self/task");
        for (int i = 0; i < CALLS; i++)
                task[i] = spawn(pool, has_it_called, &gate);
        cr_assert(reaches(&calling, MOST_THREADS));
        usleep(20000); /* no more come */
        cr_assert_eq(entries_of("/proc/self/task"), threads + MOST_THREADS);
        for (int i = 0; i < CALLS; i++)
                sem_post(&gate);
        for (int i = 0; i < CALLS; i++)
                cr_assert_eq(join(task[i]), 7);
        cr_assert_eq(atomic_load(&most_calling), MOST_THREADS);
        for (int64_t end = in_ms(20000); entries_of("/proc/self/task") > threads;) {
                cr_assert_lt(weft_now(), end, "idle threads are left");
                usleep(50000);
        }
        weft_pool_destroy(pool);
}

static int answers(void *arg)
{
        return (int)(long)arg;
}

static int asks(void *arg)
{
        return weft_blocking(answers, arg);
}

Test(suspend_blocking, both_work_in_the_child_of_a_fork, .timeout = 60)
{
        skip_threads_after_fork_in_emulator();
        weft_pool *pool = begin(1);
        int fd[2];
        cr_assert_eq(pipe(fd), 0);
        struct wait in = {fd[0], POLLIN, weft_now() + 5 * MS};
        cr_assert_eq(join(spawn(pool, asks, (void *)5)), 5);
        cr_assert_eq(join(spawn(pool, wait_for, &in)), -ETIMEDOUT);
        pid_t child = fork();
        if (child == 0) {
                weft_task *task;
                in.deadline = weft_now() + 5 * MS;
                if (weft_spawn(NULL, &task, asks, (void *)6) < 0 || join(task) != 6)
                        _exit(1);
                if (weft_spawn(NULL, &task, wait_for, &in) < 0 || join(task) != -ETIMEDOUT)
                        _exit(2);
                _exit(0);
        }
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
        weft_pool_destroy(pool);
}
