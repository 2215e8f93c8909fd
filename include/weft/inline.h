/* SPDX-License-Identifier: MIT
 *
 * Private: what the inlined fast paths of context.h and fork.h must know. Nothing in here is to be
 * used directly; its layouts are part of the ABI, and change with the SONAME.
 *
 * Each thread has a block, weft__here. A task may go on on another thread after any call (in a pool
 * with WEFT_MIGRATE), and a compiler takes the address of a thread-local for constant within a
 * function. So the block is only ever reached through a weft__at, which is asked for anew after
 * each call by an asm statement that no compiler merges with the one before: an offset from the
 * thread register on x86-64 (every access then names the register), the address elsewhere.
 */
#ifndef WEFT_INLINE_H
#define WEFT_INLINE_H

#include <stddef.h>
#include <stdint.h>

#include <weft/error.h>

WEFT_BEGIN_DECLS

struct weft_context;
struct weft_task;

/* A function that is inlined where that is an optimisation, and is in the library as well. */
#if defined(__OPTIMIZE__) && !defined(WEFT__DEFINES)
#define WEFT__INLINES 1
#endif
#define WEFT__INLINE  extern inline __attribute__((gnu_inline, always_inline))
#define WEFT__RARE(x) __builtin_expect(!!(x), 0)

/* The calls that were forked on this thread, or in this task, and are not joined yet are a list
 * through their jobs, newest first. A link in it is the address of a job and these: */
enum {
        WEFT__LINK_RUNNING = 1, /* the job runs, as a call in its join */
        WEFT__LINK_KNOWN =
            2, /* its context is noted in it, or if it runs the frame around its own; so
                              it is with all that are older */
        WEFT__LINK_TYPED = 4, /* its argument is the job itself (WEFT_JOB_OF) */
        WEFT__LINK_FLAGS = 7,
        WEFT__LINK_BOTTOM = WEFT__LINK_RUNNING | WEFT__LINK_KNOWN, /* the end of the list */
};

/* In the caller's storage, untouched from fork to join. Private. */
typedef struct weft_job {
        uintptr_t weft__below; /* the link to the one before */
        int (*weft__fn)(void *arg);
        void *weft__arg; /* unless TYPED */

        /* once KNOWN: */
        struct weft_context *weft__context; /* of the fork; or of the frame around the one it runs
                                               in: a reference */
        uint64_t weft__frame;               /* if it runs: the id of that frame */
        struct weft_job *weft__above;       /* the one after it, if there is one */
        struct weft_task *weft__task;       /* that others can take it by; NULL: none */
} __attribute__((aligned(8))) weft_job;

/* What a thread has at hand. */
struct weft__here {
        struct weft_context *context; /* the current one */
        uint64_t frame;               /* the id of the current frame; 0 until a token needs it */
        uintptr_t calls;              /* the link to the newest that is forked and not joined */
        unsigned char asked;          /* written by other threads: some worker has nothing to do */
        struct {                      /* see context/thread.h */
                struct weft_context *context; /* NULL: it is empty */
                size_t given, taken; /* since the context is in it: it holds given - taken */
        } bank;
};

WEFT_API extern __thread struct weft__here weft__here;
WEFT_API uintptr_t weft__here_address(void); /* a call: no compiler takes it for the same twice */

/* How a context begins. */
enum { WEFT__NEAR_SLOTS = 9 };
struct weft__near {
        size_t refs;
        void *far;
        uint32_t count, bits;
        void *slot[WEFT__NEAR_SLOTS]; /* slot[0] is what a slot holds that is not set */
};

/* ---- the block of the thread that runs ---- */

typedef uintptr_t weft__at; /* good until the next call */

#if defined(__x86_64__) && !defined(__ILP32__) && !defined(WEFT_MODEL) && !defined(WEFT_COUNTED)

WEFT__INLINE weft__at weft__here_at(void)
{
        weft__at at;
        __asm__ volatile("movq weft__here@gottpoff(%%rip), %0" : "=r"(at));
        return at;
}

WEFT__INLINE struct weft__here *weft__block(weft__at at)
{
        uintptr_t thread;
        __asm__ volatile("movq %%fs:0, %0" : "=r"(thread));
        return (struct weft__here *)(thread + at);
}

/* The link to a job. The address of what is on the stack costs nothing to compute; but a compiler
 * that sees it used several times keeps it in a register, across calls, which costs a store and a
 * load in every function that forks (fib: 3.1 against 2.8 ns). So it is not shown. */
WEFT__INLINE uintptr_t weft__link_to(const struct weft_job *job, uintptr_t flags)
{
#if defined(__clang__)
        return (uintptr_t)job + flags;
#else
        uintptr_t link;
        __asm__ volatile("leaq %1, %0" : "=r"(link) : "m"(*((const char *)job + flags)));
        return link;
#endif
}

WEFT__INLINE const struct weft__near *weft__context_at(weft__at at)
{
        const struct weft__near *context;
        __asm__ volatile("movq %%fs:%c2(%1), %0"
                         : "=r"(context)
                         : "r"(at), "i"(offsetof(struct weft__here, context)));
        return context;
}

WEFT__INLINE uintptr_t weft__calls_at(weft__at at)
{
        uintptr_t link;
        __asm__ volatile("movq %%fs:%c2(%1), %0"
                         : "=r"(link)
                         : "r"(at), "i"(offsetof(struct weft__here, calls))
                         : "memory");
        return link;
}

WEFT__INLINE void weft__calls_become(weft__at at, uintptr_t link)
{
        __asm__ volatile("movq %0, %%fs:%c2(%1)"
                         :
                         : "r"(link), "r"(at), "i"(offsetof(struct weft__here, calls))
                         : "memory");
}

WEFT__INLINE int weft__calls_are(weft__at at, uintptr_t link)
{
        int are;
        __asm__ volatile("cmpq %2, %%fs:%c3(%1)"
                         : "=@cce"(are)
                         : "r"(at), "r"(link), "i"(offsetof(struct weft__here, calls))
                         : "memory");
        return are;
}

WEFT__INLINE int weft__asked_at(weft__at at)
{
        int asked;
        __asm__ volatile("cmpb $0, %%fs:%c2(%1)"
                         : "=@ccne"(asked)
                         : "r"(at), "i"(offsetof(struct weft__here, asked)));
        return asked;
}

#else

#if defined(__aarch64__) && !defined(WEFT_MODEL) && !defined(WEFT_COUNTED)
WEFT__INLINE weft__at weft__here_at(void)
{
        weft__at at, offset;
        __asm__ volatile("mrs %0, tpidr_el0\n\t"
                         "adrp %1, :gottprel:weft__here\n\t"
                         "ldr %1, [%1, :gottprel_lo12:weft__here]\n\t"
                         "add %0, %0, %1"
                         : "=&r"(at), "=&r"(offset));
        return at;
}
#else
WEFT__INLINE weft__at weft__here_at(void)
{
        return weft__here_address();
}
#endif

WEFT__INLINE uintptr_t weft__link_to(const struct weft_job *job, uintptr_t flags)
{
        return (uintptr_t)job + flags;
}

WEFT__INLINE struct weft__here *weft__block(weft__at at)
{
        return (struct weft__here *)at;
}

WEFT__INLINE const struct weft__near *weft__context_at(weft__at at)
{
        return (const struct weft__near *)weft__block(at)->context;
}

WEFT__INLINE uintptr_t weft__calls_at(weft__at at)
{
        return weft__block(at)->calls;
}

WEFT__INLINE void weft__calls_become(weft__at at, uintptr_t link)
{
        weft__block(at)->calls = link;
}

WEFT__INLINE int weft__calls_are(weft__at at, uintptr_t link)
{
        return weft__block(at)->calls == link;
}

#if defined(WEFT_MODEL)
unsigned char *weft__model_asked(void);
#endif

WEFT__INLINE int weft__asked_at(weft__at at)
{
#if defined(WEFT_MODEL)
        (void)at; /* threads of a model have their thread-locals at one address */
        return __atomic_load_n(weft__model_asked(), __ATOMIC_RELAXED);
#else
        /* relaxed: a request that is seen late is seen at the next look */
        return __atomic_load_n(&weft__block(at)->asked, __ATOMIC_RELAXED);
#endif
}

#endif

WEFT_END_DECLS

#endif
