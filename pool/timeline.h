/* SPDX-License-Identifier: MIT
 *
 * A timeline as a picture: inline SVG, a lane for each thread, a bar for each stretch that
 * something ran there, in one of a few colours.
 *
 * It knows nothing of weft: perf/compare draws with it, too.
 */
#ifndef WEFT_POOL_TIMELINE_H
#define WEFT_POOL_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { WEFT__TIMELINE_COLOURS = 6 }; /* that bars may have, from 1; 0 is none */

/* The room that a bar has at least; a picture is 1120 wide. */
enum weft__timeline_room {
        WEFT__TIMELINE_TICK = 4,
        WEFT__TIMELINE_SIGN = 10, /* for a character above it */
        WEFT__TIMELINE_WORD = 42, /* for a word */
};

/* A bar of two parts: where both have one colour it is one. */
struct weft__timeline_bar {
        int64_t begin, end; /* ns */
        unsigned lane;
        unsigned cap, body; /* colours of its upper part, and of the larger lower one */
        unsigned line;      /* and of the line to the next bar of its task */
        bool marked;        /* a triangle below it, and a frame around its body */
        unsigned room;      /* of enum weft__timeline_room */
        uint64_t task;      /* the same for all bars of one, between which it waits; 0: none */
        const char *above;  /* a sign or a word; NULL: none */
        const char *in;     /* it: a few characters; NULL: none */

        /* Write the text for the mouse, in HTML. */
        void (*tip)(const struct weft__timeline_bar *bar, FILE *to);
        const void *of; /* for the tip */
};

struct weft__timeline {
        const char *title;
        const char *lane;                      /* what lanes are called, with their number behind */
        const struct weft__timeline_bar *bars; /* each of more than 0 ns */
        size_t count;
        unsigned lanes;
        bool waits; /* room below lanes, for a line from each bar to the next of its task */
};

/* Write the <svg>: 0, or -ENOMEM. */
int weft__timeline_write(const struct weft__timeline *timeline, FILE *to);

/* The rules for its classes, and for a page of such pictures: the content of <style>. */
void weft__timeline_style(FILE *to);

/* A sample of a colour, and of a mark, with text beside it. */
void weft__timeline_sample(unsigned colour, const char *text, FILE *to);
void weft__timeline_sample_mark(const char *text, FILE *to);

#endif
