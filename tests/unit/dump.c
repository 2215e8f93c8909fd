/* SPDX-License-Identifier: MIT
 *
 * weft_dump: what it says of tasks that run, wait in each way, are queued or have a time; who has
 * submitted whom; their values; and that it needs nothing of workers, and harms nobody.
 */
#include "see_help.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "context/internal.h"
#include "pool/snapshot.h"

static weft_var plain = WEFT_VAR_INIT("plain");

/* The line on which `what` is, with a NUL at its end; NULL: there is none. A copy, to be freed. */
static char *line_of(const char *text, const char *what)
{
        const char *at = strstr(text, what), *from = at;
        if (!at)
                return NULL;
        while (from > text && from[-1] != '\n')
                from--;
        return strndup(from, (size_t)(strchrnul(at, '\n') - from));
}

/* How often the text is in it. */
static int times(const char *text, const char *what)
{
        int n = 0;
        for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
                n++;
        return n;
}

/* The argument by which a line is told from the others. */
static const char *by_arg(const void *arg)
{
        static char text[40];
        snprintf(text, sizeof(text), "arg %p", arg);
        return text;
}

/* ---- what tasks do ---- */

static struct {
        weft_mutex mutex;
        weft_semaphore semaphore;
        weft_event event, go;
        weft_channel *full, *empty;
        weft_group group;
        weft_task *other;
        int pipe[2];
        sem_t called, call;
} it;

static int waits_for_go(void *unused)
{
        (void)unused;
        return weft_event_wait(&it.go, WEFT_FOREVER);
}

static int blocks(void *unused)
{
        (void)unused;
        sem_post(&it.called);
        plug__wait(&it.call);
        return 0;
}

static int locks(void *unused)
{
        (void)unused;
        return weft_mutex_lock(&it.mutex, WEFT_FOREVER);
}

static int takes_unit(void *unused)
{
        (void)unused;
        return weft_semaphore_wait(&it.semaphore, WEFT_FOREVER);
}

static int waits_for_event(void *unused)
{
        (void)unused;
        return weft_event_wait(&it.event, in_ms(3600 * 1000));
}

static int sends(void *unused)
{
        (void)unused;
        char item = 1;
        return weft_channel_send(it.full, &item, WEFT_FOREVER);
}

static int receives(void *unused)
{
        (void)unused;
        char item;
        return weft_channel_receive(it.empty, &item, WEFT_FOREVER);
}

static int waits_for_fd(void *unused)
{
        (void)unused;
        return weft_wait_fd(it.pipe[0], POLLIN, WEFT_FOREVER);
}

static int waits_for_group(void *unused)
{
        (void)unused;
        return weft_group_wait(&it.group, WEFT_FOREVER);
}

static int awaits(void *unused)
{
        (void)unused;
        return weft_await(it.other, WEFT_FOREVER);
}

static int sleeps(void *unused)
{
        (void)unused;
        return weft_sleep_until(in_ms(3600 * 1000));
}

static int calls(void *unused)
{
        (void)unused;
        return weft_blocking(blocks, NULL);
}

static weft_fn *const ways[] = {locks,        takes_unit,      waits_for_event, sends,  receives,
                                waits_for_fd, waits_for_group, awaits,          sleeps, calls};
enum { WAYS = sizeof(ways) / sizeof(*ways) };

static uint64_t parked(weft_pool *pool)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        weft_pool_stats(pool, &stats);
        return stats.parked;
}

/* So many have waited: nothing in these tests waits twice. */
static void until_waiting(weft_pool *pool, uint64_t wanted)
{
        for (int64_t end = in_ms(PATIENCE_MS); parked(pool) < wanted;) {
                cr_assert(weft_now() < end, "%d tasks do not wait", (int)wanted);
                usleep(500);
        }
        usleep(20000); /* the count comes before the switch */
}

static bool waits_so(const char *dump, const char *arg, const char *how)
{
        char *line = line_of(dump, arg);
        bool is = line && strstr(line, how) && strstr(line, "waits");
        if (!is)
                dprintf(2, "%s: %s\n", how, line ? line : "(no such line)");
        free(line);
        return is;
}

Test(dump, says_what_each_task_waits_for, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(2);
        char item = 0, how[64];
        weft_task *task[WAYS];

        weft_event_init(&it.go);
        weft_event_init(&it.event);
        weft_mutex_init(&it.mutex);
        cr_assert_eq(weft_mutex_trylock(&it.mutex), 0);
        weft_semaphore_init(&it.semaphore, 0);
        cr_assert_eq(weft_channel_create(&it.full, 1, 1), 0);
        cr_assert_eq(weft_channel_send(it.full, &item, WEFT_FOREVER), 0);
        cr_assert_eq(weft_channel_create(&it.empty, 1, 1), 0);
        cr_assert_eq(pipe2(it.pipe, O_CLOEXEC), 0);
        sem_init(&it.call, 0, 0);
        sem_init(&it.called, 0, 0);
        cr_assert_eq(weft_group_init(&it.group, pool), 0);
        cr_assert_eq(weft_group_spawn(&it.group, waits_for_go, V(0x9001)), 0);
        it.other = spawn(pool, waits_for_go, V(0x9002));
        for (int i = 0; i < WAYS; i++)
                task[i] = spawn(pool, ways[i], V(0x9100 + i));
        until_waiting(pool, WAYS + 2);
        plug__wait(&it.called);

        char *dump = dumped();
        snprintf(how, sizeof(how), "for mutex %p", (void *)&it.mutex);
        cr_expect(waits_so(dump, "arg 0x9100", how));
        snprintf(how, sizeof(how), "for semaphore %p", (void *)&it.semaphore);
        cr_expect(waits_so(dump, "arg 0x9101", how));
        snprintf(how, sizeof(how), "for event %p", (void *)&it.event);
        cr_expect(waits_so(dump, "arg 0x9102", how));
        cr_expect(waits_so(dump, "arg 0x9102", "and no longer than another 35"));
        snprintf(how, sizeof(how), "to send to channel %p", (void *)it.full);
        cr_expect(waits_so(dump, "arg 0x9103", how));
        snprintf(how, sizeof(how), "to receive from channel %p", (void *)it.empty);
        cr_expect(waits_so(dump, "arg 0x9104", how));
        snprintf(how, sizeof(how), "for descriptor %d", it.pipe[0]);
        cr_expect(waits_so(dump, "arg 0x9105", how));
        snprintf(how, sizeof(how), "for group %p", (void *)&it.group);
        cr_expect(waits_so(dump, "arg 0x9106", how));
        snprintf(how, sizeof(how), "for the end of task %p #", (void *)it.other);
        cr_expect(waits_so(dump, "arg 0x9107", how));
        cr_expect(waits_so(dump, "arg 0x9108", "for its time"));
        cr_expect(waits_so(dump, "arg 0x9109", "for a blocking call"));
        cr_expect(waits_so(dump, "arg 0x9001", "for event"));
        cr_expect(strstr(dump, "\n12 tasks\n"));
        free(dump);

        weft_event_set(&it.go);
        for (int i = 0; i < WAYS; i++)
                weft_task_cancel(task[i]);
        sem_post(&it.call);
        for (int i = 0; i < WAYS; i++)
                join(task[i]);
        join(it.other);
        weft_group_fini(&it.group);
        close(it.pipe[0]);
        close(it.pipe[1]);
        weft_channel_destroy(it.full);
        weft_channel_destroy(it.empty);
        finish(pool);
}

Test(dump, says_for_how_long, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        double waited = 0;

        weft_event_init(&it.go);
        weft_task *task = spawn(pool, waits_for_go, V(0x9001));
        until_waiting(pool, 1);
        usleep(300000);
        char *dump = dumped(), *line = line_of(dump, "arg 0x9001");
        cr_assert_not_null(line);
        cr_assert_eq(
            sscanf(strstr(line, " for 0") ? strstr(line, " for 0") : line, " for %lf s", &waited),
            1);
        cr_expect(waited > 0.25 && waited < (SLOW_BUILD ? 30 : 5), "%s", line);
        free(line);
        free(dump);
        weft_event_set(&it.go);
        join(task);
        finish(pool);
}

Test(dump, shows_what_runs_and_what_is_queued_while_all_workers_are_stuck, .timeout = 60)
{
        skip_copies_in_emulator();
        skip_unless_workers(2);
        weft_pool *pool = begin(2);
        struct plug plug;
        weft_task *late;

        plug_in(&plug, pool, 2);
        for (intptr_t i = 0; i < 40; i++)
                cr_assert_eq(weft_submit(pool, give, V(0xa000 + i)), 0);
        weft_task *queued = spawn(pool, give, V(0xb000));
        cr_assert_eq(weft_spawn_at(pool, &late, in_ms(3600 * 1000), 0, give, V(0xb001)), 0);
        char *dump = dumped();
        cr_expect_eq(times(dump, "runs on weft-0 for "), 1);
        cr_expect_eq(times(dump, "runs on weft-1 for "), 1);
        cr_expect_eq(times(dump, "arg 0xa0"), 40);
        cr_expect_eq(times(dump, "is ready to begin: "), 41);
        cr_expect(strstr(dump,
                         "2 workers, 0 of them asleep; 2 tasks run, 0 wait, 0 are ready to go "
                         "on, 41 to begin, 1 have a time"));
        char *line = line_of(dump, "arg 0xb001");
        cr_expect(line && strstr(line, "is to begin in 35"), "%s", line ? line : "");
        free(line);
        free(dump);

        /* A task that was cancelled in its queue is none any more. */
        cr_assert_eq(weft_task_cancel(queued), 0);
        cr_assert_eq(weft_task_cancel(late), 0);
        dump = dumped();
        cr_expect(!strstr(dump, "arg 0xb00"));
        free(dump);
        plug_out(&plug);
        weft_task_unref(queued);
        weft_task_unref(late);
        finish(pool);
}

/* ---- who has submitted whom ---- */

static int spins(void *arg)
{
        sem_post(arg);
        plug__wait(&it.call);
        return 0;
}

static int spawns_and_waits(void *arg)
{
        for (intptr_t i = 0; i < 2; i++)
                CHECK(weft_submit(NULL, waits_for_go, V(0xc001 + i)) == 0);
        CHECK(weft_submit(NULL, arg ? spawns_and_waits : waits_for_go, NULL) == 0);
        return weft_event_wait(&it.go, WEFT_FOREVER);
}

static size_t indent_of(const char *dump, const char *what)
{
        char *line = line_of(dump, what);
        cr_assert_not_null(line, "%s", what);
        size_t n = strspn(line, " ");
        free(line);
        return n;
}

Test(dump, tasks_stand_below_the_one_that_submitted_them, .timeout = 60)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        weft_pool *pool = begin(1);

        weft_event_init(&it.go);
        cr_assert_eq(weft_submit(pool, waits_for_go, V(0xc000)), 0);
        cr_assert_eq(weft_submit(pool, spawns_and_waits, V(0xd000)), 0);
        until_waiting(pool, 7);
        char *dump = dumped();
        size_t top = indent_of(dump, "arg 0xd000");
        cr_expect_eq(indent_of(dump, "arg 0xc000"), top);
        const char *below = strstr(dump, "arg 0xd000");
        cr_expect_eq(indent_of(below, "arg 0xc001"), top + 2);
        cr_expect_eq(times(below, "arg 0xc001"), 2);
        cr_expect_eq(indent_of(below, "arg (nil)"), top + 2);
        /* Of each of the two that have submitted some, the others are below. */
        const char *second = strstr(below, "arg (nil)");
        cr_expect_eq(indent_of(second + 1, "arg 0xc001"), top + 4);
        cr_expect_eq(indent_of(second + 1, "arg 0xc002"), top + 4);
        free(dump);
        weft_event_set(&it.go);
        finish(pool);
}

static int spawns_one_more(void *left)
{
        weft_task *child = NULL;
        if (N(left) > 1)
                child = spawn(NULL, spawns_one_more, V(N(left) - 1));
        weft_event_wait(&it.go, WEFT_FOREVER);
        return child ? join(child) : 0;
}

Test(dump, below_forty_generations_lines_go_no_further_in, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);

        weft_event_init(&it.go);
        cr_assert_eq(weft_submit(pool, spawns_one_more, V(50)), 0);
        until_parked(pool, 50);
        char *dump = dumped();
        size_t top = indent_of(dump, "arg 0x32");
        cr_expect_eq(indent_of(dump, "arg 0x31"), top + 2);
        cr_expect_eq(indent_of(dump, "arg 0xb,"), top + 78);
        cr_expect_eq(indent_of(dump, "arg 0xa,"), top + 80);
        cr_expect_eq(indent_of(dump, "arg 0x1,"), top + 80);
        free(dump);
        weft_event_set(&it.go);
        finish(pool);
}

Test(dump, one_that_is_cancelled_and_goes_on_says_so, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);

        sem_init(&it.called, 0, 0);
        sem_init(&it.call, 0, 0);
        weft_task *task = spawn(pool, blocks, V(0xc000));
        plug__wait(&it.called);
        char *dump = dumped(), *line = line_of(dump, "arg 0xc000");
        cr_expect(line && !strstr(line, ", cancelled"), "%s", dump);
        free(line);
        free(dump);
        weft_task_cancel(task);
        dump = dumped();
        line = line_of(dump, "arg 0xc000");
        cr_expect(line && strstr(line, ", cancelled"), "%s", dump);
        free(line);
        free(dump);
        sem_post(&it.call);
        join(task);
        finish(pool);
}

static bool dump_says(const char *text)
{
        char *dump = dumped();
        bool is = strstr(dump, text);
        free(dump);
        return is;
}

Test(dump, counts_the_workers_that_sleep, .timeout = 60)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        struct plug plug;

        plug_in(&plug, pool, 1);
        cr_expect(dump_says(": 1 workers, 0 of them asleep; 1 tasks run, 0 wait"));
        plug_out(&plug);
        while (!dump_says(": 1 workers, 1 of them asleep; 0 tasks run, 0 wait"))
                usleep(1000);
        finish(pool);
}

static int submits_and_ends(void *arg)
{
        return weft_submit(NULL, waits_for_go, arg);
}

Test(dump, one_whose_submitter_has_ended_says_so, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);

        weft_event_init(&it.go);
        cr_assert_eq(weft_submit(pool, submits_and_ends, V(0xc000)), 0);
        until_waiting(pool, 1);
        char *dump = dumped(), *line = line_of(dump, "arg 0xc000");
        cr_expect(line && strstr(line, "submitted by #") && strstr(line, ", which has ended"));
        free(line);
        free(dump);
        weft_event_set(&it.go);
        finish(pool);
}

/* One that awaits its newest child has it begun in the same step, and is in no list. */
static int awaits_newest(void *started)
{
        weft_task *child = spawn(NULL, spins, started);
        return join(child);
}

Test(dump, one_that_has_handed_its_worker_to_its_child_awaits_it, .timeout = 60)
{
        skip_copies_in_emulator();
        skip_when_forced(migrate);
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        sem_t started;

        sem_init(&started, 0, 0);
        sem_init(&it.call, 0, 0);
        weft_task *parent = spawn(pool, awaits_newest, &started);
        plug__wait(&started);
        char *dump = dumped(), *line = line_of(dump, "waits for the end of task");
        cr_expect(line && strstr(line, by_arg(&started)));
        cr_expect_eq(times(dump, "runs on weft-0"), 1);
        free(line);
        free(dump);
        sem_post(&it.call);
        join(parent);
        finish(pool);
}

/* ---- values ---- */

static int crashes(void *value, char *text, size_t size)
{
        (void)text;
        (void)size;
        abort();
        return N(value);
}

static int hangs(void *value, char *text, size_t size)
{
        (void)text;
        (void)size;
        (void)value;
        while (pause() < 0)
                ;
        return 0;
}

static weft_var faulty = WEFT_VAR_INIT("faulty", .format = crashes);
static weft_var endless = WEFT_VAR_INIT("endless", .format = hangs);

Test(dump, values_are_written_by_their_var, .timeout = 60)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        struct plug plug = {0};
        WEFT_WITH (&user, "ada \"l\\\"\n") {
                WEFT_WITH (&plain, V(0x11)) {
                        plug_in(&plug, pool, 1); /* that of the one that runs */
                        cr_assert_eq(weft_submit(pool, give, V(0xa000)), 0);
                }
        }
        char *dump = dumped();
        cr_expect_eq(times(dump, "{user=\"ada \\\"l\\\\\\\"\\x0a\", plain=0x11}"), 2, "%s", dump);
        free(dump);
        plug_out(&plug);
        finish(pool);
}

static int write_much(void *value, char *text, size_t size)
{
        memset(text, 'y', size - 1);
        text[size - 1] = '\0';
        return N(value);
}

static weft_var of_length = WEFT_VAR_INIT("of length", .format = write_much);

Test(dump, a_value_that_is_cut_ends_in_dots, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        struct plug plug;

        plug_in(&plug, pool, 1);
        WEFT_WITH (&of_length, V(255))
                cr_assert_eq(weft_submit(pool, give, V(0xa000)), 0);
        WEFT_WITH (&of_length, V(256))
                cr_assert_eq(weft_submit(pool, give, V(0xb000)), 0);
        char *dump = dumped();
        cr_expect_eq(times(dump, "yyy\"}"), 1, "%s", dump);
        cr_expect_eq(times(dump, "yyy…\"}"), 1, "%s", dump);
        free(dump);
        plug_out(&plug);
        finish(pool);
}

static int write_row(void *value, char *text, size_t size)
{
        return snprintf(text, size, "%*s€ and more", N(value), "a");
}

Test(dump, a_long_value_is_cut_before_a_character_not_inside, .timeout = 60)
{
        skip_copies_in_emulator();
        static weft_var row = WEFT_VAR_INIT("row", .format = write_row);
        weft_pool *pool = begin(1);
        struct plug plug;
        WEFT_WITH (&row, V(254))
                plug_in(&plug, pool, 1);
        WEFT_WITH (&row, V(252))
                cr_assert_eq(weft_submit(pool, give, NULL), 0);
        char *dump = dumped();
        cr_expect(strstr(dump, " a…\"}\n"), "%s", dump);
        cr_expect(strstr(dump, " a€…\"}\n"), "%s", dump);
        free(dump);
        plug_out(&plug);
        finish(pool);
}

/* A name that would end its line, and one that would end its value. */
Test(dump, names_make_no_lines_and_no_values, .timeout = 60)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        static weft_var forger = WEFT_VAR_INIT("a=\"1\"}\n#00000001 runs\xff\x1b[2J\xc2\x85é");
        static weft_var nameless = WEFT_VAR_INIT(NULL);
        weft_pool *pool;
        const weft_pool_options o = {.size = sizeof(o), .workers = 1, .name = "w\npool \xc3"};
        struct plug plug;
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        WEFT_WITH (&forger, V(0x11))
                WEFT_WITH (&nameless, V(0x12))
                        plug_in(&plug, pool, 1);
        char *dump = dumped();
        cr_expect(strstr(dump, "\npool w\\x0apool \\xc3 0x"), "%s", dump);
        cr_expect(strstr(dump, "runs on w\\x0apool \\xc3-"), "%s", dump);
        cr_expect(strstr(dump, "{a=\\\"1\\\"}\\x0a#00000001 runs\\xff\\x1b[2J\\xc2\\x85é=0x11, "
                               "?=0x12}\n"),
                  "%s", dump);
        cr_expect_eq(times(dump, "\n"), 5, "%s", dump);
        free(dump);
        plug_out(&plug);
        finish(pool);
}

Test(dump, a_format_function_that_crashes_costs_its_value_and_no_more, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        struct plug plug;

        weft_set(&faulty, V(1), NULL);
        weft_set(&user, "ada", NULL);
        plug_in(&plug, pool, 1);
        char *dump = dumped();
        cr_expect(strstr(dump, "faulty=(cannot be read)"), "%s", dump);
        cr_expect(strstr(dump, "user=\"ada\""));
        free(dump);
        plug_out(&plug);
        finish(pool);
}

Test(dump, a_format_function_that_does_not_return_ends_the_dump, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        struct plug plug;
        FILE *to = tmpfile();

        weft__copy_patience_ms = SLOW_BUILD ? 3000 : 400;
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_set(&endless, V(1), NULL), 0);
        cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        cr_expect_eq(weft_dump(to), -ETIMEDOUT);
        char before[4096] = "";
        rewind(to);
        cr_expect_gt(fread(before, 1, sizeof(before) - 1, to), 0);
        cr_expect(strstr(before, "endless="), "what there was before it: %s", before);
        fclose(to);
        plug_out(&plug);
        finish(pool);
}

Test(dump, without_memory_to_look_around_it_fails, .timeout = 60)
{
        skip_copies_in_emulator();
        if (SLOW_BUILD)
                cr_skip_test("it has addresses in reserve, or needs more in a copy");
        weft_pool *pool = begin(1);
        char text[4096] = "", *dump = dumped();
        FILE *to = fmemopen(text, sizeof(text), "w");
        free(dump);
        struct rlimit before = take_addresses();
        int r = weft_dump(to);
        cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
        fclose(to);
        cr_expect_eq(r, -ENOMEM);
        cr_expect(strstr(text, "\n(no memory to look at them)\n"), "%s", text);
        free(dumped());
        finish(pool);
}

/* ---- it harms nobody ---- */

static int busy(void *arg)
{
        atomic_int *left = arg;
        weft_set(&user, "busy", NULL);
        weft_yield();
        if (atomic_fetch_sub(left, 1) > 0) {
                weft_submit(NULL, busy, arg);
                weft_task *t;
                if (weft_spawn(NULL, &t, nothing, NULL) == 0)
                        join(t);
        }
        return 0;
}

Test(dump, a_pool_that_works_goes_on_working, .timeout = 120)
{
        skip_copies_in_emulator();
        enum { DUMPS = SLOW_BUILD ? 5 : 40 };
        weft_pool *pool = begin(3);
        atomic_int left = INT32_MAX / 2;

        for (int i = 0; i < 50; i++)
                cr_assert_eq(weft_submit(pool, busy, &left), 0);
        for (int i = 0; i < DUMPS; i++)
                free(dumped());
        atomic_store(&left, 0);
        finish(pool);
}

static atomic_int children;

static void on_child(int signo)
{
        (void)signo;
        atomic_fetch_add(&children, 1);
}

Test(dump, who_waits_for_children_sees_none, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);

        signal(SIGCHLD, on_child);
        free(dumped());
        cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
        cr_expect_eq(errno, ECHILD);
        cr_expect_eq(atomic_load(&children), 0);
        finish(pool);
}

static int dumps(void *unused)
{
        (void)unused;
        char *dump = dumped();
        int n = times(dump, "runs on weft-0");
        free(dump);
        return n;
}

Test(dump, a_task_may_dump_and_sees_itself, .timeout = 60)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        cr_expect_eq(join(spawn(pool, dumps, NULL)), 1);
        finish(pool);
}

static int dump_of_child(void *pool)
{
        (void)pool;
        char *dump = dumped();
        CHILD_CHECK(strstr(dump, "\n0 tasks\n"));
        CHILD_CHECK(!strstr(dump, "pool weft"));
        free(dump);
        return 0;
}

Test(dump, the_child_of_a_fork_has_no_tasks, .timeout = 60)
{
        skip_copies_in_emulator();
        weft_pool *pool = begin(1);
        struct plug plug;
        plug_in(&plug, pool, 1);
        cr_expect_eq(in_child(dump_of_child, pool), 0);
        plug_out(&plug);
        finish(pool);
}

Test(dump, wrong_arguments_and_streams_are_refused, .timeout = 60)
{
        skip_copies_in_emulator();
        cr_expect_eq(weft_dump(NULL), -EINVAL);
        FILE *full = fopen("/dev/full", "w");
        cr_assert_not_null(full);
        cr_expect_eq(weft_dump(full), -EIO);
        fclose(full);
}

/* ---- at a signal ---- */

/* What has come through the pipe once `what` has. */
static bool comes(int fd, const char *what)
{
        char text[1 << 16];
        size_t n = 0;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        while (poll(&p, 1, PATIENCE_MS) > 0) {
                ssize_t more = read(fd, text + n, sizeof(text) - 1 - n);
                if (more <= 0)
                        break;
                n += (size_t)more;
                text[n] = '\0';
                if (strstr(text, what))
                        return true;
        }
        return false;
}

Test(dump, comes_at_a_signal_until_that_is_taken_back, .timeout = 120)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        struct plug plug;
        int ends[2];

        signal(SIGUSR1, on_child);
        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        plug_in(&plug, pool, 1);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, ends[1]), 0);
        for (int i = 0; i < 2; i++) {
                raise(SIGUSR1);
                cr_expect(comes(ends[0], "\n1 tasks\n"));
        }
        cr_assert_eq(weft_dump_on_signal(SIGUSR2, ends[1]), 0);
        raise(SIGUSR1);
        cr_expect_eq(atomic_load(&children), 1, "the action that there was is back");
        raise(SIGUSR2);
        cr_expect(comes(ends[0], "\n1 tasks\n"));
        cr_assert_eq(weft_dump_on_signal(0, -1), 0);
        plug_out(&plug);
        finish(pool);
}

Test(dump, at_the_same_signal_to_another_descriptor_and_then_no_more, .timeout = 120)
{
        skip_copies_in_emulator();
        int first[2], second[2];
        struct pollfd p;

        signal(SIGUSR1, on_child);
        cr_assert_eq(pipe2(first, O_CLOEXEC), 0);
        cr_assert_eq(pipe2(second, O_CLOEXEC), 0);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, first[1]), 0);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, second[1]), 0);
        raise(SIGUSR1);
        cr_expect(comes(second[0], "\n0 tasks\n"));
        p = (struct pollfd){.fd = first[0], .events = POLLIN};
        cr_expect_eq(poll(&p, 1, 0), 0);
        cr_assert_eq(weft_dump_on_signal(0, -1), 0);
        raise(SIGUSR1);
        cr_expect_eq(atomic_load(&children), 1, "the action that there was is back");
}

static void *reads_a_byte(void *fd)
{
        char byte;
        ssize_t n = read(*(int *)fd, &byte, 1);
        return V(n == 1 ? 0 : errno);
}

Test(dump, its_signal_ends_no_call_of_the_program, .timeout = 120)
{
#if defined(WEFT_TSAN)
        cr_skip_test("ThreadSanitizer keeps back the signals of a thread that is in read()");
#endif
        skip_copies_in_emulator();
        int ends[2], data[2];
        pthread_t reader;
        void *r;

        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        cr_assert_eq(pipe2(data, O_CLOEXEC), 0);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, ends[1]), 0);
        cr_assert_eq(pthread_create(&reader, NULL, reads_a_byte, &data[0]), 0);
        for (int i = 0; i < 3; i++) {
                usleep(20 * 1000); /* it is in the call, most likely */
                cr_assert_eq(pthread_kill(reader, SIGUSR1), 0);
                cr_expect(comes(ends[0], "\n0 tasks\n"));
        }
        cr_assert_eq(write(data[1], "x", 1), 1);
        pthread_join(reader, &r);
        cr_expect_eq(N(r), 0, "%s", strerror(N(r)));
        cr_assert_eq(weft_dump_on_signal(0, -1), 0);
}

Test(dump, its_thread_takes_no_signals, .timeout = 60)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        signal(SIGUSR2, on_child);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, STDERR_FILENO), 0);
        cr_assert_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
        cr_assert_eq(kill(getpid(), SIGUSR2), 0);
        usleep(50 * 1000);
        cr_expect_eq(atomic_load(&children), 0); /* it waits for somebody who takes it */
        cr_assert_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
        cr_expect_eq(atomic_load(&children), 1);
        cr_assert_eq(weft_dump_on_signal(0, -1), 0);
}

#if !defined(WEFT_VALGRIND) /* which has descriptors of its own, and keeps this to itself */

/* No descriptor is left for a look. */
Test(dump, at_a_signal_says_that_it_could_not_look, .timeout = 60)
{
        skip_copies_in_emulator();
        struct rlimit before, none;
        char text[100] = "";
        int ends[2];

        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, ends[1]), 0);
        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = 0;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        raise(SIGUSR1);
        ssize_t n = read(ends[0], text, sizeof(text) - 1);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        cr_expect_str_eq(text, "weft: no more could be seen\n", "%zd: %s", n, text);
        cr_assert_eq(weft_dump_on_signal(0, -1), 0);
}

#endif

/* More than fits, to a reader who is late, through a pipe that does not block. */
Test(dump, at_a_signal_it_waits_for_room, .timeout = 120)
{
        skip_copies_in_emulator();
        skip_unless_workers(1);
        enum { TASKS = 500 };
        struct plug plug;
        int ends[2];
        weft_pool *pool = begin(1);
        cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        cr_assert_geq(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
        plug_in(&plug, pool, 1);
        for (int i = 0; i < TASKS; i++)
                cr_assert_eq(weft_submit(pool, give, V(i)), 0);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, ends[1]), 0);
        raise(SIGUSR1);
        weft_sleep_until(weft_now() + 200 * MS);
        cr_assert_eq(fcntl(ends[0], F_SETFL, 0), 0);
        cr_expect(comes(ends[0], "\n501 tasks\n"));
        cr_assert_eq(weft_dump_on_signal(0, -1), 0);
        plug_out(&plug);
        finish(pool);
}

static int signal_in_child(void *ends)
{
        const int *fd = ends;
        raise(SIGUSR1); /* nobody writes, and nothing happens */
        CHILD_CHECK(weft_dump_on_signal(SIGUSR1, fd[1]) == 0);
        raise(SIGUSR1);
        CHILD_CHECK(comes(fd[0], "\n0 tasks\n"));
        return 0;
}

Test(dump, at_a_signal_in_the_child_of_a_fork_once_it_asks, .timeout = 120)
{
        skip_copies_in_emulator();
#if defined(WEFT_TSAN)
        cr_skip_test("ThreadSanitizer keeps back the signals of a child of several threads");
#endif
        int ends[2];
        weft_pool *pool = begin(1);
        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, ends[1]), 0);
        /* Once both threads are at work. AddressSanitizer uses its allocator in each that starts,
         * and leaves a lock of it locked in a child that is made meanwhile. */
        cr_assert_eq(join(spawn(pool, give, V(3))), 3);
        raise(SIGUSR1);
        cr_assert(comes(ends[0], "\n0 tasks\n"));
        cr_expect_eq(in_child(signal_in_child, ends), 0);
        finish(pool);
}

Test(dump, wrong_signals_are_refused, .timeout = 60)
{
        cr_expect_eq(weft_dump_on_signal(SIGKILL, 2), -EINVAL);
        cr_expect_eq(weft_dump_on_signal(-1, 2), -EINVAL);
        cr_expect_eq(weft_dump_on_signal(9999, 2), -EINVAL);
        cr_expect_eq(weft_dump_on_signal(SIGUSR1, -1), -EINVAL);
}

Test(dump, a_signal_that_is_refused_leaves_the_one_that_there_is, .timeout = 120)
{
        skip_copies_in_emulator();
        int ends[2];
        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        cr_assert_eq(weft_dump_on_signal(SIGUSR1, ends[1]), 0);
        cr_expect_eq(weft_dump_on_signal(SIGKILL, 2), -EINVAL);
        cr_expect_eq(weft_dump_on_signal(SIGSTOP, 2), -EINVAL);
        raise(SIGUSR1); /* without it this is the end */
        cr_expect(comes(ends[0], "\n0 tasks\n"));
        cr_assert_eq(weft_dump_on_signal(0, -1), 0);
}
