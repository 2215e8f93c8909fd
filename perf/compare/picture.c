/* SPDX-License-Identifier: MIT
 *
 * A trace as a picture: see picture.h.
 *
 * A bar is a stretch of a task between two waits. Its cap has the colour of the request that the
 * task works for, its body that of the request it found to be current: where scoping works, a bar
 * is of one colour.
 *
 * Time runs to the right, but not evenly: every stretch between two events is as wide as the square
 * root of its length, so that one long pause (somebody else had the processor) does not squeeze the
 * rest into a line. The order, and what ran at the same time, stay true.
 */
#include "picture.h"

#include <stdlib.h>

#include "share.h"
#include "terminal.h"

#define WIDTH 1120
#define LEFT  84 /* where the time axis begins */
#define RIGHT 12
#define TOP   8
#define LABEL 16 /* of a lane: room above its bars for what tasks do */
#define CAP   8
#define BODY  24
#define MARK  12 /* room below them for what is wrong */
#define WAIT  44 /* room below that for the waits, in a close-up */
#define GAP   10
#define TICK  4  /* room that a bar has at least */
#define SIGN  10 /* ... one of a request's task, which has a sign */
#define WORD  42 /* ... any in a close-up, which has a word */

const char *const picture_colours[PICTURE_REQUESTS + 1] = {
    "#ffffff", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d46",
};

/* The axis: x at each moment at which a span begins or ends, in their order. */
struct moment {
        int64_t at;
        double x;
        double room; /* that what ends here has at least */
};

struct axis {
        struct moment *moments;
        size_t count;
};

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

static int by_time(const void *a, const void *b)
{
        int64_t x = ((const struct moment *)a)->at, y = ((const struct moment *)b)->at;
        return (x > y) - (x < y);
}

/* Newton's method; there is no need for libm here. */
static double square_root(double value)
{
        double root = value > 1 ? value : 1;
        for (int i = 0; i < 40; i++)
                root = (root + value / root) / 2;
        return root;
}

/* Sort, and make one of those at the same time. */
static void axis_order(struct axis *axis)
{
        size_t kept = 0;
        qsort(axis->moments, axis->count, sizeof(*axis->moments), by_time);
        for (size_t i = 1; i < axis->count; i++) {
                if (axis->moments[i].at == axis->moments[kept].at)
                        axis->moments[kept].room += axis->moments[i].room;
                else
                        axis->moments[++kept] = axis->moments[i];
        }
        axis->count = kept + 1;
}

/* Lay the moments out between LEFT and the right edge: what is not taken by signs goes to the time
 * between them. */
static void axis_lay_out(struct axis *axis)
{
        double length = 0, room = WIDTH - LEFT - RIGHT;
        for (size_t i = 1; i < axis->count; i++) {
                length += square_root((double)(axis->moments[i].at - axis->moments[i - 1].at));
                room -= axis->moments[i].room;
        }
        axis->moments[0].x = LEFT;
        for (size_t i = 1; i < axis->count; i++) {
                struct moment *moment = &axis->moments[i];
                double stretch = square_root((double)(moment->at - moment[-1].at));
                moment->x = moment[-1].x + stretch * room / length + moment->room;
        }
}

static double least_room(const struct span *span, bool close_up)
{
        if (close_up)
                return WORD;
        return span_of_request(span) ? SIGN : TICK;
}

static int axis_init(struct axis *axis, const struct trace *trace, bool close_up)
{
        size_t spans = span_count(trace);
        axis->count = 2 * spans;
        axis->moments = calloc(axis->count + 1, sizeof(*axis->moments));
        if (!axis->moments)
                return complain("out of memory");
        for (size_t i = 0; i < spans; i++) {
                const struct span *span = &trace->spans[i];
                axis->moments[2 * i] = (struct moment){.at = span->begin};
                axis->moments[2 * i + 1] =
                    (struct moment){.at = span->end, .room = least_room(span, close_up)};
        }
        axis_order(axis);
        axis_lay_out(axis);
        return 0;
}

static double axis_x(const struct axis *axis, int64_t at)
{
        struct moment key = {.at = at};
        const struct moment *found =
            bsearch(&key, axis->moments, axis->count, sizeof(*axis->moments), by_time);
        return found->x;
}

struct drawing {
        const struct trace *trace;
        struct axis axis;
        bool close_up;
        FILE *to;
};

/* The upper edge of a lane's bars. */
static int lane_y(const struct drawing *d, unsigned lane)
{
        int height = LABEL + CAP + BODY + MARK + GAP + (d->close_up ? WAIT : 0);
        return TOP + (int)lane * height + LABEL;
}

static void write_tip(const struct span *span, FILE *to)
{
        static const char *const did[SPAN_KINDS] = {
            [SPAN_BEGIN] = "begins its transaction",
            [SPAN_SUBMIT] = "submits its files' tasks",
            [SPAN_ANSWER] = "answers its client",
            [SPAN_END] = "ends its transaction",
            [SPAN_READ] = "a file's task, has the file read",
            [SPAN_INSERT] = "a file's task, inserts a row",
        };
        fprintf(to, "<title>request %d: %s; found ", span->whose, did[span->kind]);
        if (span->found)
                fprintf(to, "request %d</title>", span->found);
        else
                fputs("no request</title>", to);
}

static void write_bar(const struct drawing *d, const struct span *span)
{
        double x = axis_x(&d->axis, span->begin);
        double width = axis_x(&d->axis, span->end) - x;
        int y = lane_y(d, span->lane);
        bool wrong = span->found != span->whose;
        if (width > 2)
                width -= 0.6; /* a seam between neighbours */
        else if (width < 1.4)
                width = 1.4;

        fputs("<g>", d->to);
        write_tip(span, d->to);
        fprintf(d->to, "<rect class=\"r%d\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                span->whose, x, y, width, CAP);
        fprintf(d->to, "<rect class=\"r%d%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                span->found, wrong ? " bled" : "", x, y + CAP, width, BODY);
        if (wrong)
                fprintf(d->to, "<path class=\"mark\" d=\"M%.1f %dl4 8h-8z\"/>", x + width / 2,
                        y + CAP + BODY + 3);
        fputs("</g>\n", d->to);
}

static double middle_of(const struct drawing *d, const struct span *span)
{
        return (axis_x(&d->axis, span->begin) + axis_x(&d->axis, span->end)) / 2;
}

/* What a request does in its turn, above the bar. */
static void write_sign(const struct drawing *d, const struct span *span)
{
        static const char *const signs[SPAN_KINDS] = {
            [SPAN_BEGIN] = "▸", [SPAN_SUBMIT] = "⋮", [SPAN_ANSWER] = "•", [SPAN_END] = "✓"};
        if (!span_of_request(span))
                return;
        bool undone = span->kind == SPAN_END && share_rolls_back(span->whose);
        fprintf(d->to, "<text class=\"sign\" x=\"%.1f\" y=\"%d\">%s</text>\n", middle_of(d, span),
                lane_y(d, span->lane) - 4, undone ? "↶" : signs[span->kind]);
}

/* What a task does, above the bar, and in it the request that it found. */
static void write_word(const struct drawing *d, const struct span *span)
{
        static const char *const words[SPAN_KINDS] = {
            [SPAN_BEGIN] = "begin", [SPAN_SUBMIT] = "submit", [SPAN_ANSWER] = "answer",
            [SPAN_END] = "commit",  [SPAN_READ] = "read",     [SPAN_INSERT] = "insert",
        };
        bool undone = span->kind == SPAN_END && share_rolls_back(span->whose);
        fprintf(d->to, "<text class=\"sign\" x=\"%.1f\" y=\"%d\">%s</text>\n", middle_of(d, span),
                lane_y(d, span->lane) - 4, undone ? "undo" : words[span->kind]);
        fprintf(d->to, "<text class=\"found\" x=\"%.1f\" y=\"%d\">", middle_of(d, span),
                lane_y(d, span->lane) + CAP + BODY - 8);
        if (span->found)
                fprintf(d->to, "%d</text>\n", span->found);
        else
                fputs("–</text>\n", d->to);
}

/* The next stretch of the same task, or NULL. */
static const struct span *next_of(const struct trace *trace, const struct span *span)
{
        const struct span *next = NULL;
        for (size_t i = 0; i < span_count(trace); i++) {
                const struct span *other = &trace->spans[i];
                if (other->task == span->task && other->begin >= span->end &&
                    (!next || other->begin < next->begin))
                        next = other;
        }
        return next;
}

/* From where a task parks to where it goes on: the further, the deeper. */
static void write_wait(const struct drawing *d, const struct span *span)
{
        const struct span *next = next_of(d->trace, span);
        if (!next)
                return;
        double from = axis_x(&d->axis, span->end) - 2, to = axis_x(&d->axis, next->begin) + 2;
        double depth = 8 + (to - from) * 2 * WAIT / WIDTH;
        if (depth > WAIT - 4)
                depth = WAIT - 4;
        fprintf(d->to, "<path class=\"w%d\" d=\"M%.1f %dC%.1f %.1f %.1f %.1f %.1f %d\"/>\n",
                span->whose, from, lane_y(d, span->lane) + CAP + BODY + MARK, from,
                lane_y(d, span->lane) + CAP + BODY + MARK + depth * 4 / 3, to,
                lane_y(d, next->lane) + CAP + BODY + MARK + depth * 4 / 3, to,
                lane_y(d, next->lane) + CAP + BODY + MARK);
}

static void write_lane(const struct drawing *d, unsigned lane)
{
        int y = lane_y(d, lane);
        fprintf(d->to, "<text class=\"lane\" x=\"0\" y=\"%d\">worker %u</text>\n",
                y + CAP + BODY / 2, lane);
        fprintf(d->to, "<rect class=\"rail\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                LEFT, y, WIDTH - LEFT - RIGHT, CAP + BODY);
}

int picture_write(const struct trace *trace, const char *title, bool close_up, FILE *to)
{
        struct drawing d = {.trace = trace, .close_up = close_up, .to = to};
        if (axis_init(&d.axis, trace, close_up) < 0)
                return -1;
        fprintf(to, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"timeline: %s\">\n", WIDTH,
                lane_y(&d, trace->lanes) - LABEL, title);
        for (unsigned lane = 0; lane < trace->lanes; lane++)
                write_lane(&d, lane);
        for (size_t i = 0; i < span_count(trace); i++) {
                write_bar(&d, &trace->spans[i]);
                if (close_up) {
                        write_word(&d, &trace->spans[i]);
                        write_wait(&d, &trace->spans[i]);
                } else {
                        write_sign(&d, &trace->spans[i]);
                }
        }
        fputs("</svg>\n", to);
        free(d.axis.moments);
        return 0;
}
