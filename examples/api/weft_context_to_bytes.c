/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_to_bytes(3).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static int is_tenant(void *name)
{
        const char *tenant = weft_baggage_get("tenant");
        return tenant && strcmp(tenant, name) == 0;
}

int main(void)
{
        int r = weft_baggage_set("tenant", "42", NULL, NULL);
        assert(r == 0);
        weft_context *here = weft_context_capture();
        int length = weft_context_to_bytes(here, NULL, 0);
        assert(length > 8);
        char *bytes = malloc((size_t)length);
        assert(bytes != NULL);
        r = weft_context_to_bytes(here, bytes, (size_t)length);
        assert(r == length);
        weft_context_unref(here);

        weft_context *came = NULL;
        r = weft_context_from_bytes(NULL, bytes, (size_t)length, &came);
        assert(r == 1);
        r = weft_context_run(came, is_tenant, "42", NULL);
        assert(r == 1);
        weft_context_unref(came);

        bytes[3] = 9; /* a version of the future */
        r = weft_context_from_bytes(NULL, bytes, (size_t)length, &came);
        assert(r == -EBADMSG);
        free(bytes);
        return 0;
}
