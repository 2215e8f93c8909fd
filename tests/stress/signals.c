/* SPDX-License-Identifier: MIT
 *
 * All that weft does under signals (B10 to B12 of docs/borders.md): SIGPROF every 500 us on each
 * thread that runs tasks or waits for them, and SIGUSR1 sent to every thread of the process in
 * turn, the library's own included, with handlers that do not restart system calls. Each feature
 * checks its results as it would without: nothing is ended, early, lost or done twice. The handlers
 * call what may be called there.
 */
#include "stress.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

static uint64_t seconds = 3;

static weft_pool *plain, *moving, *bounded;

/* ---- signals --------------------------------------------------------------------------------- */

enum { MARKS = 64 };

static char mark[MARKS]; /* the values of `who` point here */
static weft_var who = WEFT_VAR_INIT("who");
static atomic_ullong profiled, interrupted, on_workers, wrong;

/* What may be called in a handler. */
static void look(void)
{
        char *value = weft_get(&who);
        void *found = NULL;
        int saved = errno;
        if (weft_lookup(&who, &found) == 0 && found != value)
                atomic_fetch_add(&wrong, 1);
        if (value && (value < mark || value >= mark + MARKS))
                atomic_fetch_add(&wrong, 1);
        if (weft_pool_current())
                atomic_fetch_add(&on_workers, 1);
        if (weft_now() <= 0 || strcmp(weft_err_name(-ECANCELED), "ECANCELED") != 0 ||
            strcmp(weft_strerror(-ECANCELED), "cancelled") != 0 || !weft_version())
                atomic_fetch_add(&wrong, 1);
        errno = saved;
}

static void on_profile(int signal)
{
        (void)signal;
        atomic_fetch_add(&profiled, 1);
        look();
}

static void on_interrupt(int signal)
{
        (void)signal;
        atomic_fetch_add(&interrupted, 1);
        look();
}

static atomic_bool over;

/* Signals to each thread that there is, one after the other. */
static void *interrupt_all(void *unused)
{
        pid_t process = getpid(), self = (pid_t)syscall(SYS_gettid);
        (void)unused;
        while (!atomic_load(&over)) {
                DIR *threads = opendir("/proc/self/task");
                CHECK(threads, "/proc/self/task");
                for (struct dirent *e; (e = readdir(threads));) {
                        pid_t thread = (pid_t)atoi(e->d_name);
                        if (thread <= 0 || thread == self)
                                continue;
                        syscall(SYS_tgkill, process, thread, SIGUSR1);
                        struct timespec pause = {0, STRESS_SLOW ? 2000000 : 50000};
                        nanosleep(&pause, NULL);
                }
                closedir(threads);
        }
        return NULL;
}

/* The thread that calls is to be profiled, until it says otherwise. */
static _Thread_local timer_t profiler;

static void begin_profile(void)
{
        const long often = STRESS_SLOW || IN_EMULATOR ? 20000000 : 500000;
        struct itimerspec t = {{0, often}, {0, often}};
        struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
        event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        CHECK(timer_create(CLOCK_MONOTONIC, &event, &profiler) == 0, "timer");
        CHECK(timer_settime(profiler, 0, &t, NULL) == 0, "timer");
}

static void end_profile(void)
{
        timer_delete(profiler);
}

static void on_start(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        begin_profile();
}

static void on_stop(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        end_profile();
}

static void begin_signals(pthread_t *ret_thread)
{
        struct sigaction profile = {.sa_handler = on_profile};
        struct sigaction interrupt = {.sa_handler = on_interrupt};
        sigaction(SIGPROF, &profile, NULL);
        sigaction(SIGUSR1, &interrupt, NULL);
        stress_start_spared(ret_thread, interrupt_all, NULL);
}

static void end_signals(pthread_t thread)
{
        atomic_store(&over, true);
        pthread_join(thread, NULL);
}

/* ---- features: each runs in a task, and on a thread outside pools ------------------------- */

#define V(n) ((void *)(intptr_t)(n))
#define MS   INT64_C(1000000)

static int64_t in_us(int64_t us)
{
        return weft_now() + us * 1000;
}

static int give(void *n)
{
        return (int)(intptr_t)n;
}

static int count_up(void *count)
{
        atomic_fetch_add((atomic_int *)count, 1);
        return 0;
}

static int count_copied(void *args)
{
        atomic_fetch_add(*(atomic_int **)args, 1);
        return 0;
}

static void drop_copied(void *args)
{
        atomic_fetch_add(*(atomic_int **)args + 1, 1);
}

/* Closures are run and dropped once each; the bounded pool makes their submitter wait. */
static void submits(weft_pool *pool)
{
        atomic_int count[2] = {0, 0}, *args = count;
        weft_group g;
        CHECK(weft_group_init(&g, pool) == 0, "group");
        for (int i = 0; i < 40; i++)
                CHECK(weft_group_spawn_closure(&g, count_copied, &args, sizeof(args),
                                               drop_copied) == 0,
                      "spawn");
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0, "wait");
        weft_group_fini(&g);
        CHECK(count[0] == 40 && count[1] == 40, "%d run, %d dropped", count[0], count[1]);
}

static int fib(void *n)
{
        weft_job job;
        int k = give(n);
        if (k < 2)
                return k;
        weft_fork(&job, fib, V(k - 1));
        int b = fib(V(k - 2));
        return weft_join(&job) + b;
}

static int adds(size_t from, size_t to, void *partial, void *arg)
{
        (void)arg;
        for (; from < to; from++)
                *(long *)partial += (long)from;
        return 0;
}

static void add(void *left, const void *right, void *arg)
{
        (void)arg;
        *(long *)left += *(const long *)right;
}

static void forks(weft_pool *pool)
{
        long sum = 0;
        CHECK(fib(V(12)) == 144, "fib");
        CHECK(weft_parallel_reduce(pool, 0, 1000, 1, adds, add, &sum, sizeof(sum), NULL) == 0,
              "reduce");
        CHECK(sum == 499500, "%ld", sum);
}

/* No sleep ends before its time, and each leaves errno as it was. */
static void sleeps(weft_pool *pool)
{
        weft_task *t;
        int64_t until = in_us(300);
        CHECK(weft_sleep_until(until) == 0 && weft_now() >= until, "early");
        WEFT_DEADLINE (until = in_us(200)) {
                CHECK(weft_sleep_until(in_us(10000000)) == -ETIMEDOUT, "deadline");
                CHECK(weft_now() >= until, "early");
        }
        until = in_us(200);
        CHECK(weft_spawn_at(pool, &t, until, 0, give, V(7)) == 0, "spawn_at");
        CHECK(weft_await(t, WEFT_FOREVER) == 7 && weft_now() >= until, "early");
        weft_task_unref(t);
        CHECK(weft_spawn_at(pool, &t, WEFT_FOREVER, 0, give, NULL) == 0, "spawn_at");
        until = in_us(100);
        CHECK(weft_await(t, until) == -ETIMEDOUT && weft_now() >= until, "early");
        CHECK(weft_task_cancel(t) == 0 && weft_await(t, WEFT_FOREVER) == -ECANCELED, "cancel");
        weft_task_unref(t);
        atomic_int runs = 0;
        CHECK(weft_spawn_every(pool, &t, 0, 50000, 0, count_up, &runs) == 0, "spawn_every");
        while (atomic_load(&runs) < 3)
                CHECK(weft_sleep_until(in_us(50)) == 0, "sleep");
        CHECK(weft_task_cancel(t) == 0 && weft_await(t, WEFT_FOREVER) == -ECANCELED, "cancel");
        weft_task_unref(t);
}

struct shared {
        weft_mutex mutex;
        weft_semaphore semaphore;
        weft_event event;
        weft_channel *channel;
        int count;
};

static int shares(void *arg)
{
        struct shared *s = arg;
        int64_t number;
        CHECK(weft_event_wait(&s->event, WEFT_FOREVER) == 0, "event");
        CHECK(weft_semaphore_wait(&s->semaphore, WEFT_FOREVER) == 0, "semaphore");
        CHECK(weft_mutex_lock(&s->mutex, WEFT_FOREVER) == 0, "lock");
        int before = s->count;
        CHECK(weft_sleep_until(in_us(20)) == 0, "sleep");
        s->count = before + 1;
        CHECK(weft_mutex_unlock(&s->mutex) == 0, "unlock");
        CHECK(weft_semaphore_post(&s->semaphore) == 0, "post");
        CHECK(weft_channel_receive(s->channel, &number, WEFT_FOREVER) == 0, "receive");
        return (int)number;
}

static void synchronises(weft_pool *pool)
{
        struct shared s = {.count = 0};
        int result[8], sum = 0;
        weft_group g;
        weft_semaphore_init(&s.semaphore, 2);
        CHECK(weft_channel_create(&s.channel, sizeof(int64_t), 1) == 0, "channel");
        CHECK(weft_group_init(&g, pool) == 0, "group");
        for (int i = 0; i < 8; i++)
                CHECK(weft_group_spawn_into(&g, &result[i], shares, &s) == 0, "spawn");
        CHECK(weft_event_set(&s.event) == 0, "set");
        for (int64_t i = 1; i <= 8; i++)
                CHECK(weft_channel_send(s.channel, &i, WEFT_FOREVER) == 0, "send");
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0, "wait");
        for (int i = 0; i < 8; i++)
                sum += result[i];
        CHECK(s.count == 8 && sum == 36, "%d %d", s.count, sum);
        weft_group_fini(&g);
        weft_channel_destroy(s.channel);
}

static int reads_one(void *fd)
{
        char byte;
        ssize_t n;
        while ((n = read(give(fd), &byte, 1)) < 0 && errno == EINTR)
                ; /* the program's own calls are the program's to repeat */
        return n == 1 ? byte : -EIO;
}

static int waits_for_fd(void *fd)
{
        return weft_wait_fd(give(fd), POLLIN, WEFT_FOREVER);
}

static void reads(weft_pool *pool)
{
        /* A number that nobody takes as soon as it is closed: the task may begin to wait then. */
        static atomic_uint numbers;
        int ends[2], lasting = 300 + (int)(atomic_fetch_add(&numbers, 1) % 500);
        weft_task *t;
        CHECK(pipe(ends) == 0, "pipe");
        for (int i = 0; i < 4; i++) {
                CHECK(weft_spawn(pool, &t, waits_for_fd, V(ends[0])) == 0, "spawn");
                int64_t until = in_us(100);
                CHECK(weft_wait_fd(ends[0], POLLIN, until) == -ETIMEDOUT, "poll");
                CHECK(weft_now() >= until, "early");
                CHECK(write(ends[1], "a", 1) == 1, "write");
                CHECK(weft_await(t, WEFT_FOREVER) == POLLIN, "ready");
                CHECK(weft_wait_fd(ends[0], POLLIN, WEFT_FOREVER) == POLLIN, "ready");
                CHECK(weft_blocking(reads_one, V(ends[0])) == 'a', "read");
                weft_task_unref(t);
        }
        lasting = fcntl(ends[0], F_DUPFD_CLOEXEC, lasting);
        CHECK(lasting > 0, "dup");
        CHECK(weft_spawn(pool, &t, waits_for_fd, V(lasting)) == 0, "spawn");
        CHECK(weft_sleep_until(in_us(100)) == 0, "sleep");
        CHECK(weft_close(lasting) == 0, "close");
        CHECK(weft_await(t, WEFT_FOREVER) == -EBADF, "closed");
        weft_task_unref(t);
        CHECK(weft_close(ends[0]) == 0 && weft_close(ends[1]) == 0, "close");
}

static void makes_pools(weft_pool *pool)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 2, .on_start = on_start, .on_stop = on_stop};
        weft_pool *own;
        weft_task *t;
        (void)pool;
        CHECK(weft_pool_create(&own, &o) == 0, "create");
        CHECK(weft_spawn(own, &t, give, V(3)) == 0, "spawn");
        CHECK(weft_await(t, WEFT_FOREVER) == 3, "await");
        weft_task_unref(t);
        CHECK(weft_pool_shutdown(own, WEFT_DRAIN, WEFT_FOREVER) == 0, "shutdown");
        weft_pool_destroy(own);
}

static void (*const features[])(weft_pool *pool) = {submits,      forks, sleeps,
                                                    synchronises, reads, makes_pools};
enum { FEATURES = sizeof(features) / sizeof(features[0]) };

static atomic_ullong done;

/* Some of them, in an order of its own, in a context of its own. */
static void run_some(struct rng *rng)
{
        weft_pool *pools[] = {plain, moving, bounded};
        for (int i = 0; i < 2; i++) {
                char *value = mark + rng_below(rng, MARKS);
                WEFT_WITH (&who, value) {
                        features[rng_below(rng, FEATURES)](pools[rng_below(rng, 3)]);
                        CHECK(weft_get(&who) == value, "the context");
                }
        }
        atomic_fetch_add(&done, 1);
}

static int task(void *seed)
{
        struct rng rng = {(uint64_t)(uintptr_t)seed};
        run_some(&rng);
        return 0;
}

static void *outside(void *seed)
{
        struct rng rng = {(uint64_t)(uintptr_t)seed};
        begin_profile();
        while (!atomic_load(&over))
                run_some(&rng);
        end_profile();
        return NULL;
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {{"--seconds", &seconds, "for how long"}, {0}};
        weft_pool_options o = {
            .size = sizeof(o), .workers = 2, .on_start = on_start, .on_stop = on_stop};
        pthread_t interrupter, thread;
        unsigned long long started = 0;
        stress_begin(argc, argv, options);
        struct rng rng = {stress_seed};
        begin_signals(&interrupter);
        CHECK(weft_pool_create(&plain, &o) == 0, "create");
        o.flags = WEFT_MIGRATE;
        CHECK(weft_pool_create(&moving, &o) == 0, "create");
        o = (weft_pool_options){.size = sizeof(o),
                                .workers = 1,
                                .max_queued = 4,
                                .when_full = WEFT_BLOCK,
                                .on_start = on_start,
                                .on_stop = on_stop};
        CHECK(weft_pool_create(&bounded, &o) == 0, "create");
        CHECK(pthread_create(&thread, NULL, outside, (void *)(uintptr_t)rng_next(&rng)) == 0,
              "thread");
        /* In less than a second too few signals come. */
        int64_t end = weft_now() + (int64_t)(seconds ? seconds : 1) * 1000 * MS;
        while (weft_now() < end) {
                stress_hangs_after(60);
                weft_group g;
                CHECK(weft_group_init(&g, rng_chance(&rng, 2) ? plain : moving) == 0, "group");
                for (int i = 0; i < 6; i++, started++)
                        CHECK(weft_group_spawn(&g, task, (void *)(uintptr_t)rng_next(&rng)) == 0,
                              "spawn");
                CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0, "wait");
                weft_group_fini(&g);
        }
        end_signals(interrupter);
        pthread_join(thread, NULL);
        weft_pool_destroy(bounded);
        weft_pool_destroy(moving);
        weft_pool_destroy(plain);
        printf("%llu rounds, %llu in tasks; %llu profiles, %llu interrupts, %llu of them on "
               "workers\n",
               atomic_load(&done), started, atomic_load(&profiled), atomic_load(&interrupted),
               atomic_load(&on_workers));
        CHECK(!atomic_load(&wrong), "%llu looks of handlers were wrong", atomic_load(&wrong));
        CHECK(atomic_load(&done) > started, "tasks were lost");
        CHECK(atomic_load(&interrupted) > 100 && atomic_load(&on_workers) > 0, "no signals came");
        CHECK(atomic_load(&profiled) > 100, "no profile was taken");
        return 0;
}
