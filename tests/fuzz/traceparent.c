/* SPDX-License-Identifier: MIT
 *
 * weft_traceparent_parse: what it takes is written again as version 00 and means the same; what it
 * refuses leaves nothing behind.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const unsigned char zero[16];
        weft_traceparent p;
        weft_traceparent untouched;
        weft_traceparent again;
        char written[WEFT_TRACEPARENT_LENGTH + 1];
        char *text = exact(data, size);

        memset(&p, 0xa5, sizeof(p));
        untouched = p;
        int r = weft_traceparent_parse(&p, text, size);
        if (r < 0) {
                MUST(r == -EBADMSG);
                MUST(memcmp(&p, &untouched, sizeof(p)) == 0);
        } else {
                MUST(size == 55 || (size > 55 && memcmp(text, "00", 2) != 0));
                MUST(memcmp(text, "ff", 2) != 0);
                MUST(memcmp(p.trace_id, zero, 16) != 0 && memcmp(p.span_id, zero, 8) != 0);
                MUST((p.flags & ~3) == 0);
                MUST(weft_traceparent_format(&p, written) == 55 && strlen(written) == 55);
                MUST(memcmp(written + 2, text + 2, 51) == 0);
                MUST(weft_traceparent_parse(&again, written, 55) == 0);
                MUST(memcmp(&again, &p, sizeof(p)) == 0);
        }
        free(text);
        return 0;
}
