/* SPDX-License-Identifier: MIT
 *
 * Going back. Depth first, an execution is the one before up to a choice that is taken otherwise,
 * and that is mostly near its end. So it is not run anew from its beginning: on the way, at
 * choices, the state of the execution is noted as a mark, and the next execution goes on from the
 * last mark that comes before its first new choice. With --anew it does not, and is the same.
 *
 * What a mark copies is what changes all the time: the threads, their stacks and the fibers',
 * static variables, what is counted. All else is logged: who changes it for the first time since
 * the newest mark keeps first what it was (keep()), and to go back is to put that back, the newest
 * first. What lies beyond the counts of what only grows (stores, looks) need not be kept.
 *
 * Memory is kept with its grain (race.c), since instrumented code tells each access before it is
 * made. What is written otherwise lies on stacks; or fakes.c keeps it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pool/fiber.h"

#include "checker.h"

enum {
        MARKS = 64,
        APART = 24,        /* steps between marks */
        SLACK = 2048,      /* of a stack, below where it was seen to be used */
        ROOM = 192 * 1024, /* of a mark's copies */
        LOG = 64 * 1024 * 1024
};

static const size_t state_begin = offsetof(struct checker, current);
static const size_t state_end = offsetof(struct checker, thread);

struct mark {
        unsigned choices; /* made before it */
        unsigned worked;
        char *log;
        void *sp; /* where the thread goes on */
        unsigned n;
        size_t used;
        struct kept of[2 * THREADS + STACKS + 8];
        char copy[ROOM];
};

static struct past {
        unsigned marks;
        struct mark mark[MARKS];
        char log[LOG];
} * past;

void past_make(void)
{
        past = mmap(NULL, sizeof(*past), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (past == MAP_FAILED)
                abort();
}

static void set_epoch(uint64_t epoch)
{
        mc->epoch = epoch;
        set_current(mc->current);
}

void past_forget(void)
{
        past->marks = 0;
        mc->log = past->log;
        mc->log_end = past->log + LOG;
        mc->epoch = 0;
}

/* ---- the log ---- */

static void put_back(char *to)
{
        char *at = mc->log;
        while (at > to) {
                struct kept k;
                at -= sizeof(k);
                memcpy(&k, at, sizeof(k));
                at -= k.size;
                if (k.size == sizeof(struct row))
                        memcpy(k.at, at, sizeof(struct row));
                else if (k.size == sizeof(struct grain))
                        memcpy(k.at, at, sizeof(struct grain));
                else if (k.size == GRAIN)
                        memcpy(k.at, at, GRAIN);
                else
                        memcpy(k.at, at, k.size);
        }
        mc->log = to;
}

/* ---- marks ---- */

static bool copy(struct mark *m, void *at, size_t size)
{
        if (m->used + size > ROOM)
                return false;
        memcpy(m->copy + m->used, at, size);
        m->of[m->n++] = (struct kept){at, size};
        m->used += size;
        return true;
}

static bool copy_stack(struct mark *m, const struct stack *s)
{
        char *from = s->lowest - s->low > SLACK ? s->lowest - SLACK : s->low;
        return copy(m, from, (size_t)(s->high - from));
}

static bool copy_all(struct mark *m)
{
        bool fits = copy(m, (char *)mc + state_begin, state_end - state_begin) &&
                    copy(m, mc->statics, (size_t)(mc->statics_end - mc->statics)) &&
                    copy(m, mc->tls, mc->tls_size) &&
                    copy(m, mc->block, mc->blocks * sizeof(mc->block[0]));
        for (int i = 0; fits && i < mc->threads; i++)
                fits = copy(m, &mc->thread[i], offsetof(struct thread, tls) + mc->tls_size);
        for (unsigned i = 0; fits && i < mc->stacks; i++)
                fits = copy_stack(m, &mc->stack[i]);
        return fits;
}

/* By the driver, when a thread is left for that. */
void past_mark(void)
{
        struct mark *m = &past->mark[past->marks];
        mc->marking = false;
        m->n = 0;
        m->used = 0;
        m->choices = mc->choices;
        m->worked = mc->worked;
        m->log = mc->log;
        m->sp = mc->resume;
        if (copy_all(m)) {
                past->marks++;
                set_epoch(++mc->epochs);
        }
}

/* A choice is about to be made: a good place for a mark? The thread goes on after this once more
 * whenever an execution begins here. */
void past_may_mark(void)
{
        const struct mark *last = past->marks ? &past->mark[past->marks - 1] : NULL;
        if (mc->mode != DEPTH_FIRST || mc->anew || past->marks == MARKS ||
            mc->worked - (last ? last->worked : 0) < APART)
                return;
        stack_seen(__builtin_frame_address(0));
        mc->marking = true;
        weft__switch(&mc->resume, mc->sp);
}

/* Put everything as it was at the last mark before the first new choice; false: there is none. */
bool past_go_back(void)
{
        if (!mc->given)
                return false;
        while (past->marks && past->mark[past->marks - 1].choices > mc->given - 1)
                past->marks--;
        if (!past->marks)
                return false;
        struct mark *m = &past->mark[past->marks - 1];
        const char *from = m->copy;
        put_back(m->log);
        for (unsigned i = 0; i < m->n; i++) {
                memcpy(m->of[i].at, from, m->of[i].size);
                from += m->of[i].size;
        }
        mc->choices = m->choices;
        mc->resume = m->sp;
        mc->failed = false;
        set_epoch(++mc->epochs);
        return true;
}

/* ---- stacks ---- */

void stack_new(char *low, size_t size)
{
        if (mc->stacks == STACKS)
                model_fail("too many stacks");
        mc->stack[mc->stacks++] = (struct stack){low, low + size, low + size};
}

void stack_seen(char *sp)
{
        struct stack *s = &mc->stack[mc->stack_now];
        if ((size_t)(sp - s->low) >= (size_t)(s->high - s->low)) {
                unsigned i = 0;
                while (i < mc->stacks && (size_t)(sp - mc->stack[i].low) >=
                                             (size_t)(mc->stack[i].high - mc->stack[i].low))
                        i++;
                if (i == mc->stacks)
                        return;
                mc->stack_now = i;
                s = &mc->stack[i];
        }
        if (sp < s->lowest)
                s->lowest = sp;
}
