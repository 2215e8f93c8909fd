/* SPDX-License-Identifier: MIT
 *
 * Pools that come and go: ten thousand of them, each with a little work, leave no memory, no thread
 * and no file descriptor behind. The memory is compared between an early and the last cycle, so
 * that what an allocator keeps for itself is not taken for a leak.
 */
#include "stress.h"

#include <dirent.h>

static uint64_t cycles = STRESS_SLOW ? 300 : 10000;
static uint64_t workers = 2;

static weft_var request =
    WEFT_VAR_INIT("request", .retain = stress_retain, .release = stress_release);
static struct stress_value value;
static atomic_int ran, dropped;

static int entries_of(const char *path)
{
        int n = 0;
        DIR *d = opendir(path);
        CHECK(d, "%s", path);
        for (struct dirent *e; (e = readdir(d));)
                n += e->d_name[0] != '.';
        closedir(d);
        return n;
}

static long resident_kib(void)
{
        long pages = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        CHECK(f && fscanf(f, "%*d %ld", &pages) == 1, "/proc/self/statm");
        fclose(f);
        return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Areas of the address space: a stack that is not unmapped shows here, touched or not. */
static int mappings(void)
{
        int n = 0;
        FILE *f = fopen("/proc/self/maps", "r");
        CHECK(f, "/proc/self/maps");
        for (int c; (c = fgetc(f)) != EOF;)
                n += c == '\n';
        fclose(f);
        return n;
}

static int leaf(void *arg)
{
        (void)arg;
        CHECK(weft_get(&request) == &value, "the context of the submit");
        return 0;
}

static int work(void *args)
{
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, leaf, NULL);
        (void)args;
        if (r == 0) {
                r = weft_await(t, WEFT_FOREVER);
                CHECK(r == 0 || r == -ECANCELED, "await: %d", r);
                weft_task_unref(t);
        } else {
                CHECK(r == -ESHUTDOWN, "%d", r);
        }
        atomic_fetch_add(&ran, 1);
        return 0;
}

static void drop(void *args)
{
        (void)args;
        atomic_fetch_add(&dropped, 1);
}

/* Submits of one cycle: drained, cancelled, or with a handle that outlives the pool. */
static int cycle(uint64_t i)
{
        weft_pool_options o = {.size = sizeof(o), .workers = (unsigned)workers};
        weft_pool *pool = NULL;
        weft_task *t = NULL;
        char args[100] = "";

        CHECK(weft_pool_create(&pool, &o) == 0, "create");
        WEFT_WITH (&request, &value) {
                CHECK(weft_submit_closure(pool, work, args, 8, drop) == 0, "submit");
                CHECK(weft_submit_closure(pool, work, args, sizeof(args), drop) == 0, "submit");
                CHECK(weft_spawn_closure(pool, &t, work, args, sizeof(args), drop) == 0, "spawn");
        }
        if (i % 3 == 0)
                CHECK(weft_await(t, WEFT_FOREVER) == 0, "await");
        if (i % 4 == 0)
                CHECK(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER) == 0, "shutdown");
        CHECK(weft_pool_destroy(pool) == NULL, "destroy");
        int result = 0;
        CHECK(weft_task_result(t, &result) == 0 && (result == 0 || result == -ECANCELED), "%d",
              result);
        weft_task_unref(t);
        return 3;
}

int main(int argc, char **argv)
{
        const struct stress_option options[] = {{"--cycles", &cycles, "pools made and destroyed"},
                                                {"--workers", &workers, "threads of each"},
                                                {NULL, NULL, NULL}};
        stress_begin(argc, argv, options);

        int threads = 1 + STRESS_TSAN + IN_EMULATOR, fds = entries_of("/proc/self/fd");
        uint64_t settled = cycles / 10;
        long early = 0, submitted = 0;
        int early_mappings = 0;
        for (uint64_t i = 0; i < cycles; i++) {
                submitted += cycle(i);
                if (i == settled) {
                        early = resident_kib();
                        early_mappings = mappings();
                }
        }
        long grown = resident_kib() - early;
        int mapped = mappings() - early_mappings;
        for (int i = 0; i < 2000 && entries_of("/proc/self/task") != threads; i++)
                usleep(1000); /* a thread that was joined may be seen for a moment yet */
        printf("%" PRIu64 " pools: %d of %ld tasks ran; resident %+ld KiB, mappings %+d\n", cycles,
               atomic_load(&ran), submitted, grown, mapped);
        CHECK(entries_of("/proc/self/task") == threads, "threads are left");
        CHECK(entries_of("/proc/self/fd") == fds, "descriptors are left");
        CHECK(atomic_load(&dropped) == submitted, "%d destructors ran", atomic_load(&dropped));
        CHECK(atomic_load(&value.retained) == atomic_load(&value.released), "%d values are left",
              atomic_load(&value.retained) - atomic_load(&value.released));
        CHECK(STRESS_SLOW || mapped <= 8, "%d mappings are left", mapped);
        CHECK(STRESS_SLOW || grown <= 1024, "%ld KiB are left", grown); /* checkers quarantine */
        return 0;
}
