/* SPDX-License-Identifier: MIT
 *
 * cilksort: a merge sort in which the merging is parallel too (Akl and Santoro, "Optimal Parallel
 * Merging and Sorting Without Memory Conflicts", 1987; Cilk's example of that name). Four quarters
 * are sorted at once, then merged to halves, two at once, then to the whole; a merge splits both of
 * its inputs at one value. Up to 2,048 elements are sorted, and merged, by one.
 *
 * The size is the number of elements, 32 bits each; the check a hash of them in order, and 0 if
 * they are not in order.
 */
#ifndef WEFT_PERF_CILKSORT_H
#define WEFT_PERF_CILKSORT_H

#include <stdbool.h>

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sort n elements; spare has room for as many. */
struct cilksort {
        uint32_t *data, *spare;
        size_t n;
};

/* Merge a and b, which do not overlap with to. */
struct cilkmerge {
        const uint32_t *a, *b;
        size_t a_n, b_n;
        uint32_t *to;
};

void *cilksort_make(size_t size);
void cilksort_ready(void *data);
void cilksort_serial(void *data);
uint64_t cilksort_check(void *data);

/* What to do for a sort: sort the quarters, at once; then merges 0 and 1, at once; then 2. False:
 * it was small, and has been done. */
bool cilksort_split(const struct cilksort *s, struct cilksort quarter[4],
                    struct cilkmerge merge[3]);

/* What to do for a merge: both halves, at once. False: it was small, and has been done. */
bool cilkmerge_split(const struct cilkmerge *m, struct cilkmerge half[2]);

#ifdef __cplusplus
}
#endif

#endif
