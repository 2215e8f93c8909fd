/* SPDX-License-Identifier: MIT
 *
 * The example of weft_explain(3).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

static weft_var order = WEFT_VAR_INIT("order", .drop_at = WEFT_BORDER_TASK);

static int works(void *unused)
{
        char why[1000];
        (void)unused;
        int length = weft_explain(&order, why, sizeof(why));
        assert(length > 0 && strstr(why, "order is not set here"));
        fputs(why, stdout); /* dropped ... it was set at ... submitted at */
        return 0;
}

int main(void)
{
        int r = weft_explain_record(true); /* first of all */
        assert(r == 0);
        WEFT_WITH (&order, "7")
                weft_submit(NULL, works, NULL);
        weft_pool_shutdown(weft_pool_default(), WEFT_DRAIN, WEFT_FOREVER);
        return 0;
}
