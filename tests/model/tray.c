/* SPDX-License-Identifier: MIT
 *
 * The tray: what its owner fills in is taken once, whole, by the owner or by a thief, with all that
 * was written before. In model builds it has two slots, so that they are soon filled anew.
 */
#include "checker/model.h"

#include "pool/tray.h"

enum { ITEMS = 6 };

static weft__tray tray;
static int content[ITEMS]; /* plain: written before it is filled in */
static int taken[ITEMS];   /* plain: by whoever took it */
static unsigned stolen;

static weft__item item(int i)
{
        content[i] = i + 1;
        return (weft__item){(weft_fn *)(uintptr_t)(0x1000 + i), &content[i],
                            (weft_context *)&taken[i]};
}

static void fill(int first, unsigned n)
{
        const weft__item items[] = {item(first), item(first + 1)};
        weft__tray_fill(&tray, items, n);
}

static void took(const weft__item *got)
{
        int i = (int)((int *)got->arg - content);
        model_check(i >= 0 && i < ITEMS && content[i] == i + 1);
        model_check((uintptr_t)got->fn == 0x1000u + (unsigned)i);
        model_check((int *)got->context == &taken[i]);
        taken[i]++;
}

/* The owner leaves none behind. */
static bool take(void)
{
        weft__item got;
        if (!weft__tray_take(&tray, &got))
                return false;
        took(&got);
        return true;
}

static void thief(void *times)
{
        for (intptr_t i = 0; i < (intptr_t)times; i++) {
                weft__item got;
                if (!weft__tray_steal(&tray, &got))
                        continue;
                took(&got);
                __atomic_fetch_add(&stolen, 1, __ATOMIC_RELAXED);
        }
}

static void begin(int thieves, int times)
{
        static const char *const name[] = {"thief 0", "thief 1"};
        model_name(&tray.next, sizeof(tray.next), "next");
        model_name(&tray.end, sizeof(tray.end), "end");
        for (int i = 0; i < thieves; i++)
                model_start(name[i], thief, (void *)(intptr_t)times);
}

static void end(int n)
{
        model_join_all();
        while (take())
                ;
        model_check(!weft__tray_has_some(&tray));
        model_seen(stolen);
        for (int i = 0; i < n; i++)
                model_check(taken[i] == 1);
}

MODEL(tray_the_last_one, .preemptions = 3, .stale = 3, .sees = 3)
{
        begin(1, 1);
        fill(0, 1);
        take();
        end(1);
}

MODEL(tray_two_thieves, .preemptions = 4, .stale = 3, .sees = 7)
{
        begin(2, 1);
        fill(0, 2);
        take();
        end(2);
}

/* Its slots are filled anew while a thief is about to take what was in them. */
MODEL(tray_is_filled_anew, .preemptions = 4, .stale = 4, .sees_some = 7)
{
        begin(1, 2);
        fill(0, 2);
        while (take())
                ;
        fill(2, 2);
        while (take())
                ;
        end(4);
}
