/* SPDX-License-Identifier: MIT
 *
 * The backstop: wake-ups that were missed are found.
 *
 * A worker that sleeps long looks up now and then whether anybody should have been woken. That is a
 * bug of idle.c or of its callers; it is counted (`missed` in the figures), and all are woken. In
 * test builds it ends the process. A model has none of it, since it is to see who sleeps for ever.
 */
#ifndef WEFT_POOL_MISSED_H
#define WEFT_POOL_MISSED_H

#include "worker.h"

/* The looks of one sleep. */
struct weft__looks {
        int64_t every;     /* ns: so long after each other */
        const char *what;  /* what the last saw that somebody should have been woken for; NULL */
        uint64_t progress; /* ... and how far those had come who should have been */
};

/* Begin to sleep, as the keeper or not: when to look up; WEFT_FOREVER: never. */
int64_t weft__looks_begin(struct weft__looks *looks, bool keeps);

/* Look up at *next, and say when next: true if a wake-up was missed, which is counted. By one that
 * sleeps. */
bool weft__look_up(weft__worker *w, struct weft__looks *looks, int64_t *next);

#if defined(WEFT_TEST_HOOKS)
/* In test builds: if set, told what a worker was not woken for; else that ends the process. */
extern void (*weft__missed_hook)(const char *what);
#endif

#endif
