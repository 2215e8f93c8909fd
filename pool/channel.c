/* SPDX-License-Identifier: MIT
 *
 * Channels: a ring of items under a lock, with two lists of those who wait.
 *
 * A waiter carries the address of its item, so that whoever comes from the other side copies
 * straight to or from it and wakes it: the item and the place are given away under the lock, in
 * order of arrival. So senders wait only while the ring is full, and receivers only while it is
 * empty.
 */
#include <string.h>

#include <weft/sync.h>

#include "wait.h"

/* One that waits, on its own stack. */
struct party {
        weft__waiter *waiter;
        void *item;
        bool served; /* its item was taken or filled in; else, woken, it found the channel closed */
        struct party *next, *before;
};

struct side {
        struct party *first, *last;
};

struct weft_channel {
        weft__lock lock;
        bool closed;
        unsigned generation; /* weft__fork_generation() when it was made */
        size_t item_size, capacity;
        size_t first, count; /* of the items in the ring */
        struct side senders, receivers;
        char ring[];
};

/* In the child of a fork an item of the parent's may be half written, and nobody waits. */
static bool ours(const weft_channel *c)
{
        return c->generation == weft__fork_generation();
}

static void side_add(struct side *side, struct party *p)
{
        p->next = NULL;
        p->before = side->last;
        if (side->last)
                side->last->next = p;
        else
                side->first = p;
        side->last = p;
}

static void side_remove(struct side *side, struct party *p)
{
        if (p->before)
                p->before->next = p->next;
        else
                side->first = p->next;
        if (p->next)
                p->next->before = p->before;
        else
                side->last = p->before;
        p->waiter = NULL;
}

/* Take the first party that is still there out of its list, and have it woken; its item may be used
 * until the lock is given up. NULL if nobody waits. */
static struct party *serve(struct side *side)
{
        while (side->first) {
                struct party *p = side->first;
                weft__waiter *w = p->waiter;
                side_remove(side, p);
                p->served = true;
                if (weft__wake(w, WEFT__DONE))
                        return p;
                p->served = false; /* it is leaving, and needs the lock for it */
        }
        return NULL;
}

static char *place(weft_channel *c, size_t i)
{
        return c->ring + (c->first + i) % c->capacity * c->item_size;
}

/* Items of no size may be given as NULL. */
static void copy(const weft_channel *c, void *to, const void *from)
{
        if (to && from)
                memcpy(to, from, c->item_size);
}

/* Wait on one side; the caller holds the lock, and has found nothing to do at once. */
static int wait_in(weft_channel *c, struct side *side, weft__waiter *w, void *item,
                   int64_t deadline) WEFT__GIVES(c->lock);

static int wait_in(weft_channel *c, struct side *side, weft__waiter *w, void *item,
                   int64_t deadline)
{
        struct party p = {.waiter = w, .item = item};
        side_add(side, &p);
        weft__lock_give(&c->lock);
        weft__wait_is_on(w, side == &c->senders ? WEFT__ON_SENDING : WEFT__ON_RECEIVING, c);
        int r = weft__wait_error(weft__wait(w, deadline));
        weft__lock_take(&c->lock); /* whoever served us may still be copying under it */
        if (p.waiter)
                side_remove(side, &p);
        else if (r == 0 && !p.served)
                r = -EPIPE;
        weft__lock_give(&c->lock);
        return r;
}

int weft_channel_create(weft_channel **ret, size_t item_size, size_t capacity)
{
        size_t bytes;
        if (!ret || !capacity)
                return -EINVAL;
        if (__builtin_mul_overflow(item_size, capacity, &bytes) ||
            __builtin_add_overflow(bytes, sizeof(weft_channel), &bytes))
                return -ENOMEM;
        weft_channel *c = weft__alloc(bytes);
        if (!c)
                return -ENOMEM;
        *c = (weft_channel){
            .generation = weft__fork_generation(), .item_size = item_size, .capacity = capacity};
        weft__lock_init(&c->lock, WEFT__RANK_FIRST);
        *ret = c;
        return 0;
}

weft_channel *weft_channel_destroy(weft_channel *c)
{
        if (c)
                weft__free(c, sizeof(*c) + c->item_size * c->capacity);
        return NULL;
}

int weft_channel_send(weft_channel *c, const void *item, int64_t deadline)
{
        struct party *receiver;
        int r = 0;
        if (!c || (!item && c->item_size))
                return -EINVAL;
        if (!ours(c))
                return -EOWNERDEAD;
        weft__waiter own, *w = weft__wait_begin(&own, false);
        weft__lock_take(&c->lock);
        if (c->closed) {
                r = -EPIPE;
        } else if ((receiver = serve(&c->receivers))) {
                copy(c, receiver->item, item);
        } else if (c->count < c->capacity) {
                copy(c, place(c, c->count), item);
                c->count++;
        } else {
                return wait_in(c, &c->senders, w, (void *)item, deadline);
        }
        weft__lock_give(&c->lock);
        return r;
}

int weft_channel_receive(weft_channel *c, void *ret_item, int64_t deadline)
{
        struct party *sender;
        int r = 0;
        if (!c || (!ret_item && c->item_size))
                return -EINVAL;
        if (!ours(c))
                return -EOWNERDEAD;
        weft__waiter own, *w = weft__wait_begin(&own, false);
        weft__lock_take(&c->lock);
        if (c->count) {
                copy(c, ret_item, place(c, 0));
                c->first = (c->first + 1) % c->capacity;
                c->count--;
                if ((sender = serve(&c->senders))) {
                        copy(c, place(c, c->count), sender->item);
                        c->count++;
                }
        } else if (c->closed) {
                r = -EPIPE;
        } else {
                return wait_in(c, &c->receivers, w, ret_item, deadline);
        }
        weft__lock_give(&c->lock);
        return r;
}

static void turn_away(struct side *side)
{
        while (side->first) {
                weft__waiter *w = side->first->waiter;
                side_remove(side, side->first);
                weft__wake(w, WEFT__DONE);
        }
}

int weft_channel_close(weft_channel *c)
{
        if (!c)
                return -EINVAL;
        if (!ours(c))
                return -EOWNERDEAD;
        weft__lock_take(&c->lock);
        int r = c->closed ? -EALREADY : 0;
        c->closed = true;
        turn_away(&c->senders);
        turn_away(&c->receivers);
        weft__lock_give(&c->lock);
        return r;
}
