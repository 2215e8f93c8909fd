/* SPDX-License-Identifier: MIT
 *
 * weft_context_from_environ and weft_context_environ, on any environment.
 *
 * The input is the strings of one, with a NUL behind each.
 */
#include "carried.h"

enum { STRINGS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *strings[STRINGS + 1] = {0};
        char **next;
        weft_context *context;
        weft_context *again;
        size_t n = 0;
        const uint8_t *at = data;
        for (size_t left = size; left > 0 && n < STRINGS;) {
                const uint8_t *end = memchr(at, '\0', left);
                size_t length = end ? (size_t)(end - at) : left;
                size_t used = end ? length + 1 : length;
                strings[n++] = string(at, length);
                at += used;
                left -= used;
        }
        int r = weft_context_from_environ(NULL, strings, &context);
        carries_on(context, r);
        r = weft_context_environ(context, strings, &next);
        MUST(r == -EBADMSG || (r >= 0 && r <= NAMES));
        if (r >= 0) {
                size_t there = 0;
                while (next[there])
                        there++;
                MUST(there <= n + NAMES);
                MUST(weft_context_from_environ(NULL, next, &again) >= r);
                MUST(weft_context_size(again) == weft_context_size(context) || r < NAMES);
                weft_context_unref(again);
                weft_environ_free(next);
        }
        weft_context_unref(context);
        while (n > 0)
                free(strings[--n]);
        return 0;
}
