/* SPDX-License-Identifier: MIT
 *
 * A trace as a picture: see picture.h.
 *
 * A bar is a stretch of a task between two waits. Its cap has the colour of the request that the
 * task works for, its body that of the request it found to be current: where scoping works, a bar
 * is of one colour.
 */
#include "picture.h"

#include <stdlib.h>

#include "pool/timeline.h"

#include "share.h"
#include "terminal.h"

_Static_assert((int)PICTURE_REQUESTS == (int)WEFT__TIMELINE_COLOURS, "a colour for each request");

static size_t span_count(const struct trace *trace)
{
        size_t count =
            atomic_load_explicit(&trace->count, memory_order_relaxed); /* relaxed: all is over */
        return count < trace->room ? count : trace->room;
}

size_t picture_readings(const struct trace *trace)
{
        return span_count(trace);
}

size_t picture_wrong(const struct trace *trace)
{
        size_t wrong = 0;
        for (size_t i = 0; i < span_count(trace); i++)
                wrong += trace->spans[i].found != trace->spans[i].whose;
        return wrong;
}

static void write_tip(const struct weft__timeline_bar *bar, FILE *to)
{
        static const char *const did[SPAN_KINDS] = {
            [SPAN_BEGIN] = "begins its transaction",
            [SPAN_SUBMIT] = "submits its files' tasks",
            [SPAN_ANSWER] = "answers its client",
            [SPAN_END] = "ends its transaction",
            [SPAN_READ] = "a file's task, has the file read",
            [SPAN_INSERT] = "a file's task, inserts a row",
        };
        const struct span *span = bar->of;
        fprintf(to, "request %d: %s; found ", span->whose, did[span->kind]);
        if (span->found)
                fprintf(to, "request %d", span->found);
        else
                fputs("no request", to);
}

/* What a request does in its turn, above the bar; in a close-up what any task does. */
static const char *above(const struct span *span, bool close_up)
{
        static const char *const signs[SPAN_KINDS] = {
            [SPAN_BEGIN] = "▸", [SPAN_SUBMIT] = "⋮", [SPAN_ANSWER] = "•", [SPAN_END] = "✓"};
        static const char *const words[SPAN_KINDS] = {
            [SPAN_BEGIN] = "begin", [SPAN_SUBMIT] = "submit", [SPAN_ANSWER] = "answer",
            [SPAN_END] = "commit",  [SPAN_READ] = "read",     [SPAN_INSERT] = "insert",
        };
        bool undone = span->kind == SPAN_END && share_rolls_back(span->whose);
        if (close_up)
                return undone ? "undo" : words[span->kind];
        return undone ? "↶" : signs[span->kind];
}

static unsigned room_of(const struct span *span, bool close_up)
{
        if (close_up)
                return WEFT__TIMELINE_WORD;
        return span_of_request(span) ? WEFT__TIMELINE_SIGN : WEFT__TIMELINE_TICK;
}

static struct weft__timeline_bar bar_of(const struct span *span, bool close_up)
{
        static const char *const numbers[PICTURE_REQUESTS + 1] = {"–", "1", "2", "3",
                                                                  "4", "5", "6"};
        return (struct weft__timeline_bar){
            .begin = span->begin,
            .end = span->end,
            .lane = span->lane,
            .cap = (unsigned)span->whose,
            .body = (unsigned)span->found,
            .line = (unsigned)span->whose,
            .marked = span->found != span->whose,
            .room = room_of(span, close_up),
            .task = span->task + 1,
            .above = above(span, close_up),
            .in = close_up ? numbers[span->found] : NULL,
            .tip = write_tip,
            .of = span,
        };
}

int picture_write(const struct trace *trace, const char *title, bool close_up, FILE *to)
{
        size_t count = span_count(trace);
        struct weft__timeline_bar *bars = calloc(count + 1, sizeof(*bars));
        if (!bars)
                return complain("out of memory");
        for (size_t i = 0; i < count; i++)
                bars[i] = bar_of(&trace->spans[i], close_up);
        const struct weft__timeline timeline = {.title = title,
                                                .lane = "worker",
                                                .bars = bars,
                                                .count = count,
                                                .lanes = trace->lanes,
                                                .waits = close_up};
        int r = weft__timeline_write(&timeline, to);
        free(bars);
        return r < 0 ? complain("out of memory") : 0;
}
