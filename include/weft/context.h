/* SPDX-License-Identifier: MIT
 *
 * Contexts: variables whose value belongs to the running task, not to the thread it happens to run
 * on.
 *
 *   var      a key, declared once, usually static:   static weft_var user = WEFT_VAR_INIT("user");
 *   context  an immutable map var -> value, reference-counted. NULL is the empty context.
 *   frame    what is running now and the context it sees. Every thread has one; every task, every
 *            weft_context_run() and every call of a bound function runs in a new one.
 *   token    what weft_set() gives back, so that weft_reset() can undo exactly that set.
 *
 * Usage
 *
 *   static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
 *
 *   WEFT_WITH(&user, "ada") {
 *           audit("login");                      // weft_get(&user) is "ada", however deep
 *           weft_submit(pool, send_mail, m);     // and in the task too, whichever thread runs it
 *   }                                            // and "nobody" again here
 *
 * (Values are void *: a string literal wants a cast in C++, and in C under -Wwrite-strings.)
 *
 * Rules (tests carry these numbers)
 *
 *   C1  A task runs in a frame of its own that starts from the context current when it was
 *       submitted; a callback from that of its registration; a thread of weft_thread_create() from
 *       its creator's.
 *   C2  Later sets on either side are invisible to the other. Only bindings are isolated: an object
 *       that a binding points at is shared.
 *   C3  weft_get() gives the binding, else the var's fallback, else NULL.
 *   C4  weft_reset() checks, in this order: token used (-EALREADY), token of another var (-EINVAL),
 *       token of another frame (-EPERM). A failed reset changes nothing and does not use up the
 *       token.
 *   C5  Contexts are immutable: one may be run twice, nested in itself, on many threads at once.
 *   C6  What a function leaves bound when its frame ends goes with the frame.
 *   C7  A value of a var with retain or release is retained once per binding and released exactly
 *       once, when the last context that binds it goes: on whatever thread that happens, with no
 *       lock held and after the change is visible, so that release may itself get and set. A chain
 *       of values that own one another is released in a loop, not by recursion: a release that is
 *       caused by a release function runs when that function has returned.
 *   C8  Capture and restore cannot fail. Set fails with -ENOMEM and changes nothing; and so does
 *       what hands work over, if what crosses then has to be made (C12).
 *   C9  The borders of a thread and of the process:
 *       thread exit     The frame is emptied first, then its references go, with release functions
 *                       run on the exiting thread. From then on (in other thread-exit destructors)
 *                       weft_get() gives the fallback and weft_set() -ESHUTDOWN.
 *       pthread_exit, pthread_cancel  As thread exit. They unwind WEFT_WITH blocks in code that is
 *                       compiled with -fexceptions; elsewhere the exit empties the frame all the
 *                       same.
 *       process exit    Releases nothing: what is bound on a thread that still lives is left alone.
 *       fork            The child's thread keeps its frame, readable and writable. What other
 *                       threads of the parent held stays allocated in the child and is never
 *                       released there.
 *       longjmp         Out of a WEFT_WITH block or past a weft_reset(): the binding stays until
 *                       the frame ends or the var is set again; the undo is lost, with the value
 *                       that it kept alive, if the var has release; and nothing else. Not across a
 *                       frame: jumping out of weft_context_run() is undefined.
 *       dlclose         Call weft_var_fini() for the vars of the object that goes; and keep its
 *                       release functions mapped for as long as a context binds values that need
 *                       them.
 *       two copies      Of weft in one process cannot share frames: the copy that is initialised
 *                       second refuses every set with -EEXIST, and binds nothing.
 *   C10 (of weft/pool.h: the destructor of a task's arguments runs in the task's context.)
 *   C11 A var may have a hook, on_change, for a thread-local of code that cannot be changed. It is
 *       run on a thread whenever what weft_get() gives there has become another pointer, and never
 *       when it has not: by a set, a reset, a swap; as a task, a weft_context_run() or a bound
 *       function begins and ends there; as a task is set aside and goes on, wherever that is. It is
 *       told both values, the fallback where the var was or is not set; both are alive meanwhile.
 *       A worker between tasks, and a thread that exits, binds nothing, and is told so.
 *       A hook runs after the change, in a frame of its own that starts from the new context: what
 *       it sets is gone when it returns, and no hook is told of it. Meanwhile there is no task on
 *       its thread; so what waits in it blocks the thread, and whoever could end the wait may be
 *       parked there: it should not wait. It returns: it neither throws, nor jumps out; a thread
 *       that is cancelled meanwhile ends at its next point of cancellation after that. errno is
 *       kept. In what order the hooks of several vars are told is not said.
 *   C12 A var may have a policy for borders, drop_at and hand_on: what of it there is on the other
 *       side, where work is handed over to a task, a timer, a thread, another executor or another
 *       process. Without one it is inherited everywhere. What is made for the other side is made
 *       once for a context and border, and shared by all that cross there until something is set:
 *       so crossing stays O(1), and hand_on() may be called once for many, or again for each; what
 *       it gives must depend on its value alone. It is called in the frame of who hands over, on
 *       its thread; it returns. The reference that comes with what it gives is the binding's:
 *       retain is not run for it, release is.
 *       A weft_context_run(), a captured context and weft_blocking() cross nothing: that is for who
 *       calls them to know. Nor do jobs of weft_fork() and the bodies of loops in parallel: they
 *       are parts of their task, which sees the same wherever they run.
 *
 * Happens-before: whatever is done before a context is captured, or a value bound, happens before
 * what runs in that context reads it, if the context itself was handed over with synchronisation
 * (weft_submit and its kin do).
 *
 * Threads: every function may be called from any thread, in a task or not, and none blocks or
 * parks, but for the release functions and hooks that it may run. weft_get() and weft_lookup() are
 * also async-signal-safe; nothing else here is. (docs/borders.md has all that are.)
 */
#ifndef WEFT_CONTEXT_H
#define WEFT_CONTEXT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/error.h>
#include <weft/inline.h>

WEFT_BEGIN_DECLS

/* What runs in a context, as a task or by weft_context_run(). 0 or more is its result, negative is
 * -errno. */
typedef int weft_fn(void *arg);

typedef struct weft_context weft_context;
typedef struct weft_bound weft_bound;

/* What a context crosses on its way to what will run in it. */
enum weft_border {
        WEFT_BORDER_TASK = 1,     /* to a task: weft_submit(), weft_spawn(), groups, callbacks */
        WEFT_BORDER_TIMER = 2,    /* to a task that starts at a time, with WEFT_INHERIT (timer.h) */
        WEFT_BORDER_THREAD = 4,   /* to a thread: weft_thread_create() and its kin in adapt/ */
        WEFT_BORDER_FOREIGN = 8,  /* to another executor: weft_bind() and those in adapt/ */
        WEFT_BORDER_PROCESS = 16, /* out of the process: weft_context_inject() and its kin */
        WEFT_BORDER_ALL = 31
};

/* In C++, what an initialiser leaves out is said to be zero here, so that nobody is warned. */
#if defined(__cplusplus)
#define WEFT__DEFAULT = 0
#else
#define WEFT__DEFAULT
#endif

/* A context variable. Made by WEFT_VAR_INIT, in memory that outlives its use; its fields are read,
 * and must not change, from the first weft_set() on. */
typedef struct weft_var {
        const char *name; /* for people; need not be unique; borrowed for the var's life */
        void *fallback WEFT__DEFAULT; /* what weft_get() gives while it is not set */

        /* Run once for each new binding, when it is bound, and once for each that has gone; or
         * NULL. Both return: neither throws, nor jumps out. */
        void (*retain)(void *value) WEFT__DEFAULT;
        void (*release)(void *value) WEFT__DEFAULT;

        /* Write a value for people, as snprintf() does: at most size bytes into text, their end
         * included; the length that it would have had. NULL, or less than 0: the pointer is shown.
         * It is called by whatever shows contexts (weft_dump() and the like), on any thread, and so
         * reads only what does not change while the value is bound; it neither waits, nor sets, nor
         * allocates. */
        int (*format)(void *value, char *text, size_t size) WEFT__DEFAULT;

        uint32_t weft__key WEFT__DEFAULT; /* private: 0 until the first set */

        /* Run on a thread when the value there has changed, with on_change_user (C11); or NULL. */
        void (*on_change)(void *previous, void *next, void *user) WEFT__DEFAULT;
        void *on_change_user WEFT__DEFAULT;

        /* What of a binding there is on the other side of borders (C12). drop_at: a set of enum
         * weft_border; there the var is not set. hand_on: called for the other borders, or NULL: 0,
         * and *ret_value is what is bound there; above 0: the same as here; -ENOENT: it is not set
         * there; any other error: what the call that crosses returns. */
        unsigned drop_at WEFT__DEFAULT;
        int (*hand_on)(unsigned border, void *value, void **ret_value) WEFT__DEFAULT;
} weft_var;

/* WEFT_VAR_INIT(name, ...) - a brace initialiser for a weft_var:
 *
 *   static weft_var request = WEFT_VAR_INIT("request");
 *   static weft_var locale = WEFT_VAR_INIT("locale", .fallback = &plain, .release = locale_free);
 *
 * Vars are meant to be few and static, like thread-locals: each that is ever set takes a slot in
 * the process for good (about 16 bytes), also when it is retired, and look-ups are fastest for the
 * first eight. When 8388592 have been set there are no more: -ENOMEM from the next one's set. */
#define WEFT_VAR_INIT(...)                                                                         \
        {                                                                                          \
                .name = __VA_ARGS__                                                                \
        }

/* weft_var_fini - retire a var whose memory is about to go.
 *
 * From here on no look-up finds it, in no context, and weft_context_foreach() skips it; a later set
 * of the same object makes a new var. Contexts that bind it keep their values until they go, and
 * release them with the function that the var had when they were bound. Its hook is not run any
 * more: if the current value is to be let go of, reset it first. Must not race with a use of the
 * var. Since 0.1. */
WEFT_API void weft_var_fini(weft_var *var);

/* The undo of one set, in the caller's storage; must not be copied. Its fields are private. */
typedef struct weft_token {
        void *weft__old;
        uint64_t weft__frame;
        uint32_t weft__key; /* of the var, which may go before the token; 0: used or dropped */
} weft_token;

/* weft_get - the value of var in the current frame: its binding, else its fallback (C3).
 *
 * The value is borrowed: for a var with release it stays alive as long as some context binds it,
 * which the current frame does until it sets or resets the var or ends. var must not be NULL.
 * Cannot fail; async-signal-safe. Since 0.1. */
WEFT_API void *weft_get(const weft_var *var);

/* weft_lookup - as weft_get, but tells "bound to NULL" from "not set".
 *
 * 0, and *ret_value is the binding; -ENOENT: not set (the fallback is not a binding); -EINVAL: an
 * argument is NULL. Async-signal-safe. Since 0.1. */
WEFT_API int weft_lookup(const weft_var *var, void **ret_value);

/* weft_set - bind var to value in the current frame, from here on.
 *
 * If ret_token is not NULL it receives the undo; pass it to weft_reset(), or to weft_token_drop()
 * if the var has retain or release: such a token keeps the displaced value alive until then (other
 * tokens own nothing and may be forgotten). Without a token a displaced value is released before
 * return.
 *
 * 0, or with nothing changed: -ENOMEM; -EINVAL: var is NULL; -ESHUTDOWN: this thread is exiting;
 * -EEXIST: another copy of weft was here first (C9). Since 0.1. */
WEFT_API int weft_set(weft_var *var, void *value, weft_token *ret_token);

/* weft_reset - undo one set: give var the value, or the absence of one, that it had before.
 *
 * Undoes that set whatever was set since, so sets are best undone in the opposite order. 0, and the
 * token is used up; or, with nothing changed and the token as good as before: -EALREADY: the token
 * was used or dropped; -EINVAL: it is of another var, or an argument is NULL; -EPERM: it was made
 * in another frame (C4); -ENOMEM (only if the context was captured since the set). Since 0.1. */
WEFT_API int weft_reset(weft_var *var, weft_token *token);

/* weft_token_old - what the token's set displaced.
 *
 * 0, and *ret_value is the displaced binding, borrowed from the token; -ENOENT: the var was not
 * set; -EALREADY: the token was used or dropped; -EINVAL: an argument is NULL. Since 0.1. */
WEFT_API int weft_token_old(const weft_token *token, void **ret_value);

/* weft_token_drop - give up the undo, and what the token keeps alive. In any frame, on any thread;
 * a token that was used or dropped already, or NULL, is left alone. Since 0.1. */
WEFT_API void weft_token_drop(weft_token *token);

/* WEFT_WITH(var, value) { ... } - bind var inside the block, and undo it on every way out of it:
 * the end, break and continue (which leave this block only), return, goto, a C++ exception. (As a
 * weft_reset() does, the undo wants memory if the context was captured inside the block and is
 * still held; where there is none the binding stays until the frame ends or the var is set again.)
 * If the var cannot be bound (-ENOMEM), the block is not entered; an else may follow it for that
 * case:
 *
 *   WEFT_WITH(&user, "ada") {
 *           serve();
 *   } else {
 *           return -ENOMEM;
 *   }
 *
 * So where the block stands under an `if` that has an `else` of its own, brace it. Since 0.1. */
#define WEFT_WITH(var, value) WEFT__WITH(var, value, WEFT__PASTE(weft__with_, __LINE__))
#define WEFT__WITH(var_, value_, with)                                                             \
        for (struct weft__with with                                                                \
             __attribute__((cleanup(weft__with_end))) = weft__with_begin((var_), (value_));        \
             with.once; with.once = 0)                                                             \
                if (with.var)
#define WEFT__PASTE(a, b)  WEFT__PASTE_(a, b)
#define WEFT__PASTE_(a, b) a##b

/* weft_context_capture - a new reference to the current context, for the caller to unref. NULL if
 * nothing is bound. Cannot fail (C8). Two threads that capture and release the same context, each
 * from its own frame, do not contend. Since 0.1. */
WEFT_API weft_context *weft_context_capture(void);

/* weft_context_cross - capture for the other side of a border, one of enum weft_border: what there
 * is of the current context there (C12). What an adapter calls where it takes work for others.
 *
 * 0, and *ret is a reference for the caller to unref, or NULL if nothing is bound there; or, where
 * a var with a policy is bound: -ENOMEM, or what its hand_on() returned. -EINVAL: border is not one
 * of them, or ret is NULL. Without such vars as weft_context_capture(). Since 0.1. */
WEFT_API int weft_context_cross(unsigned border, weft_context **ret);

/* weft_context_empty - the context that binds nothing: NULL, which every function below takes. */
WEFT_API weft_context *weft_context_empty(void);

/* weft_context_ref - one more reference; returns its argument. NULL is fine. Since 0.1. */
WEFT_API weft_context *weft_context_ref(weft_context *context);

/* weft_context_unref - give a reference back; returns NULL. With the last one the context goes, and
 * with it every value that no other context binds (C7). NULL is fine. Since 0.1. */
WEFT_API weft_context *weft_context_unref(weft_context *context);

/* weft_context_run - call fn(arg) in a new frame that starts from context; return what fn returns.
 *
 * The context itself does not change (C5): what fn sets is gone when it returns, but for a caller
 * who passes ret_after, which receives a reference to the context as fn left it. Takes a reference
 * of its own while it runs. -EINVAL: fn is NULL. Since 0.1. */
WEFT_API int weft_context_run(weft_context *context, weft_fn *fn, void *arg,
                              weft_context **ret_after);

/* weft_context_lookup - the value of var in a context that need not be the current one. The value
 * is borrowed from the context. 0; -ENOENT: not set; -EINVAL: var or ret_value is NULL. Since 0.1.
 * */
WEFT_API int weft_context_lookup(const weft_context *context, const weft_var *var,
                                 void **ret_value);

/* weft_context_with - derive: a new context that is like the given one, with var bound to value.
 * The current frame is not touched. 0, and *ret is a reference for the caller to unref; or as
 * weft_set(), but for -ESHUTDOWN. Since 0.1. */
WEFT_API int weft_context_with(weft_context *context, weft_var *var, void *value,
                               weft_context **ret);

/* weft_context_size - how many vars the context binds. Looks at every binding. Since 0.1. */
WEFT_API size_t weft_context_size(const weft_context *context);

/* weft_context_foreach - call visit(var, value, arg) for every binding, in the order in which the
 * process first set the vars. Stops at, and returns, the first result that is not 0; else 0. visit
 * may set and reset: it walks a context, not the frame. -EINVAL: visit is NULL. Since 0.1. */
WEFT_API int weft_context_foreach(const weft_context *context,
                                  int (*visit)(const weft_var *var, void *value, void *arg),
                                  void *arg);

/* weft_context_equal - whether both bind the same vars to the same values (pointers compared).
 * Since 0.1. */
WEFT_API bool weft_context_equal(const weft_context *a, const weft_context *b);

/* weft_context_swap - replace the current frame's context; returns the previous one.
 *
 * For event loops and stack switchers that install a context around a callback and put the old one
 * back. Both are moved, not copied: the frame takes over the caller's reference to next, the caller
 * gets the frame's reference to the previous context. The frame stays the same one, so tokens made
 * in it stay good, and act on the context that is in it at the reset. Cannot fail (C8). On a thread
 * that is exiting next is released and NULL returned. Since 0.1. */
WEFT_API weft_context *weft_context_swap(weft_context *next);

/* weft_bind - a function with the current context, to be called by anybody's executor.
 *
 *   weft_bound *b;
 *   weft_bind(&b, fn, arg);
 *   foreign_pool_push(pool, weft_bound_call, b);
 *
 * 0, and *ret is the caller's to weft_bound_free(); -ENOMEM; -EINVAL: ret or fn is NULL; or as
 * weft_context_cross(WEFT_BORDER_FOREIGN). Since 0.1. */
WEFT_API int weft_bind(weft_bound **ret, weft_fn *fn, void *arg);

/* weft_bound_call - run the bound function in a new frame that starts from the captured context,
 * and return its result. As often as wanted, on many threads at once; a weft_fn itself. Since 0.1.
 * */
WEFT_API int weft_bound_call(void *bound);

/* weft_bound_free - free it and its reference to the context; returns NULL. NULL is fine; not while
 * a call of it runs, except from within that call as its last use. Since 0.1. */
WEFT_API weft_bound *weft_bound_free(weft_bound *bound);

/* weft_thread_create - pthread_create() whose thread starts from the creator's current context
 * (C1).
 *
 * 0, or -ENOMEM, -EAGAIN, -EINVAL as pthread_create() says (negative), or as
 * weft_context_cross(WEFT_BORDER_THREAD). Since 0.1. */
WEFT_API int weft_thread_create(pthread_t *ret_thread, const pthread_attr_t *attr,
                                void *(*start)(void *), void *arg);

/* Private: the storage and the two ends of a WEFT_WITH block. */
struct weft__with {
        weft_var *var; /* NULL if it could not be bound */
        int once;      /* 1 until the block has run */
        weft_token token;
};
WEFT_API struct weft__with weft__with_begin(weft_var *var, void *value);
WEFT_API void weft__with_end(struct weft__with *with);

/* Private: what is not inlined of the four below: the look-up of any but the first eight vars, or
 * of one that is not set; references that the thread's bank does not have, or take. */
WEFT_API void *weft__get_slowly(const weft_var *var);
WEFT_API weft_context *weft__context_ref_shared(weft_context *context);
WEFT_API weft_context *weft__context_unref_shared(weft_context *context);

#if defined(WEFT__INLINES)
WEFT__INLINE void *weft_get(const weft_var *var)
{
        const struct weft__near *context = weft__context_at(weft__here_at());
        /* relaxed: what is bound here by the key was bound after it was stored */
        uint32_t key = __atomic_load_n(&var->weft__key, __ATOMIC_RELAXED);
        if (WEFT__RARE(!context || key >= WEFT__NEAR_SLOTS))
                return weft__get_slowly(var);
        void *value = context->slot[key];
        if (WEFT__RARE(value == context->slot[0]))
                return weft__get_slowly(var);
        return value;
}

WEFT__INLINE weft_context *weft_context_ref(weft_context *context)
{
        struct weft__here *here = weft__block(weft__here_at());
        if (!context)
                return NULL;
        if (WEFT__RARE(here->bank.context != context || here->bank.given - here->bank.taken == 1))
                return weft__context_ref_shared(context);
        here->bank.taken++;
        return context;
}

WEFT__INLINE weft_context *weft_context_unref(weft_context *context)
{
        struct weft__here *here = weft__block(weft__here_at());
        if (!context)
                return NULL;
        if (WEFT__RARE(here->bank.context != context))
                return weft__context_unref_shared(context);
        here->bank.given++;
        return NULL;
}

WEFT__INLINE weft_context *weft_context_capture(void)
{
        return weft_context_ref((weft_context *)weft__context_at(weft__here_at()));
}
#endif

WEFT_END_DECLS

#endif
