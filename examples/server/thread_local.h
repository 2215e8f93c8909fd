/* SPDX-License-Identifier: MIT
 *
 * The same server, wrong: included before everything else (gcc -include), this puts the names of a
 * request and its transaction into thread-locals, set when a request begins to be served and
 * cleared when it has been. Its test runs this one too, to show that it would notice.
 */
#ifndef THREAD_LOCAL_H
#define THREAD_LOCAL_H

#include <weft/weft.h>

/* One for all files: it is merged, as weak symbols are. */
__attribute__((weak)) _Thread_local struct {
        const weft_var *var;
        void *value;
} thread_local_slot[4];

static inline void thread_local_set(const weft_var *var, void *value)
{
        int i = 0;
        while (thread_local_slot[i].var && thread_local_slot[i].var != var)
                i++;
        thread_local_slot[i].var = var;
        thread_local_slot[i].value = value;
}

static inline void *thread_local_get(const weft_var *var)
{
        for (int i = 0; i < 4; i++) {
                if (thread_local_slot[i].var == var && thread_local_slot[i].value)
                        return thread_local_slot[i].value;
        }
        return var->fallback;
}

#undef WEFT_WITH
#define WEFT_WITH(var, value) WITH_THREAD_LOCAL(var, value, WEFT__PASTE(once_, __LINE__))
#define WITH_THREAD_LOCAL(var, value, once)                                                        \
        for (int once = (thread_local_set(var, value), 1); once;                                   \
             once = (thread_local_set(var, NULL), 0))
#define weft_get(var) thread_local_get(var)

#endif
