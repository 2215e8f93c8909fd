/* SPDX-License-Identifier: MIT
 *
 * Borders (see cross.h): what is made of a context for the other side of one, once.
 *
 * It is a copy in which vars are unset, or bound to what they hand on; or the context itself, if
 * its vars let all through. Either is kept in the context (weft__policed), for all that cross there
 * later, so that crossing is O(1) as capturing is. From then on the context is not edited in place
 * any more, though it has one owner (FROZEN): what was made of it would be wrong.
 *
 * A context owns what was made of it, and that what was made of that. For a chain of tasks, each
 * submitted by the one before, that could be a chain without end, kept by the first; so it ends
 * after GENERATIONS, and is made anew each time.
 *
 * Pairings
 *  K3  what was made of a context is kept (release, by compare-and-swap) -> found (acquire)
 */
#include "cross.h"

#include "explain.h"
#include "map.h"
#include "thread.h"
#include "var.h"

enum { GENERATIONS = 16 };

atomic_bool weft__policed_ever;

struct crossing {
        weft_context *from;
        weft_context *made; /* NULL while nothing differs */
        unsigned border;
        void *note; /* of what is made, see explain.h; NULL: none */
};

static int border_at(unsigned border)
{
        return __builtin_ctz(border);
}

/* What is made of a context belongs to its maker yet: let it go. */
static void discard(weft_context *made)
{
        if (made)
                weft__map_destroy(made);
        weft__cells_release();
}

static unsigned generation_of(const weft_context *c)
{
        return c && c->policed ? ((const struct weft__policed *)c)->generation : 0;
}

/* See that there is something of its own on the other side. */
static bool differ(struct crossing *x)
{
        if (!x->made && (x->made = weft__map_copy(x->from, WEFT__POLICED)))
                ((struct weft__policed *)x->made)->generation = generation_of(x->from) + 1;
        return x->made;
}

/* Put raw into key's slot on the other side, by its policy; what it owns stays the caller's on
 * failure. */
static int put(struct crossing *x, uint32_t key, void *raw)
{
        if (!differ(x) || !weft__map_prepare(x->made, key))
                return -ENOMEM;
        if (key & WEFT__TRACED) {
                unsigned kind = raw == WEFT__UNSET ? WEFT__NOTE_DROPPED : WEFT__NOTE_HANDED;
                void *note = weft__map_find(x->from, weft__note_key(key));
                note = weft__note_as(kind + (unsigned)border_at(x->border), note);
                weft__map_exchange(x->made, weft__note_key(key), note);
        }
        weft__map_discard(key, weft__map_exchange(x->made, key, raw));
        return 0;
}

static int put_note(struct crossing *x)
{
        uint32_t key = weft__origin_key();
        if (!differ(x) || !weft__map_prepare(x->made, key))
                return -ENOMEM;
        weft__map_exchange(x->made, key, x->note);
        return 0;
}

/* Bind what a var hands on; the reference that came with it is the binding's. */
static int put_value(struct crossing *x, const weft_var *var, uint32_t key, void *value)
{
        void *raw;
        int r = weft__map_raw(var, key, value, &raw);
        if (r == 0) {
                r = put(x, key, raw);
                if (r < 0 && key & WEFT__KEPT)
                        weft__free(raw, sizeof(struct weft__cell));
        }
        if (r < 0 && var->release)
                var->release(value);
        return r;
}

static int cross_binding(uint32_t key, void *raw, void *arg)
{
        struct crossing *x = arg;
        const weft_var *var = weft__var_of(key);
        void *value;
        if (!var || (!var->drop_at && !var->hand_on))
                return 0;
        key = weft__var_key(var);
        if (var->drop_at & x->border)
                return put(x, key, WEFT__UNSET);
        if (!var->hand_on)
                return 0;
        int r = var->hand_on(x->border, weft__map_value(key, raw), &value);
        if (r == -ENOENT)
                return put(x, key, WEFT__UNSET);
        return r < 0 ? r : r > 0 ? 0 : put_value(x, var, key, value);
}

/* A reference to what was made and is kept. */
static weft_context *take(weft_context *made)
{
        return made->count ? weft_context_ref(made) : NULL;
}

/* Whether what is kept will do: it was handed over from the same place. */
static bool will_do(const weft_context *kept, void *note)
{
        return kept && (!note || weft__map_find(kept, weft__origin_key()) == note);
}

/* Keep what was made, unless somebody else has been quicker; a reference to what is to be used. */
static weft_context *keep(const struct crossing *x, weft_context *made)
{
        struct weft__policed *from = (struct weft__policed *)x->from;
        int at = border_at(x->border);
        weft_context *theirs = NULL, *mine = made ? made : &from->context;
        /* relaxed: whoever would edit the context is the only one left, and so has seen by K2 what
         * all others did */
        atomic_fetch_or_explicit(&from->context.refs, WEFT__FROZEN, memory_order_relaxed);
        /* K3 ->; -> K3 if there is one already */
        if (atomic_compare_exchange_strong_explicit(&from->across[at], &theirs, mine,
                                                    memory_order_release, memory_order_acquire))
                return take(mine);
        if (!will_do(theirs, x->note))
                return made;
        theirs = take(theirs);
        discard(made);
        return theirs;
}

/* What is made is kept for the others that cross here, if there is room for it; a reference. */
static weft_context *made_of(const struct crossing *x)
{
        weft_context *made = x->made;
        if (x->from && x->from->policed && generation_of(x->from) < GENERATIONS)
                return keep(x, made);
        if (!made)
                return weft_context_ref(x->from);
        if (made->count)
                return made;
        discard(made);
        return NULL;
}

static int make(struct crossing *x, weft_context **ret)
{
        int r = x->from ? weft__map_walk(x->from, cross_binding, x) : 0;
        if (r == 0 && x->note)
                r = put_note(x);
        if (r < 0)
                discard(x->made);
        else
                *ret = made_of(x);
        return r;
}

int weft__context_across(weft_context *context, unsigned border, const void *site,
                         weft_context **ret)
{
        unsigned at = (unsigned)border_at(border);
        void *note = weft__records() && site ? weft__note(WEFT__NOTE_CROSSED + at, site) : NULL;
        if (context && context->policed) {
                const struct weft__policed *from = (const struct weft__policed *)context;
                weft_context *made =
                    atomic_load_explicit(&from->across[at], memory_order_acquire); /* -> K3 */
                if (will_do(made, note)) {
                        *ret = take(made);
                        return 0;
                }
        } else if (!note) {
                *ret = weft_context_ref(context);
                return 0;
        }
        /* Held meanwhile: hand_on() may set something. */
        struct crossing x = {.from = weft_context_ref(context), .border = border, .note = note};
        int r = make(&x, ret);
        weft_context_unref(context);
        return r;
}

int weft__cross_from(unsigned border, const void *site, weft_context **ret)
{
        return weft__context_across(weft__thread.here.context, border, site, ret);
}

WEFT__TELLS_PLACE int weft_context_cross(unsigned border, weft_context **ret)
{
        if (!ret || border >= 1u << WEFT__BORDERS || __builtin_popcount(border) != 1)
                return -EINVAL;
        return weft__cross_from(border, __builtin_return_address(0), ret);
}
