/* SPDX-License-Identifier: MIT
 *
 * Every kind of wait (wait_kinds.h) x whatever ends it x the moment at which that falls: before the
 * waiter is linked, before it parks, while its stack is left but not free yet, when it has just
 * parked, and later; caused by the waiter's own thread or by another one; in tasks on pools of
 * several sizes, alone or beside tasks that keep running, and on threads outside pools. The hooks
 * of wait.h force the moment. A failure names its case.
 *
 * Each case looks at what the wait returns, at what belongs to the task (errno, its context, its
 * stack, its thread), at what was waited for, and whether the pool goes on.
 */
#include "wait_kinds.h"

#include <sys/syscall.h>

#include "pool/wait.h"

enum order { BEGIN, LINKED, SWITCH, PARKED, AFTER, ORDERS };

static const char *const order_name[ORDERS] = {"before it is linked", "before it parks",
                                               "while its stack is left (or it is about to block)",
                                               "when it has just parked", "when it waits"};

enum step { NOTHING, DONE, LATE, CONTEXT, CANCEL, SHUTDOWN };

/* One thing that ends a wait, or two that race. */
static const struct end {
        const char *name;
        enum step first, second;
} ends[] = {
    {"done", DONE, NOTHING},
    {"deadline", LATE, NOTHING},
    {"cancel", CANCEL, NOTHING},
    {"shutdown", SHUTDOWN, NOTHING},
    {"done, then deadline", DONE, LATE},
    {"deadline, then done", LATE, DONE},
    {"done, then cancel", DONE, CANCEL},
    {"cancel, then done", CANCEL, DONE},
    {"done, then shutdown", DONE, SHUTDOWN},
    {"shutdown, then done", SHUTDOWN, DONE},
#if defined(WEFT_DEADLINE)
    {"the context's deadline", CONTEXT, NOTHING},
    {"the context's deadline, then done", CONTEXT, DONE},
#endif
};

enum {
        ENDS = sizeof(ends) / sizeof(ends[0]),
        LIMIT_MS = SLOW_BUILD ? 100000 : 20000, /* a case that takes longer hangs */
        SOON_MS = 2,
#if defined(WEFT_VALGRIND)
        MORE_WORKERS = 4, /* 1 and 4: it runs one thread at a time, whatever their number */
#else
        MORE_WORKERS = 2, /* 1, 2 and 4 */
#endif
        TASKS_RESULT = 12,
};

enum moment { NOT_COME, COME, OVER };

/* The case that is being played. */
static struct play {
        struct scene scene;
        const struct end *end;
        enum order order;
        bool helped;  /* another thread brings the end about */
        bool outside; /* it is a thread that waits, not a task */
        bool migrate, beside;
        unsigned workers;

        weft_pool *pool;
        weft_task *self;
        int64_t natural; /* the deadline that comes by itself, or 0 */
        pid_t tid;
        atomic_bool begun;
        atomic_int moment; /* the hook has: not come, been at work, returned */
        _Atomic(const weft__waiter *) waiter;
        atomic_bool stop;
        atomic_int others; /* what those beside it have done */
} play;

static weft_var var = WEFT_VAR_INIT("var");

static bool involves(const struct end *end, enum step step)
{
        return end->first == step || end->second == step;
}

/* A yield, which waits for nothing: its only moment is when it leaves. */
static bool only_passes(const struct kind *kind)
{
        return !kind->bring && !kind->timed;
}

/* ---- bringing the end about ---- */

static bool is_over(const weft__waiter *w)
{
        return weft__wait_over(atomic_load(&w->state));
}

/* While the hook holds the waiter up, it can be looked at. */
static bool is_held_up(void)
{
        return play.order == LINKED || play.order == SWITCH ||
               (play.order == PARKED && !play.migrate);
}

static void pass(int64_t deadline)
{
        while (weft_now() <= deadline)
                sched_yield();
}

static void finish_scene(void)
{
        struct scene *s = &play.scene;
        s->kind->bring(s);
        atomic_store(&s->finished, true);
        if (play.helped && play.order == BEGIN && s->kind->settle)
                s->kind->settle(s);
}

static void take_step(enum step step, const weft__waiter *w)
{
        bool wakes = !play.scene.kind->unstoppable && !only_passes(play.scene.kind);
        int r;
        switch (step) {
        case DONE:
                finish_scene();
                wakes = true;
                break;
        case LATE:
        case CONTEXT:
                wakes = !play.natural;
                if (play.natural)
                        pass(play.natural);
                else if (w) /* what the timer does */
                        weft__wake((weft__waiter *)w, WEFT__TIMEDOUT);
                break;
        case CANCEL:
                r = weft_task_cancel(play.self);
                CHECK(r == 0 || r == -EALREADY);
                break;
        case SHUTDOWN:
                r = weft_pool_shutdown(play.pool, WEFT_CANCEL, 0);
                CHECK(r == 0 || r == -ETIMEDOUT);
                break;
        default:
                return;
        }
        if (!is_held_up() || play.outside)
                return;
        for (int64_t end = in_ms(LIMIT_MS / 4); wakes && !is_over(w); sched_yield())
                if (weft_now() > end) {
                        check_failed("it was not woken");
                        return;
                }
}

static void act(const weft__waiter *w)
{
        take_step(play.end->first, w);
        take_step(play.end->second, w);
        if (play.scene.kind->unstoppable && !involves(play.end, DONE))
                take_step(DONE, w);
}

/* Another thread, for what the waiter's own must not do or is not to do. */
static struct {
        pthread_t thread;
        sem_t called, done;
        const weft__waiter *waiter;
} helper;

/* Until the thread that waits does so: it sleeps in the kernel. Not for ever, since it may be held
 * up by something else. */
static void see_it_sleep(void)
{
        char path[64], text[128], *state;
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)play.tid);
        for (int64_t end = in_ms(500); weft_now() < end; sched_yield()) {
                FILE *f = fopen(path, "r");
                size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
                if (f)
                        fclose(f);
                text[n] = 0;
                state = strrchr(text, ')');
                if (state && state[1] == ' ' && state[2] == 'S')
                        return;
        }
}

static void *help(void *unused)
{
        for (;;) {
                plug__wait(&helper.called);
                if (play.order == AFTER && play.outside)
                        see_it_sleep();
                act(helper.waiter);
                if (play.order == AFTER)
                        atomic_store(&play.moment, OVER);
                else
                        sem_post(&helper.done);
        }
        return unused;
}

static void call_helper(const weft__waiter *w)
{
        helper.waiter = w;
        sem_post(&helper.called);
}

/* ---- the hook ---- */

static _Thread_local bool waits_outside;

static enum weft__wait_point point_of(enum order order, bool outside)
{
        static const enum weft__wait_point in_tasks[ORDERS] = {
            WEFT__AT_BEGIN, WEFT__AT_WAIT, WEFT__AT_SWITCH, WEFT__AT_PARKED, WEFT__AT_PARKED};
        return outside && order >= SWITCH ? WEFT__AT_BLOCK : in_tasks[order];
}

static void on_wait(enum weft__wait_point point, const weft__waiter *w)
{
        enum weft__wait_point first = only_passes(play.scene.kind) ? WEFT__AT_WAIT : WEFT__AT_BEGIN;
        if (point == first && atomic_load(&play.begun) &&
            (play.outside ? waits_outside : weft_task_current() == play.self))
                atomic_store(&play.waiter, w);
        int not_come = NOT_COME;
        if (atomic_load(&play.waiter) != w || point != point_of(play.order, play.outside) ||
            !atomic_compare_exchange_strong(&play.moment, &not_come, COME))
                return;
        if (play.order == AFTER) {
                call_helper(NULL);
                return;
        }
        if (play.helped) {
                call_helper(w);
                plug__wait(&helper.done);
        } else {
                act(w);
        }
        atomic_store(&play.moment, OVER);
}

/* ---- the one that waits, and those beside it ---- */

static void wait_for_it(void)
{
        struct scene *s = &play.scene;
        weft_token token;
        char canary[512];
        pthread_t thread = thread_now();
        memset(canary, 0x5a, sizeof(canary));
        __asm__ volatile("" : : "r"(canary) : "memory");

        CHECK(weft_get(&var) == (play.outside ? NULL : V(1)));
        CHECK(weft_set(&var, V(7), &token) == 0);
        *errno_now() = EDOM;
        s->deadline = in_ms(60000);
        if (play.natural) /* if it has to come by itself, soon */
                play.natural = s->deadline = in_ms(SOON_MS);
        atomic_store(&play.begun, true);
        if (play.outside && s->kind->no_waiter) {
                atomic_store(&play.moment, COME);
                call_helper(NULL);
        }
#if defined(WEFT_DEADLINE)
        if (involves(play.end, CONTEXT)) {
                WEFT_DEADLINE (s->deadline) {
                        s->result = s->kind->wait(s, WEFT_FOREVER);
                }
        } else
#endif
                s->result = s->kind->wait(s, s->deadline);
        atomic_store(&play.waiter, NULL);
        atomic_store(&play.begun, false);

        CHECK(*errno_now() == EDOM);
        CHECK(weft_get(&var) == V(7));
        CHECK(weft_reset(&var, &token) == 0);
        CHECK(weft_get(&var) == (play.outside ? NULL : V(1)));
        CHECK(weft_task_current() == play.self);
        CHECK(play.migrate || pthread_equal(thread, thread_now()));
        for (size_t i = 0; i < sizeof(canary); i++)
                CHECK(((volatile char *)canary)[i] == 0x5a);
}

static int task(void *unused)
{
        (void)unused;
        play.self = weft_task_ref(weft_task_current()); /* play_case() drops it */
        wait_for_it();
        if (involves(play.end, CANCEL) && (play.order == BEGIN || is_held_up()))
                CHECK(weft_cancelled() == -ECANCELED);
        if (!involves(play.end, CANCEL) && !involves(play.end, SHUTDOWN))
                CHECK(weft_cancelled() == 0);
        return TASKS_RESULT;
}

static void *thread_outside(void *unused)
{
        play.tid = (pid_t)syscall(SYS_gettid);
        waits_outside = true;
        wait_for_it();
        return unused;
}

static int beside(void *unused)
{
        (void)unused;
        CHECK(weft_set(&var, V(8), NULL) == 0);
        while (!atomic_load(&play.stop)) {
                int r = weft_yield();
                CHECK(weft_get(&var) == V(8));
                CHECK(r == 0 || r == -ECANCELED);
                if (r < 0)
                        return r;
                atomic_fetch_add(&play.others, 1);
        }
        return 0;
}

/* ---- one case ---- */

/* Whether what the wait returned is right. */
static bool fits(void)
{
        const struct kind *kind = play.scene.kind;
        enum step first = play.end->first, second = play.end->second;
        enum step failing = first == DONE ? second : first;
        int r = play.scene.result;
        int error = failing == LATE ? kind->late : failing == CONTEXT ? -ETIMEDOUT : -ECANCELED;
        if (kind->unstoppable || (first == DONE && !second))
                return r == kind->done;
        if (!second)
                return r == error;
        bool settled =
            (is_held_up() && !play.outside) || (play.order == BEGIN && play.helped && kind->settle);
        if (first == DONE && (kind->direct || settled))
                return r == kind->done;
        if (first != DONE && kind->direct && play.order > BEGIN && !play.natural)
                return r == error;
        return r == kind->done || r == error;
}

static const char *text_of_case(void)
{
        static char text[400];
        snprintf(text, sizeof(text),
                 "%s, ended by %s, %s, by %s, in a %s, %u workers%s%s: gave %d%s",
                 play.scene.kind->name, play.end->name, order_name[play.order],
                 play.helped ? "another thread" : "its own thread",
                 play.outside ? "thread outside pools" : "task", play.workers,
                 play.migrate ? ", migrating" : "", play.beside ? ", beside others" : "",
                 play.scene.result,
                 play.natural || atomic_load(&play.moment) ? "" : "; the moment did not come");
        return text;
}

#define ASSERT_CASE(condition)                                                                     \
        do {                                                                                       \
                const char *failed_ = atomic_load(&first_failed_check);                            \
                cr_assert(!failed_ && (condition), "%s: %s", text_of_case(),                       \
                          failed_ ? failed_ : #condition);                                         \
        } while (0)

static void play_task(void)
{
        weft_task *t = NULL, *other = NULL;
        WEFT_WITH (&var, V(1)) {
                if (play.beside)
                        other = spawn(play.pool, beside, NULL);
                t = spawn(play.pool, task, NULL);
        }
        int r = weft_await(t, in_ms(LIMIT_MS));
        ASSERT_CASE(r == TASKS_RESULT);
        weft_task_unref(t);

        if (!involves(play.end, SHUTDOWN)) {
                t = spawn(play.pool, give, V(3));
                r = weft_await(t, in_ms(LIMIT_MS));
                ASSERT_CASE(r == 3);
                weft_task_unref(t);
                int before = atomic_load(&play.others);
                for (int64_t end = in_ms(LIMIT_MS);
                     other && atomic_load(&play.others) < before + 3 && weft_now() < end;)
                        sched_yield();
                ASSERT_CASE(!other || atomic_load(&play.others) >= before + 3);
        }
        atomic_store(&play.stop, true);
        if (other) {
                r = join(other);
                ASSERT_CASE(r == 0 || (involves(play.end, SHUTDOWN) && r == -ECANCELED));
        }
}

static void play_thread(void)
{
        pthread_t thread;
        struct timespec end;
        cr_assert_eq(pthread_create(&thread, NULL, thread_outside, NULL), 0);
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += LIMIT_MS / 1000;
        int r = pthread_timedjoin_np(thread, NULL, &end);
        ASSERT_CASE(r == 0);
}

static void play_case(void)
{
        struct scene *s = &play.scene;
        sem_init(&s->hold, 0, 0);
        sem_init(&s->held, 0, 0);
        /* Timers are made to fire where they cannot by themselves. */
        bool timed = involves(play.end, LATE) || involves(play.end, CONTEXT);
        bool by_itself =
            play.outside || s->kind->unstoppable || (play.order != SWITCH && play.order != PARKED);
        play.natural = timed && by_itself && play.end->first != DONE;
        s->late_tasks = involves(play.end, CONTEXT);
        s->kind->make(s);
        if (play.outside)
                play_thread();
        else
                play_task();
        while (atomic_load(&play.moment) == COME)
                sched_yield();
        ASSERT_CASE(fits());
        ASSERT_CASE(play.natural || s->kind->no_waiter || atomic_load(&play.moment) ||
                    !s->kind->bring);
        weft_task_unref(play.self);
        s->kind->look(s);
        ASSERT_CASE(true);
}

/* Whether there is such a case. */
static bool is_a_case(const struct kind *kind, const struct end *end, enum order order, bool helped,
                      bool outside, bool migrate)
{
        if (involves(end, DONE) && !kind->bring)
                return false;
        if (involves(end, LATE) && !kind->timed)
                return false;
        if (only_passes(kind) && (outside || order != LINKED))
                return false;
        if (order == AFTER || (kind->by_helper && involves(end, DONE)) || involves(end, SHUTDOWN))
                if (!helped)
                        return false;
        if (outside && (involves(end, CANCEL) || involves(end, SHUTDOWN) || order == PARKED))
                return false;
        if (outside && kind->no_waiter && order != AFTER)
                return false;
        /* Once it has parked another worker may go on with it at once, and then the pool may end,
         * which waits for the one that is held up. */
        if (migrate && order == PARKED && (end->second == LATE || involves(end, SHUTDOWN)))
                return false;
        return true;
}

static weft_pool *pool_of(unsigned workers, bool migrate)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {
            .size = sizeof(o), .workers = workers, .flags = migrate ? WEFT_MIGRATE : 0};
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        return pool;
}

static void play_all(const struct kind *kind, bool outside, unsigned workers, bool migrate)
{
        static unsigned cases;
        migrate = migrate || WEFT__KNOB(migrate);
        weft_pool *other = pool_of(1, false), *pool = outside ? NULL : pool_of(workers, migrate);
        for (unsigned i = 0; i < ENDS * ORDERS * 2; i++) {
                const struct end *end = &ends[i / ORDERS / 2];
                enum order order = i / 2 % ORDERS;
                bool own_pool = involves(end, SHUTDOWN), helped = i % 2;
                if (!is_a_case(kind, end, order, helped, outside, migrate))
                        continue;
                memset(&play, 0, sizeof(play));
                play.scene = (struct scene){.kind = kind, .other = other, .fd = -1};
                play.end = end;
                play.order = order;
                play.helped = helped;
                play.outside = outside;
                play.migrate = migrate;
                play.beside = ++cases % 2;
                play.workers = workers;
                play.pool = own_pool ? pool_of(workers, migrate) : pool;
                play_case();
                if (own_pool)
                        weft_pool_destroy(play.pool);
        }
        weft_pool_destroy(pool);
        weft_pool_destroy(other);
}

static void matrix_of(const char *name)
{
        const struct kind *kind = kinds;
        while (strcmp(kind->name, name) != 0)
                kind++;
        sem_init(&helper.called, 0, 0);
        sem_init(&helper.done, 0, 0);
        cr_assert_eq(pthread_create(&helper.thread, NULL, help, NULL), 0);
        weft__wait_hook = on_wait;
        /* Once, where their number is forced: all are of one size then. */
        for (unsigned workers = WEFT__KNOB(workers) ? 4 : 1; workers <= 4;
             workers *= MORE_WORKERS) {
                play_all(kind, false, workers, false);
                play_all(kind, false, workers, true);
        }
        play_all(kind, true, 0, false);
}

#define MATRIX(name, text)                                                                         \
        Test(wait_matrix, name, .timeout = 120)                                                    \
        {                                                                                          \
                matrix_of(text);                                                                   \
        }

MATRIX(await, "await")
MATRIX(group_wait, "group wait")
MATRIX(group_fini, "group fini")
MATRIX(mutex, "mutex")
MATRIX(semaphore, "semaphore")
MATRIX(event, "event")
MATRIX(channel_send, "send")
MATRIX(channel_receive, "receive")
MATRIX(wait_fd, "wait_fd")
MATRIX(sleep, "sleep")
MATRIX(yield, "yield")
MATRIX(room_in_a_bounded_pool, "room")
MATRIX(pool_shutdown, "pool shutdown")
MATRIX(blocking_call, "blocking call")
