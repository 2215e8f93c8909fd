/* SPDX-License-Identifier: MIT
 *
 * Hooks: what a var has run on a thread when its value there changes (on_change in context.h).
 *
 * What hooks of a thread were last told is what its current frame binds. So nothing is remembered:
 * whoever makes another context current on a thread compares the two, and a set or reset what its
 * slot held and holds. As long as no var with a hook was ever set in the process that is one look
 * at a flag, and for sets not even that: such a var's key (WEFT__HOOKED) keeps it off their fast
 * paths.
 */
#ifndef WEFT_CONTEXT_HOOKS_H
#define WEFT_CONTEXT_HOOKS_H

#include "internal.h"

/* Whether one was ever set. */
extern atomic_bool weft__hooked __attribute__((visibility("hidden")));

static inline bool weft__hooks_any(void)
{
        /* relaxed: whoever has a context that binds such a var has it from the thread that said so,
         * or from one that has */
        return __builtin_expect(atomic_load_explicit(&weft__hooked, memory_order_relaxed), 0);
}

/* The current frame's context was another one until now, which still lives: tell the hooks of all
 * vars whose values differ. */
void weft__hooks_tell(const weft_context *previous);

/* The same for one var, whose slot in the current context held something else until now. */
void weft__hook_tell(const weft_var *var, uint32_t key, void *old, void *raw);

/* A place in the list of vars with hooks: for a var that is about to get its key (NULL: there is no
 * memory), for that key (0: for none after all; the place may be NULL), and given up. */
struct weft__hook;
struct weft__hook *weft__hook_reserve(void);
void weft__hook_become(struct weft__hook *hook, uint32_t key);
void weft__hook_retire(uint32_t key);

#endif
