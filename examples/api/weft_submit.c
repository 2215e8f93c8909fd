/* SPDX-License-Identifier: MIT
 *
 * The example of weft_submit(3).
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");
static atomic_int sum, freed;

struct mail {
        char *text;
        int copies;
};

static int count(void *number)
{
        return atomic_fetch_add(&sum, *(const int *)number);
}

static int send_mail(void *args)
{
        const struct mail *mail = args;
        if (strcmp(weft_get(&user), "ada") == 0 && strcmp(mail->text, "hello") == 0)
                atomic_fetch_add(&sum, mail->copies);
        return 0;
}

static void free_mail(void *args)
{
        free(((struct mail *)args)->text);
        atomic_fetch_add(&freed, 1);
}

int main(void)
{
        static int thousand = 1000;
        weft_pool *pool = NULL;
        int r = weft_pool_create(&pool, NULL);
        assert(r == 0);

        r = weft_submit(pool, count, &thousand); /* which outlives the task */
        assert(r == 0);
        for (int i = 1; i <= 10; i++) {
                r = weft_submit_copy(pool, count, &i, sizeof(i)); /* i need not */
                assert(r == 0);
        }
        struct mail mail = {.text = strdup("hello"), .copies = 7};
        WEFT_WITH (&user, "ada") {
                r = weft_submit_closure(pool, send_mail, &mail, sizeof(mail), free_mail);
                assert(r == 0); /* else the text would be ours to free */
        }
        weft_pool_destroy(pool); /* waits for them */
        assert(sum == 1000 + 55 + 7 && freed == 1);
        return 0;
}
