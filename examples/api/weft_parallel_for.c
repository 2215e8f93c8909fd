/* SPDX-License-Identifier: MIT
 *
 * The example of weft_parallel_for(3).
 */
#include <assert.h>
#include <weft/weft.h>

static int twice(size_t from, size_t to, void *arg)
{
        int *number = arg;
        for (size_t i = from; i < to; i++)
                number[i] *= 2;
        return 0;
}

static int fail_at_500(size_t from, size_t to, void *unused)
{
        (void)unused;
        return from <= 500 && 500 < to ? -EBADMSG : 0;
}

int main(void)
{
        static int number[10000];
        for (int i = 0; i < 10000; i++)
                number[i] = i;
        int r = weft_parallel_for(NULL, 0, 10000, 0, twice, number);
        assert(r == 0);
        for (int i = 0; i < 10000; i++)
                assert(number[i] == 2 * i);

        r = weft_parallel_for(NULL, 0, 10000, 10, fail_at_500, NULL);
        assert(r == -EBADMSG);
        return 0;
}
