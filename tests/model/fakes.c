/* SPDX-License-Identifier: MIT
 *
 * Stacks for fibers, in place of pool/stacks.c, whose mappings would take most of the time of an
 * execution: the same calls under the same lock, from the checker's memory. And overflow.c, which
 * is about signals, does nothing here. And what others write into a thread's block (weft/inline.h)
 * is outside it, since the blocks of all threads have one address here.
 */
#include <string.h>

#include "pool/fiber.h"
#include "pool/overflow.h"

#include "checker/checker.h"

struct weft__slab {
        struct weft__slab *next;
        char *low;
        bool used;
};

void weft__stacks_init(weft__stacks *stacks, size_t size)
{
        (void)size;
        keep(stacks, sizeof(*stacks));
        *stacks = (weft__stacks){.size = FIBER_STACK};
}

void weft__stacks_fini(weft__stacks *stacks)
{
        while (stacks->roomy) {
                struct weft__slab *slab = stacks->roomy;
                keep(&stacks->roomy, sizeof(stacks->roomy));
                stacks->roomy = slab->next;
                model_memory_gone(slab->low, stacks->size);
                weft__free(slab, sizeof(*slab));
        }
}

weft__stack weft__stacks_take(weft__stacks *stacks)
{
        weft__lock_take(&stacks->lock);
        struct weft__slab *slab = stacks->roomy;
        while (slab && slab->used)
                slab = slab->next;
        if (!slab) {
                slab = weft__alloc(sizeof(*slab));
                slab->low = model_memory(stacks->size, WEFT__CACHE_LINE);
                slab->next = stacks->roomy;
                keep(&stacks->roomy, sizeof(stacks->roomy));
                stacks->roomy = slab;
                stack_new(slab->low, stacks->size);
        }
        keep(slab, sizeof(*slab));
        slab->used = true;
        model_memory_new(slab->low, stacks->size);
        memset(weft__fiber_at(slab->low + stacks->size), 0, sizeof(weft__fiber));
        weft__lock_give(&stacks->lock);
        return (weft__stack){.low = slab->low, .slab = slab};
}

void weft__stacks_give(weft__stacks *stacks, weft__stack stack)
{
        weft__lock_take(&stacks->lock);
        keep(stack.slab, sizeof(*stack.slab));
        stack.slab->used = false;
        model_memory_gone(stack.low, stacks->size);
        weft__lock_give(&stacks->lock);
}

void weft__stacks_visit(weft__stacks *stacks, void (*visit)(char *high, void *arg), void *arg)
{
        weft__lock_take(&stacks->lock);
        for (const struct weft__slab *slab = stacks->roomy; slab; slab = slab->next)
                if (slab->used)
                        visit(slab->low + stacks->size, arg);
        weft__lock_give(&stacks->lock);
}

weft__fiber *fiber_on(char *low, size_t size, void (*entry)(weft__fiber *))
{
        struct weft__slab slab = {.low = low};
        weft__stacks stacks = {.size = size, .roomy = &slab};
        return weft__fiber_new(&stacks, entry);
}

void weft__overflow_watch(void)
{
}

void *weft__overflow_begin(void)
{
        return NULL;
}

void weft__overflow_end(void *stack)
{
        (void)stack;
}

static struct {
        _Alignas(GRAIN) unsigned char asked;
} block[THREADS];

unsigned char *weft__model_asked(void)
{
        return &block[model_self()].asked;
}

void fakes_thread_ends(void)
{
        model_memory_gone((char *)&block[model_self()], sizeof(block[0]));
}
