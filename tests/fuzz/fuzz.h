/* SPDX-License-Identifier: MIT
 *
 * A target: a function that is given any bytes at all, and holds what the library makes of them to
 * what its headers promise. Linked with libFuzzer, which looks for bytes that reach new code (make
 * fuzz); or with replay.c, which gives it those of corpus/ (make check, and under the checkers).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input breaks a promise: say which, and stop. */
#define MUST(condition)                                                                            \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
                        abort();                                                                   \
                }                                                                                  \
        } while (0)

/* A copy that ends where its bytes do, so that a checker sees who reads on; never NULL. */
static inline char *exact(const void *bytes, size_t size)
{
        char *copy = calloc(1, size ? size : 1);
        MUST(copy);
        if (size)
                memcpy(copy, bytes, size);
        return copy;
}

/* The same with a NUL behind it. */
static inline char *string(const void *bytes, size_t size)
{
        char *copy = malloc(size + 1);
        MUST(copy);
        if (size)
                memcpy(copy, bytes, size);
        copy[size] = '\0';
        return copy;
}

#endif
