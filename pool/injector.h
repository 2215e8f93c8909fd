/* SPDX-License-Identifier: MIT
 *
 * The injector: the queue through which threads outside the pool hand tasks in, first in first out.
 *
 * Any number push, without a lock and without failing: the link is in the task. One at a time
 * takes, under a lock that is only ever tried: whoever finds it taken looks for work elsewhere.
 * Vyukov's intrusive queue with a stub node. A producer that is interrupted between its two steps
 * hides what comes after it until it goes on; weft__injector_has_some() says true meanwhile, so no
 * worker goes to sleep over it.
 *
 * Invariant: from `head` along `next` one reaches `tail`, but for the links that producers are just
 * about to write.
 */
#ifndef WEFT_POOL_INJECTOR_H
#define WEFT_POOL_INJECTOR_H

#include <stdbool.h>

#include "lock.h"
#include "task.h"

typedef struct weft__injector {
        _Atomic(weft_task *) tail; /* producers: the last task pushed */
        char apart[WEFT__CACHE_LINE - sizeof(_Atomic(weft_task *))];
        weft__lock taking;         /* held by the one who takes */
        _Atomic(weft_task *) head; /* the taker: the first task not taken, or the stub */
        weft_task stub;
} weft__injector;

void weft__injector_init(weft__injector *q);
void weft__injector_push(weft__injector *q, weft_task *task);

/* Take up to n tasks, the oldest first; how many were taken. */
unsigned weft__injector_take(weft__injector *q, weft_task **ret_tasks, unsigned n);

/* Whether there may be a task. Never false while there is one whose push, with a full fence after
 * it, came before a full fence of the caller. */
bool weft__injector_has_some(weft__injector *q);

#endif
