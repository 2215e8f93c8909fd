/* SPDX-License-Identifier: MIT
 *
 * When a task runs over its stack: a message that names it, before the process dies of SIGSEGV.
 *
 * The first pool sets a handler for SIGSEGV, which runs on a stack of its own on each worker. Every
 * other fault it passes on to the handler that there was before; without one it lets the signal
 * take its course. Nothing is set where AddressSanitizer watches, which says the same itself.
 */
#ifndef WEFT_POOL_OVERFLOW_H
#define WEFT_POOL_OVERFLOW_H

/* Set the handler, once in a process. */
void weft__overflow_watch(void);

/* The stack for the handler on the calling thread, a worker: NULL if there is no memory, and then
 * an overflow there goes unexplained. */
void *weft__overflow_begin(void);
void weft__overflow_end(void *stack);

#endif
