/* SPDX-License-Identifier: MIT
 *
 * The example of weft_thread_create(3).
 */
#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static void *serve(void *unused)
{
        (void)unused;
        void *who = weft_get(&user);
        weft_set(&user, "eve", NULL); /* for this thread alone */
        return who;
}

int main(void)
{
        pthread_t id = 0;
        void *who = NULL;
        WEFT_WITH (&user, "ada") {
                int r = weft_thread_create(&id, NULL, serve, NULL);
                assert(r == 0);
                pthread_join(id, &who);
                assert(strcmp(who, "ada") == 0);
                assert(strcmp(weft_get(&user), "ada") == 0);

                r = pthread_create(&id, NULL, serve, NULL);
                assert(r == 0);
        }
        pthread_join(id, &who);
        assert(strcmp(who, "nobody") == 0); /* a plain thread inherits nothing */
        return 0;
}
