/* SPDX-License-Identifier: MIT
 *
 * The pairing heap (see timer.h). The pairing runs in a loop, so that a million timers need no
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

void weft__timers_add(weft__timers *heap, weft__timer *timer)
{
        timer->child = timer->sibling = timer->before = NULL;
        timer->set = true;
        heap->root = meld(heap->root, timer);
}

void weft__timers_remove(weft__timers *heap, weft__timer *timer)
{
        if (!timer->set)
                return;
        timer->set = false;
        weft__timer *below = pair(timer->child);
        if (heap->root == timer) {
                heap->root = below;
                return;
        }
        if (timer->before->child == timer)
                timer->before->child = timer->sibling;
        else
                timer->before->sibling = timer->sibling;
        if (timer->sibling)
                timer->sibling->before = timer->before;
        heap->root = meld(heap->root, below);
}
