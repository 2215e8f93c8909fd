/* SPDX-License-Identifier: MIT
 *
 * The example of weft_bind(3).
 */
#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int greet(void *greeting)
{
        int hello = strcmp(greeting, "hello") == 0;
        return hello && strcmp(weft_get(&user), "ada") == 0 ? 1 : 0;
}

/* An executor that knows nothing of weft. */
static void *thread(void *bound)
{
        return (void *)(intptr_t)weft_bound_call(bound);
}

int main(void)
{
        weft_bound *bound = NULL;
        WEFT_WITH (&user, "ada") {
                int r = weft_bind(&bound, greet, "hello");
                assert(r == 0);
        }

        pthread_t id;
        void *result = NULL;
        int r = pthread_create(&id, NULL, thread, bound);
        assert(r == 0);
        pthread_join(id, &result);
        assert((intptr_t)result == 1);
        r = weft_bound_call(bound); /* once more, here */
        assert(r == 1);
        weft_bound_free(bound);
        return 0;
}
