/* SPDX-License-Identifier: MIT
 *
 * Threads of POSIX and of C11 that begin in their creator's context, and one that is created as in
 * any program: it has none, unless this is started with libweft-inherit.so preloaded.
 */
#include <pthread.h>
#include <stdio.h>
#include <weft/adapt/threads.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int serve(void *what)
{
        return printf("%s: %s\n", (char *)what, (char *)weft_get(&user)) < 0;
}

static void *serve_posix(void *what)
{
        serve(what);
        return NULL;
}

int main(void)
{
        pthread_t posix = 0, plain = 0;
        thrd_t c11 = 0;
        int error = 1;
        WEFT_WITH (&user, "ada")
                error = weft_thread_create(&posix, NULL, serve_posix, "POSIX");
        if (error || pthread_join(posix, NULL))
                return 1;
        WEFT_WITH (&user, "grace")
                error = weft_thrd_create(&c11, serve, "C11") != thrd_success;
        if (error || thrd_join(c11, NULL) != thrd_success)
                return 1;
        WEFT_WITH (&user, "edith")
                error = pthread_create(&plain, NULL, serve_posix, "unmodified");
        return error || pthread_join(plain, NULL);
}
