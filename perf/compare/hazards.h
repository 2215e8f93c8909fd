/* SPDX-License-Identifier: MIT
 *
 * The ways in which a scoping goes wrong, each provoked on its own, by force and not by chance: the
 * scenario fixes which thread runs what in which order, so a scoping that has the flaw reads
 * wrongly every time.
 *
 * To add a hazard, add a scenario, on the stage of stage.h, and its line in the table of hazards.c.
 */
#ifndef COMPARE_HAZARDS_H
#define COMPARE_HAZARDS_H

#include "scoping.h"

struct tally {
        size_t wrong;
        size_t of;
};

struct hazard {
        const char *name;
        const char *what; /* a sentence */
        unsigned
            provoked_in; /* a bit (1u << scoping) for each that must be caught reading wrongly */
        int (*provoke)(const struct scoping *scoping, struct tally *tally); /* 0 or -errno */
};

enum { HAZARDS = 7 };

extern const struct hazard hazards[HAZARDS];

/* Provoke one under one scoping. 0, or -1 and a complaint. */
int hazard_run(const struct hazard *hazard, const struct scoping *scoping, struct tally *ret);

#endif
