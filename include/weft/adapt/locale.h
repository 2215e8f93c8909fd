/* SPDX-License-Identifier: MIT
 *
 * A locale that belongs to the task: a var whose value is the thread's locale, as uselocale() sets
 * it, wherever the task runs.
 *
 *   static weft_var locale = WEFT_LOCALE_INIT("locale");
 *   locale_t german = newlocale(LC_ALL_MASK, "de_DE.UTF-8", (locale_t)0);  // once, for good
 *
 *   WEFT_WITH (&locale, german)
 *           weft_submit(pool, print_bill, bill);    // printf("%'.2f") in there is German, also
 *                                                   // after it has waited, on another thread
 *
 * Code that formats, sorts and converts needs to know nothing of it: the C library asks the thread
 * for its locale, and the var's hook (C11) sees to it that this is the one of the task. Where the
 * var is not set a thread has the locale that it had itself: the global one, or what somebody gave
 * it by uselocale() outside.
 *
 * Ownership: with WEFT_LOCALE_INIT the locales are yours, and must live as long as a context binds
 * them. With WEFT_LOCALE_OWNED_INIT a binding takes its locale over, and freelocale() is called
 * when the last context that binds it goes: bind each once, or a duplocale() of it.
 *
 * One such var in a program, since a thread has one locale. uselocale() in a task is for what does
 * not wait before it is undone: it is the thread's, and the next switch of tasks does away with it.
 * Cost: a call of uselocale() for each switch from one locale to another. Since 0.1.
 */
#ifndef WEFT_ADAPT_LOCALE_H
#define WEFT_ADAPT_LOCALE_H

#include <locale.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

#define WEFT_LOCALE_INIT(name_) WEFT_VAR_INIT(name_, .on_change = weft_locale__follow)
#define WEFT_LOCALE_OWNED_INIT(name_)                                                              \
        WEFT_VAR_INIT(name_, .release = weft_locale__free, .on_change = weft_locale__follow)

/* Private: the var's hook. */
static inline void weft_locale__follow(void *previous, void *next, void *unused)
{
        __extension__ static __thread locale_t outside; /* while the var is set: the thread's own */
        (void)unused;
        if (!previous)
                outside = uselocale((locale_t)0);
        uselocale(next ? (locale_t)next : outside);
}

static inline void weft_locale__free(void *value)
{
        if (value)
                freelocale((locale_t)value);
}

WEFT_END_DECLS

#endif
