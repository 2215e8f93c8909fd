/* SPDX-License-Identifier: MIT
 *
 * Slabs of stacks (see stacks.h).
 *
 * The first slab of a pool is small and each later one twice the size, up to 64 stacks or 16 MiB,
 * so that a pool which parks little reserves little. A slab's own structure lies on the heap. Which
 * of its stacks are in use, and which have their guard, are two masks of 64 bits.
 */
#include "stacks.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "context/internal.h"

#if defined(WEFT_ASAN)
#include <sanitizer/asan_interface.h>
#endif

#if !defined(MADV_GUARD_INSTALL)
#define MADV_GUARD_INSTALL 102
#endif

enum { SLAB_STACKS = 64, FIRST_STACKS = 4, SLAB_BYTES = 16 << 20, MAPPINGS_A_GUARD = 2 };

struct weft__slab {
        char *low;
        unsigned stacks;
        uint64_t used, guarded; /* bit i: stack i; under the lock */
        long protected;         /* guards by mprotect(); under the lock */
        struct weft__slab *next, *before;
};

size_t weft__page_size(void)
{
        static atomic_size_t known;
        /* relaxed: it is the same number whoever writes it */
        size_t p = atomic_load_explicit(&known, memory_order_relaxed);
        if (!p) {
                p = (size_t)sysconf(_SC_PAGESIZE);
                atomic_store_explicit(&known, p, memory_order_relaxed); /* relaxed: as above */
        }
        return p;
}

/* ---- guards ---- */

#if defined(WEFT_TEST_HOOKS)
_Atomic(bool) weft__guards_by_mprotect;
_Atomic(long) weft__guard_budget = -1;
#endif

static atomic_long protected_guards; /* of the process */

static bool kernel_marks(char *at, size_t size)
{
#if defined(WEFT_TEST_HOOKS)
        /* relaxed: tests set it before */
        if (atomic_load_explicit(&weft__guards_by_mprotect, memory_order_relaxed))
                return false;
#endif
        return madvise(at, size, MADV_GUARD_INSTALL) == 0;
}

/* How many guards mprotect() may make. */
static long guard_budget(void)
{
        static atomic_long known;
#if defined(WEFT_TEST_HOOKS)
        /* relaxed: tests set it before */
        long given = atomic_load_explicit(&weft__guard_budget, memory_order_relaxed);
        if (given >= 0)
                return given;
#endif
        /* relaxed: it is the same number whoever writes it */
        long budget = atomic_load_explicit(&known, memory_order_relaxed);
        if (budget)
                return budget;
        long mappings = 65530; /* what Linux begins with */
        FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
        if (f) {
                if (fscanf(f, "%ld", &mappings) != 1 || mappings < 1024)
                        mappings = 1024;
                fclose(f);
        }
        budget = mappings / 4 * 3 / MAPPINGS_A_GUARD;
        atomic_store_explicit(&known, budget, memory_order_relaxed); /* relaxed: as above */
        return budget;
}

/* The guard of a stack: whether there is one; *ret_protected if it counts against the budget. */
static bool guard(char *at, size_t size, bool *ret_protected)
{
        *ret_protected = !kernel_marks(at, size);
        if (!*ret_protected)
                return true;
        /* relaxed: a count of its own */
        if (atomic_fetch_add_explicit(&protected_guards, 1, memory_order_relaxed) <
                guard_budget() &&
            mprotect(at, size, PROT_NONE) == 0)
                return true;
        atomic_fetch_sub_explicit(&protected_guards, 1, memory_order_relaxed); /* relaxed: same */
        return false;
}

/* ---- lists of slabs, under the lock ---- */

static void list_add(struct weft__slab **list, struct weft__slab *slab)
{
        slab->before = NULL;
        slab->next = *list;
        if (*list)
                (*list)->before = slab;
        *list = slab;
}

static void list_remove(struct weft__slab **list, struct weft__slab *slab)
{
        if (slab->before)
                slab->before->next = slab->next;
        else
                *list = slab->next;
        if (slab->next)
                slab->next->before = slab->before;
}

static uint64_t all_of(const struct weft__slab *slab)
{
        return UINT64_MAX >> (64 - slab->stacks);
}

/* ---- slabs ---- */

static struct weft__slab *slab_new(const weft__stacks *stacks)
{
        size_t n = FIRST_STACKS;
        for (unsigned i = 0; i < stacks->slabs && n < SLAB_STACKS; i++)
                n *= 2;
        while (n > 1 && n * stacks->size > SLAB_BYTES)
                n /= 2;
        struct weft__slab *slab = weft__alloc_zeroed(sizeof(*slab));
        if (!slab)
                return NULL;
        char *low = MAP_FAILED;
        for (; n; n /= 2) {
                low = mmap(NULL, n * stacks->size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
                if (low != MAP_FAILED)
                        break;
        }
        if (low == MAP_FAILED) {
                weft__free(slab, sizeof(*slab));
                return NULL;
        }
        /* A huge page would be 512 times what a stack needs. */
        madvise(low, n * stacks->size, MADV_NOHUGEPAGE);
        slab->low = low;
        slab->stacks = (unsigned)n;
        return slab;
}

static void slab_free(const weft__stacks *stacks, struct weft__slab *slab)
{
#if defined(WEFT_ASAN)
        /* Of fibers that nobody has freed, in the child of a fork, it would hold what comes here
         * next to be redzones. */
        __asan_unpoison_memory_region(slab->low, slab->stacks * stacks->size);
#endif
        munmap(slab->low, slab->stacks * stacks->size);
        /* relaxed: a count of its own */
        atomic_fetch_sub_explicit(&protected_guards, slab->protected, memory_order_relaxed);
        weft__free(slab, sizeof(*slab));
}

void weft__stacks_init(weft__stacks *stacks, size_t size)
{
        size_t page = weft__page_size(), pages = (size + page - 1) / page;
        /* An odd number: at the same place in each of many stacks are pages whose numbers differ in
         * the low bits, or they would share a few sets of the address translation cache. */
        pages -= pages % 2 == 0;
        *stacks = (weft__stacks){.size = pages * page};
        weft__lock_init(&stacks->lock, WEFT__RANK_STACKS);
        /* One page is what a function call runs into; a larger one stops larger frames, too. */
        stacks->guard = (pages + 15) / 16 * page;
}

void weft__stacks_fini(weft__stacks *stacks)
{
        char here;
        struct weft__slab **lists[] = {&stacks->roomy, &stacks->full};
        for (int i = 0; i < 2; i++) {
                while (*lists[i]) {
                        struct weft__slab *slab = *lists[i];
                        *lists[i] = slab->next;
                        size_t offset = (uintptr_t)&here - (uintptr_t)slab->low;
                        if (offset >= slab->stacks * stacks->size)
                                slab_free(stacks, slab);
                }
        }
}

/* ---- stacks ---- */

weft__stack weft__stacks_take(weft__stacks *stacks)
{
        weft__stack stack = {NULL, NULL, 0};
        weft__lock_take(&stacks->lock);
        struct weft__slab *slab = stacks->roomy;
        if (!slab && (slab = slab_new(stacks))) {
                list_add(&stacks->roomy, slab);
                stacks->slabs++;
                stacks->empty++;
        }
        if (slab) {
                stack.slab = slab;
                stack.index = (unsigned)__builtin_ctzll(~slab->used);
                stack.low = slab->low + stack.index * stacks->size;
                stacks->empty -= !slab->used;
                uint64_t bit = UINT64_C(1) << stack.index;
                slab->used |= bit;
                if (slab->used == all_of(slab)) {
                        list_remove(&stacks->roomy, slab);
                        list_add(&stacks->full, slab);
                }
                bool by_mprotect = false;
                if (!(slab->guarded & bit)) {
                        if (guard(stack.low, stacks->guard, &by_mprotect))
                                slab->guarded |= bit;
                        slab->protected += by_mprotect && (slab->guarded & bit);
                }
                bool guarded = slab->guarded & bit;
                weft__lock_give(&stacks->lock);
                if (guarded)
                        return stack;
                weft__stacks_give(stacks, stack);
                stack.low = NULL;
                return stack;
        }
        weft__lock_give(&stacks->lock);
        return stack;
}

void weft__stacks_give(weft__stacks *stacks, weft__stack stack)
{
        struct weft__slab *slab = stack.slab;
        madvise(stack.low + stacks->guard, stacks->size - stacks->guard, MADV_DONTNEED);
        weft__lock_take(&stacks->lock);
        if (slab->used == all_of(slab)) {
                list_remove(&stacks->full, slab);
                list_add(&stacks->roomy, slab);
        }
        slab->used &= ~(UINT64_C(1) << stack.index);
        bool unmap = false;
        if (!slab->used) {
                unmap = stacks->empty > 0;
                if (unmap) {
                        list_remove(&stacks->roomy, slab);
                        stacks->slabs--;
                } else {
                        stacks->empty++;
                }
        }
        weft__lock_give(&stacks->lock);
        if (unmap)
                slab_free(stacks, slab);
}

void weft__stacks_look(const weft__stacks *stacks, void (*visit)(char *high, void *arg), void *arg)
{
        for (int i = 0; i < 2; i++)
                for (struct weft__slab *slab = i ? stacks->full : stacks->roomy; slab;
                     slab = slab->next)
                        for (unsigned k = 0; k < slab->stacks; k++)
                                if (slab->used & UINT64_C(1) << k)
                                        visit(slab->low + (k + 1) * stacks->size, arg);
}

void weft__stacks_visit(weft__stacks *stacks, void (*visit)(char *high, void *arg), void *arg)
{
        weft__lock_take(&stacks->lock);
        weft__stacks_look(stacks, visit, arg);
        weft__lock_give(&stacks->lock);
}
