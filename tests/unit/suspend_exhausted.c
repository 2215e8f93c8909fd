/* SPDX-License-Identifier: MIT
 *
 * No stack can be had: each wait of a task (wait_kinds.h) says -ENOMEM and has taken nothing, tasks
 * are accepted and run all the same, nothing hangs, and once there is memory again all is as ever.
 */
#include "wait_kinds.h"

#include <sys/resource.h>

#include "context/memory.h"
#include "pool/stacks.h"

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The guard of each stack counts, and there are so many: no more stacks than that. */
static void allow_stacks(long n)
{
        atomic_store(&weft__guards_by_mprotect, true);
        atomic_store(&weft__guard_budget, n);
}

static int waits(void *scene)
{
        struct scene *s = scene;
        errno = EDOM;
        s->result = s->kind->wait(s, in_ms(60000));
        CHECK(errno == EDOM);
        return 12;
}

static int sleeps(void *unused)
{
        (void)unused;
        return weft_sleep_until(in_ms(1));
}

static void all_is_well(weft_pool *pool)
{
        weft_group group;
        cr_assert_eq(weft_group_init(&group, pool), 0);
        for (int i = 0; i < 100; i++)
                cr_assert_eq(weft_group_spawn(&group, sleeps, NULL), 0);
        cr_assert_eq(weft_group_wait(&group, WEFT_FOREVER), 0);
        weft_group_fini(&group);
}

Test(suspend_exhausted, a_wait_without_a_stack_says_so_and_has_taken_nothing, .timeout = 60)
{
        weft_pool *other = begin(1);
        for (size_t i = 0; i < KINDS; i++) {
                const struct kind *kind = &kinds[i];
                struct scene s = {.kind = kind, .other = other, .fd = -1};
                if (kind->look == look_ended_group)
                        continue; /* weft_group_fini() does not return before its tasks */
                weft_pool *pool = begin(1);
                sem_init(&s.hold, 0, 0);
                sem_init(&s.held, 0, 0);
                kind->make(&s);
                allow_stacks(0);
                weft_task *task = spawn(pool, waits, &s);
                int r = weft_await(task, in_ms(20000));
                cr_assert_eq(r, 12, "%s hangs", kind->name);
                weft_task_unref(task);
                bool waited = kind->bring || kind->timed; /* a yield alone goes on at once */
                cr_assert_eq(s.result, waited ? -ENOMEM : 0, "%s: %d", kind->name, s.result);
                cr_assert_eq(join(spawn(pool, give, V(3))), 3);
                allow_stacks(-1);
                if (kind->look == look_blocking)
                        cr_assert_eq(atomic_load(&s.ran), 0);
                else
                        kind->look(&s);
                all_is_well(pool);
                finish(pool);
        }
        finish(other);
}

enum { TASKS = 200, STACKS = 30 };

static struct {
        weft_event event;
        atomic_int waited, refused;
} many;

static int waits_if_it_can(void *unused)
{
        (void)unused;
        int r = weft_event_wait(&many.event, WEFT_FOREVER);
        CHECK(r == 0 || r == -ENOMEM);
        atomic_fetch_add(r == 0 ? &many.waited : &many.refused, 1);
        return 0;
}

/* More tasks want to wait than there is memory for: some are refused it, and the others wait. */
static void crowd(weft_pool *pool, void (*let_go)(void), int enough)
{
        struct weft_pool_stats stats = {.size = sizeof(stats)};
        cr_assert_eq(weft_pool_stats(pool, &stats), 0);
        uint64_t before = stats.parked;
        int parked;
        memset(&many, 0, sizeof(many));
        for (int i = 0; i < TASKS; i++)
                cr_assert_eq(weft_submit(pool, waits_if_it_can, NULL), 0);
        int64_t end = in_ms(20000);
        do {
                usleep(500);
                cr_assert_eq(weft_pool_stats(pool, &stats), 0);
                cr_assert_lt(weft_now(), end, "%d refused", atomic_load(&many.refused));
                parked = (int)(stats.parked - before);
        } while (parked + atomic_load(&many.refused) < TASKS);
        cr_expect_gt(atomic_load(&many.refused), 0);
        cr_expect_geq(parked, enough);
        cr_assert_eq(weft_event_set(&many.event), 0);
        let_go();
        all_is_well(pool);
        finish(pool);
        cr_assert_eq(atomic_load(&many.waited) + atomic_load(&many.refused), TASKS);
        cr_assert_eq(atomic_load(&many.waited), parked);
}

static void allow_all(void)
{
        allow_stacks(-1);
}

Test(suspend_exhausted, as_many_wait_as_there_are_stacks, .timeout = 60)
{
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
                allow_stacks(STACKS);
                crowd(begin(workers), allow_all, STACKS - 4 * (int)workers_of(workers));
        }
}

/* What a stack needs of the allocator. */
static int refuse_all(size_t size)
{
        (void)size;
        return true;
}

static void allow_memory(void)
{
        weft__alloc_fails = NULL;
}

static int waits_without_memory(void *unused)
{
        (void)unused;
        int r = weft_sleep_until(in_ms(60000));
        return r == -ENOMEM ? 12 : 0;
}

Test(suspend_exhausted, nor_is_there_a_stack_without_memory_for_its_books, .timeout = 60)
{
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        weft_task *task[8];
        weft_event event;
        weft_event_init(&event);
        /* Until the first few stacks, which come together, are in use. */
        for (int i = 0; i < 3; i++)
                task[i] = spawn(pool, rest_until_set, &event);
        until_parked(pool, 3);
        struct plug plug;
        plug_in(&plug, pool, 1);
        weft_task *last = spawn(pool, waits_without_memory, NULL);
        weft__alloc_fails = refuse_all;
        plug_out(&plug);
        cr_assert_eq(weft_await(last, in_ms(20000)), 12);
        allow_memory();
        weft_task_unref(last);
        cr_assert_eq(weft_event_set(&event), 0);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(join(task[i]), 33);
        all_is_well(pool);
        finish(pool);
}

#if !SLOW_BUILD

static struct rlimit unlimited;

static void lift_limit(void)
{
        setrlimit(RLIMIT_AS, &unlimited);
}

/* The same with a limit of the system's, under which the allocator fails too. */
Test(suspend_exhausted, nothing_hangs_at_the_limit_of_the_address_space, .timeout = 60)
{
        weft_pool *pool = begin(2);
        long pages = 0;
        all_is_well(pool);
        FILE *f = fopen("/proc/self/statm", "r");
        cr_assert(f && fscanf(f, "%ld", &pages) == 1);
        fclose(f);
        cr_assert_eq(getrlimit(RLIMIT_AS, &unlimited), 0);
        struct rlimit tight = unlimited;
        tight.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (16 << 20);
        cr_assert_eq(setrlimit(RLIMIT_AS, &tight), 0);
        crowd(pool, lift_limit, 1);
}

#endif
