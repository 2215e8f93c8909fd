/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_with(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user");
static weft_var role = WEFT_VAR_INIT("role");

static int is_admin(void *unused)
{
        (void)unused;
        return strcmp(weft_get(&user), "ada") == 0 && weft_get(&role) != NULL;
}

int main(void)
{
        weft_context *ada = NULL, *admin = NULL;
        int r = weft_context_with(weft_context_empty(), &user, "ada", &ada);
        assert(r == 0);
        r = weft_context_with(ada, &role, "admin", &admin);
        assert(r == 0);
        assert(weft_get(&user) == NULL); /* the frame was not touched */

        r = weft_context_run(ada, is_admin, NULL, NULL);
        assert(r == 0); /* nor was the first one */
        r = weft_context_run(admin, is_admin, NULL, NULL);
        assert(r == 1);

        weft_context_unref(ada);
        weft_context_unref(admin);
        return 0;
}
