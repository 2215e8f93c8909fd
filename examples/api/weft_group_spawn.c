/* SPDX-License-Identifier: MIT
 *
 * The example of weft_group_spawn(3).
 */
#include <assert.h>
#include <stdatomic.h>
#include <weft/weft.h>

static atomic_int sum, dropped;

static int square(void *number)
{
        int n = *(const int *)number;
        return n * n;
}

static int add(void *number)
{
        return atomic_fetch_add(&sum, *(const int *)number);
}

static void drop(void *number)
{
        atomic_fetch_add(&dropped, *(const int *)number);
}

int main(void)
{
        static int number[3] = {2, 3, 4};
        int result[3];
        weft_group group;
        int r = weft_group_init(&group, NULL);
        assert(r == 0);
        for (int i = 0; i < 3; i++) {
                r = weft_group_spawn(&group, add, &number[i]);
                assert(r == 0);
                r = weft_group_spawn_closure(&group, add, &i, sizeof(i), drop);
                assert(r == 0); /* i was copied */
                r = weft_group_spawn_into(&group, &result[i], square, &number[i]);
                assert(r == 0);
        }
        r = weft_group_wait(&group, WEFT_FOREVER);
        assert(r == 0 && sum == 2 + 3 + 4 + 0 + 1 + 2 && dropped == 3);
        assert(result[0] == 4 && result[1] == 9 && result[2] == 16);
        weft_group_fini(&group);
        return 0;
}
