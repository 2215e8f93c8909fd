/* SPDX-License-Identifier: MIT
 *
 * The program of the models: explores one after the other, and counts.
 *
 *   PROGRAM [--list] [--random N [--seed N]] [--preemptions N] [--stale N] [--chances N]
 *           [--limit N] [--first] [--exactly] [--anew] [--sites] [--weaken ORDER@ADDRESS,...]
 *           [NAME...]
 *
 * Without --random each model is explored exhaustively within its bounds: all ways in which threads
 * are left for others at most so often, all that loads may read. One whose bounds leave more than
 * --limit executions fails. With --random, N executions of each with no bounds, every other one by
 * PCT (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
 * ASPLOS 2010); what failed can be run again by its seed. --first stops at the first model that
 * fails. What failed is printed in words. --anew begins each execution at its beginning (past.c).
 * --sites tells where in the program each model has atomic operations, and --weaken does those at
 * some of these addresses with another order (sites.c).
 *
 * To leave fewer places where a thread may be left, only operations on objects count that two
 * threads were seen to use with nothing that orders them; when such an object is found the
 * exploration begins anew, so the last one, which found none, is complete.
 */
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "checker.h"

enum { WARM_UP = 64, LOOK_AFTER = 2 /* seconds of the processor's time */ };

struct checker *mc;
static struct model *models;

extern char __data_start[], _end[];

static struct {
        unsigned long random, seed, limit;
        int preemptions, stale, chances;
        bool list, first, exactly, anew, sites;
        const char *weaken;
} option = {.preemptions = NEVER - 1, .stale = NEVER - 1, .chances = NEVER - 1, .limit = 50000000};

void model_add(struct model *m)
{
        struct model **link = &models;
        while (*link)
                link = &(*link)->next;
        *link = m;
}

/* ---- one execution ---- */

static void begin(void)
{
        memcpy(mc->statics, mc->statics_kept, (size_t)(mc->statics_end - mc->statics));
        mc->execution++;
        mc->choices = 0;
        if (mc->mode == RANDOM)
                mc->given = 0;
        mc->preemptions_left = mc->preemptions;
        mc->stale_left = mc->stale;
        mc->chances_left = mc->chances;
        mc->steps = 0;
        mc->clock = 1000000000;
        mc->sc = 0;
        mc->sc_before = (clocks){0};
        mc->locations = 1;
        mc->stores = mc->looks = 0;
        mc->names = 0;
        mc->failed = false;
        for (unsigned i = 0; i < 4; i++)
                mc->change_at[i] = 1 + random_below(1u << (3 + random_below(8)));
        mc->worked = 0;
        past_forget();
        memory_begin();
        threads_begin();
}

/* Whether it did not fail. */
static bool execute(void)
{
        mc->run++;
        if (!setjmp(mc->crash)) {
                if (mc->mode != DEPTH_FIRST || !past_go_back())
                        begin();
                run_threads();
                if (!mc->failed)
                        memory_end();
        }
        mc->runs = false;
        return !mc->failed;
}

/* A crash is a failure of the execution. */
static void crashed(int signal)
{
        if (!mc->runs)
                _exit(2);
        mc->runs = false;
        mc->failed = true;
        snprintf(mc->reason, sizeof(mc->reason), "%s in %s", strsignal(signal), self()->name);
        say(NULL, "FAILS: %s", mc->reason);
        longjmp(mc->crash, 1);
}

/* Now and then: an execution that goes on and on with nothing that others could notice. */
static void looks_on(int signal)
{
        if (mc->runs && mc->looked_at == mc->run)
                crashed(signal);
        mc->looked_at = mc->run;
}

/* ---- one model ---- */

static void tell_failure(const char *how)
{
        enum mode mode = mc->mode;
        char reason[REASON];
        memcpy(reason, mc->reason, sizeof(reason));
        mc->mode = GIVEN;
        mc->given = mc->choices;
        mc->tracing = true;
        /* The same seed for what is drawn but not kept: priorities decide nothing any more. */
        bool again = !execute();
        mc->tracing = false;
        mc->mode = mode;
        printf("FAIL: %s: %s\n", mc->model->name, reason);
        if (!again)
                printf("    (and it did not fail when it was run again)\n");
        printf("    %s\n", how);
        print_trace();
        trace_forget();
}

/* A failure that the model is there for. */
static bool is_meant(void)
{
        return mc->model->fails && strstr(mc->reason, mc->model->fails);
}

/* What was found to be shared is known from the next execution on: one that failed must be the same
 * when it is run again. */
static void know_shared(void)
{
        if (mc->learned)
                memcpy(mc->shared, mc->found_shared, sizeof(mc->shared));
        mc->learned = false;
}

static bool at_random(unsigned long n, unsigned long seed, bool tells)
{
        mc->mode = RANDOM;
        for (unsigned long i = 0; i < n; i++) {
                char how[160];
                know_shared();
                mc->rng = (seed + i) * 0x9e3779b97f4a7c15u;
                mc->execution = mc->execution / 2 * 2 + 1 + (unsigned)((seed + i) % 2);
                if (execute())
                        continue;
                if (is_meant())
                        return true;
                snprintf(how, sizeof(how), "again: --random 1 --seed %lu %s", seed + i,
                         mc->model->name);
                if (tells)
                        tell_failure(how);
                return false;
        }
        return true;
}

static bool exhaustively(unsigned long long *ret_executions)
{
        char how[160];
        unsigned long long n = 0;
        mc->seen = 0;
        at_random(WARM_UP, 1, false); /* what is shared; a failure comes again below */
        mc->mode = DEPTH_FIRST;
        do {
                know_shared();
                mc->given = 0;
                n = 0;
                mc->seen = 0;
                do {
                        n++;
                        if (!execute()) {
                                if (is_meant())
                                        break;
                                snprintf(how, sizeof(how),
                                         "execution %llu, of at most %d "
                                         "preemptions",
                                         n, mc->preemptions);
                                tell_failure(how);
                                return false;
                        }
                } while (!mc->learned && n < option.limit && next_execution());
        } while (mc->learned && !mc->failed);
        *ret_executions = n;
        if (mc->model->fails && !mc->failed) {
                printf("FAIL: %s: nothing was caught\n", mc->model->name);
                return false;
        }
        if (n >= option.limit) {
                printf("FAIL: %s: more than %lu executions\n", mc->model->name, option.limit);
                return false;
        }
        return true;
}

static bool saw_all(const struct model *m)
{
        unsigned must = m->sees | m->sees_some;
        if ((mc->seen & must) == must && !(m->sees && mc->seen & ~must))
                return true;
        printf("FAIL: %s: saw %#x of %#x\n", m->name, mc->seen, must);
        return false;
}

static int bound(int given, int own, int none)
{
        return given >= NEVER ? given : own == NONE ? 0 : own ? own : none;
}

static bool explore(const struct model *m)
{
        unsigned long long n = option.random;
        clock_t cpu = clock();
        mc->model = m;
        /* At random everything is taken for shared, so that a seed alone repeats an execution. */
        memset(mc->shared, option.random ? 0xff : 0, sizeof(mc->shared));
        memset(mc->found_shared, 0, sizeof(mc->found_shared));
        mc->learned = false;
        bool random = option.random;
        mc->preemptions = random ? NEVER : bound(option.preemptions, m->preemptions, 2);
        mc->stale = random ? NEVER : bound(option.stale, m->stale, NEVER);
        mc->chances = bound(option.chances, m->chances, 0);
        bool ok = random ? at_random(option.random, option.seed, true) : exhaustively(&n);
        if (ok && !random && option.preemptions < 0 && option.stale < 0)
                ok = saw_all(m);
        if (ok) {
                mc->in_all += n;
                printf("%-40s %10llu executions, %.1f s\n", m->name, n,
                       (double)(clock() - cpu) / CLOCKS_PER_SEC);
        }
        fflush(stdout);
        return ok;
}

/* ---- the machine ---- */

static int find_tls(struct dl_phdr_info *object, size_t size, void *unused)
{
        (void)size;
        (void)unused;
        for (int i = 0; i < object->dlpi_phnum; i++)
                if (object->dlpi_phdr[i].p_type == PT_TLS) {
                        mc->tls = object->dlpi_tls_data;
                        mc->tls_size = object->dlpi_phdr[i].p_memsz;
                }
        return 1; /* the program comes first */
}

static void make(void)
{
        mc = mmap(NULL, sizeof(*mc), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mc == MAP_FAILED)
                abort();
        memory_make();
        threads_make();
        past_make();
        dl_iterate_phdr(find_tls, NULL);
        mc->tls_first = malloc(mc->tls_size + 1);
        mc->statics = (char *)((uintptr_t)__data_start & ~(uintptr_t)(GRAIN - 1));
        mc->statics_end = _end;
        if (!mc->tls_first || mc->tls_size > TLS || mc->statics_end - mc->statics > STATICS) {
                fprintf(stderr, "too many static or thread-local variables: %td, %zu bytes\n",
                        mc->statics_end - mc->statics, mc->tls_size);
                exit(2);
        }
        memcpy(mc->tls_first, mc->tls, mc->tls_size);
        stack_t alternative = {.ss_size = 65536, .ss_sp = malloc(65536)};
        sigaltstack(&alternative, NULL);
        struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER};
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGBUS, &action, NULL);
        sigaction(SIGFPE, &action, NULL);
        sigaction(SIGILL, &action, NULL);
        action.sa_handler = looks_on;
        sigaction(SIGVTALRM, &action, NULL);
        const struct itimerval every = {{LOOK_AFTER, 0}, {LOOK_AFTER, 0}};
        setitimer(ITIMER_VIRTUAL, &every, NULL);
        setvbuf(stdout, NULL, _IOLBF, 0);
        mc->statics_kept = malloc(STATICS);
        memcpy(mc->statics_kept, mc->statics, (size_t)(mc->statics_end - mc->statics));
}

static char *option_value(int argc, char **argv, int *i)
{
        if (*i + 1 >= argc) {
                fprintf(stderr, "%s: a number is missing\n", argv[*i]);
                exit(2);
        }
        return argv[++*i];
}

static unsigned long option_number(int argc, char **argv, int *i)
{
        char *end;
        const char *text = option_value(argc, argv, i);
        unsigned long n = strtoul(text, &end, 10);
        if (end == text || *end) {
                fprintf(stderr, "%s %s: this is no number\n", argv[*i - 1], text);
                exit(2);
        }
        return n;
}

static void read_option(int argc, char **argv, int *i)
{
        const char *name = argv[*i];
        if (!strcmp(name, "--list"))
                option.list = true;
        else if (!strcmp(name, "--first"))
                option.first = true;
        else if (!strcmp(name, "--exactly"))
                option.exactly = true;
        else if (!strcmp(name, "--anew"))
                option.anew = true;
        else if (!strcmp(name, "--sites"))
                option.sites = true;
        else if (!strcmp(name, "--weaken"))
                option.weaken = option_value(argc, argv, i);
        else if (!strcmp(name, "--random"))
                option.random = option_number(argc, argv, i);
        else if (!strcmp(name, "--seed"))
                option.seed = option_number(argc, argv, i);
        else if (!strcmp(name, "--limit"))
                option.limit = option_number(argc, argv, i);
        else if (!strcmp(name, "--preemptions"))
                option.preemptions = (int)option_number(argc, argv, i);
        else if (!strcmp(name, "--stale"))
                option.stale = (int)option_number(argc, argv, i);
        else if (!strcmp(name, "--chances"))
                option.chances = (int)option_number(argc, argv, i);
        else {
                fprintf(stderr, "%s: no such option\n", name);
                exit(2);
        }
}

static bool named(const struct model *m, char **names)
{
        if (!*names)
                return true;
        for (; *names; names++)
                if (option.exactly ? !strcmp(m->name, *names) : strstr(m->name, *names) == m->name)
                        return true;
        return false;
}

int main(int argc, char **argv)
{
        int i = 1;
        while (i < argc && argv[i][0] == '-') {
                read_option(argc, argv, &i);
                i++;
        }
        make();
        mc->anew = option.anew;
        if (option.sites)
                note_sites();
        if (option.weaken && !weaken(option.weaken)) {
                fprintf(stderr, "--weaken %s: it makes no sense\n", option.weaken);
                return 2;
        }
        unsigned passed = 0, failed = 0;
        const struct model *m = models;
        for (; m; m = m->next) {
                if (!named(m, argv + i))
                        continue;
                if (option.list) {
                        printf("%s\n", m->name);
                        continue;
                }
                bool ok = explore(m);
                if (option.sites)
                        tell_sites(m->name);
                if (ok)
                        passed++;
                else
                        failed++;
                if (!ok && option.first)
                        break;
        }
        if (!option.list && passed + failed == 0) {
                fprintf(stderr, "%s: there is no such model\n", argv[i] ? argv[i] : argv[0]);
                return 2;
        }
        if (!option.list)
                printf("%llu executions\n%u passed, %u failed, 0 skipped\n", mc->in_all, passed,
                       failed);
        return failed > 0;
}
