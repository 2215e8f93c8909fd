/* SPDX-License-Identifier: MIT
 *
 * weft_context_from_bytes: any bytes. So that more than the head is reached, the input is taken as
 * it is, and once more with a head before it that is right.
 */
#include "carried.h"

static void reads(const char *bytes, size_t size)
{
        weft_context *context = NULL;
        int n = weft_context_from_bytes(NULL, bytes, size, &context);
        if (n == -EBADMSG) {
                MUST(!context);
                return;
        }
        carries_on(context, n);
        weft_context_unref(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *bytes = exact(data, size);
        reads(bytes, size);
        free(bytes);

        bytes = malloc(size + 8);
        MUST(bytes);
        memcpy(bytes, "wft\1", 4);
        for (int i = 0; i < 4; i++)
                bytes[4 + i] = (char)(size >> 8 * i);
        if (size)
                memcpy(bytes + 8, data, size);
        reads(bytes, size + 8);
        free(bytes);
        return 0;
}
