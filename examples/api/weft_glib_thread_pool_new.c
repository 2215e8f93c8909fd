/* SPDX-License-Identifier: MIT
 *
 * The example of weft_glib_thread_pool_new(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/adapt/glib.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static void serve(gpointer name, gpointer right)
{
        if (strcmp(weft_get(&user), name) == 0)
                g_atomic_int_inc((gint *)right);
}

int main(void)
{
        gint right = 0;
        GThreadPool *pool = weft_glib_thread_pool_new(serve, &right, NULL, 2, FALSE, NULL);
        assert(pool != NULL);
        for (int i = 0; i < 50; i++) {
                gboolean pushed = FALSE;
                WEFT_WITH (&user, "ada")
                        pushed = weft_glib_thread_pool_push(pool, "ada", NULL);
                assert(pushed);
                WEFT_WITH (&user, "grace")
                        pushed = weft_glib_thread_pool_push(pool, "grace", NULL);
                assert(pushed);
        }
        weft_glib_thread_pool_free(pool, FALSE, TRUE); /* when they have been run */
        assert(right == 100);
        return 0;
}
