/* SPDX-License-Identifier: MIT
 *
 * The dump: what was seen of all tasks, as a tree of lines. All of it runs in a copy of the process
 * (snapshot.h), but for weft_dump().
 */
#include "dump.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <weft/explain.h>
#include <weft/see.h>

#include "pools.h"
#include "symbol.h"

enum { DEEPEST = 40, A_STEP = 2, VALUE_MOST = 256 };

/* ---- what it does ---- */

static void print_time(weft__out *out, const char *word, int64_t ns)
{
        if (ns < 0)
                ns = 0;
        weft__out_print(out, " %s %" PRId64 ".%03d s", word, ns / 1000000000,
                        (int)(ns / 1000000 % 1000));
}

void weft__dump_worker(weft__out *out, const weft__worker *w)
{
        weft__out_name(out, w->pool->name);
        weft__out_print(out, "-%u", w->index);
}

static void print_awaited(weft__out *out, const struct weft__view *view, const weft_task *task)
{
        const struct weft__seen *s = weft__look_for(view, task);
        weft__out_print(out, " for the end of task %p", (const void *)task);
        if (s && s->id)
                weft__out_print(out, " #%08" PRIx32, s->id);
}

static void print_reason(weft__out *out, const struct weft__view *view, const struct weft__seen *s)
{
        static const char *const names[] = {
            [WEFT__ON_GROUP] = "for group",
            [WEFT__ON_MUTEX] = "for mutex",
            [WEFT__ON_EVENT] = "for event",
            [WEFT__ON_SEMAPHORE] = "for semaphore",
            [WEFT__ON_SENDING] = "to send to channel",
            [WEFT__ON_RECEIVING] = "to receive from channel",
            [WEFT__ON_ROOM] = "for room in pool",
            [WEFT__ON_SHUTDOWN] = "for the shutdown of pool",
        };
        if (s->on == WEFT__ON_TASK)
                print_awaited(out, view, s->what);
        else if (s->on == WEFT__ON_FD)
                weft__out_print(out, " for descriptor %d", (int)(intptr_t)s->what);
        else if (s->on == WEFT__ON_TIME)
                weft__out_print(out, " for its time");
        else if (s->on == WEFT__ON_BLOCKING)
                weft__out_print(out, " for a blocking call");
        else if (s->on < sizeof(names) / sizeof(*names) && names[s->on])
                weft__out_print(out, " %s %p", names[s->on], s->what);
}

static void print_doing(weft__out *out, const struct weft__view *view, const struct weft__seen *s)
{
        static const char *const words[] = {[WEFT__RUNS] = "runs",
                                            [WEFT__WAITS] = "waits",
                                            [WEFT__RESUMES] = "is ready to go on",
                                            [WEFT__BEGINS] = "is ready to begin",
                                            [WEFT__DELAYS] = "is to begin"};
        weft__out_print(out, "%s", words[s->doing]);
        if (s->doing == WEFT__WAITS)
                print_reason(out, view, s);
        if (s->worker) {
                weft__out_print(out, " on ");
                weft__dump_worker(out, s->worker);
        }
        if (s->since)
                print_time(out, "for", view->now - s->since);
        if (s->until != WEFT_FOREVER)
                print_time(out, s->doing == WEFT__DELAYS ? "in" : "and no longer than another",
                           s->until - view->now);
        if (s->cancelled)
                weft__out_print(out, ", cancelled");
}

/* ---- under which context ---- */

struct values {
        weft__out *out;
        const weft_context *of;
        unsigned shown;
        const weft_var *var; /* of the one that is being shown */
        void *value;
};

static void print_value(void *arg)
{
        struct values *v = arg;
        char text[VALUE_MOST];
        weft__out_print(v->out, "%s", v->shown++ ? ", " : "");
        weft__out_name(v->out, v->var->name ? v->var->name : "?");
        weft__out_print(v->out, "=");
        if (v->var->format)
                weft__out_flush(v->out); /* it may not return */
        int n = v->var->format ? v->var->format(v->value, text, sizeof(text)) : -1;
        if (n < 0) {
                weft__out_print(v->out, "%p", v->value);
                return;
        }
        bool cut = n >= VALUE_MOST;
        size_t length = strnlen(text, sizeof(text));
        weft__out_print(v->out, "\"");
        weft__out_quoted(v->out, text, cut ? weft__text_whole(text, length) : length);
        weft__out_print(v->out, cut ? "…\"" : "\"");
}

static int try_value(const weft_var *var, void *value, void *arg)
{
        struct values *v = arg;
        v->var = var;
        v->value = value;
        if (!weft__copy_try(print_value, v))
                weft__out_print(v->out, "(cannot be read)");
        return 0;
}

static void print_values(void *arg)
{
        struct values *v = arg;
        weft_context_foreach(v->of, try_value, v);
}

/* Where it was submitted, as far as that is recorded (weft/explain.h). */
static void print_place(void *arg)
{
        const struct values *v = arg;
        const struct weft__line *line;
        const void *address;
        weft__submitted_at(v->of, &address, &line);
        if (line)
                weft__out_print(v->out, ", submitted in %s:%d", line->file, line->line);
        if (!address)
                return;
        weft__out_print(v->out, ", submitted at ");
        weft__symbol_print(v->out, (const char *)address - 1); /* it is where the call returns to */
}

/* ---- one task, all tasks ---- */

static void indent(weft__out *out, unsigned depth)
{
        weft__out_print(out, "%*s", (int)(depth < DEEPEST ? depth : DEEPEST) * A_STEP, "");
}

void weft__dump_task(weft__out *out, const struct weft__view *view, const struct weft__seen *s,
                     unsigned depth)
{
        indent(out, depth);
        if (s->id)
                weft__out_print(out, "#%08" PRIx32 " ", s->id);
        print_doing(out, view, s);
        weft__out_print(out, ": ");
        weft__symbol_print(out, (const void *)(uintptr_t)s->fn);
        weft__out_print(out, ", arg %p", s->arg);
        if (s->task)
                weft__out_print(out, ", task %p", (const void *)s->task);
        if (s->submitter && !s->parent)
                weft__out_print(out, ", submitted by #%08" PRIx32 ", which has ended",
                                s->submitter);
        struct values values = {.out = out, .of = s->context};
        if (s->context && !weft__copy_try(print_place, &values))
                weft__out_print(out, ", submitted in a place that cannot be read");
        weft__out_print(out, "\n");
        if (!s->context)
                return;
        indent(out, depth + 2);
        weft__out_print(out, "{");
        if (!weft__copy_try(print_values, &values))
                weft__out_print(out, "(cannot be read)");
        weft__out_print(out, "}\n");
}

static void print_pool(weft__out *out, const weft_pool *pool, const struct weft__view *view)
{
        unsigned n[WEFT__DELAYS + 1] = {0}, asleep = 0;
        for (const struct weft__seen *s = view->seen; s < view->seen + view->count; s++)
                if (s->pool == pool)
                        n[s->doing]++;
        for (unsigned i = 0; i < pool->workers; i++)
                /* relaxed: nothing else runs */
                asleep += atomic_load_explicit(&pool->worker[i].parker, memory_order_relaxed) ==
                          WEFT__ASLEEP;
        weft__out_print(out, "pool ");
        weft__out_name(out, pool->name);
        weft__out_print(out,
                        " %p: %u workers, %u of them asleep; %u tasks run, %u wait, %u are "
                        "ready to go on, %u to begin, %u have a time\n",
                        (const void *)pool, pool->workers, asleep, n[WEFT__RUNS], n[WEFT__WAITS],
                        n[WEFT__RESUMES], n[WEFT__BEGINS], n[WEFT__DELAYS]);
}

/* Depth first, each once. */
static void print_tree(weft__out *out, const struct weft__view *view)
{
        unsigned depth = 0;
        struct weft__seen *s = view->first_root;
        while (s) {
                weft__dump_task(out, view, s, depth);
                s->shown = true;
                if (s->first_child) {
                        s = s->first_child;
                        depth++;
                        continue;
                }
                while (s && !s->next) {
                        s = s->parent;
                        depth--;
                }
                s = s ? s->next : NULL;
        }
        for (s = view->seen; s < view->seen + view->count; s++)
                if (!s->shown)
                        weft__dump_task(out, view, s, 0);
}

void weft__dump_all(weft__out *out, void *unused)
{
        struct weft__view view;
        (void)unused;
        weft__out_print(out, "weft: tasks of process %ld (", (long)getppid());
        weft__out_name(out, program_invocation_short_name);
        weft__out_print(out, ")\n");
        if (!weft__look(&view)) {
                weft__out_print(out, "(no memory to look at them)\n");
                weft__copy_no_memory(out);
        }
        for (const weft_pool *pool = weft__pools_next(NULL); pool; pool = weft__pools_next(pool))
                print_pool(out, pool, &view);
        print_tree(out, &view);
        weft__out_print(out, "%zu tasks%s\n", view.count,
                        view.partly ? "; some could not be read" : "");
}

/* ---- the public call ---- */

static void to_stream(const char *text, size_t length, void *stream)
{
        fwrite(text, 1, length, stream);
}

int weft_dump(FILE *to)
{
        if (!to)
                return -EINVAL;
        struct weft__kept kept = weft__keep();
        int r = weft__snapshot(weft__dump_all, NULL, to_stream, to);
        if (fflush(to) != 0 || ferror(to))
                r = -EIO;
        weft__give_back(kept);
        return r;
}
