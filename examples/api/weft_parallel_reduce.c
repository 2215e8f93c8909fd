/* SPDX-License-Identifier: MIT
 *
 * The example of weft_parallel_reduce(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int sum(size_t from, size_t to, void *partial, void *arg)
{
        for (size_t i = from; i < to; i++)
                *(long *)partial += ((const int *)arg)[i];
        return 0;
}

static void add(void *left, const void *right, void *arg)
{
        (void)arg;
        *(long *)left += *(const long *)right;
}

int main(void)
{
        static int number[10000];
        for (int i = 0; i < 10000; i++)
                number[i] = i;
        long total = 0; /* neutral */
        int r = weft_parallel_reduce(NULL, 0, 10000, 0, sum, add, &total, sizeof(total), number);
        assert(r == 0 && total == 49995000);
        return 0;
}
