/* SPDX-License-Identifier: MIT
 *
 * The audit: what the databases of a run hold, against the serial run.
 *
 * It knows nothing of scopings and of what the run believes: it reads the real databases, after
 * they were closed, and counts in SQL.
 */
#ifndef COMPARE_AUDIT_H
#define COMPARE_AUDIT_H

#include "tree.h"

struct audit {
        size_t expected;          /* rows that should be there: the files of requests that commit */
        size_t rows;              /* rows that are */
        size_t wrong_request;     /* of those, under another request's id or in its database */
        size_t outlived_rollback; /* of those, of a request that rolled back, or in its database */
        size_t wrong_digest;      /* of those, with another size or digest than in the serial run */
        size_t lost;              /* expected files with no row under their request */
        size_t tasks;             /* tasks there were */
        size_t found_none;        /* of those, that found no current request: the run's own count */
        size_t found_other;       /* ... that found another's */
};

/* Fill in all but the last three from the folder's databases, one for each request. 0, or -1 and a
 * complaint. */
int audit_databases(struct audit *audit, const char *folder, const struct tree *tree, int requests);

#endif
