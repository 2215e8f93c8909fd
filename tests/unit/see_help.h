/* SPDX-License-Identifier: MIT
 *
 * What the tests of dumps and of the watchdog share: both look at a copy of the process, and show a
 * var by its format.
 */
#ifndef SEE_HELP_H
#define SEE_HELP_H

#include "pool_help.h"

#include <sys/resource.h>

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

/* Leave the process no more addresses than it has; how it was. Nothing can be asserted until that
 * is so again. */
static inline struct rlimit take_addresses(void)
{
        struct rlimit before, none;
        volatile char stack[64 << 10]; /* that is not to grow afterwards */
        long pages = 0;
        for (size_t i = 0; i < sizeof(stack); i += 1024)
                stack[i] = 0;
        FILE *f = fopen("/proc/self/statm", "re");
        cr_assert(f && fscanf(f, "%ld", &pages) == 1);
        fclose(f);
        cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
        none = before;
        none.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
        if (setrlimit(RLIMIT_AS, &none) != 0)
                abort();
        return before;
}

/* What weft_dump() writes; to be freed. (Inlined, gcc takes it for the address of `text`.) */
__attribute__((noinline, unused)) static char *dumped(void)
{
        char *text = NULL;
        size_t length = 0;
        FILE *to = open_memstream(&text, &length);
        int r = weft_dump(to);
        fclose(to);
        cr_assert_eq(r, 0, "weft_dump: %s", weft_strerror(r));
        return text;
}

__attribute__((unused)) static weft_var user = WEFT_VAR_INIT("user", .format = write_text);

#endif
