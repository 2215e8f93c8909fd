/* SPDX-License-Identifier: MIT
 *
 * weft_context_extract: any headers, in any number, on an empty base and on one that binds all.
 *
 * The input is a list of headers: a byte for the name, two for the length, the value.
 */
#include "carried.h"

static const char *const names[] = {"traceparent", "tracestate", "baggage", "own", "own-list"};

struct headers {
        const uint8_t *data, *at, *end; /* all of them; those behind the last that was found */
        char *given;                    /* its value */
};

static const char *find(void *arg, const char *name, size_t index, size_t *ret_length)
{
        struct headers *h = arg;
        if (index == 0)
                h->at = h->data;
        while (h->end - h->at >= 3) {
                const uint8_t *value = h->at + 3;
                const char *its_name = names[h->at[0] % NAMES];
                size_t length = (size_t)h->at[1] | (size_t)h->at[2] << 8;
                if (length > (size_t)(h->end - value))
                        length = (size_t)(h->end - value);
                h->at = value + length;
                if (strcmp(its_name, name) == 0) {
                        free(h->given);
                        h->given = exact(value, length);
                        *ret_length = length;
                        return h->given;
                }
        }
        return NULL;
}

static const char *find_good(void *arg, const char *name, size_t index, size_t *ret_length)
{
        const char *value = strcmp(name, "traceparent") == 0
                                ? "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
                                : "a=1";
        (void)arg;
        *ret_length = strlen(value);
        return index == 0 ? value : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct headers h = {.data = data, .end = data + size};
        weft_context *context;
        weft_context *base;
        int n = weft_context_extract(NULL, find, &h, &context);
        carries_on(context, n);
        weft_context_unref(context);

        MUST(weft_context_extract(NULL, find_good, NULL, &base) == NAMES);
        MUST(weft_context_extract(base, find, &h, &context) == n);
        MUST(weft_context_size(context) == 4);
        MUST(n > 0 || weft_context_equal(base, context));
        weft_context_unref(context);
        weft_context_unref(base);
        free(h.given);
        return 0;
}
