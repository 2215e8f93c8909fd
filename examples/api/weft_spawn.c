/* SPDX-License-Identifier: MIT
 *
 * The example of weft_spawn(3).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static int fib(void *arg)
{
        int n = *(const int *)arg, smaller = n - 1, smallest = n - 2;
        if (n < 2)
                return n;
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, fib, &smaller); /* into this task's pool */
        if (r < 0)
                return r;
        int other = fib(&smallest);
        r = weft_await(t, WEFT_FOREVER); /* parks this task, blocks nobody */
        weft_task_unref(t);
        return r < 0 ? r : r + other;
}

static int length(void *args)
{
        return (int)strlen(*(char **)args);
}

static void free_text(void *args)
{
        free(*(char **)args);
}

int main(void)
{
        int n = 15;
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, fib, &n);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 610);
        weft_task_unref(t);

        char *text = strdup("twelve bytes");
        r = weft_spawn_closure(NULL, &t, length, &text, sizeof(text), free_text);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER); /* it has been freed by now */
        assert(r == 12);
        weft_task_unref(t);
        return 0;
}
