/* SPDX-License-Identifier: MIT
 *
 * Cancellation goes down: from a task to the groups it has opened, to their tasks, and so on, in
 * other pools too. What cleans up, and where. Whose a group is: see group_owner.c.
 */
#include "group_help.h"

/* ---- down ------------------------------------------------------------------------------------ */

/* A tree of groups: each task opens one of two tasks, and the leaves sleep. */
struct level {
        struct seen *seen;
        int depth;
};

static int branch(void *arg)
{
        const struct level *level = arg;
        struct level below = {level->seen, level->depth - 1};
        weft_group g;
        if (level->depth == 0)
                return sleep_long(level->seen);
        CHECK(weft_group_init(&g, NULL) == 0);
        for (int i = 0; i < 2; i++)
                CHECK(weft_group_spawn_closure(&g, branch, &below, sizeof(below), NULL) == 0);
        int r = weft_group_wait(&g, WEFT_FOREVER);
        CHECK(r == -ECANCELED);
        weft_group_fini(&g);
        atomic_fetch_add(&level->seen->ended, 1);
        return r;
}

Test(group_nested, three_deep_all_are_told, .timeout = 60)
{
        for (int kind = 0; kind < KINDS; kind++) {
                for (int how = 0; how < 2; how++) {
                        weft_pool *pool = begin_kind(kind);
                        struct seen seen;
                        struct level top = {&seen, 3};
                        weft_group g;
                        weft_task *t = NULL;

                        seen_init(&seen);
                        cr_assert_eq(weft_group_init(&g, pool), 0);
                        if (how)
                                t = spawn(pool, branch, &top);
                        else
                                cr_assert_eq(weft_group_spawn(&g, branch, &top), 0);
                        cr_assert(reaches(&seen.started, 8));
                        cr_assert_eq(how ? weft_task_cancel(t) : weft_group_cancel(&g), 0);
                        cr_assert_eq(how ? join(t) : weft_group_wait(&g, WEFT_FOREVER), -ECANCELED);
                        cr_assert_eq(atomic_load(&seen.cancelled), 8);
                        cr_assert_eq(atomic_load(&seen.ended), 7);
                        weft_group_fini(&g);
                        finish(pool);
                }
        }
}

/* The error of a leaf ends its group; that this is an error of the one above is for it to say. */
static int fail_below(void *arg)
{
        struct seen *s = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        CHECK(weft_group_spawn(&g, sleep_long, s) == 0);
        CHECK(weft_group_spawn(&g, give, V(-EIO)) == 0);
        int r = weft_group_wait(&g, WEFT_FOREVER);
        weft_group_fini(&g);
        return r;
}

Test(group_nested, an_error_goes_up_and_the_cancellation_down, .timeout = 30)
{
        for (int kind = 0; kind < KINDS; kind++) {
                weft_pool *pool = begin_kind(kind);
                struct seen seen;
                struct level two = {&seen, 2};
                weft_group g;

                seen_init(&seen);
                cr_assert_eq(weft_group_init(&g, pool), 0);
                cr_assert_eq(weft_group_spawn_closure(&g, branch, &two, sizeof(two), NULL), 0);
                cr_assert(reaches(&seen.started, 4));
                cr_assert_eq(weft_group_spawn(&g, fail_below, &seen), 0);
                cr_assert_eq(weft_group_wait(&g, WEFT_FOREVER), -EIO);
                cr_assert_geq(atomic_load(&seen.cancelled), 4);
                weft_group_fini(&g);
                finish(pool);
        }
}

/* A chain of groups, each of one task, which opens the next. */
struct chain {
        struct seen *seen;
        int left;
};

static int link_of(void *arg)
{
        const struct chain *c = arg;
        struct chain next = {c->seen, c->left - 1};
        weft_group g;
        if (c->left == 0)
                return sleep_long(c->seen);
        CHECK(weft_group_init(&g, NULL) == 0);
        CHECK(weft_group_spawn(&g, link_of, &next) == 0);
        int r = weft_group_wait(&g, WEFT_FOREVER);
        CHECK(r == -ECANCELED);
        weft_group_fini(&g);
        return r;
}

static int cancel_task(void *task)
{
        return weft_task_cancel(task);
}

Test(group_nested, a_chain_of_a_thousand_from_outside_and_from_a_small_stack, .timeout = 60)
{
        enum { DEPTH = 1000 };
        for (int kind = 0; kind < KINDS; kind++) {
                weft_pool *pool = begin_kind(kind), *small = NULL;
                weft_pool_options o = {
                    .size = sizeof(o), .workers = 1, .stack_size = (size_t)64 * 1024};

                cr_assert_eq(weft_pool_create(&small, &o), 0);
                for (int how = 0; how < 2; how++) {
                        struct seen seen;
                        struct chain chain = {&seen, DEPTH};

                        seen_init(&seen);
                        weft_task *t = spawn(pool, link_of, &chain);
                        cr_assert(reaches(&seen.started, 1));
                        cr_assert_eq(how ? join(spawn(small, cancel_task, t)) : weft_task_cancel(t),
                                     0);
                        cr_assert_eq(join(t), -ECANCELED);
                        cr_assert_eq(atomic_load(&seen.cancelled), 1);
                }
                finish(small);
                finish(pool);
        }
}

/* Several groups of one task, and a busy one: it need not look for its groups to be told. */
static int open_three(void *arg)
{
        struct seen *s = arg;
        weft_group g[3];
        for (int i = 0; i < 3; i++) {
                CHECK(weft_group_init(&g[i], NULL) == 0);
                CHECK(weft_group_spawn(&g[i], sleep_long, s) == 0);
        }
        while (atomic_load(&s->started) < 3)
                CHECK(weft_yield() == 0);
        CHECK(weft_group_cancel(&g[1]) == 0);
        CHECK(weft_group_wait(&g[1], WEFT_FOREVER) == -ECANCELED); /* out of the middle */
        atomic_store(&s->ended, 1);
        while (atomic_load(&s->cancelled) < 3)
                WEFT_SHIELD {
                        CHECK(weft_yield() == 0);
                }
        for (int i = 0; i < 3; i++) {
                CHECK(i == 1 || weft_group_spawn(&g[i], never, NULL) == -ECANCELED);
                weft_group_fini(&g[i]);
        }
        return weft_cancelled();
}

Test(group_nested, a_task_that_does_not_look_has_its_groups_told, .timeout = 30)
{
        for (int kind = 0; kind < KINDS; kind++) {
                weft_pool *pool = begin_kind(kind);
                struct seen seen;
                seen_init(&seen);
                weft_task *t = spawn(pool, open_three, &seen);
                cr_assert(reaches(&seen.ended, 1));
                cr_assert_eq(weft_task_cancel(t), 0);
                cr_assert_eq(join(t), -ECANCELED);
                finish(pool);
        }
}

/* A task that nobody had a handle to when it opened its group. */
static int show_self_later(void *arg)
{
        struct seen *s = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        CHECK(weft_group_spawn(&g, sleep_long, s) == 0);
        weft_task *self = weft_task_current();
        CHECK(weft_task_cancel(self) == 0);
        CHECK(weft_group_wait(&g, WEFT_FOREVER) == -ECANCELED);
        weft_group_fini(&g);
        atomic_store(&s->ended, 1);
        return 0;
}

Test(group_nested, of_a_task_without_a_handle, .timeout = 30)
{
        weft_pool *pool = begin(2);
        struct seen seen;
        seen_init(&seen);
        cr_assert_eq(weft_submit(pool, show_self_later, &seen), 0);
        cr_assert(reaches(&seen.ended, 1));
        finish(pool);
}

/* ---- left early ------------------------------------------------------------------------------ */

static int leave_early(void *arg)
{
        struct seen *s = arg;
        __attribute__((cleanup(weft_group_fini))) weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        for (int i = 0; i < 3; i++)
                CHECK(weft_group_spawn(&g, wait_event, s) == 0);
        return weft_cancelled() ? weft_cancelled() : -EPIPE; /* an error of its own */
}

Test(group_nested, left_early_by_an_error_it_joins, .timeout = 30)
{
        for (int kind = 0; kind < KINDS; kind++) {
                for (int cancels = 0; cancels < 2; cancels++) {
                        weft_pool *pool = begin_kind(kind);
                        struct seen seen;

                        seen_init(&seen);
                        weft_task *t = spawn(pool, leave_early, &seen);
                        cr_assert(reaches(&seen.started, 3));
                        cr_assert_eq(weft_await(t, in_ms(20)), -ETIMEDOUT, "it joins");
                        if (cancels)
                                cr_assert_eq(weft_task_cancel(t), 0);
                        else
                                weft_event_set(&seen.event);
                        cr_assert_eq(join(t), -EPIPE);
                        cr_assert_eq(atomic_load(&seen.ended), 3);
                        cr_assert_eq(atomic_load(&seen.cancelled), cancels ? 3 : 0);
                        finish(pool);
                }
        }
}

/* ---- pools ----------------------------------------------------------------------------------- */

struct abroad {
        struct seen seen;
        weft_pool *other;
        bool waits;
};

static int open_abroad(void *arg)
{
        struct abroad *a = arg;
        weft_group g;
        CHECK(weft_group_init(&g, a->other) == 0);
        CHECK(weft_group_spawn(&g, sleep_long, &a->seen) == 0);
        if (a->waits)
                CHECK(weft_group_wait(&g, WEFT_FOREVER) == -ECANCELED);
        weft_group_fini(&g);
        return 0;
}

/* The tasks of the other pool are told by the one that has opened their group. */
Test(group_nested, a_pool_that_is_cancelled_reaches_what_its_tasks_have_in_others, .timeout = 30)
{
        for (int kind = 0; kind < KINDS; kind++) {
                for (int how = 0; how < 2; how++) {
                        weft_pool *pool = begin_kind(kind);
                        struct abroad a = {.other = begin(1), .waits = how};

                        seen_init(&a.seen);
                        cr_assert_eq(weft_submit(pool, open_abroad, &a), 0);
                        cr_assert(reaches(&a.seen.started, 1));
                        cr_assert_eq(weft_pool_shutdown(pool, WEFT_CANCEL, WEFT_FOREVER), 0);
                        cr_assert_eq(atomic_load(&a.seen.cancelled), 1);
                        finish(pool);
                        finish(a.other);
                }
        }
}

static int open_and_fail_to_wait(void *arg)
{
        struct abroad *a = arg;
        open_abroad(a);
        return weft_cancelled();
}

Test(group_nested, a_task_that_is_cancelled_reaches_other_pools, .timeout = 30)
{
        for (int how = 0; how < 2; how++) {
                weft_pool *pool = begin(1);
                struct abroad a = {.other = begin(2), .waits = how};

                seen_init(&a.seen);
                weft_task *t = spawn(pool, open_and_fail_to_wait, &a);
                cr_assert(reaches(&a.seen.started, 1));
                cr_assert_eq(weft_task_cancel(t), 0);
                cr_assert_eq(join(t), -ECANCELED);
                cr_assert_eq(atomic_load(&a.seen.cancelled), 1);
                finish(pool);
                finish(a.other);
        }
}

/* ---- cleaning up ----------------------------------------------------------------------------- */

static weft_var who = WEFT_VAR_INIT("who");

struct own_context {
        struct seen *seen;
        weft_task *owner;
        weft_group *group;
        int number;
};

/* The destructor of a task that never ran, in that task's context; and no lock is held: it may do
 * what it likes with those that are being cancelled. */
static void drop_in_context(void *args)
{
        struct own_context *c = args;
        int result;
        CHECK(N(weft_get(&who)) == c->number);
        CHECK(weft_task_cancel(c->owner) == 0);
        CHECK(weft_group_cancel(c->group) == 0);
        CHECK(weft_group_spawn_into(c->group, &result, never, NULL) == -ECANCELED);
        CHECK(weft_task_result(c->owner, &result) == -EINPROGRESS);
        atomic_fetch_add(&c->seen->dropped, 1);
}

static int clean_up_in_context(void *args)
{
        struct own_context *c = args;
        CHECK(N(weft_get(&who)) == c->number);
        WEFT_WITH (&who, V(c->number + 100)) {
                atomic_fetch_add(&c->seen->started, 1);
                CHECK(weft_sleep_until(WEFT_FOREVER) == -ECANCELED);
                CHECK(N(weft_get(&who)) == c->number + 100);
                WEFT_SHIELD {
                        CHECK(weft_sleep_until(in_ms(1)) == 0);
                        CHECK(N(weft_get(&who)) == c->number + 100);
                }
        }
        CHECK(N(weft_get(&who)) == c->number);
        atomic_fetch_add(&c->seen->ended, 1);
        return -ECANCELED;
}

static int open_with_contexts(void *arg)
{
        struct seen *s = arg;
        weft_group g;
        CHECK(weft_group_init(&g, NULL) == 0);
        for (int i = 1; i <= 6; i++) {
                struct own_context c = {s, weft_task_current(), &g, i};
                if (i == 4) /* the others are not to start: this one does not give way any more */
                        while (atomic_load(&s->started) < 3)
                                CHECK(weft_yield() == 0);
                WEFT_WITH (&who, V(i)) {
                        CHECK(weft_group_spawn_closure(&g, i < 4 ? clean_up_in_context : never, &c,
                                                       sizeof(c),
                                                       i < 4 ? NULL : drop_in_context) == 0);
                }
        }
        CHECK(weft_get(&who) == NULL);
        CHECK(weft_task_cancel(weft_task_current()) == 0);
        CHECK(atomic_load(&s->dropped) == 3);
        CHECK(weft_get(&who) == NULL);
        weft_group_fini(&g);
        return weft_cancelled();
}

Test(group_nested, cleaning_up_is_done_in_the_tasks_own_context, .timeout = 30)
{
        weft_pool *pool = begin(1);
        struct seen seen;
        seen_init(&seen);
        cr_assert_eq(join(spawn(pool, open_with_contexts, &seen)), -ECANCELED);
        cr_assert_eq(atomic_load(&seen.ended), 3);
        finish(pool);
}
