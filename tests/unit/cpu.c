/* SPDX-License-Identifier: MIT
 *
 * How many processors there are for a pool, on machines of all kinds: the files of the system and
 * the affinity mask are the test's own.
 */
#include "pool_help.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "context/memory.h"
#include "pool/cpu.h"

/* ---- a machine that is made up --------------------------------------------------------------- */

struct file {
        const char *path, *text;
};

static struct file file[8];
static bool made_up;            /* else the real one */
static int cpus_of_machine = 8; /* all of which the mask allows */
static size_t least_mask;       /* bytes that the kernel wants a mask to have */

static const char *text_of(const char *path)
{
        for (size_t i = 0; i < sizeof(file) / sizeof(*file); i++)
                if (file[i].path && strcmp(file[i].path, path) == 0)
                        return file[i].text;
        return NULL;
}

/* In the place of the C library's. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): see its header */
FILE *fopen(const char *path, const char *mode)
{
        if (made_up) {
                const char *text = text_of(path);
                return text ? fmemopen((void *)text, strlen(text), "r") : NULL;
        }
        int how =
            *mode == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | (*mode == 'w' ? O_TRUNC : O_APPEND);
        int fd = open(path, how | O_CLOEXEC, 0666);
        return fd < 0 ? NULL : fdopen(fd, mode);
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
        (void)pid;
        if (size < least_mask) {
                errno = EINVAL;
                return -1;
        }
        CPU_ZERO_S(size, set);
        for (int i = 0; i < cpus_of_machine; i++)
                CPU_SET_S(i, size, set);
        return 0;
}

static unsigned count_with(const char *cgroup)
{
        file[0] = (struct file){"/proc/self/cgroup", cgroup};
        made_up = true;
        unsigned n = weft__cpu_count();
        made_up = false;
        return n;
}

/* ---- affinity -------------------------------------------------------------------------------- */

Test(cpu, as_many_as_the_mask_allows)
{
        cr_assert_eq(count_with(""), 8);
        cpus_of_machine = 1;
        cr_assert_eq(count_with(""), 1);
}

Test(cpu, a_mask_longer_than_usual_is_read)
{
        least_mask = 4 * sizeof(cpu_set_t);
        cpus_of_machine = 3 * CPU_SETSIZE;
        cr_assert_eq(count_with(""), 3 * CPU_SETSIZE);
}

Test(cpu, where_no_mask_can_be_read_there_is_one)
{
        least_mask = SIZE_MAX;
        cr_assert_eq(count_with(""), 1);
        least_mask = 0;
        cpus_of_machine = 0;
        cr_assert_eq(count_with(""), 1);
        least_mask = 4 * sizeof(cpu_set_t);
        cr_assert_eq(count_with(""), 1);
}

static int refuse(size_t size)
{
        (void)size;
        return 1;
}

Test(cpu, without_memory_for_a_long_mask_there_is_one)
{
        least_mask = 4 * sizeof(cpu_set_t);
        weft__alloc_fails = refuse;
        unsigned n = count_with("");
        weft__alloc_fails = NULL;
        cr_assert_eq(n, 1);
}

/* ---- quotas ---------------------------------------------------------------------------------- */

Test(cpu, a_quota_is_rounded_up)
{
        cr_assert_eq(weft__cpu_quota_of("max 100000\n"), 0);
        cr_assert_eq(weft__cpu_quota_of("100000 100000\n"), 1);
        cr_assert_eq(weft__cpu_quota_of("150000 100000\n"), 2);
        cr_assert_eq(weft__cpu_quota_of("1 100000\n"), 1);
        cr_assert_eq(weft__cpu_quota_of(""), 0);
        cr_assert_eq(weft__cpu_quota_of("100000"), 0, "no period");
        cr_assert_eq(weft__cpu_quota_of("-1 100000"), 0);
        cr_assert_eq(weft__cpu_quota_of("9000000000000000000 1"), UINT32_MAX);
}

Test(cpu, version_2_binds_at_each_group_up_to_the_root)
{
        file[1] = (struct file){"/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"};
        file[2] = (struct file){"/sys/fs/cgroup/a/cpu.max", "250000 100000\n"};
        cr_assert_eq(count_with("0::/a/b\n"), 3);
        cr_assert_eq(count_with("0::/a/c\n"), 3, "the group's own file is not there");
        cr_assert_eq(count_with("0::/d\n"), 8);
        file[1].text = "100000 100000\n";
        cr_assert_eq(count_with("0::/a/b\n"), 1);
        file[1].text = "900000 100000\n";
        cr_assert_eq(count_with("0::/a/b\n"), 3, "more than the group above may have");
}

Test(cpu, version_1_has_the_quota_and_the_period_apart)
{
        file[1] = (struct file){"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000\n"};
        cr_assert_eq(count_with("4:cpu,cpuacct:/a\n"), 8, "no period");
        file[2] = (struct file){"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"};
        cr_assert_eq(count_with("4:cpu,cpuacct:/a\n"), 4);
        cr_assert_eq(count_with("5:memory:/a\n4:cpuacct,cpu:/a\n"), 4);
        cr_assert_eq(count_with("4:cpuacct,cpuset:/a\n"), 8, "another controller's");
        file[1].text = "-1\n";
        cr_assert_eq(count_with("4:cpu:/a\n"), 8, "no quota");
}

Test(cpu, what_is_not_understood_binds_nothing)
{
        cr_assert_eq(count_with("nonsense\n4:cpu\n\n"), 8);
        file[0].path = NULL;
        made_up = true;
        cr_assert_eq(weft__cpu_count(), 8, "no such file");
}

/* ---- spinning -------------------------------------------------------------------------------- */

Test(cpu, so_many_threads_may_search_as_there_are_processors_to_themselves)
{
        file[0] = (struct file){"/proc/self/cgroup", "0::/\n"};
        made_up = true;
        cr_assert(weft__cpu_spares(8));
        cr_assert_not(weft__cpu_spares(9));
}

Test(cpu, under_a_quota_nobody_searches)
{
        file[0] = (struct file){"/proc/self/cgroup", "0::/a\n"};
        file[1] = (struct file){"/sys/fs/cgroup/a/cpu.max", "250000 100000\n"};
        made_up = true;
        cr_assert_not(weft__cpu_spares(1));
}
