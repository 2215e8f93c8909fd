/* SPDX-License-Identifier: MIT
 *
 * Soak: what happens to a round from outside. In each some of these, as its seed says: a SIGPROF
 * every 500 us to one thread after another, and by the CPU time that is used; floods of SIGUSR1;
 * storms that cancel every task that somebody has shown; all threads on one processor; threads that
 * come last wherever anybody else wants the processor. And independently of rounds, where cgroups
 * may be made, a quota of a fifth of one processor, on and off.
 */
#include "soak.h"

#include <dirent.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { THREADS = 256, FLOOD = 200 };

atomic_ulong all_signals;

/* weft_get() in a handler gives a value that is alive. */
static void on_signal(int signal)
{
        struct stress_value *value = weft_get(&kept);
        void *looked_up = NULL;
        (void)signal;
        if (value) {
                CHECK(value >= values && value < values + VALUES, "a value of nobody");
                CHECK(stress_alive(value), "a dead value");
                CHECK(weft_lookup(&kept, &looked_up) == 0 && looked_up == value, "look-up");
        }
        atomic_fetch_add(&all_signals, 1);
}

/* ---- threads from outside ---- */

static unsigned list_threads(pid_t *threads)
{
        unsigned n = 0;
        DIR *d = opendir("/proc/self/task");
        CHECK(d, "/proc/self/task");
        for (struct dirent *e; n < THREADS && (e = readdir(d));)
                if (e->d_name[0] != '.')
                        threads[n++] = (pid_t)atoi(e->d_name);
        closedir(d);
        CHECK(n > 0, "no threads");
        return n;
}

static void signal_thread(pid_t thread, int signal)
{
        syscall(SYS_tgkill, getpid(), thread, signal); /* it may be gone */
}

static void profile(bool on)
{
        struct itimerval often = {{0, on ? 500 : 0}, {0, on ? 500 : 0}};
        setitimer(ITIMER_PROF, &often, NULL);
}

/* All threads on one processor, or on those that there were. */
static void squeeze(bool on)
{
        static cpu_set_t all;
        static bool known;
        cpu_set_t mask;
        pid_t threads[THREADS];
        if (!known)
                known = sched_getaffinity(0, sizeof(all), &all) == 0;
        mask = all;
        for (int i = 0; on && CPU_COUNT(&mask) > 1; i++)
                CPU_CLR(i, &mask);
        for (unsigned n = list_threads(threads), i = 0; known && i < n; i++)
                sched_setaffinity(threads[i], sizeof(mask), &mask);
}

static void starve(pid_t thread, bool on)
{
        struct sched_param none = {0};
        sched_setscheduler(thread, on ? SCHED_IDLE : SCHED_OTHER, &none);
}

/* ---- a round ---- */

/* usleep() that no signal ends: here they are blocked. */
static void *blow(void *weather)
{
        struct weather *w = weather;
        bool profiles = rng_chance(&w->rng, 2), floods = rng_chance(&w->rng, 3);
        bool storms = rng_chance(&w->rng, 2), starves = rng_chance(&w->rng, 4);
        bool squeezes = rng_chance(&w->rng, 4);
        pid_t threads[THREADS];
        unsigned n = 1, next = 0;

        profile(profiles);
        if (squeezes)
                squeeze(true);
        for (unsigned i = 0; !atomic_load(&w->ends); i++) {
                if (i % 16 == 0)
                        n = list_threads(threads);
                pid_t thread = threads[next++ % n];
                usleep(500);
                if (profiles)
                        signal_thread(thread, SIGPROF);
                for (unsigned k = 0; floods && i % 8 == 0 && k < FLOOD; k++)
                        signal_thread(thread, SIGUSR1);
                for (unsigned k = 0; storms && i % 4 == 0 && k < HANDLES; k++)
                        cancel_handle(k);
                if (starves && i % 4 == 0) {
                        starve(thread, true);
                        usleep(1000);
                        starve(thread, false);
                }
        }
        if (squeezes)
                squeeze(false);
        profile(false);
        return NULL;
}

void weather_begin(struct weather *w, uint64_t seed)
{
        struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: EINTR everywhere */
        *w = (struct weather){.rng = {seed}};
        sigaction(SIGPROF, &action, NULL);
        sigaction(SIGUSR1, &action, NULL);
        stress_start_spared(&w->thread, blow, w);
}

void weather_end(struct weather *w)
{
        atomic_store(&w->ends, true);
        pthread_join(w->thread, NULL);
}

/* ---- the quota ---- */

static char cgroup[512];
static bool version_2;

static bool cgroup_write(const char *file, const char *text)
{
        char path[600];
        snprintf(path, sizeof(path), "%s/%s", cgroup, file);
        FILE *f = fopen(path, "w");
        if (!f)
                return false;
        bool written = fputs(text, f) >= 0;
        return (fclose(f) == 0) & written;
}

static bool quota(bool on)
{
        if (version_2)
                return cgroup_write("cpu.max", on ? "20000 100000" : "max 100000");
        return cgroup_write("cpu.cfs_quota_us", on ? "20000" : "-1");
}

/* A cgroup below the one that this process is in, of whichever version has quotas. */
static bool cgroup_make(void)
{
        char line[400], path[300];
        FILE *f = fopen("/proc/self/cgroup", "r");
        bool made = false;
        while (!made && f && fgets(line, sizeof(line), f)) {
                char *names = strchr(line, ':');
                char *at = names ? strchr(names + 1, ':') : NULL;
                if (!at || sscanf(at + 1, "%299s", path) != 1)
                        continue;
                *at = '\0';
                version_2 = names[1] == '\0';
                if (!version_2 && strcmp(names + 1, "cpu") != 0 &&
                    strcmp(names + 1, "cpu,cpuacct") != 0)
                        continue;
                snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/%s%s/weft-soak-%d",
                         version_2 ? "" : names + 1, strcmp(path, "/") == 0 ? "" : path, getpid());
                if (mkdir(cgroup, 0755) == 0)
                        made = quota(false) || (rmdir(cgroup), false);
        }
        if (f)
                fclose(f);
        return made;
}

/* Half of the time without, half of it with. */
static int attend(pid_t child)
{
        int status = 0;
        for (unsigned i = 1; waitpid(child, &status, WNOHANG) == 0; i++) {
                usleep(50 * 1000);
                if (i % 16 == 0)
                        quota(i % 32 == 0);
        }
        rmdir(cgroup);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void weather_quota(void)
{
        pid_t parent = getpid();
        if (!cgroup_make())
                return;
        pid_t child = fork();
        CHECK(child >= 0, "fork");
        if (child > 0)
                exit(attend(child));
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(getppid() == parent, "the parent has gone");
        CHECK(cgroup_write("cgroup.procs", "0"), "%s", cgroup);
}
