/* SPDX-License-Identifier: MIT
 *
 * Borders: what of a context there is on the other side of one (drop_at and hand_on of a var).
 *
 * A program without such vars pays a look at a flag for each crossing; one in whose contexts none
 * of them is bound, a look at the context besides.
 */
#ifndef WEFT_CONTEXT_CROSS_H
#define WEFT_CONTEXT_CROSS_H

#include "internal.h"

/* What is current on the other side of one border (a bit of enum weft_border) where context is on
 * this one: a reference. 0, -ENOMEM, or what a hand_on() returned. site: see weft__cross(). */
int weft__context_across(weft_context *context, unsigned border, const void *site,
                         weft_context **ret);

#endif
