/* SPDX-License-Identifier: MIT
 *
 * What the floor above may use of contexts: frames to enter, leave and exchange, and the two seams
 * of the house (memory, atomics). Nothing else of context/ is to be included from outside.
 *
 * A frame is moved, never copied: it owns one reference to its context. The one that is current
 * lives in thread-local storage; the others wherever their owner put them aside.
 */
#ifndef WEFT_CONTEXT_INTERNAL_H
#define WEFT_CONTEXT_INTERNAL_H

#include <weft/context.h>

#include "atomics.h"
#include "memory.h"

typedef struct weft__frame {
        weft_context *context;
        uint64_t id; /* 0 until a token needs it */
} weft__frame;

/* Begin a frame that starts from context, whose reference moves into it. Returns the frame that was
 * current, which the caller owes to weft__frame_leave(). */
weft__frame weft__frame_enter(weft_context *context);

/* End the current frame with all that is bound in it, and go back to an earlier one; if that is
 * empty it stays so, whatever release functions set meanwhile. */
void weft__frame_leave(weft__frame earlier);

/* Run the rest of the block in a frame of its own, which is left however the block is: by an
 * exception and by a thread that is cancelled, too. */
#define WEFT__FRAME(context)                                                                       \
        __attribute__((cleanup(weft__frame_leave_block), unused)) weft__frame weft__earlier =      \
            weft__frame_enter(context)

static inline void weft__frame_leave_block(weft__frame *earlier)
{
        weft__frame_leave(*earlier);
}

/* The value of var in a context: its binding there, else its fallback. */
void *weft__context_get(const weft_context *context, const weft_var *var);

/* Exchange the current frame for another one: what a stack switch does. Ends neither. */
weft__frame weft__frame_exchange(weft__frame next);

/* What a task that is set aside takes along: its frame, whether a release function is what waits,
 * and then those that are to be run after it. While it does, those of others go on; it goes on with
 * its own when it is back. */
typedef struct weft__aside {
        weft__frame frame;
        bool releases;
        struct weft__cell *releasing; /* if releases */
} weft__aside;

/* Set aside what is current, which is empty afterwards; make current what was set aside, perhaps on
 * another thread, and end what was current until then. */
void weft__frame_set_aside(weft__aside *ret);
void weft__frame_take_up(const weft__aside *aside);

/* Both in one, where nothing is current in between. */
void weft__frame_trade(weft__aside *ret, const weft__aside *next);

/* Give back references that the thread keeps in reserve: before it sleeps for long. */
void weft__context_settle(void);

/* Whether this copy of the library may be used: 0 or -EEXIST. */
int weft__context_usable(void);

/* How many fork() calls lie between the start of the program and this process. */
unsigned weft__fork_generation(void);

#endif
