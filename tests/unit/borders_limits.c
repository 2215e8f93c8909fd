/* SPDX-License-Identifier: MIT
 *
 * Real limits of the system (B30 to B35 of docs/borders.md): of threads, by a control group and by
 * RLIMIT_NPROC; of the address space, descriptors and mappings; of CPU time. Each is reached while
 * a pool is at work: calls say so, the pool goes on, and when the limit is lifted all is as before.
 * What the machine does not allow is skipped with the reason.
 */
#include "pool_help.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "pool/worker.h"

enum { SKIPPED = 77 };

/* ---- control groups, of version 1 or 2 ---- */

static char group[128]; /* of our own */

static bool write_to(const char *file, const char *text)
{
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", group, file);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
        if (fd >= 0)
                close(fd);
        return good;
}

static long read_from(const char *file)
{
        char path[256];
        long n = -1;
        snprintf(path, sizeof(path), "%s/%s", group, file);
        FILE *f = fopen(path, "re");
        if (f && fscanf(f, "%ld", &n) != 1)
                n = -1;
        if (f)
                fclose(f);
        return n;
}

/* A new group in one of the places where there may be a controller that has this file. */
static bool make_group(const char *const *parents, const char *file)
{
        for (int i = 0; parents[i]; i++) {
                char path[256];
                snprintf(group, sizeof(group), "%s/weft-test-%d", parents[i], (int)getpid());
                if (mkdir(group, 0755) != 0)
                        continue;
                snprintf(path, sizeof(path), "%s/%s", group, file);
                if (access(path, W_OK) == 0)
                        return true;
                rmdir(group);
        }
        return false;
}

static void remove_group(void)
{
        for (int n = 0; rmdir(group) != 0 && n < 1000; n++)
                usleep(1000);
}

/* ---- threads ---- */

static int never(void *unused)
{
        (void)unused;
        CHILD_CHECK(!"what could not be given a thread was run");
        return 0;
}

static void *no_start(void *unused)
{
        never(unused);
        return NULL;
}

static int without_a_thread(void *fd)
{
        CHILD_CHECK(weft_blocking(never, NULL) == -EAGAIN);
        CHILD_CHECK(weft_wait_fd(N(fd), POLLIN, WEFT_FOREVER) == -EAGAIN);
        return 5;
}

static int with_threads(void *fd)
{
        CHILD_CHECK(weft_blocking(give, V(6)) == 6);
        CHILD_CHECK(weft_wait_fd(N(fd), POLLIN, in_ms(5)) == -ETIMEDOUT);
        return 6;
}

static void works(weft_pool *pool)
{
        weft_group g;
        atomic_int count = 0;
        CHILD_CHECK(weft_group_init(&g, pool) == 0);
        for (int i = 0; i < 500; i++)
                CHILD_CHECK(weft_group_spawn(&g, count_up, &count) == 0);
        CHILD_CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0 && count == 500);
        weft_group_fini(&g);
}

static int await(weft_pool *pool, weft_fn *fn, void *arg)
{
        weft_task *t;
        CHILD_CHECK(weft_spawn(pool, &t, fn, arg) == 0);
        int r = weft_await(t, WEFT_FOREVER);
        weft_task_unref(t);
        return r;
}

/* `allow` sets how many threads more there may be; negative: as many as one likes. */
static int at_the_limit_of_threads(bool (*allow)(int more))
{
        weft_pool *pool, *other = NULL;
        pthread_t thread;
        int fd = eventfd(0, EFD_CLOEXEC);
        CHILD_CHECK(weft_pool_create(&pool, &(weft_pool_options){.workers = 2}) == 0);
        works(pool);
        int before = threads_now();
        if (!allow(0))
                return SKIPPED;
        if (pthread_create(&thread, NULL, no_thread, NULL) == 0)
                return SKIPPED; /* it does not hold for us */
        CHILD_CHECK(weft_pool_create(&other, &(weft_pool_options){.workers = 1}) == -EAGAIN);
        CHILD_CHECK(weft_pool_default() == NULL);
        CHILD_CHECK(weft_submit(NULL, never, NULL) == -ENOMEM);
        CHILD_CHECK(weft_thread_create(&thread, NULL, no_start, NULL) == -EAGAIN);
        CHILD_CHECK(await(pool, without_a_thread, V(fd)) == 5);
        works(pool);
        CHILD_CHECK(threads_now() == before);
        CHILD_CHECK(allow(2));
        CHILD_CHECK(weft_pool_create(&other, &(weft_pool_options){.workers = 4}) == -EAGAIN);
        CHILD_CHECK(!other && threads_become(before)); /* the two that it had are gone */
        works(pool);
        CHILD_CHECK(allow(-1));
        CHILD_CHECK(await(pool, with_threads, V(fd)) == 6);
        CHILD_CHECK(weft_pool_create(&other, &(weft_pool_options){.workers = 4}) == 0);
        works(other);
        works(NULL);
        CHILD_CHECK(weft_pool_destroy(other) == NULL);
        CHILD_CHECK(weft_pool_destroy(pool) == NULL);
        return 0;
}

static bool group_allows(int more)
{
        char most[24] = "max";
        if (more >= 0)
                snprintf(most, sizeof(most), "%ld", read_from("pids.current") + more);
        return write_to("pids.max", most);
}

static int in_group_of_threads(void *unused)
{
        (void)unused;
        return write_to("cgroup.procs", "0") ? at_the_limit_of_threads(group_allows) : SKIPPED;
}

Test(borders_limits, B30_threads_of_a_control_group, .timeout = 60)
{
        skip_with_fewer_workers(4);
        static const char *const parents[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup",
                                              "/sys/fs/cgroup/unified", NULL};
        if (!make_group(parents, "pids.max"))
                cr_skip_test("no control group with a limit of threads can be made here");
        int r = in_child(in_group_of_threads, NULL);
        remove_group();
        if (r == SKIPPED)
                cr_skip_test("the limit of the control group does not hold for us");
        cr_assert_eq(r, 0, "%d", r);
}

static bool user_allows(int more)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NPROC, &limit) != 0)
                return false;
        limit.rlim_cur = more < 0 ? limit.rlim_max : (rlim_t)(threads_now() + more);
        return setrlimit(RLIMIT_NPROC, &limit) == 0;
}

/* As a user who has nothing else: the limit is of all that the user runs, and none for root. */
static int as_a_user(void *unused)
{
        uid_t user = 0x57000000u + (uid_t)(getpid() % 0x1000000);
        (void)unused;
        if (setresuid(user, user, user) != 0)
                return SKIPPED;
        return at_the_limit_of_threads(user_allows);
}

Test(borders_limits, B31_threads_of_a_user, .timeout = 60)
{
        skip_with_fewer_workers(4);
        int r = in_child(as_a_user, NULL);
        if (r == SKIPPED)
                cr_skip_test("no other user can be taken on here, or its limit does not hold");
        cr_assert_eq(r, 0, "%d", r);
}

/* ---- memory ---- */

#if !SLOW_BUILD

static bool out_of_memory;

/* 0 is fine, and so is -ENOMEM. */
static bool may_fail(int r)
{
        out_of_memory |= r == -ENOMEM;
        return r == 0 || r == -ENOMEM;
}

static void drop_nothing(void *unused)
{
        (void)unused;
}

static int without_memory(void *unused)
{
        static char large[256 << 10];
        static weft_var own = WEFT_VAR_INIT("own");
        struct rlimit limit, unlimited;
        weft_pool *pool, *other;
        weft_group g;
        atomic_int count = 0;
        int accepted = 0;
        long pages = 0;
        (void)unused;
        CHILD_CHECK(weft_pool_create(&pool, &(weft_pool_options){.workers = 2}) == 0);
        works(pool);
        FILE *f = fopen("/proc/self/statm", "re");
        CHILD_CHECK(f && fscanf(f, "%ld", &pages) == 1);
        fclose(f);
        CHILD_CHECK(getrlimit(RLIMIT_AS, &unlimited) == 0);
        limit = unlimited;
        limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (6 << 20);
        CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);

        struct plug plug;
        sem_init(&plug.in, 0, 0);
        sem_init(&plug.out, 0, 0);
        for (int i = 0; i < 2; i++)
                CHILD_CHECK(weft_submit(pool, plug__task, &plug) == 0);
        for (int i = 0; i < 2; i++)
                plug__wait(&plug.in);
        CHILD_CHECK(weft_group_init(&g, pool) == 0);
        for (int i = 0; i < 500; i++) {
                weft_channel *channel = NULL;
                weft_context *context = NULL;
                weft_task *t = NULL;
                int r = weft_submit_closure(pool, nothing, large, sizeof(large), drop_nothing);
                CHILD_CHECK(may_fail(r));
                r = weft_group_spawn(&g, count_up, &count);
                CHILD_CHECK(may_fail(r));
                accepted += r == 0;
                CHILD_CHECK(may_fail(weft_spawn_at(pool, &t, 0, 0, nothing, NULL)));
                weft_task_unref(t);
                CHILD_CHECK(may_fail(weft_channel_create(&channel, sizeof(large), 8)));
                weft_channel_destroy(channel);
                CHILD_CHECK(may_fail(weft_context_with(NULL, &own, V(i), &context)));
                weft_context_unref(context);
                CHILD_CHECK(may_fail(weft_set(&own, V(i), NULL)));
        }
        CHILD_CHECK(out_of_memory);
        int r = weft_pool_create(&other, &(weft_pool_options){.workers = 4});
        CHILD_CHECK(r == -ENOMEM || r == -EAGAIN);
        sem_post(&plug.out);
        sem_post(&plug.out);
        CHILD_CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0);
        CHILD_CHECK(atomic_load(&count) == accepted);
        weft_group_fini(&g);
        CHILD_CHECK(setrlimit(RLIMIT_AS, &unlimited) == 0);
        works(pool);
        CHILD_CHECK(weft_pool_create(&other, &(weft_pool_options){.workers = 4}) == 0);
        works(other);
        weft_pool_destroy(other);
        weft_pool_destroy(pool);
        return 0;
}

Test(borders_limits, B32_the_address_space, .timeout = 60)
{
        if (IN_EMULATOR)
                cr_skip_test("the emulator's address space is not ours");
        int r = in_child(without_memory, NULL);
        cr_assert_eq(r, 0, "%d", r);
}

#endif

/* ---- descriptors ---- */

static int waits_without(void *fd)
{
        return weft_wait_fd(N(fd), POLLIN, in_ms(20000));
}

static int waits_shortly(void *fd)
{
        return weft_wait_fd(N(fd), POLLIN, in_ms(2));
}

static void limit_descriptors(rlim_t most)
{
        struct rlimit limit;
        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = most == RLIM_INFINITY ? limit.rlim_max : most;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

Test(borders_limits, B33_descriptors, .timeout = 60)
{
        weft_pool *pool = begin(2), *other;
        int fd = eventfd(0, EFD_CLOEXEC);
        struct rlimit before;
        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        rlim_t none_left = (rlim_t)fd + 1;
        limit_descriptors(none_left);
        cr_assert_eq(join(spawn(pool, waits_without, V(fd))), -EMFILE);
#if !defined(WEFT_VALGRIND)   /* which has descriptors of its own, and keeps this to itself */
        limit_descriptors(0); /* less than there are: poll() itself refuses */
        cr_assert_eq(join(spawn(pool, waits_without, V(fd))), -EMFILE);
        cr_assert_eq(weft_wait_fd(fd, POLLIN, in_ms(20000)), -EMFILE);
#endif
        other = begin(3); /* which files it cannot read it does without */
        cr_assert_eq(join(spawn(other, give, V(3))), 3);
        finish(other);
        cr_assert_neq((void *)weft_pool_default(), NULL);
        cr_assert_eq(join(spawn(NULL, give, V(4))), 4);

        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        cr_assert_eq(join(spawn(pool, waits_shortly, V(fd))), -ETIMEDOUT);
        weft_task *t = spawn(pool, waits_without, V(fd));
        limit_descriptors(none_left); /* what was opened before is enough for all later waits */
        cr_assert_eq(eventfd_write(fd, 1), 0);
        cr_assert_eq(join(t), POLLIN);
        uint64_t n;
        cr_assert_eq(eventfd_read(fd, &n), 0);
        t = spawn(pool, waits_without, V(fd));
        usleep(2000);
        cr_assert_eq(eventfd_write(fd, 1), 0);
        cr_assert_eq(join(t), POLLIN);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        finish(pool);
        close(fd);
}

/* ---- mappings ---- */

#if !SLOW_BUILD

enum { MOST_MAPPINGS = 300000, PARKED = 3000 };

static weft_event released;

static int parks(void *unused)
{
        (void)unused;
        return weft_event_wait(&released, WEFT_FOREVER);
}

/* Use up the mappings that a process may have, all but some. */
static void use_up_mappings(long left)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 2 * (size_t)MOST_MAPPINGS;
        char *low =
            mmap(NULL, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHILD_CHECK(low != MAP_FAILED);
        size_t i = 1;
        while (i < pages && mprotect(low + i * page, page, PROT_READ) == 0)
                i += 2;
        CHILD_CHECK(i < pages);
        for (long n = 0; n < left / 2; n++) {
                i -= 2;
                CHILD_CHECK(mprotect(low + i * page, page, PROT_NONE) == 0);
        }
}

static int without_mappings(void *unused)
{
        static weft_task *task[PARKED];
        weft_pool *pool, *other;
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        int waited = 0, refused = 0;
        (void)unused;
        CHILD_CHECK(weft_pool_create(&pool, &(weft_pool_options){.workers = 2}) == 0);
        works(pool);
        for (int i = 0; i < PARKED; i++)
                CHILD_CHECK(weft_spawn_at(pool, &task[i], WEFT_FOREVER, 0, parks, NULL) == 0);
        for (int i = 0; i < PARKED; i++) {
                weft_task_cancel(task[i]);
                weft_task_unref(task[i]); /* their memory is there now */
        }
        /* As before Linux 6.13, where each guard takes two. */
        atomic_store(&weft__guards_by_mprotect, true);
        use_up_mappings(40);
        for (int i = 0; i < PARKED; i++)
                CHILD_CHECK(weft_spawn(pool, &task[i], parks, NULL) == 0);
        int r = weft_pool_create(&other, &(weft_pool_options){.workers = 64});
        CHILD_CHECK(r == -ENOMEM || r == -EAGAIN);
        do {
                usleep(1000);
                CHILD_CHECK(weft_pool_stats(pool, &stats) == 0);
        } while (stats.queued);
        CHILD_CHECK(weft_event_set(&released) == 0);
        for (int i = 0; i < PARKED; i++) {
                r = weft_await(task[i], WEFT_FOREVER);
                CHILD_CHECK(r == 0 || r == -ENOMEM);
                waited += r == 0;
                refused += r == -ENOMEM;
                weft_task_unref(task[i]);
        }
        CHILD_CHECK(waited > 0 && refused > 0);
        works(pool);
        weft_pool_destroy(pool);
        return 0;
}

Test(borders_limits, B34_mappings, .timeout = 60)
{
        long most = 0;
        FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
        if (f && fscanf(f, "%ld", &most) != 1)
                most = 0;
        if (f)
                fclose(f);
        if (IN_EMULATOR || most < 1000 || most > MOST_MAPPINGS)
                cr_skip_test("a process may have %ld mappings: too many to use them up", most);
        int r = in_child(without_mappings, NULL);
        cr_assert_eq(r, 0, "%d", r);
}

#endif

/* ---- CPU time ---- */

static int64_t cpu_time(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int tree(void *depth)
{
        weft_job job;
        if (N(depth) == 0) {
                for (int64_t end = weft_now() + 20000; weft_now() < end;)
                        ;
                return 1;
        }
        weft_fork(&job, tree, V(N(depth) - 1));
        int here = tree(V(N(depth) - 1));
        return here + weft_join(&job);
}

enum { DEPTH = SLOW_BUILD || IN_EMULATOR ? 6 : 11 };

/* A fifth of one processor, for four workers. */
static int under_a_fifth(void *unused)
{
        weft_pool *pool;
        int64_t longest = 0;
        (void)unused;
        if (!write_to("cgroup.procs", "0"))
                return SKIPPED;
        CHILD_CHECK(weft_pool_create(&pool, NULL) == 0);
        CHILD_CHECK(weft_pool_workers(pool) == workers_of(1) && !pool->spins);
        weft_pool_destroy(pool);
        CHILD_CHECK(weft_pool_create(&pool, &(weft_pool_options){.workers = 4}) == 0);
        CHILD_CHECK(!pool->spins); /* it would use up the time of who has the work */
        for (int i = 0; i < 40; i++) {
                int64_t begin = weft_now();
                CHILD_CHECK(await(pool, give, V(i)) == i);
                int64_t took = weft_now() - begin;
                longest = took > longest ? took : longest;
                usleep(5000);
        }
        CHILD_CHECK(longest < (SLOW_BUILD || IN_EMULATOR ? 10000 : 2000) * MS);
        int64_t used = cpu_time();
        usleep(300000);
        used = cpu_time() - used;
        CHILD_CHECK(used < 10 * MS); /* idle, it takes nothing of the fifth */
        CHILD_CHECK(await(pool, tree, V(DEPTH)) ==
                    1 << DEPTH); /* and more work than a period's share */
        weft_pool_destroy(pool);
        return 0;
}

Test(borders_limits, B35_a_fifth_of_a_processor, .timeout = 60)
{
        static const char *const v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL};
        static const char *const v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", NULL};
        if (make_group(v1, "cpu.cfs_quota_us"))
                write_to("cpu.cfs_quota_us", "20000");
        else if (make_group(v2, "cpu.max"))
                write_to("cpu.max", "20000 100000");
        else
                cr_skip_test("no control group with a CPU quota can be made here");
        int r = in_child(under_a_fifth, NULL);
        remove_group();
        if (r == SKIPPED)
                cr_skip_test("we may not enter a control group here");
        cr_assert_eq(r, 0, "%d", r);
}
