/* SPDX-License-Identifier: MIT
 *
 * The options of a pool: how many workers and which CPUs, their names and hooks, the range of each
 * field, and the size that lets the structure grow. The bound on queued tasks is in pool_limit.c.
 */
#include "pool_help.h"

#include <alloca.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static weft_pool *with_options(const weft_pool_options *o)
{
        weft_pool *pool = NULL;
        int r = weft_pool_create(&pool, o);
        cr_assert_eq(r, 0, "weft_pool_create: %s", weft_strerror(r));
        cr_assert_not_null(pool);
        return pool;
}

/* The options are refused, *ret is left alone and no thread is left behind. */
static void refused(const weft_pool_options *o, int error)
{
        weft_pool *const untouched = (weft_pool *)&error;
        weft_pool *pool = untouched;
        int before = threads_before();
        cr_assert_eq(weft_pool_create(&pool, o), error);
        cr_assert_eq(pool, untouched);
        cr_assert(threads_become(before));
}

static int cpus_of_affinity(void)
{
        cpu_set_t set;
        cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
        return CPU_COUNT(&set);
}

/* ---- workers --------------------------------------------------------------------------------- */

Test(pool_options, workers_is_the_number_of_threads, .timeout = 30)
{
        skip_when_forced(workers);
        for (unsigned workers = 1; workers <= 33; workers += 8) {
                int before = threads_before();
                weft_pool *pool = begin(workers);
                cr_assert_eq(weft_pool_workers(pool), workers);
                cr_assert_eq(threads_now(), before + (int)workers);
                finish(pool);
                cr_assert(threads_become(before));
        }
}

Test(pool_options, default_is_at_most_one_worker_a_cpu, .timeout = 30)
{
        skip_when_forced(workers);
        weft_pool *pool = with_options(NULL);
        cr_assert_geq(weft_pool_workers(pool), 1);
        cr_assert_leq(weft_pool_workers(pool), (unsigned)cpus_of_affinity());
        finish(pool);
        cr_assert_eq(weft_pool_workers(NULL), weft_pool_workers(weft_pool_default()));
}

Test(pool_options, default_follows_the_affinity_of_the_creator, .timeout = 30)
{
        skip_when_forced(workers);
        cpu_set_t all, one;
        int cpu = 0;

        cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
        while (!CPU_ISSET(cpu, &all))
                cpu++;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
        weft_pool *pool = with_options(NULL);
        cr_assert_eq(weft_pool_workers(pool), 1);
        finish(pool);
        cr_assert_eq(weft_pool_workers(weft_pool_default()), 1);
}

static bool write_file(const char *dir, const char *name, const char *text)
{
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        int fd = open(path, O_WRONLY);
        if (fd < 0)
                return false;
        bool good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
        close(fd);
        return good;
}

struct quota {
        const char *dir; /* of the control group that the child moves into */
        unsigned workers;
};

static int workers_under_quota(void *arg)
{
        const struct quota *q = arg;
        weft_pool *pool = NULL;

        if (!write_file(q->dir, "cgroup.procs", "0"))
                return 77;
        CHILD_CHECK(weft_pool_create(&pool, NULL) == 0);
        CHILD_CHECK(weft_pool_workers(pool) == q->workers);
        CHILD_CHECK(weft_pool_destroy(pool) == NULL);
        return 0;
}

/* Only where the test may make a control group of its own: as root, with the cpu controller in
 * sight, in either version of the interface. */
Test(pool_options, default_follows_the_cpu_quota_of_the_control_group, .timeout = 60)
{
        skip_when_forced(workers);
        static const char *const parents[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/cpu",
                                              "/sys/fs/cgroup/cpu,cpuacct"};
        int cpus = cpus_of_affinity(), tried = 0;
        char dir[128];

        for (int i = 0; i < 3; i++) {
                snprintf(dir, sizeof(dir), "%s/weft-test-%d", parents[i], (int)getpid());
                if (mkdir(dir, 0755) != 0)
                        continue;
                struct quota half = {dir, 1}, more = {dir, cpus > 1 ? 2 : 1};
                bool v2 = write_file(dir, "cpu.max", "50000 100000");
                if (v2 || write_file(dir, "cpu.cfs_quota_us", "50000")) {
                        int r = in_child(workers_under_quota, &half);
                        cr_expect(r == 0 || r == 77, "half a CPU: %d", r);
                        tried += r == 0;
                        if (v2)
                                write_file(dir, "cpu.max", "110000 100000");
                        else
                                write_file(dir, "cpu.cfs_quota_us", "110000");
                        r = in_child(workers_under_quota, &more);
                        cr_expect(r == 0 || r == 77, "1.1 CPUs are rounded up: %d", r);
                }
                for (int n = 0; rmdir(dir) != 0 && n < 1000; n++)
                        usleep(1000);
        }
        if (tried == 0)
                cr_skip_test("no control group with a CPU quota can be made here");
}

Test(pool_options, workers_out_of_range, .timeout = 30)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1025};
        refused(&o, -EINVAL);
        o.workers = UINT32_MAX;
        refused(&o, -EINVAL);
}

Test(pool_options, created_pool_needs_a_place_to_go, .timeout = 30)
{
        int before = threads_before();
        cr_assert_eq(weft_pool_create(NULL, NULL), -EINVAL);
        cr_assert(threads_become(before));
}

static int refused_threads(void *arg)
{
        static atomic_int nothing_of_note;
        weft_pool *const untouched = (weft_pool *)&nothing_of_note;
        weft_pool *pool = untouched;
        weft_pool_options o = {.size = sizeof(o), .workers = 1024};
        struct rlimit limit = {512 << 20, 512 << 20};

        (void)arg;
        if (setrlimit(RLIMIT_AS, &limit) != 0)
                return 77;
        int r = weft_pool_create(&pool, &o);
        if (r == 0)
                return 77;
        CHILD_CHECK(r == -EAGAIN || r == -ENOMEM);
        CHILD_CHECK(pool == untouched);
        CHILD_CHECK(threads_become(1));
        o.workers = 1;
        CHILD_CHECK(weft_pool_create(&pool, &o) == 0);
        CHILD_CHECK(weft_pool_destroy(pool) == NULL);
        return 0;
}

/* 1024 threads with stacks of 8 MiB do not fit into 512 MiB of address space. */
Test(pool_options, refused_thread_leaves_nothing_behind, .timeout = 60)
{
        if (SLOW_BUILD)
                cr_skip_test("a sanitizer needs the address space for itself");
        int r = in_child(refused_threads, NULL);
        if (r == 77)
                cr_skip_test("the system did not refuse a thread");
        cr_assert_eq(r, 0, "status %d", r);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Whether a thread of this process has this name. */
static bool has_thread(const char *name)
{
        bool found = false;
        DIR *d = opendir("/proc/self/task");
        for (struct dirent *e; d && (e = readdir(d));) {
                char path[300], text[32] = "";
                snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
                FILE *f = fopen(path, "r");
                if (!f)
                        continue;
                if (fgets(text, sizeof(text), f))
                        text[strcspn(text, "\n")] = 0;
                fclose(f);
                found |= strcmp(text, name) == 0;
        }
        if (d)
                closedir(d);
        return found;
}

Test(pool_options, threads_are_named_and_numbered, .timeout = 30)
{
        skip_when_forced(workers);
        weft_pool_options o = {.size = sizeof(o), .workers = 3, .name = "db"};
        weft_pool *pool = with_options(&o), *other = begin(1);

        cr_assert(has_thread("db-0"));
        cr_assert(has_thread("db-1"));
        cr_assert(has_thread("db-2"));
        cr_assert(has_thread("weft-0"));
        cr_assert_not(has_thread("weft-1"));
        finish(other);
        finish(pool);
}

static int comm_of_thread(void *arg)
{
        CHECK(pthread_getname_np(pthread_self(), arg, 32) == 0);
        return 0;
}

Test(pool_options, long_name_is_cut_at_fifteen_bytes, .timeout = 30)
{
        char name[] = "abcdefghijklmnopqrstuvwxyz";
        char comm[32] = "";
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .name = name};
        weft_pool *pool = with_options(&o);

        memset(name, '!', sizeof(name) - 1); /* it was copied */
        cr_assert_eq(weft_submit(pool, comm_of_thread, comm), 0);
        finish(pool);
        cr_assert_leq(strlen(comm), 15);
        cr_assert_eq(strncmp(comm, "abcdefghij", 10), 0, "%s", comm);
}

/* ---- affinity -------------------------------------------------------------------------------- */

static int own_cpus(void *arg)
{
        CHECK(sched_getaffinity(0, sizeof(cpu_set_t), arg) == 0);
        return 0;
}

static void run_on(const cpu_set_t *set, size_t size, const cpu_set_t *wanted)
{
        weft_pool_options o = {
            .size = sizeof(o), .workers = 2, .affinity = set, .affinity_size = size};
        weft_pool *pool = with_options(&o);
        cpu_set_t seen[2], mine;
        struct plug plug;

        plug_in(&plug, pool, 1); /* so that each worker is asked: one now, one later */
        cr_assert_eq(weft_submit(pool, own_cpus, &seen[0]), 0);
        struct plug other;
        plug_in(&other, pool, 1);
        plug_out(&plug);
        cr_assert_eq(weft_submit(pool, own_cpus, &seen[1]), 0);
        usleep(1000);
        plug_out(&other);
        finish(pool);
        cr_assert(CPU_EQUAL(&seen[0], wanted));
        cr_assert(CPU_EQUAL(&seen[1], wanted));
        cr_assert_eq(sched_getaffinity(0, sizeof(mine), &mine), 0);
        cr_assert_eq(CPU_COUNT(&mine), cpus_of_affinity(), "the creator's own mask stays");
}

Test(pool_options, workers_run_on_the_cpus_they_are_given, .timeout = 30)
{
        skip_when_forced(workers); /* one plug is for one worker */
        cpu_set_t all, one;

        cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
        for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE && seen < 4; cpu++) {
                if (!CPU_ISSET(cpu, &all))
                        continue;
                seen++;
                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                run_on(&one, 0, &one);
                run_on(&one, sizeof(one), &one);
        }
        run_on(NULL, 0, &all);
}

Test(pool_options, affinity_may_be_larger_than_cpu_set_t, .timeout = 30)
{
        skip_when_forced(workers);
        size_t size = CPU_ALLOC_SIZE(4096);
        cpu_set_t *large = CPU_ALLOC(4096);
        cpu_set_t all;

        cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
        CPU_ZERO_S(size, large);
        memcpy(large, &all, sizeof(all));
        run_on(large, size, &all);
        CPU_FREE(large);
}

Test(pool_options, affinity_without_a_cpu_is_refused, .timeout = 30)
{
        cpu_set_t set;
        weft_pool_options o = {.size = sizeof(o), .workers = 2, .affinity = &set};

        CPU_ZERO(&set);
        refused(&o, -EINVAL);
        CPU_SET(CPU_SETSIZE - 1, &set); /* a CPU that the machine has not */
        refused(&o, -EINVAL);
        o.workers = 0;
        refused(&o, -EINVAL);
}

/* ---- hooks ----------------------------------------------------------------------------------- */

enum { HOOKED = 4 };

static weft_var a = WEFT_VAR_INIT("a");

struct hooks {
        atomic_int started[HOOKED], stopped[HOOKED], tasks;
        _Atomic(uintptr_t) thread[HOOKED];
        weft_pool *pool;
};

static bool bound_to_nothing(void)
{
        weft_context *c = weft_context_capture();
        size_t size = weft_context_size(c);
        weft_context_unref(c);
        return size == 0 && weft_get(&a) == NULL;
}

static void on_start(unsigned worker, void *arg)
{
        struct hooks *h = arg;
        CHECK(worker < HOOKED);
        CHECK(bound_to_nothing());
        CHECK(weft_task_current() == NULL);
        CHECK(atomic_load(&h->tasks) == 0);
        usleep(1000 * worker);
        atomic_store(&h->thread[worker], (uintptr_t)pthread_self());
        atomic_fetch_add(&h->started[worker], 1);
}

static void on_stop(unsigned worker, void *arg)
{
        struct hooks *h = arg;
        CHECK(bound_to_nothing());
        CHECK(weft_task_current() == NULL);
        CHECK(atomic_load(&h->tasks) == 100);
        CHECK(atomic_load(&h->thread[worker]) == (uintptr_t)pthread_self());
        CHECK(weft_submit(h->pool, nothing, NULL) == -ESHUTDOWN);
        atomic_fetch_add(&h->stopped[worker], 1);
}

static int count_on_hooked_thread(void *arg)
{
        struct hooks *h = arg;
        bool known = false;
        for (int i = 0; i < HOOKED; i++)
                known |= atomic_load(&h->thread[i]) == (uintptr_t)pthread_self();
        CHECK(known);
        CHECK(weft_set(&a, V(1), NULL) == 0);
        atomic_fetch_add(&h->tasks, 1);
        return 0;
}

Test(pool_options, C6_hooks_run_once_a_worker_around_all_tasks_in_the_empty_context, .timeout = 30)
{
        skip_unless_workers(HOOKED);
        struct hooks h = {0};
        weft_pool_options o = {.size = sizeof(o),
                               .workers = HOOKED,
                               .on_start = on_start,
                               .on_stop = on_stop,
                               .hook_arg = &h};

        cr_assert_eq(weft_set(&a, V(9), NULL), 0);
        h.pool = with_options(&o);
        for (int i = 0; i < HOOKED; i++)
                cr_assert_eq(atomic_load(&h.started[i]), 1, "before create returns");
        for (int i = 0; i < 100; i++)
                cr_assert_eq(weft_submit(h.pool, count_on_hooked_thread, &h), 0);
        cr_assert_eq(weft_pool_shutdown(h.pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        for (int i = 0; i < HOOKED; i++) {
                cr_assert_eq(atomic_load(&h.started[i]), 1);
                cr_assert_eq(atomic_load(&h.stopped[i]), 1, "before shutdown returns");
        }
        finish(h.pool);
        cr_assert_eq(weft_get(&a), V(9));
}

static void count_hook(unsigned worker, void *arg)
{
        (void)worker;
        atomic_fetch_add((atomic_int *)arg, 1);
}

Test(pool_options, either_hook_may_be_given_alone, .timeout = 30)
{
        skip_unless_workers(2);
        atomic_int starts = 0, stops = 0;
        weft_pool_options o = {.size = sizeof(o), .workers = 2, .on_start = count_hook};

        o.hook_arg = &starts;
        finish(with_options(&o));
        o.on_start = NULL;
        o.on_stop = count_hook;
        o.hook_arg = &stops;
        finish(with_options(&o));
        cr_assert_eq(atomic_load(&starts), 2);
        cr_assert_eq(atomic_load(&stops), 2);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* Touches so many bytes of the stack, from the top down. */
static int use_stack(void *arg)
{
        size_t size = (size_t)(uintptr_t)arg;
        /* cppcheck-suppress allocaCalled ; the -Wvla of the house knows no other way */
        volatile char *bytes = alloca(size);
        for (size_t i = size; i > 0; i -= i > 512 ? 512 : i)
                bytes[i - 1] = (char)i;
        return 0;
}

Test(pool_options, stack_size_is_what_a_task_may_use, .timeout = 30)
{
        static const size_t stack[] = {0, 64 << 10, (64 << 10) + 1, 256 << 10, 1 << 20, 8 << 20};

        for (size_t i = 0; i < sizeof(stack) / sizeof(stack[0]); i++) {
                weft_pool_options o = {.size = sizeof(o), .workers = 1, .stack_size = stack[i]};
                weft_pool *pool = with_options(&o);
                size_t bytes = stack[i] ? stack[i] : 256 << 10;
                weft_task *t;
                cr_assert_eq(weft_spawn(pool, &t, use_stack, (void *)(bytes - bytes / 4)), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
                finish(pool);
        }
}

Test(pool_options, stack_size_out_of_range, .timeout = 30)
{
        static const size_t bad[] = {1, (64 << 10) - 1, (8 << 20) + 1, SIZE_MAX, SIZE_MAX - 4095};

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                weft_pool_options o = {.size = sizeof(o), .workers = 1, .stack_size = bad[i]};
                refused(&o, -EINVAL);
        }
}

/* ---- the structure --------------------------------------------------------------------------- */

struct future_options {
        weft_pool_options known;
        unsigned char tail[40];
};

Test(pool_options, longer_structure_is_taken_if_its_tail_is_zero, .timeout = 30)
{
        struct future_options o = {.known = {.size = sizeof(o), .workers = 2}};
        finish(with_options(&o.known));
        for (size_t i = 0; i < sizeof(o.tail); i++) {
                o.tail[i] = 1;
                refused(&o.known, -E2BIG);
                o.tail[i] = 0;
        }
}

Test(pool_options, size_zero_means_the_fields_of_the_first_version, .timeout = 30)
{
        skip_when_forced(workers);
        struct future_options o = {.known = {.workers = 3}};
        memset(o.tail, 0xff, sizeof(o.tail));
        weft_pool *pool = with_options(&o.known);
        cr_assert_eq(weft_pool_workers(pool), 3);
        finish(pool);
}

Test(pool_options, all_zero_means_the_defaults, .timeout = 30)
{
        weft_pool_options o = {.size = sizeof(o)};
        weft_pool *pool = with_options(&o), *other = with_options(NULL);
        cr_assert_eq(weft_pool_workers(pool), weft_pool_workers(other));
        finish(other);
        finish(pool);
}

Test(pool_options, flags_and_policy_out_of_range, .timeout = 30)
{
        weft_pool_options o = {.size = sizeof(o), .workers = 1, .flags = 2};
        refused(&o, -EINVAL);
        o.flags = 1u << 31;
        refused(&o, -EINVAL);
        o.flags = 0;
        o.when_full = (weft_when_full)3;
        refused(&o, -EINVAL);
        o.max_queued = 5;
        refused(&o, -EINVAL);
}
