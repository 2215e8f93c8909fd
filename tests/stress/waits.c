/* SPDX-License-Identifier: MIT
 *
 * All kinds of waits at once, at random: tasks and threads outside pools wait for one another, for
 * locks, messages, descriptors and times, with deadlines, in shields, in groups, in nested pools,
 * while some are cancelled, until the pools are drained or cancelled. Round after round, every
 * second one with WEFT_MIGRATE.
 *
 * Checked: a wait keeps errno and the context, and fails only for a reason that is there; a mutex
 * has one holder, a semaphore keeps its units; what was sent is received or left; each task ends
 * once, its destructor run; values are released as often as retained; nothing hangs.
 */
#include "stress.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

static uint64_t seconds = STRESS_SLOW ? 6 : 3;

enum {
        MUTEXES = 3,
        SEMAPHORES = 2,
        UNITS = 2,
        CHANNELS = 2,
        SOCKETS = 2,
        VALUES = 8,
        HANDLES = 16,
        THREADS = 3,
        TASKS = 24,
        OPS = STRESS_SLOW ? 12 : 30, /* of a task of the first generation */
        DEPTH = 3,
        HANG_S = STRESS_SLOW ? 200 : 30,
        KEPT_ERRNO = EDOM,
};

#define US INT64_C(1000)
#define MS INT64_C(1000000)

/* ---- the world of a round ---- */

static struct {
        weft_pool *main, *other; /* other is small, bounded, and blocks */
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
        struct {
                pthread_mutex_t lock;
                weft_task *task;
        } handle[HANDLES];
        atomic_int spawned, begun, dropped;
} world;

static struct stress_value values[VALUES];
static weft_var who = WEFT_VAR_INIT("who");
static weft_var kept = WEFT_VAR_INIT("kept", .retain = stress_retain, .release = stress_release);

/* One that acts: a task, a job or a thread. On its own stack. */
struct actor {
        struct rng rng;
        int depth;
        bool is_task;
        int shields;
        const char *volatile doing; /* read by the watchdog */
        struct actor *next, *before;
};

static pthread_mutex_t actors_lock = PTHREAD_MUTEX_INITIALIZER;
static struct actor *actors;
static atomic_ulong operations, rounds;

/* Constant for a compiler, which would keep it over a wait. */
static __attribute__((noinline)) int *errno_now(void)
{
        __asm__ volatile("");
        return &errno;
}

static void enlist(struct actor *a)
{
        pthread_mutex_lock(&actors_lock);
        a->before = NULL;
        a->next = actors;
        if (actors)
                actors->before = a;
        actors = a;
        pthread_mutex_unlock(&actors_lock);
}

static void delist(struct actor *a)
{
        pthread_mutex_lock(&actors_lock);
        if (a->before)
                a->before->next = a->next;
        else
                actors = a->next;
        if (a->next)
                a->next->before = a->before;
        pthread_mutex_unlock(&actors_lock);
}

/* ---- what holds after each wait ---- */

static int64_t soon(struct actor *a)
{
        if (rng_chance(&a->rng, 6))
                return 0;
        return weft_now() + rng_below(&a->rng, 2000) * US;
}

static void begin_wait(struct actor *a, const char *doing)
{
        a->doing = doing;
        *errno_now() = KEPT_ERRNO;
}

/* A wait has returned r, which is an error of the wait if it is negative. */
static void end_wait(struct actor *a, int r, int64_t deadline)
{
        const char *doing = a->doing;
        CHECK(*errno_now() == KEPT_ERRNO, "errno is %d after %s", *errno_now(), doing);
        CHECK(weft_get(&who) == a, "the context of another one after %s", doing);
        a->doing = "nothing";
        if (r >= 0)
                return;
        if (r == -ECANCELED) {
                CHECK(a->is_task, "a thread is cancelled in %s", doing);
                CHECK(!a->shields, "%s is cancelled in a shield", doing);
                CHECK(weft_cancelled() == -ECANCELED, "%s is cancelled, the task is not", doing);
        } else if (r == -ETIMEDOUT) {
                int64_t other = a->shields ? WEFT_FOREVER : weft_deadline();
                int64_t now = weft_now();
                CHECK(now >= deadline || now >= other, "%s ends %" PRId64 " ns too early", doing,
                      (deadline < other ? deadline : other) - now);
        } else {
                CHECK(false, "%s gives %s", doing, weft_err_name(r));
        }
}

/* ---- operations ---- */

static void act(struct actor *a, int ops);

static void lock_and_wait(struct actor *a)
{
        unsigned i = rng_below(&a->rng, MUTEXES);
        int64_t deadline = soon(a);
        begin_wait(a, "mutex");
        int r = weft_mutex_lock(&world.mutex[i].lock, deadline);
        end_wait(a, r, deadline);
        if (r < 0)
                return;
        int value = ++world.mutex[i].value;
        CHECK(world.mutex[i].holders++ == 0, "a mutex has two holders");
        if (rng_chance(&a->rng, 3)) { /* across a wait */
                deadline = weft_now() + rng_below(&a->rng, 100) * US;
                begin_wait(a, "sleep under a mutex");
                end_wait(a, weft_sleep_until(deadline), deadline);
        }
        CHECK(world.mutex[i].value == value, "somebody else was in a mutex");
        CHECK(world.mutex[i].holders-- == 1, "a mutex has two holders");
        CHECK(weft_mutex_unlock(&world.mutex[i].lock) == 0, "unlock");
}

static void take_unit(struct actor *a)
{
        unsigned i = rng_below(&a->rng, SEMAPHORES);
        int64_t deadline = soon(a);
        begin_wait(a, "semaphore");
        int r = weft_semaphore_wait(&world.semaphore[i].units, deadline);
        end_wait(a, r, deadline);
        if (r < 0)
                return;
        int holders = atomic_fetch_add(&world.semaphore[i].holders, 1);
        CHECK(holders < UNITS, "%d have %d units", holders + 1, UNITS);
        begin_wait(a, "yield with a unit");
        end_wait(a, weft_yield(), 0);
        atomic_fetch_sub(&world.semaphore[i].holders, 1);
        CHECK(weft_semaphore_post(&world.semaphore[i].units) == 0, "post");
}

static void wait_event(struct actor *a)
{
        int64_t deadline = soon(a);
        if (rng_chance(&a->rng, 3)) {
                CHECK(weft_event_set(&world.event) == 0, "set");
                CHECK(weft_event_reset(&world.event) == 0, "reset");
                return;
        }
        begin_wait(a, "event");
        end_wait(a, weft_event_wait(&world.event, deadline), deadline);
}

static void send_item(struct actor *a)
{
        unsigned i = rng_below(&a->rng, CHANNELS);
        unsigned long item = rng_below(&a->rng, 1000);
        int64_t deadline = soon(a);
        begin_wait(a, "send");
        int r = weft_channel_send(world.channel[i].items, &item, deadline);
        end_wait(a, r, deadline);
        if (r == 0)
                atomic_fetch_add(&world.channel[i].sent, item);
}

static void receive_item(struct actor *a)
{
        unsigned i = rng_below(&a->rng, CHANNELS);
        unsigned long item = 0;
        int64_t deadline = soon(a);
        begin_wait(a, "receive");
        int r = weft_channel_receive(world.channel[i].items, &item, deadline);
        end_wait(a, r, deadline);
        CHECK(r == 0 || item == 0, "an item came with an error");
        atomic_fetch_add(&world.channel[i].received, item);
}

static void sleep_a_little(struct actor *a)
{
        int64_t deadline = soon(a);
        begin_wait(a, "sleep");
        int r = weft_sleep_until(deadline);
        end_wait(a, r, WEFT_FOREVER);
        CHECK(r < 0 || weft_now() >= deadline, "a sleep was too short");
}

static void let_others(struct actor *a)
{
        begin_wait(a, "yield");
        end_wait(a, weft_yield(), WEFT_FOREVER);
}

static void use_socket(struct actor *a)
{
        unsigned i = rng_below(&a->rng, SOCKETS);
        char byte = 1;
        if (rng_chance(&a->rng, 2)) {
                if (write(world.socket[i].end[0], &byte, 1) == 1)
                        atomic_fetch_add(&world.socket[i].written, 1);
                return;
        }
        int64_t deadline = soon(a);
        begin_wait(a, "wait_fd");
        int r = weft_wait_fd(world.socket[i].end[1], POLLIN, deadline);
        end_wait(a, r, deadline);
        CHECK(r < 0 || r == POLLIN, "wait_fd: %d", r);
        if (r > 0 && read(world.socket[i].end[1], &byte, 1) == 1)
                atomic_fetch_add(&world.socket[i].read, 1);
}

static int block(void *actor)
{
        CHECK(weft_get(&who) == actor, "the context of another one in a blocking call");
        usleep(50);
        return 99;
}

static void call_blocking(struct actor *a)
{
        begin_wait(a, "blocking call");
        int r = weft_blocking(block, a);
        *errno_now() = KEPT_ERRNO; /* outside it is a plain call */
        end_wait(a, 0, 0);
        CHECK(r == 99, "blocking call: %d", r);
}

/* ---- tasks ---- */

/* The argument of a task, copied. */
struct start {
        uint64_t seed;
        int depth, ops, result;
        atomic_int *live; /* counts those that have not ended; may be NULL */
};

static int task(void *args)
{
        const struct start *s = args;
        struct actor a = {.rng = {s->seed}, .depth = s->depth, .is_task = true, .doing = "begins"};
        atomic_fetch_add(&world.begun, 1);
        CHECK(weft_set(&who, &a, NULL) == 0, "set");
        enlist(&a);
        act(&a, s->ops);
        delist(&a);
        return s->result;
}

static void task_ends(void *args)
{
        struct start *s = args;
        atomic_fetch_add(&world.dropped, 1);
        if (s->live)
                atomic_fetch_sub(s->live, 1);
}

static struct start start_of(struct actor *a, atomic_int *live)
{
        struct start s = {.seed = rng_next(&a->rng),
                          .depth = a->depth + 1,
                          .ops = 1 + (int)rng_below(&a->rng, 4),
                          .result = (int)rng_below(&a->rng, 1000),
                          .live = live};
        atomic_fetch_add(&world.spawned, 1);
        if (live)
                atomic_fetch_add(live, 1);
        return s;
}

/* What a spawn returned: it may be refused. */
static bool started(struct actor *a, const struct start *s, int r)
{
        a->doing = "nothing";
        CHECK(weft_get(&who) == a, "the context of another one after a spawn");
        if (r == 0)
                return true;
        CHECK(r == -ESHUTDOWN || r == -ECANCELED || r == -ETIMEDOUT, "a spawn gives %s",
              weft_err_name(r));
        atomic_fetch_sub(&world.spawned, 1);
        if (s->live)
                atomic_fetch_sub(s->live, 1);
        return false;
}

/* Leave a handle for others to cancel. */
static void show(struct actor *a, weft_task *t)
{
        unsigned i = rng_below(&a->rng, HANDLES);
        weft_task_ref(t);
        pthread_mutex_lock(&world.handle[i].lock);
        weft_task *before = world.handle[i].task;
        world.handle[i].task = t;
        pthread_mutex_unlock(&world.handle[i].lock);
        weft_task_unref(before);
}

static void cancel_somebody(struct actor *a)
{
        unsigned i = rng_below(&a->rng, HANDLES);
        pthread_mutex_lock(&world.handle[i].lock);
        weft_task *t = weft_task_ref(world.handle[i].task);
        pthread_mutex_unlock(&world.handle[i].lock);
        if (!t)
                return;
        int r = weft_task_cancel(t);
        CHECK(r == 0 || r == -EALREADY, "cancel: %d", r);
        weft_task_unref(t);
}

static void spawn_and_await(struct actor *a)
{
        weft_task *t = NULL;
        weft_pool *pool = rng_chance(&a->rng, 4) ? world.other : world.main;
        struct start s = start_of(a, NULL);
        if (pool == world.other)
                s.depth = DEPTH; /* those must not wait for room of their own */
        a->doing = "spawn";
        if (!started(a, &s, weft_spawn_closure(pool, &t, task, &s, sizeof(s), task_ends)))
                return;
        if (rng_chance(&a->rng, 3))
                show(a, t);
        if (rng_chance(&a->rng, 8))
                weft_task_cancel(t);
        if (rng_chance(&a->rng, 4)) {
                weft_task_unref(t);
                return;
        }
        int result = 0;
        int64_t deadline = rng_chance(&a->rng, 2) ? WEFT_FOREVER : soon(a);
        begin_wait(a, "await");
        int r = weft_await(t, deadline);
        bool ended = weft_task_result(t, &result) == 0;
        CHECK(r < 0 || r == s.result, "await gave %d, not %d", r, s.result);
        CHECK(!ended || result == s.result || result == -ECANCELED || result == -ETIMEDOUT,
              "a task ended with %d, not %d", result, s.result);
        CHECK(ended || r < 0, "await returned early");
        end_wait(a, ended ? 0 : r, deadline);
        weft_task_unref(t);
}

static void use_group(struct actor *a)
{
        static const weft_group_until until[] = {WEFT_ALL_DONE, WEFT_FIRST_DONE,
                                                 WEFT_FIRST_SUCCESS};
        weft_group g;
        atomic_int live = 0;
        unsigned n = 1 + rng_below(&a->rng, 4);
        CHECK(weft_group_init_until(&g, world.main, until[rng_below(&a->rng, 3)]) == 0, "group");
        for (unsigned i = 0; i < n; i++) {
                struct start s = start_of(a, &live);
                if (rng_chance(&a->rng, 6))
                        s.result = -EIO;
                started(a, &s, weft_group_spawn_closure(&g, task, &s, sizeof(s), task_ends));
        }
        if (rng_chance(&a->rng, 5))
                CHECK(weft_group_cancel(&g) == 0, "cancel a group");
        if (rng_chance(&a->rng, 2)) {
                begin_wait(a, "group wait");
                weft_group_wait(&g, soon(a)); /* which error wins is told in other tests */
                end_wait(a, 0, 0);
        }
        begin_wait(a, "group fini");
        weft_group_fini(&g);
        end_wait(a, 0, 0);
        CHECK(atomic_load(&live) == 0, "a group ended before %d of its tasks", atomic_load(&live));
}

/* A task that starts at a time, or several times; in the storage of the one that spawned it. */
struct timed {
        const struct actor *inherited; /* NULL: it starts from the empty context */
        int64_t when;
        atomic_int runs;
        int most;
};

static int in_its_time(void *arg)
{
        struct timed *t = arg;
        CHECK(weft_now() >= t->when, "a task starts before its time");
        CHECK(weft_get(&who) == t->inherited, "a task with a time has another one's context");
        int runs = atomic_fetch_add(&t->runs, 1) + 1;
        if (runs % 2)
                weft_sleep_until(weft_now() + 20 * US);
        return runs == t->most ? -EIO : 0;
}

static void set_a_time(struct actor *a)
{
        unsigned flags = rng_chance(&a->rng, 2) ? WEFT_INHERIT : 0;
        bool often = rng_chance(&a->rng, 2);
        struct timed t = {.inherited = flags ? a : NULL, .when = soon(a)};
        t.most = often ? 1 + (int)rng_below(&a->rng, 4) : 1;
        weft_task *timed;
        int r = often
                    ? weft_spawn_every(world.main, &timed, t.when, 50 * US, flags, in_its_time, &t)
                    : weft_spawn_at(world.main, &timed, t.when, flags, in_its_time, &t);
        if (r == -ESHUTDOWN)
                return;
        CHECK(r == 0, "a spawn with a time gives %s", weft_err_name(r));
        bool cancelled = rng_chance(&a->rng, 3);
        if (cancelled)
                weft_task_cancel(timed);
        begin_wait(a, "await of a task with a time");
        WEFT_SHIELD {
                r = weft_await(timed, WEFT_FOREVER);
        }
        end_wait(a, 0, 0);
        int runs = atomic_load(&t.runs);
        CHECK(r == -EIO || r == -ECANCELED || r == -ETIMEDOUT, "it ended with %d", r);
        CHECK(r == -EIO ? runs == t.most : runs < t.most || cancelled || often, "%d runs of %d",
              runs, t.most);
        weft_task_unref(timed);
}

static int job(void *args)
{
        struct start *s = args;
        struct actor a = {.rng = {s->seed}, .depth = DEPTH, .is_task = true, .doing = "begins"};
        a.shields = weft_cancelled() ? 0 : 1; /* it may be a call inside a shield */
        CHECK(weft_set(&who, &a, NULL) == 0, "set");
        enlist(&a);
        begin_wait(&a, "sleep in a job");
        weft_sleep_until(weft_now() + rng_below(&a.rng, 100) * US);
        end_wait(&a, 0, 0);
        delist(&a);
        return s->result;
}

static void fork_and_join(struct actor *a)
{
        weft_job one, two;
        struct start s = {.seed = rng_next(&a->rng), .result = 5};
        struct start t = {.seed = rng_next(&a->rng), .result = 6};
        weft_fork(&one, job, &s);
        weft_fork(&two, job, &t);
        let_others(a);
        begin_wait(a, "join");
        CHECK(weft_join(&two) == 6 && weft_join(&one) == 5, "a job's result");
        *errno_now() = KEPT_ERRNO;
        end_wait(a, 0, 0);
}

static void nest_a_pool(struct actor *a)
{
        weft_pool *pool;
        atomic_int live = 0;
        weft_pool_options o = {.size = sizeof(o),
                               .workers = 1 + rng_below(&a->rng, 2),
                               .flags = rng_chance(&a->rng, 2) ? WEFT_MIGRATE : 0};
        CHECK(weft_pool_create(&pool, &o) == 0, "pool");
        for (int i = 0; i < 3; i++) {
                struct start s = start_of(a, &live);
                s.depth = DEPTH;
                started(a, &s, weft_submit_closure(pool, task, &s, sizeof(s), task_ends));
        }
        int64_t deadline = soon(a);
        begin_wait(a, "shutdown of a nested pool");
        int r =
            weft_pool_shutdown(pool, rng_chance(&a->rng, 2) ? WEFT_CANCEL : WEFT_DRAIN, deadline);
        end_wait(a, r, deadline);
        begin_wait(a, "end of a nested pool");
        weft_pool_destroy(pool);
        end_wait(a, 0, 0);
        CHECK(atomic_load(&live) == 0, "a pool ended before %d of its tasks", atomic_load(&live));
}

/* ---- blocks around other operations ---- */

static void in_a_shield(struct actor *a)
{
        WEFT_SHIELD {
                a->shields++;
                CHECK(weft_cancelled() == 0, "cancelled in a shield");
                act(a, 2);
                a->shields--;
        }
}

static void in_time(struct actor *a)
{
        int64_t outer = weft_deadline(), deadline = soon(a);
        WEFT_DEADLINE (deadline) {
                CHECK(weft_deadline() == (deadline < outer ? deadline : outer), "a deadline");
                act(a, 3);
        }
        CHECK(weft_deadline() == outer, "a deadline is left");
}

static void with_a_value(struct actor *a)
{
        struct stress_value *value = &values[rng_below(&a->rng, VALUES)];
        void *before = weft_get(&kept);
        WEFT_WITH (&kept, value) {
                act(a, 3);
                CHECK(weft_get(&kept) == value, "another one's value");
        }
        CHECK(weft_get(&kept) == before, "a value is left");
}

static void act(struct actor *a, int ops)
{
        static void (*const plain[])(struct actor *) = {lock_and_wait, take_unit,    wait_event,
                                                        send_item,     receive_item, sleep_a_little,
                                                        let_others,    use_socket};
        static void (*const deep[])(struct actor *) = {
            spawn_and_await, spawn_and_await, use_group, in_a_shield,
            in_time,         with_a_value,    set_a_time};
        for (int i = 0; i < ops; i++) {
                unsigned what = rng_below(&a->rng, 100);
                atomic_fetch_add(&operations, 1);
                if (what < 60 || (a->depth >= DEPTH && what < 94))
                        plain[rng_below(&a->rng, 8)](a);
                else if (what < 90)
                        deep[rng_below(&a->rng, 7)](a);
                else if (what < 95)
                        cancel_somebody(a);
                else if (what < 97)
                        call_blocking(a);
                else if (what < 99)
                        fork_and_join(a);
                else if (a->depth < DEPTH)
                        nest_a_pool(a);
        }
}

static void *thread(void *seed)
{
        struct actor a = {.rng = {*(uint64_t *)seed}, .depth = DEPTH - 1, .doing = "begins"};
        CHECK(weft_set(&who, &a, NULL) == 0, "set");
        enlist(&a);
        act(&a, OPS);
        delist(&a);
        return NULL;
}

/* ---- rounds ---- */

static void make_world(struct rng *rng)
{
        weft_pool_options big = {.size = sizeof(big),
                                 .workers = 1 + rng_below(rng, 4),
                                 .flags = rng_chance(rng, 2) ? WEFT_MIGRATE : 0};
        weft_pool_options small = {.size = sizeof(small),
                                   .workers = 1,
                                   .max_queued = 2,
                                   .when_full = WEFT_BLOCK,
                                   .flags = rng_chance(rng, 2) ? WEFT_MIGRATE : 0};
        memset(&world, 0, sizeof(world));
        CHECK(weft_pool_create(&world.main, &big) == 0, "pool");
        CHECK(weft_pool_create(&world.other, &small) == 0, "pool");
        for (int i = 0; i < SEMAPHORES; i++)
                weft_semaphore_init(&world.semaphore[i].units, UNITS);
        for (int i = 0; i < CHANNELS; i++)
                CHECK(weft_channel_create(&world.channel[i].items, sizeof(unsigned long),
                                          1 + rng_below(rng, 3)) == 0,
                      "channel");
        for (int i = 0; i < SOCKETS; i++)
                CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                                 world.socket[i].end) == 0,
                      "socketpair");
        for (int i = 0; i < HANDLES; i++)
                pthread_mutex_init(&world.handle[i].lock, NULL);
}

static void end_pool(weft_pool *pool)
{
        struct weft_pool_stats s = {.size = sizeof(s)};
        CHECK(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER) == 0, "shutdown");
        CHECK(weft_pool_stats(pool, &s) == 0, "stats");
        CHECK(s.submitted == s.run + s.cancelled && s.queued == 0,
              "%" PRIu64 " submitted, %" PRIu64 " run, %" PRIu64 " cancelled, %" PRIu64 " queued",
              s.submitted, s.run, s.cancelled, s.queued);
        weft_pool_destroy(pool);
}

static void look_at_what_is_left(void)
{
        for (int i = 0; i < MUTEXES; i++)
                CHECK(weft_mutex_lock(&world.mutex[i].lock, 0) == 0, "a mutex is held");
        for (int i = 0; i < SEMAPHORES; i++) {
                int units = 0;
                while (weft_semaphore_wait(&world.semaphore[i].units, 0) == 0)
                        units++;
                CHECK(units == UNITS, "%d units of %d are left", units, UNITS);
        }
        for (int i = 0; i < CHANNELS; i++) {
                unsigned long item, left = 0;
                while (weft_channel_receive(world.channel[i].items, &item, 0) == 0)
                        left += item;
                unsigned long sent = atomic_load(&world.channel[i].sent);
                unsigned long received = atomic_load(&world.channel[i].received);
                CHECK(sent == received + left, "sent %lu, received %lu, left %lu", sent, received,
                      left);
                weft_channel_destroy(world.channel[i].items);
        }
        for (int i = 0; i < SOCKETS; i++) {
                char bytes[4096];
                ssize_t left = read(world.socket[i].end[1], bytes, sizeof(bytes));
                int gone =
                    atomic_load(&world.socket[i].written) - atomic_load(&world.socket[i].read);
                CHECK(left == gone || (left < 0 && gone == 0), "%d bytes are left", gone);
                close(world.socket[i].end[0]);
                CHECK(weft_close(world.socket[i].end[1]) == 0, "close");
        }
        int spawned = atomic_load(&world.spawned), dropped = atomic_load(&world.dropped);
        CHECK(spawned == dropped, "%d tasks, %d destructors", spawned, dropped);
        CHECK(atomic_load(&world.begun) <= spawned, "a task began twice");
        for (int i = 0; i < HANDLES; i++)
                weft_task_unref(world.handle[i].task);
        for (int i = 0; i < VALUES; i++)
                CHECK(!stress_alive(&values[i]), "a value is kept");
        CHECK(!actors, "an actor is left");
}

static void play_round(uint64_t seed)
{
        struct rng rng = {seed};
        pthread_t threads[THREADS];
        uint64_t seeds[THREADS];
        struct actor me = {.rng = rng_split(&rng), .depth = 0, .doing = "spawns"};
        make_world(&rng);
        for (int i = 0; i < THREADS; i++) {
                seeds[i] = rng_next(&rng);
                CHECK(pthread_create(&threads[i], NULL, thread, &seeds[i]) == 0, "thread");
        }
        WEFT_WITH (&who, &me) {
                for (int i = 0; i < TASKS; i++) {
                        weft_task *t = NULL;
                        struct start s = start_of(&me, NULL);
                        s.ops = OPS;
                        if (started(
                                &me, &s,
                                weft_spawn_closure(world.main, &t, task, &s, sizeof(s), task_ends)))
                                show(&me, t);
                        weft_task_unref(t);
                }
        }
        if (rng_chance(&rng, 2)) {
                usleep(rng_below(&rng, 5000));
                int r = weft_pool_shutdown(world.main, WEFT_CANCEL, weft_now() + MS);
                CHECK(r == 0 || r == -ETIMEDOUT, "shutdown: %d", r);
        }
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        end_pool(world.main);
        end_pool(world.other);
        look_at_what_is_left();
        atomic_fetch_add(&rounds, 1);
}

/* ---- the watchdog, and the line that shows that all is well ---- */

static void *watch(void *unused)
{
        unsigned long before = 0;
        unsigned still = 0;
        bool terminal = isatty(1);
        for (unsigned halves = 0;; halves++) {
                usleep(500 * 1000);
                unsigned long now = atomic_load(&operations) + atomic_load(&rounds);
                if (terminal) {
                        printf("\r%u s: %lu rounds, %lu operations ", halves / 2,
                               atomic_load(&rounds), atomic_load(&operations));
                        fflush(stdout);
                }
                still = now == before ? still + 1 : 0;
                before = now;
                if (still < 2 * HANG_S)
                        continue;
                pthread_mutex_lock(&actors_lock);
                for (struct actor *a = actors; a; a = a->next)
                        dprintf(2, "a %s of depth %d hangs in: %s\n",
                                a->is_task ? "task" : "thread", a->depth, a->doing);
                CHECK(false, "nothing has happened for %d s, in round %lu", HANG_S,
                      atomic_load(&rounds));
        }
        return unused;
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {{"--seconds", &seconds, "how long"},
                                                {NULL, NULL, NULL}};
        pthread_t watchdog;
        stress_begin(argc, argv, options);
        CHECK(pthread_create(&watchdog, NULL, watch, NULL) == 0, "watchdog");
        pthread_detach(watchdog);
        struct rng rng = {stress_seed};
        int64_t end = weft_now() + (int64_t)seconds * 1000 * MS;
        do
                play_round(rng_next(&rng));
        while (weft_now() < end);
        printf("%s%lu rounds, %lu operations\n", isatty(1) ? "\r" : "", atomic_load(&rounds),
               atomic_load(&operations));
        return 0;
}
