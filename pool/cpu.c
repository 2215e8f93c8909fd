/* SPDX-License-Identifier: MIT
 *
 * How many processors there are for us: affinity, and the CPU quotas on the way from our cgroup up
 * to the root (each of them binds), whether of cgroup v2 or of v1.
 */
#include "cpu.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context/internal.h"

static unsigned affinity(void)
{
        cpu_set_t usual;
        if (sched_getaffinity(0, sizeof(usual), &usual) == 0)
                return CPU_COUNT(&usual) > 0 ? (unsigned)CPU_COUNT(&usual) : 1;
        /* The kernel's mask may be longer than cpu_set_t; it says so by -EINVAL. */
        for (int cpus = 2 * CPU_SETSIZE; cpus <= 64 * CPU_SETSIZE; cpus *= 2) {
                size_t size = CPU_ALLOC_SIZE(cpus);
                cpu_set_t *set = weft__alloc_zeroed(size);
                if (!set)
                        return 1;
                int r = sched_getaffinity(0, size, set);
                int n = r == 0 ? CPU_COUNT_S(size, set) : 0;
                weft__free(set, size);
                if (r == 0)
                        return n > 0 ? (unsigned)n : 1;
        }
        return 1;
}

static unsigned round_up(long long quota, long long period)
{
        if (quota <= 0 || period <= 0)
                return 0;
        long long cpus = (quota + period - 1) / period;
        return cpus > UINT_MAX ? UINT_MAX : (unsigned)cpus;
}

unsigned weft__cpu_quota_of(const char *cpu_max)
{
        char *end;
        long long quota = strtoll(cpu_max, &end, 10);
        if (end == cpu_max)
                return 0; /* "max" */
        return round_up(quota, strtoll(end, NULL, 10));
}

static bool read_line(const char *path, char *line, int size)
{
        FILE *f = fopen(path, "re");
        if (!f)
                return false;
        bool got = fgets(line, size, f) != NULL;
        fclose(f);
        return got;
}

static unsigned lower(unsigned a, unsigned b)
{
        return !a || (b && b < a) ? b : a;
}

static unsigned quota_v2(const char *group)
{
        char path[PATH_MAX + 32], line[64];
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", group);
        return read_line(path, line, sizeof(line)) ? weft__cpu_quota_of(line) : 0;
}

static unsigned quota_v1(const char *group)
{
        char path[PATH_MAX + 64], quota[64], period[64];
        snprintf(path, sizeof(path), "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", group);
        if (!read_line(path, quota, sizeof(quota)))
                return 0;
        snprintf(path, sizeof(path), "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", group);
        if (!read_line(path, period, sizeof(period)))
                return 0;
        return round_up(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

/* The least quota of a group and all above it; "" is the root. */
static unsigned least_quota(char *group, unsigned (*quota_of)(const char *group))
{
        unsigned least = 0;
        for (;;) {
                least = lower(least, quota_of(group));
                char *last = strrchr(group, '/');
                if (!last)
                        return least;
                *last = '\0';
        }
}

/* Whether a list of controllers, "cpu,cpuacct", has the one for CPU time. */
static bool has_cpu(char *controllers)
{
        char *rest = NULL;
        for (char *c = strtok_r(controllers, ",", &rest); c; c = strtok_r(NULL, ",", &rest))
                if (strcmp(c, "cpu") == 0)
                        return true;
        return false;
}

/* Lines of "id:controllers:/group"; version 2 has one of its own, with id 0 and no controllers. */
static unsigned quota(void)
{
        char line[PATH_MAX];
        unsigned least = 0;
        FILE *f = fopen("/proc/self/cgroup", "re");
        while (f && fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = '\0';
                char *controllers = strchr(line, ':');
                char *group = controllers ? strchr(++controllers, ':') : NULL;
                if (!group)
                        continue;
                *group++ = '\0';
                if (!*controllers)
                        least = lower(least, least_quota(group, quota_v2));
                else if (has_cpu(controllers))
                        least = lower(least, least_quota(group, quota_v1));
        }
        if (f)
                fclose(f);
        return least;
}

unsigned weft__cpu_count(void)
{
#if defined(WEFT_MODEL)
        return 1; /* the same on all machines */
#endif
        return lower(affinity(), quota());
}

static bool has_quota;

static void look_for_quota(void)
{
        has_quota = quota() != 0;
}

bool weft__cpu_spares(unsigned threads)
{
#if defined(WEFT_MODEL)
        return threads < 1; /* the same on all machines, and fewer steps */
#endif
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, look_for_quota);
        return !has_quota && threads <= affinity();
}
