/* SPDX-License-Identifier: MIT
 *
 * What weft keeps for each thread: the current frame, the bank of references, free lists.
 *
 * The frame is kept here by value, so that weft_get() is one load away from the context. The thread
 * that owns the structure is the only one to touch it; its signal handlers may read the context.
 *
 * The bank holds references to one context that nobody uses at the moment, so that a thread which
 * captures and releases the same context again and again takes and gives them without touching the
 * shared count:
 *
 *   bank.count > 0  =>  bank.context has that many references which belong to the bank
 *   bank.context has cells  =>  it is the current context of this thread
 *
 * The second line is why nothing is released late: a context whose end somebody can notice is in
 * the bank only while the frame holds a reference anyhow. A plain one may stay until the thread
 * needs the bank for another, goes to sleep as a worker, or exits.
 */
#ifndef WEFT_CONTEXT_THREAD_H
#define WEFT_CONTEXT_THREAD_H

#include "internal.h"
#include "map.h"

enum weft__life { WEFT__NEW = 0, WEFT__LIVE, WEFT__EXITING };

struct weft__thread {
        weft__frame frame;
        struct {
                weft_context *context;
                size_t count;
        } bank;
        uint64_t next_frame_id, end_frame_id; /* ids that this thread may give to frames */
        struct weft__cell *releasing;         /* cells whose release function is to be run */
        bool release_runs;                    /* one is running on this thread */
        uint8_t life;                         /* of enum weft__life */
        unsigned cached;
        weft_context *cache; /* free contexts, linked through slot[0] */
};

extern _Thread_local struct weft__thread weft__thread
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* Make sure that this thread is emptied when it exits. 0, -ENOMEM, -ESHUTDOWN: it is exiting,
 * -EEXIST: this is the second copy of the library. */
int weft__thread_enlist(void);

/* Run the release functions that are due, unless one of them is what is running now. */
void weft__cells_release(void);

/* The whole count of the references that belong to this frame and its bank. */
static inline bool weft__sole_owner(const struct weft__thread *t, weft_context *c)
{
        size_t mine = 1 + (t->bank.context == c ? t->bank.count : 0);
        /* K2: acquire, so that what others read through their references comes before our writes */
        return atomic_load_explicit(&c->refs, memory_order_acquire) == mine;
}

/* Give n references back, the frame's own among them or not. */
void weft__context_put(weft_context *c, size_t n);

#endif
