/* SPDX-License-Identifier: MIT
 *
 * weft: a work-stealing thread pool whose tasks inherit the context of whoever submitted them.
 *
 * This header brings in the whole library. Each of the headers below is the manual of its part and
 * compiles alone, as C11 and as C++17:
 *
 *   error.h    what functions return, and its names and messages
 *   context.h  context variables, immutable contexts, the current frame
 *   trace.h    the trace that a task belongs to: W3C traceparent and tracestate
 *   baggage.h  names and values that travel with a request: W3C Baggage
 *   carry.h    contexts across the border of a process: headers, environment, bytes
 *   pool.h     the pool, its tasks, and waiting for them
 *   record.h   what ran where, as a trace or a page
 *   block.h    blocks as tasks, where the compiler has them (included by pool.h)
 *   group.h    tasks that end together
 *   fork.h     fork and join, and loops in parallel
 *   suspend.h  the clock, yield and sleep, file descriptors, blocking calls
 *   timer.h    tasks that start at a time, once or again and again
 *   explain.h  why a var has its value here, or none
 *   sync.h     mutexes, semaphores, events and channels that park the task
 */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/error.h>
#include <weft/context.h>
#include <weft/trace.h>
#include <weft/baggage.h>
#include <weft/carry.h>
#include <weft/pool.h>
#include <weft/see.h>
#include <weft/record.h>
#include <weft/fork.h>
#include <weft/group.h>
#include <weft/suspend.h>
#include <weft/sync.h>
#include <weft/timer.h>

#include <weft/explain.h> /* last: with WEFT_LINES it has macros */

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

WEFT_BEGIN_DECLS

/* weft_version - the version of the library that is linked, as "major.minor.patch".
 * A static string; any thread; never blocks; async-signal-safe. Since 0.1. */
WEFT_API const char *weft_version(void);

WEFT_END_DECLS

#endif
