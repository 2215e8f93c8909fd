/* SPDX-License-Identifier: MIT
 *
 * The codecs that are there from the start, linked in this order.
 */
#ifndef WEFT_CONTEXT_CODECS_H
#define WEFT_CONTEXT_CODECS_H

#include <weft/carry.h>

extern weft_codec weft__codec_traceparent;
extern weft_codec weft__codec_tracestate;
extern weft_codec weft__codec_baggage; /* the last */

#endif
