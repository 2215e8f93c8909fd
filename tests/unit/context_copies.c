/* SPDX-License-Identifier: MIT
 *
 * Rule C9, two copies of weft in one process: this program has one linked in; the shared library
 * beside it is another one, and a copy of that file a third. Those that are loaded later refuse to
 * bind anything, and the first goes on as if they were not there.
 */
#include "context_help.h"

#include <dlfcn.h>
#include <fcntl.h>

static weft_var plain = WEFT_VAR_INIT("plain", .fallback = V(7));

/* The library that was built beside this program: BUILD/unit/context_copies, BUILD/libweft.so. */
static void library_path(char *path, size_t size)
{
        ssize_t n = readlink("/proc/self/exe", path, size - 32);

        path[n < 0 ? 0 : n] = 0;
        for (int up = 0; up < 2; up++) {
                char *slash = strrchr(path, '/');
                cr_assert_not_null(slash);
                *slash = 0;
        }
        strcat(path, "/libweft.so");
}

static void copy_file(const char *from, char *to)
{
        char buffer[65536];
        ssize_t n;
        int in = open(from, O_RDONLY), out = mkstemp(to);

        cr_assert(in >= 0 && out >= 0);
        while ((n = read(in, buffer, sizeof(buffer))) > 0)
                cr_assert_eq(write(out, buffer, (size_t)n), n);
        close(in);
        close(out);
}

static void *load(const char *path)
{
        void *library = dlopen(path, RTLD_LOCAL | RTLD_NOW);

        cr_assert(library, "%s", dlerror());
        return library;
}

/* The functions of another copy. */
#define theirs(library, function) ((__typeof__(&function))dlsym((library), #function))

static int do_nothing(void *arg)
{
        (void)arg;
        return 42;
}

static void assert_refuses(void *library)
{
        weft_var var = WEFT_VAR_INIT("theirs", .fallback = V(9));
        weft_context *derived = NULL;
        weft_token token;

        cr_assert(theirs(library, weft_set) && theirs(library, weft_set) != weft_set);
        cr_assert_eq(theirs(library, weft_set)(&var, V(1), NULL), -EEXIST);
        cr_assert_eq(theirs(library, weft_set)(&var, V(1), &token), -EEXIST);
        cr_assert_eq(theirs(library, weft_context_with)(NULL, &var, V(1), &derived), -EEXIST);
        cr_assert_null(derived);
        cr_assert_eq(theirs(library, weft_get)(&var), V(9));
        cr_assert_null(theirs(library, weft_context_capture)());
        cr_assert_eq(theirs(library, weft_context_run)(NULL, do_nothing, NULL, NULL), 42);

        /* nor does it take a var of the first copy for one of its own */
        cr_assert_eq(theirs(library, weft_set)(&plain, V(3), NULL), -EEXIST);
        cr_assert_eq(theirs(library, weft_get)(&plain), V(7));
        cr_assert_eq(theirs(library, weft_lookup)(&plain, &(void *){0}), -ENOENT);
}

Test(context, c9_the_second_copy_in_a_process_refuses_to_bind)
{
        char path[4096], copy[] = "/tmp/libweft-copy-XXXXXX";
        weft_token token;

        library_path(path, sizeof(path));
        if (access(path, R_OK) != 0)
                cr_skip_test("no %s was built", path);
        cr_assert_eq(weft_set(&plain, V(1), &token), 0);
        void *second = load(path);
        assert_refuses(second);
        copy_file(path, copy);
        void *third = load(copy);
        unlink(copy);
        cr_assert(third != second);
        assert_refuses(third);

        cr_assert_eq(weft_get(&plain), V(1));
        cr_assert_eq(weft_reset(&plain, &token), 0);
        cr_assert_eq(weft_set(&plain, V(2), NULL), 0);
        cr_assert_eq(weft_get(&plain), V(2));
        dlclose(third);
        dlclose(second);
}

static void *refused_on_a_thread(void *library)
{
        THREAD_CHECK(theirs(library, weft_set)(&plain, V(3), NULL) == -EEXIST);
        THREAD_CHECK(weft_set(&plain, V(4), NULL) == 0);
        THREAD_CHECK(weft_get(&plain) == V(4));
        return NULL;
}

Test(context, c9_the_second_copy_refuses_on_every_thread)
{
        char path[4096];

        library_path(path, sizeof(path));
        if (access(path, R_OK) != 0)
                cr_skip_test("no %s was built", path);
        void *second = load(path);
        for (int i = 0; i < 3; i++)
                assert_thread_ok(on_thread(refused_on_a_thread, second));
}
