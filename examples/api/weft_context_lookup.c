/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_lookup(3).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static weft_var order = WEFT_VAR_INIT("order");

static int append(const weft_var *var, void *value, void *text)
{
        char *end = (char *)text + strlen(text);
        return sprintf(end, "%s=%s ", var->name, (char *)value) < 0 ? -EINVAL : 0;
}

int main(void)
{
        weft_context *context = NULL;
        WEFT_WITH (&user, "ada")
                WEFT_WITH (&order, "17")
                        context = weft_context_capture();

        void *value = NULL;
        int r = weft_context_lookup(context, &order, &value);
        assert(r == 0 && strcmp(value, "17") == 0);
        r = weft_context_lookup(NULL, &user, &value);
        assert(r == -ENOENT); /* a fallback is not a binding */
        assert(weft_context_size(context) == 2);

        char text[80] = "";
        r = weft_context_foreach(context, append, text);
        assert(r == 0 && strcmp(text, "user=ada order=17 ") == 0);

        assert(weft_context_equal(context, context));
        assert(!weft_context_equal(context, weft_context_empty()));
        weft_context_unref(context);
        return 0;
}
