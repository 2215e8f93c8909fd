/* SPDX-License-Identifier: MIT
 *
 * Included before each source of a pool that is built without inheritance, for perf/count/inherit:
 * wherever it would take the current context it takes the empty one.
 */
#ifndef WEFT_PERF_UNINHERITED_H
#define WEFT_PERF_UNINHERITED_H

#include <weft/context.h>

#define weft_context_capture() weft_context_empty()

#endif
