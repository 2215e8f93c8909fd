/* SPDX-License-Identifier: MIT
 *
 * Stacks of tasks: their slabs and guards, what a task finds when it runs over its own, and that
 * memory goes back when it is not used any more.
 */
#include "pool_help.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "pool/stacks.h"

/* ---- slabs ----------------------------------------------------------------------------------- */

enum { MANY = 200 };

static void count(char *high, void *arg)
{
        (void)high;
        ++*(size_t *)arg;
}

static size_t in_use(weft__stacks *stacks)
{
        size_t n = 0;
        weft__stacks_visit(stacks, count, &n);
        return n;
}

Test(stacks, taken_ones_are_apart_zeroed_and_as_large_as_said, .timeout = 60)
{
        weft__stacks stacks;
        weft__stack taken[MANY];
        weft__stacks_init(&stacks, 100 * 1000);
        cr_assert_eq(stacks.size % weft__page_size(), 0);
        cr_assert_geq(stacks.size, 100 * 1000 - 4096);
        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < MANY; i++) {
                        taken[i] = weft__stacks_take(&stacks);
                        cr_assert_not_null(taken[i].low);
                        char *first = taken[i].low + stacks.guard;
                        char *last = taken[i].low + stacks.size - 1;
                        cr_assert_eq(*first, 0);
                        cr_assert_eq(*last, 0);
                        *first = *last = (char)(i + 1);
                }
                cr_assert_eq(in_use(&stacks), MANY);
                for (int i = 0; i < MANY; i++) {
                        cr_assert_eq(taken[i].low[stacks.guard], (char)(i + 1));
                        cr_assert_eq(taken[i].low[stacks.size - 1], (char)(i + 1));
                        weft__stacks_give(&stacks, taken[i]);
                }
                cr_assert_eq(in_use(&stacks), 0);
        }
        weft__stacks_fini(&stacks);
}

Test(stacks, slabs_that_are_not_used_are_unmapped_but_for_one, .timeout = 60)
{
        weft__stacks stacks;
        weft__stack taken[MANY];
        weft__stacks_init(&stacks, 64 * 1024);
        for (int i = 0; i < MANY; i++) {
                taken[i] = weft__stacks_take(&stacks);
                cr_assert_not_null(taken[i].low);
        }
        cr_assert_gt(stacks.slabs, 3);
        /* In an order that empties no slab before the last stacks are given back. */
        for (int start = 0; start < 7; start++)
                for (int i = start; i < MANY; i += 7)
                        weft__stacks_give(&stacks, taken[i]);
        cr_assert_eq(stacks.slabs, 1);
        weft__stacks_fini(&stacks);
}

/* Whether a byte can be read: the kernel says so without a fault. */
static bool readable(const char *at)
{
        int ends[2];
        cr_assert_eq(pipe(ends), 0);
        bool yes = write(ends[1], at, 1) == 1;
        close(ends[0]);
        close(ends[1]);
        return yes;
}

static void guards_hold(void)
{
        weft__stacks stacks;
        weft__stack taken[20];
        weft__stacks_init(&stacks, 256 * 1024);
        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 20; i++) {
                        taken[i] = weft__stacks_take(&stacks);
                        cr_assert_not_null(taken[i].low);
                        cr_assert_not(readable(taken[i].low));
                        cr_assert_not(readable(taken[i].low + stacks.guard - 1));
                        cr_assert(readable(taken[i].low + stacks.guard));
                }
                for (int i = 0; i < 20; i++)
                        weft__stacks_give(&stacks, taken[i]);
        }
        weft__stacks_fini(&stacks);
}

Test(stacks, the_guard_cannot_be_touched_also_when_a_stack_is_used_again, .timeout = 60)
{
        skip_guards_in_emulator();
        guards_hold();
}

Test(stacks, guards_hold_on_kernels_without_marks_in_the_page_table, .timeout = 60)
{
        weft__guards_by_mprotect = true;
        guards_hold();
}

Test(stacks, without_marks_stacks_end_before_the_mappings_do, .timeout = 60)
{
        weft__stacks stacks;
        weft__stack taken[10];
        weft__guards_by_mprotect = true;
        weft__guard_budget = 10;
        weft__stacks_init(&stacks, 64 * 1024);
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 10; i++) {
                        taken[i] = weft__stacks_take(&stacks);
                        cr_assert_not_null(taken[i].low, "stack %d", i);
                }
                cr_assert_null(weft__stacks_take(&stacks).low);
                cr_assert_eq(in_use(&stacks), 10);
                for (int i = 0; i < 10; i++)
                        weft__stacks_give(&stacks, taken[i]);
        }
        weft__stacks_fini(&stacks);
}

/* What the system says of mappings, in the place of the C library's fopen(); NULL: its own. */
static const char *max_map_count;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): see its header */
FILE *fopen(const char *path, const char *mode)
{
        int how =
            *mode == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | (*mode == 'w' ? O_TRUNC : O_APPEND);
        if (max_map_count && strcmp(path, "/proc/sys/vm/max_map_count") == 0)
                return fmemopen((void *)max_map_count, strlen(max_map_count), "r");
        int fd = open(path, how | O_CLOEXEC, 0666);
        return fd < 0 ? NULL : fdopen(fd, mode);
}

/* How many stacks are to be had; in a process of its own, since it is asked once. */
static int stacks_come_to(void *number)
{
        weft__stacks stacks;
        int n = 0;
        weft__guards_by_mprotect = true;
        weft__stacks_init(&stacks, 3 * weft__page_size());
        while (n < 10000 && weft__stacks_take(&stacks).low)
                n++;
        if (n != N(number))
                dprintf(STDERR_FILENO, "%d stacks\n", n);
        return n == N(number) ? 0 : 1;
}

/* Three quarters of the mappings, two for each, of 1024 at least, which no system goes below. */
Test(stacks, without_marks_as_many_as_the_system_allows_mappings_for, .timeout = 60)
{
        static const struct {
                const char *says;
                int stacks;
        } of[] = {
            {"4096\n", 1536}, {"1024\n", 384}, {"1023\n", 384}, {"-1\n", 384}, {"many\n", 384}};
        for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
                max_map_count = of[i].says;
                cr_assert_eq(in_child(stacks_come_to, V(of[i].stacks)), 0, "%s", of[i].says);
        }
}

/* ---- a task that runs over its stack --------------------------------------------------------- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(WEFT_VALGRIND)

static volatile int depth;

static __attribute__((noinline)) int runs_over(void *arg)
{
        volatile char frame[1000];
        if (depth < 0)
                return 0; /* never, but the compiler need not know */
        frame[0] = frame[999] = (char)depth++;
        int r = runs_over(arg);
        return r + frame[0] + frame[999];
}

/* What the child wrote to standard error, and how it ended. */
static int child(void (*body)(void), char *text, size_t size)
{
        int ends[2], status;
        cr_assert_eq(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
                struct rlimit none = {0, 0};
                setrlimit(RLIMIT_CORE, &none);
                dup2(ends[1], STDERR_FILENO);
                close(ends[0]);
                close(ends[1]);
                body();
                _exit(0);
        }
        close(ends[1]);
        size_t length = 0;
        for (ssize_t n; (n = read(ends[0], text + length, size - 1 - length)) > 0;)
                length += (size_t)n;
        text[length] = '\0';
        close(ends[0]);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        return status;
}

static void overflows(void)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 1, .name = "deep", .stack_size = 128 * 1024};
        weft_pool *pool;
        signal(SIGSEGV, SIG_DFL);
        if (weft_pool_create(&pool, &o) < 0 || weft_submit(pool, runs_over, NULL) < 0)
                _exit(1);
        weft_pool_destroy(pool);
}

Test(stacks, a_task_that_runs_over_its_stack_is_named_before_the_process_dies, .timeout = 60)
{
        skip_guards_in_emulator();
        skip_unless_workers(1);
        char text[2048], fn[32];
        int status = child(overflows, text, sizeof(text));
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x: %s", status,
                  text);
        snprintf(fn, sizeof(fn), "0x%jx", (uintmax_t)(uintptr_t)runs_over);
        cr_assert_not_null(strstr(text, "stack overflow"), "%s", text);
        cr_assert_not_null(strstr(text, fn), "%s does not name %s", text, fn);
        cr_assert_not_null(strstr(text, "deep-0"), "%s", text);
        cr_assert_not_null(strstr(text, "126976 bytes"), "%s", text);
}

/* The program's own handler, which wants to be told of what it handles. */
static void own_action(int signal, siginfo_t *info, void *context)
{
        (void)context;
        _exit(signal == SIGSEGV && info->si_addr ? 42 : 1);
}

static void overflows_with_an_action(void)
{
        struct sigaction action = {.sa_sigaction = own_action, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        weft_pool *pool;
        sigaction(SIGSEGV, &action, NULL);
        if (weft_pool_create(&pool, NULL) < 0 || weft_submit(pool, runs_over, NULL) < 0)
                _exit(1);
        weft_pool_destroy(pool);
}

Test(stacks, an_action_that_was_there_before_gets_the_overflow_after_the_message, .timeout = 60)
{
        skip_guards_in_emulator();
        char text[2048];
        int status = child(overflows_with_an_action, text, sizeof(text));
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %#x: %s", status, text);
        cr_assert_not_null(strstr(text, "stack overflow"), "%s", text);
}

static int touches_nothing(void *arg)
{
        return *(volatile int *)arg;
}

static void fault_with(void (*handler)(int signal))
{
        weft_pool *pool;
        signal(SIGSEGV, handler);
        if (weft_pool_create(&pool, NULL) < 0 || weft_submit(pool, touches_nothing, V(8)) < 0)
                _exit(1);
        weft_pool_destroy(pool);
}

static void faults(void)
{
        fault_with(SIG_DFL);
}

Test(stacks, another_fault_dies_as_it_would_without_weft, .timeout = 60)
{
        char text[2048];
        int status = child(faults, text, sizeof(text));
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x", status);
        cr_assert_null(strstr(text, "overflow"), "%s", text);
}

static void own_handler(int signal)
{
        (void)signal;
        _exit(42);
}

static void faults_with_a_handler(void)
{
        fault_with(own_handler);
}

Test(stacks, a_handler_that_was_there_before_gets_the_other_faults, .timeout = 60)
{
        char text[2048];
        int status = child(faults_with_a_handler, text, sizeof(text));
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %#x: %s", status, text);
}

#endif

/* ---- memory goes back ------------------------------------------------------------------------ */

#if !SLOW_BUILD

static long resident_kib(void)
{
        long pages = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        cr_assert_not_null(f);
        cr_assert_eq(fscanf(f, "%*d %ld", &pages), 1);
        fclose(f);
        return pages * (long)weft__page_size() / 1024;
}

static int waits(void *arg)
{
        CHECK(weft_event_wait(arg, WEFT_FOREVER) == 0);
        return 0;
}

static void park_and_resume(weft_pool *pool, unsigned n, long *ret_parked_kib)
{
        weft_group group;
        weft_event event;
        struct weft_pool_stats before = {.size = sizeof(before)}, now = before;
        weft_event_init(&event);
        cr_assert_eq(weft_pool_stats(pool, &before), 0);
        cr_assert_eq(weft_group_init(&group, pool), 0);
        for (unsigned i = 0; i < n; i++)
                cr_assert_eq(weft_group_spawn(&group, waits, &event), 0);
        do {
                usleep(1000);
                cr_assert_eq(weft_pool_stats(pool, &now), 0);
        } while (now.parked - before.parked < n);
        *ret_parked_kib = resident_kib();
        weft_event_set(&event);
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
        weft_group_fini(&group);
}

Test(stacks, ten_thousand_parked_and_resumed_leave_no_memory_behind, .timeout = 120)
{
        enum { TASKS = UNDER_FAULTS ? 1000 : 10000 };
        skip_when_forced(migrate); /* each worker keeps spare stacks for all */
        weft_pool_options o = {.size = sizeof(o), .workers = 2};
        weft_pool *pool;
        long parked;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        park_and_resume(pool, 100, &parked); /* what is made once is there from here on */
        long before = resident_kib();
        for (int round = 0; round < 3; round++) {
                park_and_resume(pool, TASKS, &parked);
                cr_assert_gt(parked - before, TASKS * 4, "a page each, at least");
        }
        /* The tasks themselves (2 MB) and warm stacks may stay, the 40 MB of stacks may not. */
        long left = resident_kib() - before;
        cr_assert_lt(left, 6 * 1024, "%ld KiB are left of %ld", left, parked - before);
        weft_pool_destroy(pool);
}

#endif
