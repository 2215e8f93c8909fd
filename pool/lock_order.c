/* SPDX-License-Identifier: MIT
 *
 * The order of locks, held to in test builds (see lock.h).
 *
 * Each thread has a list of what it holds. No lock is held across a switch of stacks, which is
 * checked too, so that the list is the thread's and not the task's.
 */
#include "lock.h"

#if WEFT__LOCK_ORDER

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 8 };

static _Thread_local struct {
        const weft__lock *lock[MOST];
        unsigned rank[MOST];
        unsigned count;
} held;

static const char *const name[] = {
    [WEFT__RANK_FIRST] = "first",   [WEFT__RANK_TASK] = "task",     [WEFT__RANK_GROUP] = "group",
    [WEFT__RANK_STACKS] = "stacks", [WEFT__RANK_TIMERS] = "timers", [WEFT__RANK_ROOM] = "room",
    [WEFT__RANK_LANE] = "lane",     [WEFT__RANK_IDLE] = "idle",     [WEFT__RANK_DEPOT] = "depot",
};

static _Noreturn void breach(const char *what, unsigned rank)
{
        fprintf(stderr, "weft: %s while one of rank %s is held\n", what, name[rank]);
        abort();
}

void weft__lock_taken(weft__lock *lock, bool tried)
{
        unsigned rank = weft__lock_rank(lock);
        char what[64];
        for (unsigned i = 0; i < held.count && !tried; i++) {
                if (held.rank[i] < rank)
                        continue;
                snprintf(what, sizeof(what), "a lock of rank %s is taken", name[rank]);
                breach(what, held.rank[i]);
        }
        if (held.count == MOST)
                breach("too many locks are held", rank);
        held.lock[held.count] = lock;
        held.rank[held.count++] = rank;
}

void weft__lock_given(weft__lock *lock)
{
        for (unsigned i = held.count; i-- > 0;) {
                if (held.lock[i] != lock)
                        continue;
                held.count--;
                held.lock[i] = held.lock[held.count];
                held.rank[i] = held.rank[held.count];
                return;
        }
        breach("a lock is given that is not held", WEFT__RANK_FIRST);
}

void weft__lock_none(void)
{
        if (held.count)
                breach("a thread waits", held.rank[0]);
}

#endif
