/* SPDX-License-Identifier: MIT
 *
 * A trace as a picture: see picture.h.
 *
 * A bar is a stretch of a task. Its cap has the colour of the request that the task works for, its
 * body that of the request it found to be current: where scoping works, a bar is of one colour.
 *
 * Time runs to the right, but not evenly: every stretch between two events is as wide as the square
 * root of its length, so that one long pause (somebody else had the processor) does not squeeze the
 * rest into a line. The order, and what ran at the same time, stay true.
 */
#include "picture.h"

#include <stdbool.h>
#include <stdlib.h>

#include "share.h"
#include "terminal.h"

#define WIDTH 1120
#define LEFT  84 /* where the time axis begins */
#define RIGHT 12
#define TOP   8
#define LABEL 16 /* of a lane: room above its bars for what requests do */
#define CAP   8
#define BODY  24
#define MARK  12 /* room below them for what is wrong */
#define SIGN  11 /* room that a request's turn has at least */
#define LANE  (LABEL + CAP + BODY + MARK + 10)

const char *const picture_colours[PICTURE_REQUESTS + 1] = {
    "#ffffff", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d46",
};

/* The axis: x at each moment at which a span begins or ends, in their order. */
struct moment {
        int64_t at;
        double x;
        bool widened; /* a request's turn ends here: it gets room for its sign */
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
                        axis->moments[kept].widened |= axis->moments[i].widened;
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
                room -= axis->moments[i].widened ? SIGN : 0;
        }
        axis->moments[0].x = LEFT;
        for (size_t i = 1; i < axis->count; i++) {
                struct moment *moment = &axis->moments[i];
                double stretch = square_root((double)(moment->at - moment[-1].at));
                moment->x = moment[-1].x + stretch * room / length + (moment->widened ? SIGN : 0);
        }
}

static int axis_init(struct axis *axis, const struct trace *trace)
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
                    (struct moment){.at = span->end, .widened = span->kind != SPAN_FILE};
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

static void write_tip(const struct span *span, FILE *to)
{
        static const char *const did[] = {
            [SPAN_OPEN] = "begins its transaction",
            [SPAN_SUBMIT] = "submits its files' tasks",
            [SPAN_END] = "ends its transaction",
            [SPAN_FILE] = "a file's task",
        };
        fprintf(to, "<title>request %d: %s; found ", span->whose, did[span->kind]);
        if (span->found)
                fprintf(to, "request %d</title>", span->found);
        else
                fputs("no request</title>", to);
}

static void write_bar(const struct span *span, const struct axis *axis, FILE *to)
{
        double x = axis_x(axis, span->begin);
        double width = axis_x(axis, span->end) - x;
        int y = TOP + (int)span->lane * LANE + LABEL;
        bool wrong = span->found != span->whose;
        if (width > 2)
                width -= 0.6; /* a seam between neighbours */
        else if (width < 1.4)
                width = 1.4;

        fputs("<g>", to);
        write_tip(span, to);
        fprintf(to, "<rect class=\"r%d\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                span->whose, x, y, width, CAP);
        fprintf(to, "<rect class=\"r%d%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                span->found, wrong ? " bled" : "", x, y + CAP, width, BODY);
        if (wrong)
                fprintf(to, "<path class=\"mark\" d=\"M%.1f %dl4 8h-8z\"/>", x + width / 2,
                        y + CAP + BODY + 3);
        fputs("</g>\n", to);
}

/* What a request does in its turn, above the bar. */
static void write_sign(const struct span *span, const struct axis *axis, FILE *to)
{
        const char *sign = span->kind == SPAN_OPEN ? "▸" : "⋮";
        if (span->kind == SPAN_END)
                sign = share_rolls_back(span->whose) ? "↶" : "✓";
        fprintf(to, "<text class=\"sign\" x=\"%.1f\" y=\"%d\">%s</text>\n",
                (axis_x(axis, span->begin) + axis_x(axis, span->end)) / 2,
                TOP + (int)span->lane * LANE + LABEL - 4, sign);
}

int picture_write(const struct trace *trace, const char *title, FILE *to)
{
        struct axis axis;
        unsigned lanes = trace->lanes;
        if (axis_init(&axis, trace) < 0)
                return -1;
        fprintf(to, "<svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"timeline: %s\">\n", WIDTH,
                TOP + lanes * LANE, title);
        for (unsigned lane = 0; lane < lanes; lane++) {
                unsigned y = TOP + lane * LANE + LABEL;
                fprintf(to, "<text class=\"lane\" x=\"0\" y=\"%u\">worker %u</text>\n",
                        y + CAP + BODY / 2, lane);
                fprintf(to, "<rect class=\"rail\" x=\"%d\" y=\"%u\" width=\"%d\" height=\"%d\"/>\n",
                        LEFT, y, WIDTH - LEFT - RIGHT, CAP + BODY);
        }
        for (size_t i = 0; i < span_count(trace); i++) {
                write_bar(&trace->spans[i], &axis, to);
                if (trace->spans[i].kind != SPAN_FILE)
                        write_sign(&trace->spans[i], &axis, to);
        }
        fputs("</svg>\n", to);
        free(axis.moments);
        return 0;
}
