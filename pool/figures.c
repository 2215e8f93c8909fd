/* SPDX-License-Identifier: MIT
 *
 * The figures of all pools, as text, JSON and in Prometheus' exposition format (see weft/see.h).
 *
 * They are copied while the list of pools is held, and written when it is not: a stream may block.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <weft/see.h>

#include "pools.h"
#include "text.h"
#include "worker.h"

struct figures {
        char name[16];
        unsigned number, workers;
        struct weft_pool_stats stats;
};

struct list {
        struct figures *pool;
        size_t count;
};

/* ---- copying ---- */

static size_t count_pools(void)
{
        size_t n = 0;
        for (weft_pool *pool = weft__pools_next(NULL); pool; pool = weft__pools_next(pool))
                n++;
        return n;
}

static void copy_figures(weft_pool *pool, struct figures *to)
{
        memcpy(to->name, pool->name, sizeof(to->name));
        to->number = pool->number;
        to->workers = pool->workers;
        to->stats = (struct weft_pool_stats){.size = sizeof(to->stats)};
        weft_pool_stats(pool, &to->stats);
}

/* All pools, the oldest first; false if there is no memory. */
static bool copy_all(struct list *ret)
{
        *ret = (struct list){NULL, 0};
        weft__pools_hold();
        size_t n = count_pools();
        if (n)
                ret->pool = weft__alloc(n * sizeof(*ret->pool));
        if (ret->pool) {
                ret->count = n;
                for (weft_pool *pool = weft__pools_next(NULL); pool; pool = weft__pools_next(pool))
                        copy_figures(pool, &ret->pool[--n]);
        }
        weft__pools_let_go();
        return ret->count || !n;
}

/* ---- writing ---- */

static const struct figure {
        const char *name;   /* as text, and in JSON */
        const char *metric; /* for Prometheus */
        const char *help;
        size_t at;
} figures[] = {
#define FIGURE(name, metric, help)                                                                 \
        {                                                                                          \
#name, metric, help, offsetof(struct weft_pool_stats, name)                        \
        }
    FIGURE(submitted, "weft_tasks_submitted_total", "Tasks accepted."),
    FIGURE(run, "weft_tasks_run_total", "Tasks whose function has returned."),
    FIGURE(cancelled, "weft_tasks_cancelled_total", "Tasks that ended without being started."),
    FIGURE(queued, "weft_tasks_queued", "Tasks accepted and not started."),
    FIGURE(stolen, "weft_tasks_stolen_total", "Tasks taken from another worker's queue."),
    FIGURE(injected, "weft_tasks_injected_total", "Tasks taken from the outsiders' queue."),
    FIGURE(parked, "weft_task_waits_total", "Times that a task waited and its worker went on."),
    FIGURE(woken, "weft_worker_wakeups_total", "Times that a sleeping worker was woken for work."),
    FIGURE(missed, "weft_worker_wakeups_missed_total",
           "Wake-ups that were missing: a bug of weft."),
#undef FIGURE
};
enum { FIGURES = sizeof(figures) / sizeof(*figures) };

static uint64_t value_of(const struct figures *pool, const struct figure *figure)
{
        return *(const uint64_t *)((const char *)&pool->stats + figure->at);
}

static void write_text(FILE *to, const struct list *all)
{
        for (const struct figures *pool = all->pool; pool < all->pool + all->count; pool++) {
                fprintf(to, "pool %u ", pool->number);
                weft__text_json(pool->name, to);
                fprintf(to, ": %u workers", pool->workers);
                for (size_t k = 0; k < FIGURES; k++)
                        fprintf(to, ", %" PRIu64 " %s", value_of(pool, &figures[k]),
                                figures[k].name);
                putc('\n', to);
        }
}

static void write_json(FILE *to, const struct list *all)
{
        fprintf(to, "{\"pools\":[");
        for (const struct figures *pool = all->pool; pool < all->pool + all->count; pool++) {
                fprintf(to, "%s\n{\"id\":%u,\"name\":", pool == all->pool ? "" : ",", pool->number);
                weft__text_json(pool->name, to);
                fprintf(to, ",\"workers\":%u", pool->workers);
                for (size_t k = 0; k < FIGURES; k++)
                        fprintf(to, ",\"%s\":%" PRIu64, figures[k].name,
                                value_of(pool, &figures[k]));
                putc('}', to);
        }
        fprintf(to, "\n]}\n");
}

/* All samples of a metric stand together, below what it is. */
static void head(FILE *to, const char *metric, const char *help)
{
        size_t n = strlen(metric);
        bool total = n > 6 && strcmp(metric + n - 6, "_total") == 0;
        fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric,
                total ? "counter" : "gauge");
}

static void sample(FILE *to, const char *metric, const struct figures *pool, uint64_t value)
{
        fprintf(to, "%s{pool=", metric);
        weft__text_json(pool->name, to);
        fprintf(to, ",id=\"%u\"} %" PRIu64 "\n", pool->number, value);
}

static void write_prometheus(FILE *to, const struct list *all)
{
        head(to, "weft_workers", "Worker threads.");
        for (size_t i = 0; i < all->count; i++)
                sample(to, "weft_workers", &all->pool[i], all->pool[i].workers);
        for (const struct figure *f = figures; f < figures + FIGURES; f++) {
                head(to, f->metric, f->help);
                for (size_t i = 0; i < all->count; i++)
                        sample(to, f->metric, &all->pool[i], value_of(&all->pool[i], f));
        }
}

int weft_stats_write(FILE *to, weft_stats_format format)
{
        static void (*const writers[])(FILE *, const struct list *) = {
            [WEFT_STATS_TEXT] = write_text,
            [WEFT_STATS_JSON] = write_json,
            [WEFT_STATS_PROMETHEUS] = write_prometheus};
        struct list all;
        if (!to || format > WEFT_STATS_PROMETHEUS)
                return -EINVAL;
        if (!copy_all(&all))
                return -ENOMEM;
        struct weft__kept kept = weft__keep();
        writers[format](to, &all);
        int r = fflush(to) != 0 || ferror(to) ? -EIO : 0;
        weft__give_back(kept);
        if (all.pool)
                weft__free(all.pool, all.count * sizeof(*all.pool));
        return r;
}
