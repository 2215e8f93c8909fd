/* SPDX-License-Identifier: MIT
 *
 * What plots have in common: gnuplot, fed through a pipe, and how they look.
 */
#ifndef WEFT_PERF_PLOT_H
#define WEFT_PERF_PLOT_H

#include "rivals.h"

/* Begin a plot DIRECTORY/NAME.svg of so many pixels and panels, or say why not and return NULL. */
FILE *plot_begin(const char *directory, const char *name, unsigned width, unsigned height);

/* A text as gnuplot takes it, in quotes. */
void plot_text(FILE *g, const char *before, const char *text, const char *after);

/* The panels below are laid out so. */
void plot_panels(FILE *g, size_t rows, size_t columns, const char *title);

/* 0; or -1, and says so. */
int plot_end(FILE *g);

/* Each returns 0, or -1 if a plot could not be made. plot_rivals.c, plot_grow.c */
int plot_rivals(const char *directory, const struct bench_plan *p);
int plot_grow(const char *directory, const struct bench_plan *p);

#endif
