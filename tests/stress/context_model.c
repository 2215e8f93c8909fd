/* SPDX-License-Identifier: MIT
 *
 * A randomised differential test of contexts, on one thread: thousands of sets, resets, captures,
 * runs, derivations, swaps, blocks and bound calls, nested in one another, each step compared with
 * a naive model. The model of a context is an array with a value or nothing for each var.
 *
 *   context_model [--seed N] [--steps N] [--vars N]
 *
 * Without --vars it does its steps over 40 vars and again over 1,000. Every second var has release,
 * half of those retain too; now and then a var is retired and another made in its memory. From time
 * to time, and at the end, the values are counted: each that some context or token of the model
 * still reaches is alive, each other one has been released exactly once.
 *
 * Slots: a var has a slot in the model's arrays from its making on; a retired one keeps its slot,
 * so that the model still knows what old contexts keep alive.
 */
#include "stress.h"

enum { CONTEXTS = 24, BOUNDS = 6, TOKENS = 40, DEEPEST = 6 };

/* What one set bound. */
struct value {
        int retained, released;
        int slot;
        bool null;        /* what was bound is NULL, not the address of this */
        unsigned reached; /* the audit that reached it last */
};

struct slot {
        weft_var *var;
        bool retired, retains, releases;
        unsigned first_set; /* in which order the vars were set first; 0: never */
};

typedef struct value **model; /* an entry a slot; NULL for not bound */

static struct held {
        weft_context *context;
        model model; /* NULL: nothing is held */
} held[CONTEXTS];

static struct held_bound {
        weft_bound *bound;
        model model;
} bounds[BOUNDS];

static struct token {
        weft_token token;
        enum { FREE, GOOD, USED } state;
        int slot;
        unsigned frame;
        struct value *old;
} tokens[TOKENS];

static struct frame {
        model model;
        unsigned id;
        struct frame *below;
} * frame;

/* A WEFT_WITH block that is being run: its undo keeps what it displaced. */
static struct block {
        struct value *old;
        struct block *below;
} * block;

static struct rng rng;
static uint64_t steps_left;
static int slots_used, slots_max, depth;
static struct slot *slots;
static unsigned frames_made, first_sets, audits;
static struct value **living, **dead;
static size_t living_count, living_room, dead_count, dead_room;

/* ---- the model ---- */

static model model_copy(const struct value *const *from)
{
        size_t size = (size_t)slots_max * sizeof(*from);
        model m = malloc(size);

        if (from)
                memcpy(m, from, size);
        else
                memset(m, 0, size);
        return m;
}

#define copy_of(m) model_copy((const struct value *const *)(m))

static size_t model_size(const model m)
{
        size_t n = 0;

        for (int s = 0; s < slots_used; s++)
                n += m[s] && !slots[s].retired;
        return n;
}

static void *pointer(struct value *v)
{
        return v->null ? NULL : v;
}

static bool model_equal(const model a, const model b)
{
        for (int s = 0; s < slots_used; s++) {
                if (slots[s].retired)
                        continue;
                if (!a[s] != !b[s] || (a[s] && pointer(a[s]) != pointer(b[s])))
                        return false;
        }
        return true;
}

/* ---- values ---- */

static void push(struct value ***list, size_t *count, size_t *room, struct value *v)
{
        if (*count == *room) {
                *room = *room ? 2 * *room : 1024;
                *list = realloc(*list, *room * sizeof(**list));
        }
        (*list)[(*count)++] = v;
}

static struct value *value_new(int s)
{
        struct value *v = calloc(1, sizeof(*v));

        v->slot = s;
        v->null = !slots[s].releases && rng_chance(&rng, 8);
        push(&living, &living_count, &living_room, v);
        return v;
}

static void value_retain(void *value)
{
        struct value *v = value;
        CHECK(v->retained++ == 0, "retained twice");
}

static void value_release(void *value)
{
        struct value *v = value;
        CHECK(v->released++ == 0, "released twice");
        /* a release function may use weft */
        CHECK(weft_lookup(slots[v->slot].var, &(void *){0}) != -EINVAL, "in release");
        weft_context_unref(weft_context_capture());
}

static void reach(const model m)
{
        for (int s = 0; m && s < slots_used; s++)
                if (m[s])
                        m[s]->reached = audits;
}

/* Whoever is reached is alive, whoever is not is gone. */
static void audit(void)
{
        size_t kept = 0;

        audits++;
        for (struct frame *f = frame; f; f = f->below)
                reach(f->model);
        for (struct block *b = block; b; b = b->below)
                if (b->old)
                        b->old->reached = audits;
        for (int i = 0; i < CONTEXTS; i++)
                reach(held[i].model);
        for (int i = 0; i < BOUNDS; i++)
                reach(bounds[i].model);
        for (int i = 0; i < TOKENS; i++)
                if (tokens[i].state == GOOD && tokens[i].old)
                        tokens[i].old->reached = audits;

        for (size_t i = 0; i < living_count; i++) {
                struct value *v = living[i];
                if (slots[v->slot].retains)
                        CHECK(v->retained == 1, "retained %d times", v->retained);
                if (v->reached == audits) {
                        CHECK(v->released == 0, "released while it is bound");
                        living[kept++] = v;
                } else {
                        CHECK(v->released == slots[v->slot].releases, "not released: slot %d",
                              v->slot);
                        push(&dead, &dead_count, &dead_room, v);
                }
        }
        living_count = kept;
}

/* ---- vars ---- */

static void var_make(weft_var *memory)
{
        int s = slots_used++;
        int kind = s % 4;

        *memory = (weft_var)WEFT_VAR_INIT("var", .fallback = s % 3 ? NULL : (void *)(intptr_t)-s,
                                          .retain = kind == 1 ? value_retain : NULL,
                                          .release = kind & 1 ? value_release : NULL);
        slots[s] = (struct slot){.var = memory, .retains = kind == 1, .releases = kind & 1};
}

static int pick_slot(void)
{
        int s;

        do
                s = (int)rng_below(&rng, (unsigned)slots_used);
        while (slots[s].retired);
        return s;
}

static void is_set_now(int s)
{
        if (!slots[s].first_set)
                slots[s].first_set = ++first_sets;
}

static void op_retire(void)
{
        int s = pick_slot();

        if (slots_used == slots_max || !rng_chance(&rng, 10))
                return;
        weft_var *memory = slots[s].var;
        weft_var_fini(memory);
        slots[s].retired = true;
        var_make(memory);
}

/* ---- checks ---- */

static void check_one(const weft_context *context, const model m, int s)
{
        void *value = &rng;
        int r = weft_context_lookup(context, slots[s].var, &value);

        CHECK(r == (m[s] ? 0 : -ENOENT), "slot %d: %d", s, r);
        CHECK(value == (m[s] ? pointer(m[s]) : &rng), "slot %d", s);
}

static void check_one_now(int s)
{
        const weft_var *var = slots[s].var;
        struct value *v = frame->model[s];
        void *value = &rng;
        int r = weft_lookup(var, &value);

        CHECK(r == (v ? 0 : -ENOENT), "slot %d: %d", s, r);
        CHECK(value == (v ? pointer(v) : &rng), "slot %d", s);
        CHECK(weft_get(var) == (v ? pointer(v) : var->fallback), "slot %d", s);
}

struct walk {
        model model;
        size_t count, stop_at;
        unsigned last;
};

static int check_visited(const weft_var *var, void *value, void *arg)
{
        struct walk *w = arg;
        int s = slots_used - 1;

        while (slots[s].var != var || slots[s].retired)
                s--;
        CHECK(w->model[s] && pointer(w->model[s]) == value, "slot %d", s);
        CHECK(slots[s].first_set > w->last, "slot %d out of order", s);
        w->last = slots[s].first_set;
        return ++w->count == w->stop_at ? 7 : 0;
}

static void check_all(const weft_context *context, model m)
{
        size_t size = model_size(m);
        struct walk all = {.model = m};

        CHECK(weft_context_size(context) == size, "%zu", size);
        CHECK(weft_context_foreach(context, check_visited, &all) == 0, " ");
        CHECK(all.count == size, "%zu of %zu", all.count, size);
        if (size > 0) {
                struct walk some = {.model = m, .stop_at = 1 + rng_below(&rng, (unsigned)size)};
                CHECK(weft_context_foreach(context, check_visited, &some) == 7, " ");
                CHECK(some.count == some.stop_at, "%zu", some.count);
        }
}

static struct held *pick_held(void)
{
        return &held[rng_below(&rng, CONTEXTS)];
}

static void check_something(void)
{
        struct held *a = pick_held(), *b = pick_held();

        for (int i = 0; i < 4; i++)
                check_one_now(pick_slot());
        if (a->model)
                check_one(a->context, a->model, pick_slot());
        if (a->model && b->model && rng_chance(&rng, 4)) {
                bool equal = model_equal(a->model, b->model);
                CHECK(weft_context_equal(a->context, b->context) == equal, "%d", equal);
        }
        if (rng_chance(&rng, 40)) {
                weft_context *now = weft_context_capture();
                check_all(now, frame->model);
                weft_context_unref(now);
        }
        if (a->model && rng_chance(&rng, 40))
                check_all(a->context, a->model);
        if (rng_chance(&rng, 150))
                audit();
}

/* ---- steps ---- */

static void some_steps(unsigned at_most);

static void hold(weft_context *context, model m)
{
        struct held *h = pick_held();

        if (h->model) {
                weft_context_unref(h->context);
                free(h->model);
        }
        *h = (struct held){context, m};
}

static struct token *pick_free_token(void)
{
        struct token *t = &tokens[rng_below(&rng, TOKENS)];

        /* a token of a plain var may be forgotten; another one must be dropped */
        if (t->state == GOOD && (slots[t->slot].releases || rng_chance(&rng, 2)))
                weft_token_drop(&t->token);
        t->state = FREE;
        return t;
}

static void op_set(void)
{
        int s = pick_slot();
        struct token *t = rng_chance(&rng, 2) ? pick_free_token() : NULL;
        struct value *v = value_new(s);

        is_set_now(s);
        CHECK(weft_set(slots[s].var, pointer(v), t ? &t->token : NULL) == 0, " ");
        if (t) {
                t->state = GOOD;
                t->slot = s;
                t->frame = frame->id;
                t->old = frame->model[s];
        }
        frame->model[s] = v;
}

static void op_reset(void)
{
        struct token *t = &tokens[rng_below(&rng, TOKENS)];
        int s = rng_chance(&rng, 6) ? pick_slot() : t->slot;
        int expected;

        if (t->state == FREE)
                return;
        if (t->state == USED)
                expected = -EALREADY;
        else if (s != t->slot || slots[s].retired)
                expected = -EINVAL;
        else if (t->frame != frame->id)
                expected = -EPERM;
        else
                expected = 0;
        int r = weft_reset(slots[s].var, &t->token);
        CHECK(r == expected, "%d, not %d", r, expected);
        if (r == 0) {
                frame->model[s] = t->old;
                t->state = USED;
        }
}

static void op_token(void)
{
        struct token *t = &tokens[rng_below(&rng, TOKENS)];
        void *value = &rng;

        if (t->state == FREE)
                return;
        int r = weft_token_old(&t->token, &value);
        if (t->state == USED)
                CHECK(r == -EALREADY, "%d", r);
        else
                CHECK(r == (t->old ? 0 : -ENOENT), "%d", r);
        CHECK(value == (r == 0 ? pointer(t->old) : &rng), " ");
        if (rng_chance(&rng, 3)) {
                weft_token_drop(&t->token);
                t->state = USED;
        }
}

static void op_capture(void)
{
        hold(weft_context_capture(), copy_of(frame->model));
}

static void op_ref(void)
{
        struct held *h = pick_held();

        if (h->model)
                hold(weft_context_ref(h->context), copy_of(h->model));
}

static void op_unref(void)
{
        struct held *h = pick_held();

        if (!h->model)
                return;
        weft_context_unref(h->context);
        free(h->model);
        *h = (struct held){NULL, NULL};
}

static void op_with(void)
{
        struct held *h = pick_held();
        int s = pick_slot();
        weft_context *derived;

        if (!h->model)
                return;
        struct value *v = value_new(s);
        is_set_now(s);
        CHECK(weft_context_with(h->context, slots[s].var, pointer(v), &derived) == 0, " ");
        model m = copy_of(h->model);
        m[s] = v;
        hold(derived, m);
}

static void op_swap(void)
{
        struct held *h = pick_held();

        if (!h->model)
                return;
        h->context = weft_context_swap(h->context);
        model m = frame->model;
        frame->model = h->model;
        h->model = m;
}

struct run {
        model model; /* as the frame starts, and as it ended */
};

static int run_frame(void *arg)
{
        struct run *run = arg;
        struct frame mine = {run->model, ++frames_made, frame};

        frame = &mine;
        check_something();
        some_steps(30);
        frame = mine.below;
        run->model = mine.model;
        return (int)mine.id;
}

static void op_run(void)
{
        struct held *h = pick_held();
        weft_context *context = h->context, *after;

        if (!h->model)
                return;
        struct run run = {copy_of(h->model)};
        bool want_after = rng_chance(&rng, 2);
        /* what it runs in may be let go while it runs */
        int r = weft_context_run(context, run_frame, &run, want_after ? &after : NULL);
        CHECK(r > 0, "%d", r);
        if (want_after)
                hold(after, run.model);
        else
                free(run.model);
}

static void op_bind(void)
{
        struct held_bound *b = &bounds[rng_below(&rng, BOUNDS)];
        static struct run run; /* filled in before each call */

        if (!b->model) {
                CHECK(weft_bind(&b->bound, run_frame, &run) == 0, " ");
                b->model = copy_of(frame->model);
        } else if (rng_chance(&rng, 3)) {
                weft_bound_free(b->bound);
                free(b->model);
                *b = (struct held_bound){NULL, NULL};
        } else {
                struct run outer = run;
                run.model = copy_of(b->model);
                CHECK(weft_bound_call(b->bound) > 0, " ");
                free(run.model);
                run = outer;
        }
}

static void op_block(void)
{
        int s = pick_slot(), entered = 0;
        struct value *v = value_new(s);
        struct block mine = {frame->model[s], block};

        is_set_now(s);
        WEFT_WITH (slots[s].var, pointer(v)) {
                entered++;
                block = &mine;
                frame->model[s] = v;
                some_steps(15);
                if (rng_chance(&rng, 3))
                        break;
                check_something();
        }
        CHECK(entered == 1, "%d", entered);
        block = mine.below;
        if (!slots[s].retired)
                frame->model[s] = mine.old;
}

static const struct {
        void (*run)(void);
        unsigned weight;
        bool deeper;
} ops[] = {
    {op_set, 30, false},   {op_reset, 18, false}, {op_token, 6, false}, {op_capture, 8, false},
    {op_ref, 2, false},    {op_unref, 8, false},  {op_with, 6, false},  {op_swap, 4, false},
    {op_retire, 3, false}, {op_run, 6, true},     {op_bind, 4, true},   {op_block, 5, true},
};

static void one_step(void)
{
        unsigned all = 0, choice, i = 0;

        for (size_t k = 0; k < sizeof(ops) / sizeof(*ops); k++)
                all += ops[k].weight;
        choice = rng_below(&rng, all);
        while (choice >= ops[i].weight)
                choice -= ops[i++].weight;
        if (ops[i].deeper && depth == DEEPEST)
                return;
        depth += ops[i].deeper;
        ops[i].run();
        depth -= ops[i].deeper;
}

static void some_steps(unsigned at_most)
{
        unsigned n = 1 + rng_below(&rng, at_most);

        while (n-- > 0 && steps_left > 0) {
                steps_left--;
                one_step();
                check_something();
        }
}

static void let_go_of_everything(void)
{
        for (int i = 0; i < CONTEXTS; i++) {
                weft_context_unref(held[i].context);
                free(held[i].model);
                held[i] = (struct held){NULL, NULL};
        }
        for (int i = 0; i < BOUNDS; i++) {
                weft_bound_free(bounds[i].bound);
                free(bounds[i].model);
                bounds[i] = (struct held_bound){NULL, NULL};
        }
        for (int i = 0; i < TOKENS; i++) {
                if (tokens[i].state == GOOD)
                        weft_token_drop(&tokens[i].token);
                tokens[i].state = FREE;
        }
        weft_context_unref(weft_context_swap(NULL));
        memset(frame->model, 0, (size_t)slots_max * sizeof(*frame->model));
}

static void run_over(int vars, uint64_t steps)
{
        struct frame base = {.id = ++frames_made};
        weft_var *memory = calloc((size_t)vars, sizeof(*memory));

        slots_used = 0;
        slots_max = 2 * vars;
        slots = calloc((size_t)slots_max, sizeof(*slots));
        for (int i = 0; i < vars; i++)
                var_make(&memory[i]);
        base.model = copy_of(NULL);
        frame = &base;
        steps_left = steps;
        while (steps_left > 0)
                some_steps(1000);

        let_go_of_everything();
        audit();
        CHECK(living_count == 0, "%zu values live", living_count);
        for (size_t i = 0; i < dead_count; i++) {
                CHECK(dead[i]->released == slots[dead[i]->slot].releases, "%d", dead[i]->released);
                free(dead[i]);
        }
        printf("%d vars, %" PRIu64 " steps, %u frames, %zu values\n", vars, steps, frames_made,
               dead_count);
        dead_count = 0;
        for (int i = 0; i < vars; i++)
                weft_var_fini(&memory[i]);
        free(base.model);
        free(slots);
        free(memory);
}

int main(int argc, char **argv)
{
        uint64_t steps = STRESS_SLOW ? 50000 : 200000, vars = 0;

        stress_begin(argc, argv,
                     (const struct stress_option[]){
                         {"--steps", &steps, "operations over each number of vars"},
                         {"--vars", &vars, "how many; 0: 40, then 1000"},
                         {NULL, NULL, NULL},
                     });
        rng = (struct rng){stress_seed};
        if (vars == 0 || vars > 100000) {
                run_over(40, steps);
                run_over(1000, steps);
        } else {
                run_over((int)vars, steps);
        }
        free(living);
        free(dead);
        return 0;
}
