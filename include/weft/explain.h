/* SPDX-License-Identifier: MIT
 *
 * Why a var has the value that it has here, or none.
 *
 *   char why[1024];
 *   weft_explain(&user, why, sizeof(why));
 *   fputs(why, stderr);
 *
 *   user is not set here
 *     dropped at the border to a task, by its policy; it was set at serve+0x3c (server+0x1a2b)
 *     this is a task, submitted at accept_all+0x81 (server+0x1c40)
 *
 * What is bound, and the policies, are always told; where it was set and where the task was
 * submitted, as far as that is recorded. Recording is off at first. It is switched on for a process
 * by WEFT_EXPLAIN=1 in its environment, or by weft_explain_record(), which is best called before
 * the first set: of vars that were set before nothing is recorded. While it is on, a set notes the
 * address that called it, and whoever hands work over makes a context for it that has the address
 * in it; both in the context itself, so that it goes wherever the context goes, and costs no lock.
 * (In instructions: 52 for a weft_get, not 17; 630 for a set and its reset, not 101; and for a
 * submit 90 more if the last one from this context came from the same place, else, and from the
 * empty context, up to 1700: cheap enough to be left on where one hunts for something.)
 * Meanwhile a context that binds nothing need not be NULL. Off, it costs a submit three or four
 * instructions, and a set and its reset five: to say who has called them. A library built with
 * -DWEFT_NO_EXPLAIN=1 (make EXPLAIN=0) records nothing.
 *
 * A place is told as a name, as far as the dynamic symbols have it (link with -rdynamic), and as an
 * object with an offset that addr2line takes. Source that is compiled with -DWEFT_LINES=1 has its
 * file and line recorded instead, for the functions below. (A call in tail position is a jump, so
 * the place is then that of the caller.)
 *
 * Threads: any; neither function blocks or parks (but on the dynamic loader's lock), and none is
 * async-signal-safe.
 */
#ifndef WEFT_EXPLAIN_H
#define WEFT_EXPLAIN_H

#include <weft/context.h>
#include <weft/pool.h>

WEFT_BEGIN_DECLS

/* weft_explain - write for people why var has the value that it has in the current frame.
 *
 * As snprintf(): at most size bytes into text, their end included, and the length that it would
 * have had, without the end. Lines, each with its end. The value is written by the var's format, if
 * it has one, else as a pointer; control characters and what is no UTF-8 in it, and in the name,
 * are escaped (\x0a). -EINVAL: var is NULL, or text is and size is not 0. Since 0.1. */
WEFT_API int weft_explain(const weft_var *var, char *text, size_t size);

/* weft_explain_record - switch on, or off again, that places are recorded: for the sets of vars
 * that are set for the first time from now on, and for all that is handed over.
 *
 * 0; -ENOMEM; -EOPNOTSUPP: the library was built without, or addresses have 32 bits. Since 0.1. */
WEFT_API int weft_explain_record(bool on);

/* Private: a line of source, noted by the next recording call of this thread. */
struct weft__line {
        const char *file, *function;
        int line;
};
WEFT_API void weft__line_is(const struct weft__line *line);

#if defined(WEFT_LINES)
#define WEFT__LINE                                                                                 \
        __extension__({                                                                            \
                static const struct weft__line weft__line = {__FILE__, __func__, __LINE__};        \
                &weft__line;                                                                       \
        })

static inline int weft__set_in(const struct weft__line *line, weft_var *var, void *value,
                               weft_token *ret_token)
{
        weft__line_is(line);
        int r = weft_set(var, value, ret_token);
        weft__line_is(NULL);
        return r;
}

static inline struct weft__with weft__with_begin_in(const struct weft__line *line, weft_var *var,
                                                    void *value)
{
        weft__line_is(line);
        struct weft__with with = weft__with_begin(var, value);
        weft__line_is(NULL);
        return with;
}

static inline int weft__submit_in(const struct weft__line *line, weft_pool *pool, weft_fn *fn,
                                  void *arg)
{
        weft__line_is(line);
        int r = weft_submit(pool, fn, arg);
        weft__line_is(NULL);
        return r;
}

static inline int weft__spawn_in(const struct weft__line *line, weft_pool *pool, weft_task **ret,
                                 weft_fn *fn, void *arg)
{
        weft__line_is(line);
        int r = weft_spawn(pool, ret, fn, arg);
        weft__line_is(NULL);
        return r;
}

static inline int weft__bind_in(const struct weft__line *line, weft_bound **ret, weft_fn *fn,
                                void *arg)
{
        weft__line_is(line);
        int r = weft_bind(ret, fn, arg);
        weft__line_is(NULL);
        return r;
}

#define weft_set(...)         weft__set_in(WEFT__LINE, __VA_ARGS__)
#define weft__with_begin(...) weft__with_begin_in(WEFT__LINE, __VA_ARGS__)
#define weft_submit(...)      weft__submit_in(WEFT__LINE, __VA_ARGS__)
#define weft_spawn(...)       weft__spawn_in(WEFT__LINE, __VA_ARGS__)
#define weft_bind(...)        weft__bind_in(WEFT__LINE, __VA_ARGS__)
#endif

WEFT_END_DECLS

#endif
