/* SPDX-License-Identifier: MIT
 *
 * How the files are shared out among the requests, and which requests roll back.
 *
 * Request ids run from 1; 0 is "no request". Request r has the files [share_begin(r),
 * share_begin(r + 1)), in the order of the walk, and every third request rolls back. Both are
 * arithmetic on the file's index, so the audit can tell whose a file is without anything that the
 * run under audit has said.
 */
#ifndef COMPARE_SHARE_H
#define COMPARE_SHARE_H

#include <stdbool.h>
#include <stddef.h>

static inline size_t share_begin(size_t files, int requests, int request)
{
        return (size_t)(request - 1) * files / (size_t)requests;
}

static inline int share_owner(size_t files, int requests, size_t file)
{
        return (int)(((file + 1) * (size_t)requests - 1) / files) + 1;
}

static inline bool share_rolls_back(int request)
{
        return request % 3 == 0;
}

#endif
