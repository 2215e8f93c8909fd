/* SPDX-License-Identifier: MIT
 *
 * C++ exceptions in tasks that wait: between throw and catch, in a catch block and in a destructor
 * that runs on the way. The runtime keeps what is being handled for each thread; here it has to be
 * for each task, whoever runs in between and wherever the task goes on. Exit 0, or the line of what
 * is not so on standard error and 1.
 */
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/weft.h>

#define CHECK(condition)                                                                           \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,          \
                                     #condition);                                                  \
                        std::_Exit(1);                                                             \
                }                                                                                  \
        } while (0)

enum { TASKS = 12, ROUNDS = 40 };

static weft_var var = WEFT_VAR_INIT("var");

struct failure {
        std::string text;
};

/* In functions of their own: a task may go on on another thread. */
static __attribute__((noinline)) int on_their_way()
{
        return std::uncaught_exceptions();
}

static __attribute__((noinline)) bool handles_one()
{
        return std::current_exception() != nullptr;
}

static void wait_a_little(intptr_t number, int round)
{
        switch ((number + round) % 3) {
        case 0:
                CHECK(weft_yield() == 0);
                break;
        case 1:
                CHECK(weft_sleep_until(weft_now() + 10000 * (number % 4)) == 0);
                break;
        default:
                weft_event event;
                weft_event_init(&event);
                CHECK(weft_event_wait(&event, weft_now() + 20000) == -ETIMEDOUT);
        }
}

struct waits_when_it_ends {
        intptr_t number;
        int round, expected;
        ~waits_when_it_ends()
        {
                CHECK(on_their_way() == expected);
                wait_a_little(number, round);
                CHECK(on_their_way() == expected);
        }
};

static void fail(intptr_t number, int round)
{
        waits_when_it_ends on_the_way{number, round, 1};
        WEFT_WITH (&var, reinterpret_cast<void *>(number)) {
                throw failure{"task " + std::to_string(number)};
        }
}

static int throws_and_waits(void *arg)
{
        intptr_t number = reinterpret_cast<intptr_t>(arg);
        std::string expected = "task " + std::to_string(number);
        int caught = 0;
        for (int round = 0; round < ROUNDS; round++) {
                try {
                        waits_when_it_ends before{number, round, 1};
                        fail(number, round);
                } catch (const failure &f) {
                        wait_a_little(number, round + 1);
                        CHECK(f.text == expected);
                        CHECK(on_their_way() == 0);
                        try {
                                wait_a_little(number, round + 2);
                                throw;
                        } catch (const failure &again) {
                                wait_a_little(number, round);
                                CHECK(&again == &f);
                                try {
                                        throw number;
                                } catch (intptr_t n) {
                                        wait_a_little(number, round);
                                        CHECK(n == number);
                                        caught++;
                                }
                                CHECK(again.text == expected);
                        }
                        wait_a_little(number, round + 1);
                        CHECK(handles_one());
                        CHECK(f.text == expected);
                }
                CHECK(!handles_one());
                CHECK(weft_get(&var) == nullptr);
                wait_a_little(number, round);
                CHECK(!handles_one());
        }
        return caught;
}

static void run(unsigned workers, unsigned flags)
{
        weft_pool_options o = {};
        weft_pool *pool;
        weft_task *task[TASKS];
        o.size = sizeof(o);
        o.workers = workers;
        o.flags = flags;
        CHECK(weft_pool_create(&pool, &o) == 0);
        for (intptr_t i = 0; i < TASKS; i++)
                CHECK(weft_spawn(pool, &task[i], throws_and_waits, reinterpret_cast<void *>(i)) ==
                      0);
        for (weft_task *t : task) {
                CHECK(weft_await(t, WEFT_FOREVER) == ROUNDS);
                weft_task_unref(t);
        }
        weft_pool_destroy(pool);
}

/* B25 of docs/borders.md: none may leave what the library calls. */

static int throws(void *)
{
        throw failure{"out of a task"};
}

static void throws_as_drop(void *)
{
        throw failure{"out of a destructor"};
}

static std::atomic<bool> begun;

static int nothing(void *)
{
        return 0;
}

/* A task that blocks the one worker. */
static int holds_up(void *)
{
        begun = true;
        sleep(100);
        return 0;
}

static void keep_busy(weft_pool *pool)
{
        CHECK(weft_submit(pool, holds_up, nullptr) == 0);
        while (!begun)
                usleep(100);
}

static void out_of_a_task(weft_pool *pool)
{
        CHECK(weft_submit(pool, throws, nullptr) == 0);
        sleep(100);
}

static int throws_in_blocking(void *)
{
        return weft_blocking(throws, nullptr);
}

static void out_of_blocking(weft_pool *pool)
{
        CHECK(weft_submit(pool, throws_in_blocking, nullptr) == 0);
        sleep(100);
}

/* These run on the thread of who calls, who would catch it. */
static void out_of_a_callers_task(weft_pool *pool)
{
        keep_busy(pool);
        CHECK(weft_submit(pool, nothing, nullptr) == 0);
        CHECK(weft_submit(pool, throws, nullptr) == 0);
}

static void out_of_a_destructor(weft_pool *pool)
{
        weft_task *task;
        keep_busy(pool);
        CHECK(weft_spawn_closure(pool, &task, nothing, "", 1, throws_as_drop) == 0);
        weft_task_cancel(task);
}

static int throws_from_range(std::size_t, std::size_t, void *)
{
        throw 1;
}

static int loops(void *)
{
        try {
                weft_parallel_for(nullptr, 0, 1000, 1, throws_from_range, nullptr);
        } catch (...) {
        }
        return 0;
}

static void out_of_a_loop(weft_pool *pool)
{
        CHECK(weft_submit(pool, loops, nullptr) == 0);
        sleep(100);
}

/* A job that was shown to others, since its task parked, and that nobody took: it is a task by
 * then, and ends as one, or its pool would never come to its end. */
static int joins_what_became_tasks(void *)
{
        for (int i = 0; i < 10; i++) {
                weft_job job;
                weft_task *newest;
                bool caught = false;
                weft_fork(&job, throws, nullptr);
                CHECK(weft_spawn(nullptr, &newest, nothing, nullptr) == 0);
                CHECK(weft_await(newest, WEFT_FOREVER) == 0);
                weft_task_unref(newest);
                try {
                        weft_join(&job);
                } catch (const failure &) {
                        caught = true;
                }
                CHECK(caught);
        }
        return 0;
}

static void through_the_joins_of_tasks()
{
        weft_pool_options o = {};
        weft_pool *pool;
        weft_task *task;
        o.size = sizeof(o);
        o.workers = 1;
        CHECK(weft_pool_create(&pool, &o) == 0);
        CHECK(weft_spawn(pool, &task, joins_what_became_tasks, nullptr) == 0);
        CHECK(weft_await(task, WEFT_FOREVER) == 0);
        weft_task_unref(task);
        CHECK(weft_pool_shutdown(pool, WEFT_DRAIN, weft_now() + 10000000000) == 0);
        weft_pool_destroy(pool);
}

static void dies(void (*body)(weft_pool *pool))
{
        int status;
        std::fflush(nullptr);
        pid_t pid = fork();
        if (pid == 0) {
                weft_pool_options o = {};
                weft_pool *pool;
                struct rlimit none = {0, 0};
                setrlimit(RLIMIT_CORE, &none);
                o.size = sizeof(o);
                o.workers = 1;
                o.max_queued = 1;
                o.when_full = WEFT_CALLER;
                CHECK(freopen("/dev/null", "w", stderr));
                CHECK(weft_pool_create(&pool, &o) == 0);
                try {
                        body(pool);
                } catch (...) {
                }
                _exit(3);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main()
{
        dies(out_of_a_task);
        dies(out_of_blocking);
        dies(out_of_a_callers_task);
        dies(out_of_a_destructor);
        dies(out_of_a_loop);
        through_the_joins_of_tasks();
        for (unsigned flags : {0u, static_cast<unsigned>(WEFT_MIGRATE)}) {
                run(1, flags);
                run(2, flags);
                run(4, flags);
        }
        return 0;
}
