/* SPDX-License-Identifier: MIT
 *
 * All that can be run: the tables of cases, and each comparison with each number of workers.
 */
#include "rivals.h"

#include <string.h>

#define ITEMS_MOST   192
#define MATCHES_MOST 96

static const struct bench_case *const tables[] = {
    bench_var_cases,   bench_shared_cases,  bench_submit_cases, bench_task_cases,
    bench_fork_cases,  bench_park_cases,    bench_switch_cases, bench_wake_cases,
    bench_timer_cases, bench_inherit_cases, bench_memory_cases,
};

static struct bench_item item[ITEMS_MOST];
static struct bench_match match[MATCHES_MOST];

static struct bench_item *add(struct bench_plan *p, const char *name, const char *what)
{
        bench_must(p->n < ITEMS_MOST, "have so many cases");
        struct bench_item *i = &p->item[p->n++];
        *i = (struct bench_item){.name = name, .what = what};
        return i;
}

static void add_cases(struct bench_plan *p, const struct bench_case *c, bool on_request)
{
        for (; c && c->name; c++) {
                struct bench_item *i = add(p, c->name, c->what);
                i->result.c = c;
                i->on_request = on_request;
        }
}

static void add_contest(struct bench_plan *p, const struct bench_contest *c)
{
        static const unsigned usual[] = {1, 2, 0};
        static size_t matches;
        for (const unsigned *w = c->workers[0] ? c->workers : usual; *w; w++) {
                bench_must(matches < MATCHES_MOST, "have so many comparisons");
                struct bench_match *m = &match[matches++];
                bench_match_init(m, c, *w);
                struct bench_item *i = add(p, m->name, c->what);
                i->match = m;
                i->on_request = true;
        }
}

void bench_plan_init(struct bench_plan *p)
{
        *p = (struct bench_plan){.item = item};
        for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
                add_cases(p, tables[t], false);
        for (const struct bench_contest *c = bench_contests; c->name; c++)
                add_contest(p, c);
        add_cases(p, bench_grow_cases, true); /* last: they make many vars, for good */
}

bool bench_plan_want(struct bench_plan *p, const char *name)
{
        size_t length = strlen(name);
        bool found = false;
        for (size_t i = 0; i < p->n; i++) {
                const char *its = p->item[i].name;
                if (!strncmp(name, its, length) && (its[length] == 0 || its[length] == '/'))
                        found = p->item[i].wanted = true;
        }
        return found;
}

void bench_plan_want_usual(struct bench_plan *p)
{
        for (size_t i = 0; i < p->n; i++)
                p->item[i].wanted |= !p->item[i].on_request;
}
