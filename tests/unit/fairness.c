/* SPDX-License-Identifier: MIT
 *
 * How long a task that was handed in from outside waits at most, counted in what its pool does
 * meanwhile (pool.h, "Order"). The one worker is busy without end; at some moment it is held while
 * the test hands tasks in, so that the count begins exactly then.
 */
#include "pool_help.h"

enum {
        OWN = 122,        /* of its own tasks before one from outside, as pool.h says */
        LANES = 8,        /* groups of threads outside, of which each has its turn... */
        BATCH = 32,       /* ...for so many tasks */
        HANDED_IN = 3,    /* tasks, at that moment */
        BEGIN = 1000,     /* what the worker has done until then */
        ENOUGH = 3 << 20, /* what it does at most, so that a test that fails ends */
};

/* ---- among those from outside ---------------------------------------------------------------- */

static struct {
        weft_pool *pool;
        int tasks; /* of each thread */
        int ran;   /* by the one worker, all of it */
        int ran_of[LANES];
        int overtaken; /* by how much the worst of them has missed its bound */
} crowd;

/* Before the n-th task of a thread at most n / BATCH + 1 batches of each lane. */
static int note_place(void *thread)
{
        int n = crowd.ran_of[N(thread)]++, most = (n / BATCH + 1) * LANES * BATCH;
        if (crowd.ran - most > crowd.overtaken)
                crowd.overtaken = crowd.ran - most;
        crowd.ran++;
        return 0;
}

static void *hand_in_many(void *thread)
{
        for (int i = 0; i < crowd.tasks; i++)
                CHECK(weft_submit(crowd.pool, note_place, thread) == 0);
        return NULL;
}

Test(fairness, each_thread_has_its_turn_whatever_the_others_have_handed_in, .timeout = 60)
{
        struct plug plug;
        crowd.tasks = SLOW_BUILD ? 600 : 3000;
        crowd.pool = begin(1);
        plug_in(&plug, crowd.pool, 1);
        for (int i = 0; i < LANES; i++) {
                pthread_t thread;
                cr_assert_eq(pthread_create(&thread, NULL, hand_in_many, V(i)), 0);
                pthread_join(thread, NULL);
        }
        plug_out(&plug);
        finish(crowd.pool);
        cr_assert_eq(crowd.ran, LANES * crowd.tasks);
        cr_assert_eq(crowd.overtaken, 0, "%d too many ran before one of them", crowd.overtaken);
}
