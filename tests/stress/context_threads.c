/* SPDX-License-Identifier: MIT
 *
 * Contexts on many threads at once: threads capture, run, set, derive, hand contexts to each other
 * through mailboxes, let them go, end, and start others that inherit.
 *
 *   context_threads [--seed N] [--steps N] [--threads N]
 *
 * Every value knows the var that it was made for and is never freed before the end, so that a
 * look-up that crosses into another binding, a value that is released while somebody still sees it,
 * and a release too many or too few are all noticed. Pairs of vars are always bound together: in
 * whatever context a thread comes by, the two must match.
 */
#include "stress.h"

#include <pthread.h>

enum { PAIRS = 12, BOXES = 16 };

/* Bound to both vars of a pair at once; the second var retains and releases it. */
struct value {
        struct stress_value counts;
        unsigned pair;
        struct value *next; /* of those that this thread made */
};

/* Between a plain var and a kept one stand others, so that the pairs lie near, far, and astride. */
static weft_var first[PAIRS], second[PAIRS], between[PAIRS][3];

static _Atomic(weft_context *) boxes[BOXES];
static uint64_t steps = STRESS_SLOW ? 50000 : 500000, threads = 4;
static atomic_uint_least64_t threads_started, values_made;

/* ---- one thread ---- */

struct worker {
        struct rng rng;
        uint64_t steps_left;
        struct value *made;
        int depth;
};

static void check_pair(struct value *a, struct value *b, unsigned pair)
{
        CHECK(a == b, "pair %u is torn", pair);
        if (b) {
                CHECK(b->pair == pair, "a value of pair %u bound to pair %u", b->pair, pair);
                CHECK(stress_alive(&b->counts), "pair %u: released while it is bound", pair);
        }
}

static void check_now(unsigned pair)
{
        check_pair(weft_get(&first[pair]), weft_get(&second[pair]), pair);
}

static void check_context(const weft_context *context, unsigned pair)
{
        void *a = NULL, *b = NULL;
        int ra = weft_context_lookup(context, &first[pair], &a);
        int rb = weft_context_lookup(context, &second[pair], &b);

        CHECK(ra == rb, "pair %u is torn: %d and %d", pair, ra, rb);
        check_pair(a, b, pair);
}

static int check_visited(const weft_var *var, void *value, void *arg)
{
        size_t *count = arg;
        struct value *v = value;

        ++*count;
        if (var < first || var >= first + PAIRS)
                return 0;
        CHECK(v->pair == (unsigned)(var - first), "a value of pair %u", v->pair);
        CHECK(stress_alive(&v->counts), "released while it is bound");
        return 0;
}

static struct value *value_new(struct worker *w, unsigned pair)
{
        struct value *v = calloc(1, sizeof(*v));

        v->pair = pair;
        v->next = w->made;
        w->made = v;
        return v;
}

static void bind_pair(struct worker *w)
{
        unsigned pair = rng_below(&w->rng, PAIRS);
        struct value *v = value_new(w, pair);

        CHECK(weft_set(&second[pair], v, NULL) == 0, " ");
        CHECK(weft_set(&first[pair], v, NULL) == 0, " ");
        check_now(pair);
}

static weft_context *derive(struct worker *w, weft_context *base)
{
        unsigned pair = rng_below(&w->rng, PAIRS);
        struct value *v = value_new(w, pair);
        weft_context *half, *whole;

        CHECK(weft_context_with(base, &second[pair], v, &half) == 0, " ");
        CHECK(weft_context_with(half, &first[pair], v, &whole) == 0, " ");
        weft_context_unref(half);
        check_context(whole, pair);
        return whole;
}

/* ---- mailboxes ---- */

/* Put a reference into a box and let go of the one that was there. */
static void post(struct worker *w, weft_context *context)
{
        _Atomic(weft_context *) *box = &boxes[rng_below(&w->rng, BOXES)];
        weft_context_unref(atomic_exchange_explicit(box, context, memory_order_acq_rel));
}

static weft_context *fetch(struct worker *w)
{
        _Atomic(weft_context *) *box = &boxes[rng_below(&w->rng, BOXES)];
        return atomic_exchange_explicit(box, NULL, memory_order_acq_rel);
}

/* ---- steps ---- */

static void some_steps(struct worker *w, unsigned at_most);

static int run_frame(void *arg)
{
        struct worker *w = arg;

        check_now(rng_below(&w->rng, PAIRS));
        some_steps(w, 20);
        return 0;
}

static void step_run(struct worker *w)
{
        weft_context *context = fetch(w), *after = NULL;
        bool keep = rng_chance(&w->rng, 2);

        CHECK(weft_context_run(context, run_frame, w, keep ? &after : NULL) == 0, " ");
        if (keep)
                post(w, after);
        if (rng_chance(&w->rng, 2))
                post(w, context);
        else
                weft_context_unref(context);
}

static void step_bound(struct worker *w)
{
        weft_bound *bound;

        CHECK(weft_bind(&bound, run_frame, w) == 0, " ");
        bind_pair(w);
        CHECK(weft_bound_call(bound) == 0, " ");
        weft_bound_free(bound);
}

/* A pair cannot be bound by one block, so its two vars are bound by two. */
static void step_block(struct worker *w)
{
        unsigned pair = rng_below(&w->rng, PAIRS);
        struct value *before = weft_get(&first[pair]), *v = value_new(w, pair);

        WEFT_WITH (&second[pair], v) {
                WEFT_WITH (&first[pair], v) {
                        some_steps(w, 5);
                        check_now(pair);
                }
        }
        check_now(pair);
        CHECK(weft_get(&first[pair]) == before, "the block is not undone");
}

static void step_refs(struct worker *w)
{
        unsigned n = 1 + rng_below(&w->rng, rng_chance(&w->rng, 20) ? 3000 : 5);
        weft_context *now = weft_context_capture();

        for (unsigned i = 0; i < n; i++)
                weft_context_ref(now);
        for (unsigned i = 0; i < n; i++)
                weft_context_unref(now);
        post(w, now);
}

static void step_walk(struct worker *w)
{
        weft_context *context = fetch(w);
        size_t count = 0;

        for (unsigned pair = 0; pair < PAIRS; pair++)
                check_context(context, pair);
        CHECK(weft_context_foreach(context, check_visited, &count) == 0, " ");
        CHECK(count == weft_context_size(context), "%zu", count);
        CHECK(weft_context_equal(context, context), " ");
        post(w, context);
}

static void one_step(struct worker *w)
{
        unsigned choice = rng_below(&w->rng, w->depth < 5 ? 100 : 78);
        weft_context *context;

        if (choice < 25) {
                bind_pair(w);
        } else if (choice < 40) {
                post(w, weft_context_capture());
        } else if (choice < 48) {
                context = fetch(w);
                post(w, derive(w, context));
                post(w, context);
        } else if (choice < 56) {
                post(w, weft_context_swap(fetch(w)));
        } else if (choice < 62) {
                weft_context_unref(fetch(w));
        } else if (choice < 70) {
                step_refs(w);
        } else if (choice < 78) {
                step_walk(w);
        } else {
                w->depth++;
                if (choice < 88)
                        step_run(w);
                else if (choice < 94)
                        step_bound(w);
                else
                        step_block(w);
                w->depth--;
        }
        check_now(rng_below(&w->rng, PAIRS));
}

static void some_steps(struct worker *w, unsigned at_most)
{
        unsigned n = 1 + rng_below(&w->rng, at_most);

        while (n-- > 0 && w->steps_left > 0) {
                w->steps_left--;
                one_step(w);
        }
}

/* ---- threads ---- */

/* Steps for a while, and ends with whatever is bound; another thread, which inherits it, goes on.
 * */
static void *thread_of_many(void *arg)
{
        struct worker *w = arg;
        uint64_t until = w->steps_left > steps / 20 ? w->steps_left - steps / 20 : 0;
        pthread_t next;

        threads_started++;
        while (w->steps_left > until)
                some_steps(w, 100);
        if (w->steps_left > 0) {
                CHECK(weft_thread_create(&next, NULL, thread_of_many, w) == 0, " ");
                return (void *)next; /* for whoever waits for the last one */
        }
        return NULL;
}

static void make_vars(void)
{
        weft_token token;

        for (unsigned i = 0; i < PAIRS; i++) {
                first[i] = (weft_var)WEFT_VAR_INIT("first");
                second[i] = (weft_var)WEFT_VAR_INIT("second", .retain = stress_retain,
                                                    .release = stress_release);
                weft_set(&first[i], NULL, &token);
                weft_reset(&first[i], &token);
                for (int k = 0; k < 3; k++) {
                        between[i][k] = (weft_var)WEFT_VAR_INIT("between");
                        weft_set(&between[i][k], between, &token);
                        if (k)
                                weft_reset(&between[i][k], &token);
                }
        }
}

static void count_values(struct value *v)
{
        while (v) {
                struct value *next = v->next;
                int retained = atomic_load(&v->counts.retained);
                int released = atomic_load(&v->counts.released);
                CHECK(retained == 1 && released == 1, "retained %d times, released %d", retained,
                      released);
                values_made++;
                free(v);
                v = next;
        }
}

int main(int argc, char **argv)
{
        struct worker *workers;
        pthread_t *handles;

        stress_begin(argc, argv,
                     (const struct stress_option[]){
                         {"--steps", &steps, "operations of each thread"},
                         {"--threads", &threads, "how many at once"},
                         {NULL, NULL, NULL},
                     });
        struct rng rng = {stress_seed};
        make_vars();
        workers = calloc(threads, sizeof(*workers));
        handles = calloc(threads, sizeof(*handles));
        for (uint64_t i = 0; i < threads; i++) {
                workers[i] = (struct worker){.rng = rng_split(&rng), .steps_left = steps};
                CHECK(weft_thread_create(&handles[i], NULL, thread_of_many, &workers[i]) == 0, " ");
        }
        for (uint64_t i = 0; i < threads; i++) {
                void *next = (void *)handles[i];
                while (next) {
                        pthread_t thread = (pthread_t)next;
                        CHECK(pthread_join(thread, &next) == 0, " ");
                }
        }
        for (int i = 0; i < BOXES; i++)
                weft_context_unref(atomic_load(&boxes[i]));
        weft_context_unref(weft_context_swap(NULL));
        for (uint64_t i = 0; i < threads; i++)
                count_values(workers[i].made);
        printf("%" PRIu64 " threads, %" PRIu64 " values\n", (uint64_t)threads_started,
               (uint64_t)values_made);
        free(workers);
        free(handles);
        return 0;
}
