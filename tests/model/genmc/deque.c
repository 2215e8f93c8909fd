/* SPDX-License-Identifier: MIT
 *
 * The deque: each item is taken once, with what was written before it was pushed.
 *
 *   CASE 1  two pushes, two pops, and a thief that steals twice
 *   CASE 2  the same with two thieves
 *   CASE 3  the array grows under two thieves
 *   CASE 4  a slot is written again when its item has been stolen
 */
#include "client.h"

#include "orders.h"
#include "pool/deque.c"
enum { ORDERS = __COUNTER__, CASES = 4 };

enum { ITEMS = CASE <= 2 ? 2 : 3 };

static struct item {
        int content, taken; /* plain: two who take one race */
} item[ITEMS];

static weft__deque deque;

static void push(int i)
{
        item[i].content = i + 1;
        assert(weft__deque_push(&deque, (struct weft_task *)&item[i]));
}

static void take(struct weft_task *task)
{
        struct item *it = (struct item *)task;
        if (!it)
                return;
        assert(it->content == it - item + 1);
        it->taken++;
}

static void *thief(void *times)
{
        for (intptr_t i = 0; i < (intptr_t)times; i++)
                take(weft__deque_steal(&deque));
        return NULL;
}

int main(void)
{
        assert(weft__deque_init(&deque) == 0);
        if (CASE == 4) {
                push(0);
                push(1);
        }
        pthread_t first = start(thief, CASE == 1 ? 2 : 1);
        pthread_t second = CASE == 2 || CASE == 3 ? start(thief, 1) : first;
        if (CASE != 4) {
                push(0);
                push(1);
        }
        if (CASE >= 3)
                push(2);
        take(weft__deque_pop(&deque));
        if (CASE <= 2)
                take(weft__deque_pop(&deque));
        join(first);
        if (second != first)
                join(second);
        for (int i = 0; i < ITEMS; i++)
                take(weft__deque_pop(&deque));
        for (int i = 0; i < ITEMS; i++)
                assert(item[i].taken == 1);
        weft__deque_fini(&deque);
        return 0;
}
