/* SPDX-License-Identifier: MIT
 *
 * Whose request it is: the two names that everything done for a request goes under. They are
 * context variables, so a log line or a row gets them in whatever function, task or thread it is
 * made, and no function hands them down. (The third thing that a request carries along, its
 * deadline, is the library's own variable: WEFT_DEADLINE.)
 *
 * The values are strings in a struct identity of the connection's task. They may be borrowed like
 * that because no task of a request outlives it: they all run in groups that are waited for.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <weft/weft.h>

#include "http.h"

extern weft_var request_id;   /* a W3C traceparent; "-" outside requests */
extern weft_var request_user; /* who asks; "-" if nobody said */

struct identity {
        char id[56];
        char user[33];
};

/* Take a request's names from it, as far as they are valid. The id is the client's traceparent or a
 * new one. The user is that of the X-User field or of user= in the query. 0; -EINVAL: the user is
 * not a name of 1 to 32 letters, digits, '-' and '_', and has been left out. */
int request_identify(struct identity *ret, const struct http_request *request);

#endif
