/* SPDX-License-Identifier: MIT
 *
 * The allocation seam: jemalloc's sized calls, or the C library.
 */
#include "memory.h"

#include <stdlib.h>

#if defined(WEFT_JEMALLOC)
#include <jemalloc/jemalloc.h>
#include <sys/mman.h>
#endif

#if defined(WEFT_TEST_HOOKS)
int (*weft__alloc_fails)(size_t size);

static int refused(size_t size)
{
        return weft__alloc_fails && weft__alloc_fails(size);
}
#else
static int refused(size_t size)
{
        (void)size;
        return 0;
}
#endif

/* The names are in parentheses since tests/faults has macros of these names before this file. */
void *(weft__alloc)(size_t size)
{
        if (refused(size))
                return NULL;
#if defined(WEFT_JEMALLOC)
        return mallocx(size, 0);
#else
        return malloc(size);
#endif
}

void *(weft__alloc_zeroed)(size_t size)
{
        if (refused(size))
                return NULL;
#if defined(WEFT_JEMALLOC)
        return mallocx(size, MALLOCX_ZERO);
#else
        return calloc(1, size);
#endif
}

void *(weft__alloc_lines)(size_t size)
{
        if (refused(size))
                return NULL;
#if defined(WEFT_JEMALLOC)
        return mallocx(size, MALLOCX_ALIGN(WEFT__CACHE_LINE));
#else
        void *p = NULL;
        if (posix_memalign(&p, WEFT__CACHE_LINE, size))
                return NULL;
        return p;
#endif
}

void weft__memory_begin(void)
{
#if defined(WEFT_JEMALLOC)
        enum { AMPLE = 192 << 20 }; /* an arena takes 4 MiB; others may take stacks meanwhile */
        void *space =
            mmap(NULL, AMPLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (space == MAP_FAILED)
                return;
        munmap(space, AMPLE);
        void *p = mallocx(1, 0);
        if (p)
                sdallocx(p, 1, 0);
#endif
}

void(weft__free)(void *p, size_t size)
{
        if (!p)
                return;
#if defined(WEFT_JEMALLOC)
        sdallocx(p, size, 0);
#else
        (void)size;
        free(p);
#endif
}
