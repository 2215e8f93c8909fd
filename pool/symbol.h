/* SPDX-License-Identifier: MIT
 *
 * The names of functions, for people.
 */
#ifndef WEFT_POOL_SYMBOL_H
#define WEFT_POOL_SYMBOL_H

#include "snapshot.h"

/* Write the name of a function, if the dynamic symbols have it, and where it is: the file and an
 * offset that addr2line takes. In a copy of the process: unlike dladdr() it takes no lock. */
void weft__symbol_print(weft__out *out, const void *fn);

#endif
