/* SPDX-License-Identifier: MIT
 *
 * Threads as coroutines. One runs until it comes to an operation that others can notice, and may be
 * left there for another one (that is a preemption, of which there is a number), or until it cannot
 * go on: it waits, spins, or has ended.
 *
 * A thread that yields is not gone on with before another one has written something, unless nobody
 * else can go on; one that pauses, which it does for a bounded time, goes on at once. One that
 * yields again goes on after all who could have, and have not, since it last did: so those who spin
 * do not take turns for ever (Musuvathi and Qadeer, "Fair Stateless Model Checking", PLDI 2008).
 *
 * Time passes while nobody can go on, to the first deadline that somebody waits for; or, as a
 * preemption, when somebody could.
 *
 * Each has a copy of the program's thread-local storage, put in place when it runs. A thread may
 * switch to stacks of its own: it is gone on with wherever it was left.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/fiber.h"

#include "checker.h"

/* ---- making ---- */

static void end_execution(void)
{
        void *unused;
        mc->runs = false;
        weft__switch(&unused, mc->sp);
        abort();
}

static void block(void);

void set_phase(int thread, enum phase phase)
{
        struct thread *t = &mc->thread[thread];
        unsigned bit = 1u << thread;
        t->phase = phase;
        mc->ready = phase == READY ? mc->ready | bit : mc->ready & ~bit;
        mc->timed = phase == WAITS && t->timed ? mc->timed | bit : mc->timed & ~bit;
}

static void thread_main(weft__fiber *fiber)
{
        struct thread *t = self();
        (void)fiber;
        t->fn(t->arg);
        system_thread_ends();
        fakes_thread_ends();
        step();
        say(NULL, "ends");
        set_phase(mc->current, ENDED);
        for (int i = 0; i < mc->threads; i++)
                if (mc->thread[i].phase == JOINS && mc->thread[i].joined == mc->current)
                        set_phase(i, READY);
        block();
        abort();
}

void threads_make(void)
{
        for (int i = 0; i < THREADS; i++)
                mc->thread[i].stack = mc->region + (size_t)i * STACK;
}

int thread_start(const char *name, void (*fn)(void *arg), void *arg)
{
        int n = mc->threads;
        if (n == THREADS)
                model_fail("too many threads");
        mc->threads++;
        struct thread *t = &mc->thread[n];
        char *stack = t->stack;
        memset(t, 0, offsetof(struct thread, tls));
        t->stack = stack;
        t->name = name;
        t->fn = fn;
        t->arg = arg;
        set_phase(n, READY);
        t->ran = 0xff; /* at its first yield it owes nobody anything */
        t->priority = (int)random_below(1 << 20);
        if (n > 0) {
                step();
                t->now = self()->now;
        }
        t->now.before[n] = t->now.seen[n] = 1;
        memcpy(t->tls, mc->tls_first, mc->tls_size);
        bool runs = mc->runs;
        mc->runs = false;
        stack_new(stack, STACK);
        t->fiber = fiber_on(stack, STACK, thread_main);
        t->sp = t->fiber->sp;
        mc->runs = runs;
        return n;
}

void threads_begin(void)
{
        mc->threads = 0;
        mc->ready = mc->timed = mc->yielding = mc->owing = 0;
        set_current(0);
        thread_start("main", (void (*)(void *))mc->model->run, NULL);
        memcpy(mc->tls, self()->tls, mc->tls_size);
        mc->resume = self()->sp;
}

void run_threads(void)
{
        mc->runs = true;
        weft__switch(&mc->sp, mc->resume);
        while (mc->marking) {
                past_mark();
                weft__switch(&mc->sp, mc->resume);
        }
        mc->runs = false;
}

/* ---- whose turn it is ---- */

static void switch_to(int next)
{
        struct thread *from = self(), *to = &mc->thread[next];
        if (to == from)
                return;
        stack_seen(__builtin_frame_address(0));
        memcpy(from->tls, mc->tls, mc->tls_size);
        memcpy(mc->tls, to->tls, mc->tls_size);
        set_current(next);
        mc->owing = 0;
        for (int i = 0; i < mc->threads; i++) {
                mc->thread[i].ran |= (uint8_t)(1u << next);
                mc->thread[i].after &= (uint8_t) ~(1u << next);
                mc->owing |= (unsigned)(mc->thread[i].after != 0) << i;
        }
        say(NULL, "goes on");
        weft__switch(&from->sp, to->sp);
}

/* Those who can go on, but for the one that runs. */
static unsigned ready(bool spinning_too)
{
        unsigned could = mc->ready & ~(1u << mc->current), can = could;
        for (unsigned rest = could & mc->owing; rest; rest &= rest - 1)
                if (mc->thread[__builtin_ctz(rest)].after & could)
                        can &= ~(rest & -rest);
        return spinning_too ? can : can & ~mc->yielding;
}

/* The one whose time comes first; NEVER: nobody waits for a time. */
static int first_timed(void)
{
        int first = NEVER;
        for (unsigned rest = mc->timed; rest; rest &= rest - 1) {
                int i = __builtin_ctz(rest);
                if (first == NEVER || mc->thread[i].until < mc->thread[first].until)
                        first = i;
        }
        return first;
}

/* That set as a list; how many. */
static int listed(unsigned set, int *ret)
{
        int n = 0;
        for (; set; set &= set - 1)
                ret[n++] = __builtin_ctz(set);
        return n;
}

enum { PAUSE_NS = 1000 };

static void time_passes(int thread)
{
        struct thread *t = &mc->thread[thread];
        if (mc->clock < t->until)
                mc->clock = t->until;
        say(NULL, "(time passes, until %s has waited long enough)", t->name);
        t->timed_out = true;
        set_phase(thread, READY);
}

static void go_on_with(int thread)
{
        if (thread < 0)
                __builtin_unreachable(); /* there is one, as whoever asks has seen */
        if (mc->thread[thread].phase == WAITS)
                time_passes(thread);
        switch_to(thread);
}

static unsigned highest(const int *of, int n)
{
        unsigned best = 0;
        for (int i = 1; i < n; i++)
                if (mc->thread[of[i]].priority > mc->thread[of[best]].priority)
                        best = (unsigned)i;
        return best;
}

/* A random execution: whether it is of the kind with priorities. */
static bool by_priority(void)
{
        return mc->execution % 2;
}

/* Which of those at of[1] and above, or with 0 the one that runs. */
static unsigned wish(int *of, int n)
{
        if (mc->mode != RANDOM)
                return 0;
        if (!by_priority())
                return random_below(8) ? 0 : 1 + random_below((unsigned)n - 1);
        for (unsigned i = 0; i < sizeof(mc->change_at) / sizeof(mc->change_at[0]); i++)
                if (mc->change_at[i] == mc->steps)
                        self()->priority = -(int)mc->steps;
        return highest(of, n);
}

void turn(const char *what, const void *site)
{
        int of[THREADS + 1], n = 1;
        mc->steps++;
        if (!mc->preemptions_left)
                return;
        of[0] = mc->current;
        unsigned others = ready(true); /* one that spins may have spun long enough */
        if (mc->model->prompt ? !others : !(others | mc->timed))
                return;
        n += listed(others, of + 1);
        int timed = mc->model->prompt ? NEVER : first_timed();
        if (timed != NEVER)
                of[n++] = timed;
        unsigned k = choose_or((unsigned)n, wish(of, n));
        if (!k)
                return;
        if (mc->preemptions_left > 0)
                mc->preemptions_left--;
        say(site, "is left before it %s", what);
        go_on_with(of[k]);
}

static __attribute__((cold, noinline)) void stuck(void)
{
        static const char *const doing[] = {
            [READY] = "could go on", [WAITS] = "waits", [JOINS] = "joins another thread"};
        char text[REASON] = "";
        size_t n = 0;
        for (int i = 0; i < mc->threads; i++) {
                const struct thread *t = &mc->thread[i];
                if (t->phase == ENDED)
                        continue;
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s %s", n ? ";" : "", t->name,
                                      doing[t->phase]);
                if (t->phase == WAITS)
                        n += (size_t)snprintf(text + n, sizeof(text) - n, " on %s",
                                              place_of(t->word));
        }
        model_fail("nobody can go on:%s", text);
}

/* One of those who can go on; or, as a preemption of them, time passes. */
static void go_on_with_any(int *of, int n)
{
        int timed = mc->model->prompt ? NEVER : first_timed();
        unsigned k = 0;
        if (timed != NEVER && mc->preemptions_left)
                of[n++] = timed;
        if (mc->mode == RANDOM)
                k = by_priority() ? highest(of, n) : random_below((unsigned)n);
        if (n > 1)
                k = choose_or((unsigned)n, k);
        if (of[k] == timed && mc->preemptions_left > 0)
                mc->preemptions_left--;
        go_on_with(of[k]);
}

/* The thread that runs cannot, for now. */
static void block(void)
{
        int of[THREADS + 1], n = listed(ready(false), of);
        if (!n)
                n = listed(ready(true), of);
        if (n) {
                go_on_with_any(of, n);
                return;
        }
        int timed = first_timed();
        if (timed != NEVER) {
                go_on_with(timed);
                return;
        }
        for (int i = 0; i < mc->threads; i++)
                if (mc->thread[i].phase != ENDED)
                        stuck();
        end_execution();
}

static void time_goes_on(int64_t by)
{
        mc->clock += by;
        for (unsigned rest = mc->timed; rest; rest &= rest - 1)
                if (mc->thread[__builtin_ctz(rest)].until <= mc->clock)
                        time_passes(__builtin_ctz(rest));
}

void thread_yield(const void *site)
{
        enum { ALONE = 64 };
        struct thread *t = self();
        if (++mc->steps > STEPS)
                model_fail("does not come to an end: %s spins", t->name);
        say(site, "spins");
        bool others = ready(true);
        t->alone = others ? 0 : t->alone + 1;
        if (!others && (t->alone < ALONE || first_timed() == NEVER))
                return; /* what it waits for may be that it sees something, or its own time */
        t->after = (uint8_t)(mc->ready & ~t->ran & ~(1u << mc->current));
        mc->owing |= (unsigned)(t->after != 0) << mc->current;
        t->ran = 0;
        mc->yielding |= 1u << mc->current;
        block();
        mc->yielding &= ~(1u << mc->current);
}

void thread_pauses(const void *site)
{
        enum { AT_ONCE = 128 };
        struct thread *t = self();
        time_goes_on(PAUSE_NS);
        t->spun = t->spun_at == mc->stores ? t->spun + 1 : 0;
        t->spun_at = mc->stores;
        if (t->spun % AT_ONCE == AT_ONCE - 1)
                thread_yield(site);
}

void thread_waits(const void *word, bool timed, int64_t until, const void *site)
{
        struct thread *t = self();
        t->word = word;
        t->timed = timed;
        set_phase(mc->current, WAITS);
        t->timed_out = false;
        t->until = until;
        t->site = site;
        block();
}

void thread_join(int thread, const void *site)
{
        struct thread *t = self(), *other = &mc->thread[thread];
        if (other->phase != ENDED) {
                set_phase(mc->current, JOINS);
                t->joined = thread;
                t->site = site;
                block();
        }
        learn(&t->now, &other->now);
        step();
}

void step(void)
{
        struct thread *t = self();
        if (t->now.before[mc->current] >= STEPS)
                model_fail("does not come to an end: %s has done %d steps", t->name, STEPS);
        stack_seen(__builtin_frame_address(0));
        mc->worked++;
        t->now.before[mc->current]++;
        t->now.seen[mc->current] = t->now.before[mc->current];
}

/* ---- for models ---- */

int model_start(const char *name, void (*fn)(void *arg), void *arg)
{
        int n = thread_start(name, fn, arg);
        say(__builtin_return_address(0), "starts %s", name);
        return n;
}

void model_join(int thread)
{
        thread_join(thread, __builtin_return_address(0));
        say(__builtin_return_address(0), "has joined %s", mc->thread[thread].name);
}

void model_join_all(void)
{
        for (int i = 0; i < mc->threads; i++)
                if (i != mc->current)
                        model_join(i);
}

void model_join_all_but_workers(void)
{
        for (int i = 0; i < mc->threads; i++)
                if (i != mc->current && !mc->thread[i].worker)
                        model_join(i);
}

int model_self(void)
{
        return mc->current;
}

void model_pause(void)
{
        thread_yield(__builtin_return_address(0));
}

void model_seen(unsigned k)
{
        if (mc->mode != GIVEN)
                mc->seen |= 1u << k;
        say(__builtin_return_address(0), "comes to the outcome %u", k);
}

void model_fail(const char *format, ...)
{
        va_list ap;
        va_start(ap, format);
        vsnprintf(mc->reason, sizeof(mc->reason), format, ap);
        va_end(ap);
        say(__builtin_return_address(0), "FAILS: %s", mc->reason);
        mc->failed = true;
        if (mc->runs)
                end_execution();
        longjmp(mc->crash, 1);
}
