/* SPDX-License-Identifier: MIT
 *
 * The example of weft_codec_register(3).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static int write_priority(const void *value, char *ret_text, size_t size)
{
        return snprintf(ret_text, size, "%d", *(const int *)value);
}

static int read_priority(const char *text, size_t length, void *so_far, void **ret_value)
{
        static int level[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
        (void)so_far;
        if (length != 1 || text[0] < '0' || text[0] > '9')
                return -EBADMSG; /* it is ignored */
        *ret_value = &level[text[0] - '0'];
        return 0;
}

static weft_var priority = WEFT_VAR_INIT("priority");
static weft_codec codec = {
    .var = &priority, .name = "x-priority", .encode = write_priority, .decode = read_priority};

int main(void)
{
        int r = weft_codec_register(&codec);
        assert(r == 0);
        r = weft_codec_register(&codec);
        assert(r == -EALREADY);

        static int urgent = 7;
        char bytes[64];
        int length = 0;
        WEFT_WITH (&priority, &urgent) {
                weft_context *here = weft_context_capture();
                length = weft_context_to_bytes(here, bytes, sizeof(bytes));
                weft_context_unref(here);
        }
        assert(length > 0 && length <= (int)sizeof(bytes));

        weft_context *came = NULL; /* in another process, say */
        void *value = NULL;
        r = weft_context_from_bytes(NULL, bytes, (size_t)length, &came);
        assert(r == 1);
        r = weft_context_lookup(came, &priority, &value);
        assert(r == 0 && *(int *)value == 7);
        weft_context_unref(came);
        return 0;
}
