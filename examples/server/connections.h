/* SPDX-License-Identifier: MIT
 *
 * The connections of clients: one task each, all in one group.
 */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include <weft/weft.h>

/* Make ready: connections will be served by tasks of the pool, and each request must have been
 * received and handled within so long. 0 or -errno. */
int connections_init(weft_pool *pool, int64_t request_ns);

/* A task: accept clients on the listening socket at *listener, until cancelled. */
int connections_accept(void *listener);

/* End: take no more requests, give those that have been received until the deadline, cancel the
 * rest. When this returns there are none. Called when nothing accepts any more. Blocks. */
void connections_end(int64_t deadline);

#endif
