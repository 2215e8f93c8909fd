/* SPDX-License-Identifier: MIT
 *
 * The folder that the databases live in: made in $TMPDIR (or /tmp), emptied between runs, and
 * removed at the end.
 */
#ifndef COMPARE_SCRATCH_H
#define COMPARE_SCRATCH_H

#include <limits.h>

struct scratch {
        char path[PATH_MAX];
};

/* 0, or -1 and a complaint. */
int scratch_create(struct scratch *scratch);

/* Remove every file in it. */
void scratch_clear(const struct scratch *scratch);

/* Remove it, and every file in it. */
void scratch_remove(const struct scratch *scratch);

#endif
