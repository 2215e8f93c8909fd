/* SPDX-License-Identifier: MIT
 *
 * How the library begins in a process: notes of others in the same program, and a system that has
 * none of what it needs to see threads and forks end.
 *
 * What happens before main() is tried in this program run anew, with TRIED in its environment; the
 * constructor at the end is then all that runs.
 */
#include "context_help.h"

#include <dlfcn.h>
#include <errno.h>

static weft_var plain = WEFT_VAR_INIT("plain", .fallback = V(7));

/* ---- notes ----------------------------------------------------------------------------------- */

/* Each differs from weft's own in one thing, and what it leads to, read as a distance, is nowhere:
 * whoever followed it would crash. */
__asm__(".pushsection .note.others, \"a\", %note\n"
        ".balign 4\n"
        ".long 6, 8, 1\n"
        ".asciz \"wefty\"\n"
        ".balign 4\n"
        ".quad 0x7000000000000000\n"
        ".long 5, 4, 1\n"
        ".asciz \"weft\"\n"
        ".balign 4\n"
        ".long 0x70000000\n"
        ".long 5, 8, 2\n"
        ".asciz \"weft\"\n"
        ".balign 4\n"
        ".quad 0x7000000000000000\n"
        ".long 5, 8, 1\n"
        ".asciz \"woof\"\n"
        ".balign 4\n"
        ".quad 0x7000000000000000\n"
        ".popsection\n");

Test(context_start, notes_of_others_are_not_taken_for_another_copy)
{
        cr_assert_eq(weft_set(&plain, V(1), NULL), 0);
        cr_assert_eq(weft_get(&plain), V(1));
}

/* ---- a system that has nothing --------------------------------------------------------------- */

#if !WITH_TSAN /* which asks for keys of its own before anything here can be called */

static weft_var kept = WEFT_VAR_INIT("kept", .release = counted_release);
static bool no_values;

/* For what this program asks for, but not other libraries: TRIED is this. */
static bool is_tried(const char *what, const void *here)
{
        const char *tried = getenv("TRIED");
        Dl_info theirs, ours;
        return tried && strcmp(tried, what) == 0 && dladdr(here, &theirs) &&
               dladdr((void *)weft_set, &ours) && theirs.dli_fbase == ours.dli_fbase;
}

/* In the place of the C library's. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso);

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): see its header */
int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
        int (*real)(pthread_key_t *, void (*)(void *));
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_key_create");
        return is_tried("no keys", (void *)destructor) ? EAGAIN : real(key, destructor);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): see its header */
int pthread_setspecific(pthread_key_t key, const void *value)
{
        int (*real)(pthread_key_t, const void *);
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_setspecific");
        return no_values ? ENOMEM : real(key, value);
}

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
{
        int (*real)(void (*)(void), void (*)(void), void (*)(void), void *);
        *(void **)&real = dlsym(RTLD_NEXT, "__register_atfork");
        return is_tried("no handlers", dso) ? ENOMEM : real(prepare, parent, child, dso);
}

static int run_anew(const char *tried)
{
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        path[n < 0 ? 0 : n] = '\0';
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                setenv("TRIED", tried, 1);
                execl(path, path, (char *)NULL);
                _exit(127);
        }
        int status = 0;
        while (waitpid(pid, &status, 0) < 0)
                ;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* The emulator would have to be told to run the program, and a checker asks for keys itself. */
#define skip_where_it_cannot_be_run_anew()                                                         \
        do {                                                                                       \
                if (IN_EMULATOR || WITH_ASAN || WITH_TSAN)                                         \
                        cr_skip_test("this program cannot be run anew here");                      \
        } while (0)

Test(context_start, without_a_key_for_the_ends_of_threads_nothing_can_be_bound)
{
        skip_where_it_cannot_be_run_anew();
        cr_assert_eq(run_anew("no keys"), 0);
}

Test(context_start, without_handlers_of_fork_nothing_can_be_bound)
{
        skip_where_it_cannot_be_run_anew();
        cr_assert_eq(run_anew("no handlers"), 0);
}

static void *bind_without_memory(void *arg)
{
        no_values = true;
        int r = weft_set(&plain, arg, NULL);
        no_values = false;
        THREAD_CHECK(r == -ENOMEM);
        THREAD_CHECK(weft_get(&plain) == V(7));
        THREAD_CHECK(weft_set(&plain, arg, NULL) == 0);
        THREAD_CHECK(weft_get(&plain) == arg);
        return NULL;
}

Test(context_start, without_memory_for_the_end_of_the_thread_a_set_fails_and_can_be_tried_again)
{
        assert_thread_ok(on_thread(bind_without_memory, V(1)));
}

/* After the library's own. */
__attribute__((constructor(200))) static void try_before_main(void)
{
        static struct counted value;
        weft_context *c = NULL;
        if (!getenv("TRIED"))
                return;
        CHILD_CHECK(weft_set(&plain, V(1), NULL) == -ENOMEM);
        CHILD_CHECK(weft_set(&kept, &value, NULL) == -ENOMEM);
        CHILD_CHECK(weft_get(&plain) == V(7));
        CHILD_CHECK(weft_context_with(NULL, &plain, V(2), &c) == -ENOMEM);
        CHILD_CHECK(c == NULL);
        CHILD_CHECK(atomic_load(&value.released) == 0);
        _exit(0);
}

#endif
