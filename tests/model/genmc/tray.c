/* SPDX-License-Identifier: MIT
 *
 * The tray: each item that is filled in is taken once, by its owner or by a thief, whole.
 *
 *   CASE 1  two items, and two thieves
 *   CASE 2  a thief that steals twice, and the tray is filled anew
 */
#include "client.h"
#include "context/map.h"

#include "orders.h"
#include "pool/tray.c"
enum { ORDERS = __COUNTER__, CASES = 2 };

static int content[4], taken[4];
static weft__tray tray;

static void fill(int first, unsigned n)
{
        weft__item items[2];
        for (unsigned i = 0; i < n; i++) {
                content[first + i] = 1;
                items[i] = (weft__item){
                    .fn = NULL, .arg = &content[first + i], .context = (void *)&taken[first + i]};
        }
        weft__tray_fill(&tray, items, n);
}

static void got(const weft__item *item)
{
        int *it = item->arg;
        assert(*it == 1 && (int *)item->context == &taken[it - content]);
        taken[it - content]++;
}

static void *thief(void *times)
{
        weft__item item;
        for (intptr_t i = 0; i < (intptr_t)times; i++)
                if (weft__tray_steal(&tray, &item))
                        got(&item);
        return NULL;
}

static void empty(void)
{
        weft__item item;
        while (weft__tray_take(&tray, &item))
                got(&item);
}

int main(void)
{
        pthread_t first = start(thief, CASE == 1 ? 1 : 2);
        pthread_t second = CASE == 1 ? start(thief, 1) : first;
        fill(0, 2);
        empty();
        if (CASE == 2) {
                fill(2, 1);
                empty();
        }
        join(first);
        if (second != first)
                join(second);
        empty();
        for (int i = 0; i < (CASE == 1 ? 2 : 3); i++)
                assert(taken[i] == 1);
        return 0;
}
