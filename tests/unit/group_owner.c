/* SPDX-License-Identifier: MIT
 *
 * Whose a group is: of the task that opened it, and what becomes of it when that one ends, has been
 * cancelled, is in a WEFT_SHIELD block, or somebody else opens it; and all of this at the same time
 * as others cancel and leave.
 */
#include "group_help.h"

#include "context/memory.h"

/* ---- whose it is ----------------------------------------------------------------------------- */

static int open_and_end(void *arg)
{
        struct seen *s = arg;
        CHECK(weft_group_spawn(s->group, wait_event, s) == 0);
        return 3;
}

Test(group_owner, an_owner_that_ended_leaves_the_group_alone, .timeout = 30)
{
        for (int kind = 0; kind < KINDS; kind++) {
                weft_pool *pool = begin_kind(kind);
                struct seen seen;
                weft_group *g = malloc(sizeof(*g));

                seen_init(&seen);
                seen.group = g;
                cr_assert_eq(weft_group_init(g, pool), 0);
                weft_task *t = spawn(pool, open_and_end, &seen);
                cr_assert_eq(weft_await(t, WEFT_FOREVER), 3);
                cr_assert_eq(weft_task_cancel(t), -EALREADY);
                weft_task_unref(t);
                cr_assert_eq(weft_group_wait(g, in_ms(10)), -ETIMEDOUT);
                weft_event_set(&seen.event);
                cr_assert_eq(weft_group_wait(g, WEFT_FOREVER), 0);
                cr_assert_eq(atomic_load(&seen.cancelled), 0);
                weft_group_fini(g);
                free(g);
                finish(pool);
        }
}

static int wait_for_group(void *arg)
{
        struct seen *s = arg;
        atomic_fetch_add(&s->ended, 1);
        return weft_group_wait(s->group, WEFT_FOREVER);
}

Test(group_owner, one_that_a_thread_outside_opened_belongs_to_nobody, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct seen seen;
        weft_group g;

        seen_init(&seen);
        seen.group = &g;
        cr_assert_eq(weft_group_init(&g, pool), 0);
        cr_assert_eq(weft_group_spawn(&g, wait_event, &seen), 0);
        weft_task *opens_nothing = spawn(pool, open_and_end, &seen);
        cr_assert_eq(join(opens_nothing), 3);
        weft_task *waits = spawn(pool, wait_for_group, &seen);
        cr_assert(reaches(&seen.started, 2));
        cr_assert_eq(weft_task_cancel(waits), 0);
        cr_assert_eq(join(waits), -ECANCELED, "only its own wait ends");
        cr_assert_eq(weft_group_wait(&g, in_ms(5)), -ETIMEDOUT);
        weft_event_set(&seen.event);
        cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), 0);
        weft_group_fini(&g);
        finish(pool);
}

/* Opens the group, sees its task come and go, and stays. On one worker: when this one runs again
 * after the other has, that one has left. */
static int open_and_stay(void *arg)
{
        struct seen *s = arg;
        CHECK(weft_group_spawn(s->group, count_up, &s->ended) == 0);
        while (atomic_load(&s->ended) == 0)
                CHECK(weft_yield() == 0);
        atomic_fetch_add(&s->started, 1);
        int r = weft_event_wait(&s->event, WEFT_FOREVER);
        if (r == 0) { /* opens it again */
                CHECK(weft_group_spawn(s->group, sleep_long, s) == 0);
                r = weft_sleep_until(WEFT_FOREVER);
        }
        return r;
}

static int open_by_a_sleeper(void *arg)
{
        struct seen *s = arg;
        CHECK(weft_group_spawn(s->group, sleep_long, s) == 0);
        return weft_event_wait(&s->event, WEFT_FOREVER);
}

Test(group_owner, whoever_opens_it_again_is_the_owner, .timeout = 30)
{
        enum { BY_ANOTHER, BY_A_THREAD, BY_THE_SAME, WAYS };
        for (int how = 0; how < WAYS; how++) {
                weft_pool *pool = begin(1);
                struct seen first, second;
                weft_task *two = NULL;
                weft_group g;

                seen_init(&first);
                seen_init(&second);
                first.group = second.group = &g;
                cr_assert_eq(weft_group_init(&g, pool), 0);
                weft_task *one = spawn(pool, open_and_stay, &first);
                cr_assert(reaches(&first.started, 1));
                if (how == BY_ANOTHER)
                        two = spawn(pool, open_by_a_sleeper, &second);
                else if (how == BY_A_THREAD)
                        cr_assert_eq(weft_group_spawn(&g, sleep_long, &second), 0);
                else
                        weft_event_set(&first.event);
                cr_assert(reaches(how == BY_THE_SAME ? &first.started : &second.started,
                                  how == BY_THE_SAME ? 2 : 1));

                cr_assert_eq(weft_task_cancel(one), 0);
                cr_assert_eq(join(one), -ECANCELED);
                if (how != BY_THE_SAME) {
                        cr_assert_eq(weft_group_wait(&g, in_ms(5)), -ETIMEDOUT);
                        cr_assert_eq(atomic_load(&second.cancelled), 0);
                        cr_assert_eq(two ? weft_task_cancel(two) : weft_group_cancel(&g), 0);
                        cr_assert(!two || join(two) == -ECANCELED);
                }
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
                weft_group_fini(&g);
                finish(pool);
        }
}

/* ---- a task that has been cancelled ---------------------------------------------------------- */

static int open_when_cancelled(void *arg)
{
        struct seen *s = arg;
        weft_group g, shielded;
        int result = 1;
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        CHECK(weft_group_init(&g, NULL) == 0);
        CHECK(weft_group_spawn_into(&g, &result, never, NULL) == -ECANCELED);
        CHECK(result == 1);
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == -ECANCELED);
        weft_group_fini(&g);

        CHECK(weft_group_init(&shielded, NULL) == 0);
        WEFT_SHIELD {
                CHECK(weft_group_spawn_into(&shielded, &result, give, V(6)) == 0);
                CHECK(weft_group_wait(&shielded, WEFT_FOREVER) == 0);
                CHECK(result == 6);
        }
        CHECK(weft_group_spawn(&shielded, never, NULL) == -ECANCELED); /* opened outside of it */
        weft_group_fini(&shielded);
        atomic_store(&s->ended, 1);
        return 0;
}

Test(group_owner, a_cancelled_task_opens_none_but_in_a_shield, .timeout = 30)
{
        for (int kind = 0; kind < KINDS; kind++) {
                weft_pool *pool = begin_kind(kind);
                struct seen seen;
                seen_init(&seen);
                cr_assert_eq(join(spawn(pool, open_when_cancelled, &seen)), 0);
                cr_assert_eq(atomic_load(&seen.ended), 1);
                finish(pool);
        }
}

static int open_in_a_shield(void *arg)
{
        struct seen *s = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        WEFT_SHIELD {
                CHECK(weft_group_spawn(&g, wait_event, s) == 0);
                CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0);
        }
        weft_group_fini(&g);
        return weft_cancelled();
}

static int open_before_a_shield(void *arg)
{
        struct seen *s = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        CHECK(weft_group_spawn(&g, wait_event, s) == 0);
        WEFT_SHIELD {
                CHECK(weft_group_wait(&g, WEFT_FOREVER) == -ECANCELED); /* the group's own end */
                CHECK(atomic_load(&s->ended) == 1);
        }
        weft_group_fini(&g);
        return weft_cancelled();
}

Test(group_owner, a_shield_protects_what_is_opened_in_it, .timeout = 30)
{
        for (int before = 0; before < 2; before++) {
                weft_pool *pool = begin(1);
                struct seen seen;
                seen_init(&seen);
                weft_task *t = spawn(pool, before ? open_before_a_shield : open_in_a_shield, &seen);
                cr_assert(reaches(&seen.started, 1));
                cr_assert_eq(weft_task_cancel(t), 0);
                if (!before) {
                        cr_assert_eq(weft_await(t, in_ms(10)), -ETIMEDOUT);
                        weft_event_set(&seen.event);
                }
                cr_assert_eq(join(t), -ECANCELED);
                cr_assert_eq(atomic_load(&seen.cancelled), before);
                finish(pool);
        }
}

/* ---- races ----------------------------------------------------------------------------------- */

static int brief(void *arg)
{
        atomic_fetch_add(&(*(struct seen **)arg)->started, 1);
        return 0;
}

static int brief_open(void *arg)
{
        struct seen *s = *(struct seen **)arg;
        weft_group *g = malloc(sizeof(*g));
        CHECK(weft_group_init(g, NULL) == 0);
        for (int i = 0; i < 2; i++)
                if (weft_group_spawn_closure(g, brief, &s, sizeof(struct seen *), drop_seen) == 0)
                        atomic_fetch_add(&s->ended, 1);
        if (atomic_load(&s->started) % 2)
                weft_group_wait(g, WEFT_FOREVER);
        weft_group_fini(g);
        memset(g, 0xa5, sizeof(*g)); /* nobody may look at it now */
        free(g);
        return 0;
}

/* Opens groups of groups again and again; the storage of each goes at once. */
static int open_again_and_again(void *arg)
{
        struct seen *s = arg;
        for (int i = 0; i < 20; i++) {
                weft_group *g = malloc(sizeof(*g));
                CHECK(weft_group_init(g, NULL) == 0);
                for (int k = 0; k < 1 + i % 3; k++)
                        if (weft_group_spawn_closure(g, k ? brief : brief_open, &s, sizeof(s),
                                                     drop_seen) == 0)
                                atomic_fetch_add(&s->ended, 1);
                int r = i % 2 ? weft_group_wait(g, WEFT_FOREVER) : 0;
                CHECK(r == 0 || r == -ECANCELED);
                weft_group_fini(g);
                memset(g, 0xa5, sizeof(*g));
                free(g);
        }
        return weft_cancelled();
}

Test(group_owner, cancel_against_the_last_to_leave, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 100 : 1500 };
        for (int kind = 0; kind < KINDS; kind++) {
                weft_pool *pool = begin_kind(kind);
                for (int round = 0; round < ROUNDS; round++) {
                        struct seen seen;
                        seen_init(&seen);
                        weft_task *t = spawn(pool, open_again_and_again, &seen);
                        for (volatile int spin = rand() % 5000; spin > 0; spin--)
                                ;
                        int r = weft_task_cancel(t);
                        cr_assert(r == 0 || r == -EALREADY);
                        int result = join(t);
                        cr_assert(result == 0 || result == -ECANCELED);
                        cr_assert_eq(atomic_load(&seen.dropped), atomic_load(&seen.ended),
                                     "each was dropped once");
                }
                finish(pool);
        }
}

struct shared {
        weft_group group;
        atomic_int spawned, dropped;
        weft_task *opener[2];
};

static void drop_shared(void *args)
{
        atomic_fetch_add(&(*(struct shared **)args)->dropped, 1);
}

static int nothing_shared(void *args)
{
        (void)args;
        return 0;
}

static int open_shared(void *arg)
{
        struct shared *s = arg;
        for (int i = 0; i < 20; i++) {
                if (weft_group_spawn_closure(&s->group, nothing_shared, &s, sizeof(s),
                                             drop_shared) == 0)
                        atomic_fetch_add(&s->spawned, 1);
                if (i % 4 == 0)
                        weft_group_wait(&s->group, WEFT_FOREVER);
                if (i % 7 == 0)
                        weft_yield();
        }
        return 0;
}

/* Two tasks and a thread open one group in turn, while the tasks are cancelled and end. */
Test(group_owner, changing_hands_against_cancel_and_end, .timeout = 60)
{
        enum { ROUNDS = SLOW_BUILD ? 100 : 1500 };
        for (int kind = 0; kind < KINDS; kind++) {
                weft_pool *pool = begin_kind(kind);
                for (int round = 0; round < ROUNDS; round++) {
                        struct shared *s = calloc(1, sizeof(*s));
                        cr_assert_eq(weft_group_init(&s->group, pool), 0);
                        for (int i = 0; i < 2; i++)
                                s->opener[i] = spawn(pool, open_shared, s);
                        for (volatile int spin = rand() % 3000; spin > 0; spin--)
                                ;
                        if (round % 3)
                                open_shared(s);
                        weft_task_cancel(s->opener[round % 2]);
                        for (int i = 0; i < 2; i++) {
                                int r = join(s->opener[i]);
                                cr_assert(r == 0 || r == -ECANCELED); /* before it started */
                        }
                        weft_group_fini(&s->group);
                        cr_assert_eq(atomic_load(&s->dropped), atomic_load(&s->spawned));
                        memset(s, 0xa5, sizeof(*s));
                        free(s);
                }
                finish(pool);
        }
}

/* ---- no memory ------------------------------------------------------------------------------- */

static _Thread_local bool no_memory;

static int fails(size_t size)
{
        (void)size;
        return no_memory;
}

static int open_without_memory(void *arg)
{
        struct seen *s = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        no_memory = true;
        CHECK(weft_group_spawn(&g, never, NULL) == -ENOMEM);
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == 0);
        no_memory = false;
        CHECK(weft_group_spawn(&g, sleep_long, s) == 0);
        while (atomic_load(&s->started) == 0)
                CHECK(weft_yield() == 0);
        no_memory = true; /* to cancel takes none */
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        no_memory = false;
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == -ECANCELED);
        weft_group_fini(&g);
        return 0;
}

Test(group_owner, without_memory_a_group_is_not_opened_but_cancelled, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct seen seen;
        seen_init(&seen);
        weft__alloc_fails = fails;
        cr_assert_eq(join(spawn(pool, open_without_memory, &seen)), 0);
        cr_assert_eq(atomic_load(&seen.cancelled), 1);
        finish(pool);
        weft__alloc_fails = NULL;
}
