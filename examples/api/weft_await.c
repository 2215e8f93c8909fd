/* SPDX-License-Identifier: MIT
 *
 * The example of weft_await(3).
 */
#include <assert.h>
#include <weft/weft.h>

static weft_event go; /* zeroed: not set */

static int answer(void *number)
{
        int r = weft_event_wait(&go, WEFT_FOREVER);
        return r < 0 ? r : *(const int *)number;
}

int main(void)
{
        static int number = 42;
        int result = 0;
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, answer, &number);
        assert(r == 0);

        r = weft_await(t, weft_now() + 1000000); /* 1 ms, at most */
        assert(r == -ETIMEDOUT);
        r = weft_task_result(t, &result);
        assert(r == -EINPROGRESS);

        weft_event_set(&go);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 42);
        r = weft_await(t, 0); /* again: what there is at once is given */
        assert(r == 42);
        r = weft_task_result(t, &result);
        assert(r == 0 && result == 42);
        weft_task_unref(t);
        return 0;
}
