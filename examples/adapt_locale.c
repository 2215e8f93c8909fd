/* SPDX-License-Identifier: MIT
 *
 * A locale for each request: two tasks take turns on one thread, and the C library counts letters
 * for the one in ASCII and for the other in UTF-8. Neither is told, and count() knows of nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weft/adapt/locale.h>
#include <weft/weft.h>

static weft_var locale = WEFT_LOCALE_INIT("locale");

static int count(const char *text)
{
        int n = 0;
        while (*text) {
                int bytes = mblen(text, MB_CUR_MAX);
                text += bytes > 0 ? bytes : 1;
                n++;
        }
        return n;
}

static int serve(void *name)
{
        int n = 0;
        for (int i = 0; i < 3; i++) {
                n += count("na\xc3\xafve");
                weft_yield(); /* the other one has its turn */
        }
        printf("%s: %d letters\n", (char *)name, n / 3);
        return 0;
}

int main(void)
{
        const weft_pool_options options = {.size = sizeof(options), .workers = 1};
        locale_t ascii = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
        weft_pool *pool;
        if (!ascii || !utf8 || weft_pool_create(&pool, &options) < 0)
                return 1;
        WEFT_WITH (&locale, ascii)
                weft_submit(pool, serve, "in ASCII");
        WEFT_WITH (&locale, utf8)
                weft_submit(pool, serve, "in UTF-8");
        weft_pool_destroy(pool);
        freelocale(ascii);
        freelocale(utf8);
        return 0;
}
