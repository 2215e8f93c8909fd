/* SPDX-License-Identifier: MIT
 *
 * The message about a stack that was run over (see overflow.h).
 *
 * The handler calls only what a signal handler may, and dladdr(), which takes the loader's lock: a
 * thread that runs over its stack in the middle of the loader holds that lock itself, and it is
 * recursive.
 */
#include "overflow.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker.h"

#if defined(WEFT_ASAN)

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

#else

enum { HANDLER_STACK = 16 * 1024 };

static struct sigaction earlier;

/* ---- the message ---- */

struct text {
        char at[1024];
        size_t length;
};

static void add(struct text *t, const char *s)
{
        while (*s && t->length < sizeof(t->at))
                t->at[t->length++] = *s++;
}

static void add_number(struct text *t, uintptr_t n, unsigned base)
{
        char digits[24], *d = digits + sizeof(digits) - 1;
        *d = '\0';
        do
                *--d = "0123456789abcdef"[n % base];
        while (n /= base);
        add(t, base == 16 ? "0x" : "");
        add(t, d);
}

/* Where a function is, as far as the dynamic symbols say. */
static void add_function(struct text *t, uintptr_t fn)
{
        Dl_info info;
        add_number(t, fn, 16);
        if (!dladdr((void *)fn, &info) || !info.dli_fname)
                return;
        add(t, " (");
        if (info.dli_sname && (uintptr_t)info.dli_saddr == fn) {
                add(t, info.dli_sname);
                add(t, " in ");
                add(t, info.dli_fname);
        } else {
                add(t, info.dli_fname);
                add(t, "+");
                add_number(t, fn - (uintptr_t)info.dli_fbase, 16);
        }
        add(t, ")");
}

static void explain(const weft__worker *w, const weft__fiber *fiber)
{
        const weft__stacks *stacks = &w->pool->stacks;
        uintptr_t low = (uintptr_t)fiber->stack.low;
        struct text t = {.length = 0};
        add(&t, "weft: stack overflow");
        if (fiber->task) {
                add(&t, " in the task at ");
                add_number(&t, (uintptr_t)fiber->task, 16);
                add(&t, ", whose function is ");
                add_function(&t, (uintptr_t)fiber->task->fn);
        }
        add(&t, ", on worker ");
        add(&t, w->pool->name);
        add(&t, "-");
        add_number(&t, w->index, 10);
        add(&t, ": its stack of ");
        add_number(&t, stacks->size, 10);
        add(&t, " bytes, from ");
        add_number(&t, low, 16);
        add(&t, " to ");
        add_number(&t, low + stacks->size, 16);
        add(&t, ", is used up. A larger one: stack_size in weft_pool_options.\n");
        for (size_t done = 0; done < t.length;) {
                ssize_t n = write(STDERR_FILENO, t.at + done, t.length - done);
                if (n < 0 && errno != EINTR)
                        break;
                done += n > 0 ? (size_t)n : 0;
        }
}

/* ---- the handler ---- */

static void pass_on(int signal, siginfo_t *info, void *context)
{
        if (earlier.sa_flags & SA_SIGINFO) {
                earlier.sa_sigaction(signal, info, context);
        } else if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
                earlier.sa_handler(signal);
        } else {
                /* The instruction is tried again, and its fault ends the process. */
                struct sigaction none = {.sa_handler = SIG_DFL};
                sigaction(signal, &none, NULL);
        }
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
        int saved = errno;
        const weft__worker *w = weft__worker_self();
        const weft__fiber *fiber = w ? w->fiber : NULL;
        if (fiber && fiber->stack.low && info->si_code > 0 &&
            (uintptr_t)info->si_addr - (uintptr_t)fiber->stack.low < w->pool->stacks.guard)
                explain(w, fiber);
        errno = saved;
        pass_on(signal, info, context);
}

static size_t handler_stack; /* of each worker; the same from the first pool on */

static void set_handler(void)
{
        /* The registers of this processor, and little else. */
        long least = sysconf(_SC_MINSIGSTKSZ);
        handler_stack = HANDLER_STACK + (least > 0 ? (size_t)least : 0);

        struct sigaction action = {.sa_sigaction = on_fault,
                                   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
        if (sigaction(SIGSEGV, NULL, &earlier) == 0)
                sigaction(SIGSEGV, &action, NULL);
}

void weft__overflow_watch(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, set_handler);
}

void *weft__overflow_begin(void)
{
        stack_t stack = {.ss_size = handler_stack}, before;
        /* Where the program has given the thread one, as a hook of its own might, it stays. */
        if (sigaltstack(NULL, &before) < 0 || !(before.ss_flags & SS_DISABLE))
                return NULL;
        /* From the system: jemalloc (5.3) crashes if there is no address space left for the arena
         * of a thread whose first allocation this would be. */
        stack.ss_sp =
            mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack.ss_sp == MAP_FAILED)
                return NULL;
        if (sigaltstack(&stack, NULL) < 0) {
                munmap(stack.ss_sp, stack.ss_size);
                return NULL;
        }
        return stack.ss_sp;
}

void weft__overflow_end(void *stack)
{
        stack_t none = {.ss_flags = SS_DISABLE};
        if (!stack)
                return;
        sigaltstack(&none, NULL);
        munmap(stack, handler_stack);
}

#endif
