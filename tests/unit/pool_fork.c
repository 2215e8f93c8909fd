/* SPDX-License-Identifier: MIT
 *
 * fork() with pools about: in the child the parent's pools are dead and say so, the default pool is
 * a new one, contexts go on as they were, nothing hangs, and the child leaves by exit() as usual.
 * Skipped under ThreadSanitizer, which does not allow threads to be made after such a fork.
 */
#include "pool_help.h"

#include <sys/mman.h>

#if defined(__SANITIZE_THREAD__)
#define NO_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_FORK 1
#endif
#endif
#ifndef NO_FORK
#define NO_FORK 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ASAN_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN_BUILD 1
#endif
#endif
#ifndef ASAN_BUILD
#define ASAN_BUILD 0
#endif

#define skip_without_fork()                                                                        \
        do {                                                                                       \
                if (NO_FORK)                                                                       \
                        cr_skip_test("threads after fork() are not for this sanitizer");           \
        } while (0)

static weft_var a = WEFT_VAR_INIT("a", .fallback = V(-1));

struct parent {
        weft_pool *pool, *used;
        weft_task *queued, *ended;
        weft_group group;
};

static void drop_in_child(void *args)
{
        (void)args;
        CHILD_CHECK(!"a refused submit dropped its arguments");
}

static int child_submits(void *arg)
{
        struct parent *p = arg;
        weft_task *t = NULL;
        char args[64] = "";

        CHILD_CHECK(weft_submit(p->pool, nothing, NULL) == -EOWNERDEAD);
        CHILD_CHECK(weft_submit_copy(p->pool, nothing, args, 64) == -EOWNERDEAD);
        CHILD_CHECK(weft_submit_closure(p->pool, nothing, args, 64, drop_in_child) == -EOWNERDEAD);
        CHILD_CHECK(weft_spawn(p->pool, &t, nothing, NULL) == -EOWNERDEAD);
        CHILD_CHECK(weft_spawn_closure(p->pool, &t, nothing, args, 64, NULL) == -EOWNERDEAD);
        CHILD_CHECK(t == NULL);
        CHILD_CHECK(weft_submit(p->used, nothing, NULL) == -EOWNERDEAD);
        return 0;
}

static int child_waits(void *arg)
{
        struct parent *p = arg;

        CHILD_CHECK(weft_await(p->queued, WEFT_FOREVER) == -EOWNERDEAD);
        CHILD_CHECK(weft_await(p->queued, 0) == -EOWNERDEAD);
        CHILD_CHECK(weft_await(p->queued, in_ms(50)) == -EOWNERDEAD);
        CHILD_CHECK(weft_pool_shutdown(p->pool, WEFT_DRAIN, WEFT_FOREVER) == -EOWNERDEAD);
        CHILD_CHECK(weft_pool_shutdown(p->pool, WEFT_CANCEL, 0) == -EOWNERDEAD);
        CHILD_CHECK(weft_task_on_done(p->queued, nothing, NULL) == -EOWNERDEAD);
        CHILD_CHECK(weft_task_on_done(p->ended, nothing, NULL) == 0);
        CHILD_CHECK(weft_group_spawn(&p->group, nothing, NULL) == -EOWNERDEAD);
        CHILD_CHECK(weft_group_wait(&p->group, WEFT_FOREVER) == -EOWNERDEAD);
        CHILD_CHECK(weft_group_wait(&p->group, 0) == -EOWNERDEAD);
        CHILD_CHECK(weft_group_cancel(&p->group) == -EOWNERDEAD);
        weft_group_fini(&p->group);
        int result = 0;
        CHILD_CHECK(weft_task_result(p->ended, &result) == 0);
        CHILD_CHECK(result == 42);
        weft_task_unref(p->queued);
        weft_task_unref(p->ended);
        return 0;
}

static int child_destroys(void *arg)
{
        struct parent *p = arg;
        CHILD_CHECK(weft_pool_destroy(p->pool) == NULL);
        CHILD_CHECK(weft_pool_destroy(p->used) == NULL);
        return 0;
}

static int see_a(void *arg)
{
        return N(weft_get(&a)) + N(arg);
}

static int child_uses_default(void *arg)
{
        weft_task *t;

        (void)arg;
        CHILD_CHECK(weft_pool_default() != NULL);
        CHILD_CHECK(weft_get(&a) == V(40));
        CHILD_CHECK(weft_spawn(NULL, &t, see_a, V(2)) == 0);
        CHILD_CHECK(weft_await(t, WEFT_FOREVER) == 42);
        weft_task_unref(t);
        CHILD_CHECK(weft_set(&a, V(41), NULL) == 0);
        CHILD_CHECK(weft_spawn(NULL, &t, see_a, V(2)) == 0);
        CHILD_CHECK(weft_await(t, WEFT_FOREVER) == 43);
        weft_task_unref(t);
        weft_group g;
        CHILD_CHECK(weft_group_init(&g, NULL) == 0);
        for (int i = 0; i < 100; i++)
                CHILD_CHECK(weft_group_spawn(&g, see_a, NULL) == 0);
        CHILD_CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0);
        weft_group_fini(&g);
        return 0;
}

static int child_makes_pool(void *arg)
{
        weft_pool *pool = NULL;
        weft_task *t;
        (void)arg;
        CHILD_CHECK(weft_pool_create(&pool, NULL) == 0);
        CHILD_CHECK(weft_spawn(pool, &t, see_a, V(2)) == 0);
        CHILD_CHECK(weft_await(t, WEFT_FOREVER) == 42);
        weft_task_unref(t);
        CHILD_CHECK(weft_pool_destroy(pool) == NULL);
        return 0;
}

static int child_forks_again(void *arg)
{
        CHILD_CHECK(child_uses_default(arg) == 0);
        CHILD_CHECK(weft_set(&a, V(40), NULL) == 0);
        CHILD_CHECK(in_child(child_uses_default, arg) == 0);
        return 0;
}

/* A pool with one task running, one queued; another that was used and sleeps; a default pool. */
static void with_children(int (*body)(void *), bool with_default)
{
        struct parent p;
        struct plug plug;
        weft_task *t;

        p.pool = begin(1);
        p.used = begin(2);
        cr_assert_eq(weft_spawn(p.used, &p.ended, give, V(42)), 0);
        cr_assert_eq(weft_await(p.ended, WEFT_FOREVER), 42);
        plug_in(&plug, p.pool, 1);
        cr_assert_eq(weft_spawn(p.pool, &p.queued, give, V(43)), 0);
        cr_assert_eq(weft_group_init(&p.group, p.pool), 0);
        cr_assert_eq(weft_group_spawn(&p.group, nothing, NULL), 0);
        if (with_default) {
                cr_assert_eq(weft_spawn(NULL, &t, nothing, NULL), 0);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
                weft_task_unref(t);
        }
        cr_assert_eq(weft_set(&a, V(40), NULL), 0);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(in_child(body, &p), 0);
        plug_out(&plug);
        cr_assert_eq(weft_await(p.queued, WEFT_FOREVER), 43, "the parent's goes on");
        weft_task_unref(p.queued);
        weft_task_unref(p.ended);
        weft_group_fini(&p.group);
        finish(p.used);
        finish(p.pool);
}

Test(pool_fork, C9_child_cannot_submit_to_the_parents_pools, .timeout = 60)
{
        skip_without_fork();
        with_children(child_submits, false);
}

Test(pool_fork, C9_child_cannot_wait_for_the_parents_tasks, .timeout = 60)
{
        skip_without_fork();
        skip_threads_after_fork_in_emulator();
        with_children(child_waits, false);
}

Test(pool_fork, C9_child_may_destroy_the_parents_pools, .timeout = 60)
{
        skip_without_fork();
        with_children(child_destroys, false);
}

Test(pool_fork, C9_child_has_a_default_pool_of_its_own, .timeout = 60)
{
        skip_without_fork();
        skip_threads_after_fork_in_emulator();
        with_children(child_uses_default, true);
        with_children(child_uses_default, false);
}

Test(pool_fork, C9_child_may_make_pools, .timeout = 60)
{
        skip_without_fork();
        skip_threads_after_fork_in_emulator();
        with_children(child_makes_pool, true);
}

Test(pool_fork, C9_child_of_a_child, .timeout = 90)
{
        skip_without_fork();
        skip_threads_after_fork_in_emulator();
        with_children(child_forks_again, true);
}

/* ---- at any moment --------------------------------------------------------------------------- */

static atomic_int *work; /* shared with children */

struct busy {
        weft_pool *pool;
        atomic_int stop;
};

static int bind_and_count(void *arg)
{
        static atomic_int count;
        CHECK(weft_set(&a, arg, NULL) == 0);
        return count_up(&count);
}

static void *keep_submitting(void *arg)
{
        struct busy *b = arg;
        while (!atomic_load(&b->stop)) {
                weft_task *t;
                for (int i = 0; i < 50; i++)
                        CHECK(weft_submit(i % 2 ? b->pool : NULL, bind_and_count, V(i)) == 0);
                CHECK(weft_spawn(b->pool, &t, nothing, NULL) == 0);
                CHECK(weft_await(t, WEFT_FOREVER) == 0);
                weft_task_unref(t);
        }
        return NULL;
}

static int child_in_the_middle(void *arg)
{
        struct busy *b = arg;
        weft_task *t;
        CHILD_CHECK(weft_submit(b->pool, nothing, NULL) == -EOWNERDEAD);
        CHILD_CHECK(weft_spawn(NULL, &t, give, V(5)) == 0);
        CHILD_CHECK(weft_await(t, WEFT_FOREVER) == 5);
        weft_task_unref(t);
        CHILD_CHECK(weft_pool_destroy(b->pool) == NULL);
        return 0;
}

/* Other threads hold whatever locks there are at the moment of the fork. AddressSanitizer's own
 * allocator does not stand that. */
Test(pool_fork, C9_while_others_submit, .timeout = 120)
{
        skip_without_fork();
        skip_threads_after_fork_in_emulator();
        if (ASAN_BUILD)
                cr_skip_test("the allocator of this sanitizer hangs in the child");
        struct busy b = {.pool = begin(2)};
        pthread_t thread[2];

        for (int i = 0; i < 2; i++)
                cr_assert_eq(pthread_create(&thread[i], NULL, keep_submitting, &b), 0);
        for (int i = 0; i < (SLOW_BUILD ? 10 : 50); i++) {
                int r = in_child(child_in_the_middle, &b);
                cr_assert_eq(r, 0, "child %d: %d", i, r);
        }
        atomic_store(&b.stop, 1);
        for (int i = 0; i < 2; i++)
                pthread_join(thread[i], NULL);
        finish(b.pool);
}

static int parents_work(void *arg)
{
        (void)arg;
        atomic_fetch_add(work, 1);
        return 0;
}

/* It is no worker: while it waits it runs nothing that was queued for the parent's. */
static int child_of_a_task(void *arg)
{
        weft_task *t;
        CHILD_CHECK(weft_spawn(weft_pool_default(), &t, give, V(5)) == 0);
        CHILD_CHECK(weft_await(t, WEFT_FOREVER) == 5);
        weft_task_unref(t);
        CHILD_CHECK(weft_yield() == 0);
        CHILD_CHECK(weft_sleep_until(in_ms(5)) == 0);
        CHILD_CHECK(weft_get(&a) == V(40));
        CHILD_CHECK(weft_pool_current() == NULL && weft_task_current() == NULL);
        CHILD_CHECK(weft_submit(arg, nothing, NULL) == -EOWNERDEAD);
        CHILD_CHECK(weft_submit(NULL, nothing, NULL) == 0);
        CHILD_CHECK(weft_cancelled() == 0);
        _exit(0); /* the stack below is that of a task whose pool is gone */
}

static int fork_in_task(void *arg)
{
        for (int i = 0; i < 3; i++)
                CHECK(weft_submit(NULL, parents_work, NULL) == 0);
        return in_child(child_of_a_task, arg);
}

Test(pool_fork, C9_in_a_task, .timeout = 60)
{
        skip_without_fork();
        weft_pool *pool = begin(1);
        weft_task *t = NULL;

        work = mmap(NULL, sizeof(*work), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq((void *)work, MAP_FAILED);
        WEFT_WITH (&a, V(40)) {
                cr_assert_eq(weft_spawn(pool, &t, fork_in_task, pool), 0);
        }
        cr_assert_eq(weft_await(t, WEFT_FOREVER), 0);
        weft_task_unref(t);
        finish(pool);
        cr_assert_eq(atomic_load(work), 3);
}
