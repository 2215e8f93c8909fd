/* SPDX-License-Identifier: MIT
 *
 * The copy of the process in which a dump looks around, held up there by a format function: it
 * keeps no descriptor open, runs no handler of the program's, and goes with the process.
 */
#include "see_help.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "context/internal.h"
#include "pool/snapshot.h"

/* ---- a dump that is held up ---- */

/* In memory that the copies share. */
static struct {
        atomic_int there; /* the copy is in the format function, and */
        atomic_int go;    /* may leave it */
        atomic_int handled;
} * stage;

static int waits_in_the_copy(void *value, char *text, size_t size)
{
        atomic_store(&stage->there, 1);
        while (!atomic_load(&stage->go))
                usleep(1000);
        return snprintf(text, size, "%d", N(value));
}

static weft_var holds_up = WEFT_VAR_INIT("holds up", .format = waits_in_the_copy);

static void make_stage(void)
{
        stage =
            mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(stage, MAP_FAILED);
        weft__copy_patience_ms = 100 * 1000;
}

/* A pool with a task that is not to begin, so that it is in the dump with its value. */
static weft_pool *pool_to_dump(struct plug *plug)
{
        weft_pool *pool = begin(1);
        plug_in(plug, pool, 1);
        weft_set(&holds_up, V(7), NULL);
        cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        weft_context_unref(weft_context_swap(NULL));
        return pool;
}

static void *dumps(void *text)
{
        size_t size;
        FILE *to = open_memstream(text, &size);
        int r = weft_dump(to);
        fclose(to);
        return V(r);
}

static void begin_dump(pthread_t *dump, char **text)
{
        cr_assert_eq(pthread_create(dump, NULL, dumps, text), 0);
        cr_assert(reaches(&stage->there, 1));
}

static void end_dump(pthread_t dump, char **text)
{
        void *r;
        atomic_store(&stage->go, 1);
        pthread_join(dump, &r);
        cr_assert_eq(N(r), 0);
        cr_assert(strstr(*text, "holds up=\"7\""), "%s", *text);
        free(*text);
}

/* ---- crashes in it ---- */

static void crashes(void *unused)
{
        (void)unused;
        abort();
}

static void crashes_after_an_inner_crash(void *unused)
{
        weft__copy_try(crashes, unused);
        crashes(unused);
}

static void says_and_goes_on(weft__out *out, void *unused)
{
        if (!weft__copy_try(crashes_after_an_inner_crash, unused))
                weft__out_print(out, "outer");
}

static void crashes_outright(weft__out *out, void *unused)
{
        (void)out;
        crashes(unused);
}

static void keep_text(const char *text, size_t length, void *to)
{
        strncat(to, text, length);
}

Test(dump_copy, a_crash_ends_the_innermost_step_that_is_under_way_or_else_the_copy, .timeout = 60)
{
        skip_copies_in_emulator();
        char said[100] = "";
        cr_expect_eq(weft__snapshot(says_and_goes_on, NULL, keep_text, said), 0);
        cr_expect_str_eq(said, "outer");
        cr_expect_eq(weft__snapshot(crashes_outright, NULL, keep_text, said), -EFAULT);
}

/* ---- what it keeps ---- */

/* Those that are below its own pipe, and those above. */
Test(dump_copy, a_connection_that_is_closed_meanwhile_is_closed, .timeout = 60)
{
        skip_copies_in_emulator();
        struct plug plug;
        int low[2], high[2];
        pthread_t dump;
        char *text = NULL, byte;

        make_stage();
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, low), 0);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, high), 0);
        int above = fcntl(high[1], F_DUPFD, 200);
        cr_assert_geq(above, 200);
        close(high[1]);
        weft_pool *pool = pool_to_dump(&plug);
        begin_dump(&dump, &text);
        close(low[1]);
        close(above);
        cr_expect_eq(read(low[0], &byte, 1), 0);
        cr_expect_eq(read(high[0], &byte, 1), 0);
        end_dump(dump, &text);
        plug_out(&plug);
        finish(pool);
}

Test(dump_copy, the_dump_itself_leaves_no_descriptor, .timeout = 60)
{
        skip_copies_in_emulator();
        struct plug plug;
        pthread_t dump;
        char *text = NULL;

        make_stage();
        weft_pool *pool = pool_to_dump(&plug);
        int next = dup(STDERR_FILENO);
        close(next);
        begin_dump(&dump, &text);
        end_dump(dump, &text);
        cr_expect_eq(dup(STDERR_FILENO), next);
        plug_out(&plug);
        finish(pool);
}

/* ---- signals ---- */

#if !defined(WEFT_TSAN) /* which keeps back the signals of a child of several threads */

static void on_signal(int signo)
{
        (void)signo;
        atomic_fetch_add(&stage->handled, 1);
}

/* In a group of processes of its own. */
static int signals_its_group(void *unused)
{
        struct plug plug;
        pthread_t dump;
        char *text = NULL;

        (void)unused;
        CHILD_CHECK(setpgid(0, 0) == 0);
        CHILD_CHECK(signal(SIGUSR2, on_signal) != SIG_ERR);
        weft_pool *pool = pool_to_dump(&plug);
        begin_dump(&dump, &text);
        CHILD_CHECK(kill(0, SIGUSR2) == 0); /* as a terminal does */
        CHILD_CHECK(reaches(&stage->handled, 1));
        usleep(50 * 1000);
        end_dump(dump, &text);
        CHILD_CHECK(atomic_load(&stage->handled) == 1);
        plug_out(&plug);
        finish(pool);
        return 0;
}

Test(dump_copy, a_signal_to_the_whole_group_is_handled_once, .timeout = 60)
{
        skip_copies_in_emulator();
        make_stage();
        cr_assert_eq(in_child(signals_its_group, NULL), 0);
}

/* Until it is killed. */
static void dumps_for_ever(int error)
{
        struct plug plug;
        char *text = NULL;
        dup2(error, STDERR_FILENO);
        close(error);
        pool_to_dump(&plug);
        dumps(&text);
        _exit(0);
}

/* It has standard error still, and nobody else has. */
Test(dump_copy, it_ends_with_the_process, .timeout = 60)
{
        skip_copies_in_emulator();
        int ends[2];
        char byte;

        make_stage();
        cr_assert_eq(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
                close(ends[0]);
                dumps_for_ever(ends[1]);
        }
        close(ends[1]);
        cr_assert(reaches(&stage->there, 1));
        cr_assert_eq(kill(pid, SIGKILL), 0);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        while (read(ends[0], &byte, 1) > 0)
                ; /* what tools have to say */
}

#endif
