/* SPDX-License-Identifier: MIT
 *
 * The example of weft_submit_block(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

int main(void)
{
        static weft_event greeted;
        static int right;
        const char *name = "ada";
        int numbers = 21;
        weft_task *t = NULL;
        int r = -ENOMEM;
        WEFT_WITH (&user, "ada")
                r = weft_submit_block(NULL, ^{
                  right = strcmp(weft_get(&user), name) == 0;
                  return weft_event_set(&greeted);
                });
        assert(r == 0);
        r = weft_event_wait(&greeted, WEFT_FOREVER);
        assert(r == 0 && right);

        r = weft_spawn_block(NULL, &t, ^{
          return 2 * numbers;
        });
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 42);
        weft_task_unref(t);
        return 0;
}
