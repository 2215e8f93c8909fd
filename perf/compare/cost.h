/* SPDX-License-Identifier: MIT
 *
 * What each scoping costs a task.
 */
#ifndef COMPARE_COST_H
#define COMPARE_COST_H

#include "scoping.h"

/* ns of a worker's processor time for a task that reads what is current and does nothing else,
 * submit and wait included: the median of several rounds, taken in turns so that the machine's
 * moods hit all scopings alike. Shows progress as a stage. 0; or -1 and a complaint, or
 * interrupted. */
int cost_measure(double ret_ns[SCOPINGS]);

#endif
