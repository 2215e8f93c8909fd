/* SPDX-License-Identifier: MIT
 *
 * Threads of POSIX and of C11: they begin in their creator's context, keep it to themselves, and
 * give it back however they end.
 */
#include <limits.h>
#include <pthread.h>

#include <weft/adapt/threads.h>

#include "check.h"

static void look_and_set(void)
{
        CHECK(came(ada));
        CHECK(held() == 1);
        CHECK(weft_set(&user, grace, NULL) == 0);
        CHECK(is(grace));
}

/* ---- POSIX ---- */

static void *posix_returns(void *arg)
{
        look_and_set();
        return arg;
}

static void *posix_exits(void *arg)
{
        look_and_set();
        pthread_exit(arg);
}

static void *posix_waits(void *arg)
{
        look_and_set();
        for (;;)
                pause();
        return arg;
}

static void posix_thread(void *(*start)(void *), bool cancelled)
{
        pthread_t thread = 0;
        void *result = NULL;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada) {
                        CHECK(weft_thread_create(&thread, NULL, start, ada) == 0);
                }
                if (cancelled)
                        pthread_cancel(thread);
                CHECK(pthread_join(thread, &result) == 0);
                CHECK(result == (cancelled ? PTHREAD_CANCELED : ada));
                CHECK(is(ada));
        }
        CHECK(held() == 0);
}

static void posix_inherits(void)
{
        posix_thread(posix_returns, false);
}

static void posix_exit(void)
{
        posix_thread(posix_exits, false);
}

static void posix_cancel(void)
{
        posix_thread(posix_waits, true);
}

/* A stack that there is no memory for: no thread, and nothing held. */
static void posix_refused(void)
{
        pthread_attr_t attr;
        pthread_t thread = 0;
        pthread_attr_init(&attr);
        CHECK(pthread_attr_setstacksize(&attr, (size_t)1 << 62) == 0);
        WEFT_WITH (&kept, ada) {
                CHECK(weft_thread_create(&thread, &attr, posix_returns, NULL) == -EAGAIN);
        }
        CHECK(held() == 0);
        pthread_attr_destroy(&attr);
}

/* ---- C11 ---- */

static int c11_returns(void *arg)
{
        look_and_set();
        return arg == ada ? 7 : 8;
}

static int c11_exits(void *arg)
{
        look_and_set();
        thrd_exit(arg == ada ? 7 : 8);
}

static void c11_thread(thrd_start_t fn)
{
        thrd_t thread = 0;
        int result = 0;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada) {
                        CHECK(weft_thrd_create(&thread, fn, ada) == thrd_success);
                }
                CHECK(thrd_join(thread, &result) == thrd_success);
                CHECK(result == 7);
                CHECK(is(ada));
        }
        CHECK(held() == 0);
}

static void c11_inherits(void)
{
        c11_thread(c11_returns);
}

static void c11_exit(void)
{
        c11_thread(c11_exits);
}

static int fails(thrd_t *ret_thread, thrd_start_t fn, void *arg)
{
        (void)ret_thread;
        (void)fn;
        (void)arg;
        return thrd_nomem;
}

/* A thread that cannot be started: nothing held. */
static void c11_refused(void)
{
        thrd_t thread = 0;
        WEFT_WITH (&kept, ada) {
                CHECK(weft__thrd_create_by(fails, &thread, c11_returns, NULL) == thrd_nomem);
        }
        CHECK(held() == 0);
}

static int c11_nothing(void *arg)
{
        (void)arg;
        CHECK(is(nobody));
        return weft_context_capture() != NULL;
}

static void c11_empty(void)
{
        thrd_t thread = 0;
        int result = 1;
        CHECK(weft_thrd_create(&thread, c11_nothing, NULL) == thrd_success);
        CHECK(thrd_join(thread, &result) == thrd_success);
        CHECK(result == 0);
}

static const struct test tests[] = {
    {"a POSIX thread inherits", posix_inherits},
    {"a POSIX thread that calls pthread_exit()", posix_exit},
    {"a POSIX thread that is cancelled", posix_cancel},
    {"a POSIX thread that cannot be started", posix_refused},
    {"a C11 thread inherits", c11_inherits},
    {"a C11 thread that calls thrd_exit()", c11_exit},
    {"a C11 thread that cannot be started", c11_refused},
    {"a C11 thread in the empty context", c11_empty},
};

int main(void)
{
        return RUN_TESTS(tests);
}
