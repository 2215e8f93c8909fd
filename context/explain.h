/* SPDX-License-Identifier: MIT
 *
 * What is recorded for weft_explain(): notes, which are bound in contexts beside what they tell of,
 * and so are copied, carried along, read and freed as bindings are.
 *
 *   of a var       the id after its own, which no var has, holds the note of its slot: who set it,
 *                  or unset it. So it is with vars whose key is WEFT__TRACED: those that were first
 *                  set while places were recorded.
 *   of a context   the id of weft__origin holds how it came to be handed over
 *
 * A note is one word: an address, and above it what kind of note that is. As nothing is found under
 * these ids but by who asks for them, contexts seem to bind no more than they do.
 */
#ifndef WEFT_CONTEXT_EXPLAIN_H
#define WEFT_CONTEXT_EXPLAIN_H

#include "internal.h"
#include "map.h"

enum weft__note {
        WEFT__NOTE_SET = 1,
        WEFT__NOTE_RESET,
        WEFT__NOTE_DROPPED = 8,  /* + the number of the border: the address is that of the set */
        WEFT__NOTE_HANDED = 16,  /* + ...: likewise */
        WEFT__NOTE_CROSSED = 24, /* + ...: the address is that of who handed over */
        WEFT__NOTE_LINE = 128,   /* the address is that of a struct weft__line */
};

#if UINTPTR_MAX > UINT32_MAX && !defined(WEFT_NO_EXPLAIN)
enum { WEFT__NOTES = 1 };
#else
enum { WEFT__NOTES = 0 };
#endif

extern atomic_bool weft__recording __attribute__((visibility("hidden")));

static inline bool weft__records(void)
{
        /* relaxed: what is recorded a little too late or too early is no matter */
        return WEFT__NOTES && atomic_load_explicit(&weft__recording, memory_order_relaxed);
}

/* The note that something has been done from a place, or from the line that was said. */
void *weft__note(unsigned kind, const void *site);

/* The same place, of which something else is to be told. */
void *weft__note_as(unsigned kind, void *note);

/* Where the note of a traced var is; where that of a context. */
static inline uint32_t weft__note_key(uint32_t key)
{
        return WEFT__ID(key) + 1;
}
uint32_t weft__origin_key(void);

#endif
