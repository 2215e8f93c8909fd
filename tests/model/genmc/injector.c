/* SPDX-License-Identifier: MIT
 *
 * A lane of the injector, with its locks, on a futex that waits until the word is another: what is
 * put in is taken once, whole, and what one thread puts in comes out in its order.
 *
 *   CASE 1  two put into one lane, and one takes
 *   CASE 2  one puts in what needs two blocks, and two take
 *   CASE 3  a block that was emptied is used again
 */
#include "client.h"

#include "orders.h"
#include "pool/injector.c"
#include "pool/lock.c"
enum { ORDERS = __COUNTER__, CASES = 3 };
#include "futex.h"

enum { ITEMS = CASE == 1 ? 2 : CASE == 2 ? 3 : 5 };

static int content[ITEMS], taken[ITEMS];
static weft__injector injector;

static void put(int i)
{
        content[i] = 1;
        const weft__item item = {
            .fn = NULL, .arg = &content[i], .context = (weft_context *)&taken[i]};
        assert(weft__injector_put(&injector, 0, &item));
}

static unsigned take(unsigned n)
{
        weft__item items[3];
        unsigned turn = 0, got = weft__injector_take(&injector, &turn, items, n);
        for (unsigned i = 0; i < got; i++) {
                int *it = items[i].arg;
                assert(*it == 1 && (int *)items[i].context == &taken[it - content]);
                assert(i == 0 || CASE == 1 || it == (int *)items[i - 1].arg + 1);
                taken[it - content]++;
        }
        return got;
}

static void *taker(void *n)
{
        take((unsigned)(intptr_t)n);
        return NULL;
}

static void *putter(void *i)
{
        put((int)(intptr_t)i);
        return NULL;
}

int main(void)
{
        pthread_t first, second;
        weft__injector_init(&injector);
        if (CASE == 1) {
                first = start(putter, 0);
                second = start(putter, 1);
                take(2);
        } else if (CASE == 2) {
                put(0);
                first = start(taker, 2);
                second = start(taker, 2);
                put(1);
                put(2);
        } else {
                put(0);
                put(1);
                put(2);
                first = start(taker, 3);
                second = first;
                put(3);
                put(4);
        }
        join(first);
        if (second != first)
                join(second);
        while (take(3))
                ;
        for (int i = 0; i < ITEMS; i++)
                assert(taken[i] == 1);
        weft__injector_fini(&injector);
        return 0;
}
