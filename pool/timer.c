/* SPDX-License-Identifier: MIT
 *
 * The heap of timers (see timer.h). The pairing runs in a loop, so that a million timers need no
 * stack.
 */
#include "timer.h"

/* Of two roots the earlier, with the other one as its first child. */
static weft__timer *meld(weft__timer *a, weft__timer *b)
{
        if (!a || !b)
                return a ? a : b;
        if (b->deadline < a->deadline) {
                weft__timer *t = a;
                a = b;
                b = t;
        }
        b->sibling = a->child;
        if (a->child)
                a->child->before = b;
        b->before = a;
        a->child = b;
        return a;
}

/* Meld the siblings from first on in pairs, left to right, then the pairs, right to left. */
static weft__timer *pair(weft__timer *first)
{
        weft__timer *pairs = NULL, *root = NULL;
        while (first) {
                weft__timer *a = first, *b = a->sibling;
                first = b ? b->sibling : NULL;
                a->before = a->sibling = NULL;
                if (b)
                        b->before = b->sibling = NULL;
                weft__timer *m = meld(a, b);
                m->sibling = pairs; /* a stack of what came out */
                pairs = m;
        }
        while (pairs) {
                weft__timer *next = pairs->sibling;
                pairs->sibling = NULL;
                root = meld(root, pairs);
                pairs = next;
        }
        return root;
}

/* Put a tree into place k, or melded with what is there into the next one. */
static void carry(weft__timers *heap, weft__timer *tree, unsigned k)
{
        while (heap->used >> k & 1 && k < WEFT__TIMER_TREES - 1) {
                tree = meld(tree, heap->tree[k]);
                heap->used &= ~(UINT64_C(1) << k++);
        }
        heap->tree[k] = heap->used >> k & 1 ? meld(tree, heap->tree[k]) : tree;
        heap->used |= UINT64_C(1) << k;
}

/* Look for the first of all. */
static void find_root(weft__timers *heap)
{
        heap->root = NULL;
        for (uint64_t used = heap->used; used; used &= used - 1) {
                weft__timer *t = heap->tree[__builtin_ctzll(used)];
                if (!heap->root || t->deadline < heap->root->deadline)
                        heap->root = t;
        }
}

/* The tree whose root is taken out is what is left of it; none if nothing is. */
static void replace(weft__timers *heap, const weft__timer *root, weft__timer *left)
{
        uint64_t used = heap->used;
        while (heap->tree[__builtin_ctzll(used)] != root)
                used &= used - 1;
        unsigned k = (unsigned)__builtin_ctzll(used);
        heap->tree[k] = left;
        if (!left)
                heap->used &= ~(UINT64_C(1) << k);
}

void weft__timers_add(weft__timers *heap, weft__timer *timer)
{
        timer->child = timer->sibling = timer->before = NULL;
        timer->set = true;
        carry(heap, timer, 0);
        if (!heap->root || timer->deadline < heap->root->deadline)
                heap->root = timer;
}

void weft__timers_remove(weft__timers *heap, weft__timer *timer)
{
        if (!timer->set)
                return;
        timer->set = false;
        weft__timer *below = pair(timer->child);
        if (!timer->before) {
                replace(heap, timer, below);
        } else {
                if (timer->before->child == timer)
                        timer->before->child = timer->sibling;
                else
                        timer->before->sibling = timer->sibling;
                if (timer->sibling)
                        timer->sibling->before = timer->before;
                if (below)
                        carry(heap, below, 0);
        }
        if (heap->root == timer)
                find_root(heap);
}

void weft__timers_look(const weft__timers *heap, void (*visit)(weft__timer *timer, void *arg),
                       void *arg)
{
        for (int k = 0; k < WEFT__TIMER_TREES; k++) {
                if (!(heap->used & UINT64_C(1) << k))
                        continue;
                /* Down to the children first, then on, and back up: `before` of the first child is
                 * the parent. */
                weft__timer *t = heap->tree[k];
                while (t) {
                        visit(t, arg);
                        if (t->child) {
                                t = t->child;
                                continue;
                        }
                        while (t && !t->sibling) {
                                while (t->before && t->before->sibling == t)
                                        t = t->before;
                                t = t->before;
                        }
                        t = t ? t->sibling : NULL;
                }
        }
}
