/* SPDX-License-Identifier: MIT
 *
 * Fibers on their stacks, and what the tools must be told of them (see fiber.h).
 */
#include "fiber.h"

#include <pthread.h>
#include <string.h>

#include "context/internal.h"

#if defined(WEFT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(WEFT_TSAN)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(WEFT_VALGRIND)
#include <valgrind/valgrind.h>
#endif

#if defined(WEFT_SWITCH_ASSEMBLY)

void weft__switch_entry(void);

/* Lay out a stack as weft__switch leaves it, to begin in weft__switch_entry. */
static void *first_frame(char *top, weft__fiber *fiber, void (*entry)(weft__fiber *))
{
#if defined(__x86_64__)
        enum { FRAME = 8, ENTRY = 3 /* r13 */, FIBER = 4 /* r12 */, GO_ON = 7, CONTROL = 0 };
        uint32_t mxcsr;
        uint16_t x87;
        __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
        uintptr_t control = mxcsr | (uintptr_t)x87 << 32;
#else
        enum { FRAME = 22, ENTRY = 1 /* x20 */, FIBER = 0 /* x19 */, GO_ON = 11, CONTROL = 20 };
        uintptr_t control;
        __asm__ volatile("mrs %0, fpcr" : "=r"(control));
#endif
        uintptr_t *sp = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15) - FRAME;
        memset(sp, 0, FRAME * sizeof(*sp));
        sp[CONTROL] = control;
        sp[ENTRY] = (uintptr_t)entry;
        sp[FIBER] = (uintptr_t)fiber;
        sp[GO_ON] = (uintptr_t)weft__switch_entry;
        return sp;
}

#else

#include <ucontext.h>

/* Everywhere else: the C library's contexts, which cost a system call a switch. The ucontext_t of a
 * fiber lies on its own stack; sp points at it. */
void weft__switch(void **save_sp, void *load_sp)
{
        ucontext_t here;
        /* cppcheck-suppress autoVariables ; it is there until somebody goes back to it */
        *save_sp = &here;
        swapcontext(&here, load_sp);
}

static void begin(unsigned fiber_high, unsigned fiber_low, unsigned entry_high, unsigned entry_low)
{
        uintptr_t fiber = (uintptr_t)((uint64_t)fiber_high << 32 | fiber_low);
        uintptr_t entry = (uintptr_t)((uint64_t)entry_high << 32 | entry_low);
        ((void (*)(weft__fiber *))entry)((weft__fiber *)fiber);
}

static void *first_frame(char *top, weft__fiber *fiber, void (*entry)(weft__fiber *))
{
        ucontext_t *start = (ucontext_t *)(((uintptr_t)top - sizeof(*start)) & ~(uintptr_t)63);
        uint64_t f = (uintptr_t)fiber, e = (uintptr_t)entry;
        getcontext(start);
        start->uc_stack.ss_sp = fiber->asan_bottom;
        start->uc_stack.ss_size = (size_t)((char *)start - (char *)fiber->asan_bottom);
        start->uc_link = NULL;
        makecontext(start, (void (*)(void))begin, 4, (unsigned)(f >> 32), (unsigned)f,
                    (unsigned)(e >> 32), (unsigned)e);
        return start;
}

#endif

weft__fiber *weft__fiber_at(char *high)
{
        /* Not all at the same distance from a page's end: the caches would hold few of them. The
         * rest of that page is enough for a task that is parked in a shallow place. */
        uintptr_t end = (uintptr_t)high, colour = end / 4096 % 16 * 2;
        uintptr_t lines = (sizeof(weft__fiber) + WEFT__CACHE_LINE - 1) / WEFT__CACHE_LINE;
        return (weft__fiber *)(end - (lines + colour) * WEFT__CACHE_LINE);
}

/* Another one for each fiber, however often there is one in the same place. */
static uint32_t first_id(void)
{
        static atomic_uint fibers;
        /* relaxed: a number of its own is all that is asked for */
        return 0x85ebca6b * (1 + atomic_fetch_add_explicit(&fibers, 1, memory_order_relaxed));
}

weft__fiber *weft__fiber_new(weft__stacks *stacks, void (*entry)(weft__fiber *))
{
        weft__stack stack = weft__stacks_take(stacks);
        if (!stack.low)
                return NULL;
        weft__fiber *fiber = weft__fiber_at(stack.low + stacks->size);
        fiber->wait.fiber = fiber; /* the rest is zero already */
        fiber->stack = stack;
        fiber->id = first_id();
        fiber->asan_bottom = stack.low + stacks->guard;
        fiber->asan_size = (size_t)((char *)fiber - (char *)fiber->asan_bottom);
        fiber->sp = first_frame((char *)fiber, fiber, entry);
#if defined(WEFT_TSAN)
        fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
#if defined(WEFT_ASAN)
        /* The addresses may be those of a stack that went without weft__fiber_free(): in the child
         * of a fork, of a pool of the parent. */
        __asan_unpoison_memory_region(fiber->asan_bottom, fiber->asan_size);
        __lsan_register_root_region(fiber->asan_bottom, stacks->size - stacks->guard);
#endif
#if defined(WEFT_VALGRIND)
        fiber->valgrind_id = VALGRIND_STACK_REGISTER(stack.low, stack.low + stacks->size);
#endif
        return fiber;
}

/* The tools need not know of it any more. */
static void forget(const weft__stacks *stacks, const weft__fiber *fiber)
{
        (void)stacks;
        (void)fiber;
#if defined(WEFT_TSAN)
        __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
#if defined(WEFT_ASAN)
        /* What ran on it may never have returned; the addresses will be something else. */
        __asan_unpoison_memory_region(fiber->asan_bottom, stacks->size - stacks->guard);
        __lsan_unregister_root_region(fiber->asan_bottom, stacks->size - stacks->guard);
#endif
#if defined(WEFT_VALGRIND)
        VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
#endif
}

void weft__fiber_free(weft__stacks *stacks, weft__fiber *fiber)
{
        forget(stacks, fiber);
        weft__stacks_give(stacks, fiber->stack);
}

static void forget_at(char *high, void *stacks)
{
        forget(stacks, weft__fiber_at(high));
}

void weft__fibers_forget(weft__stacks *stacks)
{
        weft__stacks_visit(stacks, forget_at, stacks);
}

void weft__fiber_init_thread(weft__fiber *fiber)
{
        memset(fiber, 0, sizeof(*fiber));
#if defined(WEFT_TSAN)
        fiber->tsan_fiber = __tsan_get_current_fiber();
#endif
#if defined(WEFT_ASAN)
        pthread_attr_t attr;
        if (pthread_getattr_np(pthread_self(), &attr) == 0) {
                pthread_attr_getstack(&attr, &fiber->asan_bottom, &fiber->asan_size);
                pthread_attr_destroy(&attr);
        }
#endif
}

void weft__fiber_begins(weft__fiber *fiber)
{
#if defined(WEFT_ASAN)
        __sanitizer_finish_switch_fiber(fiber->asan_fake, NULL, NULL);
#else
        (void)fiber;
#endif
}

#if !defined(WEFT_SWITCH_PLAIN)

/* Not instrumented: ThreadSanitizer would note the entry on one fiber and the exit on another. */
__attribute__((noinline))
#if defined(WEFT_TSAN)
__attribute__((no_sanitize("thread")))
#endif
void weft__fiber_switch(weft__fiber *from, weft__fiber *to, bool from_ends)
{
#if defined(WEFT_ASAN)
        __sanitizer_start_switch_fiber(from_ends ? NULL : &from->asan_fake, to->asan_bottom,
                                       to->asan_size);
#else
        (void)from_ends;
#endif
#if defined(WEFT_TSAN)
        __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
        weft__switch(&from->sp, to->sp);
#if defined(WEFT_ASAN)
        __sanitizer_finish_switch_fiber(from->asan_fake, NULL, NULL);
#endif
}

#endif
