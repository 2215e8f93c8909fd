/* SPDX-License-Identifier: MIT
 *
 * Vars and their ids: from a var to its key, and from an id back to its var.
 *
 * An id is given to a var by its first set, in order, and is never given again. So contexts know
 * their bindings by number, and a var that was retired is simply found by nobody.
 */
#ifndef WEFT_CONTEXT_VAR_H
#define WEFT_CONTEXT_VAR_H

#include <weft/context.h>

/* The key of a var; 0 if it was never set. Async-signal-safe. */
static inline uint32_t weft__var_key(const weft_var *var)
{
        /* -> V3: whoever binds by this key also finds the var by it. (A plain field, for C++; hence
         * the builtin.) */
        return __atomic_load_n(&var->weft__key, __ATOMIC_ACQUIRE);
}

/* The key of a var, given to it now if need be; 0 when there is no memory, or no id left. */
uint32_t weft__var_enlist(weft_var *var);

/* A key under which nothing is found from here on but by who knows it. */
void weft__var_hide(uint32_t key);

/* The var of a key; NULL if it was retired. */
const weft_var *weft__var_of(uint32_t key);

#endif
