/* SPDX-License-Identifier: MIT
 *
 * The injector: nothing is lost, taken twice, torn, or hidden for good; what one thread puts in
 * comes out in its order; and it does not seem empty to one who would sleep over it. In model
 * builds a block holds two items, so that the third one is in another block, and the fifth in one
 * that was emptied before.
 */
#include "checker/model.h"

#include "pool/injector.h"

enum { ITEMS = 6 };

static weft__injector queue;
static int content[ITEMS]; /* plain: written before the put */
static int taken[ITEMS];   /* plain: by whoever took it */
static unsigned found;
static weft_task task[ITEMS]; /* what is put in their place where there is no memory */
static bool late;

static int fn(void *unused)
{
        (void)unused;
        return 0;
}

/* All on one lane. */
static void put(int i)
{
        const weft__item item = {fn, &content[i], (weft_context *)&taken[i]};
        content[i] = i + 1;
        if (late)
                weft__injector_put_task(&queue, 0, &task[i]);
        else
                model_check(weft__injector_put(&queue, 0, &item));
}

static void put_one(void *i)
{
        put((int)(intptr_t)i);
}

static void put_two(void *first)
{
        put((int)(intptr_t)first);
        put((int)(intptr_t)first + 1);
}

/* How many were taken, those of each half in their order. */
static unsigned take(unsigned n)
{
        weft__item got[ITEMS];
        int last[2] = {-1, -1};
        unsigned turn = 0;
        n = weft__injector_take(&queue, &turn, got, n);
        for (unsigned k = 0; k < n; k++) {
                int i = (int)(late ? (weft_task *)got[k].arg - task : (int *)got[k].arg - content);
                model_check(got[k].fn == (late ? NULL : fn) && i >= 0 && i < ITEMS);
                model_check(late || (int *)got[k].context == &taken[i]);
                model_check(content[i] == i + 1);
                model_check(last[i / 3] < i);
                last[i / 3] = i;
                taken[i]++;
        }
        return n;
}

static void taker(void *times)
{
        unsigned n = 0;
        for (intptr_t i = 0; i < (intptr_t)times; i++)
                n += take(ITEMS);
        if (n)
                __atomic_fetch_add(&found, 1, __ATOMIC_RELAXED);
}

static void begin(void)
{
        model_name(&queue, sizeof(queue), "injector");
        weft__injector_init(&queue);
}

/* When nobody puts or takes any more the rest comes out, and then it is empty. Of the first
 * n, and of the first m of the other half, each was taken once. */
static void end(int n, int m)
{
        model_join_all();
        model_seen(found);
        while (weft__injector_has_some(&queue))
                model_check(take(ITEMS) > 0);
        for (int i = 0; i < ITEMS; i++)
                model_check(taken[i] == (i < n || (i >= 3 && i - 3 < m)));
        weft__injector_fini(&queue);
}

MODEL(injector_one_puts_one_takes, .preemptions = 3, .stale = 3, .sees = 3)
{
        begin();
        model_start("taker", taker, (void *)2);
        put_two((void *)0);
        end(2, 0);
}

MODEL(injector_two_put, .preemptions = 5, .stale = 4, .sees = 1)
{
        begin();
        model_start("puts", put_two, (void *)3);
        put_two((void *)0);
        end(2, 2);
}

MODEL(injector_two_put_one_takes, .preemptions = 4, .stale = 4, .sees = 3)
{
        begin();
        model_start("puts", put_one, (void *)3);
        model_start("taker", taker, (void *)1);
        put(0);
        end(1, 1);
}

MODEL(injector_two_take, .preemptions = 3, .stale = 2, .sees = 7)
{
        begin();
        model_start("taker 0", taker, (void *)1);
        model_start("taker 1", taker, (void *)1);
        put_two((void *)0);
        end(2, 0);
}

/* The taker goes on to another block while that is begun. */
MODEL(injector_another_block, .preemptions = 3, .stale = 3, .sees = 2)
{
        begin();
        put(0);
        model_start("taker", taker, (void *)2);
        put(1);
        put(2);
        end(3, 0);
}

/* The block that the taker has emptied is filled again. */
MODEL(injector_a_block_comes_back, .preemptions = 3, .stale = 2, .sees = 2)
{
        begin();
        put_two((void *)0);
        put(2);
        model_start("taker", taker, (void *)1);
        put(3);
        put(4);
        end(5, 0);
}

/* One who puts, and then looks for sleepers, and one who says that it sleeps, has a full fence, and
 * looks: one of them sees the other. */
static int asleep;
static bool saw_it;

static void sleeper(void *unused)
{
        (void)unused;
        __atomic_store_n(&asleep, 1, __ATOMIC_RELAXED);
        weft__fence();
        saw_it = weft__injector_has_some(&queue);
}

static void put_and_look(int i)
{
        put(i);
        bool seen = __atomic_load_n(&asleep, __ATOMIC_RELAXED);
        model_join_all();
        model_check(seen || saw_it);
        model_seen(1 + (unsigned)seen);
        while (take(1))
                ;
        weft__injector_fini(&queue);
}

MODEL(injector_a_sleeper_sees_what_was_put, .preemptions = 3, .sees = 6)
{
        begin();
        model_start("sleeper", sleeper, NULL);
        put_and_look(0);
}

/* The same while somebody else takes one of two. */
static void take_one(void *unused)
{
        (void)unused;
        take(1);
}

MODEL(injector_a_sleeper_sees_what_is_left, .preemptions = 2, .stale = 2, .sees_some = 6)
{
        begin();
        put(0);
        model_start("taker", take_one, NULL);
        model_start("sleeper", sleeper, NULL);
        put_and_look(1);
        model_check(taken[0] == 1 && taken[1] == 1);
}

/* ---- no memory for another block: the late list ---- */

static int none(size_t size)
{
        (void)size;
        return 1;
}

static void begin_late(void)
{
        begin();
        late = true;
        weft__alloc_fails = none;
}

MODEL(injector_two_put_late, .preemptions = 4, .stale = 4, .sees = 1)
{
        begin_late();
        model_start("puts", put_two, (void *)2);
        put_two((void *)0);
        end(4, 0);
}

MODEL(injector_late_ones_are_taken, .preemptions = 3, .stale = 2, .sees = 7)
{
        begin_late();
        model_start("taker", taker, (void *)1);
        model_start("taker", taker, (void *)1);
        put(0);
        put(1);
        end(2, 0);
}

MODEL(injector_a_sleeper_sees_what_came_late, .preemptions = 3, .sees = 6)
{
        begin_late();
        model_start("sleeper", sleeper, NULL);
        put_and_look(0);
}
