/* SPDX-License-Identifier: MIT
 *
 * The runs behind the pictures: small ones of the same work, that are traced.
 */
#ifndef COMPARE_SHOTS_H
#define COMPARE_SHOTS_H

#include <stdbool.h>

#include "scoping.h"
#include "scratch.h"
#include "trace.h"
#include "tree.h"

struct shot {
        const char *title;
        const char *what; /* sentences */
        int requests;     /* at most PICTURE_REQUESTS */
        size_t files;     /* of each request, if the tree has so many */
        size_t part;      /* of these, that arrive at once */
        unsigned workers; /* at most */
        bool close_up;    /* room for words, and for the waits */
};

enum { SHOTS = 2 };

extern const struct shot shots[SHOTS];

/* Do each under each scoping, on files of the tree and with at most so many workers. 0; or -1 and a
 * complaint, or interrupted; the traces are to be freed anyway. */
int shots_take(struct trace traces[SHOTS][SCOPINGS], const struct tree *tree, unsigned workers,
               const struct scratch *scratch);

#endif
