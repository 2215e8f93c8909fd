/* SPDX-License-Identifier: MIT
 *
 * The hazards of a wait: what a task finds after it has waited (see hazards.h).
 *
 * Each task has its own request current before its first wait, in whatever way the scoping offers,
 * so that what it finds afterwards is due to the wait alone. Where the order of two tasks matters,
 * one of them waits for what the other one does next.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "stage.h"

/* ---- sees another's: a task waits, another request's task runs meanwhile, and waits too ----
 *
 * The first is resumed while the second is still in its wait; then the second. */

struct waiter {
        struct waits *all;
        int request;
        weft_event let;
        sem_t arrived; /* it is about to wait */
        sem_t resumed; /* it has waited and read */
};

struct waits {
        struct stage stage;
        struct waiter first, second;
};

static int wait_until_let(void *arg)
{
        struct waiter *w = arg;
        make_current(&w->all->stage, w->request);
        sem_post(&w->arrived);
        int r = weft_event_wait(&w->let, WEFT_FOREVER);
        read_current(&w->all->stage, w->request);
        sem_post(&w->resumed);
        return r;
}

static int waiter_start(struct waiter *w, struct waits *all, int request)
{
        w->all = all;
        w->request = request;
        weft_event_init(&w->let);
        int r = start(&all->stage, wait_until_let, w);
        if (!r)
                hold_thread(&w->arrived);
        return r;
}

static void waiter_let(struct waiter *w)
{
        weft_event_set(&w->let);
        hold_thread(&w->resumed);
}

static int wait_round(struct waits *s, int request)
{
        int first = waiter_start(&s->first, s, request);
        int second = waiter_start(&s->second, s, request + 1);
        if (!first)
                waiter_let(&s->first);
        if (!second)
                waiter_let(&s->second);
        int waited = weft_group_wait(&s->stage.group, WEFT_FOREVER);
        return first ? first : second ? second : waited;
}

static void waiter_init(struct waiter *w)
{
        sem_init(&w->arrived, 0, 0);
        sem_init(&w->resumed, 0, 0);
}

static void waiter_fini(struct waiter *w)
{
        sem_destroy(&w->arrived);
        sem_destroy(&w->resumed);
}

int sees_anothers(const struct scoping *scoping, struct tally *tally)
{
        struct waits s = {.stage = {.scoping = scoping, .tally = tally}};
        waiter_init(&s.first);
        waiter_init(&s.second);
        int r = stage_open(&s.stage, 1, 0);
        for (int i = 0; i < ROUNDS / 2 && !r; i++)
                r = wait_round(&s, 1 + 2 * i);
        stage_close(&s.stage);
        waiter_fini(&s.first);
        waiter_fini(&s.second);
        return r;
}

/* ---- interleaved: two requests' tasks take turns on one worker ----
 *
 * A turn begins when the other one gives it, and ends in the wait for the next. Neither changes
 * what is current after it has begun. */

enum { TURNS = 4 }; /* of each task */

struct player {
        struct players *all;
        int request;
        weft_semaphore turn;
        struct player *other;
};

struct players {
        struct stage stage;
        sem_t begun;
        struct player player[2];
};

static int take_turns(void *arg)
{
        struct player *p = arg;
        int r = 0;
        begin_rightly(&p->all->stage, p->request);
        sem_post(&p->all->begun);
        for (int i = 0; i < TURNS && !r; i++) {
                r = weft_semaphore_wait(&p->turn, WEFT_FOREVER);
                if (!r) {
                        read_current(&p->all->stage, p->request);
                        r = weft_semaphore_post(&p->other->turn);
                }
        }
        return r;
}

static int player_start(struct players *s, int i, int request)
{
        struct player *p = &s->player[i];
        *p = (struct player){.all = s, .request = request, .other = &s->player[1 - i]};
        weft_semaphore_init(&p->turn, 0);
        int r = start_request(&s->stage, take_turns, p, request);
        if (!r)
                hold_thread(&s->begun);
        return r;
}

static int play_round(struct players *s, int request)
{
        int r = player_start(s, 0, request);
        if (!r)
                r = player_start(s, 1, request + 1);
        if (!r)
                r = weft_semaphore_post(&s->player[0].turn);
        if (r)
                weft_group_cancel(&s->stage.group);
        int waited = weft_group_wait(&s->stage.group, WEFT_FOREVER);
        return r ? r : waited;
}

int interleaved(const struct scoping *scoping, struct tally *tally)
{
        struct players s = {.stage = {.scoping = scoping, .tally = tally}};
        sem_init(&s.begun, 0, 0);
        int r = stage_open(&s.stage, 1, 0);
        for (int i = 0; i < ROUNDS / (2 * TURNS) && !r; i++)
                r = play_round(&s, 1 + 2 * i);
        stage_close(&s.stage);
        sem_destroy(&s.begun);
        return r;
}

/* ---- resumed elsewhere: a task that waited goes on on the other one of two workers ----
 *
 * While it waits, two more tasks begin. One of them gets the worker that it waited on, and holds
 * that until all is over. The other one, of another request, must then have got the other worker;
 * it ends the wait, and waits itself, so that this worker is free to go on with the first task. */

#define HELD_AT_MOST 60 /* seconds: then no other worker will take it any more */

struct move {
        struct stage stage;
        int request;
        pthread_t home; /* the thread that the task began on */
        sem_t begun;    /* it is about to wait */
        sem_t held;     /* its worker is busy */
        sem_t release;
        weft_event go;    /* ends its wait */
        weft_event moved; /* it has gone on, and read */
};

/* A compiler takes pthread_self() for a constant, and a task that moves shows that it is none. */
static __attribute__((noinline)) pthread_t this_thread(void)
{
        __asm__ volatile("");
        return pthread_self();
}

static int move_task(void *arg)
{
        struct move *s = arg;
        begin_rightly(&s->stage, s->request);
        s->home = this_thread();
        sem_post(&s->begun);
        int r = weft_event_wait(&s->go, WEFT_FOREVER);
        read_current(&s->stage, s->request);
        if (!r && pthread_equal(s->home, this_thread()))
                r = -ETIMEDOUT; /* it only went on when its worker was free again */
        sem_post(&s->release);
        weft_event_set(&s->moved);
        return r;
}

static int hold_home(struct move *s)
{
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += HELD_AT_MOST;
        sem_post(&s->held);
        while (sem_clockwait(&s->release, CLOCK_MONOTONIC, &until) && errno == EINTR)
                ;
        return 0;
}

static int hold_or_let(void *arg)
{
        struct move *s = arg;
        if (pthread_equal(s->home, this_thread()))
                return hold_home(s);
        begin_rightly(&s->stage, s->request + 1);
        hold_thread(&s->held);
        weft_event_set(&s->go);
        return weft_event_wait(&s->moved, WEFT_FOREVER);
}

static int move_round(struct move *s, int request)
{
        s->request = request;
        weft_event_init(&s->go);
        weft_event_init(&s->moved);
        int r = start_request(&s->stage, move_task, s, request);
        if (r)
                return r;
        hold_thread(&s->begun);
        for (int i = 0; i < 2 && !r; i++)
                r = start_request(&s->stage, hold_or_let, s, request + 1);
        if (r) { /* nobody is to wait for the one that is missing */
                sem_post(&s->held);
                weft_event_set(&s->go);
        }
        int waited = weft_group_wait(&s->stage.group, WEFT_FOREVER);
        return r ? r : waited;
}

int resumed_elsewhere(const struct scoping *scoping, struct tally *tally)
{
        struct move s = {.stage = {.scoping = scoping, .tally = tally}};
        sem_init(&s.begun, 0, 0);
        sem_init(&s.held, 0, 0);
        sem_init(&s.release, 0, 0);
        int r = stage_open(&s.stage, 2, WEFT_MIGRATE);
        for (int i = 0; i < ROUNDS && !r; i++)
                r = move_round(&s, 1 + 2 * i);
        stage_close(&s.stage);
        sem_destroy(&s.begun);
        sem_destroy(&s.held);
        sem_destroy(&s.release);
        return r;
}
