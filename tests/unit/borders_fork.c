/* SPDX-License-Identifier: MIT
 *
 * fork() from every place (B1 to B8 of docs/borders.md): the child makes every call there is
 * (fork_help.h), and ends by exit(), or by returning to the library.
 */
#include "fork_help.h"

/* ---- from where ---- */

enum end { EXITS, RETURNS, FAILS };

static atomic_int place_status;

/* Forks; the child makes every call and then ends by exit(), or by returning to the library. */
static int forks(enum end end)
{
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
#if defined(WEFT_VALGRIND)
                VALGRIND_CLO_CHANGE("--leak-check=no");
#endif
                atexit(note_handler);
                calls_everything(end == EXITS);
                if (end == EXITS)
                        exit(5);
                return end == FAILS ? -EIO : 3;
        }
        int status = -1;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        atomic_store(&place_status,
                     WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
        return 0;
}

static int forks_here(void *end)
{
        return forks((enum end)N(end));
}

static void *forks_in_thread(void *end)
{
        forks_here(end);
        return NULL;
}

static void assert_child(enum end end)
{
        int expected = end == EXITS ? 5 : end == FAILS;
        cr_assert_eq(atomic_load(&place_status), expected, "%d", atomic_load(&place_status));
        assert_checks();
}

enum { TIMES = FEW_ROUNDS ? 1 : 10 };

Test(borders_fork, B1_from_a_thread_outside_pools, .timeout = 120)
{
        skip_without_fork();
        begin_parent();
        for (int i = 0; i < TIMES; i++) {
                pthread_t thread;
                cr_assert_eq(pthread_create(&thread, NULL, forks_in_thread, V(EXITS)), 0);
                pthread_join(thread, NULL);
                assert_child(EXITS);
        }
        cr_assert_eq(atomic_load(&shared->handlers), TIMES, "B5: exit() runs the handlers");
        end_parent();
}

/* By a task of this pool: the child ends by exit() and by returning, which runs no handlers. */
static void from_a_task(weft_pool *pool)
{
        for (int i = 0; i < TIMES; i++) {
                enum end end = (enum end)(i % 3);
                cr_assert_eq(join(spawn(pool, forks_here, V(end))), 0);
                assert_child(end);
        }
        cr_assert_eq(atomic_load(&shared->handlers), (TIMES + 2) / 3);
}

Test(borders_fork, B2_from_a_task, .timeout = 120)
{
        skip_without_fork();
        begin_parent();
        from_a_task(p.pool);
        end_parent();
}

Test(borders_fork, B2_from_a_task_that_may_migrate, .timeout = 120)
{
        skip_without_fork();
        begin_parent();
        weft_pool *pool = migrating_pool(2);
        from_a_task(pool);
        finish(pool);
        end_parent();
}

/* ---- from what else the library calls ---- */

static enum end place_end;

static void forks_as_drop(void *unused)
{
        (void)unused;
        forks(place_end);
}

static void forks_as_hook(unsigned worker, void *unused)
{
        (void)worker;
        (void)unused;
        forks(place_end);
}

static int blocks(void *end)
{
        return weft_blocking(forks_here, end);
}

static int joins(void *end)
{
        weft_job job;
        weft_fork(&job, forks_here, end);
        return weft_join(&job);
}

static weft_var releasing = WEFT_VAR_INIT("releasing", .release = forks_as_drop);

static int leaves_release(void *unused)
{
        (void)unused;
        CHECK(weft_set(&releasing, V(1), NULL) == 0);
        return 0;
}

static void in_tasks(weft_pool *pool, weft_fn *fn)
{
        cr_assert_eq(join(spawn(pool, fn, V(place_end))), 0);
}

static void in_blocking(void)
{
        in_tasks(p.idle, blocks);
}

static void in_job(void)
{
        in_tasks(p.idle, joins);
}

static void in_release(void)
{
        in_tasks(p.idle, leaves_release);
}

static void in_timer(void)
{
        weft_task *t;
        cr_assert_eq(weft_spawn_at(p.idle, &t, in_ms(1), 0, forks_here, V(place_end)), 0);
        cr_assert_eq(join(t), 0);
}

static int submits_to_full(void *pool)
{
        return weft_submit(pool, forks_here, V(place_end));
}

/* The submitter, on a thread or in a task of another pool, runs the task. */
static void in_submitter(bool by_task)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .max_queued = 1, .when_full = WEFT_CALLER};
        weft_pool *pool;
        struct plug plug;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_submit(pool, strays, NULL), 0);
        if (by_task)
                cr_assert_eq(join(spawn(p.idle, submits_to_full, pool)), 0);
        else
                cr_assert_eq(submits_to_full(pool), 0);
        plug_out(&plug);
        finish(pool);
}

static void in_submitting_thread(void)
{
        in_submitter(false);
}

static void in_submitting_task(void)
{
        in_submitter(true);
}

/* The canceller runs it, of one task and of the last of a group. */
static void in_destructor(void)
{
        weft_pool *pool = begin(1);
        struct plug plug;
        weft_group g;
        weft_task *t;
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_spawn_closure(pool, &t, strays, "", 1, forks_as_drop), 0);
        cr_assert_eq(weft_task_cancel(t), 0);
        cr_assert_eq(join(t), -ECANCELED);
        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, strays, NULL), 0);
        cr_assert_eq(weft_group_spawn_closure(&g, strays, "", 1, forks_as_drop), 0);
        cr_assert_eq(weft_group_cancel(&g), 0);
        plug_out(&plug);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
        weft_group_fini(&g);
        finish(pool);
}

static void in_start(void)
{
        run_hooks(forks_as_hook, NULL);
}

static void in_stop(void)
{
        run_hooks(NULL, forks_as_hook);
}

/* The hook of a var, as a task begins, parks and goes on. */
static atomic_bool hook_forks;

static void forks_as_change(void *previous, void *next, void *unused)
{
        (void)previous;
        (void)next;
        (void)unused;
        if (atomic_exchange(&hook_forks, false))
                forks(place_end);
}

static weft_var changing = WEFT_VAR_INIT("changing", .on_change = forks_as_change);

static int begins(void *unused)
{
        note_stray();
        (void)unused;
        return 0;
}

static int parks(void *unused)
{
        (void)unused;
        atomic_store(&hook_forks, true);
        CHECK(weft_sleep_until(in_ms(1)) == 0);
        note_stray();
        return 0;
}

static int goes_on(void *event)
{
        CHECK(weft_event_wait(event, WEFT_FOREVER) == 0);
        note_stray();
        return 0;
}

static void in_change_as_it_begins(void)
{
        WEFT_WITH (&changing, V(1)) {
                atomic_store(&hook_forks, true);
                in_tasks(p.idle, begins);
        }
}

static void in_change_as_it_parks(void)
{
        WEFT_WITH (&changing, V(1))
                in_tasks(p.idle, parks);
}

static void in_change_as_it_goes_on(void)
{
        weft_event event;
        weft_event_init(&event);
        WEFT_WITH (&changing, V(1)) {
                weft_task *t = spawn(p.idle, goes_on, &event);
                usleep(10000); /* until it waits, or not: then it is another place */
                atomic_store(&hook_forks, true);
                weft_event_set(&event);
                cr_assert_eq(join(t), 0);
        }
}

/* Whether the child ends by exit() or returns to the library, it never goes on with what is the
 * parent's; B4: it ends there, with 0, or with 1 if it returns the error of a task. */
Test(borders_fork, B3_B4_from_whatever_else_the_library_calls, .timeout = 240)
{
        skip_without_fork();
        static const struct {
                void (*place)(void);
                bool has_result;
        } places[] = {
            {in_blocking, true},
            {in_job, true},
            {in_timer, true},
            {in_submitting_thread, true},
            {in_release, false},
            {in_submitting_task, true},
            {in_destructor, false},
            {in_start, false},
            {in_stop, false},
            {in_change_as_it_begins, false},
            {in_change_as_it_parks, false},
            {in_change_as_it_goes_on, false},
        };
        begin_parent();
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
                for (int end = FEW_ROUNDS ? RETURNS : EXITS;
                     end <= (places[i].has_result && !FEW_ROUNDS ? FAILS : RETURNS); end++) {
                        place_end = (enum end)end;
                        atomic_store(&place_status, -1);
                        places[i].place();
                        cr_assert_eq(atomic_load(&place_status), end == EXITS ? 5 : end == FAILS,
                                     "place %zu, end %d: %d", i, end, atomic_load(&place_status));
                }
        end_parent();
}

/* ---- children of children ---- */

static int grandchild(void *unused)
{
        (void)unused;
        calls_everything(true);
        return 0;
}

static int task_of_child(void *unused)
{
        return in_child(grandchild, unused);
}

static int child_with_pools(void *unused)
{
        weft_pool *own;
        weft_task *t;
        (void)unused;
        for (int i = 0; i < 2; i++) {
                SEE(weft_pool_create(&own, &(weft_pool_options){.workers = 2}) == 0);
                SEE(weft_spawn(i ? NULL : own, &t, task_of_child, NULL) == 0);
                SEE(weft_await(t, WEFT_FOREVER) == 0);
                weft_task_unref(t);
                SEE(in_child(grandchild, NULL) == 0);
                SEE(weft_pool_destroy(own) == NULL);
        }
        return 0;
}

Test(borders_fork, B6_the_child_of_a_child_of_a_task, .timeout = 120)
{
        skip_without_fork();
        begin_parent();
        cr_assert_eq(in_child(child_with_pools, NULL), 0);
        end_parent();
}

/* ---- what is held across it ---- */

static struct {
        weft_mutex mutex;
        weft_semaphore semaphore;
        weft_event event;
} kept;

/* B7: by who forks itself. It is the child's to give up, and cannot be told from another's. */
static int child_holds(void *unused)
{
        (void)unused;
        SEE(weft_mutex_lock(&kept.mutex, WEFT_FOREVER) == -EOWNERDEAD);
        SEE(weft_mutex_unlock(&kept.mutex) == 0);
        SEE(weft_mutex_trylock(&kept.mutex) == 0);
        SEE(weft_mutex_unlock(&kept.mutex) == 0);
        SEE(weft_semaphore_wait(&kept.semaphore, 0) == 0);
        SEE(weft_semaphore_wait(&kept.semaphore, 0) == 0);
        SEE(weft_semaphore_wait(&kept.semaphore, 0) == -ETIMEDOUT);
        SEE(weft_event_wait(&kept.event, WEFT_FOREVER) == 0);
        return 0;
}

Test(borders_fork, B7_who_holds_a_mutex_gives_it_up_in_both_processes, .timeout = 60)
{
        skip_without_fork();
        cr_assert_eq(weft_set(&a, V(1), NULL), 0); /* else a fork would not be noticed either */
        weft_semaphore_init(&kept.semaphore, 2);
        weft_event_set(&kept.event);
        cr_assert_eq(weft_mutex_lock(&kept.mutex, WEFT_FOREVER), 0);
        cr_assert_eq(in_child(child_holds, NULL), 0);
        cr_assert_eq(weft_mutex_trylock(&kept.mutex), -EAGAIN);
        cr_assert_eq(weft_mutex_unlock(&kept.mutex), 0);
}

/* ---- jobs ---- */

static struct {
        atomic_int begun, goes;
} job_state;

static int job_waits(void *unused)
{
        (void)unused;
        atomic_store(&job_state.begun, 1);
        while (!atomic_load(&job_state.goes))
                usleep(100);
        return 9;
}

struct loop {
        weft_task *caller;
        atomic_int running;
        pid_t forked; /* -1: not yet */
};

/* Forks in the task that called for the loop, once another worker is running some of it. */
static int range_forks(size_t from, size_t to, void *arg)
{
        struct loop *loop = arg;
        (void)from;
        (void)to;
        int running = atomic_fetch_add(&loop->running, 1) + 1;
        if (running == 2 && weft_task_current() == loop->caller && loop->forked < 0) {
                loop->forked = fork();
                if (loop->forked == 0)
                        alarm(20);
        }
        usleep(1000);
        atomic_fetch_sub(&loop->running, 1);
        return 0;
}

/* Of two jobs the older is run by another worker when the process is forked. */
static int forks_beside_jobs(void *unused)
{
        weft_job older, newer, none;
        int status;
        (void)unused;
        weft_fork(&older, job_waits, NULL);
        for (int64_t end = in_ms(PATIENCE_MS); !atomic_load(&job_state.begun);) {
                CHECK(weft_now() < end);
                weft_fork(&none, nothing, NULL);
                CHECK(weft_join(&none) == 0);
        }
        weft_fork(&newer, give, V(4));
        pid_t pid = fork();
        if (pid == 0) {
                alarm(20);
                SEE(weft_join(&newer) == 4);
                SEE(weft_join(&older) == -EOWNERDEAD);
                SEE(weft_join(&older) == -EPERM);
                return 0;
        }
        atomic_store(&job_state.goes, 1);
        CHECK(weft_join(&newer) == 4);
        CHECK(weft_join(&older) == 9);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);

        struct loop loop = {.caller = weft_task_current(), .forked = -1};
        int r = weft_parallel_for(NULL, 0, 300, 1, range_forks, &loop);
        if (loop.forked == 0)
                return r == -EOWNERDEAD ? 0 : -EIO;
        CHECK(r == 0);
        CHECK(waitpid(loop.forked, &status, 0) == loop.forked && status == 0);
        return 0;
}

Test(borders_fork, B8_what_another_worker_was_running_has_no_result_in_the_child, .timeout = 60)
{
        skip_without_fork();
        skip_with_fewer_workers(2);
        weft_pool *pool = begin(2);
        cr_assert_eq(join(spawn(pool, forks_beside_jobs, NULL)), 0);
        finish(pool);
}
