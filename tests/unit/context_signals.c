/* SPDX-License-Identifier: MIT
 *
 * weft_get() and weft_lookup() in a signal handler: at any instant, also in the middle of a set on
 * the same thread, they give the value from before or the one from after, alive, and never the old
 * one again once the new one was seen. A storm of timer signals tries it at random instants; on
 * x86-64 the trap flag, which stops the thread after every single instruction, tries it at all of
 * them.
 */
#include "context_help.h"

#include <time.h>

#include "context/knobs.h"

enum { ALIVE = 0x600d, DEAD = 0xdead };

/* A value that says of itself whether it was released. */
struct object {
        _Atomic(int) state;
        int number;
};

static void object_release(void *value)
{
        struct object *o = value;
        if (o)
                atomic_store(&o->state, DEAD);
}

static weft_var plain = WEFT_VAR_INIT("plain", .fallback = V(0));
static weft_var kept = WEFT_VAR_INIT("kept", .release = object_release);
static weft_var far_plain = WEFT_VAR_INIT("far plain", .fallback = V(0));
static weft_var far_kept = WEFT_VAR_INIT("far kept", .release = object_release);
static weft_var steady = WEFT_VAR_INIT("steady");
static weft_var far_steady = WEFT_VAR_INIT("far steady");
static weft_var fillers[300];

/* What the handler saw; it only reads, and the thread itself looks at this when it is over. */
static volatile sig_atomic_t signals, wrong;

/* Set and reset: from now on the var has its id, by the order of these calls near or far. */
static void enlist(weft_var *var)
{
        weft_token token;
        weft_set(var, NULL, &token);
        weft_reset(var, &token);
}

static void bind_the_steady_ones(void)
{
        weft_set(&steady, V(1), NULL);
        enlist(&plain);
        enlist(&kept);
        for (int i = 0; i < 300; i++) {
                fillers[i] = (weft_var)WEFT_VAR_INIT("filler");
                weft_set(&fillers[i], V(i), NULL);
        }
        weft_set(&far_steady, V(2), NULL);
        enlist(&far_plain);
        enlist(&far_kept);
}

static void look_at_the_steady_ones(void)
{
        void *value;

        if (weft_get(&steady) != V(1) || weft_get(&far_steady) != V(2))
                wrong = 1;
        if (weft_lookup(&fillers[150], &value) != 0 || value != V(150))
                wrong = 2;
}

/* ---- a storm ---- */

static struct object objects[64];

/* Both vars are set to numbers that only rise, plain ones and objects: what the handler sees must
 * not fall, and must not be dead. */
static void look(int signal)
{
        static intptr_t last, last_far;
        static int last_kept, last_far_kept;

        (void)signal;
        look_at_the_steady_ones();
        intptr_t now = (intptr_t)weft_get(&plain);
        if (now < last)
                wrong = 3;
        last = now;
        now = (intptr_t)weft_get(&far_plain);
        if (now < last_far)
                wrong = 4;
        last_far = now;
        const struct object *o = weft_get(&kept);
        if (o && (o->state != ALIVE || o->number < last_kept))
                wrong = 5;
        if (o)
                last_kept = o->number;
        o = weft_get(&far_kept);
        if (o && (o->state != ALIVE || o->number < last_far_kept))
                wrong = 6;
        if (o)
                last_far_kept = o->number;
        signals++;
}

static struct object *next_object(int number)
{
        struct object *o = &objects[number % 64];
        o->number = number;
        atomic_store(&o->state, ALIVE);
        return o;
}

Test(context, c9_get_in_a_signal_handler_during_a_storm_of_sets, .timeout = 60)
{
        struct sigaction action = {.sa_handler = look, .sa_flags = SA_RESTART};
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
        struct itimerspec often = {{0, 50000}, {0, 50000}};
        timer_t timer;

        bind_the_steady_ones();
        sigaction(SIGPROF, &action, NULL);
        cr_assert_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
        cr_assert_eq(timer_settime(timer, 0, &often, NULL), 0);
        int most = WEFT__KNOB(delays) ? 2000 : 100000; /* each set is delayed */
        for (int i = 1; !wrong && (signals < 2000 || i < most); i++) {
                weft_context *held = i % 3 ? NULL : weft_context_capture();
                weft_set(&plain, V(i), NULL);
                weft_set(&kept, next_object(2 * i), NULL);
                weft_set(&far_plain, V(i), NULL);
                weft_set(&far_kept, next_object(2 * i + 1), NULL);
                weft_context_unref(held);
        }
        timer_delete(timer);
        cr_assert_eq(wrong, 0);
}

/* ---- every instruction ---- */

#if defined(__x86_64__)

/* What is stepped through changes var from before to after; UNSET for not bound. */
static char unset[1];
#define UNSET ((void *)unset)

static struct {
        const weft_var *var;
        void *before, *after;
        bool there_and_back, after_seen;
} change;

static void *value_or_unset(const weft_var *var)
{
        void *value;
        return weft_lookup(var, &value) == 0 ? value : UNSET;
}

static void look_between_two_instructions(int signal)
{
        void *value = value_or_unset(change.var);

        (void)signal;
        signals++;
        look_at_the_steady_ones();
        if (weft_get(change.var) != (value == UNSET ? change.var->fallback : value))
                wrong = 7;
        if (value == change.after)
                change.after_seen = true;
        else if (value != change.before)
                wrong = 8;
        else if (change.after_seen && !change.there_and_back)
                wrong = 9;
        if (value != UNSET && change.var->release && ((struct object *)value)->state != ALIVE)
                wrong = 10;
}

/* Set or clear the trap flag, clear of the red zone. */
static inline __attribute__((always_inline)) void start_stepping(void)
{
        __asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
                         "pushfq\n\t"
                         "orq $0x100, (%%rsp)\n\t"
                         "popfq\n\t"
                         "lea 128(%%rsp), %%rsp" ::
                             : "memory", "cc");
}

static inline __attribute__((always_inline)) void stop_stepping(void)
{
        __asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
                         "pushfq\n\t"
                         "andq $~0x100, (%%rsp)\n\t"
                         "popfq\n\t"
                         "lea 128(%%rsp), %%rsp" ::
                             : "memory", "cc");
}

static void expect_change(const weft_var *var, void *after)
{
        change.var = var;
        change.before = value_or_unset(var);
        change.after = after;
        change.there_and_back = change.after_seen = false;
        signals = 0;
}

static void assert_changed(void)
{
        cr_assert_gt(signals, 20);
        cr_assert_eq(wrong, 0);
        cr_assert_eq(value_or_unset(change.var),
                     change.there_and_back ? change.before : change.after);
}

static void step_set(weft_var *var, void *value, weft_token *token)
{
        expect_change(var, value);
        start_stepping();
        int r = weft_set(var, value, token);
        stop_stepping();
        cr_assert_eq(r, 0);
        assert_changed();
}

static void step_reset(weft_var *var, weft_token *token, void *back)
{
        expect_change(var, back);
        start_stepping();
        int r = weft_reset(var, token);
        stop_stepping();
        cr_assert_eq(r, 0);
        assert_changed();
}

static int do_nothing(void *arg)
{
        (void)arg;
        return 0;
}

static void step_through_run(weft_var *var, void *value)
{
        weft_context *mine = weft_context_capture(), *other;

        cr_assert_eq(weft_context_with(mine, var, value, &other), 0);
        expect_change(var, value);
        change.there_and_back = true;
        start_stepping();
        weft_context_run(other, do_nothing, NULL, NULL);
        stop_stepping();
        assert_changed();
        weft_context_unref(other);
        weft_context_unref(mine);
}

/* Who else holds what the frame's context is made of: nobody; somebody all of it; somebody its far
 * part, the context itself being a copy. */
enum held_by { NOBODY, ANOTHER, ANOTHERS_FAR_PART, HELD_BY };

static weft_context *hold(enum held_by held_by)
{
        weft_context *held = held_by == NOBODY ? NULL : weft_context_capture();

        if (held_by == ANOTHERS_FAR_PART)
                weft_set(&steady, V(1), NULL);
        return held;
}

/* unset, a, b, c, a, unset: with a token and without. */
static void step_through(weft_var *var, struct object *o, enum held_by held_by)
{
        weft_token to_unset, to_a;
        weft_context *held[3] = {NULL};

        for (int i = 0; i < 4; i++) {
                o[i].number = i;
                atomic_store(&o[i].state, ALIVE);
        }
        step_set(var, &o[0], &to_unset);
        held[0] = hold(held_by);
        step_set(var, &o[1], &to_a);
        step_set(var, &o[2], NULL);
        held[1] = hold(held_by);
        step_through_run(var, &o[3]);
        step_reset(var, &to_a, &o[0]);
        held[2] = hold(held_by);
        step_reset(var, &to_unset, UNSET);
        for (int i = 0; i < 3; i++)
                weft_context_unref(held[i]);
        for (int i = 0; var->release && i < 4; i++)
                cr_assert_eq(atomic_load(&o[i].state), DEAD);
}

static void count(int signal)
{
        (void)signal;
        signals++;
}

Test(context, c9_get_in_a_signal_handler_after_every_instruction, .timeout = 120)
{
        static weft_var *const vars[] = {&plain, &kept, &far_plain, &far_kept};

        if (WITH_TSAN)
                cr_skip_test("its runtime, stopped in the middle, waits for itself");
        signal(SIGTRAP, count);
        start_stepping();
        stop_stepping();
        if (!signals)
                cr_skip_test("no signal at the trap flag: this is an emulated processor");

        bind_the_steady_ones();
        signal(SIGTRAP, look_between_two_instructions);
        for (size_t i = 0; i < 4; i++)
                for (int held_by = NOBODY; held_by < HELD_BY; held_by++)
                        step_through(vars[i], objects, held_by);
}

#endif
