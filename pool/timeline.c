/* SPDX-License-Identifier: MIT
 *
 * A timeline as a picture: see timeline.h.
 *
 * Time runs to the right, but not evenly: every stretch between two events is as wide as the square
 * root of its length, so that one long pause (somebody else had the processor) does not squeeze the
 * rest into a line. The order, and what ran at the same time, stay true.
 */
#include "timeline.h"

#include <errno.h>
#include <stdlib.h>

#include "context/internal.h"

#include "text.h"

#define WIDTH 1120
#define LEFT  84 /* where the time axis begins */
#define RIGHT 12
#define TOP   8
#define LABEL 16 /* of a lane: room above its bars for what tasks do */
#define CAP   8
#define BODY  24
#define MARK  12 /* room below them for marks */
#define WAIT  44 /* room below that for the waits */
#define GAP   10

static const char *const colours[WEFT__TIMELINE_COLOURS + 1] = {
    "", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d46",
};

/* ---- the axis: x at each moment at which a bar begins or ends, in their order ---- */

struct moment {
        int64_t at;
        double x;
        double room; /* that what ends here has at least */
};

struct axis {
        struct moment *moments;
        size_t count, size;
};

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

static int axis_init(struct axis *axis, const struct weft__timeline *timeline)
{
        axis->count = 2 * timeline->count;
        axis->size = (axis->count + 1) * sizeof(*axis->moments);
        axis->moments = weft__alloc_zeroed(axis->size);
        if (!axis->moments)
                return -ENOMEM;
        for (size_t i = 0; i < timeline->count; i++) {
                const struct weft__timeline_bar *bar = &timeline->bars[i];
                axis->moments[2 * i] = (struct moment){.at = bar->begin};
                axis->moments[2 * i + 1] = (struct moment){.at = bar->end, .room = bar->room};
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

/* ---- drawing ---- */

struct drawing {
        const struct weft__timeline *timeline;
        struct axis axis;
        FILE *to;
};

/* The upper edge of a lane's bars. */
static int lane_y(const struct drawing *d, unsigned lane)
{
        int height = LABEL + CAP + BODY + MARK + GAP + (d->timeline->waits ? WAIT : 0);
        return TOP + (int)lane * height + LABEL;
}

static double middle_of(const struct drawing *d, const struct weft__timeline_bar *bar)
{
        return (axis_x(&d->axis, bar->begin) + axis_x(&d->axis, bar->end)) / 2;
}

static void write_bar(const struct drawing *d, const struct weft__timeline_bar *bar)
{
        double x = axis_x(&d->axis, bar->begin);
        double width = axis_x(&d->axis, bar->end) - x;
        int y = lane_y(d, bar->lane);
        if (width > 2)
                width -= 0.6; /* a seam between neighbours */
        else if (width < 1.4)
                width = 1.4;

        fputs("<g class=\"bar\"><title>", d->to);
        bar->tip(bar, d->to);
        fprintf(d->to,
                "</title><rect class=\"r%u\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                bar->cap, x, y, width, CAP);
        fprintf(d->to, "<rect class=\"r%u%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                bar->body, bar->marked ? " bled" : "", x, y + CAP, width, BODY);
        if (bar->marked)
                fprintf(d->to, "<path class=\"mark\" d=\"M%.1f %dl4 8h-8z\"/>", x + width / 2,
                        y + CAP + BODY + 3);
        fputs("</g>\n", d->to);
}

static void write_text(const struct drawing *d, const struct weft__timeline_bar *bar,
                       const char *class, int y, const char *text)
{
        if (!text)
                return;
        fprintf(d->to, "<text class=\"%s\" x=\"%.1f\" y=\"%d\">", class, middle_of(d, bar), y);
        weft__text_html(text, d->to);
        fputs("</text>\n", d->to);
}

/* The next bar of the same task, or NULL. */
static const struct weft__timeline_bar *next_of(const struct weft__timeline *timeline,
                                                const struct weft__timeline_bar *bar)
{
        const struct weft__timeline_bar *next = NULL;
        for (size_t i = 0; i < timeline->count && bar->task; i++) {
                const struct weft__timeline_bar *other = &timeline->bars[i];
                if (other->task == bar->task && other->begin >= bar->end &&
                    (!next || other->begin < next->begin))
                        next = other;
        }
        return next;
}

/* From where a task parks to where it goes on: the further, the deeper. */
static void write_wait(const struct drawing *d, const struct weft__timeline_bar *bar)
{
        const struct weft__timeline_bar *next = next_of(d->timeline, bar);
        if (!next)
                return;
        double from = axis_x(&d->axis, bar->end) - 2, to = axis_x(&d->axis, next->begin) + 2;
        double depth = 8 + (to - from) * 2 * WAIT / WIDTH;
        if (depth > WAIT - 4)
                depth = WAIT - 4;
        fprintf(d->to, "<path class=\"w%u\" d=\"M%.1f %dC%.1f %.1f %.1f %.1f %.1f %d\"/>\n",
                bar->line, from, lane_y(d, bar->lane) + CAP + BODY + MARK, from,
                lane_y(d, bar->lane) + CAP + BODY + MARK + depth * 4 / 3, to,
                lane_y(d, next->lane) + CAP + BODY + MARK + depth * 4 / 3, to,
                lane_y(d, next->lane) + CAP + BODY + MARK);
}

static void write_lane(const struct drawing *d, unsigned lane)
{
        int y = lane_y(d, lane);
        fprintf(d->to, "<text class=\"lane\" x=\"0\" y=\"%d\">%s %u</text>\n", y + CAP + BODY / 2,
                d->timeline->lane, lane);
        fprintf(d->to, "<rect class=\"rail\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                LEFT, y, WIDTH - LEFT - RIGHT, CAP + BODY);
}

int weft__timeline_write(const struct weft__timeline *timeline, FILE *to)
{
        struct drawing d = {.timeline = timeline, .to = to};
        if (axis_init(&d.axis, timeline) < 0)
                return -ENOMEM;
        fprintf(to, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"timeline: ", WIDTH,
                lane_y(&d, timeline->lanes) - LABEL);
        weft__text_html(timeline->title, to);
        fputs("\">\n", to);
        for (unsigned lane = 0; lane < timeline->lanes; lane++)
                write_lane(&d, lane);
        for (size_t i = 0; i < timeline->count; i++) {
                const struct weft__timeline_bar *bar = &timeline->bars[i];
                int y = lane_y(&d, bar->lane);
                write_bar(&d, bar);
                write_text(&d, bar, "sign", y - 4, bar->above);
                write_text(&d, bar, "found", y + CAP + BODY - 8, bar->in);
                if (timeline->waits)
                        write_wait(&d, bar);
        }
        fputs("</svg>\n", to);
        weft__free(d.axis.moments, d.axis.size);
        return 0;
}

/* ---- the page around it ---- */

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;color:#1f2328;background:#fff;margin:2.5rem auto;"
    "max-width:1120px;padding:0 1rem}\n"
    "h1{font-size:1.6rem;margin:0 0 .25rem}\n"
    "h2{font-size:1.15rem;margin:2.5rem 0 .5rem}\n"
    "h3{font-size:1rem;margin:1.5rem 0 .25rem;display:flex;justify-content:space-between}\n"
    "p{margin:.25rem 0}\n"
    ".quiet,small{color:#59636e}\n"
    "svg{display:block;width:100%;height:auto}\n"
    "svg text{font:12px system-ui,sans-serif;fill:#59636e}\n"
    "svg .sign{font-size:10px;text-anchor:middle}\n"
    "svg .found{font-weight:600;text-anchor:middle;fill:#1f2328}\n"
    "svg path[class^=w]{fill:none;stroke-width:1.5}\n"
    "svg .rail{fill:#f3f4f6}\n"
    "svg .mark{fill:#d1242f}\n"
    "svg .bled{stroke:#d1242f;stroke-width:1}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.4rem 1.25rem;margin:.75rem 0;align-items:center}\n"
    ".legend span{display:inline-flex;align-items:center;gap:.4rem}\n"
    ".legend svg{width:18px;height:18px;flex:none}\n";

void weft__timeline_style(FILE *to)
{
        fputs(style, to);
        fputs(".r0{fill:#fff;stroke:#b6bcc4;stroke-width:.75}.w0{stroke:#b6bcc4}\n", to);
        for (int i = 1; i <= WEFT__TIMELINE_COLOURS; i++)
                fprintf(to, ".r%d{fill:%s}.w%d{stroke:%s}\n", i, colours[i], i, colours[i]);
}

static void write_sample(const char *shape, const char *text, FILE *to)
{
        fprintf(to, "<span><svg viewBox=\"0 0 18 18\">%s</svg>", shape);
        weft__text_html(text, to);
        fputs("</span>", to);
}

void weft__timeline_sample(unsigned colour, const char *text, FILE *to)
{
        char shape[64];
        snprintf(shape, sizeof(shape), "<rect class=\"r%u\" width=\"18\" height=\"18\"/>", colour);
        write_sample(shape, text, to);
}

void weft__timeline_sample_mark(const char *text, FILE *to)
{
        write_sample("<path class=\"mark\" d=\"M9 4l6 11h-12z\"/>", text, to);
}
