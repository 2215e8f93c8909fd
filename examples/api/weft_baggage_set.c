/* SPDX-License-Identifier: MIT
 *
 * The example of weft_baggage_set(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static int is_tenant(void *name) /* a task */
{
        const char *tenant = weft_baggage_get("tenant");
        return tenant && strcmp(tenant, name) == 0;
}

int main(void)
{
        weft_token undo;
        weft_task *t = NULL;
        int r = weft_baggage_set("tenant", "42", NULL, &undo);
        assert(r == 0);
        r = weft_spawn(NULL, &t, is_tenant, "42");
        assert(r == 0);

        r = weft_reset(weft_baggage_var(), &undo);
        assert(r == 0 && weft_baggage_get("tenant") == NULL);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 1);
        weft_task_unref(t);

        r = weft_baggage_set("no token", "42", NULL, NULL);
        assert(r == -EBADMSG);
        return 0;
}
