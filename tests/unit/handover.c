/* SPDX-License-Identifier: MIT
 *
 * A task that awaits what it has just spawned: that begins at once, on another stack, and its
 * parent is no waiter until it lets others go on. All of it on one worker, where the order is
 * certain.
 */
#include "pool_help.h"

static weft_pool *one_worker(void)
{
        skip_unless_workers(1);
        return begin(1);
}

/* ---- order, and what each side has ----------------------------------------------------------- */

static char order[64];

static void note(const char *what)
{
        strncat(order, what, sizeof(order) - strlen(order) - 1);
}

static int other(void *what)
{
        note(what);
        return 0;
}

static int child_notes(void *arg)
{
        note("c");
        return N(arg);
}

static int parent_of_newest(void *unused)
{
        (void)unused;
        weft_submit(NULL, other, "o");
        weft_task *child = spawn(NULL, child_notes, V(7));
        note("p");
        CHECK(join(child) == 7);
        note("q");
        return 0;
}

Test(handover, begins_the_awaited_task_before_what_was_queued_earlier, .timeout = 30)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(join(spawn(pool, parent_of_newest, NULL)), 0);
        finish(pool);
        cr_assert_str_eq(order, "pcqo");
}

static weft_var name = WEFT_VAR_INIT("name");

static int child_sets(void *unused)
{
        (void)unused;
        CHECK(weft_get(&name) == V(1));
        weft_set(&name, V(2), NULL);
        errno = 5;
        return 0;
}

static int parent_sets(void *unused)
{
        (void)unused;
        weft_set(&name, V(1), NULL);
        weft_task *child = spawn(NULL, child_sets, NULL);
        weft_set(&name, V(3), NULL);
        errno = 4;
        CHECK(join(child) == 0);
        CHECK(*errno_now() == 4);
        CHECK(weft_get(&name) == V(3));
        return 0;
}

Test(handover, keeps_contexts_and_errno_apart, .timeout = 30)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(join(spawn(pool, parent_sets, NULL)), 0);
        finish(pool);
}

/* ---- a child that lets others go on ---------------------------------------------------------- */

static weft_event gate;
static weft_task *parent;

static int child_waits(void *arg)
{
        note("c");
        int r = weft_event_wait(&gate, WEFT_FOREVER);
        note("d");
        return r < 0 ? r : N(arg);
}

static int parent_of_waiting(void *unused)
{
        (void)unused;
        int r = join(spawn(NULL, child_waits, V(6)));
        note("q");
        return r;
}

static int opens_gate(void *unused)
{
        (void)unused;
        note("o");
        weft_event_set(&gate);
        return 0;
}

Test(handover, the_parent_of_one_that_waits_is_woken_by_its_end, .timeout = 30)
{
        weft_pool *pool = one_worker();
        weft_event_init(&gate);
        weft_task *task = spawn(pool, parent_of_waiting, NULL);
        cr_assert_eq(weft_submit(pool, opens_gate, NULL), 0);
        cr_assert_eq(join(task), 6);
        finish(pool);
        cr_assert_str_eq(order, "codq");
}

static int grandparent_of_waiting(void *unused)
{
        (void)unused;
        return join(spawn(NULL, parent_of_waiting, NULL)) + 1;
}

Test(handover, so_is_each_of_a_chain, .timeout = 30)
{
        weft_pool *pool = one_worker();
        weft_event_init(&gate);
        weft_task *task = spawn(pool, grandparent_of_waiting, NULL);
        cr_assert_eq(weft_submit(pool, opens_gate, NULL), 0);
        cr_assert_eq(join(task), 7);
        finish(pool);
        cr_assert_str_eq(order, "codq");
}

static int child_yields(void *unused)
{
        (void)unused;
        note("c");
        for (int i = 0; i < 3; i++)
                CHECK(weft_yield() == 0);
        note("d");
        return 9;
}

static int parent_of_yielding(void *unused)
{
        (void)unused;
        weft_submit(NULL, other, "o");
        CHECK(join(spawn(NULL, child_yields, NULL)) == 9);
        note("q");
        return 0;
}

Test(handover, a_child_that_yields_lets_others_go_on, .timeout = 30)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(join(spawn(pool, parent_of_yielding, NULL)), 0);
        finish(pool);
        cr_assert_str_eq(order, "codq");
}

/* ---- cancelling the parent ------------------------------------------------------------------- */

static weft_task *waiting_child;

/* Run the parent, which others know of before it begins, and behind it another task, or NULL; the
 * parent's result. */
static int run_known(weft_pool *pool, weft_fn *fn, weft_fn *behind)
{
        struct plug plug;
        weft_event_init(&gate);
        plug_in(&plug, pool, 1);
        parent = spawn(pool, fn, NULL);
        if (behind)
                cr_assert_eq(weft_submit(pool, behind, NULL), 0);
        plug_out(&plug);
        return join(parent);
}

static int cancelled_parent(void *unused)
{
        (void)unused;
        waiting_child = spawn(NULL, child_waits, V(6));
        int r = weft_await(waiting_child, WEFT_FOREVER);
        note("q");
        return r;
}

static int cancels_parent(void *unused)
{
        (void)unused;
        CHECK(weft_task_cancel(parent) == 0);
        note("x");
        return 0;
}

Test(handover, a_parent_that_is_cancelled_while_the_child_waits_goes_on, .timeout = 30)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(run_known(pool, cancelled_parent, cancels_parent), -ECANCELED);
        weft_event_set(&gate);
        cr_assert_eq(join(waiting_child), 6);
        finish(pool);
        cr_assert_str_eq(order, "cxqd");
}

static int child_cancels_and_waits(void *unused)
{
        CHECK(weft_task_cancel(parent) == 0);
        return child_waits(unused);
}

static int parent_cancelled_by_child(void *unused)
{
        (void)unused;
        waiting_child = spawn(NULL, child_cancels_and_waits, V(6));
        int r = weft_await(waiting_child, WEFT_FOREVER);
        note("q");
        return r;
}

/* The mark is there before the parent becomes a waiter, so that nobody will wake it. */
Test(handover, a_parent_that_was_cancelled_before_the_child_waited_goes_on, .timeout = 30)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(run_known(pool, parent_cancelled_by_child, NULL), -ECANCELED);
        weft_event_set(&gate);
        cr_assert_eq(join(waiting_child), 6);
        finish(pool);
        cr_assert_str_eq(order, "cqd");
}

static int child_cancels_and_ends(void *arg)
{
        CHECK(weft_task_cancel(parent) == 0);
        return N(arg);
}

static int parent_of_one_that_cancels_it(void *unused)
{
        (void)unused;
        CHECK(join(spawn(NULL, child_cancels_and_ends, V(5))) == 5);
        CHECK(weft_cancelled() == -ECANCELED);
        return weft_yield();
}

Test(handover, a_result_that_is_there_comes_before_the_cancellation, .timeout = 30)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(run_known(pool, parent_of_one_that_cancels_it, NULL), -ECANCELED);
        finish(pool);
}

static int shielded_parent(void *unused)
{
        (void)unused;
        int r = -1;
        WEFT_SHIELD {
                r = join(spawn(NULL, child_cancels_and_waits, V(6)));
        }
        note("q");
        return r;
}

Test(handover, a_shielded_parent_waits_for_the_end, .timeout = 30)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(run_known(pool, shielded_parent, opens_gate), 6);
        finish(pool);
        cr_assert_str_eq(order, "codq");
}

static int waits_for_ever(void *unused)
{
        (void)unused;
        return weft_event_wait(&gate, WEFT_FOREVER);
}

static sem_t waits;

static int tells_and_awaits(void *unused)
{
        (void)unused;
        weft_task *child = spawn(NULL, waits_for_ever, NULL);
        sem_post(&waits);
        CHECK(join(child) == -ECANCELED);
        CHECK(weft_cancelled() == -ECANCELED);
        return 3;
}

Test(handover, a_cancelled_pool_ends_both, .timeout = 30)
{
        weft_pool *pool = one_worker();
        weft_event_init(&gate);
        sem_init(&waits, 0, 0);
        weft_task *task = spawn(pool, tells_and_awaits, NULL);
        plug__wait(&waits);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, in_ms(10000)), 0);
        cr_assert_eq(join(task), 3);
        finish(pool);
}

/* ---- a deadline, and others' turn ------------------------------------------------------------ */

static int parent_with_deadline(void *unused)
{
        (void)unused;
        weft_task *child = spawn(NULL, waits_for_ever, NULL);
        CHECK(weft_await(child, in_ms(20)) == -ETIMEDOUT);
        weft_event_set(&gate);
        CHECK(join(child) == 0);
        return 0;
}

Test(handover, a_deadline_ends_the_wait, .timeout = 30)
{
        weft_pool *pool = one_worker();
        weft_event_init(&gate);
        cr_assert_eq(join(spawn(pool, parent_with_deadline, NULL)), 0);
        finish(pool);
}

static int rounds, rounds_until_timer = -1, rounds_until_other = -1;

static int timer_fires(void *unused)
{
        (void)unused;
        rounds_until_timer = rounds;
        return 0;
}

static int other_runs(void *unused)
{
        (void)unused;
        rounds_until_other = rounds;
        return 0;
}

static int spawns_and_awaits_on(void *unused)
{
        (void)unused;
        weft_task *timer;
        CHECK(weft_spawn_at(NULL, &timer, weft_now() + 1, 0, timer_fires, NULL) == 0);
        weft_task_unref(timer);
        CHECK(weft_submit(NULL, other_runs, NULL) == 0);
        for (rounds = 0; rounds < 20000; rounds++)
                CHECK(join(spawn(NULL, nothing, NULL)) == 0);
        return 0;
}

/* What the loop looks at now and then is looked at, and the oldest task has its turn, though the
 * worker has an awaited one to begin each time. */
Test(handover, one_after_the_other_starves_nobody, .timeout = 60)
{
        weft_pool *pool = one_worker();
        cr_assert_eq(join(spawn(pool, spawns_and_awaits_on, NULL)), 0);
        finish(pool);
        cr_assert(rounds_until_timer >= 0 && rounds_until_timer <= 4 * 61, "timer: %d",
                  rounds_until_timer);
        cr_assert(rounds_until_other >= 0 && rounds_until_other <= 4 * 61 * 61, "other: %d",
                  rounds_until_other);
}

/* ---- thieves and cancellers of the child ----------------------------------------------------- */

static int child_of_many(void *arg)
{
        return N(arg) & 0xff;
}

static int parent_of_many(void *unused)
{
        (void)unused;
        for (int i = 0; i < (SLOW_BUILD ? 2000 : 20000); i++) {
                weft_task *child = spawn(NULL, child_of_many, V(i));
                bool cancels = i % 16 == 7;
                if (cancels)
                        weft_task_cancel(child);
                int r = join(child);
                CHECK(r == (i & 0xff) || (cancels && r == -ECANCELED));
        }
        return 0;
}

Test(handover, each_is_run_once_whoever_is_quicker, .timeout = 120)
{
        weft_pool *pool = begin(4);
        weft_task *task[4];
        for (int i = 0; i < 4; i++)
                task[i] = spawn(pool, parent_of_many, NULL);
        for (int i = 0; i < 4; i++)
                cr_assert_eq(join(task[i]), 0);
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        cr_assert_eq(weft_pool_stats(pool, &stats), 0);
        cr_assert_eq(stats.submitted, stats.run + stats.cancelled);
        finish(pool);
}
