/* SPDX-License-Identifier: MIT
 *
 * OpenMP: the blocks of parallel regions and tasks are in the context that they were given, keep
 * their sets to themselves, and leave their threads as they were.
 */
#include <omp.h>
#include <sched.h>
#include <stdlib.h>

#include <weft/adapt/openmp.h>

#include "check.h"

enum { THREADS = 4, TASKS = 300 };

static char *who[] = {ada, grace, nobody};
static int entered;

static void count(void)
{
        __atomic_add_fetch(&entered, 1, __ATOMIC_SEQ_CST);
}

static void nothing_is_left(void)
{
#pragma omp parallel num_threads(THREADS)
        {
                CHECK(is(nobody));
        }
        CHECK(held() == 0);
}

static void regions(void)
{
        entered = 0;
        WEFT_WITH (&user, ada) {
                weft_context *context = weft_context_capture();
                for (int i = 0; i < 20; i++) {
#pragma omp parallel num_threads(THREADS)
                        WEFT_OMP_IN (context) {
                                CHECK(is(ada));
                                weft_set(&user, who[omp_get_thread_num() % 3], NULL);
                                weft_set(&kept, ada, NULL);
                                count();
#pragma omp barrier
                                CHECK(is(who[omp_get_thread_num() % 3]));
                        }
                        CHECK(is(ada)); /* also of the thread that began it */
                        CHECK(held() == 0);
                }
                weft_context_unref(context);
        }
        CHECK(entered == 20 * THREADS);
        nothing_is_left();
}

static void loops(void)
{
        entered = 0;
        weft_context *context = NULL;
        WEFT_WITH (&user, ada)
                context = weft_context_capture();
#pragma omp parallel num_threads(THREADS)
        WEFT_OMP_IN (context) {
#pragma omp for schedule(dynamic)
                for (int i = 0; i < 1000; i++) {
                        CHECK(is(ada));
                        count();
                }
        }
#pragma omp parallel for num_threads(THREADS)
        for (int i = 0; i < 1000; i++) {
                WEFT_OMP_IN (context) {
                        CHECK(is(ada));
                        count();
                        if (i % 2)
                                break; /* leaves the block */
                        weft_set(&user, grace, NULL);
                }
        }
        weft_context_unref(context);
        CHECK(entered == 2000);
        nothing_is_left();
}

static void spawn(int i)
{
        WEFT_WITH (&user, who[i % 3]) {
                WEFT_WITH (&kept, ada) {
                        weft_context *each = weft_context_capture();
#pragma omp task firstprivate(each, i)
                        WEFT_OMP_TAKE (each) {
                                CHECK(is(who[i % 3]));
                                if (i % 5 == 0)
                                        sched_yield();
                                weft_set(&user, ada, NULL);
                                count();
                        }
                }
        }
}

static void tasks(void)
{
        entered = 0;
#pragma omp parallel num_threads(THREADS)
#pragma omp single
        for (int i = 0; i < TASKS; i++)
                spawn(i);
        CHECK(entered == TASKS);
        nothing_is_left();
}

/* A task waits for its children, some of which run on its own thread meanwhile. */
static void tree(int depth, int i)
{
        if (depth == 0) {
                count();
                return;
        }
        for (int child = 0; child < 3; child++) {
                WEFT_WITH (&user, who[child]) {
                        weft_context *each = weft_context_capture();
#pragma omp task firstprivate(each, child)
                        WEFT_OMP_TAKE (each) {
                                CHECK(is(who[child]));
                                tree(depth - 1, child);
                                CHECK(is(who[child]));
                        }
                }
        }
        CHECK(is(who[i]));
#pragma omp taskwait
        CHECK(is(who[i]));
}

static void nested_tasks(void)
{
        entered = 0;
#pragma omp parallel num_threads(THREADS)
#pragma omp single
        WEFT_WITH (&user, ada)
                tree(5, 0);
        CHECK(entered == 3 * 3 * 3 * 3 * 3);
        nothing_is_left();
}

static bool cancels;

/* Tasks that borrow: one that OpenMP throws away holds nothing. */
static void cancelled_tasks(void)
{
        entered = 0;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada) {
                        weft_context *context = weft_context_capture();
#pragma omp parallel num_threads(THREADS)
#pragma omp single
#pragma omp taskgroup
                        for (int i = 0; i < TASKS; i++) {
#pragma omp task firstprivate(context)
                                WEFT_OMP_IN (context) {
                                        CHECK(is(ada));
                                        CHECK(held() == 1);
                                        count();
#pragma omp cancel taskgroup
                                        CHECK(!cancels); /* left by the cancellation */
                                }
                        }
                        weft_context_unref(context);
                }
        }
        CHECK(cancels ? entered >= 1 && entered < TASKS : entered == TASKS);
        nothing_is_left();
}

static void cancelled_region(void)
{
        WEFT_WITH (&user, ada) {
                weft_context *context = weft_context_capture();
#pragma omp parallel num_threads(THREADS)
                WEFT_OMP_IN (context) {
                        CHECK(is(ada));
                        weft_set(&kept, ada, NULL);
#pragma omp cancel parallel
                        CHECK(!cancels);
                }
                weft_context_unref(context);
                CHECK(is(ada));
        }
        nothing_is_left();
}

/* C++: an exception that is caught within the region leaves the block. */
#if defined(__cplusplus)
static void exceptions(void)
{
        entered = 0;
        WEFT_WITH (&user, ada) {
                weft_context *context = weft_context_capture();
#pragma omp parallel num_threads(THREADS)
                {
                        weft_set(&user, grace, NULL);
                        try {
                                WEFT_OMP_IN (context) {
                                        CHECK(is(ada));
                                        weft_set(&kept, ada, NULL);
                                        throw 1;
                                }
                        } catch (int) {
                                CHECK(is(grace));
                                count();
                        }
                        weft_context_unref(weft_context_swap(NULL));
                }
                weft_set(&user, ada, NULL);
                weft_context_unref(context);
        }
        CHECK(entered == THREADS);
        nothing_is_left();
}
#endif

static const struct test tests[] = {
    {"the threads of a parallel region", regions},
    {"loops", loops},
    {"tasks", tasks},
    {"tasks that wait for tasks", nested_tasks},
    {"a task group that is cancelled", cancelled_tasks},
    {"a region that is cancelled", cancelled_region},
#if defined(__cplusplus)
    {"exceptions", exceptions},
#endif
};

int main(void)
{
        omp_set_dynamic(0);
        cancels = omp_get_cancellation();
        const char *wanted = getenv("OMP_CANCELLATION");
        if (wanted && strcmp(wanted, "true") == 0 && !cancels)
                return 1;
        return RUN_TESTS(tests);
}
