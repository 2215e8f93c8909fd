/* SPDX-License-Identifier: MIT
 *
 * What the floor above may use of contexts: frames to enter, leave and exchange, the two seams of
 * the house (memory, atomics), and what a call keeps for its caller. Nothing else of context/ is to
 * be included from outside.
 *
 * A frame is moved, never copied: it owns one reference to its context. The one that is current
 * lives in thread-local storage; the others wherever their owner put them aside.
 */
#ifndef WEFT_CONTEXT_INTERNAL_H
#define WEFT_CONTEXT_INTERNAL_H

#include <unistd.h>

#include <weft/context.h>

#include "atomics.h"
#include "keep.h"
#include "memory.h"

typedef struct weft__frame {
        weft_context *context;
        uint64_t id; /* 0 until a token needs it */
} weft__frame;

/* Begin a frame that starts from context, whose reference moves into it. Returns the frame that was
 * current, which the caller owes to weft__frame_leave(). */
weft__frame weft__frame_enter(weft_context *context);

/* The same for a task: if the hook of a var forks, the child ends there. */
weft__frame weft__frame_begin(weft_context *context);

/* End the current frame with all that is bound in it, and go back to an earlier one; if that is
 * empty it stays so, whatever release functions set meanwhile. */
void weft__frame_leave(weft__frame earlier);

/* Run the rest of the block in a frame of its own, which is left however the block is: by an
 * exception and by a thread that is cancelled, too. */
#define WEFT__FRAME(context)                                                                       \
        __attribute__((cleanup(weft__frame_leave_block), unused)) weft__frame weft__earlier =      \
            weft__frame_enter(context)
#define WEFT__TASK_FRAME(context)                                                                  \
        __attribute__((cleanup(weft__frame_leave_block), unused)) weft__frame weft__earlier =      \
            weft__frame_begin(context)

static inline void weft__frame_leave_block(weft__frame *earlier)
{
        weft__frame_leave(*earlier);
}

/* Whether a var with a policy for borders was ever set, or places were recorded. */
extern atomic_bool weft__policed_ever __attribute__((visibility("hidden")));

static inline bool weft__has_policies(void)
{
        /* relaxed: the current context binds such a var by this thread's doing, or by that of
         * somebody who has handed it over */
        return __builtin_expect(atomic_load_explicit(&weft__policed_ever, memory_order_relaxed), 0);
}

/* A reference to what is current, for the other side of a border: as weft_context_cross(). site is
 * the address that the call returns to which hands over. */
int weft__cross_from(unsigned border, const void *site, weft_context **ret);

static inline int weft__cross(unsigned border, const void *site, weft_context **ret)
{
        if (weft__has_policies())
                return weft__cross_from(border, site, ret);
        *ret = weft_context_capture();
        return 0;
}

/* Where a context was handed over, to a task say: the address that the call of weft_submit() or its
 * kin returned to, or the line of source that called; both NULL: that was not recorded. (explain.h;
 * it is bound in the context, so of a task that runs it is found in its frame's.) */
struct weft__line;
void weft__submitted_at(const weft_context *context, const void **ret_address,
                        const struct weft__line **ret_line);

/* Hooks of vars (on_change) run in the midst of frames that change. What a floor above has on this
 * thread that they must not find, such as a task that could be set aside, it hides meanwhile. NULL:
 * nothing; else set before main(). begin() may return what end() is to be given. */
struct weft__hook_guard {
        void *(*begin)(void);
        void (*end)(void *hidden);
};
extern struct weft__hook_guard weft__hook_guard;

/* The value of var in a context: its binding there, else its fallback. */
void *weft__context_get(const weft_context *context, const weft_var *var);

/* Exchange the current frame for another one: what a stack switch does. Ends neither. */
weft__frame weft__frame_exchange(weft__frame next);

/* What a task that is set aside takes along: its frame, what it has forked, whether a release
 * function is what waits, and then those that are to be run after it. While it does, those of
 * others go on; it goes on with its own when it is back. */
typedef struct weft__aside {
        weft__frame frame;
        uintptr_t calls; /* that it has forked: see below */
        weft_job *oldest;
        bool releases;
        struct weft__cell *releasing; /* if releases */
} weft__aside;

/* Set aside what is current, which is empty afterwards; make current what was set aside, perhaps on
 * another thread, and end what was current until then. */
void weft__frame_set_aside(weft__aside *ret);
void weft__frame_take_up(const weft__aside *aside);

/* Both in one, where nothing is current in between. */
void weft__frame_trade(weft__aside *ret, const weft__aside *next);

/* ---- calls that were forked and are not joined (calls.c, inline.h) ----
 *
 * A call owes nobody anything while it is neither looked at nor the context changed: it is in the
 * list, and its context is the current one. weft__calls_know() notes for each that is new what its
 * context is, and gives those that run a frame; then they may be looked at, and be given away. */

/* The link to the newest of the thread that calls. */
uintptr_t weft__calls_newest(void);

void weft__calls_know(void);

/* The oldest that neither runs nor was given away; NULL: there is none. */
weft_job *weft__calls_oldest(void);

/* That one is somebody else's now, and with it the reference to its context. */
void weft__calls_give_away(weft_job *oldest);

/* The newest, known and not running, runs from here on, in a frame of its own to which the
 * reference to its context goes; until the end of a block with WEFT__RUNS_HERE. */
void weft__calls_run(weft_job *newest);

/* The newest, known and not running, leaves the list; it was given away, with its reference. */
void weft__calls_pop(weft_job *newest);

/* Whether it is in the list. Looks at all of it. */
bool weft__calls_include(const weft_job *job);

/* The job of a link; NULL at the bottom. */
static inline weft_job *weft__calls_job(uintptr_t link)
{
        return (weft_job *)(link & ~(uintptr_t)WEFT__LINK_FLAGS);
}

/* A function has returned, and left calls that it had forked: their storage is gone. Ends the
 * process, with a message. */
void weft__calls_left(void) __attribute__((noreturn));

/* Where other threads may ask the one that calls for work, as long as it lives. */
unsigned char *weft__calls_asked(void);

/* Give back references that the thread keeps in reserve: before it sleeps for long. While the
 * current context is the empty one it runs no release functions. */
void weft__context_settle(void);

/* Whether this copy of the library may be used: 0, -EEXIST, or -ENOMEM: it had none when it was
 * loaded. */
int weft__context_usable(void);

/* How many fork() calls lie between the start of the program and this process. Written in the child
 * of a fork, where there is one thread. */
extern unsigned weft__forks;

static inline unsigned weft__fork_generation(void)
{
        return weft__forks;
}

/* How many bytes the character of UTF-8 has that text begins with, of which there are some; 0: it
 * is none, or a control character, which may end a line, or be told to a terminal (percent.c). */
size_t weft__text_character(const char *text, size_t length);

/* How much of a text that was cut to that length is left without the part of a character that it
 * may end with. */
size_t weft__text_whole(const char *text, size_t length);

/* Of a public function that says where it was called, by its return address: the link must not make
 * it a part of its caller either. */
#define WEFT__TELLS_PLACE __attribute__((noinline))

/* End the process by abort(), with a last word on standard error. Where code is misused so that
 * there is nobody to return an error to. */
#define WEFT__DIE(text) weft__die("" text, sizeof(text) - 1)
void weft__die(const char *text, size_t length) __attribute__((noreturn, cold));

/* What the program gave the library to call has returned on a stack that the library's threads, or
 * its promises to others, end below. If this is the child of a fork made in there, there are none
 * of them: it ends here. */
static inline void weft__end_if_forked(unsigned generation, int result)
{
        if (__builtin_expect(generation != weft__fork_generation(), 0))
                _exit(result < 0);
}

#endif
