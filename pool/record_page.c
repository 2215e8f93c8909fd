/* SPDX-License-Identifier: MIT
 *
 * A record as a page: the timeline of its last stretches, cut into strips that one can read. A bar
 * that goes on from one strip to the next is in both.
 *
 * Colours are those of values in the order in which they first appear, or without a var those of
 * functions; when there are more of them than colours they begin anew.
 */
#include <stdlib.h>
#include <string.h>

#include "context/internal.h"

#include "record.h"
#include "text.h"
#include "timeline.h"

enum {
        TEXT = 128,
        MOST = 3000,  /* stretches on a page */
        STRIP = 60,   /* bars in a strip, about */
        LEGEND = 24,  /* entries */
        VALUES = 256, /* that are told apart */
};

struct page {
        const weft_record *record;
        const weft__shown *shown; /* those that are on it */
        size_t count;
        char (*values)[TEXT]; /* in the order of their colours */
        size_t value_count;
        struct weft__timeline_bar *bars; /* of a strip */
        int64_t *moments;                /* of all begins and ends, in order */
        FILE *to;
};

/* ---- colours ---- */

static unsigned colour_of(struct page *page, const char *text)
{
        size_t i = 0;
        while (i < page->value_count && strcmp(page->values[i], text) != 0)
                i++;
        if (i == page->value_count && i < VALUES)
                snprintf(page->values[page->value_count++], TEXT, "%s", text);
        return 1 + (unsigned)(i % WEFT__TIMELINE_COLOURS);
}

static unsigned colour_of_tag(struct page *page, const weft__tag *tag)
{
        char text[TEXT];
        if (tag->kind == WEFT__TAG_UNSET)
                return 0;
        weft__record_value(tag, text, sizeof(text));
        return colour_of(page, text);
}

static unsigned colour_of_function(struct page *page, weft_fn *fn)
{
        char text[TEXT];
        weft__record_function(fn, text, sizeof(text));
        return colour_of(page, text);
}

/* ---- strips ---- */

static void write_ms(int64_t ns, FILE *to)
{
        fprintf(to, "%.3f ms", (double)ns / 1e6);
}

static void write_tip(const struct weft__timeline_bar *bar, FILE *to)
{
        const weft__stretch *s = bar->of;
        char text[TEXT];
        weft__record_function(s->fn, text, sizeof(text));
        weft__text_html(text, to);
        weft__record_value(&s->first, text, sizeof(text));
        fputs(": ", to);
        weft__text_html(text, to);
        if (bar->marked) {
                weft__record_value(&s->last, text, sizeof(text));
                fputs(", then ", to);
                weft__text_html(text, to);
        }
        fprintf(to, "; %s, ran for ", s->resumed ? "went on" : "started");
        write_ms(s->end - s->begin, to);
        fputs(s->ended ? ", ended" : ", waits", to);
}

static struct weft__timeline_bar bar_of(struct page *page, const weft__shown *shown)
{
        const weft__stretch *s = shown->stretch;
        bool var = page->record->var;
        unsigned function = var ? 0 : colour_of_function(page, s->fn);
        unsigned cap = var ? colour_of_tag(page, &s->first) : function;
        unsigned body = var ? colour_of_tag(page, &s->last) : function;
        return (struct weft__timeline_bar){
            .begin = s->begin,
            .end = s->end,
            .lane = shown->lane,
            .cap = cap,
            .body = body,
            .line = body,
            .marked = memcmp(&s->first, &s->last, sizeof(s->first)) != 0,
            .room = WEFT__TIMELINE_SIGN,
            .task = s->task + UINT64_C(1),
            .above = !s->resumed ? (s->ended ? "•" : "▸")
                     : s->ended  ? "✓"
                                 : NULL,
            .tip = write_tip,
            .of = s,
        };
}

/* What ran from one moment to another. */
static int write_strip(struct page *page, int64_t from, int64_t to)
{
        size_t n = 0;
        for (size_t i = 0; i < page->count; i++) {
                const weft__stretch *s = page->shown[i].stretch;
                if (s->begin >= to || s->end <= from)
                        continue;
                struct weft__timeline_bar *bar = &page->bars[n++];
                *bar = bar_of(page, &page->shown[i]);
                bar->begin = bar->begin < from ? from : bar->begin;
                bar->end = bar->end > to ? to : bar->end;
        }
        if (!n)
                return 0; /* nothing ran */
        fputs("<h3><span>from ", page->to);
        write_ms(from - page->record->began, page->to);
        fputs("</span><span class=\"quiet\">", page->to);
        write_ms(to - from, page->to);
        fputs("</span></h3>\n", page->to);
        const struct weft__timeline timeline = {.title = page->record->name,
                                                .lane = "worker",
                                                .bars = page->bars,
                                                .count = n,
                                                .lanes = page->record->workers,
                                                .waits = true};
        return weft__timeline_write(&timeline, page->to);
}

static int by_time(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

static int write_strips(struct page *page)
{
        size_t n = 2 * page->count;
        for (size_t i = 0; i < page->count; i++) {
                page->moments[2 * i] = page->shown[i].stretch->begin;
                page->moments[2 * i + 1] = page->shown[i].stretch->end;
        }
        qsort(page->moments, n, sizeof(*page->moments), by_time);
        for (size_t i = 0; i + 1 < n;) {
                size_t next = i + 2 * STRIP < n ? i + 2 * STRIP : n - 1;
                while (next < n - 1 && page->moments[next] == page->moments[i])
                        next++;
                int r = write_strip(page, page->moments[i], page->moments[next]);
                if (r < 0)
                        return r;
                i = next;
        }
        return 0;
}

/* ---- the page ---- */

static void write_head(const struct page *page, size_t count)
{
        const weft_record *record = page->record;
        FILE *to = page->to;
        uint64_t dropped = weft_record_dropped(record);
        fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
              "<title>what ran where</title>\n<style>\n",
              to);
        weft__timeline_style(to);
        fputs(".bad{color:#b3121d}\n</style>\n</head>\n<body>\n<h1>What ran where</h1>\n"
              "<p class=\"quiet\">",
              to);
        fprintf(to, "%zu stretches of tasks on the %u worker%s of the pool ", count,
                record->workers, record->workers == 1 ? "" : "s");
        weft__text_html(record->name, to);
        fputs(", in ", to);
        write_ms(record->stopped - record->began, to);
        fputs(".", to);
        if (page->count < count)
                fprintf(to, " The last %zu are shown.", page->count);
        fputs("</p>\n", to);
        if (dropped)
                fprintf(to, "<p class=\"bad\">%llu older ones were dropped.</p>\n",
                        (unsigned long long)dropped);
}

static void write_legend(const struct page *page)
{
        FILE *to = page->to;
        fputs("<p>Each lane is a worker, that is a thread, and each bar what it ran of one task "
              "without a break; the lines below are waits. Time runs to the right, with long "
              "stretches shortened. Colours are ",
              to);
        if (page->record->var) {
                fputs("the values of ", to);
                weft__text_html(page->record->var, to);
                fputs(": the cap of a bar has that with which it began, its body that with which "
                      "it ended. Bars without a colour had none.",
                      to);
        } else {
                fputs("functions.", to);
        }
        fputs("</p>\n<div class=\"legend quiet\">", to);
        for (size_t i = 0; i < page->value_count && i < LEGEND; i++)
                weft__timeline_sample(1 + (unsigned)(i % WEFT__TIMELINE_COLOURS), page->values[i],
                                      to);
        if (page->value_count > LEGEND)
                fputs("<span>and more, in the same colours</span>", to);
        if (page->record->var)
                weft__timeline_sample_mark("set on the way", to);
        fputs("<span>▸ starts</span><span>✓ ends</span><span>• both</span></div>\n", to);
}

/* The colours are given in the order of the bars, before the legend is written. */
static void give_colours(struct page *page)
{
        for (size_t i = 0; i < page->count; i++)
                bar_of(page, &page->shown[i]);
}

static int write_page(struct page *page, size_t count)
{
        size_t values = VALUES * sizeof(*page->values);
        size_t bars = (page->count + 1) * sizeof(*page->bars);
        size_t moments = (2 * page->count + 1) * sizeof(*page->moments);
        page->values = weft__alloc(values);
        page->bars = weft__alloc(bars);
        page->moments = weft__alloc(moments);
        int r = page->values && page->bars && page->moments ? 0 : -ENOMEM;
        if (r == 0) {
                give_colours(page);
                write_head(page, count);
                write_legend(page);
                r = write_strips(page);
                fputs("</body>\n</html>\n", page->to);
        }
        weft__free(page->values, values);
        weft__free(page->bars, bars);
        weft__free(page->moments, moments);
        return r;
}

int weft__record_page(const weft_record *record, FILE *to)
{
        size_t count, size;
        weft__shown *shown = weft__record_sort(record, &count, &size);
        if (!shown)
                return -ENOMEM;
        size_t skipped = count > MOST ? count - MOST : 0;
        struct page page = {
            .record = record, .shown = shown + skipped, .count = count - skipped, .to = to};
        int r = write_page(&page, count);
        weft__free(shown, size);
        return r;
}
