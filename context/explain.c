/* SPDX-License-Identifier: MIT
 *
 * Why a var has its value here: reads what explain.h says is recorded, and writes it for people.
 */
#include <weft/explain.h>

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "thread.h"
#include "var.h"

enum { KIND_SHIFT = 8 * (sizeof(uintptr_t) - 1) };

atomic_bool weft__recording;
static weft_var origin = WEFT_VAR_INIT("weft origin");

/* ---- recording ---- */

uint32_t weft__origin_key(void)
{
        return weft__var_key(&origin);
}

void weft__line_is(const struct weft__line *line)
{
        weft__thread.line = line;
}

static void *note_of(unsigned kind, const void *address)
{
        return (void *)((uintptr_t)kind << KIND_SHIFT | (uintptr_t)address);
}

static unsigned kind_of(void *note)
{
        return note == WEFT__UNSET ? 0 : (unsigned)((uintptr_t)note >> KIND_SHIFT);
}

static const void *address_of(void *note)
{
        return (const void *)((uintptr_t)note & (((uintptr_t)1 << KIND_SHIFT) - 1));
}

void *weft__note(unsigned kind, const void *site)
{
        const struct weft__line *line = weft__thread.line;
        weft__thread.line = NULL;
        return line ? note_of(kind | WEFT__NOTE_LINE, line) : note_of(kind, site);
}

void *weft__note_as(unsigned kind, void *note)
{
        return note == WEFT__UNSET
                   ? note_of(kind, NULL)
                   : note_of(kind | (kind_of(note) & WEFT__NOTE_LINE), address_of(note));
}

int weft_explain_record(bool on)
{
        if (!WEFT__NOTES)
                return -EOPNOTSUPP;
        uint32_t key = on ? weft__var_enlist(&origin) : 0;
        if (on && !key)
                return -ENOMEM;
        if (on)
                weft__var_hide(key);
        /* relaxed, both: see weft__records(); contexts cross by the slow way from now on */
        if (on)
                atomic_store_explicit(&weft__policed_ever, true, memory_order_relaxed);
        atomic_store_explicit(&weft__recording, on, memory_order_relaxed); /* relaxed: as above */
        return 0;
}

__attribute__((constructor(102))) static void init(void)
{
        const char *wish = secure_getenv("WEFT_EXPLAIN");
        if (wish && strcmp(wish, "0") != 0)
                weft_explain_record(true);
}

void weft__submitted_at(const weft_context *context, const void **ret_address,
                        const struct weft__line **ret_line)
{
        void *note = weft__map_find(context, weft__origin_key());
        unsigned kind = kind_of(note);
        *ret_line = kind & WEFT__NOTE_LINE ? address_of(note) : NULL;
        *ret_address = kind && !*ret_line ? address_of(note) : NULL;
}

/* ---- telling ---- */

struct told {
        char *text;
        size_t size, length;
};

static __attribute__((format(printf, 2, 3))) void say(struct told *t, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        size_t at = t->length < t->size ? t->length : t->size;
        int n = vsnprintf(t->text ? t->text + at : NULL, t->size - at, format, args);
        va_end(args);
        t->length += n > 0 ? (size_t)n : 0;
}

/* The address is one that a call returns to; what is before it belongs to the call. */
static void say_place(struct told *t, const char *before, void *note)
{
        const char *address = address_of(note);
        Dl_info info;
        say(t, "%s", before);
        if (!address) {
                say(t, "a place that was not recorded");
        } else if (kind_of(note) & WEFT__NOTE_LINE) {
                const struct weft__line *line = (const struct weft__line *)address;
                say(t, "%s:%d (%s)", line->file, line->line, line->function);
        } else if (dladdr(address - 1, &info)) {
                const char *slash = strrchr(info.dli_fname, '/');
                if (info.dli_sname)
                        say(t, "%s+0x%zx ", info.dli_sname,
                            (size_t)(address - 1 - (const char *)info.dli_saddr));
                say(t, "(%s+0x%zx)", slash ? slash + 1 : info.dli_fname,
                    (size_t)(address - 1 - (const char *)info.dli_fbase));
        } else {
                say(t, "%p", (const void *)address);
        }
}

/* Of others: it is not to be taken for a line of ours. */
static void say_text(struct told *t, const char *text)
{
        for (size_t i = 0, n, length = strlen(text); i < length; i += n ? n : 1) {
                n = weft__text_character(text + i, length - i);
                if (n)
                        say(t, "%.*s", (int)n, text + i);
                else
                        say(t, "\\x%02x", (unsigned char)text[i]);
        }
}

static const char *const borders[] = {"to a task", "to a task that starts at a time", "to a thread",
                                      "to another executor", "out of the process"};
static const char *const beings[] = {
    "a task, submitted at ", "a task that starts at a time, spawned at ", "a thread, created at ",
    "a function for another executor, bound at ", "what came from another process, at "};

static void say_value(struct told *t, const weft_var *var, void *value)
{
        char text[256] = "";
        int n = var->format ? var->format(value, text, sizeof(text)) : -1;
        if (n < 0) {
                say(t, "%p", value);
                return;
        }
        if (n >= (int)sizeof(text))
                text[weft__text_whole(text, sizeof(text) - 1)] = '\0';
        say_text(t, text);
}

/* What its policy does, wherever we are. */
static void say_policy(struct told *t, const weft_var *var)
{
        if (!var->drop_at)
                return;
        say(t, "  its policy drops it at the borders");
        for (unsigned i = 0; i < WEFT__BORDERS; i++)
                if (var->drop_at & 1u << i)
                        say(t, "%s %s", var->drop_at & ((1u << i) - 1) ? "," : "", borders[i]);
        say(t, "\n");
}

/* How its slot came to hold what it holds; false: that is not recorded. */
static bool say_note(struct told *t, void *note)
{
        unsigned kind = kind_of(note) & ~(unsigned)WEFT__NOTE_LINE;
        unsigned border = kind % 8 < WEFT__BORDERS ? kind % 8 : 0;
        if (kind == WEFT__NOTE_SET)
                say_place(t, "  set at ", note);
        else if (kind == WEFT__NOTE_RESET)
                say_place(t, "  put back, by a reset, at ", note);
        else if (kind >= WEFT__NOTE_HANDED)
                say(t, "  handed on at the border %s, by its policy;", borders[border]);
        else if (kind >= WEFT__NOTE_DROPPED)
                say(t, "  dropped at the border %s, by its policy;", borders[border]);
        if (kind >= WEFT__NOTE_DROPPED)
                say_place(t, " it was set at ", note);
        say(t, kind ? "\n" : "");
        return kind;
}

static void say_why_unset(struct told *t, const weft_var *var, uint32_t key, void *came)
{
        if (!key)
                say(t, "  it was never set in this process\n");
        else if (came != WEFT__UNSET)
                say(t, "  it was not set where this was handed over, nor since\n");
        else if (!weft__thread.here.context)
                say(t, "  nothing is bound here: this thread was handed no context, or is between "
                       "tasks\n");
        say_policy(t, var);
}

int weft_explain(const weft_var *var, char *text, size_t size)
{
        if (!var || (!text && size))
                return -EINVAL;
        const weft_context *c = weft__thread.here.context;
        struct told t = {text, size, 0};
        uint32_t key = weft__var_key(var);
        void *raw = weft__map_find(c, key), *came = weft__map_find(c, weft__origin_key());
        void *note = key & WEFT__TRACED ? weft__map_find(c, weft__note_key(key)) : WEFT__UNSET;
        say_text(&t, var->name ? var->name : "?");
        say(&t, " is ");
        if (raw == WEFT__UNSET)
                say(&t, "not set here\n");
        else
                say_value(&t, var, weft__map_value(key, raw));
        say(&t, raw == WEFT__UNSET ? "" : "\n");
        if (!say_note(&t, note) && raw == WEFT__UNSET)
                say_why_unset(&t, var, key, came);
        if (came != WEFT__UNSET) {
                unsigned border = (kind_of(came) & ~(unsigned)WEFT__NOTE_LINE) - WEFT__NOTE_CROSSED;
                say(&t, "  this is ");
                say_place(&t, beings[border < WEFT__BORDERS ? border : 0], came);
                say(&t, "\n");
        }
        if (!weft__records())
                say(&t, "  (places are not recorded: WEFT_EXPLAIN=1)\n");
        return (int)t.length;
}
