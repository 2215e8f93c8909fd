/* SPDX-License-Identifier: MIT
 *
 * What the tests of cancelled groups share: the pools they run on, and tasks that count what they
 * see.
 */
#ifndef GROUP_HELP_H
#define GROUP_HELP_H

#include "pool_help.h"

/* Pools on 1, 2 and 4 workers, and one whose tasks go on on any of them. */
enum { KINDS = 4 };

static inline weft_pool *begin_kind(int kind)
{
        weft_pool *pool = NULL;
        weft_pool_options o = {.size = sizeof(o),
                               .workers = kind < 3 ? 1u << kind : 4,
                               .flags = kind < 3 ? 0 : WEFT_MIGRATE};
        cr_assert_eq(weft_pool_create(&pool, &o), 0);
        return pool;
}

static inline int never(void *arg)
{
        (void)arg;
        CHECK(!"a cancelled task ran");
        return 0;
}

/* What the tasks of a test count. */
struct seen {
        atomic_int started, cancelled, dropped, ended;
        weft_event event;
        weft_group *group;
};

static inline int sleep_long(void *arg)
{
        struct seen *s = arg;
        atomic_fetch_add(&s->started, 1);
        int r = weft_sleep_until(WEFT_FOREVER);
        atomic_fetch_add(&s->cancelled, r == -ECANCELED);
        return r;
}

static inline int wait_event(void *arg)
{
        struct seen *s = arg;
        atomic_fetch_add(&s->started, 1);
        int r = weft_event_wait(&s->event, WEFT_FOREVER);
        atomic_fetch_add(&s->cancelled, r == -ECANCELED);
        atomic_fetch_add(&s->ended, 1);
        return r;
}

static inline void drop_seen(void *args)
{
        atomic_fetch_add(&(*(struct seen **)args)->dropped, 1);
}

static inline void seen_init(struct seen *s)
{
        *s = (struct seen){.started = 0};
        weft_event_init(&s->event);
}

#endif
