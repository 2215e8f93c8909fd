/* SPDX-License-Identifier: MIT
 *
 * Baggage: names and values that travel with a request through all services, as W3C Baggage has it.
 *
 *   baggage    an immutable, counted list of members, each a key, a value and properties. NULL is
 *              the empty one. A var holds that of the running task.
 *
 *   weft_baggage_set("tenant", "42", NULL, NULL);    // from here on, in this frame and its tasks
 *   weft_baggage_get("tenant");                      // "42", also in a service that was called
 *
 * Whoever is called sees all of it: put nothing in that is not for them. What came in was written
 * by whoever called: a claim, to be checked like any other input.
 *
 * Rules (tests carry these numbers)
 *
 *   A1  At most 180 members and 8192 bytes, as written into headers, over all headers of a request
 *       together. Of what comes in the members that fit are kept, whole, from the first on; nothing
 *       behind the first 8192 bytes is looked at. A set that would go beyond fails.
 *   A2  Keys are tokens, case-sensitive. Values come and go percent-coded; here they are bytes,
 *       decoded. What is decoded and is not UTF-8 is replaced, U+FFFD for each part that cannot be.
 *   A3  A member that breaks the grammar is left out; the others stand. (A '%' that two hexadecimal
 *       digits do not follow breaks it.)
 *   A4  Properties are passed on as they came, but for white space around them.
 *   A5  Of several members with one key the last is found; all are passed on, in their order. A set
 *       takes them all away and adds one at the end.
 *
 * Untrusted input: bounded by A1 in time and memory. Fuzzed (tests/fuzz).
 *
 * Threads: every function may be called from any thread, in a task or not, and none blocks or
 * parks. None is async-signal-safe.
 */
#ifndef WEFT_BAGGAGE_H
#define WEFT_BAGGAGE_H

#include <stddef.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

enum { WEFT_BAGGAGE_MEMBERS = 180, WEFT_BAGGAGE_LENGTH = 8192 };

typedef struct weft_baggage weft_baggage;

/* One member; borrowed from the baggage. */
typedef struct weft_baggage_member {
        const char *key;
        const char *value;      /* decoded, with a NUL behind it */
        size_t value_length;    /* since there may be NULs in it too */
        const char *properties; /* "key=value;key", still percent-coded; "" if there are none */
} weft_baggage_member;

/* weft_baggage_var - the var that holds the baggage of the running task: a weft_baggage, retained
 * by each binding. Never NULL. Since 0.1. */
WEFT_API weft_var *weft_baggage_var(void);

/* weft_baggage_get - the value of a key in the current baggage; NULL if there is none, or one with
 * a NUL in it. Borrowed, as by weft_get() from the var: good until the frame binds another baggage
 * or ends. key must not be NULL. Since 0.1. */
WEFT_API const char *weft_baggage_get(const char *key);

/* weft_baggage_set - bind, in the current frame, a baggage that is like the current one with key
 * set to value, or without it if value is NULL (A5). properties: "key=value;key", or NULL.
 * ret_token: the undo, for weft_reset() of the var; or NULL.
 *
 * 0; as weft_set() and weft_baggage_with(), with nothing changed. Since 0.1. */
WEFT_API int weft_baggage_set(const char *key, const char *value, const char *properties,
                              weft_token *ret_token);

/* weft_baggage_with - derive one, without binding it; as weft_baggage_set().
 *
 * 0, and *ret is the caller's to unref, NULL if it is empty; -ENOMEM; -EBADMSG: the key is no
 * token, the value no UTF-8, or the properties break the grammar; -EMSGSIZE: it would be too large
 * (A1); -EINVAL: key or ret is NULL. Since 0.1. */
WEFT_API int weft_baggage_with(const weft_baggage *baggage, const char *key, const char *value,
                               const char *properties, weft_baggage **ret);

/* weft_baggage_parse - read a header; several are one, with commas between them.
 *
 * 0, and *ret is the caller's to unref, NULL if nothing valid was in it; -ENOMEM; -EINVAL: text or
 * ret is NULL. Since 0.1. */
WEFT_API int weft_baggage_parse(const char *text, size_t length, weft_baggage **ret);

/* weft_baggage_format - write it as a header, with a NUL; 8193 bytes are always enough.
 *
 * Its length; -EMSGSIZE: size is too small; -EINVAL: ret_text is NULL. Since 0.1. */
WEFT_API int weft_baggage_format(const weft_baggage *baggage, char *ret_text, size_t size);

/* weft_baggage_lookup - the member with that key (A5). 0; -ENOENT: there is none; -EINVAL: key or
 * ret is NULL. Since 0.1. */
WEFT_API int weft_baggage_lookup(const weft_baggage *baggage, const char *key,
                                 weft_baggage_member *ret);

/* weft_baggage_foreach - call visit(member, arg) for each, in order. Stops at, and returns, the
 * first result that is not 0; else 0. -EINVAL: visit is NULL. Since 0.1. */
WEFT_API int weft_baggage_foreach(const weft_baggage *baggage,
                                  int (*visit)(const weft_baggage_member *member, void *arg),
                                  void *arg);

/* weft_baggage_ref, weft_baggage_unref - one reference more, which returns its argument; one less,
 * which returns NULL. NULL is fine. Since 0.1. */
WEFT_API weft_baggage *weft_baggage_ref(weft_baggage *baggage);
WEFT_API weft_baggage *weft_baggage_unref(weft_baggage *baggage);

WEFT_END_DECLS

#endif
