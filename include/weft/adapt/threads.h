/* SPDX-License-Identifier: MIT
 *
 * C11 threads that inherit: thrd_create() whose thread starts from its creator's context.
 *
 *   thrd_t thread;
 *   WEFT_WITH (&user, "ada")
 *           weft_thrd_create(&thread, serve, NULL);     // weft_get(&user) in serve() is "ada"
 *   thrd_join(thread, NULL);
 *
 * For POSIX threads there is weft_thread_create() in weft/context.h; for code that cannot be
 * changed, libweft-inherit.so (docs/adapters.md).
 *
 * Ownership: the thread holds a reference to the context until it ends; values are released on it
 * then (C9), whether it returns or calls thrd_exit(). If none is created, nothing is held.
 * Threads: any thread may create one. Errors: those of thrd_create().
 */
#ifndef WEFT_ADAPT_THREADS_H
#define WEFT_ADAPT_THREADS_H

#include <stdlib.h>
#include <threads.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

/* Private: what the new thread takes over. */
struct weft__thrd_start {
        thrd_start_t fn;
        void *arg;
        weft_context *context;
};

static inline int weft__thrd_starts(void *arg)
{
        struct weft__thrd_start start = *(struct weft__thrd_start *)arg;
        free(arg);
        weft_context_unref(weft_context_swap(start.context));
        return start.fn(start.arg);
}

static inline int weft__thrd_create_by(int (*create)(thrd_t *, thrd_start_t, void *),
                                       thrd_t *ret_thread, thrd_start_t fn, void *arg)
{
        weft_context *context;
        int r = weft_context_cross(WEFT_BORDER_THREAD, &context);
        if (r < 0)
                return r == -ENOMEM ? thrd_nomem : thrd_error;
        struct weft__thrd_start *start = (struct weft__thrd_start *)malloc(sizeof(*start));
        if (!start) {
                weft_context_unref(context);
                return thrd_nomem;
        }
        start->fn = fn;
        start->arg = arg;
        start->context = context;
        r = create(ret_thread, weft__thrd_starts, start);
        if (r != thrd_success) {
                weft_context_unref(start->context);
                free(start);
        }
        return r;
}

/* weft_thrd_create - thrd_create() whose thread starts from the creator's current context (C1).
 *
 * thrd_success; thrd_nomem; thrd_error: no thread could be started, or the context cannot cross
 * (weft_context_cross()). Since 0.1. */
static inline int weft_thrd_create(thrd_t *ret_thread, thrd_start_t fn, void *arg)
{
        return weft__thrd_create_by(thrd_create, ret_thread, fn, arg);
}

WEFT_END_DECLS

#endif
