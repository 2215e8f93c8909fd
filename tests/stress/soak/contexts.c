/* SPDX-License-Identifier: MIT
 *
 * Soak: what an actor may do with contexts: keep one for others, run a function in it, exchange its
 * own for it, derive from it, bind a function to it, and hand it to a thread. Every context binds a
 * value that is counted, so one that is not freed shows.
 */
#include "soak.h"

/* A value on the heap, freed by its last release. */
struct box {
        atomic_int count;
        unsigned check;
};
enum { BOXED = 0xb0c5 };

static weft_var scratch = WEFT_VAR_INIT("scratch");

static void box_retain(void *box)
{
        atomic_fetch_add(&((struct box *)box)->count, 1);
}

static void box_release(void *box)
{
        struct box *b = box;
        CHECK(b->check == BOXED, "released after it was freed");
        weft_token token;
        if (weft_set(&scratch, b, &token) == 0) /* refused on a thread that exits */
                CHECK(weft_get(&scratch) == b && weft_reset(&scratch, &token) == 0, "in release");
        if (atomic_fetch_sub(&b->count, 1) != 1)
                return;
        b->check = 0;
        free(b);
        atomic_fetch_sub(&balance.boxes, 1);
}

static weft_var boxed = WEFT_VAR_INIT("boxed", .retain = box_retain, .release = box_release);
static weft_var far[] = {WEFT_VAR_INIT("1"), WEFT_VAR_INIT("2"), WEFT_VAR_INIT("3"),
                         WEFT_VAR_INIT("4"), WEFT_VAR_INIT("5"), WEFT_VAR_INIT("6"),
                         WEFT_VAR_INIT("7"), WEFT_VAR_INIT("8"), WEFT_VAR_INIT("9")};
enum { FAR = sizeof(far) / sizeof(*far) };

static struct box *box_new(void)
{
        struct box *b = malloc(sizeof(*b));
        CHECK(b, "out of memory");
        *b = (struct box){.count = 1, .check = BOXED};
        atomic_fetch_add(&balance.boxes, 1);
        return b;
}

/* ---- kept ones ---- */

static void exchange(struct kept_context *k, weft_context *context)
{
        pthread_mutex_lock(&k->lock);
        weft_context *before = k->context;
        k->context = context;
        pthread_mutex_unlock(&k->lock);
        weft_context_unref(before);
}

static struct kept_context *any_kept(struct actor *a)
{
        return &world.context[rng_below(&a->rng, CONTEXTS)];
}

/* A reference to one that somebody has kept; or to the current one. */
static weft_context *any_context(struct actor *a)
{
        struct kept_context *k = any_kept(a);
        pthread_mutex_lock(&k->lock);
        weft_context *context = weft_context_ref(k->context);
        pthread_mutex_unlock(&k->lock);
        return context ? context : weft_context_capture();
}

void keep_context(struct actor *a)
{
        weft_token token;
        weft_var *var = &far[rng_below(&a->rng, FAR)];
        struct box *b = box_new();
        weft_token box_token;
        CHECK(weft_set(&boxed, b, &box_token) == 0, "set");
        box_release(b); /* the binding has its own count */
        CHECK(weft_set(var, b, &token) == 0, "set");
        exchange(any_kept(a), weft_context_capture());
        CHECK(weft_get(var) == b && weft_get(&boxed) == b, "not what was set");
        if (rng_chance(&a->rng, 2))
                CHECK(weft_reset(var, &token) == 0, "reset");
        if (rng_chance(&a->rng, 2))
                CHECK(weft_reset(&boxed, &box_token) == 0, "reset");
        else
                weft_token_drop(&box_token);
        CHECK(weft_get(&who) == a, "another one's context");
}

static int count(const weft_var *var, void *value, void *arg)
{
        (void)var;
        (void)value;
        ++*(size_t *)arg;
        return 0;
}

void derive_context(struct actor *a)
{
        weft_context *base = any_context(a), *derived = NULL;
        struct stress_value *value = any_value(a);
        void *found = NULL;
        size_t n = 0;
        CHECK(weft_context_with(base, &kept, value, &derived) == 0, "with");
        CHECK(weft_context_lookup(derived, &kept, &found) == 0 && found == value, "derived");
        CHECK(weft_context_foreach(derived, count, &n) == 0, "foreach");
        CHECK(weft_context_size(derived) == n && weft_context_size(base) == n, "%zu bindings", n);
        CHECK(weft_context_lookup(base, &kept, &found) == 0, "every context has one");
        CHECK(weft_context_equal(base, derived) == (found == value), "equal");
        CHECK(weft_get(&who) == a, "another one's context");
        exchange(any_kept(a), derived);
        weft_context_unref(base);
}

void world_end_contexts(void)
{
        for (int i = 0; i < CONTEXTS; i++)
                exchange(&world.context[i], NULL);
}

/* ---- functions in contexts ---- */

/* Acts in a frame that has been made for it, as whoever called it. */
static int visit(void *arg)
{
        const struct actor *caller = arg;
        struct actor a = {.rng = {rng_next(&(struct rng){(uint64_t)weft_now()})},
                          .depth = DEPTH,
                          .is_task = caller->is_task,
                          .shields = caller->shields};
        actor_begins(&a);
        act(&a, 2);
        actor_ends(&a);
        return 7;
}

void run_in_context(struct actor *a)
{
        weft_context *context = any_context(a), *after = NULL;
        void *before = NULL, *now = NULL;
        bool keep = rng_chance(&a->rng, 2);
        CHECK(weft_context_lookup(context, &kept, &before) == 0, "every context has one");
        CHECK(weft_context_run(context, visit, a, keep ? &after : NULL) == 7, "its result");
        CHECK(weft_get(&who) == a, "another one's context");
        CHECK(weft_context_lookup(context, &kept, &now) == 0 && now == before, "it has changed");
        if (keep)
                exchange(any_kept(a), after);
        weft_context_unref(context);
}

void swap_context(struct actor *a)
{
        weft_context *mine = weft_context_swap(any_context(a));
        CHECK(weft_set(&who, a, NULL) == 0, "set");
        CHECK(weft_set(&kept, any_value(a), NULL) == 0, "set");
        act(a, 2);
        weft_context_unref(weft_context_swap(mine));
        CHECK(weft_get(&who) == a, "another one's context");
}

/* ---- bound functions, and threads ---- */

static int bound_acts(void *value)
{
        struct actor a = {.rng = {(uint64_t)weft_now()}, .depth = DEPTH};
        CHECK(weft_get(&kept) == value, "a bound function in the context of another one");
        a.is_task = weft_task_current() != NULL;
        atomic_fetch_add(&balance.begun, 1);
        actor_begins(&a);
        act(&a, 2);
        actor_ends(&a);
        return 11;
}

/* In a pool that knows nothing of where it comes from. */
void call_bound(struct actor *a)
{
        weft_bound *bound = NULL;
        weft_task *t = NULL;
        CHECK(weft_bind(&bound, bound_acts, weft_get(&kept)) == 0, "bind");
        weft_context *mine = weft_context_swap(any_context(a));
        int r = weft_spawn(world.main, &t, weft_bound_call, bound);
        weft_context_unref(weft_context_swap(mine));
        CHECK(r == 0 || r == -ESHUTDOWN, "%d", r);
        atomic_fetch_add(r == 0 ? &balance.accepted : &balance.refused, 1);
        if (r == 0) {
                begin_wait(a, "a bound function");
                WEFT_SHIELD {
                        r = weft_await(t, WEFT_FOREVER);
                }
                end_wait(a, 0, 0);
                CHECK(r == 11 || r == -ECANCELED || r == -ETIMEDOUT, "%d", r);
                weft_task_unref(t);
        }
        weft_bound_free(bound);
}

/* A thread that begins in its creator's context, and ends with what it has bound. */
struct birth {
        pthread_t thread;
        uint64_t seed;
        void *value;
};

static void *live(void *arg)
{
        const struct birth *b = arg;
        struct actor a = {.rng = {b->seed}, .depth = DEPTH};
        CHECK(weft_get(&kept) == b->value, "a thread in the context of another one");
        actor_begins(&a);
        act(&a, 3);
        actor_ends(&a);
        return NULL;
}

static int join(void *birth)
{
        return -pthread_join(((struct birth *)birth)->thread, NULL);
}

void start_thread(struct actor *a)
{
        struct birth b = {.seed = rng_next(&a->rng), .value = weft_get(&kept)};
        CHECK(weft_thread_create(&b.thread, NULL, live, &b) == 0, "thread");
        begin_wait(a, "end of a thread");
        CHECK(weft_blocking(join, &b) == 0, "join");
        *errno_now() = KEPT_ERRNO;
        end_wait(a, 0, 0);
}

void with_a_value(struct actor *a)
{
        struct stress_value *value = any_value(a);
        void *before = weft_get(&kept);
        WEFT_WITH (&kept, value) {
                act(a, 3);
                CHECK(weft_get(&kept) == value, "another one's value");
        }
        CHECK(weft_get(&kept) == before, "a value is left");
}
