/* SPDX-License-Identifier: MIT
 *
 * What the checker must catch: one model for each kind of failure.
 */
#include <stdatomic.h>

#include "checker/model.h"

#include "context/memory.h"
#include "pool/cpu.h"
#include "pool/futex.h"

#include <weft/pool.h>

static atomic_uint x, word;
static int data;

static void write_data(void *unused)
{
        (void)unused;
        data = 1;
        atomic_store_explicit(&x, 1, memory_order_relaxed); /* relaxed: that is the bug */
}

MODEL(caught_race, .fails = "a race")
{
        model_start("writes", write_data, NULL);
        if (atomic_load_explicit(&x, memory_order_acquire))
                data = 2;
        model_join_all();
}

/* Whoever comes first, the two are not in order. */
static void read_data(void *unused)
{
        (void)unused;
        model_check(data == 0);
}

MODEL(caught_race_in_the_other_order, .fails = "a race")
{
        model_start("reads", read_data, NULL);
        data = 0;
        model_join_all();
}

/* An atomic object is written as if it were none. */
static void write_atomic(void *unused)
{
        (void)unused;
        atomic_store_explicit(&x, 1, memory_order_seq_cst);
}

MODEL(caught_race_with_an_atomic, .fails = "a race")
{
        model_start("writes", write_atomic, NULL);
        *(volatile unsigned *)&x = 2;
        model_join_all();
}

static int *block;

static void use_block(void *unused)
{
        (void)unused;
        *block = 1;
}

MODEL(caught_use_after_free, .fails = "freed")
{
        block = weft__alloc(sizeof(*block));
        *block = 0;
        int thread = model_start("uses", use_block, NULL);
        weft__free(block, sizeof(*block));
        model_join(thread);
}

MODEL(caught_free_while_in_use, .fails = "a race")
{
        block = weft__alloc(sizeof(*block));
        *block = 0;
        model_start("uses", use_block, NULL);
        model_pause();
        weft__free(block, sizeof(*block));
        model_join_all();
}

MODEL(caught_double_free, .fails = "freed twice")
{
        block = weft__alloc(sizeof(*block));
        weft__free(block, sizeof(*block));
        weft__free(block, sizeof(*block));
}

MODEL(caught_leak, .fails = "blocks of memory are left")
{
        block = weft__alloc(sizeof(*block));
}

/* It looks, and the wake-up comes before it sleeps. */
static void wake(void *unused)
{
        (void)unused;
        atomic_store_explicit(&x, 1, memory_order_release);
        weft__futex_wake(&word, 1);
}

MODEL(caught_lost_wake_up, .fails = "nobody can go on")
{
        model_start("wakes", wake, NULL);
        while (!atomic_load_explicit(&x, memory_order_acquire))
                weft__futex_wait(&word, 0, WEFT_FOREVER);
        model_join_all();
}

MODEL(caught_no_end, .fails = "does not come to an end")
{
        while (!atomic_load_explicit(&x, memory_order_acquire))
                weft__cpu_pause();
}

MODEL(caught_crash, .fails = "Segmentation fault")
{
        block = (int *)(uintptr_t)model_any(1); /* 0 */
        *(volatile int *)block = 1;
}

MODEL(caught_check, .fails = "not so: data == 1")
{
        model_check(data == 1);
}

/* Only an old value shows it. */
static void count_down(void *unused)
{
        (void)unused;
        atomic_store_explicit(&word, 1, memory_order_relaxed);
        atomic_store_explicit(&x, 1, memory_order_relaxed);
}

MODEL(caught_old_value, .preemptions = 1, .fails = "not so")
{
        model_start("counts", count_down, NULL);
        if (atomic_load_explicit(&x, memory_order_relaxed))
                model_check(atomic_load_explicit(&word, memory_order_relaxed));
        model_join_all();
}

static atomic_uint never;

MODEL(caught_loop, .fails = "Virtual timer expired")
{
        while (!*(volatile unsigned *)&never)
                ;
}
