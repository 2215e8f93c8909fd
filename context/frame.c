/* SPDX-License-Identifier: MIT
 *
 * The current frame: get, set and reset in it, entering and leaving frames, references to contexts.
 *
 * A frame owns one reference to its context. While that is the only one (with what the thread's own
 * bank holds), sets edit the context in place; as soon as anybody else has a reference, the next
 * set makes a copy first. So a capture freezes the context by nothing but being there.
 *
 * A change is made visible before anything that it displaced is given back, because giving back may
 * run release functions, which may get and set.
 *
 * Pairings
 *  K1  a reference is given back (release) -> the last one frees (acquire)
 *  K2  a reference is given back (release) -> the only owner left edits in place (acquire)
 */
#define WEFT__DEFINES 1 /* what is inlined elsewhere is defined here */

#include "explain.h"
#include "hooks.h"
#include "map.h"
#include "memory.h"
#include "thread.h"
#include "var.h"

enum { BATCH = 1024 }; /* references that the bank takes from the shared count at a time */

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

static atomic_uint_least64_t frame_ids = 1;

/* ---- references ---- */

void weft__context_settle(void)
{
        struct weft__thread *t = &weft__thread;
        weft_context *c = t->here.bank.context;
        size_t n = weft__banked(t);
        if (!c)
                return;
        weft__bank_become(t, NULL, 0);
        /* K1: both sides in one; K2 -> */
        if (weft__were_all(atomic_fetch_sub_explicit(&c->refs, n, memory_order_acq_rel), n)) {
                weft__map_destroy(c);
                weft__cells_release();
        }
}

static inline bool bank_has_cells(const struct weft__thread *t)
{
        return t->here.bank.context && t->here.bank.context->cells;
}

/* The bank may hold a context with cells only while it is the current one. */
static inline bool bank_is_due(const struct weft__thread *t)
{
        return bank_has_cells(t) && t->here.bank.context != t->here.context;
}

static void settle_unless_current(struct weft__thread *t)
{
        if (bank_is_due(t))
                weft__context_settle();
}

/* Where the bank does not take them as it is. */
static __attribute__((noinline)) void put_slowly(weft_context *c, size_t n)
{
        struct weft__thread *t = &weft__thread;
        if (t->here.bank.context == c) {
                n += weft__banked(t);
                weft__bank_become(t, NULL, 0);
        }
        /* K1: acquire; nobody else has a reference, so nobody can take one */
        if (weft__were_all(atomic_load_explicit(&c->refs, memory_order_acquire), n)) {
                weft__map_destroy(c);
                weft__cells_release();
        } else if (!c->cells && (likely(t->life == WEFT__LIVE) || weft__thread_enlist() == 0)) {
                weft__context_settle();
                weft__bank_become(t, c, n);
        } else if (weft__were_all(
                       atomic_fetch_sub_explicit(&c->refs, n, memory_order_acq_rel), /* K1, K2 */
                       n)) {
                weft__map_destroy(c);
                weft__cells_release();
        }
}

void weft__context_put(weft_context *c, size_t n)
{
        struct weft__thread *t = &weft__thread;
        /* relaxed: if it is the last one after all, it goes when the bank is settled */
        if (likely(t->here.bank.context == c && !c->cells &&
                   atomic_load_explicit(&c->refs, memory_order_relaxed) != n + weft__banked(t)))
                t->here.bank.given += n;
        else
                put_slowly(c, n);
}

weft_context *weft__context_ref_shared(weft_context *c)
{
        struct weft__thread *t = &weft__thread;
        size_t n = 1;
        if (c == t->here.context && weft__thread_enlist() == 0) {
                if (t->here.bank.context != c)
                        weft__context_settle();
                weft__bank_become(t, c, BATCH + weft__banked(t));
                n += BATCH;
        }
        /* relaxed: the caller has a reference, so the context is there already */
        atomic_fetch_add_explicit(&c->refs, n, memory_order_relaxed);
        return c;
}

weft_context *weft_context_ref(weft_context *c)
{
        struct weft__thread *t = &weft__thread;
        if (!c)
                return NULL;
        if (unlikely(t->here.bank.context != c || weft__banked(t) == 1)) /* one stays */
                return weft__context_ref_shared(c);
        t->here.bank.taken++;
        return c;
}

weft_context *weft_context_unref(weft_context *c)
{
        struct weft__thread *t = &weft__thread;
        if (!c)
                return NULL;
        if (unlikely(t->here.bank.context != c))
                return weft__context_unref_shared(c);
        t->here.bank.given++;
        return NULL;
}

weft_context *weft__context_unref_shared(weft_context *c)
{
        /* K1: both sides in one; K2 -> */
        if (weft__were_all(atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel), 1)) {
                weft__map_destroy(c);
                weft__cells_release();
        }
        return NULL;
}

weft_context *weft_context_capture(void)
{
        return weft_context_ref(weft__thread.here.context);
}

weft_context *weft_context_empty(void)
{
        return NULL;
}

/* ---- look-up ---- */

static __attribute__((noinline)) void *get_slowly(const weft_context *c, const weft_var *var,
                                                  uint32_t key)
{
        void *raw = weft__map_find(c, key);
        return raw == WEFT__UNSET ? var->fallback : weft__map_value(key, raw);
}

static inline void *get(const weft_context *c, const weft_var *var)
{
        uint32_t key = weft__var_key(var);
        if (unlikely(!c || key >= WEFT__NEAR)) /* empty, far, or kept */
                return get_slowly(c, var, key);
        void *raw = c->slot[key];
        return likely(raw != WEFT__UNSET) ? raw : var->fallback;
}

void *weft_get(const weft_var *var)
{
        return get(weft__thread.here.context, var);
}

void *weft__get_slowly(const weft_var *var)
{
        return get(weft__thread.here.context, var);
}

void *weft__context_get(const weft_context *context, const weft_var *var)
{
        return get(context, var);
}

int weft_context_lookup(const weft_context *c, const weft_var *var, void **ret_value)
{
        if (!var || !ret_value)
                return -EINVAL;
        uint32_t key = weft__var_key(var);
        void *raw = weft__map_find(c, key);
        if (raw == WEFT__UNSET)
                return -ENOENT;
        *ret_value = weft__map_value(key, raw);
        return 0;
}

int weft_lookup(const weft_var *var, void **ret_value)
{
        return weft_context_lookup(weft__thread.here.context, var, ret_value);
}

/* ---- set and reset ---- */

static void frame_show(struct weft__thread *t, weft_context *c)
{
        weft__signal_fence(); /* a handler sees the context whole */
        t->here.context = c;
        weft__signal_fence(); /* and the old one is given back afterwards */
}

/* Who changes a slot, and how. */
struct change {
        enum weft__note kind;
        const void *site;
};

static void *exchange_noted(weft_context *c, uint32_t key, void *raw, struct change by)
{
        if (key & WEFT__TRACED)
                weft__map_exchange(c, weft__note_key(key), weft__note(by.kind, by.site));
        return weft__map_exchange(c, key, raw);
}

/* Put raw into key's slot of the frame's context; *ret_old, and what it owns, is the caller's. */
static int frame_exchange_slot(struct weft__thread *t, uint32_t key, void *raw, struct change by,
                               void **ret_old)
{
        weft_context *c = t->here.context;
        if (c && weft__sole_owner(t, c) && weft__map_takes(c, key)) {
                if (!weft__map_prepare(c, key))
                        return -ENOMEM;
                *ret_old = exchange_noted(c, key, raw, by);
                return 0;
        }
        weft_context *copy = weft__map_copy(c, key);
        if (!copy)
                return -ENOMEM;
        if (!weft__map_prepare(copy, key)) {
                weft__map_destroy(copy); /* no cell goes with it: c holds them all */
                return -ENOMEM;
        }
        *ret_old = exchange_noted(copy, key, raw, by);
        frame_show(t, copy);
        if (c)
                weft__context_put(c, 1);
        return 0;
}

static uint64_t frame_id(struct weft__thread *t)
{
        enum { IDS = 1 << 16 };
        if (likely(t->here.frame))
                return t->here.frame;
        if (t->next_frame_id == t->end_frame_id) {
                /* relaxed: only the number counts */
                t->next_frame_id =
                    atomic_fetch_add_explicit(&frame_ids, IDS, memory_order_relaxed) +
                    WEFT__FIRST(UINT32_MAX - 3);
                t->end_frame_id = t->next_frame_id + IDS;
        }
        return t->here.frame = t->next_frame_id++;
}

static __attribute__((noinline)) int set_slowly(weft_var *var, void *value, weft_token *ret_token,
                                                const void *site)
{
        struct weft__thread *t = &weft__thread;
        int r = weft__thread_enlist();
        if (r < 0)
                return r;
        weft__frame_own(t);
        uint32_t key = weft__var_enlist(var);
        if (!key)
                return -ENOMEM;
        void *raw, *old;
        r = weft__map_raw(var, key, value, &raw);
        if (r < 0)
                return r;
        r = frame_exchange_slot(t, key, raw, (struct change){WEFT__NOTE_SET, site}, &old);
        if (r < 0) {
                if (key & WEFT__KEPT)
                        weft__free(raw, sizeof(struct weft__cell));
                return r;
        }
        if (ret_token)
                *ret_token = (weft_token){old, frame_id(t), key};
        if (var->retain)
                var->retain(value);
        if (key & WEFT__HOOKED)
                weft__hook_tell(var, key, old, raw);
        if (!ret_token)
                weft__map_discard(key, old);
        weft__cells_release();
        return 0;
}

static inline __attribute__((always_inline)) int set(weft_var *var, void *value,
                                                     weft_token *ret_token, const void *site)
{
        struct weft__thread *t = &weft__thread;
        weft_context *c = t->here.context;
        if (unlikely(!var))
                return -EINVAL;
        uint32_t key = weft__var_key(var);
        /* A near, plain var (key 0, never set, is not) in a context that is nobody else's. */
        if (unlikely(key - 1 >= WEFT__NEAR - 1 || !c || !(t->here.calls & WEFT__LINK_KNOWN) ||
                     !weft__sole_owner(t, c)))
                return set_slowly(var, value, ret_token, site);
        void *old = c->slot[key];
        c->slot[key] = value;
        c->count += old == WEFT__UNSET;
        if (ret_token)
                *ret_token = (weft_token){old, frame_id(t), key};
        return 0;
}

WEFT__TELLS_PLACE int weft_set(weft_var *var, void *value, weft_token *ret_token)
{
        return set(var, value, ret_token, __builtin_return_address(0));
}

/* After a reset: leave an empty map for the empty context. */
static void frame_trim(struct weft__thread *t)
{
        weft_context *c = t->here.context;
        if (c->count == 0) {
                frame_show(t, NULL);
                weft__context_put(c, 1);
        }
}

static __attribute__((noinline)) int reset_slowly(weft_var *var, weft_token *token,
                                                  const void *site)
{
        struct weft__thread *t = &weft__thread;
        if (!var || !token)
                return -EINVAL;
        uint32_t key = token->weft__key;
        if (!key)
                return -EALREADY;
        if (key != weft__var_key(var))
                return -EINVAL;
        weft__frame_own(t);
        if (token->weft__frame != t->here.frame)
                return -EPERM;
        void *displaced;
        struct change by = {WEFT__NOTE_RESET, site};
        int r = frame_exchange_slot(t, key, token->weft__old, by, &displaced);
        if (r < 0)
                return r;
        token->weft__key = 0;
        frame_trim(t);
        if (key & WEFT__HOOKED)
                weft__hook_tell(var, key, displaced, token->weft__old);
        weft__map_discard(key, displaced);
        weft__cells_release();
        return 0;
}

/* Whether it is as simple as weft_set() has it: a near, plain var in a context that is nobody
 * else's. */
static inline bool is_simple(const struct weft__thread *t, const weft_var *var,
                             const weft_token *token)
{
        uint32_t key = token->weft__key;
        return key - 1 < WEFT__NEAR - 1 && key == weft__var_key(var) &&
               t->here.calls & WEFT__LINK_KNOWN && token->weft__frame == t->here.frame &&
               t->here.context && weft__sole_owner(t, t->here.context);
}

static inline __attribute__((always_inline)) int reset(weft_var *var, weft_token *token,
                                                       const void *site)
{
        struct weft__thread *t = &weft__thread;
        if (unlikely(!var || !token || !is_simple(t, var, token)))
                return reset_slowly(var, token, site);
        weft_context *c = t->here.context;
        uint32_t key = token->weft__key;
        void *displaced = c->slot[key];
        c->slot[key] = token->weft__old;
        c->count += (displaced == WEFT__UNSET) - (token->weft__old == WEFT__UNSET);
        token->weft__key = 0;
        frame_trim(t);
        return 0;
}

WEFT__TELLS_PLACE int weft_reset(weft_var *var, weft_token *token)
{
        return reset(var, token, __builtin_return_address(0));
}

int weft_token_old(const weft_token *token, void **ret_value)
{
        if (!token || !ret_value)
                return -EINVAL;
        if (!token->weft__key)
                return -EALREADY;
        if (token->weft__old == WEFT__UNSET)
                return -ENOENT;
        *ret_value = weft__map_value(token->weft__key, token->weft__old);
        return 0;
}

void weft_token_drop(weft_token *token)
{
        if (!token || !token->weft__key)
                return;
        uint32_t key = token->weft__key;
        token->weft__key = 0;
        weft__map_discard(key, token->weft__old);
        weft__cells_release();
}

WEFT__TELLS_PLACE struct weft__with weft__with_begin(weft_var *var, void *value)
{
        struct weft__with with = {.var = var, .once = 1};
        if (set(var, value, &with.token, __builtin_return_address(0)) < 0)
                with.var = NULL;
        return with;
}

WEFT__TELLS_PLACE void weft__with_end(struct weft__with *with)
{
        if (!with->var)
                return;
        /* Without memory for the undo (the context was captured inside the block) the binding
         * stays, and what it displaced is given up. A token that was made in another frame is no
         * undo either. */
        if (reset(with->var, &with->token, __builtin_return_address(0)) < 0)
                weft_token_drop(&with->token);
}

/* ---- frames ---- */

/* In each of these, what is not often so is left to others, so that the rest needs no stack. Hooks
 * of vars are told last of all, while what was current before still lives. */

static inline weft__frame frame_exchange(struct weft__thread *t, weft__frame next)
{
        weft__frame previous = weft__frame_now(t);
        frame_show(t, next.context);
        t->here.frame = next.id;
        return previous;
}

static __attribute__((noinline)) weft__frame exchange_slowly(weft__frame next)
{
        struct weft__thread *t = &weft__thread;
        weft__frame_own(t);
        weft__frame previous = frame_exchange(t, next);
        settle_unless_current(t);
        if (weft__hooks_any())
                weft__hooks_tell(previous.context);
        return previous;
}

/* Whether there is more to be done than to exchange the frames. */
static inline bool is_told(const struct weft__thread *t, const weft_context *next)
{
        return weft__hooks_any() || !(t->here.calls & WEFT__LINK_KNOWN) ||
               (bank_has_cells(t) && t->here.bank.context != next);
}

static inline weft__frame frame_become(weft__frame next)
{
        struct weft__thread *t = &weft__thread;
        if (unlikely(is_told(t, next.context)))
                return exchange_slowly(next);
        return frame_exchange(t, next);
}

__attribute__((noinline)) weft__frame weft__frame_exchange(weft__frame next)
{
        return frame_become(next);
}

__attribute__((noinline)) weft__frame weft__frame_enter(weft_context *context)
{
        return frame_become((weft__frame){context, 0});
}

static __attribute__((noinline)) weft__frame begin_slowly(weft_context *context)
{
        unsigned generation = weft__fork_generation();
        weft__frame earlier = exchange_slowly((weft__frame){context, 0});
        weft__end_if_forked(generation, 0); /* by a hook: the task is the parent's */
        return earlier;
}

__attribute__((noinline)) weft__frame weft__frame_begin(weft_context *context)
{
        struct weft__thread *t = &weft__thread;
        if (unlikely(is_told(t, context)))
                return begin_slowly(context);
        return frame_exchange(t, (weft__frame){context, 0});
}

/* Back to an earlier frame. What the release functions of this one set, they set in that one. They
 * come last: they may wait, and t be another thread then. */
static inline void frame_leave(struct weft__thread *t, weft__frame earlier)
{
        weft__frame_own(t); /* what was forked in this frame may be joined outside it */
        weft_context *c = t->here.context;
        frame_show(t, earlier.context);
        t->here.frame = earlier.id;
        settle_unless_current(t);
        if (weft__hooks_any())
                weft__hooks_tell(c);
        if (c)
                weft__context_put(c, 1);
}

/* Release functions of a task that ended have bound something in the frame of its worker. That one
 * was empty, and stays so, or a worker would take it from task to task. Bounded, since a release
 * function may bind anew whenever it is called. */
static __attribute__((noinline)) bool frame_emptied(void)
{
        struct weft__thread *t = &weft__thread;
        weft_context *c = t->here.context;
        if (!c)
                return true;
        frame_show(t, NULL);
        if (weft__hooks_any())
                weft__hooks_tell(c);
        weft__context_put(c, 1);
        return false;
}

static __attribute__((noinline)) void leave_slowly(weft__frame earlier)
{
        enum { ROUNDS = 8 };
        frame_leave(&weft__thread, earlier);
        if (earlier.context)
                return;
        for (int i = 0; i < ROUNDS && !frame_emptied(); i++)
                ;
}

/* Whoever leaves has joined what it forked, so that all calls are known; and the bank has no cells
 * that the current context has not. */
__attribute__((noinline)) void weft__frame_leave(weft__frame earlier)
{
        struct weft__thread *t = &weft__thread;
        weft_context *c = t->here.context;
        if (unlikely(weft__hooks_any() || (c && c->cells))) {
                leave_slowly(earlier);
                return;
        }
        frame_show(t, earlier.context);
        t->here.frame = earlier.id;
        if (c)
                weft__context_put(c, 1);
}

/* The release functions of a task go with it. If none of them waits, there is none to be run. */
static inline void releases_aside(struct weft__thread *t, weft__aside *ret)
{
        ret->releases = t->release_runs;
        if (likely(!ret->releases))
                return;
        ret->releasing = t->releasing;
        t->releasing = NULL;
        t->release_runs = false;
}

static inline void releases_back(struct weft__thread *t, const weft__aside *aside)
{
        if (likely(!aside->releases))
                return;
        t->releasing = aside->releasing;
        t->release_runs = true;
}

static inline void set_aside(struct weft__thread *t, weft__aside *ret)
{
        ret->frame = weft__frame_now(t);
        ret->calls = t->here.calls;
        ret->oldest = t->oldest;
        frame_show(t, NULL);
        t->here.frame = 0;
        t->here.calls = WEFT__LINK_BOTTOM;
        t->oldest = NULL;
}

/* Between tasks: in the child of a fork that a hook makes there is nobody to go on. */
static void tell_on_worker(const weft_context *previous)
{
        unsigned generation = weft__fork_generation();
        weft__hooks_tell(previous);
        weft__end_if_forked(generation, 0);
}

static __attribute__((noinline)) void set_aside_slowly(weft__aside *ret)
{
        struct weft__thread *t = &weft__thread;
        weft__frame_own(t);
        set_aside(t, ret);
        releases_aside(t, ret);
        settle_unless_current(t);
        if (weft__hooks_any())
                tell_on_worker(ret->frame.context);
}

__attribute__((noinline)) void weft__frame_set_aside(weft__aside *ret)
{
        struct weft__thread *t = &weft__thread;
        if (unlikely(weft__hooks_any() || !(t->here.calls & WEFT__LINK_KNOWN) || t->release_runs ||
                     bank_has_cells(t))) {
                set_aside_slowly(ret);
                return;
        }
        set_aside(t, ret);
        ret->releases = false;
}

static inline void trade(struct weft__thread *t, weft__aside *ret, const weft__aside *next)
{
        weft__frame_own(t);
        ret->frame = weft__frame_now(t);
        ret->calls = t->here.calls;
        ret->oldest = t->oldest;
        frame_show(t, next->frame.context);
        t->here.frame = next->frame.id;
        t->here.calls = next->calls;
        t->oldest = next->oldest;
        releases_aside(t, ret);
        releases_back(t, next);
        settle_unless_current(t);
}

static __attribute__((noinline)) void trade_told(weft__aside *ret, const weft__aside *next)
{
        trade(&weft__thread, ret, next);
        tell_on_worker(ret->frame.context);
}

__attribute__((noinline)) void weft__frame_trade(weft__aside *ret, const weft__aside *next)
{
        if (weft__hooks_any())
                trade_told(ret, next);
        else
                trade(&weft__thread, ret, next);
}

static __attribute__((noinline)) void take_up_slowly(const weft__aside *aside)
{
        struct weft__thread *t = &weft__thread;
        unsigned generation = weft__fork_generation();
        frame_leave(t, aside->frame);       /* of the loop: nothing is bound there, or released */
        weft__end_if_forked(generation, 0); /* by a hook, as above */
        releases_back(t, aside);
}

__attribute__((noinline)) void weft__frame_take_up(const weft__aside *aside)
{
        struct weft__thread *t = &weft__thread;
        t->here.calls = aside->calls;
        t->oldest = aside->oldest;
        if (unlikely(weft__hooks_any() || t->here.context || aside->releases ||
                     bank_has_cells(t))) {
                take_up_slowly(aside);
                return;
        }
        frame_show(t, aside->frame.context);
        t->here.frame = aside->frame.id;
}

weft_context *weft_context_swap(weft_context *next)
{
        struct weft__thread *t = &weft__thread;
        if (weft__thread_enlist() == -ESHUTDOWN)
                return weft_context_unref(next);
        weft__frame_own(t);
        weft_context *previous = t->here.context;
        frame_show(t, next);
        settle_unless_current(t);
        if (weft__hooks_any())
                weft__hooks_tell(previous);
        return previous;
}

/* Not inlined, so that no thread-local's address lives across fn, which may switch stacks. */
static __attribute__((noinline)) void leave(weft__frame *earlier)
{
        frame_leave(&weft__thread, *earlier);
}

int weft_context_run(weft_context *context, weft_fn *fn, void *arg, weft_context **ret_after)
{
        if (!fn)
                return -EINVAL;
        /* Left by the clean-up, so that an exception or a cancelled thread leaves it too. */
        __attribute__((cleanup(leave), unused)) weft__frame earlier =
            weft__frame_enter(weft_context_ref(context));
        int r = fn(arg);
        if (ret_after)
                *ret_after = weft_context_capture();
        return r;
}

/* ---- whole contexts ---- */

WEFT__TELLS_PLACE int weft_context_with(weft_context *context, weft_var *var, void *value,
                                        weft_context **ret)
{
        if (!var || !ret)
                return -EINVAL;
        int r = weft__context_usable();
        if (r < 0)
                return r;
        uint32_t key = weft__var_enlist(var);
        weft_context *c = key ? weft__map_copy(context, key) : NULL;
        if (!c)
                return -ENOMEM;
        void *raw;
        if (!weft__map_prepare(c, key) || weft__map_raw(var, key, value, &raw) < 0) {
                weft__map_destroy(
                    c); /* no cell goes with it: the caller's context holds them all */
                return -ENOMEM;
        }
        struct change by = {WEFT__NOTE_SET, __builtin_return_address(0)};
        weft__map_discard(key, exchange_noted(c, key, raw, by));
        if (var->retain)
                var->retain(value);
        *ret = c;
        return 0;
}

struct each {
        int (*visit)(const weft_var *var, void *value, void *arg);
        void *arg;
};

static int each_binding(uint32_t key, void *raw, void *arg)
{
        const struct each *each = arg;
        const weft_var *var = weft__var_of(key);
        return var ? each->visit(var, weft__map_value(key, raw), each->arg) : 0;
}

int weft_context_foreach(const weft_context *context,
                         int (*visit)(const weft_var *var, void *value, void *arg), void *arg)
{
        struct each each = {visit, arg};
        return visit ? weft__map_walk(context, each_binding, &each) : -EINVAL;
}

static int count_binding(uint32_t key, void *raw, void *arg)
{
        (void)raw;
        *(size_t *)arg += weft__var_of(key) != NULL;
        return 0;
}

size_t weft_context_size(const weft_context *context)
{
        size_t n = 0;
        weft__map_walk(context, count_binding, &n);
        return n;
}

static int differs(uint32_t key, void *raw, void *other)
{
        if (!weft__var_of(key))
                return 0;
        void *its = weft__map_find(other, key);
        return its == WEFT__UNSET || weft__map_value(key, its) != weft__map_value(key, raw);
}

bool weft_context_equal(const weft_context *a, const weft_context *b)
{
        return a == b || (weft_context_size(a) == weft_context_size(b) &&
                          !weft__map_walk(a, differs, (void *)b));
}
