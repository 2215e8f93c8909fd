/* SPDX-License-Identifier: MIT
 *
 * The checker's memory model, by the usual small programs: what C11 allows is found, what it
 * forbids is not. Outcome 0 is always possible; outcome 1 is the one that the test is about.
 */
#include <stdatomic.h>

#include "checker/model.h"

#define RELAXED memory_order_relaxed
#define ACQUIRE memory_order_acquire
#define RELEASE memory_order_release
#define SEQ_CST memory_order_seq_cst

enum { FORBIDDEN = 1, ALLOWED = 3 }; /* the sets of outcomes */

static atomic_int x, y, z;
static int data, got[4];

static int get(atomic_int *p, memory_order order)
{
        return atomic_load_explicit(p, order);
}

static void put(atomic_int *p, int v, memory_order order)
{
        atomic_store_explicit(p, v, order);
}

static void two(void (*a)(void *), void (*b)(void *))
{
        model_start("a", a, NULL);
        model_start("b", b, NULL);
        model_join_all();
}

/* ---- a message is passed: b sees the flag, and not what came before it ---- */

static memory_order writing, reading;
static bool fences;

static void pass(void *unused)
{
        (void)unused;
        put(&x, 1, RELAXED);
        if (fences)
                atomic_thread_fence(RELEASE);
        put(&y, 1, writing);
}

static void take(void *unused)
{
        (void)unused;
        got[0] = get(&y, reading);
        if (fences)
                atomic_thread_fence(ACQUIRE);
        got[1] = get(&x, RELAXED);
}

static void message(memory_order w, memory_order r, bool with_fences)
{
        writing = w;
        reading = r;
        fences = with_fences;
        two(pass, take);
        model_seen(got[0] == 1 && got[1] == 0);
}

MODEL(litmus_message, .sees = FORBIDDEN)
{
        message(RELEASE, ACQUIRE, false);
}

MODEL(litmus_message_relaxed_write, .sees = ALLOWED)
{
        message(RELAXED, ACQUIRE, false);
}

MODEL(litmus_message_relaxed_read, .sees = ALLOWED)
{
        message(RELEASE, RELAXED, false);
}

MODEL(litmus_message_fences, .sees = FORBIDDEN)
{
        message(RELAXED, RELAXED, true);
}

/* ---- two store, and look at what the other stored ---- */

static memory_order storing, loading;
static memory_order fence_a, fence_b;

static void store_and_look_a(void *unused)
{
        (void)unused;
        put(&x, 1, storing);
        if (fence_a)
                atomic_thread_fence(fence_a);
        got[0] = get(&y, loading);
}

static void store_and_look_b(void *unused)
{
        (void)unused;
        put(&y, 1, storing);
        if (fence_b)
                atomic_thread_fence(fence_b);
        got[1] = get(&x, loading);
}

static void stores(memory_order s, memory_order l, memory_order a, memory_order b)
{
        storing = s;
        loading = l;
        fence_a = a;
        fence_b = b;
        two(store_and_look_a, store_and_look_b);
        model_seen(!got[0] && !got[1]);
}

MODEL(litmus_stores, .sees = ALLOWED)
{
        stores(RELEASE, ACQUIRE, RELAXED, RELAXED);
}

MODEL(litmus_stores_full_fences, .sees = FORBIDDEN)
{
        stores(RELAXED, RELAXED, SEQ_CST, SEQ_CST);
}

MODEL(litmus_stores_one_full_fence, .sees = ALLOWED)
{
        stores(RELAXED, RELAXED, SEQ_CST, RELAXED);
}

MODEL(litmus_stores_lesser_fence, .sees = ALLOWED)
{
        stores(RELAXED, RELAXED, SEQ_CST, memory_order_acq_rel);
}

MODEL(litmus_stores_seq_cst, .sees = FORBIDDEN)
{
        stores(SEQ_CST, SEQ_CST, RELAXED, RELAXED);
}

MODEL(litmus_stores_seq_cst_load_relaxed, .sees = ALLOWED)
{
        stores(SEQ_CST, RELAXED, RELAXED, RELAXED);
}

/* A seq_cst read-modify-write is no full fence. */
static void change_and_look(void *unused)
{
        (void)unused;
        put(&x, 1, RELAXED);
        atomic_fetch_add_explicit(&z, 1, SEQ_CST);
        got[0] = get(&y, RELAXED);
}

MODEL(litmus_stores_changes, .sees = ALLOWED)
{
        storing = loading = RELAXED;
        fence_b = SEQ_CST;
        two(change_and_look, store_and_look_b);
        model_seen(!got[0] && !got[1]);
}

/* ---- a fence on one side, seq_cst accesses on the other ---- */

static void store_seq_cst_and_look(void *unused)
{
        (void)unused;
        put(&y, 1, SEQ_CST);
        got[1] = get(&x, SEQ_CST);
}

MODEL(litmus_stores_fence_and_seq_cst, .sees = FORBIDDEN)
{
        storing = loading = RELAXED;
        fence_a = SEQ_CST;
        two(store_and_look_a, store_seq_cst_and_look);
        model_seen(!got[0] && !got[1]);
}

/* ---- one object: nobody reads it backwards ---- */

static void count_up(void *unused)
{
        (void)unused;
        put(&x, 1, RELAXED);
        put(&x, 2, RELAXED);
}

static void look_twice(void *unused)
{
        (void)unused;
        got[0] = get(&x, RELAXED);
        got[1] = get(&x, RELAXED);
}

MODEL(litmus_backwards, .sees = FORBIDDEN)
{
        two(count_up, look_twice);
        model_seen(got[0] > got[1]);
}

/* What another thread has read, and told us of, we read too. */
static void look_and_tell(void *unused)
{
        (void)unused;
        got[0] = get(&x, RELAXED);
        put(&y, 1, RELEASE);
}

static void hear_and_look(void *unused)
{
        (void)unused;
        got[1] = get(&y, ACQUIRE);
        got[2] = get(&x, RELAXED);
}

MODEL(litmus_backwards_told, .sees = FORBIDDEN)
{
        model_start("counts", count_up, NULL);
        model_start("tells", look_and_tell, NULL);
        model_start("hears", hear_and_look, NULL);
        model_join_all();
        model_seen(got[1] && got[2] < got[0]);
}

/* ---- independent writers, whom two readers see in different orders ---- */

static void write_x(void *unused)
{
        (void)unused;
        put(&x, 1, storing);
}

static void write_y(void *unused)
{
        (void)unused;
        put(&y, 1, storing);
}

static void read_xy(void *unused)
{
        (void)unused;
        got[0] = get(&x, loading);
        if (fence_a)
                atomic_thread_fence(fence_a);
        got[1] = get(&y, loading);
}

static void read_yx(void *unused)
{
        (void)unused;
        got[2] = get(&y, loading);
        if (fence_a)
                atomic_thread_fence(fence_a);
        got[3] = get(&x, loading);
}

static void independent(memory_order s, memory_order l, memory_order fence)
{
        storing = s;
        loading = l;
        fence_a = fence;
        model_start("writes x", write_x, NULL);
        model_start("writes y", write_y, NULL);
        model_start("reads x y", read_xy, NULL);
        model_start("reads y x", read_yx, NULL);
        model_join_all();
        model_seen(got[0] && !got[1] && got[2] && !got[3]);
}

MODEL(litmus_independent, .sees = ALLOWED)
{
        independent(RELEASE, ACQUIRE, RELAXED);
}

MODEL(litmus_independent_seq_cst, .sees = FORBIDDEN)
{
        independent(SEQ_CST, SEQ_CST, RELAXED);
}

/* The stores are relaxed: fences between the loads do not order them for all. RC11 forbids this,
 * C11 too, by the order of the fences. */
MODEL(litmus_independent_fences, .sees = FORBIDDEN)
{
        independent(RELAXED, RELAXED, SEQ_CST);
}

/* ---- release sequences: a read-modify-write by another passes on what the release gave ---- */

static void add_relaxed(void *unused)
{
        (void)unused;
        if (get(&y, RELAXED) == 1)
                atomic_fetch_add_explicit(&y, 1, RELAXED);
}

static void store_relaxed(void *unused)
{
        (void)unused;
        if (get(&y, RELAXED) == 1)
                put(&y, 2, RELAXED);
}

static void sequence(void (*between)(void *))
{
        writing = RELEASE;
        reading = ACQUIRE;
        model_start("passes", pass, NULL);
        model_start("between", between, NULL);
        model_start("takes", take, NULL);
        model_join_all();
        model_seen(got[0] == 2 && got[1] == 0);
}

MODEL(litmus_sequence, .sees = FORBIDDEN)
{
        sequence(add_relaxed);
}

MODEL(litmus_sequence_broken, .sees = ALLOWED)
{
        sequence(store_relaxed);
}

/* ---- read-modify-writes read the newest: no count is lost ---- */

static void add(void *unused)
{
        (void)unused;
        atomic_fetch_add_explicit(&x, 1, RELAXED);
}

static void load_and_store(void *unused)
{
        (void)unused;
        put(&x, get(&x, RELAXED) + 1, RELAXED);
}

MODEL(litmus_counts, .sees = FORBIDDEN)
{
        two(add, add);
        model_seen(get(&x, RELAXED) != 2);
}

MODEL(litmus_counts_lost, .sees = ALLOWED)
{
        two(load_and_store, load_and_store);
        model_seen(get(&x, RELAXED) != 2);
}

/* A weak exchange may fail for no reason. */
MODEL(litmus_weak_exchange, .chances = 1, .sees = ALLOWED)
{
        int zero = 0;
        model_seen(!atomic_compare_exchange_weak_explicit(&x, &zero, 1, RELAXED, RELAXED));
}

/* ---- plain data is published, and not raced for ---- */

static void publish(void *unused)
{
        (void)unused;
        data = 7;
        put(&x, 1, RELEASE);
}

static void use(void *unused)
{
        (void)unused;
        bool published = get(&x, ACQUIRE);
        if (published)
                model_check(data == 7);
        model_seen(published);
}

MODEL(litmus_publish, .sees = ALLOWED)
{
        two(publish, use);
}
