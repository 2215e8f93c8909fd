/* SPDX-License-Identifier: MIT
 *
 * Contexts across the border of a process: as headers of a message, as the environment of a program
 * that is started, as bytes.
 *
 *   codec      says how the values of one var are written as text, and read. There from the start,
 *              in this order: traceparent and tracestate (trace.h), baggage (baggage.h)
 *   inject     write what a context binds, as far as there are codecs for it
 *   extract    read such text into a new context; what it does not bind is that of a base
 *
 * Usage: a client writes the headers of its current context, a server answers in the context that
 * came in.
 *
 *   static int put(void *request, const char *name, const char *value)
 *   {
 *           return http_add_header(request, name, value);
 *   }
 *
 *   weft_context *here = weft_context_capture();
 *   weft_context_inject(here, put, request);
 *   weft_context_unref(here);
 *
 *   static const char *find(void *request, const char *name, size_t index, size_t *ret_length)
 *   {
 *           return http_header(request, name, index, ret_length);
 *   }
 *
 *   weft_context *came;
 *   if (weft_context_extract(NULL, find, request, &came) >= 0) {
 *           weft_context_run(came, serve, request, NULL);
 *           weft_context_unref(came);
 *   }
 *
 * Rules (tests carry these numbers)
 *
 *   Y1  Only vars with a codec cross, and only where inject is called: nothing is sent by itself;
 *       nor what is dropped at this border (WEFT_BORDER_PROCESS, rule C12 of context.h).
 *   Y2  What is injected has no control characters in it (but tabs): who sees to a value cannot add
 *       a header of its own, or a line. Such a value is refused: -EBADMSG.
 *   Y3  What comes in and cannot be read is ignored, each name for itself, and the base's binding
 *       of that var stays; only want of memory is an error.
 *   Y4  A name has at most 8192 bytes: of a list (WEFT_CODEC_LIST) all headers of that name
 *       together, with commas between them, of which the elements that fit are kept, whole; of
 *       another a longer one, or a second header of the name, makes it unreadable.
 *   Y5  White space around a value is not part of it.
 *   Y6  The bytes are at most 65536, in the format below; what is not of it is refused as a whole.
 *       Names without a codec here are skipped.
 *
 * Bytes, version 1: 'w' 'f' 't' 1, then the length of what follows in 4 bytes, the least
 * significant first; then for each name: its length in 1 byte (1 to 64), the value's in 2
 * (likewise), the name, the value. Of a name that is there twice the first counts.
 *
 * Untrusted input is bounded in time and memory by these limits; extract is fuzzed in all three
 * forms (tests/fuzz). That a context came in well-formed does not make it true: who may say what is
 * the program's to decide, by where it calls extract, and on what base.
 *
 * Threads: every function may be called from any thread, in a task or not, and none blocks or
 * parks, but for what it calls of the caller's. None is async-signal-safe.
 */
#ifndef WEFT_CARRY_H
#define WEFT_CARRY_H

#include <stddef.h>

#include <weft/context.h>

WEFT_BEGIN_DECLS

enum {
        WEFT_CODEC_LIST = 1, /* flag: the text is a list with commas, in one header or several */

        WEFT_CARRY_NAME_MAX = 64,
        WEFT_CARRY_VALUE_MAX = 8192,
        WEFT_CARRY_BYTES_MAX = 65536
};

/* How the values of a var are carried. In memory that outlives the process's use of weft, static as
 * a rule; not changed once it is registered. */
typedef struct weft_codec {
        weft_var *var;
        const char *name; /* of the header: a-z, 0-9 and '-', a letter first, up to 64 */
        unsigned flags;   /* WEFT_CODEC_LIST, or 0 */

        /* Write the value with a NUL, within size bytes (8193). Its length; -ENOENT: nothing is to
         * be sent; another error ends the inject, with it. */
        int (*encode)(const void *value, char *ret_text, size_t size);

        /* Read one: 0, and *ret_value is bound; a var with retain takes a reference of its own, and
         * that of *ret_value is given back by release then. -ENOMEM ends the extract; another
         * error: it cannot be read. The text has a NUL behind it, and may have some within. so_far:
         * what codecs of the same var that were registered before have read, or NULL; borrowed. */
        int (*decode)(const char *text, size_t length, void *so_far, void **ret_value);

        struct weft_codec *weft__next WEFT__DEFAULT; /* private */
} weft_codec;

/* weft_codec_register - from here on, values of codec->var are carried under codec->name. A var may
 * have several codecs, which then read one after the other. Stays for the life of the process.
 *
 * 0; -EALREADY: the name is taken; -EINVAL: something is NULL, the name is not valid, or a flag
 * unknown. Since 0.1. */
WEFT_API int weft_codec_register(weft_codec *codec);

/* Gives out one header; 0, or a negative result that ends the inject. Both are borrowed. */
typedef int weft_put(void *arg, const char *name, const char *value);

/* Finds the index-th value, from 0, under a name that is in lower case and to be compared without
 * regard to case; NULL: there are no more. Borrowed until the next call. */
typedef const char *weft_find(void *arg, const char *name, size_t index, size_t *ret_length);

/* weft_context_inject - call put for each var that the context binds and a codec is for (Y1, Y2).
 *
 * How many there were; -ENOMEM; -EBADMSG: a codec wrote what must not be sent; -EINVAL: put is
 * NULL; what a codec or put returned. After an error some may have been put. Since 0.1. */
WEFT_API int weft_context_inject(const weft_context *context, weft_put *put, void *arg);

/* weft_context_extract - a context that is like base (NULL: the empty one) and binds what find
 * finds (Y3 to Y5).
 *
 * How many names could be read, and *ret is the caller's to unref; -ENOMEM; -EINVAL: find or ret is
 * NULL; -EEXIST as weft_context_with(). Since 0.1. */
WEFT_API int weft_context_extract(weft_context *base, weft_find *find, void *arg,
                                  weft_context **ret);

/* weft_context_environ - the environment for a program that is to go on in the context: that of
 * base (NULL: this process's) without the names of codecs, and what is injected, each name in
 * capitals with '_' for '-': TRACEPARENT. To be made before a fork(), for execve() or
 * posix_spawn().
 *
 * How many were injected, and *ret_environ is the caller's to weft_environ_free(); as
 * weft_context_inject(); -EINVAL: ret_environ is NULL. Since 0.1. */
WEFT_API int weft_context_environ(const weft_context *context, char *const *base,
                                  char ***ret_environ);

/* weft_environ_free - free it; returns NULL. NULL is fine. Since 0.1. */
WEFT_API char **weft_environ_free(char **environment);

/* weft_context_from_environ - extract from an environment (NULL: this process's): what the program
 * that started this one has put there. Must not race with setenv() and its kin. As
 * weft_context_extract(). Since 0.1. */
WEFT_API int weft_context_from_environ(weft_context *base, char *const *environment,
                                       weft_context **ret);

/* weft_context_to_bytes - write the context as bytes (Y6), for a message or a file.
 *
 * Their number; if that is more than size nothing was written. (So with size 0, and ret_bytes may
 * be NULL then, it says how many there are.) As weft_context_inject(); -EMSGSIZE: they are more
 * than 65536; -EINVAL: ret_bytes is NULL though there is room. Since 0.1. */
WEFT_API int weft_context_to_bytes(const weft_context *context, void *ret_bytes, size_t size);

/* weft_context_from_bytes - extract from bytes. As weft_context_extract(); -EBADMSG: they are not
 * of that format (Y6), or of another version; -EINVAL: bytes or ret is NULL. Since 0.1. */
WEFT_API int weft_context_from_bytes(weft_context *base, const void *bytes, size_t length,
                                     weft_context **ret);

WEFT_END_DECLS

#endif
