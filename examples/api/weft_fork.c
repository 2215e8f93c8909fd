/* SPDX-License-Identifier: MIT
 *
 * The example of weft_fork(3).
 */
#include <assert.h>
#include <weft/weft.h>

struct part {
        const int *number;
        int count;
};

static int sum(void *arg)
{
        const struct part *whole = arg;
        if (whole->count == 1)
                return whole->number[0];
        int half = whole->count / 2;
        struct part left = {whole->number, half};
        struct part right = {whole->number + half, whole->count - half};
        weft_job job;
        weft_fork(&job, sum, &left); /* perhaps on another worker, meanwhile */
        int r = sum(&right);
        return weft_join(&job) + r; /* or here, now */
}

int main(void)
{
        static int number[1000];
        for (int i = 0; i < 1000; i++)
                number[i] = i;
        struct part whole = {number, 1000};
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, sum, &whole);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 499500);
        weft_task_unref(t);

        r = sum(&whole); /* outside pools it is a recursion like any other */
        assert(r == 499500);
        return 0;
}
