/* SPDX-License-Identifier: MIT
 *
 * A program that knows nothing of inheriting threads, with libweft-inherit.so preloaded: threads
 * that it creates itself inherit, those of weft's own pool do not. tests/adapt/run starts it with
 * and without.
 */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include <weft/weft.h>

#include "check.h"

static void *posix_looks(void *arg)
{
        CHECK(is(ada));
        CHECK(weft_set(&user, grace, NULL) == 0);
        return arg;
}

static int c11_looks(void *arg)
{
        CHECK(is(ada));
        thrd_exit(arg == ada ? 7 : 8);
}

static void posix_thread(void)
{
        pthread_t thread = 0;
        void *result = NULL;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada) {
                        CHECK(pthread_create(&thread, NULL, posix_looks, ada) == 0);
                        CHECK(pthread_join(thread, &result) == 0);
                }
                CHECK(result == ada);
                CHECK(is(ada));
        }
}

static void c11_thread(void)
{
        thrd_t thread = 0;
        int result = 0;
        WEFT_WITH (&user, ada) {
                CHECK(thrd_create(&thread, c11_looks, ada) == thrd_success);
                CHECK(thrd_join(thread, &result) == thrd_success);
        }
        CHECK(result == 7);
}

static void asked_for(void)
{
        pthread_t thread = 0;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada) {
                        CHECK(weft_thread_create(&thread, NULL, posix_looks, ada) == 0);
                }
                CHECK(pthread_join(thread, NULL) == 0);
        }
        CHECK(held() == 0);
}

static void refused(void)
{
        pthread_attr_t attr;
        pthread_t thread = 0;
        pthread_attr_init(&attr);
        CHECK(pthread_attr_setstacksize(&attr, (size_t)1 << 62) == 0);
        WEFT_WITH (&kept, ada) {
                CHECK(pthread_create(&thread, &attr, posix_looks, NULL) == EAGAIN);
        }
        CHECK(held() == 0);
        pthread_attr_destroy(&attr);
}

/* A hook of the pool runs outside all tasks, on the thread that the pool has started. */
static void worker_starts(unsigned worker, void *arg)
{
        (void)worker;
        (void)arg;
        CHECK(is(nobody));
}

static int task(void *arg)
{
        (void)arg;
        CHECK(is(ada));
        return 0;
}

static void own_workers(void)
{
        weft_pool *pool = NULL;
        const weft_pool_options options = {.size = sizeof(options), .on_start = worker_starts};
        WEFT_WITH (&kept, ada) {
                WEFT_WITH (&user, grace) {
                        CHECK(weft_pool_create(&pool, &options) == 0);
                }
        }
        CHECK(held() == 0);
        WEFT_WITH (&user, ada) {
                CHECK(weft_submit(pool, task, NULL) == 0);
        }
        weft_pool_destroy(pool);
}

static const struct test tests[] = {
    {"a POSIX thread inherits", posix_thread},
    {"a C11 thread inherits", c11_thread},
    {"a thread of weft_thread_create()", asked_for},
    {"a thread that cannot be started", refused},
    {"weft's own workers do not inherit", own_workers},
};

int main(void)
{
        return RUN_TESTS(tests);
}
