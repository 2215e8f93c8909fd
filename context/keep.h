/* SPDX-License-Identifier: MIT
 *
 * What a call keeps for its caller, though it reads files, writes to streams, waits for threads, or
 * runs the hook of a var: errno, and that the thread is not cancelled before the call has come to
 * its end. On one thread: nothing in between may park.
 */
#ifndef WEFT_CONTEXT_KEEP_H
#define WEFT_CONTEXT_KEEP_H

#include <errno.h>
#include <pthread.h>

struct weft__kept {
        int error, cancels;
};

static inline struct weft__kept weft__keep(void)
{
        struct weft__kept kept = {.error = errno};
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &kept.cancels);
        return kept;
}

static inline void weft__give_back(struct weft__kept kept)
{
        pthread_setcancelstate(kept.cancels, NULL);
        errno = kept.error;
}

#endif
