/* SPDX-License-Identifier: MIT
 *
 * Forks and joins, and what must be found, instrumented as the library is (see cases.h).
 */
#include "cases.h"

#include <stdatomic.h>

void fork_and_join(long times)
{
        for (long i = 0; i < times; i++) {
                weft_job job;
                weft_fork(&job, tick, NULL);
                must(weft_join(&job) == 0);
        }
}

WEFT_JOB_OF(fib_job, long, fork_fib, int)

long fork_fib(int n)
{
        if (n < 2)
                return 0;
        fib_job job;
        fib_job_fork(&job, n - 1);
        long here = fork_fib(n - 2);
        return 1 + here + fib_job_join(&job);
}

void fork_all(long jobs, weft_fn *fn)
{
        enum { MOST = 128 };
        weft_job job[MOST];
        must(jobs <= MOST);
        for (long i = 0; i < jobs; i++)
                weft_fork(&job[i], fn, NULL);
        for (long i = jobs; i-- > 0;)
                must(weft_join(&job[i]) == 0);
}

void write_to_each(long times, unsigned n)
{
        enum { MOST = 64 };
        static struct {
                _Alignas(64) atomic_long n;
        } counter[MOST];
        must(n <= MOST);
        for (long i = 0; i < times; i++)
                for (unsigned k = 0; k < n; k++)
                        atomic_fetch_add(&counter[k].n, 1);
}
