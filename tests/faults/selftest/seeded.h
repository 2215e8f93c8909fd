/* SPDX-License-Identifier: MIT
 *
 * See seeded.c.
 */
#ifndef TESTS_FAULTS_SEEDED_H
#define TESTS_FAULTS_SEEDED_H

#include <errno.h>
#include <stdbool.h>

struct pair {
        void *first, *second;
};

int seeded_pair(struct pair *ret);
int seeded_pair_leaks(struct pair *ret);
int seeded_pair_ignores(struct pair *ret);
int seeded_pair_lies(struct pair *ret);
int seeded_pair_frees_twice(struct pair *ret);
int seeded_pair_waits(struct pair *ret);
int seeded_pair_breaks(struct pair *ret);
void seeded_pair_free(struct pair *pair);

#endif
