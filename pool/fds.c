/* SPDX-License-Identifier: MIT
 *
 * Waiting for file descriptors: one epoll instance and one thread that watches it, for the whole
 * process, made by the first wait that is not over at once.
 *
 * A descriptor that is waited for has a watch, in a hash table by number, with the list of those
 * who wait; it is registered for the union of what they want, one-shot. The watcher wakes those
 * whose events have come and registers it anew for the rest. Everything is under one lock; the
 * watcher waits without it.
 *
 * The kernel forgets a registration silently when the descriptor is closed. weft_close() tells
 * those who wait first; and a wait that finds a watch whose registration is gone ends the waits of
 * that watch with -EBADF, since they were for another file.
 *
 * Why no wake-up is lost: a descriptor is registered, level-triggered, after the waiter is in its
 * list, by the lock; if it is ready already the kernel reports it at once.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <weft/suspend.h>

#include "deadline.h"
#include "worker.h"

enum { BUCKETS = 1024, EVENTS = 128, ALLOWED = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLPRI == EPOLLPRI &&
                   POLLERR == EPOLLERR && POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP,
               "poll's and epoll's events are told apart");

/* One that waits, on the stack of its task. */
struct wanting {
        weft__waiter *waiter;
        short events;
        int result; /* what came, or an error */
        struct wanting *next;
        bool gone; /* not in the list any more */
};

struct watch {
        int fd;
        uint32_t serial; /* tells it from an earlier watch of the same number */
        struct wanting *first;
        struct watch *next; /* in the bucket, or of the free ones */
};

static struct {
        weft__lock lock;
        bool running; /* there are an instance and a thread */
        int epoll;
        struct watch *bucket[BUCKETS];
        struct watch *unused;
        uint32_t serials;
} fds;
static bool child_handled; /* by init(): without it there would be two users of one instance */

/* ---- watches, under the lock ---- */

static struct watch **find(int fd)
{
        struct watch **link = &fds.bucket[(unsigned)fd % BUCKETS];
        while (*link && (*link)->fd != fd)
                link = &(*link)->next;
        return link;
}

static struct watch *watch_new(struct watch **link, int fd)
{
        struct watch *w = fds.unused;
        if (w)
                fds.unused = w->next;
        else
                w = weft__alloc(sizeof(*w));
        if (w) {
                *w = (struct watch){.fd = fd, .serial = ++fds.serials};
                *link = w;
        }
        return w;
}

static void watch_free(struct watch **link)
{
        struct watch *w = *link;
        *link = w->next;
        w->next = fds.unused;
        fds.unused = w;
}

/* Register for all that is wanted: 0 or -errno. */
static int arm(const struct watch *w, int how)
{
        struct epoll_event e = {.events = EPOLLONESHOT,
                                .data.u64 = (uint64_t)w->serial << 32 | (unsigned)w->fd};
        for (const struct wanting *x = w->first; x; x = x->next)
                e.events |= (uint32_t)x->events;
        return epoll_ctl(fds.epoll, how, w->fd, &e) == 0 ? 0 : -errno;
}

/* Take those out of the list who wait for one of the events, or all of them with an error, and wake
 * them. */
static void serve(struct watch *w, short events, int error)
{
        struct wanting **link = &w->first;
        while (*link) {
                struct wanting *x = *link;
                short came = events & (short)(x->events | POLLERR | POLLHUP);
                if (!came && !error) {
                        link = &x->next;
                        continue;
                }
                *link = x->next;
                x->gone = true;
                x->result = error ? error : came;
                weft__wake(x->waiter, WEFT__DONE); /* it takes the lock before it goes */
        }
}

/* ---- the watcher ---- */

static void *watch_all(void *unused)
{
        struct epoll_event event[EVENTS];
        (void)unused;
        weft__memory_begin();
        pthread_setname_np(pthread_self(), "weft-fds");
        for (;;) {
                int n = epoll_wait(fds.epoll, event, EVENTS, -1);
                weft__lock_take(&fds.lock);
                for (int i = 0; i < n; i++) {
                        struct watch **link = find((int)(unsigned)event[i].data.u64);
                        if (!*link || (*link)->serial != event[i].data.u64 >> 32)
                                continue; /* those who waited for this have left */
                        serve(*link, (short)event[i].events, 0);
                        if (!(*link)->first) {
                                epoll_ctl(fds.epoll, EPOLL_CTL_DEL, (*link)->fd, NULL);
                                watch_free(link);
                        } else if (arm(*link, EPOLL_CTL_MOD) < 0) {
                                serve(*link, 0, -EBADF);
                                watch_free(link);
                        }
                }
                weft__lock_give(&fds.lock);
        }
        return NULL;
}

/* In the child of a fork the instance is the parent's, there is no watcher, and nobody waits. */
static void child_begins(void)
{
        if (fds.running)
                close(fds.epoll);
        memset(&fds, 0, sizeof(fds));
}

__attribute__((constructor(102))) static void init(void)
{
        child_handled = pthread_atfork(NULL, NULL, child_begins) == 0;
}

static int start(void)
{
        pthread_attr_t attr;
        pthread_t thread;
        if (fds.running)
                return 0;
        if (!child_handled)
                return -ENOMEM;
        fds.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (fds.epoll < 0)
                return -errno;
        int r = pthread_attr_init(&attr);
        if (r == 0) {
                pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
                r = pthread_create(&thread, &attr, watch_all, NULL);
                pthread_attr_destroy(&attr);
        }
        if (r != 0)
                close(fds.epoll);
        fds.running = r == 0;
        return -r;
}

/* ---- waiting ---- */

/* Put x into the watch of fd, registered for what it wants: 0 or -errno with nothing changed. */
static int enlist(int fd, struct wanting *x)
{
        int r = start();
        if (r < 0)
                return r;
        struct watch **link = find(fd);
        bool known = *link != NULL;
        struct watch *w = known ? *link : watch_new(link, fd);
        if (!w)
                return -ENOMEM;
        x->next = w->first;
        w->first = x;
        r = arm(w, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
        if (r == -ENOENT) {
                /* The number was closed, and is another file now. */
                w->first = x->next;
                serve(w, 0, -EBADF);
                x->next = NULL;
                w->first = x;
                w->serial = ++fds.serials; /* the old file may live on, and still be reported */
                r = arm(w, EPOLL_CTL_ADD);
        } else if (r == -EEXIST) {
                /* Closed while it was waited for, so that the registration stayed; and the same
                 * file is back at its number. */
                r = arm(w, EPOLL_CTL_MOD);
        }
        if (r < 0) {
                w->first = x->next;
                if (!w->first)
                        watch_free(find(fd));
        }
        if (r == -EPERM)
                return -EINVAL; /* a plain file, which is never ready for what was asked */
        return r == -ENOSPC ? -EAGAIN : r;
}

static void delist(int fd, struct wanting *x)
{
        struct watch **link = find(fd);
        struct wanting **at = &(*link)->first;
        while (*at != x)
                at = &(*at)->next;
        *at = x->next;
        if (!(*link)->first) {
                epoll_ctl(fds.epoll, EPOLL_CTL_DEL, fd, NULL);
                watch_free(link);
        }
}

/* What poll() says now, or within the deadline on a thread of our own: revents, 0 or -errno. */
static int look(int fd, short events, int64_t deadline)
{
        struct pollfd p = {.fd = fd, .events = events};
        for (;;) {
                int64_t now = weft_now(), left = deadline > now ? deadline - now : 0;
                struct timespec t = {0, 0};
                if (left > 0) {
                        t.tv_sec = left / 1000000000;
                        t.tv_nsec = left % 1000000000;
                }
                int n = ppoll(&p, 1, deadline == WEFT_FOREVER ? NULL : &t, NULL);
                if (n > 0)
                        return p.revents & POLLNVAL ? -EBADF : p.revents;
                if (n < 0 && errno == EINVAL)
                        return -EMFILE; /* one descriptor is more than RLIMIT_NOFILE */
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0 && weft_now() >= deadline)
                        return 0;
        }
}

static int wait_fd(int fd, short events, int64_t deadline)
{
        if (fd < 0)
                return -EBADF;
        if (!events || events & ~ALLOWED)
                return -EINVAL;
        weft__waiter own;
        struct wanting x = {.events = events};
        int r = look(fd, events,
                     weft__fiber_self() ? 0 : weft__deadline_for(weft__shielded(), deadline));
        if (r)
                return r;
        if (!weft__fiber_self())
                return -ETIMEDOUT;

        x.waiter = weft__wait_begin(&own, false);
        weft__lock_take(&fds.lock);
        r = enlist(fd, &x);
        weft__lock_give(&fds.lock);
        if (r < 0)
                return r;
        weft__wait_is_on(x.waiter, WEFT__ON_FD, (const void *)(intptr_t)fd);
        r = weft__wait_error(weft__wait(x.waiter, deadline));
        weft__lock_take(&fds.lock);
        if (!x.gone)
                delist(fd, &x);
        else
                r = x.result;
        weft__lock_give(&fds.lock);
        return r;
}

/* errno where no compiler can keep its address over the wait, after which it may be another. */
static __attribute__((noinline)) int errno_now(void)
{
        return errno;
}

static __attribute__((noinline)) void errno_becomes(int value)
{
        errno = value;
}

int weft_wait_fd(int fd, short events, int64_t deadline)
{
        int saved = errno_now();
        int r = wait_fd(fd, events, deadline);
        errno_becomes(saved);
        return r;
}

int weft_close(int fd)
{
        int r = 0;
        struct weft__kept kept = weft__keep(); /* close() would end us here */
        weft__lock_take(&fds.lock);
        struct watch **link = fd < 0 ? NULL : find(fd);
        if (link && *link) {
                epoll_ctl(fds.epoll, EPOLL_CTL_DEL, fd, NULL);
                serve(*link, 0, -EBADF);
                watch_free(link);
        }
        if (close(fd) < 0 && errno != EINTR) /* then it is closed all the same */
                r = -errno;
        weft__lock_give(&fds.lock);
        weft__give_back(kept);
        return r;
}
