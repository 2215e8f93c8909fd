/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_inject(3).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weft/weft.h>

struct headers { /* of a request, as some HTTP library has them */
        int count;
        char name[4][32], value[4][64];
};

static int put(void *request, const char *name, const char *value)
{
        struct headers *h = request;
        if (h->count == 4)
                return -ENOMEM;
        snprintf(h->name[h->count], sizeof(h->name[0]), "%s", name);
        snprintf(h->value[h->count++], sizeof(h->value[0]), "%s", value);
        return 0;
}

static const char *find(void *request, const char *name, size_t index, size_t *ret_length)
{
        struct headers *h = request;
        for (int i = 0; i < h->count; i++)
                if (strcasecmp(h->name[i], name) == 0 && index-- == 0) {
                        *ret_length = strlen(h->value[i]);
                        return h->value[i];
                }
        return NULL;
}

static int serve(void *unused)
{
        (void)unused;
        const char *tenant = weft_baggage_get("tenant");
        return tenant && strcmp(tenant, "42") == 0;
}

int main(void)
{
        struct headers request = {0};
        int r = weft_baggage_set("tenant", "42", NULL, NULL);
        assert(r == 0);
        weft_context *here = weft_context_capture();
        r = weft_context_inject(here, put, &request);
        assert(r == 1 && strcmp(request.value[0], "tenant=42") == 0);
        weft_context_unref(here);

        weft_context *came = NULL; /* on the other side */
        r = weft_context_extract(weft_context_empty(), find, &request, &came);
        assert(r == 1);
        r = weft_context_run(came, serve, NULL, NULL);
        assert(r == 1);
        weft_context_unref(came);
        return 0;
}
