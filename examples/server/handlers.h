/* SPDX-License-Identifier: MIT
 *
 * What the server does: its routes.
 */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "http.h"

struct exchange {
        struct http_request request;
        struct http_reply reply;
};

/* Find the handler of a request, run it, in a transaction if it has use for one, and make the
 * reply of how it ended. A transaction is committed if and only if the reply is 200. */
void handle(struct exchange *x);

#endif
