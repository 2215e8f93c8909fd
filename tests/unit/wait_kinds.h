/* SPDX-License-Identifier: MIT
 *
 * What can be waited for, for wait_matrix.c: each kind of wait knows how to make its scene, how to
 * wait, what makes the wait be over, and how to tell afterwards that the thing that was waited for
 * is whole: a wait that failed has taken nothing, and what was given to nobody is there still.
 */
#ifndef WAIT_KINDS_H
#define WAIT_KINDS_H

#include "pool_help.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

/* One case that is played. Made, and looked at afterwards, by the test's own thread. */
struct scene {
        const struct kind *kind;
        weft_pool *other; /* with workers of its own, which no case shuts down */

        weft_task *target; /* what is waited for, one of them */
        weft_group group;
        weft_mutex mutex;
        weft_semaphore semaphore;
        weft_event event;
        weft_channel *channel;
        weft_pool *third;
        int fd, got;
        sem_t hold, held;
        atomic_int ran;
        bool late_tasks; /* a task that is submitted may come too late for its context's deadline */

        int result;           /* of the wait */
        atomic_bool finished; /* bring() has been called */
        int64_t deadline;     /* of the wait */
};

struct kind {
        const char *name;
        void (*make)(struct scene *);
        int (*wait)(struct scene *, int64_t deadline);
        void (*bring)(struct scene *);  /* makes what is waited for happen; never waits */
        void (*settle)(struct scene *); /* by a thread outside: wait until it has happened */
        void (*look)(struct scene *);   /* afterwards: is all as it should be? and clean up */
        int done;                       /* what the wait returns then */
        bool timed;                     /* it takes a deadline, */
        int late;                       /* and returns this when that has come */
        bool by_helper;   /* bring() begins a wait: not to be called by the waiter's own thread */
        bool direct;      /* when bring() returns the waiter has been woken */
        bool unstoppable; /* neither cancellation nor the context's deadline ends it */
        bool no_waiter;   /* a thread outside pools has none for it */
};

static inline int rest_until_set(void *event)
{
        int r;
        for (int tries = 0; (r = weft_event_wait(event, WEFT_FOREVER)) < 0; tries++) {
                CHECK(r == -ENOMEM);
                CHECK(!UNDER_FAULTS || tries < 2000); /* where it may be so for ever */
                usleep(1000);
        }
        return 33;
}

static inline void set_event(struct scene *s)
{
        CHECK(weft_event_set(&s->event) == 0);
}

/* ---- a task ---- */

static inline void make_task(struct scene *s)
{
        s->target = spawn(s->other, rest_until_set, &s->event);
}

static inline int wait_task(struct scene *s, int64_t deadline)
{
        return weft_await(s->target, deadline);
}

static inline void settle_task(struct scene *s)
{
        CHECK(weft_await(s->target, WEFT_FOREVER) == 33);
}

static inline void look_task(struct scene *s)
{
        set_event(s);
        CHECK(join(s->target) == 33);
}

/* ---- a group ---- */

static inline int rest_in_group(void *event)
{
        return rest_until_set(event) == 33 ? 0 : -EIO;
}

static inline void make_group(struct scene *s)
{
        CHECK(weft_group_init(&s->group, s->other) == 0);
        CHECK(weft_group_spawn(&s->group, rest_in_group, &s->event) == 0);
}

static inline int wait_group(struct scene *s, int64_t deadline)
{
        return weft_group_wait(&s->group, deadline);
}

static inline int end_group(struct scene *s, int64_t deadline)
{
        (void)deadline;
        weft_group_fini(&s->group);
        return 0;
}

static inline void settle_group(struct scene *s)
{
        CHECK(weft_group_wait(&s->group, WEFT_FOREVER) == 0);
}

static inline void look_group(struct scene *s)
{
        set_event(s);
        CHECK(weft_group_wait(&s->group, WEFT_FOREVER) == 0);
        CHECK(weft_group_spawn(&s->group, nothing, NULL) == 0);
        weft_group_fini(&s->group);
}

static inline void look_ended_group(struct scene *s)
{
        CHECK(weft_group_wait(&s->group, 0) == 0);
}

/* ---- a mutex: the test holds it ---- */

static inline void make_mutex(struct scene *s)
{
        weft_mutex_init(&s->mutex);
        CHECK(weft_mutex_trylock(&s->mutex) == 0);
}

static inline int wait_mutex(struct scene *s, int64_t deadline)
{
        return weft_mutex_lock(&s->mutex, deadline);
}

static inline void unlock_mutex(struct scene *s)
{
        CHECK(weft_mutex_unlock(&s->mutex) == 0);
}

static inline void look_mutex(struct scene *s)
{
        if (s->result == 0 || !s->finished) {
                CHECK(weft_mutex_trylock(&s->mutex) == -EAGAIN);
                CHECK(weft_mutex_unlock(&s->mutex) == 0);
        }
        CHECK(weft_mutex_lock(&s->mutex, 0) == 0);
        CHECK(weft_mutex_unlock(&s->mutex) == 0);
        CHECK(weft_mutex_unlock(&s->mutex) == -EPERM);
}

/* ---- a semaphore without units ---- */

static inline void make_semaphore(struct scene *s)
{
        weft_semaphore_init(&s->semaphore, 0);
}

static inline int wait_semaphore(struct scene *s, int64_t deadline)
{
        return weft_semaphore_wait(&s->semaphore, deadline);
}

static inline void post_semaphore(struct scene *s)
{
        CHECK(weft_semaphore_post(&s->semaphore) == 0);
}

static inline void look_semaphore(struct scene *s)
{
        if (s->finished && s->result < 0)
                CHECK(weft_semaphore_wait(&s->semaphore, 0) == 0);
        CHECK(weft_semaphore_wait(&s->semaphore, 0) == -ETIMEDOUT);
        CHECK(weft_semaphore_post(&s->semaphore) == 0);
        CHECK(weft_semaphore_wait(&s->semaphore, 0) == 0);
}

/* ---- an event ---- */

static inline void make_nothing(struct scene *s)
{
        (void)s;
}

static inline int wait_event(struct scene *s, int64_t deadline)
{
        return weft_event_wait(&s->event, deadline);
}

static inline void look_event(struct scene *s)
{
        CHECK(weft_event_wait(&s->event, 0) == (s->finished ? 0 : -ETIMEDOUT));
        set_event(s);
        CHECK(weft_event_wait(&s->event, 0) == 0);
}

/* ---- a channel that is full of 1 and to take 2, or empty and to give 9 ---- */

static inline void make_channel(struct scene *s)
{
        CHECK(weft_channel_create(&s->channel, sizeof(int), 1) == 0);
}

static inline void make_full_channel(struct scene *s)
{
        make_channel(s);
        CHECK(weft_channel_send(s->channel, &(int){1}, 0) == 0);
}

static inline int wait_send(struct scene *s, int64_t deadline)
{
        int item = 2;
        return weft_channel_send(s->channel, &item, deadline);
}

static inline int wait_receive(struct scene *s, int64_t deadline)
{
        return weft_channel_receive(s->channel, &s->got, deadline);
}

static inline void receive_one(struct scene *s)
{
        int item = 0;
        CHECK(weft_channel_receive(s->channel, &item, 0) == 0 && item == 1);
}

static inline void send_nine(struct scene *s)
{
        CHECK(weft_channel_send(s->channel, &(int){9}, 0) == 0);
}

/* The channel holds this one item, or with 0 none; and works. */
static inline void look_channel(struct scene *s, int wanted)
{
        int item = 0;
        if (wanted)
                CHECK(weft_channel_receive(s->channel, &item, 0) == 0 && item == wanted);
        CHECK(weft_channel_receive(s->channel, &item, 0) == -ETIMEDOUT);
        CHECK(weft_channel_send(s->channel, &(int){4}, 0) == 0);
        CHECK(weft_channel_send(s->channel, &(int){5}, 0) == -ETIMEDOUT);
        CHECK(weft_channel_receive(s->channel, &item, 0) == 0 && item == 4);
        s->channel = weft_channel_destroy(s->channel);
}

static inline void look_sent(struct scene *s)
{
        look_channel(s, s->result == 0 ? 2 : s->finished ? 0 : 1);
}

static inline void look_received(struct scene *s)
{
        CHECK(s->got == (s->result == 0 ? 9 : 0));
        look_channel(s, s->result < 0 && s->finished ? 9 : 0);
}

/* ---- a file descriptor ---- */

static inline void make_fd(struct scene *s)
{
        s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        CHECK(s->fd >= 0);
}

static inline int wait_fd_ready(struct scene *s, int64_t deadline)
{
        return weft_wait_fd(s->fd, POLLIN, deadline);
}

static inline void write_fd(struct scene *s)
{
        CHECK(eventfd_write(s->fd, 1) == 0);
}

static inline void look_fd(struct scene *s)
{
        eventfd_t value = 0;
        CHECK(eventfd_read(s->fd, &value) == (s->finished ? 0 : -1));
        CHECK(weft_wait_fd(s->fd, POLLIN, 0) == -ETIMEDOUT);
        CHECK(weft_wait_fd(s->fd, POLLOUT, 0) == POLLOUT);
        CHECK(weft_close(s->fd) == 0);
}

/* ---- a time, and a turn ---- */

static inline int wait_time(struct scene *s, int64_t deadline)
{
        (void)s;
        return weft_sleep_until(deadline);
}

static inline int wait_turn(struct scene *s, int64_t deadline)
{
        (void)s, (void)deadline;
        return weft_yield();
}

static inline void look_at_nothing(struct scene *s)
{
        (void)s;
}

/* ---- room in a bounded pool: its workers are busy, and one task is queued ---- */

static inline int hold_worker(void *scene)
{
        struct scene *s = scene;
        sem_post(&s->held);
        plug__wait(&s->hold);
        return 0;
}

static inline void make_room(struct scene *s)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .max_queued = 1, .when_full = WEFT_BLOCK};
        CHECK(weft_pool_create(&s->third, &o) == 0);
        for (unsigned i = 0; i < workers_of(1); i++) {
                CHECK(weft_submit(s->third, hold_worker, s) == 0);
                plug__wait(&s->held);
        }
        CHECK(weft_submit(s->third, nothing, NULL) == 0);
}

static inline int wait_room(struct scene *s, int64_t deadline)
{
        (void)deadline;
        return weft_submit(s->third, count_up, &s->ran);
}

static inline void release_worker(struct scene *s)
{
        sem_post(&s->hold);
}

static inline void settle_room(struct scene *s)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        do {
                sched_yield();
                weft_pool_stats(s->third, &stats);
        } while (stats.queued);
}

static inline void look_room(struct scene *s)
{
        for (unsigned i = 0; i < workers_of(1); i++)
                sem_post(&s->hold);
        CHECK(weft_submit(s->third, nothing, NULL) == 0);
        CHECK(weft_pool_shutdown(s->third, WEFT_DRAIN, WEFT_FOREVER) == 0);
        CHECK(atomic_load(&s->ran) == (s->result == 0) ||
              (s->late_tasks && atomic_load(&s->ran) == 0));
        s->third = weft_pool_destroy(s->third);
}

/* ---- the end of another pool ---- */

static inline void make_pool(struct scene *s)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1};
        CHECK(weft_pool_create(&s->third, &o) == 0);
        CHECK(weft_submit(s->third, rest_until_set, &s->event) == 0);
}

static inline int wait_pool(struct scene *s, int64_t deadline)
{
        return weft_pool_shutdown(s->third, WEFT_DRAIN, deadline);
}

static inline void settle_pool(struct scene *s)
{
        CHECK(weft_pool_shutdown(s->third, WEFT_DRAIN, WEFT_FOREVER) == 0);
}

static inline void look_pool(struct scene *s)
{
        set_event(s);
        CHECK(weft_pool_shutdown(s->third, WEFT_DRAIN, WEFT_FOREVER) == 0);
        CHECK(weft_submit(s->third, nothing, NULL) == -ESHUTDOWN);
        s->third = weft_pool_destroy(s->third);
}

/* ---- a call that blocks ---- */

static inline int block(void *scene)
{
        struct scene *s = scene;
        plug__wait(&s->hold);
        atomic_fetch_add(&s->ran, 1);
        return 5;
}

static inline int wait_blocking(struct scene *s, int64_t deadline)
{
        (void)deadline;
        return weft_blocking(block, s);
}

static inline void look_blocking(struct scene *s)
{
        CHECK(atomic_load(&s->ran) == 1);
}

/* ---- all of them ---- */

#define KIND(name_, make_, wait_, bring_, settle_, look_)                                          \
        .name = (name_), .make = (make_), .wait = (wait_), .bring = (bring_), .settle = (settle_), \
        .look = (look_)
#define UNTIL .timed = true, .late = -ETIMEDOUT

static const struct kind kinds[] = {
    {KIND("await", make_task, wait_task, set_event, settle_task, look_task), UNTIL, .done = 33},
    {KIND("group wait", make_group, wait_group, set_event, settle_group, look_group), UNTIL},
    {KIND("group fini", make_group, end_group, set_event, settle_group, look_ended_group),
     .unstoppable = true},
    {KIND("mutex", make_mutex, wait_mutex, unlock_mutex, NULL, look_mutex), UNTIL, .direct = true},
    {KIND("semaphore", make_semaphore, wait_semaphore, post_semaphore, NULL, look_semaphore), UNTIL,
     .direct = true},
    {KIND("event", make_nothing, wait_event, set_event, NULL, look_event), UNTIL, .direct = true},
    {KIND("send", make_full_channel, wait_send, receive_one, NULL, look_sent), UNTIL,
     .by_helper = true, .direct = true},
    {KIND("receive", make_channel, wait_receive, send_nine, NULL, look_received), UNTIL,
     .by_helper = true, .direct = true},
    {KIND("wait_fd", make_fd, wait_fd_ready, write_fd, NULL, look_fd), UNTIL, .done = POLLIN,
     .no_waiter = true},
    {KIND("sleep", make_nothing, wait_time, NULL, NULL, look_at_nothing), .timed = true,
     .direct = true},
    {KIND("yield", make_nothing, wait_turn, NULL, NULL, look_at_nothing), .direct = true},
    {KIND("room", make_room, wait_room, release_worker, settle_room, look_room)},
    {KIND("pool shutdown", make_pool, wait_pool, set_event, settle_pool, look_pool), UNTIL},
    {KIND("blocking call", make_nothing, wait_blocking, release_worker, NULL, look_blocking),
     .done = 5, .unstoppable = true, .no_waiter = true},
};

#undef UNTIL

#endif
