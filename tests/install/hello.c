/* SPDX-License-Identifier: MIT
 *
 * A small program of a user, in the C that C++ takes too: a task finds the value that its submitter
 * bound, and the submitter finds what it had before.
 */
#include <weft/weft.h>

#include <stdio.h>
#include <string.h>

static char ada[] = "ada";
static char nobody[] = "nobody";
static weft_var user = WEFT_VAR_INIT("user", .fallback = nobody);

static int greet(void *arg)
{
        (void)arg;
        printf("hello, %s\n", (const char *)weft_get(&user));
        return 0;
}

int main(void)
{
        weft_pool *pool;

        if (strncmp(weft_version(), "0.", 2) != 0 || weft_pool_create(&pool, NULL) < 0)
                return 1;
        WEFT_WITH (&user, ada) {
                weft_submit(pool, greet, NULL);
        }
        weft_pool_destroy(pool);
        return greet(NULL);
}
