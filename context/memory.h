/* SPDX-License-Identifier: MIT
 *
 * The one seam through which weft allocates. On jemalloc it uses the sized calls, which need no
 * look-up to free; without it (WEFT_JEMALLOC unset: sanitizers, make JEMALLOC=0) the C library's.
 * The two must not be mixed, so nothing else in the library calls malloc or free.
 *
 * weft__free takes the size that was asked for. Any thread; never blocks but for the allocator's
 * own locks; weft__alloc gives NULL when there is no memory, and says nothing.
 */
#ifndef WEFT_CONTEXT_MEMORY_H
#define WEFT_CONTEXT_MEMORY_H

#include <stddef.h>

#define WEFT__CACHE_LINE 64

void *weft__alloc(size_t size);
void *weft__alloc_zeroed(size_t size);
void *weft__alloc_lines(size_t size); /* aligned to a cache line; size is a multiple of it */
void weft__free(void *p, size_t size);

/* First thing in a thread of the library's. jemalloc (5.3) gives a thread its arena when it first
 * allocates, and crashes if there is no address space left for one. So that comes at once, and not
 * when all the rest has got by on caches; unless space is short already. */
void weft__memory_begin(void);

#if defined(WEFT_TEST_HOOKS)
/* In test builds: if set, asked before each allocation; true makes that one fail. Read and written
 * with no synchronisation: set it while one thread is at work. */
extern int (*weft__alloc_fails)(size_t size);
#endif

/* Free lists in front of the seam hide use after free from tools, and failures from tests. */
#if defined(WEFT_TEST_HOOKS) || defined(__SANITIZE_ADDRESS__) || defined(WEFT_VALGRIND)
#define WEFT__CACHES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT__CACHES 0
#endif
#endif
#if !defined(WEFT__CACHES)
#define WEFT__CACHES 1
#endif

#endif
