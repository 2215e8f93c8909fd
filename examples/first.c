/* SPDX-License-Identifier: MIT
 *
 * The first program of README.md, which shows it from the first include on: two tasks, each in the
 * context of whoever spawned it. tests/install holds both texts and the output together.
 */
#include <stdio.h>
#include <weft/weft.h>

static weft_var user = WEFT_VAR_INIT("user", .fallback = "nobody");

static int pay(void *amount) /* on whichever thread it runs: it is not told who pays */
{
        return printf("%s pays %s\n", (char *)weft_get(&user), (char *)amount);
}

int main(void)
{
        weft_group orders;
        if (weft_group_init(&orders, NULL) < 0) /* on the default pool */
                return 1;
        WEFT_WITH (&user, "ada")
                weft_group_spawn(&orders, pay, "30");
        WEFT_WITH (&user, "grace")
                weft_group_spawn(&orders, pay, "12");
        int error = weft_group_wait(&orders, WEFT_FOREVER);
        weft_group_fini(&orders);
        return error < 0 || pay("0") < 0;
}
