/* SPDX-License-Identifier: MIT
 *
 * What weft keeps for each thread: the current frame, the bank of references, free lists.
 *
 * The frame is kept here by value, so that weft_get() is one load away from the context. The thread
 * that owns the structure is the only one to touch it, but for here.asked; its signal handlers may
 * read the context.
 *
 * The bank holds references to one context that nobody uses at the moment, so that a thread which
 * captures and releases the same context again and again takes and gives them without touching the
 * shared count:
 *
 *   bank.context             has bank.given - bank.taken > 0 references which belong to the bank
 *   bank.context has cells   =>  it is the current context of this thread
 *
 * (Two counts, because a capture and the release after it would each wait for the other's store to
 * a single one: 4.1 against 2.8 ns for the pair, where they are calls.) The second line is why
 * nothing is released late: a context whose end somebody can notice is in the bank only while the
 * frame holds a reference anyhow. A plain one may stay until the thread needs the bank for another,
 * goes to sleep as a worker, or exits.
 */
#ifndef WEFT_CONTEXT_THREAD_H
#define WEFT_CONTEXT_THREAD_H

#include "internal.h"
#include "map.h"

enum weft__life { WEFT__NEW = 0, WEFT__LIVE, WEFT__EXITING };

struct weft__thread {
        struct weft__here here; /* the current frame, and what else inlined code looks at */
        weft_job *oldest; /* of the calls in here.calls that are known: see weft__calls_oldest() */
        uint64_t next_frame_id, end_frame_id; /* ids that this thread may give to frames */
        struct weft__cell *releasing;         /* cells whose release function is to be run */
        bool release_runs;                    /* one is running on this thread */
        bool hook_runs;                       /* a hook of a var is: see hooks.h */
        const struct weft__line *line;        /* what calls next, or NULL: see weft/explain.h */
        uint8_t life;                         /* of enum weft__life */
        unsigned cached;
        weft_context *cache; /* free contexts, linked through slot[0] */
};

/* Under the name by which inlined code has its first member. */
extern _Thread_local struct weft__thread weft__thread __asm__("weft__here")
    __attribute__((visibility("default"), tls_model("initial-exec")));

/* Make sure that this thread is emptied when it exits. 0, -ENOMEM, -ESHUTDOWN: it is exiting,
 * -EEXIST: this is the second copy of the library. */
int weft__thread_enlist(void);

/* Run the release functions that are due, unless one of them is what is running now. */
void weft__cells_release(void);

/* The calls that were forked since the frame last changed (calls.c) are about to be looked at, or
 * the frame to change. */
static inline void weft__frame_own(const struct weft__thread *t)
{
        if (__builtin_expect(!(t->here.calls & WEFT__LINK_KNOWN), 0))
                weft__calls_know();
}

static inline weft__frame weft__frame_now(const struct weft__thread *t)
{
        return (weft__frame){t->here.context, t->here.frame};
}

/* How many references the bank holds; make it hold n of a context, or none. */
static inline size_t weft__banked(const struct weft__thread *t)
{
        return t->here.bank.given - t->here.bank.taken;
}

static inline void weft__bank_become(struct weft__thread *t, weft_context *c, size_t n)
{
        t->here.bank.context = n ? c : NULL;
        t->here.bank.given = n + WEFT__FIRST(SIZE_MAX - 1500);
        t->here.bank.taken = WEFT__FIRST(SIZE_MAX - 1500);
}

/* The whole count of the references that belong to this frame and its bank. */
static inline bool weft__sole_owner(const struct weft__thread *t, weft_context *c)
{
        size_t mine = 1 + (t->here.bank.context == c ? weft__banked(t) : 0);
        /* K2: acquire, so that what others read through their references comes before our writes */
        return atomic_load_explicit(&c->refs, memory_order_acquire) == mine;
}

/* Give n references back, the frame's own among them or not. */
void weft__context_put(weft_context *c, size_t n);

#endif
