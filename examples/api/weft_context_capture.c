/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_capture(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user");

int main(void)
{
        weft_context *context = weft_context_capture();
        assert(context == weft_context_empty()); /* nothing is bound yet */

        WEFT_WITH (&user, "ada")
                context = weft_context_capture();
        assert(weft_get(&user) == NULL); /* undone here, */
        void *value = NULL;
        int r = weft_context_lookup(context, &user, &value);
        assert(r == 0 && strcmp(value, "ada") == 0); /* and kept there */

        weft_context *another = weft_context_ref(context);
        assert(another == context);
        context = weft_context_unref(context);
        assert(context == NULL);
        r = weft_context_lookup(another, &user, &value);
        assert(r == 0);
        weft_context_unref(another); /* now it goes */
        return 0;
}
