/* SPDX-License-Identifier: MIT
 *
 * Recording what ran where (see record.h): starting, stopping, and what workers do for it.
 *
 * Whether a pool records is a bit in the word that who starts or parks a task looks at anyway; so
 * it costs nothing while it does not. Where the bit is seen the tape is looked for under the
 * worker's lock. It may be gone by then, or be another record's: then what was open is not there.
 */
#include "record.h"

#include <stdio.h>
#include <string.h>

#include <weft/suspend.h>

#include "worker.h"

enum { DEFAULT_ROOM = 16384, MOST_ROOM = 1 << 24 };

/* ---- what workers do ---- */

/* In the task's frame. */
static void read_tag(const weft_var *var, weft__tag *tag)
{
        void *value = NULL;
        tag->kind = WEFT__TAG_UNSET;
        if (!var || (weft_lookup(var, &value) < 0 && !(value = var->fallback)))
                return;
        int n = var->format ? var->format(value, tag->text, sizeof(tag->text)) : -1;
        tag->kind = n < 0 ? WEFT__TAG_POINTER : WEFT__TAG_TEXT;
        if (n < 0)
                memcpy(tag->text, &value, sizeof(value));
        else if (n >= (int)sizeof(tag->text))
                tag->text[weft__text_whole(tag->text, sizeof(tag->text) - 1)] = '\0';
}

static int is_named(const weft_var *var, void *value, void *arg)
{
        weft__tape *tape = arg;
        (void)value;
        if (!var->name || strcmp(var->name, tape->record->var) != 0)
                return 0;
        tape->var = var;
        return 1;
}

/* The var whose value is wanted: one of a name, if it was given by that. */
static const weft_var *var_of(weft__tape *tape)
{
        if (!tape->var && tape->record->var) {
                weft_context *current = weft_context_capture();
                weft_context_foreach(current, is_named, tape);
                weft_context_unref(current);
        }
        return tape->var;
}

/* No stretch is empty. */
static void add(weft__tape *tape, int64_t now)
{
        tape->open.end = now > tape->open.begin ? now : tape->open.begin + 1;
        tape->stretch[tape->added++ % tape->record->room] = tape->open;
        tape->open.begin = 0;
}

void weft__record_begins(bool resumed)
{
        weft__worker *w = weft__worker_self();
        weft__lock_take(&w->record.lock);
        weft__tape *tape = w->record.tape;
        if (tape) {
                const weft_task *task = w->fiber->task;
                w->fiber->recorded |= !resumed;
                tape->open = (weft__stretch){.begin = weft_now(),
                                             .fn = task->fn,
                                             .task = w->fiber->id,
                                             .resumed = resumed,
                                             .known = w->fiber->recorded};
                read_tag(var_of(tape), &tape->open.first);
        }
        weft__lock_give(&w->record.lock);
}

void weft__record_ends(bool ended)
{
        weft__worker *w = weft__worker_self();
        if (!w)
                return; /* the child of a fork that the task has made */
        weft__lock_take(&w->record.lock);
        weft__tape *tape = w->record.tape;
        w->fiber->recorded &= !ended;
        if (tape && tape->open.begin) {
                read_tag(var_of(tape), &tape->open.last);
                tape->open.ended = ended;
                add(tape, weft_now());
        }
        weft__lock_give(&w->record.lock);
}

/* ---- starting and stopping ---- */

static int read_options(weft_record_options *o, const weft_record_options *given)
{
        if (given) {
                size_t size = given->size ? given->size : sizeof(*o);
                const char *bytes = (const char *)given;
                if (size < offsetof(weft_record_options, var) + sizeof(given->var))
                        return -EINVAL;
                for (size_t i = sizeof(*o); i < size; i++)
                        if (bytes[i])
                                return -E2BIG;
                memcpy(o, given, size < sizeof(*o) ? size : sizeof(*o));
        }
        if (o->stretches > MOST_ROOM)
                return -EINVAL;
        if (!o->stretches)
                o->stretches = DEFAULT_ROOM;
        return 0;
}

static size_t record_size(unsigned workers)
{
        return sizeof(weft_record) + workers * sizeof(weft__tape);
}

static size_t tape_size(const weft_record *record)
{
        return record->room * sizeof(weft__stretch);
}

static void record_free(weft_record *record)
{
        for (unsigned i = 0; i < record->workers; i++)
                weft__free(record->tape[i].stretch, tape_size(record));
        weft__free(record, record_size(record->workers));
}

static weft_record *record_new(weft_pool *pool, const weft_record_options *o)
{
        weft_record *record = weft__alloc_zeroed(record_size(pool->workers));
        if (!record)
                return NULL;
        record->pool = pool;
        record->generation = pool->generation;
        record->var = o->var ? o->var->name : NULL;
        record->room = o->stretches;
        record->workers = pool->workers;
        memcpy(record->name, pool->name, sizeof(record->name));
        for (unsigned i = 0; i < record->workers; i++) {
                record->tape[i].record = record;
                record->tape[i].var = o->var;
                record->tape[i].stretch = weft__alloc(tape_size(record));
                if (!record->tape[i].stretch) {
                        record_free(record);
                        return NULL;
                }
        }
        return record;
}

void weft__record_by_name(weft_record *record, const char *name)
{
        record->var = name;
}

/* Give a worker a tape, or take its own away; false: it has another one. */
static bool exchange_tape(weft__worker *w, weft__tape *before, weft__tape *tape)
{
        weft__lock_take(&w->record.lock);
        bool exchanged = w->record.tape == before;
        if (exchanged)
                w->record.tape = tape;
        weft__lock_give(&w->record.lock);
        return exchanged;
}

int weft_record_start(weft_pool *pool, weft_record **ret, const weft_record_options *options)
{
        weft_record_options o = {0};
        int r = ret ? read_options(&o, options) : -EINVAL;
        if (r < 0)
                return r;
        pool = weft__pool_or_default(pool);
        if (!pool)
                return -ENOMEM;
        if (pool->generation != weft__fork_generation())
                return -EOWNERDEAD;
        weft_record *record = record_new(pool, &o);
        if (!record)
                return -ENOMEM;
        record->began = weft_now();
        /* Who gets the first worker gets all. */
        if (!exchange_tape(&pool->worker[0], NULL, &record->tape[0])) {
                record_free(record);
                return -EALREADY;
        }
        for (unsigned i = 1; i < record->workers; i++)
                exchange_tape(&pool->worker[i], NULL, &record->tape[i]);
        /* relaxed: the tapes are under locks */
        atomic_fetch_or_explicit(&pool->modes, WEFT__RECORDING, memory_order_relaxed);
        *ret = record;
        return 0;
}

/* What is open is cut; but of a task that had started before the record nobody says when it ends.
 */
static void cut(weft__tape *tape, int64_t now)
{
        if (!tape->open.begin || !tape->open.known)
                return;
        tape->open.last = tape->open.first;
        add(tape, now);
}

int weft_record_stop(weft_record *record)
{
        if (!record)
                return -EINVAL;
        weft_pool *pool = record->pool;
        if (!pool)
                return 0;
        if (record->generation != weft__fork_generation())
                return -EOWNERDEAD;
        /* relaxed: as at the start */
        atomic_fetch_and_explicit(&pool->modes, ~(unsigned)WEFT__RECORDING, memory_order_relaxed);
        record->stopped = weft_now();
        for (unsigned i = record->workers; i-- > 0;) /* the first one last */
                exchange_tape(&pool->worker[i], &record->tape[i], NULL);
        for (unsigned i = 0; i < record->workers; i++)
                cut(&record->tape[i], record->stopped);
        record->pool = NULL;
        return 0;
}

weft_record *weft_record_destroy(weft_record *record)
{
        if (!record)
                return NULL;
        weft_record_stop(record); /* in the child of a fork it does nothing, and the pool is idle */
        record_free(record);
        return NULL;
}

uint64_t weft_record_dropped(const weft_record *record)
{
        uint64_t dropped = 0;
        for (unsigned i = 0; record && !record->pool && i < record->workers; i++)
                if (record->tape[i].added > record->room)
                        dropped += record->tape[i].added - record->room;
        return dropped;
}

int weft_record_write(weft_record *record, FILE *to, weft_record_format format)
{
        if (!record || !to || (format != WEFT_RECORD_JSON && format != WEFT_RECORD_PAGE))
                return -EINVAL;
        if (record->pool)
                return -EINPROGRESS;
        struct weft__kept kept = weft__keep();
        int r = format == WEFT_RECORD_JSON ? weft__record_json(record, to)
                                           : weft__record_page(record, to);
        weft__give_back(kept);
        return r;
}
