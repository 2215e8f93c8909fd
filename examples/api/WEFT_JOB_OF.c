/* SPDX-License-Identifier: MIT
 *
 * The example of WEFT_JOB_OF(3).
 */
#include <assert.h>
#include <weft/weft.h>

static long fib(long n);
WEFT_JOB_OF(fib_job, long, fib, long)

static long fib(long n)
{
        if (n < 2)
                return n;
        fib_job a;
        fib_job_fork(&a, n - 1);
        long b = fib(n - 2);
        return fib_job_join(&a) + b;
}

static int in_task(void *result)
{
        *(long *)result = fib(25);
        return 0;
}

int main(void)
{
        long result = 0;
        weft_task *t = NULL;
        int r = weft_spawn(NULL, &t, in_task, &result);
        assert(r == 0);
        r = weft_await(t, WEFT_FOREVER);
        assert(r == 0 && result == 75025);
        weft_task_unref(t);
        return 0;
}
