/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_swap(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

struct callback { /* of an event loop */
        weft_context *context;
        int (*fn)(void);
};

static int is_ada(void)
{
        return strcmp(weft_get(&user), "ada") == 0;
}

static int dispatch(struct callback *callback)
{
        weft_context *mine = weft_context_swap(callback->context); /* handed over, */
        int r = callback->fn();
        callback->context = weft_context_swap(mine); /* and taken back */
        return r;
}

int main(void)
{
        struct callback callback = {.fn = is_ada};
        WEFT_WITH (&user, "ada")
                callback.context = weft_context_capture();

        int r = dispatch(&callback);
        assert(r == 1 && !is_ada());
        r = dispatch(&callback); /* again, as often as wanted */
        assert(r == 1 && !is_ada());
        callback.context = weft_context_unref(callback.context);
        return 0;
}
