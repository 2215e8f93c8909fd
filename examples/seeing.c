/* SPDX-License-Identifier: MIT
 *
 * A program that is stuck, and says why: one order waits for another one, which waits for a payment
 * that nobody makes. The dump shows both, under which user, and what they wait for.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static int format_text(void *value, char *text, size_t size)
{
        return snprintf(text, size, "%s", (const char *)value);
}

static weft_var user = WEFT_VAR_INIT("user", .format = format_text);
static weft_event paid;

static int pay(void *unused)
{
        (void)unused;
        return weft_event_wait(&paid, WEFT_FOREVER);
}

static int order(void *unused)
{
        weft_task *payment;
        (void)unused;
        if (weft_spawn(NULL, &payment, pay, NULL) < 0)
                return 1;
        int r = weft_await(payment, WEFT_FOREVER);
        weft_task_unref(payment);
        return r;
}

/* Whether the dump says all of it. */
static int dump_says(FILE *file)
{
        static const char *const all[] = {"waits for event", "waits for the end of task",
                                          "{user=\"ada\"}"};
        char text[4096];
        if (weft_dump(file) < 0)
                return 0;
        rewind(file);
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
                if (!strstr(text, all[i]))
                        return 0;
        return fputs(text, stdout) >= 0;
}

int main(void)
{
        weft_task *task = NULL;
        int r = -1;
        weft_event_init(&paid);
        WEFT_WITH (&user, "ada")
                r = weft_spawn(NULL, &task, order, NULL);
        if (r < 0)
                return 1;
        usleep(100000); /* by now it is stuck */
        FILE *file = tmpfile();
        int says = file && dump_says(file);
        if (file)
                fclose(file);
        weft_event_set(&paid);
        r = weft_await(task, WEFT_FOREVER);
        weft_task_unref(task);
        return r < 0 || !says;
}
