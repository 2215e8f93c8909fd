/* SPDX-License-Identifier: MIT
 *
 * All tasks that there are, in a copy of the process (snapshot.h): found where they lie, in the
 * stacks, the queues and the heaps of timers of each pool, since nobody keeps a list of them.
 *
 * A task that does not move while the copy is made is found once, and as it is. One that does may
 * be found twice, in its old place and in its new one, or not at all.
 */
#ifndef WEFT_POOL_LOOK_H
#define WEFT_POOL_LOOK_H

#include "snapshot.h"
#include "worker.h"

enum weft__doing {
        WEFT__RUNS,    /* on `worker` */
        WEFT__WAITS,   /* on `on`, `what` */
        WEFT__RESUMES, /* what it waited for has come; it has not been gone on with */
        WEFT__BEGINS,  /* in a queue */
        WEFT__DELAYS,  /* until `until` */
};

struct weft__seen {
        const weft_pool *pool;
        const weft__worker *worker; /* that it runs on, or parked on; NULL: none */
        const weft_task *task;      /* NULL: one from outside, which has no memory of its own yet */
        weft_fn *fn;
        void *arg;
        const weft_context *context;     /* what is bound in it */
        const struct weft__handover *by; /* by which it began, and somebody still waits; NULL */
        int64_t since;                   /* ns: it has done so for so long at most; 0: not known */
        int64_t until;                   /* ns: when the wait ends by itself, or when it is due;
                                        WEFT_FOREVER */
        const void *what;
        uint32_t id;        /* 0: it has not begun */
        uint32_t submitter; /* the id of another one, perhaps one that has ended; 0 */
        unsigned char doing;
        unsigned char on; /* of enum weft__on */
        bool cancelled;   /* it is asked to end */
        bool shown;       /* for whoever goes through them, both */
        size_t walk;

        /* The tree of who has submitted whom. If two numbers are the same by chance there may be a
         * ring of them, which hangs from no root. */
        struct weft__seen *parent, *first_child, *last_child, *next;
};

struct weft__view {
        struct weft__seen *seen;
        size_t count, room; /* there is room for all that the counts of the pools say, and some */
        int64_t now;        /* weft_now() */
        bool partly;        /* some place could not be read, or there was no room */
        struct weft__seen *first_root;
        struct weft__seen **by_id, **by_task; /* tables; see look.c */
        size_t mask;
};

/* Find all tasks; false if there is no memory. In the copy. */
bool weft__look(struct weft__view *ret);

/* What was seen of a task; NULL: it was not. */
struct weft__seen *weft__look_for(const struct weft__view *view, const weft_task *task);

#endif
