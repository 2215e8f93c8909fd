/* SPDX-License-Identifier: MIT
 *
 * Soak: everything at once, at random, round after round. What its files share.
 *
 *   main.c      the rounds, the watchdog, the line that shows that all is well
 *   waits.c     what an actor may wait for
 *   tasks.c     what it may start: tasks, groups, timers, callbacks, jobs, loops, whole pools
 *   contexts.c  what it may do with contexts: keep, run, swap, derive, bind, hand to a thread
 *   balance.c   what was begun and what has come of it; memory
 *   weather.c   signals, cancel storms, few and slow processors
 *
 * A round has a world of its own: pools, locks, channels, descriptors, kept contexts and handles.
 * Nothing of it may be left when it is over.
 */
#ifndef SOAK_H
#define SOAK_H

#include "../stress.h"

#include <pthread.h>

enum {
        MUTEXES = 3,
        SEMAPHORES = 2,
        UNITS = 2,
        CHANNELS = 2,
        SOCKETS = 2,
        VALUES = 8,
        HANDLES = 16,
        CONTEXTS = 8,
        SIDES = 3, /* small pools with a bound, one for each of weft_when_full */
        DEPTH = 3, /* of tasks that start others; those of the greatest start none, and wait for
                      nobody who might wait for them */
        KEPT_ERRNO = EDOM,
};

#define US INT64_C(1000)
#define MS INT64_C(1000000)

/* ---- actors ----------------------------------------------------------------------------------
 *
 * Whoever acts: a task, a job, a thread, a function in a context. On its own stack, and bound to
 * `who` in its own frame. */
struct actor {
        struct rng rng;
        int depth;
        bool is_task;
        int shields;
        const char *volatile doing; /* read by the watchdog */
        struct actor *next, *before;
};

void actor_begins(struct actor *a);
void actor_ends(struct actor *a);

/* So many random operations. main.c has the list. */
void act(struct actor *a, int ops);

/* Around each wait: errno and the context are kept, and an error has a reason. */
void begin_wait(struct actor *a, const char *doing);
void end_wait(struct actor *a, int r, int64_t deadline);
int64_t soon(struct actor *a);
int *errno_now(void);

extern weft_var who;  /* the actor */
extern weft_var kept; /* one of values[], in every frame of every actor */
extern struct stress_value values[VALUES];

struct stress_value *any_value(struct actor *a);

/* ---- the world of a round -------------------------------------------------------------------- */

struct handle {
        pthread_mutex_t lock;
        weft_task *task;
};

struct kept_context {
        pthread_mutex_t lock;
        weft_context *context;
};

struct world {
        weft_pool *main, *side[SIDES];
        struct {
                weft_mutex lock;
                int holders, value;
        } mutex[MUTEXES];
        struct {
                weft_semaphore units;
                atomic_int holders;
        } semaphore[SEMAPHORES];
        weft_event event;
        struct {
                weft_channel *items;
                atomic_ulong sent, received; /* sums */
        } channel[CHANNELS];
        struct {
                int end[2];
                atomic_int written, read;
        } socket[SOCKETS];
        struct handle handle[HANDLES];
        struct kept_context context[CONTEXTS];
};
extern struct world world;

void world_make_waits(struct rng *rng);
void world_end_waits(void);
void world_end_contexts(void);
void cancel_handle(unsigned i);

/* ---- operations ------------------------------------------------------------------------------ */

typedef void operation(struct actor *a);

operation lock_and_wait, take_unit, wait_event, send_item, receive_item, sleep_a_little, let_others,
    use_socket, close_socket, call_blocking;
operation submit_and_forget, spawn_and_await, use_group, set_a_time, call_back_when_done,
    wait_for_a_signal, fork_and_join, loop, nest_a_pool, cancel_somebody, in_a_shield, in_time;
operation keep_context, run_in_context, swap_context, derive_context, call_bound, start_thread,
    with_a_value;

/* The first tasks of a round. */
void start_tasks(struct actor *a, unsigned n, int ops);

/* ---- the balance -----------------------------------------------------------------------------
 *
 * Each is counted when it has happened; at the end of a round, when nothing runs any more, they
 * must agree with one another and with the sums of the figures of all pools. */
struct balance {
        atomic_ulong accepted, refused; /* tasks of all kinds, as the calls said */
        atomic_ulong begun;             /* as their functions say */
        atomic_ulong closures, dropped; /* accepted with a destructor; destructors run */
        atomic_ulong jobs;   /* what may have become a task beside those: jobs, parts of loops */
        atomic_ulong unseen; /* what may have been cancelled beside those: runs of periodic tasks
                                 between two times, loops that never began */
        atomic_long boxes;   /* values on the heap that have not been freed */
};
extern struct balance balance;

/* Take in the figures of a pool whose tasks have all ended. */
void balance_take(weft_pool *pool);

/* Wait until the default pool has nothing to do, and take in what it has done in this round. */
void balance_take_default(void);

/* At the end of a round: the two sides are compared, and all set to zero. */
void balance_close(void);

extern atomic_ulong all_tasks, all_refused, all_cancelled, all_dropped;

/* Memory, sampled when nothing runs. */
void memory_begin(int64_t nanoseconds);
void memory_sample(void);
void memory_check(void);

/* ---- the weather ----------------------------------------------------------------------------- */

struct weather {
        struct rng rng;
        pthread_t thread;
        atomic_bool ends;
};

void weather_begin(struct weather *w, uint64_t seed);
void weather_end(struct weather *w);
extern atomic_ulong all_signals;

/* Go on in a child whose share of the processors changes all the time, if that is permitted: the
 * parent sees to it, and ends as the child has. */
void weather_quota(void);

#endif
