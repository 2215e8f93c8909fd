/* SPDX-License-Identifier: MIT
 *
 * The example of WEFT_LOCALE_INIT(3).
 */
#include <assert.h>
#include <langinfo.h>
#include <string.h>
#include <weft/adapt/locale.h>
#include <weft/weft.h>

static weft_var locale = WEFT_LOCALE_INIT("locale");

static int is_utf8(void *unused) /* knows nothing of the var */
{
        (void)unused;
        weft_yield();
        return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int main(void)
{
        locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
        assert(utf8 != (locale_t)0);
        weft_task *plain = NULL, *other = NULL;
        int r = weft_spawn(NULL, &plain, is_utf8, NULL);
        assert(r == 0);
        WEFT_WITH (&locale, utf8) {
                r = weft_spawn(NULL, &other, is_utf8, NULL);
                assert(r == 0 && is_utf8(NULL));
        }
        assert(!is_utf8(NULL));
        r = weft_await(other, WEFT_FOREVER);
        assert(r == 1);
        r = weft_await(plain, WEFT_FOREVER);
        assert(r == 0);
        weft_task_unref(plain);
        weft_task_unref(other);
        freelocale(utf8);

        static weft_var owned = WEFT_LOCALE_OWNED_INIT("owned");
        WEFT_WITH (&owned, newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0))
                assert(is_utf8(NULL));
        return 0; /* it has been freed */
}
