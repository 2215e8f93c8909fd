/* SPDX-License-Identifier: MIT
 *
 * Probes for tracers (USDT): where <sys/sdt.h> is there when the library is built, each is a nop
 * and a note in the library, which bpftrace, perf, systemtap and gdb find; else it is nothing.
 * docs/seeing.md says what each tells; tests/probes/run holds names and arguments.
 *
 * Arguments are to be such as are at hand: in a register, or in memory that one points at.
 */
#ifndef WEFT_POOL_PROBE_H
#define WEFT_POOL_PROBE_H

#if defined(__has_include) && !defined(WEFT_MODEL)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define WEFT__PROBE(count, name, ...) STAP_PROBE##count(weft, name, __VA_ARGS__)
#endif
#endif

#if !defined(WEFT__PROBE)
#define WEFT__PROBE(count, name, first, ...) ((void)(first))
#endif

/* A task is about to be queued: its pool, and what it is to run on what. (Not the task: there may
 * be none yet, and perf takes no constants for an argument.) */
#define WEFT__PROBE_SUBMIT(pool, fn, arg) WEFT__PROBE(3, submit, pool, fn, arg)

/* One begins, and ends with a result. `run` is the same from the one to the other, and no other has
 * it meanwhile. */
#define WEFT__PROBE_START(pool, run, fn, arg) WEFT__PROBE(4, start, pool, run, fn, arg)
#define WEFT__PROBE_END(run, result)          WEFT__PROBE(2, end, run, result)

/* It waits, and its worker goes on without it; it goes on. */
#define WEFT__PROBE_PARK(run, task)   WEFT__PROBE(2, park, run, task)
#define WEFT__PROBE_RESUME(run, task) WEFT__PROBE(2, resume, run, task)

#endif
