/* SPDX-License-Identifier: MIT
 *
 * The library's seam for memory, over one region that each execution begins anew. Nothing is used
 * twice in an execution, so that whatever is used after it was freed is known to be.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "context/memory.h"

#include "checker.h"

enum { FRESH = 0xAA };

int (*weft__alloc_fails)(size_t size); /* of a model */

void memory_make(void)
{
        mc->region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mc->region == MAP_FAILED)
                abort();
        mc->heap_first = mc->region + (size_t)THREADS * STACK;
        mc->heap_end = mc->region + REGION;
}

void memory_begin(void)
{
        mc->heap = mc->heap_first;
        mc->blocks = 0;
        mc->stacks = mc->stack_now = 0;
}

unsigned model_blocks(void)
{
        unsigned n = 0;
        for (unsigned i = 0; i < mc->blocks; i++)
                n += !mc->block[i].freed;
        return n;
}

void memory_end(void)
{
        if (model_blocks() == mc->model->keeps)
                return;
        for (unsigned i = 0; i < mc->blocks; i++)
                if (!mc->block[i].freed)
                        model_fail("%u blocks of memory are left, %s (%zu bytes) first",
                                   model_blocks(), place_of(mc->block[i].p), mc->block[i].size);
        model_fail("no memory is left where %u blocks should be", mc->model->keeps);
}

char *model_memory(size_t size, size_t align)
{
        char *p = (char *)(((uintptr_t)mc->heap + align - 1) & ~(uintptr_t)(align - 1));
        if (p + size > mc->heap_end)
                model_fail("too much memory is allocated");
        mc->heap = p + size + GRAIN;
        return p;
}

static void *allocate(size_t size, size_t align, int content)
{
        if (weft__alloc_fails && weft__alloc_fails(size))
                return NULL;
        if (mc->blocks == BLOCKS)
                model_fail("too many allocations");
        char *p = model_memory(size, align);
        mc->block[mc->blocks++] = (struct block){p, size, false};
        return memset(p, content, size);
}

void *weft__alloc(size_t size)
{
        return allocate(size, 16, FRESH);
}

void *weft__alloc_zeroed(size_t size)
{
        void *p = allocate(size, 16, 0);
        if (p && mc->runs)
                plain_access((uintptr_t)p, size, true, __builtin_return_address(0));
        return p;
}

void *weft__alloc_lines(size_t size)
{
        return allocate(size, WEFT__CACHE_LINE, FRESH);
}

void weft__memory_begin(void)
{
}

void weft__free(void *p, size_t size)
{
        if (!p)
                return;
        for (unsigned i = mc->blocks; i-- > 0;) {
                struct block *b = &mc->block[i];
                if (b->p != p)
                        continue;
                if (b->freed)
                        model_fail("freed twice: %s", place_of(p));
                if (b->size != size)
                        model_fail("freed with another size: %s", place_of(p));
                b->freed = true;
                say(__builtin_return_address(0), "frees %s", place_of(p));
                free_range((uintptr_t)p, size, __builtin_return_address(0));
                return;
        }
        model_fail("not allocated, but freed: %p", p);
}

void model_memory_new(char *p, size_t size)
{
        if (mc->runs)
                forget_range((uintptr_t)p, size);
}

void model_memory_gone(char *p, size_t size)
{
        if (mc->runs)
                free_range((uintptr_t)p, size, __builtin_return_address(0));
}
