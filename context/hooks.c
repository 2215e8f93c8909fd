/* SPDX-License-Identifier: MIT
 *
 * Hooks (see hooks.h): the list of the vars that have one, and running them.
 *
 * The list only grows, at its end, by compare-and-swap, so that neither a fork nor a signal finds
 * it locked; the place of a var that was retired is used again.
 *
 * A hook runs in a frame of its own, which starts from what is current: what it binds goes with
 * that, before the next one runs. Meanwhile no hook is told of anything: the only frames that
 * change are those of the hook. It runs in the midst of what others do, such as a switch of stacks;
 * so nothing in it may park, and the floor above sees to that (weft__hook_guard). Nor is it a point
 * of cancellation: it may well write, and what those around it hold would be lost.
 *
 * Pairings
 *  U1  a place is linked (release, by compare-and-swap) -> found (acquire): it is free or taken
 *
 * Keys of places are stored and read relaxed: nothing lies behind them. Who gives up a place leaves
 * nothing in it for who takes it next, and the var of a key is looked for only by who has a context
 * that binds it, and so has seen more (V3 in var.c).
 */
#include "hooks.h"

#include "map.h"
#include "thread.h"
#include "var.h"

enum { ROUNDS = 8 }; /* of release functions that bind anew whenever they are called */

struct weft__hook {
        _Atomic(struct weft__hook *) next;
        atomic_uint key; /* 0: free; without an id: taken, and not known yet */
};

atomic_bool weft__hooked;
struct weft__hook_guard weft__hook_guard;

static struct weft__hook *_Atomic first;

/* ---- the list ---- */

/* Take a free place, or link mine behind the last one. NULL: there is neither. */
static struct weft__hook *find_place(struct weft__hook *mine)
{
        _Atomic(struct weft__hook *) *link = &first;
        for (;;) {
                struct weft__hook *hook =
                    atomic_load_explicit(link, memory_order_acquire); /* -> U1 */
                unsigned nobodys = 0;
                if (!hook) {
                        if (!mine)
                                return NULL;
                        /* U1 ->; -> U1 if somebody else's is there now */
                        if (atomic_compare_exchange_strong_explicit(
                                link, &hook, mine, memory_order_release, memory_order_acquire))
                                return mine;
                }
                /* relaxed, both: see above */
                if (atomic_compare_exchange_strong_explicit(&hook->key, &nobodys, WEFT__HOOKED,
                                                            memory_order_relaxed,
                                                            memory_order_relaxed))
                        return hook;
                link = &hook->next;
        }
}

struct weft__hook *weft__hook_reserve(void)
{
        struct weft__hook *place = find_place(NULL);
        if (!place) {
                struct weft__hook *mine = weft__alloc(sizeof(*mine));
                if (!mine)
                        return NULL;
                atomic_init(&mine->next, NULL);
                atomic_init(&mine->key, WEFT__HOOKED);
                place = find_place(mine);
                if (place != mine)
                        weft__free(mine, sizeof(*mine));
        }
        /* relaxed: whoever binds the var has seen its key, which comes after this */
        atomic_store_explicit(&weft__hooked, true, memory_order_relaxed);
        return place;
}

void weft__hook_become(struct weft__hook *hook, uint32_t key)
{
        if (hook)
                atomic_store_explicit(&hook->key, key,
                                      memory_order_relaxed); /* relaxed: see above */
}

void weft__hook_retire(uint32_t key)
{
        /* relaxed, all: no use of the var may race with this, and who set it first has gone along
         * the list to its place, which is there (U1) */
        struct weft__hook *hook = atomic_load_explicit(&first, memory_order_relaxed);
        while (atomic_load_explicit(&hook->key, memory_order_relaxed) != key) /* relaxed: same */
                hook = atomic_load_explicit(&hook->next, memory_order_relaxed);
        weft__hook_become(hook, 0);
}

/* ---- running ---- */

/* What the hook has left bound goes, and with it what release functions bind. */
static void empty_frame(void)
{
        struct weft__thread *t = &weft__thread;
        for (int i = 0; i < ROUNDS && t->here.context; i++) {
                weft__frame left = weft__frame_exchange((weft__frame){NULL, t->here.frame});
                weft__context_put(left.context, 1);
        }
}

static void run(const weft_var *var, void *previous, void *next)
{
        struct weft__thread *t = &weft__thread;
        struct weft__kept kept = weft__keep();
        void *hidden = weft__hook_guard.begin ? weft__hook_guard.begin() : NULL;
        t->hook_runs = true;
        weft__frame own = weft__frame_enter(weft_context_ref(t->here.context));
        var->on_change(previous, next, var->on_change_user);
        empty_frame();
        weft__frame_leave(own);
        t->hook_runs = false;
        if (weft__hook_guard.end)
                weft__hook_guard.end(hidden);
        weft__give_back(kept);
}

static void *value_of(const weft_var *var, uint32_t key, void *raw)
{
        return raw == WEFT__UNSET ? var->fallback : weft__map_value(key, raw);
}

void weft__hook_tell(const weft_var *var, uint32_t key, void *old, void *raw)
{
        void *previous = value_of(var, key, old), *next = value_of(var, key, raw);
        if (previous != next && !weft__thread.hook_runs)
                run(var, previous, next);
}

void weft__hooks_tell(const weft_context *previous)
{
        const weft_context *next = weft__thread.here.context;
        if (previous == next || weft__thread.hook_runs)
                return;
        struct weft__hook *hook = atomic_load_explicit(&first, memory_order_acquire);  /* -> U1 */
        for (; hook; hook = atomic_load_explicit(&hook->next, memory_order_acquire)) { /* -> U1 */
                /* relaxed: whoever binds the var has seen its key, and so sees it here (V3) */
                uint32_t key = atomic_load_explicit(&hook->key, memory_order_relaxed);
                void *old = weft__map_find(previous, key), *raw = weft__map_find(next, key);
                /* A key that neither binds may be that of a var which is gone by now, or whose
                 * entry has not come here: it must not be looked for. */
                const weft_var *var = old != raw ? weft__var_of(key) : NULL;
                if (var)
                        weft__hook_tell(var, key, old, raw);
        }
}
