/* SPDX-License-Identifier: MIT
 *
 * The immutable map: near slots in the context, far slots in a trie (see map.h).
 *
 * A change is made on a context that has one owner: the near array in place, the far trie by making
 * the nodes of one path the owner's own first (a node with one reference, reached only through such
 * nodes, belongs to nobody else).
 *
 * Pairings
 *  K1  giving a reference back (release) -> the one who takes the last (acquire): all reads before
 *      free
 *  K2  giving a reference back (release) -> the owner who sees that it is the only one (acquire):
 *      all reads before the edit in place
 */
#include "map.h"

#include <string.h>

#include "explain.h"
#include "memory.h"
#include "thread.h"

enum { FAN_BITS = 4, FAN = 1 << FAN_BITS, CACHED_CONTEXTS = WEFT__CACHES ? 32 : 0 };

struct weft__node {
        atomic_size_t refs;
        uint32_t shift;  /* 0: a leaf; else how many bits of the index the levels below take */
        uint32_t kept;   /* leaf: bit i: slot[i] holds a cell */
        void *slot[FAN]; /* leaf: as in a context; else the nodes below, or NULL */
};

const char weft__unset;

void weft__cell_unref(struct weft__cell *cell)
{
        /* K1: both sides in one */
        if (atomic_fetch_sub_explicit(&cell->refs, 1, memory_order_acq_rel) != 1)
                return;
        cell->next = weft__thread.releasing;
        weft__thread.releasing = cell;
}

static struct weft__cell *cell_new(const weft_var *var, void *value)
{
        struct weft__cell *cell = weft__alloc(sizeof(*cell));
        if (!cell)
                return NULL;
        atomic_init(&cell->refs, 1);
        cell->value = value;
        cell->release = var->release;
        cell->next = NULL;
        return cell;
}

int weft__map_raw(const weft_var *var, uint32_t key, void *value, void **ret_raw)
{
        if (!(key & WEFT__KEPT)) {
                *ret_raw = value;
                return 0;
        }
        struct weft__cell *cell = cell_new(var, value);
        if (!cell)
                return -ENOMEM;
        *ret_raw = cell;
        return 0;
}

/* ---- far: the trie ---- */

static struct weft__node *node_new(uint32_t shift)
{
        struct weft__node *n = weft__alloc(sizeof(*n));
        if (!n)
                return NULL;
        atomic_init(&n->refs, 1);
        n->shift = shift;
        n->kept = 0;
        for (int i = 0; i < FAN; i++)
                n->slot[i] = shift ? NULL : WEFT__UNSET;
        return n;
}

static struct weft__node *node_ref(struct weft__node *n)
{
        /* relaxed: the caller has a reference, its own or through a parent */
        atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
        return n;
}

/* Recurses once a level, at most eight deep. */
static void node_unref(struct weft__node *n)
{
        /* K1: both sides in one; K2 -> */
        if (!n || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
                return;
        for (int i = 0; i < FAN; i++) {
                if (n->shift)
                        node_unref(n->slot[i]);
                else if (n->kept & 1u << i)
                        weft__cell_unref(n->slot[i]);
        }
        weft__free(n, sizeof(*n));
}

static struct weft__node *node_copy(const struct weft__node *from)
{
        struct weft__node *n = weft__alloc(sizeof(*n));
        if (!n)
                return NULL;
        atomic_init(&n->refs, 1);
        n->shift = from->shift;
        n->kept = from->kept;
        memcpy(n->slot, from->slot, sizeof(n->slot));
        for (int i = 0; i < FAN; i++) {
                if (n->shift && n->slot[i])
                        node_ref(n->slot[i]);
                else if (n->kept & 1u << i)
                        weft__cell_ref(n->slot[i]);
        }
        return n;
}

static unsigned digit(const struct weft__node *n, uint32_t index)
{
        return index >> n->shift & (FAN - 1);
}

/* Whether index lies below n at all. */
static bool covers(const struct weft__node *n, uint32_t index)
{
        return index >> n->shift >> FAN_BITS == 0;
}

static struct weft__node *leaf_of(struct weft__node *n, uint32_t index)
{
        if (!n || !covers(n, index))
                return NULL;
        while (n && n->shift)
                n = n->slot[digit(n, index)];
        return n;
}

/* Put a node where there is none, or in the place of one that others hold too. */
static struct weft__node *own(struct weft__node **link, uint32_t shift)
{
        struct weft__node *n = *link;
        /* K2: acquire; the parent is ours, so 1 means that the node is */
        if (n && atomic_load_explicit(&n->refs, memory_order_acquire) == 1)
                return n;
        struct weft__node *mine = n ? node_copy(n) : node_new(shift);
        if (!mine)
                return NULL;
        weft__signal_fence(); /* a handler that gets sees the node whole */
        *link = mine;
        node_unref(n);
        return mine;
}

/* Raise the root until index lies below it. Failing half-way leaves a taller trie that reads the
 * same. */
static bool grow(struct weft__node **root, uint32_t index)
{
        uint32_t shift = 0;
        if (!*root) {
                while (index >> shift >> FAN_BITS)
                        shift += FAN_BITS;
                return own(root, shift) != NULL;
        }
        while (!covers(*root, index)) {
                struct weft__node *above = node_new((*root)->shift + FAN_BITS);
                if (!above)
                        return false;
                above->slot[0] = *root;
                weft__signal_fence();
                *root = above;
        }
        return true;
}

/* ---- the whole map ---- */

void *weft__map_find(const weft_context *c, uint32_t key)
{
        uint32_t id = WEFT__ID(key);
        if (!c)
                return WEFT__UNSET;
        if (id < WEFT__NEAR)
                return c->slot[id];
        const struct weft__node *leaf = leaf_of(c->far, id - WEFT__NEAR);
        return leaf ? leaf->slot[digit(leaf, id - WEFT__NEAR)] : WEFT__UNSET;
}

static weft_context *policed_alloc(void)
{
        struct weft__policed *p = weft__alloc(sizeof(*p));
        if (!p)
                return NULL;
        for (int i = 0; i < WEFT__BORDERS; i++)
                atomic_init(&p->across[i], NULL);
        p->generation = 0;
        return &p->context;
}

static weft_context *context_alloc(void)
{
        struct weft__thread *t = &weft__thread;
        weft_context *c = t->cache;
        if (!c)
                return weft__alloc(sizeof(*c));
        t->cache = c->slot[0];
        t->cached--;
        return c;
}

static void context_free(weft_context *c)
{
        struct weft__thread *t = &weft__thread;
        if (t->life != WEFT__LIVE || t->cached == CACHED_CONTEXTS) {
                weft__free(c, sizeof(*c));
                return;
        }
        c->slot[0] = t->cache;
        t->cache = c;
        t->cached++;
}

weft_context *weft__map_copy(const weft_context *from, uint32_t key)
{
        bool policed = key & (WEFT__POLICED | WEFT__TRACED) || (from && from->policed);
        weft_context *c = policed ? policed_alloc() : context_alloc();
        if (!c)
                return NULL;
        atomic_init(&c->refs, 1);
        c->policed = policed;
        if (!from) {
                c->far = NULL;
                c->kept = c->count = c->cells = 0;
                for (unsigned i = 0; i < WEFT__NEAR; i++)
                        c->slot[i] = WEFT__UNSET;
                return c;
        }
        c->far = from->far ? node_ref(from->far) : NULL;
        c->kept = from->kept;
        c->count = from->count;
        c->cells = from->cells;
        memcpy(c->slot, from->slot, sizeof(c->slot));
        for (uint32_t left = c->kept; left; left &= left - 1)
                weft__cell_ref(c->slot[1 + __builtin_ctz(left)]);
        return c;
}

static bool prepare(weft_context *c, uint32_t id)
{
        if (id < WEFT__NEAR)
                return true;
        uint32_t index = id - WEFT__NEAR;
        if (!grow(&c->far, index))
                return false;
        struct weft__node *n = own(&c->far, c->far->shift);
        while (n && n->shift)
                n = own((struct weft__node **)&n->slot[digit(n, index)], n->shift - FAN_BITS);
        return n != NULL;
}

bool weft__map_prepare(weft_context *c, uint32_t key)
{
        return prepare(c, WEFT__ID(key)) &&
               (!(key & WEFT__TRACED) || prepare(c, weft__note_key(key)));
}

void *weft__map_exchange(weft_context *c, uint32_t key, void *raw)
{
        uint32_t id = WEFT__ID(key), bit;
        struct weft__node *leaf = NULL;
        void **slot;
        if (id < WEFT__NEAR) {
                slot = &c->slot[id];
                bit = 1u << (id - 1);
        } else {
                leaf = leaf_of(c->far, id - WEFT__NEAR);
                slot = &leaf->slot[digit(leaf, id - WEFT__NEAR)];
                bit = 1u << digit(leaf, id - WEFT__NEAR);
        }
        void *old = *slot;
        weft__signal_fence(); /* a handler that gets sees the cell whole */
        *slot = raw;
        c->count += (raw != WEFT__UNSET) - (old != WEFT__UNSET);
        if (key & WEFT__KEPT) {
                c->cells += (raw != WEFT__UNSET) - (old != WEFT__UNSET);
                uint32_t kept = leaf ? leaf->kept : c->kept;
                kept = raw != WEFT__UNSET ? kept | bit : kept & ~bit;
                if (leaf)
                        leaf->kept = kept;
                else
                        c->kept = kept & ((1u << (WEFT__NEAR - 1)) - 1);
        }
        return old;
}

/* What is kept in it for the other sides of borders. Recurses once a generation. */
static void policed_free(weft_context *c)
{
        struct weft__policed *p = (struct weft__policed *)c;
        for (int i = 0; i < WEFT__BORDERS; i++) {
                /* relaxed: nobody else has the context any more */
                weft_context *across = atomic_load_explicit(&p->across[i], memory_order_relaxed);
                if (!across || across == c)
                        continue;
                /* K1: both sides in one; K2 -> */
                size_t refs = atomic_fetch_sub_explicit(&across->refs, 1, memory_order_acq_rel);
                if (weft__were_all(refs, 1))
                        weft__map_destroy(across);
        }
        weft__free(p, sizeof(*p));
}

void weft__map_destroy(weft_context *c)
{
        for (uint32_t left = c->kept; left; left &= left - 1)
                weft__cell_unref(c->slot[1 + __builtin_ctz(left)]);
        node_unref(c->far);
        if (c->policed)
                policed_free(c);
        else
                context_free(c);
}

/* ---- walking ---- */

struct walk {
        weft__map_visit *visit;
        void *arg;
};

static int visit_slot(const struct walk *w, uint32_t id, void *raw, bool kept)
{
        if (raw == WEFT__UNSET)
                return 0;
        return w->visit(id | (kept ? WEFT__KEPT : 0), raw, w->arg);
}

/* Recurses once a level, at most eight deep. */
static int walk_node(const struct walk *w, const struct weft__node *n, uint32_t base)
{
        int r = 0;
        for (uint32_t i = 0; n && !r && i < FAN; i++) {
                if (n->shift)
                        r = walk_node(w, n->slot[i], base + (i << n->shift));
                else
                        r = visit_slot(w, base + i, n->slot[i], n->kept & 1u << i);
        }
        return r;
}

int weft__map_walk(const weft_context *c, weft__map_visit *visit, void *arg)
{
        struct walk w = {visit, arg};
        int r = 0;
        for (uint32_t id = 1; c && !r && id < WEFT__NEAR; id++)
                r = visit_slot(&w, id, c->slot[id], c->kept & 1u << (id - 1));
        return r || !c ? r : walk_node(&w, c->far, WEFT__NEAR);
}
