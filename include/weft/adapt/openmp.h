/* SPDX-License-Identifier: MIT
 *
 * OpenMP: parallel regions and tasks in the context of whoever started them, with gcc's runtime and
 * with clang's. OpenMP has no hook for this, so the block says it itself:
 *
 *   weft_context *context = weft_context_capture();
 *   #pragma omp parallel
 *   WEFT_OMP_IN (context) {                  // each thread of the team
 *   #pragma omp for
 *           for (int i = 0; i < n; i++)
 *                   work(i);
 *   }
 *   weft_context_unref(context);
 *
 *   weft_context *each = weft_context_capture();
 *   #pragma omp task firstprivate(each)
 *   WEFT_OMP_TAKE (each)                     // the task owns the reference, and gives it back
 *           serve();
 *
 * What such a block sets is gone at its end, however it ends: by a break (which leaves this block
 * only), `#pragma omp cancel`, a C++ exception. Each thread, and the one that began the region too,
 * has its sets to itself (C2), and the thread is left as it was found: the next region, or another
 * task that runs on it, sees nothing of them (C6). A thread that runs another task while this one
 * waits (taskwait, taskyield, barriers) comes back to this context.
 *
 * Where vars with a policy (C12) may be bound, weft_context_cross(WEFT_BORDER_FOREIGN, &context)
 * takes the place of weft_context_capture().
 *
 * Ownership: WEFT_OMP_IN borrows the reference, and takes one of its own while the block runs.
 * WEFT_OMP_TAKE takes the caller's over. A task that OpenMP throws away (`cancel taskgroup`) never
 * enters its block: where that may be, keep the reference outside, give it back after the
 * taskgroup, and let the tasks borrow it with WEFT_OMP_IN.
 *
 * Threads: any. A block is in the frame of its thread, with a context of its own: tokens are to be
 * reset in the block in which they were made. Tied tasks only (which is what tasks are unless they
 * say `untied`). In a weft task, do not let a block wait in weft's way: OpenMP does not know of
 * tasks that leave their thread.
 * Errors: none; entering cannot fail (C8). Nothing is allocated.
 */
#ifndef WEFT_ADAPT_OPENMP_H
#define WEFT_ADAPT_OPENMP_H

#include <weft/context.h>

WEFT_BEGIN_DECLS

/* Private: what the thread had, and whether the block is still to be run. */
struct weft_omp__in {
        weft_context *before;
        int once;
};

static inline struct weft_omp__in weft_omp__enter(weft_context *context)
{
        struct weft_omp__in in = {weft_context_swap(context), 1};
        return in;
}

static inline void weft_omp__leave(struct weft_omp__in *in)
{
        weft_context_unref(weft_context_swap(in->before));
}

/* WEFT_OMP_IN(context) { ... } - run the block in a context that somebody else keeps until its end.
 * Since 0.1. */
#define WEFT_OMP_IN(context) WEFT_OMP_TAKE (weft_context_ref(context))

/* WEFT_OMP_TAKE(context) { ... } - run the block in a context, whose reference goes with it. Since
 * 0.1. */
#define WEFT_OMP_TAKE(context) WEFT_OMP__IN(context, WEFT__PASTE(weft_omp__in_, __LINE__))
#define WEFT_OMP__IN(context, in)                                                                  \
        for (struct weft_omp__in in                                                                \
             __attribute__((cleanup(weft_omp__leave))) = weft_omp__enter(context);                 \
             in.once; in.once = 0)

WEFT_END_DECLS

#endif
