/* SPDX-License-Identifier: MIT
 *
 * The example of weft_dump(3).
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static weft_event never;

static int format(void *value, char *text, size_t size)
{
        return snprintf(text, size, "%s", (char *)value);
}

static weft_var user = WEFT_VAR_INIT("user", .format = format);

static int stuck(void *begun)
{
        weft_event_set(begun);
        return weft_event_wait(&never, WEFT_FOREVER);
}

int main(void)
{
        weft_event begun;
        weft_event_init(&begun);
        WEFT_WITH (&user, "ada") {
                int r = weft_submit(NULL, stuck, &begun);
                assert(r == 0);
        }
        int r = weft_event_wait(&begun, WEFT_FOREVER);
        assert(r == 0);

        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);
        r = weft_dump(to);
        fclose(to);
        assert(r == 0 && strstr(text, "user=\"ada\""));
        free(text);

        int end[2];
        char byte;
        r = pipe(end);
        assert(r == 0);
        r = weft_dump_on_signal(SIGUSR1, end[1]);
        assert(r == 0);
        raise(SIGUSR1);
        ssize_t n = read(end[0], &byte, 1); /* it is written by a thread */
        assert(n == 1);
        r = weft_dump_on_signal(0, -1);
        assert(r == 0);
        return 0;
}
