/* SPDX-License-Identifier: MIT
 *
 * A reference to a context that is lost: what tests/adapt/run expects the address sanitizer to
 * find, so that its silence about the others means something.
 */
#include <pthread.h>

#include "check.h"

/* On a thread that ends: while one lives it may have the context at hand, and so within reach. */
static void *lose(void *arg)
{
        WEFT_WITH (&user, ada) {
                CHECK(weft_context_capture() != NULL);
        }
        return arg;
}

int main(void)
{
        pthread_t thread;
        return pthread_create(&thread, NULL, lose, NULL) || pthread_join(thread, NULL);
}
