/* SPDX-License-Identifier: MIT
 *
 * A seeded bug, which a fuzzer has to find: reads on behind the end of what begins as a traceparent
 * and is shorter than one.
 */
#include "../fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = exact(data, size);
        int found = size >= 3 && memcmp(text, "00-", 3) == 0 && text[54] == '-';
        free(text);
        return found ? -1 : 0;
}
