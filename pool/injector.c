/* SPDX-License-Identifier: MIT
 *
 * The injector (see injector.h). After Dmitry Vyukov, "Intrusive MPSC node-based queue".
 *
 * Pairings
 *  J1  push: next (release) -> take: next (acquire): the task
 *  J2  push: tail (acq_rel exchange) -> the next push's exchange: the predecessor's own next is
 *      reset before anybody links behind it
 */
#include "injector.h"

void weft__injector_init(weft__injector *q)
{
        atomic_init(&q->taking.word, 0);
        atomic_init(&q->stub.next, NULL);
        atomic_init(&q->head, &q->stub);
        atomic_init(&q->tail, &q->stub);
}

void weft__injector_push(weft__injector *q, weft_task *task)
{
        /* relaxed: published by the exchange, J2 */
        atomic_store_explicit(&task->next, NULL, memory_order_relaxed);
        weft_task *before = atomic_exchange_explicit(&q->tail, task, memory_order_acq_rel); /* J2 */
        atomic_store_explicit(&before->next, task, memory_order_release); /* J1 -> take */
}

static weft_task *next_of(weft_task *task)
{
        return atomic_load_explicit(&task->next, memory_order_acquire); /* -> J1 */
}

/* Under the lock; head is written by nobody else. */
static weft_task *take_one(weft__injector *q)
{
        /* relaxed: written under the lock only */
        weft_task *head = atomic_load_explicit(&q->head, memory_order_relaxed);
        weft_task *next = next_of(head);
        if (head == &q->stub) {
                if (!next)
                        return NULL;
                /* relaxed: others only compare it, in has_some */
                atomic_store_explicit(&q->head, next, memory_order_relaxed);
                head = next;
                next = next_of(head);
        }
        if (!next) {
                /* The last one that can be seen: put the stub behind it, so that it may go.
                 * acquire: pairs with J2, and only compared */
                if (head != atomic_load_explicit(&q->tail, memory_order_acquire))
                        return NULL; /* a producer is about to link the one after it */
                weft__injector_push(q, &q->stub);
                next = next_of(head);
                if (!next)
                        return NULL; /* the same, between our look and our push */
        }
        atomic_store_explicit(&q->head, next, memory_order_relaxed); /* relaxed: as above */
        return head;
}

unsigned weft__injector_take(weft__injector *q, weft_task **ret_tasks, unsigned n)
{
        unsigned taken = 0;
        if (!weft__injector_has_some(q) || !weft__lock_try(&q->taking))
                return 0;
        while (taken < n && (ret_tasks[taken] = take_one(q)))
                taken++;
        weft__lock_give(&q->taking);
        return taken;
}

bool weft__injector_has_some(weft__injector *q)
{
        /* acquire: if tail is the stub because a taker has just put it there, that taker's head,
         * which may still have a task, is seen too. -> J2. relaxed: with the callers' fences */
        return atomic_load_explicit(&q->tail, memory_order_acquire) != &q->stub ||
               atomic_load_explicit(&q->head, memory_order_relaxed) != &q->stub;
}
