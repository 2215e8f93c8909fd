/* SPDX-License-Identifier: MIT
 *
 * For the targets that extract whole contexts: two vars of the program's own beside those that are
 * there, and what holds for a context that came in.
 */
#ifndef TESTS_FUZZ_CARRIED_H
#define TESTS_FUZZ_CARRIED_H

#include "fuzz.h"

static inline int text_encode(const void *value, char *ret_text, size_t size)
{
        MUST(size == WEFT_CARRY_VALUE_MAX + 1);
        return snprintf(ret_text, size, "%s", (const char *)value);
}

/* Takes any text without a NUL; the value is a copy that the context owns. */
static inline int text_decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        MUST(length <= WEFT_CARRY_VALUE_MAX && text[length] == '\0' && !so_far);
        if (strlen(text) != length || text[0] == '!')
                return -EPROTO;
        *ret_value = string(text, length);
        return 0;
}

static weft_var own = WEFT_VAR_INIT("own", .release = free);
static weft_var own_list = WEFT_VAR_INIT("own list", .release = free);
static weft_codec own_codecs[] = {
    {.var = &own, .name = "own", .encode = text_encode, .decode = text_decode},
    {.var = &own_list,
     .name = "own-list",
     .flags = WEFT_CODEC_LIST,
     .encode = text_encode,
     .decode = text_decode},
};

static __attribute__((constructor)) void registers_own(void)
{
        MUST(weft_codec_register(&own_codecs[0]) == 0);
        MUST(weft_codec_register(&own_codecs[1]) == 0);
}

enum { NAMES = 5 };

static inline int is_sendable(void *arg, const char *name, const char *value)
{
        MUST(strlen(name) <= WEFT_CARRY_NAME_MAX && strlen(value) <= WEFT_CARRY_VALUE_MAX);
        for (; *value; value++)
                MUST((unsigned char)*value >= ' ' || *value == '\t');
        ++*(int *)arg;
        return 0;
}

/* It can be sent, but for what has control characters in it, and what comes of that is as large. */
static inline void carries_on(const weft_context *context, int names)
{
        static char bytes[2][WEFT_CARRY_BYTES_MAX];
        int n = 0;
        char **environment;
        weft_context *again;
        MUST(names >= 0 && names <= NAMES);
        int r = weft_context_inject(context, is_sendable, &n);
        MUST(r == -EBADMSG || r == n);
        int length = weft_context_to_bytes(context, bytes[0], sizeof(bytes[0]));
        MUST(r < 0 ? length == r : length >= 8);
        if (r < 0)
                return;
        MUST(n <= names);
        MUST(weft_context_from_bytes(NULL, bytes[0], (size_t)length, &again) >= 0);
        MUST(weft_context_to_bytes(again, bytes[1], sizeof(bytes[1])) == length);
        MUST(memcmp(bytes[0], bytes[1], (size_t)length) == 0);
        weft_context_unref(again);
        MUST(weft_context_environ(context, (char *[]){NULL}, &environment) == n);
        MUST(weft_context_from_environ(NULL, environment, &again) >= 0);
        MUST(weft_context_to_bytes(again, bytes[1], sizeof(bytes[1])) == length);
        MUST(memcmp(bytes[0], bytes[1], (size_t)length) == 0);
        weft_context_unref(again);
        weft_environ_free(environment);
}

#endif
