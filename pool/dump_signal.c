/* SPDX-License-Identifier: MIT
 *
 * A dump at a signal (see weft/see.h). The handler counts and wakes; a thread of our own, in which
 * all signals are blocked, writes.
 *
 * Pairings
 *  U1  the handler: asked (release) -> the thread (acquire): to which descriptor
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <weft/see.h>

#include "dump.h"
#include "futex.h"

static struct {
        weft__lock lock;
        int signo; /* 0: none; under lock, as what follows */
        struct sigaction before;
        bool running; /* the thread, in the process of this generation */
        unsigned generation;

        atomic_int fd;
        atomic_uint asked; /* signals that have come */
} on;

void weft__dump_to_fd(const char *text, size_t length, int fd)
{
        enum { ROOM_MS = 5000 };
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        for (size_t done = 0; done < length;) {
                ssize_t n = write(fd, text + done, length - done);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return;
                if (n < 0 && errno == EAGAIN && poll(&room, 1, ROOM_MS) <= 0)
                        return;
                done += n > 0 ? (size_t)n : 0;
        }
}

static void to_fd(const char *text, size_t length, void *fd)
{
        weft__dump_to_fd(text, length, *(int *)fd);
}

static void *write_dumps(void *unused)
{
        unsigned served = 0;
        (void)unused;
        pthread_setname_np(pthread_self(), "weft-dump");
        for (;;) {
                /* There is no model of signals. */
                unsigned asked = atomic_load_explicit(&on.asked, memory_order_acquire); /* -> U1 */
                if (asked == served) {
                        weft__futex_wait(&on.asked, asked, WEFT_FOREVER);
                        continue;
                }
                served = asked;
                /* relaxed: U1 */
                int fd = atomic_load_explicit(&on.fd, memory_order_relaxed);
                if (weft__snapshot(weft__dump_all, NULL, to_fd, &fd) < 0)
                        weft__dump_to_fd("weft: no more could be seen\n", 28, fd);
        }
        return NULL;
}

static void on_signal(int signo)
{
        (void)signo;
        /* U1 ->; there is no model of signals */
        atomic_fetch_add_explicit(&on.asked, 1, memory_order_release);
        weft__futex_wake(&on.asked, 1); /* which keeps errno */
}

/* Under the lock. */
static int start_thread(void)
{
        pthread_attr_t attr;
        pthread_t thread;
        sigset_t all, before;
        if (on.running && on.generation == weft__fork_generation())
                return 0;
        int r = pthread_attr_init(&attr);
        if (r != 0)
                return -r;
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        /* relaxed: the thread is not there yet */
        atomic_store_explicit(&on.asked, 0, memory_order_relaxed);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, &attr, write_dumps, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        on.running = r == 0;
        on.generation = weft__fork_generation();
        return -r;
}

/* Under the lock. */
static void put_back(void)
{
        if (on.signo)
                sigaction(on.signo, &on.before, NULL);
        on.signo = 0;
}

static bool can_be_caught(int signo)
{
        sigset_t set;
        return signo != SIGKILL && signo != SIGSTOP && sigemptyset(&set) == 0 &&
               sigaddset(&set, signo) == 0;
}

static int take_over(int signo, int fd)
{
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
        int r = can_be_caught(signo) ? start_thread() : -EINVAL;
        if (r < 0)
                return r;
        if (signo != on.signo)
                put_back();
        /* relaxed: U1 */
        atomic_store_explicit(&on.fd, fd, memory_order_relaxed);
        if (signo == on.signo)
                return 0;
        if (sigaction(signo, &action, &on.before) < 0)
                return -errno;
        on.signo = signo;
        return 0;
}

int weft_dump_on_signal(int signo, int fd)
{
        int r = 0, saved = errno;
        if (signo && fd < 0)
                return -EINVAL;
        weft__lock_take(&on.lock);
        if (signo)
                r = take_over(signo, fd);
        else
                put_back();
        weft__lock_give(&on.lock);
        errno = saved;
        return r;
}
