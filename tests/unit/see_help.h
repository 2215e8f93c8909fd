/* SPDX-License-Identifier: MIT
 *
 * What the tests of dumps and of the watchdog share: both look at a copy of the process, and show a
 * var by its format.
 */
#ifndef SEE_HELP_H
#define SEE_HELP_H

#include "pool_help.h"

#define skip_copies_in_emulator()                                                                  \
        do {                                                                                       \
                if (IN_EMULATOR)                                                                   \
                        cr_skip_test(                                                              \
                            "the emulator copies no process without a signal at its end");         \
        } while (0)

static inline int write_text(void *value, char *text, size_t size)
{
        return snprintf(text, size, "%s", (const char *)value);
}

static weft_var user = WEFT_VAR_INIT("user", .format = write_text);

#endif
