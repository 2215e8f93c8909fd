/* SPDX-License-Identifier: MIT
 *
 * A function with a context, for executors that know nothing of contexts, and threads that inherit.
 * Both own a reference to the context that was current when they were made.
 */
#include <weft/context.h>

#include "internal.h"
#include "memory.h"
#include "thread.h"

struct weft_bound {
        weft_fn *fn;
        void *arg;
        weft_context *context;
};

WEFT__TELLS_PLACE int weft_bind(weft_bound **ret, weft_fn *fn, void *arg)
{
        if (!ret || !fn)
                return -EINVAL;
        weft_context *context;
        int r = weft__cross(WEFT_BORDER_FOREIGN, __builtin_return_address(0), &context);
        if (r < 0)
                return r;
        weft_bound *b = weft__alloc(sizeof(*b));
        if (!b) {
                weft_context_unref(context);
                return -ENOMEM;
        }
        *b = (weft_bound){fn, arg, context};
        *ret = b;
        return 0;
}

int weft_bound_call(void *bound)
{
        const weft_bound *b = bound;
        return b ? weft_context_run(b->context, b->fn, b->arg, NULL) : -EINVAL;
}

weft_bound *weft_bound_free(weft_bound *b)
{
        if (b) {
                weft_context_unref(b->context);
                weft__free(b, sizeof(*b));
        }
        return NULL;
}

struct start {
        void *(*start)(void *);
        void *arg;
        weft_context *context;
};

/* The thread's exit empties its frame; but if there was no memory to watch for that, this does, on
 * whichever way the thread ends. */
static void thread_ends(const struct start *unused)
{
        (void)unused;
        if (weft__thread.life == WEFT__NEW)
                weft_context_unref(weft_context_swap(NULL));
}

static void *thread_starts(void *arg)
{
        __attribute__((cleanup(thread_ends))) struct start s = *(struct start *)arg;
        weft__free(arg, sizeof(s));
        weft_context_swap(s.context); /* into the thread's own frame, which its exit empties */
        return s.start(s.arg);
}

WEFT__TELLS_PLACE int weft_thread_create(pthread_t *ret_thread, const pthread_attr_t *attr,
                                         void *(*start)(void *), void *arg)
{
        if (!ret_thread || !start)
                return -EINVAL;
        weft_context *context;
        int r = weft__cross(WEFT_BORDER_THREAD, __builtin_return_address(0), &context);
        if (r < 0)
                return r;
        struct start *s = weft__alloc(sizeof(*s));
        if (!s) {
                weft_context_unref(context);
                return -ENOMEM;
        }
        *s = (struct start){start, arg, context};
        pthread_t thread;
        r = pthread_create(&thread, attr, thread_starts, s);
        if (r != 0) {
                weft_context_unref(s->context);
                weft__free(s, sizeof(*s));
                return -r;
        }
        *ret_thread = thread;
        return 0;
}
