/* SPDX-License-Identifier: MIT
 *
 * The whole result of a comparison, what it must show, and the three ways to report it.
 */
#ifndef COMPARE_COMPARISON_H
#define COMPARE_COMPARISON_H

#include <stdio.h>

#include "audit.h"
#include "hazards.h"
#include "scoping.h"
#include "shots.h"
#include "tree.h"

struct result {
        struct audit audit;
        struct tally hazards[HAZARDS];
        double ns_per_task;
};

struct comparison {
        const char *root;
        struct tree tree;
        int requests;
        unsigned workers;
        struct result results[SCOPINGS];
};

/* A line of the table: a figure of a result, that is wrong if it is not 0; or that is only told. */
struct figure {
        const char *name; /* in the table */
        const char *key;  /* in JSON */
        size_t offset;    /* in struct audit */
        bool is_fault;
};

enum { FIGURES = 9 };

extern const struct figure figures[FIGURES];

size_t figure_of(const struct figure *figure, const struct audit *audit);

/* Write a sentence for each expectation that failed, each on a line behind the prefix. The weft var
 * is wrong nowhere; each thread-local was wrong in the work, if requests had to share workers; each
 * hazard was provoked in the columns that have it. How many failed. */
int comparison_judge(const struct comparison *comparison, FILE *to, const char *prefix);

/* The table, 100 columns at most, and the judgement below it. Colour: mark what is wrong, for a
 * terminal. How many expectations failed. */
int report_text(const struct comparison *comparison, FILE *to, bool colour);

/* 0, or -1 (and errno): it could not be written, or memory ran out. */
int report_json(const struct comparison *comparison, FILE *to);

/* One page that needs nothing else, with the table and the pictures of the traces. 0, or -1 and a
 * complaint. Whether it could be written is in the stream. */
int report_html(const struct comparison *comparison, const struct trace traces[SHOTS][SCOPINGS],
                FILE *to);

#endif
